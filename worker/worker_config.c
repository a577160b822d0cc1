/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and checks the worker's configuration; the rows are in worker_config_rows.c. */
#include "worker/worker_config.h"

#include <ctype.h>
#include <errno.h>

#include "worker/base/config_result.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/properties.h"
#include "worker/convert.h"
#include "worker/plugins.h"
#include "worker/providers/providers.h"
#include "worker/secrets.h"
#include "worker/version_range.h"

#define MAX_FILE     ((size_t)1024 * 1024)
#define MAX_SHOWN    200
#define ENV_PREFIX   "CONNECT_"
#define TOPIC_ENDING ".storage.topic"

/* Families of keys that are handed on or belong to a converter or topic. */
static const char *const prefixes[] = {
    "producer.",
    "consumer.",
    "admin.",
    "key.converter.",
    "value.converter.",
    "header.converter.",
    "config.storage.",
    "status.storage.",
    "offset.storage.",
    "claims.storage.",
    "sasl.",
    "ssl.",
    "metrics.",
    "listeners.https.",
    "config.providers.",
};

/* Variables that the well-known images set for themselves, not for the worker. */
static const char *const image_variables[] = {
    "CONNECT_LOG4J_", "CONNECT_CUB_", "CONNECT_OPTS", "CONNECT_JVM_", "CONNECT_HEAP_",
};

char *worker_config_text(const struct kvs *props, const char *key)
{
    return config_text(worker_config_table(), props, key);
}

int64_t worker_config_int(const struct kvs *props, const char *key)
{
    return config_int(worker_config_table(), props, key);
}

bool worker_config_bool(const struct kvs *props, const char *key)
{
    return config_bool(worker_config_table(), props, key);
}

static enum err read_file(const char *path, struct buf *content, struct error *reterr)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return error_set(reterr, ERR_IO, "%s: %s; give the path of a readable properties file",
                         path, strerror(errno));
    }
    char *place = buf_reserve(content, MAX_FILE + 1);
    size_t n = fread(place, 1, MAX_FILE + 1, file);
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed || n > MAX_FILE) {
        return error_set(reterr, ERR_IO, "%s: %s", path,
                         failed ? "cannot be read" : "larger than 1 MiB");
    }
    content->length = n;
    place[n] = '\0';
    return ERR_OK;
}

static enum err load_file(const char *path, struct kvs *props, struct error *reterr)
{
    struct buf content;
    buf_init(&content);
    enum err err = read_file(path, &content, reterr);
    if (err == ERR_OK) {
        err = properties_parse(buf_text(&content), content.length, props, reterr);
        if (err != ERR_OK) {
            (void)error_prefix(reterr, err, path);
        }
    }
    buf_fini(&content);
    return err;
}

/* The key that a variable's name behind the prefix stands for: _ is '.', __ is '_', ___ is '-'. */
static char *key_of_variable(const char *name, size_t length)
{
    struct buf key;
    buf_init(&key);
    for (size_t i = 0; i < length; i++) {
        size_t run = 0;
        while (i + run < length && name[i + run] == '_' && run < 3) {
            run++;
        }
        if (run == 0) {
            buf_add_char(&key, (char)tolower((unsigned char)name[i]));
            continue;
        }
        buf_add_char(&key, ".._-"[run]);
        i += run - 1;
    }
    return buf_take(&key);
}

