/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of a config against its rows, in Kafka Connect's words. See config_def.h. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <strings.h>

#include "worker/base/config_def.h"
#include "worker/base/mem.h"

void config_result_init(struct config_result *result)
{
    *result = (struct config_result){ .values = NULL };
}

static void free_texts(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(texts[i]);
    }
    free(texts);
}

void config_result_fini(struct config_result *result)
{
    for (size_t i = 0; i < result->n_values; i++) {
        struct config_value *value = &result->values[i];
        free(value->name);
        free(value->value);
        free_texts(value->errors, value->n_errors);
        free_texts(value->recommended, value->n_recommended);
    }
    free(result->values);
    config_result_init(result);
}

struct config_value *config_result_find(struct config_result *result, const char *key)
{
    for (size_t i = 0; i < result->n_values; i++) {
        if (strcmp(result->values[i].name, key) == 0) {
            return &result->values[i];
        }
    }
    return NULL;
}

struct config_value *config_result_add(struct config_result *result, const char *key,
                                       const struct config_def *def, const char *value)
{
    struct config_value *entry = config_result_find(result, key);
    if (entry) {
        return entry;
    }
    if (result->n_values == result->size) {
        result->size = result->size ? result->size * 2 : 64;
        result->values = xrealloc(result->values, result->size * sizeof(*result->values));
    }
    entry = &result->values[result->n_values++];
    *entry = (struct config_value){
        .def = def,
        .name = xstrdup(key),
        .value = value ? xstrdup(value) : NULL,
    };
    return entry;
}

static void add_text(char ***texts, size_t *n, char *owned)
{
    *texts = xrealloc(*texts, (*n + 1) * sizeof(**texts));
    (*texts)[(*n)++] = owned;
}

void config_value_error(struct config_value *value, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int n = vasprintf(&text, format, args);
    va_end(args);
    ASSERT(n >= 0);
    add_text(&value->errors, &value->n_errors, text);
}

void config_value_recommend(struct config_value *value, const char *text)
{
    add_text(&value->recommended, &value->n_recommended, xstrdup(text));
}

size_t config_result_errors(const struct config_result *result)
{
    size_t n = 0;
    for (size_t i = 0; i < result->n_values; i++) {
        n += result->values[i].n_errors;
    }
    return n;
}

static void invalid(struct config_value *entry, const char *shown, const char *reason)
{
    config_value_error(entry, "Invalid value %s for configuration %s: %s", shown, entry->name,
                       reason);
}

static bool parse_whole(const char *text, long long *ret_number)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (text[0] == '\0' || *end != '\0' || errno != 0) {
        return false;
    }
    *ret_number = number;
    return true;
}

static bool fits(enum config_type type, long long number)
{
    switch (type) {
    case CONFIG_INT:
        return number >= INT_MIN && number <= INT_MAX;
    case CONFIG_SHORT:
        return number >= SHRT_MIN && number <= SHRT_MAX;
    case CONFIG_LONG:
    case CONFIG_BOOLEAN:
    case CONFIG_STRING:
    case CONFIG_DOUBLE:
    case CONFIG_LIST:
    case CONFIG_CLASS:
    case CONFIG_PASSWORD:
        return true;
    }
    return false;
}

static void check_range(struct config_value *entry, const char *text, long long number)
{
    const struct config_def *def = entry->def;
    char reason[80];
    if (def->has_min && number < def->min) {
        (void)snprintf(reason, sizeof(reason), "Value must be at least %lld", (long long)def->min);
        invalid(entry, text, reason);
    } else if (def->has_max && number > def->max) {
        (void)snprintf(reason, sizeof(reason), "Value must be no more than %lld",
                       (long long)def->max);
        invalid(entry, text, reason);
    }
}

static void check_whole(struct config_value *entry, const char *text)
{
    const struct config_def *def = entry->def;
    long long number = 0;
    if (parse_whole(text, &number) && fits(def->type, number)) {
        check_range(entry, text, number);
        return;
    }
    char reason[80];
    (void)snprintf(reason, sizeof(reason), "Not a number of type %s", config_type_name(def->type));
    invalid(entry, text, reason);
    /* As in Connect, the range check then meets a null. */
    if (def->has_min || def->has_max) {
        invalid(entry, "null", "Value must be non-null");
    }
}

