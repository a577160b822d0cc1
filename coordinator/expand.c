/* SPDX-License-Identifier: Apache-2.0 */
/* Task configs of a connector. See expand.h. */
#include "coordinator/expand.h"

#include "worker/base/mem.h"
#include "worker/connector.h"
#include "worker/task_inputs.h"

/* Connect names the class of a task in its config: "x.FooConnector" runs "x.FooTask". */
static char *task_class(const struct connector_plugin *plugin)
{
    static const char ending[] = "Connector";
    const char *name = plugin->class_names[0];
    size_t length = strlen(name);
    size_t cut = sizeof(ending) - 1;
    if (length > cut && strcmp(name + length - cut, ending) == 0) {
        length -= cut;
    }
    return xasprintf("%.*sTask", (int)length, name);
}

/* One connector's expansion. */
struct expansion {
    const struct connector_plugin *plugin;
    const struct providers *providers;
    const struct connector_state *connector;
    struct connector_facts facts;
    const struct resolution *resolution;
    size_t auto_tasks;
};

/* Asks the plug-in, with the resolved config or with the one that is stored. */
static enum err compute(const struct expansion *expansion, const struct kvs *config,
                        struct kvs **ret_configs, size_t *ret_n, struct error *reterr)
{
    const struct connector_state *connector = expansion->connector;
    struct kvs *before = xcalloc(connector->n_tasks + 1, sizeof(*before));
    size_t n_before = connector->n_tasks;
    for (size_t i = 0; i < connector->n_tasks; i++) {
        before[i] = connector->tasks[i].config; /* a view: not to be released here */
    }
    if (n_before == 0 && connector->last_task) {
        before[n_before++] = *connector->last_task;
    }
    CLEANUP(kvs_fini) struct kvs numbered;
    kvs_init(&numbered);
    kvs_copy(&numbered, config);
    struct connector_facts facts = expansion->facts;
    const char *max = kvs_get(config, "tasks.max");
    facts.auto_tasks = max && strcmp(max, CONNECTOR_TASKS_AUTO) == 0;
    if (facts.auto_tasks) {
        CLEANUP(free_charp) char *text = xasprintf("%zu", expansion->auto_tasks);
        kvs_set(&numbered, "tasks.max", text);
    }
    enum err err = expansion->plugin->task_configs(&facts, &numbered, before, n_before, ret_configs,
                                                   ret_n, reterr);
    free(before);
    return err;
}

/* Takes over from what the plug-in makes of placeholders the values that still have one. */
static void take_raw(const struct expansion *expansion, const struct kvs *raw, struct kvs *config)
{
    for (size_t i = 0; i < config->n_items; i++) {
        const char *text = kvs_get(raw, config->items[i].key);
        if (providers_refers(expansion->providers, text)) {
            kvs_set(config, config->items[i].key, text);
        }
    }
}

/* Puts placeholders wherever a value contains what one stands for. */
static void take_redacted(const struct expansion *expansion, struct kvs *config)
{
    for (size_t i = 0; i < config->n_items; i++) {
        const struct kv *item = &config->items[i];
        CLEANUP(free_charp)
        char *text =
            item->value ? redactions_apply(&expansion->resolution->secrets, item->value) : NULL;
        kvs_set(config, item->key, text);
    }
}

/* The task will look up again what is stored: that must give what was computed. */
static bool gives(const struct expansion *expansion, const struct kvs *stored,
                  const struct kvs *computed)
{
    struct resolution again;
    struct error error;
    if (providers_resolve(expansion->providers, stored, &again, &error) != ERR_OK) {
        return false;
    }
    bool same = kvs_equal(&again.config, computed);
    resolution_fini(&again);
    return same;
}

/* Turns one computed config into what is stored; raw (may be NULL) is what the plug-in makes of the
 * placeholders themselves. It fails where a value lost white space on the way, or a file has
 * changed this moment. */
static enum err put_back(const struct expansion *expansion, const struct kvs *raw,
                         struct kvs *config, struct error *reterr)
{
    CLEANUP(kvs_fini) struct kvs computed;
    CLEANUP(kvs_fini) struct kvs stored;
    kvs_init(&computed);
    kvs_init(&stored);
    kvs_copy(&computed, config);
    kvs_copy(&stored, config);
    if (raw) {
        take_raw(expansion, raw, &stored);
    }
    if (!gives(expansion, &stored, &computed)) {
        kvs_copy(&stored, &computed);
        take_redacted(expansion, &stored);
    }
    kvs_copy(config, &stored);
    return gives(expansion, &stored, &computed)
               ? ERR_OK
               : error_set(reterr, ERR_CONFLICT,
                           "the task configs cannot be stored with placeholders: a value that a "
                           "config provider gave has white space around it, or is just changing");
}

static enum err put_all_back(const struct expansion *expansion, struct kvs *configs, size_t n,
                             struct error *reterr)
{
    if (kvs_equal(&expansion->resolution->config, &expansion->connector->config)) {
        return ERR_OK;
    }
    struct kvs *raw = NULL;
    size_t n_raw = 0;
    struct error error;
    if (compute(expansion, &expansion->connector->config, &raw, &n_raw, &error) != ERR_OK) {
        n_raw = 0;
    }
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < n; i++) {
        /* Without the numbers there may be fewer of them; what has text is alike in all. */
        const struct kvs *model = n_raw == 0 ? NULL : &raw[i < n_raw ? i : n_raw - 1];
        err = put_back(expansion, model, &configs[i], reterr);
    }
    connector_configs_free(raw, n_raw);
    return err;
}

static enum err expand(const struct expansion *expansion, struct kvs **ret_configs, size_t *ret_n,
                       struct error *reterr)
{
    struct kvs *configs = NULL;
    size_t n = 0;
    enum err err = compute(expansion, &expansion->resolution->config, &configs, &n, reterr);
    if (err != ERR_OK) {
        return err;
    }
    CLEANUP(free_charp) char *class_of_tasks = task_class(expansion->plugin);
    for (size_t i = 0; i < n; i++) {
        kvs_set(&configs[i], "task.class", class_of_tasks);
    }
    err = put_all_back(expansion, configs, n, reterr);
    if (err != ERR_OK) {
        connector_configs_free(configs, n);
        return err;
    }
    *ret_configs = configs;
    *ret_n = n;
    return ERR_OK;
}

enum err expand_task_configs(const struct providers *providers, const struct expand_facts *facts,
                             const struct connector_state *connector, struct kvs **ret_configs,
                             size_t *ret_n, struct error *reterr)
{
    const char *class_name = kvs_get(&connector->config, "connector.class");
    const struct connector_plugin *plugin = class_name ? connector_find(class_name) : NULL;
    if (!plugin) {
        return error_set(reterr, ERR_NOT_FOUND,
                         "Failed to find any class that implements Connector and which name "
                         "matches %s",
                         class_name ? class_name : "");
    }
    struct task_inputs inputs;
    enum err err = task_inputs_open(providers, &connector->config, NULL, 0, &inputs, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct expansion expansion = {
        .plugin = plugin,
        .providers = providers,
        .connector = connector,
        .facts = { .name = connector->name, .group_id = facts->group_id },
        .resolution = &inputs.connector,
        .auto_tasks = facts->auto_tasks,
    };
    err = expand(&expansion, ret_configs, ret_n, reterr);
    if (err != ERR_OK) {
        task_inputs_redact(&inputs, reterr);
    }
    task_inputs_close(&inputs);
    return err;
}