static bool is_image_variable(const char *variable)
{
    for (size_t i = 0; i < N_ELEMENTS(image_variables); i++) {
        if (strncmp(variable, image_variables[i], strlen(image_variables[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void load_environment(char *const *environ_list, struct kvs *props)
{
    for (char *const *variable = environ_list; variable && *variable; variable++) {
        const char *equals = strchr(*variable, '=');
        if (strncmp(*variable, ENV_PREFIX, strlen(ENV_PREFIX)) != 0 || !equals ||
            is_image_variable(*variable)) {
            continue;
        }
        const char *name = *variable + strlen(ENV_PREFIX);
        if (equals > name) {
            CLEANUP(free_charp) char *key = key_of_variable(name, (size_t)(equals - name));
            kvs_set(props, key, equals + 1);
        }
    }
}

/* Topic names follow the group's name unless they are given. */
static void fill_topics(struct kvs *props)
{
    static const struct {
        const char *key;
        const char *ending;
    } topics[] = {
        { "config.storage.topic", "configs" },
        { "status.storage.topic", "status" },
        { "offset.storage.topic", "offsets" },
        { "claims.storage.topic", "claims" },
    };
    CLEANUP(free_charp) char *group = worker_config_text(props, "group.id");
    for (size_t i = 0; group && group[0] && i < N_ELEMENTS(topics); i++) {
        const char *given = kvs_get(props, topics[i].key);
        if (!given || !given[0]) {
            CLEANUP(free_charp) char *name = xasprintf("%s-%s", group, topics[i].ending);
            kvs_set(props, topics[i].key, name);
        }
    }
}

static void warn_unresolved(const struct providers *providers, const struct kvs *props)
{
    for (size_t i = 0; i < props->n_items; i++) {
        const struct kv *item = &props->items[i];
        if (providers_takes(item->key) && providers_refers(providers, item->value)) {
            log_warn(NULL, "CONFIG-PLACEHOLDER",
                     "key=\"%s\" reason=\"its placeholder stands for nothing and is taken as it is "
                     "written\"",
                     item->key);
        }
    }
}

/* Replaces placeholders by what they stand for, and keeps the secrets out of the log for good. */
static enum err resolve(struct kvs *props, struct error *reterr)
{
    CLEANUP(providers_freep) struct providers *providers = NULL;
    struct resolution resolution;
    enum err err = providers_new(props, &providers, reterr);
    err = err ? err : providers_resolve(providers, props, &resolution, reterr);
    if (err != ERR_OK) {
        return err;
    }
    kvs_copy(props, &resolution.config);
    if (resolution.n_missing > 0) {
        warn_unresolved(providers, props);
    }
    secrets_collect(props, props, &resolution.secrets);
    redact_publish(&resolution.secrets);
    resolution_fini(&resolution);
    return ERR_OK;
}

enum err worker_config_load(const char *path, char *const *environ_list, struct kvs *ret_props,
                            struct error *reterr)
{
    enum err err = path ? load_file(path, ret_props, reterr) : ERR_OK;
    if (err == ERR_OK) {
        load_environment(environ_list, ret_props);
        err = resolve(ret_props, reterr);
    }
    if (err == ERR_OK) {
        fill_topics(ret_props);
    }
    return err;
}

/* Whether b is a with one character changed, added, dropped, or two neighbours swapped. */
static bool one_edit_away(const char *a, const char *b)
{
    size_t na = strlen(a);
    size_t nb = strlen(b);
    size_t front = 0;
    while (front < na && front < nb && a[front] == b[front]) {
        front++;
    }
    size_t back = 0;
    while (back < na - front && back < nb - front && a[na - 1 - back] == b[nb - 1 - back]) {
        back++;
    }
    size_t left_a = na - front - back;
    size_t left_b = nb - front - back;
    bool swapped =
        left_a == 2 && left_b == 2 && a[front] == b[front + 1] && a[front + 1] == b[front];
    return (left_a <= 1 && left_b <= 1) || swapped;
}

static bool has_known_prefix(const char *key)
{
    for (size_t i = 0; i < N_ELEMENTS(prefixes); i++) {
        if (strncmp(key, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* The first known key that is one edit away, NULL if there is none. */
static const char *near_key(const char *key)
{
    const struct config_table *table = worker_config_table();
    for (size_t row = 0; row < table->n_rows; row++) {
        if (one_edit_away(key, table->rows[row].name)) {
            return table->rows[row].name;
        }
    }
    return NULL;
}

static void warn_unknown(const struct kvs *props)
{
    for (size_t i = 0; i < props->n_items; i++) {
        const char *key = props->items[i].key;
        if (config_find(worker_config_table(), key) || has_known_prefix(key)) {
            continue;
        }
        const char *near = near_key(key);
        if (near) {
            log_warn(NULL, "CONFIG-UNKNOWN-KEY", "key=\"%s\" mend=\"did you mean %s?\"", key, near);
        } else {
            log_warn(NULL, "CONFIG-UNKNOWN-KEY", "key=\"%s\" mend=\"it has no effect; remove it\"",
                     key);
        }
    }
}

/* What a row allows, for the end of an error line. */
static void add_mend(struct buf *text, const struct config_def *def)
{
    size_t length = strlen(def->name);
    size_t ending = strlen(TOPIC_ENDING);
    if (length > ending && strcmp(def->name + length - ending, TOPIC_ENDING) == 0) {
        buf_printf(text, " Set %s; without it the name is made from group.id.", def->name);
        return;
    }
    if (def->required) {
        buf_printf(text, " Set %s in the properties file, or " ENV_PREFIX, def->name);
        for (const char *p = def->name; *p; p++) {
            buf_add_char(text, (char)(*p == '.' ? '_' : toupper((unsigned char)*p)));
        }
        buf_add_text(text, " in the environment.");
    } else if (def->default_value && def->default_value[0]) {
        buf_printf(text, " Remove the line to get the default, %s.", def->default_value);
    }
}

/* Adds an error with at most MAX_SHOWN bytes of the value in it: the mend behind must fit. */
static void add_shortened(struct buf *text, const char *error, const char *value)
{
    const char *shown = value && strlen(value) > MAX_SHOWN ? strstr(error, value) : NULL;
    if (!shown) {
        buf_add_text(text, error);
        return;
    }
    buf_add(text, error, (size_t)(shown - error) + MAX_SHOWN);
    buf_printf(text, "...%s", shown + strlen(value));
}

static enum err first_error(const struct kvs *props, const struct config_result *result,
                            struct error *reterr)
{
    for (size_t i = 0; i < result->n_values; i++) {
        const struct config_value *value = &result->values[i];
        if (value->n_errors == 0) {
            continue;
        }
        struct buf text;
        buf_init(&text);
        const struct config_table row = { value->def, 1 };
        CLEANUP(free_charp) char *given = config_text(&row, props, value->name);
        add_shortened(&text, value->errors[0], given);
        if (text.length == 0 || text.data[text.length - 1] != '.') {
            buf_add_char(&text, '.');
        }
        add_mend(&text, value->def);
        (void)error_set(reterr, ERR_INVALID, "%s", buf_text(&text));
        buf_fini(&text);
        return ERR_INVALID;
    }
    return ERR_OK;
}

static enum err check_times(const struct kvs *props, struct error *reterr)
{
    int64_t session = worker_config_int(props, "session.timeout.ms");
    int64_t heartbeat = worker_config_int(props, "heartbeat.interval.ms");
    if (heartbeat * 3 > session) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %lld for configuration heartbeat.interval.ms: it must be at"
                         " most a third of session.timeout.ms (%lld). Lower it to %lld.",
                         (long long)heartbeat, (long long)session, (long long)(session / 3));
    }
    return ERR_OK;
}

/* The key before `keys[n]` whose value is the same, NULL if there is none. */
static const char *same_topic(const struct kvs *props, const char *const *keys, size_t n)
{
    const char *name = kvs_get(props, keys[n]);
    for (size_t i = 0; name && i < n; i++) {
        const char *other = kvs_get(props, keys[i]);
        if (other && strcmp(name, other) == 0) {
            return keys[i];
        }
    }
    return NULL;
}

static enum err check_topics(const struct kvs *props, struct error *reterr)
{
    static const char *const keys[] = { "config.storage.topic", "status.storage.topic",
                                        "offset.storage.topic", "claims.storage.topic" };
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        const char *other = same_topic(props, keys, i);
        if (other) {
            return error_set(reterr, ERR_INVALID,
                             "Invalid value %s for configuration %s: %s names the same topic."
                             " Give each its own.",
                             kvs_get(props, keys[i]), keys[i], other);
        }
    }
    return ERR_OK;
}

/* Whether the version is there that <key>.plugin.version asks for. */
static enum err check_plugin_version(const struct kvs *props, const char *key,
                                     enum plugin_kind kind, const char *class_name,
                                     struct error *reterr)
{
    CLEANUP(free_charp) char *version_key = xasprintf("%s.plugin.version", key);
    const char *wanted = kvs_get(props, version_key);
    struct plugin plugin;
    if (!wanted || !plugin_find(kind, class_name, &plugin)) {
        return ERR_OK;
    }
    bool matches = false;
    char *range = NULL;
    struct error error = { ERR_OK, "" };
    enum err err = version_range_match(wanted, plugin.version, &matches, &range, &error);
    CLEANUP(free_charp) char *shown = range;
    if (err == ERR_OK && !matches) {
        CLEANUP(free_charp)
        char *text = version_mismatch(plugin.class_name, shown, plugin.version);
        err = error_set(&error, ERR_INVALID, "%s", text);
    }
    return err == ERR_OK
               ? ERR_OK
               : error_set(reterr, err,
                           "Invalid value %s for configuration %s: %s; leave it out, or give %s",
                           wanted, version_key, error.text, plugin.version);
}

/* The keys behind a converter's own belong to its class: an instance tells what is wrong. */
static enum err check_converters(const struct kvs *props, struct error *reterr)
{
    static const struct {
        const char *key;
        enum plugin_kind kind;
    } places[] = { { "key.converter", PLUGIN_CONVERTER },
                   { "value.converter", PLUGIN_CONVERTER },
                   { "header.converter", PLUGIN_HEADER_CONVERTER } };
    enum err err = ERR_OK;
    for (size_t i = 0; i < N_ELEMENTS(places) && err == ERR_OK; i++) {
        const char *key = places[i].key;
        struct converter *converter = NULL;
        CLEANUP(free_charp) char *class_name = config_text(worker_config_table(), props, key);
        err = converter_open(NULL, props, key, class_name, &converter, reterr);
        converter_close(converter);
        err = err ? err : check_plugin_version(props, key, places[i].kind, class_name, reterr);
    }
    return err;
}

enum err worker_config_check(const struct kvs *props, struct error *reterr)
{
    struct config_result result;
    config_result_init(&result);
    config_validate(worker_config_table(), props, &result);
    enum err err = first_error(props, &result, reterr);
    config_result_fini(&result);
    if (err == ERR_OK) {
        err = check_times(props, reterr);
    }
    if (err == ERR_OK) {
        err = check_topics(props, reterr);
    }
    err = err ? err : providers_check(props, reterr);
    if (err == ERR_OK) {
        err = check_converters(props, reterr);
    }
    if (err == ERR_OK) {
        warn_unknown(props);
    }
    return err;
}
