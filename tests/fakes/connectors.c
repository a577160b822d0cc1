/* SPDX-License-Identifier: Apache-2.0 */
/* A connector kind that does what its config says. See connectors.h. */
#include "tests/fakes/connectors.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct fake_calls fake_calls;

static enum err fake_new(const struct task_context *context, void **ret_task, struct error *reterr)
{
    atomic_fetch_add(&fake_calls.n_new, 1);
    const char *text = kvs_get(context->connector_config, "fail.new");
    if (text) {
        return error_set(reterr, ERR_INVALID, "%s", text);
    }
    struct task_context *task = malloc(sizeof(*task));
    *task = *context;
    *ret_task = task;
    return ERR_OK;
}

static enum task_end fake_run(void *state, struct error *reterr)
{
    atomic_fetch_add(&fake_calls.n_run, 1);
    const struct task_context *task = state;
    const char *text = kvs_get(task->connector_config, "fail.run");
    if (text) {
        task_report_running(task->control);
        (void)error_set(reterr, ERR_IO, "%s", text);
        return TASK_END_FAILED;
    }
    task_offset_put(task->control, "{\"p\":1}", "{\"o\":2}");
    enum task_wanted last = TASK_WANTED_STOP;
    while (!kvs_get(task->connector_config, "end.now")) {
        enum task_wanted wanted = task_wanted(task->control);
        if (wanted == TASK_WANTED_STOP) {
            break;
        }
        if (wanted != last && wanted == TASK_WANTED_RUN) {
            task_report_running(task->control);
        } else if (wanted != last) {
            task_report_paused(task->control);
        }
        last = wanted;
        struct pollfd fd = { .fd = task_control_fd(task->control), .events = POLLIN };
        (void)poll(&fd, 1, 10000);
        task_control_clear(task->control);
    }
    return TASK_END_STOPPED;
}

static void fake_free(void *state)
{
    atomic_fetch_add(&fake_calls.n_free, 1);
    free(state);
}

static enum err fake_retire(const struct connector_facts *facts, const struct kvs *config,
                            const struct kvs *task_configs, size_t n_task_configs,
                            struct error *reterr)
{
    (void)task_configs;
    atomic_fetch_add(&fake_calls.n_retire, 1);
    if (kvs_get(config, "hang.retire")) {
        struct pollfd fd = { .fd = *facts->stop_fd, .events = POLLIN };
        (void)poll(&fd, 1, 60000);
    }
    struct pollfd stop = { .fd = *facts->stop_fd, .events = POLLIN };
    if (kvs_get(config, "ask.retire") && poll(&stop, 1, 0) > 0) {
        return error_set(reterr, ERR_UNAVAILABLE, "asked to give up");
    }
    const char *text = kvs_get(config, "fail.retire");
    if (text || n_task_configs != 2 || strcmp(facts->group_id, "g") != 0) {
        return error_set(reterr, ERR_UNAVAILABLE, "%s", text ? text : "wrong arguments");
    }
    return ERR_OK;
}

static const char *const class_names[] = { "FakeSource", NULL };

const struct connector_plugin fake_plugin = {
    .class_names = class_names,
    .type = CONNECTOR_SOURCE,
    .version = "1",
    .task_new = fake_new,
    .task_run = fake_run,
    .task_free = fake_free,
    .retire = fake_retire,
};

static const struct connector_plugin *const plugins[] = { &fake_plugin, NULL };

const struct connector_plugin *const *connector_plugins(void)
{
    return plugins;
}

const struct connector_plugin *connector_find(const char *class_name)
{
    return strcmp(class_name, "FakeSource") == 0 ? &fake_plugin : NULL;
}

const char *connector_type_name(enum connector_type type)
{
    return type == CONNECTOR_SOURCE ? "source" : "sink";
}

void connector_configs_free(struct kvs *configs, size_t n_configs)
{
    for (size_t i = 0; i < n_configs; i++) {
        kvs_fini(&configs[i]);
    }
    free(configs);
}
