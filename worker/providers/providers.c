/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of providers, and those that a worker's properties name. See providers.h. */
#include "worker/providers/providers.h"

#include <sys/stat.h>

#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/providers/provider.h"
#include "worker/providers/set.h"

static const struct provider_plugin *const plugins[] = {
    &file_provider,
    &directory_provider,
    &env_var_provider,
};

static const struct provider_plugin *find_plugin(const char *class_name)
{
    for (size_t i = 0; i < N_ELEMENTS(plugins); i++) {
        const char *simple = strrchr(plugins[i]->class_name, '.') + 1;
        if (strcmp(class_name, plugins[i]->class_name) == 0 || strcmp(class_name, simple) == 0) {
            return plugins[i];
        }
    }
    return NULL;
}

const struct provider *providers_find(const struct providers *providers, const char *name,
                                      size_t length)
{
    for (size_t i = 0; providers && i < providers->n_items; i++) {
        const char *own = providers->items[i].name;
        if (strlen(own) == length && strncmp(own, name, length) == 0) {
            return &providers->items[i];
        }
    }
    return NULL;
}

/* The value of config.providers.<name>.<key>, trimmed; owned, "" when it is not set. */
static char *param(const struct kvs *props, const char *name, const char *key)
{
    CLEANUP(free_charp) char *full = xasprintf("config.providers.%s.%s", name, key);
    const char *value = kvs_get(props, full);
    value = value ? value : "";
    value += strspn(value, " \t");
    size_t length = strlen(value);
    while (length > 0 && strchr(" \t", value[length - 1])) {
        length--;
    }
    return xstrndup(value, length);
}

static enum err read_class(const struct kvs *props, struct provider *provider, struct error *reterr)
{
    CLEANUP(free_charp) char *class_name = param(props, provider->name, "class");
    if (class_name[0] == '\0') {
        return error_set(
            reterr, ERR_INVALID,
            "Missing required configuration \"config.providers.%s.class\" which has no "
            "default value. Set it to FileConfigProvider, DirectoryConfigProvider or "
            "EnvVarConfigProvider.",
            provider->name);
    }
    provider->plugin = find_plugin(class_name);
    if (!provider->plugin) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %.200s for configuration config.providers.%s.class: Class "
                         "%.200s could not be found. Use FileConfigProvider, "
                         "DirectoryConfigProvider or EnvVarConfigProvider.",
                         class_name, provider->name, class_name);
    }
    return ERR_OK;
}

static enum err read_params(const struct kvs *props, struct provider *provider,
                            struct error *reterr)
{
    CLEANUP(free_charp) char *paths = param(props, provider->name, "param.allowed.paths");
    CLEANUP(free_charp) char *pattern = param(props, provider->name, "param.allowlist.pattern");
    config_list_split(paths, &provider->allowed);
    for (size_t i = 0; i < provider->allowed.n_items; i++) {
        if (provider->allowed.items[i][0] != '/') {
            return error_set(reterr, ERR_INVALID,
                             "Invalid value %.300s for configuration "
                             "config.providers.%s.param.allowed.paths: Path %.200s is not absolute."
                             " Begin each with a slash.",
                             paths, provider->name, provider->allowed.items[i]);
        }
    }
    struct error why = { ERR_OK, "" };
    if (pattern[0] && regex_new(pattern, &provider->pattern, &why) != ERR_OK) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value for configuration "
                         "config.providers.%s.param.allowlist.pattern: %s",
                         provider->name, why.text);
    }
    return ERR_OK;
}

static enum err add_provider(const struct kvs *props, const char *name, struct providers *providers,
                             struct error *reterr)
{
    if (name[0] == '\0' || providers_find(providers, name, strlen(name))) {
        return ERR_OK;
    }
    struct provider *provider = &providers->items[providers->n_items++];
    provider->name = xstrdup(name);
    enum err err = read_class(props, provider, reterr);
    return err ? err : read_params(props, provider, reterr);
}

enum err providers_new(const struct kvs *worker_props, struct providers **ret_providers,
                       struct error *reterr)
{
    CLEANUP(providers_freep) struct providers *providers = xcalloc(1, sizeof(*providers));
    const char *text = kvs_get(worker_props, "config.providers");
    struct config_list names;
    config_list_split(text ? text : "", &names);
    providers->items = xcalloc(names.n_items, sizeof(*providers->items));
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < names.n_items; i++) {
        err = add_provider(worker_props, names.items[i], providers, reterr);
    }
    config_list_fini(&names);
    if (err == ERR_OK) {
        *ret_providers = TAKE(providers);
    }
    return err;
}

void providers_free(struct providers *providers)
{
    if (!providers) {
        return;
    }
    for (size_t i = 0; i < providers->n_items; i++) {
        struct provider *provider = &providers->items[i];
        free(provider->name);
        config_list_fini(&provider->allowed);
        regex_free(provider->pattern);
    }
    free(providers->items);
    free(providers);
}

void providers_freep(struct providers **place)
{
    providers_free(*place);
}

static enum err check_paths(const struct provider *provider, struct error *reterr)
{
    for (size_t i = 0; i < provider->allowed.n_items; i++) {
        struct stat stat_of_path;
        if (stat(provider->allowed.items[i], &stat_of_path) != 0) {
            return error_set(reterr, ERR_INVALID,
                             "Invalid value for configuration "
                             "config.providers.%s.param.allowed.paths: Path %.300s does not exist. "
                             "Mount or create it before the worker starts, or take it out of the "
                             "list.",
                             provider->name, provider->allowed.items[i]);
        }
    }
    return ERR_OK;
}

static void warn_unrestricted(const struct provider *provider)
{
    bool files = provider->plugin->reads_files;
    if (files ? provider->allowed.n_items == 0 : !provider->pattern) {
        log_warn(NULL, "PROVIDER-UNRESTRICTED",
                 "provider=\"%s\" risk=\"whoever may change connectors can read every %s of this "
                 "worker\" mend=\"set config.providers.%s.param.%s\"",
                 provider->name, files ? "file" : "environment variable", provider->name,
                 files ? "allowed.paths" : "allowlist.pattern");
    }
}

enum err providers_check(const struct kvs *worker_props, struct error *reterr)
{
    CLEANUP(providers_freep) struct providers *providers = NULL;
    enum err err = providers_new(worker_props, &providers, reterr);
    for (size_t i = 0; err == ERR_OK && i < providers->n_items; i++) {
        err = check_paths(&providers->items[i], reterr);
    }
    for (size_t i = 0; err == ERR_OK && i < providers->n_items; i++) {
        warn_unrestricted(&providers->items[i]);
    }
    return err;
}