static void check_double(struct config_value *entry, const char *text)
{
    char *end = NULL;
    (void)strtod(text, &end);
    if (text[0] == '\0' || *end != '\0') {
        invalid(entry, text, "Not a number of type DOUBLE");
    }
}

static bool value_allowed(const struct config_def *def, const char *text)
{
    for (const char *const *value = def->values; *value; value++) {
        bool same = def->compare == CONFIG_ANY_CASE ? strcasecmp(*value, text) == 0
                                                    : strcmp(*value, text) == 0;
        if (same) {
            return true;
        }
    }
    return false;
}

static void check_allowed(struct config_value *entry, const char *text)
{
    const struct config_def *def = entry->def;
    if (value_allowed(def, text)) {
        return;
    }
    struct buf reason;
    buf_init(&reason);
    buf_printf(&reason, "String must be one of%s: ",
               def->compare == CONFIG_ANY_CASE ? " (case insensitive)" : "");
    for (const char *const *value = def->values; *value; value++) {
        buf_printf(&reason, "%s%s", value == def->values ? "" : ", ", *value);
    }
    invalid(entry, text, buf_text(&reason));
    buf_fini(&reason);
}

static void check_type(struct config_value *entry, const char *text)
{
    switch (entry->def->type) {
    case CONFIG_INT:
    case CONFIG_SHORT:
    case CONFIG_LONG:
        check_whole(entry, text);
        break;
    case CONFIG_DOUBLE:
        check_double(entry, text);
        break;
    case CONFIG_BOOLEAN:
        if (strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0) {
            invalid(entry, text, "Expected value to be either true or false");
        }
        break;
    case CONFIG_STRING:
    case CONFIG_LIST:
    case CONFIG_CLASS:
    case CONFIG_PASSWORD:
        break;
    }
}

/* A password is never quoted in an error. */
static const char *shown_value(const struct config_def *def, const char *text)
{
    return def->type == CONFIG_PASSWORD ? "[hidden]" : text;
}

static void check_value(struct config_value *entry, const char *text)
{
    const struct config_def *def = entry->def;
    check_type(entry, text);
    if (entry->n_errors > 0) {
        return;
    }
    if (def->non_empty && text[0] == '\0') {
        invalid(entry, "", "String must be non-empty");
        return;
    }
    if (def->values) {
        check_allowed(entry, text);
    }
    struct error reason = { ERR_OK, "" };
    if (entry->n_errors == 0 && def->check && def->check(text, &reason) != ERR_OK) {
        invalid(entry, shown_value(def, text), reason.text);
    }
}

/* Lists are shown with plain commas. */
static char *normalised(const struct config_def *def, char *text)
{
    if (!text || def->type != CONFIG_LIST) {
        return text;
    }
    struct config_list list;
    config_list_split(text, &list);
    struct buf joined;
    buf_init(&joined);
    for (size_t i = 0; i < list.n_items; i++) {
        buf_printf(&joined, "%s%s", i == 0 ? "" : ",", list.items[i]);
    }
    config_list_fini(&list);
    free(text);
    return buf_take(&joined);
}

/* Whether the key or an alias of it is given as JSON null. */
static bool given_as_null(const struct config_def *def, const struct kvs *config)
{
    return kvs_has(config, def->name) && !kvs_get(config, def->name);
}

void config_validate(const struct config_table *table, const struct kvs *config,
                     struct config_result *result)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct config_def *def = &table->rows[i];
        char *text = config_text(table, config, def->name);
        struct config_value *entry = config_result_add(result, def->name, def, NULL);
        if (!text && def->required) {
            config_value_error(entry,
                               "Missing required configuration \"%s\" which has no default value.",
                               def->name);
        } else if (text) {
            check_value(entry, text);
        }
        if (given_as_null(def, config)) {
            config_value_error(entry, "Null value can not be supplied as the configuration value.");
        }
        free(entry->value);
        entry->value = normalised(def, text);
    }
}
