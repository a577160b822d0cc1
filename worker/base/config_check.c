/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of a config against its rows, in Kafka Connect's words. See config_def.h. */
#include <limits.h>
#include <stdarg.h>
#include <strings.h>

#include "worker/base/config_def.h"
#include "worker/base/config_result.h"
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

static void made_free(struct config_made *made)
{
    if (made) {
        free(made->name);
        free(made->group);
        free(made->display_name);
        free(made->default_value);
        free(made);
    }
}

void config_result_fini(struct config_result *result)
{
    for (size_t i = 0; i < result->n_values; i++) {
        struct config_value *value = &result->values[i];
        free(value->name);
        free(value->value);
        made_free(value->made);
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
    entry->parse_name = entry->name;
    entry->check_name = entry->name;
    return entry;
}

void config_value_define(struct config_value *value, const struct config_def *def,
                         const char *group, const char *display_name, int order)
{
    struct config_made *made = xcalloc(1, sizeof(*made));
    made->def = *def;
    made->def.name = made->name = xstrdup(value->name);
    made->def.order = order;
    if (group) {
        made->def.group = made->group = xstrdup(group);
    }
    if (display_name) {
        made->def.display_name = made->display_name = xstrdup(display_name);
    }
    made_free(value->made);
    value->made = made;
    value->def = &made->def;
}

void config_value_default(struct config_value *value, const char *text)
{
    if (!value->made) {
        config_value_define(value, value->def, NULL, NULL, value->def->order);
    }
    free(value->made->default_value);
    value->made->default_value = text ? xstrdup(text) : NULL;
    value->made->def.default_value = value->made->default_value;
}

void config_value_set(struct config_value *value, const char *text)
{
    char *copy = text ? xstrdup(text) : NULL;
    free(value->value);
    value->value = copy;
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

void config_result_sort(struct config_result *result,
                        bool (*is_first)(const struct config_value *value))
{
    struct config_value *sorted = xcalloc(result->n_values + 1, sizeof(*sorted));
    size_t n = 0;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < result->n_values; i++) {
            if (is_first(&result->values[i]) == (round == 0)) {
                sorted[n++] = result->values[i];
            }
        }
    }
    free(result->values);
    result->values = sorted;
    result->size = result->n_values + 1;
}

size_t config_result_errors(const struct config_result *result)
{
    size_t n = 0;
    for (size_t i = 0; i < result->n_values; i++) {
        n += result->values[i].n_errors;
    }
    return n;
}

/* What does not parse. */
static void unparsed(struct config_value *entry, const char *shown, const char *reason)
{
    config_value_error(entry, "Invalid value %s for configuration %s: %s", shown, entry->parse_name,
                       reason);
}

/* What parses, and is not allowed. */
static void invalid(struct config_value *entry, const char *shown, const char *reason)
{
    config_value_error(entry, "Invalid value %s for configuration %s: %s", shown, entry->check_name,
                       reason);
}

static bool fits(enum config_type type, int64_t number)
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

/* A long double holds every int64_t. */
static void check_range(struct config_value *entry, const char *text, long double number)
{
    const struct config_def *def = entry->def;
    char reason[80];
    if (def->has_min && number < (long double)def->min) {
        (void)snprintf(reason, sizeof(reason), "Value must be at least %lld", (long long)def->min);
        invalid(entry, text, reason);
    } else if (def->has_max && number > (long double)def->max) {
        (void)snprintf(reason, sizeof(reason), "Value must be no more than %lld",
                       (long long)def->max);
        invalid(entry, text, reason);
    }
}

static bool parse_number(enum config_type type, const char *text, long double *ret_number)
{
    double real = 0;
    if (type == CONFIG_DOUBLE && !config_parse_double(text, &real)) {
        return false;
    }
    if (type == CONFIG_DOUBLE) {
        *ret_number = (long double)real;
        return true;
    }
    int64_t whole = 0;
    if (!config_parse_whole(text, &whole) || !fits(type, whole)) {
        return false;
    }
    *ret_number = (long double)whole;
    return true;
}

/* As in Connect, the range check meets a null when there is no number; a key whose default is null
 * bears it. */
static void check_null_range(struct config_value *entry)
{
    bool bears_null = !entry->def->required && !entry->def->default_value;
    if ((entry->def->has_min || entry->def->has_max) && !bears_null) {
        invalid(entry, "null", "Value must be non-null");
    }
}

static void check_number(struct config_value *entry, const char *text)
{
    const struct config_def *def = entry->def;
    long double number = 0;
    if (def->word && strcmp(def->word, text) == 0) {
        return;
    }
    if (parse_number(def->type, text, &number)) {
        check_range(entry, text, number);
        return;
    }
    char reason[80];
    (void)snprintf(reason, sizeof(reason), "Not a number of type %s", config_type_name(def->type));
    unparsed(entry, text, reason);
    check_null_range(entry);
}

/* A list as Java writes it: [a, b]. */
static char *shown_list(const char *text)
{
    struct config_list list;
    config_list_split(text, &list);
    struct buf shown;
    buf_init(&shown);
    for (size_t i = 0; i < list.n_items; i++) {
        buf_printf(&shown, "%s%s", i == 0 ? "[" : ", ", list.items[i]);
    }
    buf_add_text(&shown, list.n_items == 0 ? "[]" : "]");
    config_list_fini(&list);
    return buf_take(&shown);
}

/* A password is never quoted in an error. */
static const char *shown_value(const struct config_def *def, const char *text)
{
    return def->type == CONFIG_PASSWORD ? "[hidden]" : text;
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

/* text is NULL for a null. */
static void check_allowed(struct config_value *entry, const char *text)
{
    const struct config_def *def = entry->def;
    if (text && value_allowed(def, text)) {
        return;
    }
    struct buf reason;
    buf_init(&reason);
    buf_printf(&reason, "String must be one of%s: ",
               def->compare == CONFIG_ANY_CASE ? " (case insensitive)" : "");
    for (const char *const *value = def->values; *value; value++) {
        buf_printf(&reason, "%s%s", value == def->values ? "" : ", ", *value);
    }
    invalid(entry, text ? shown_value(def, text) : "null", buf_text(&reason));
    buf_fini(&reason);
}

static void check_type(struct config_value *entry, const char *text)
{
    bool truth = false;
    switch (entry->def->type) {
    case CONFIG_INT:
    case CONFIG_SHORT:
    case CONFIG_LONG:
    case CONFIG_DOUBLE:
        check_number(entry, text);
        break;
    case CONFIG_BOOLEAN:
        if (!config_parse_bool(text, &truth)) {
            unparsed(entry, text, "Expected value to be either true or false");
        }
        break;
    case CONFIG_STRING:
    case CONFIG_LIST:
    case CONFIG_CLASS:
    case CONFIG_PASSWORD:
        break;
    }
}

static void check_empty(struct config_value *entry)
{
    if (entry->def->type == CONFIG_LIST) {
        invalid(entry, "[]", "Empty list");
    } else {
        invalid(entry, "", "String must be non-empty");
    }
}

static void check_value(struct config_value *entry, const char *text)
{
    const struct config_def *def = entry->def;
    check_type(entry, text);
    if (entry->n_errors > 0) {
        return;
    }
    if (def->non_empty && text[0] == '\0') {
        check_empty(entry);
        return;
    }
    if (def->values) {
        check_allowed(entry, text);
    }
    struct error reason = { ERR_OK, "" };
    if (entry->n_errors == 0 && def->check && def->check(text, &reason) != ERR_OK) {
        CLEANUP(free_charp) char *list = def->type == CONFIG_LIST ? shown_list(text) : NULL;
        invalid(entry, list ? list : shown_value(def, text), reason.text);
    }
}

/* Lists are shown with plain commas. */
static char *joined_list(const char *text)
{
    struct config_list list;
    config_list_split(text, &list);
    struct buf joined;
    buf_init(&joined);
    for (size_t i = 0; i < list.n_items; i++) {
        buf_printf(&joined, "%s%s", i == 0 ? "" : ",", list.items[i]);
    }
    config_list_fini(&list);
    return buf_take(&joined);
}

static char *shown_whole(const struct config_def *def, const char *text)
{
    int64_t number = 0;
    bool good = config_parse_whole(text, &number) && fits(def->type, number);
    return good ? xasprintf("%lld", (long long)number) : NULL;
}

/* The value as it is shown: as the type prints it, NULL when the text is none of the type. */
static char *normalised(const struct config_def *def, const char *text)
{
    bool truth = false;
    double real = 0;
    switch (def->type) {
    case CONFIG_LIST:
        return joined_list(text);
    case CONFIG_BOOLEAN:
        return config_parse_bool(text, &truth) ? xstrdup(truth ? "true" : "false") : NULL;
    case CONFIG_INT:
    case CONFIG_SHORT:
    case CONFIG_LONG:
        return shown_whole(def, text);
    case CONFIG_DOUBLE:
        return config_parse_double(text, &real) ? xstrdup(text) : NULL;
    case CONFIG_STRING:
    case CONFIG_CLASS:
    case CONFIG_PASSWORD:
        break;
    }
    return xstrdup(text);
}

/* Whether the key or an alias of it is given, and only as JSON null. */
static bool given_as_null(const struct config_def *def, const struct kvs *config)
{
    bool given = kvs_has(config, def->name);
    const char *value = kvs_get(config, def->name);
    for (const char *const *alias = def->aliases; alias && *alias; alias++) {
        given = given || kvs_has(config, *alias);
        value = value ? value : kvs_get(config, *alias);
    }
    return given && !value;
}

/* A null does not stand for the default: the checks of Connect's rows meet it as a value. */
static void check_null(struct config_value *entry)
{
    check_null_range(entry);
    if (entry->def->values) {
        check_allowed(entry, NULL);
    }
    config_value_error(entry, "Null value can not be supplied as the configuration value.");
}

static void validate_row(const struct config_def *def, const struct kvs *config,
                         struct config_value *entry)
{
    if (given_as_null(def, config)) {
        check_null(entry);
        return;
    }
    const struct config_table row = { def, 1 };
    CLEANUP(free_charp) char *text = config_text(&row, config, def->name);
    if (!text && def->required) {
        config_value_error(entry,
                           "Missing required configuration \"%s\" which has no default value.",
                           entry->parse_name);
    } else if (text) {
        check_value(entry, text);
        free(entry->value);
        entry->value = normalised(def, text);
    }
}

void config_validate(const struct config_table *table, const struct kvs *config,
                     struct config_result *result)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct config_def *def = &table->rows[i];
        validate_row(def, config, config_result_add(result, def->name, def, NULL));
    }
}

struct config_value *config_embed(const struct config_def *def, const struct kvs *config,
                                  const struct config_place *place, int order,
                                  struct config_result *result)
{
    CLEANUP(free_charp) char *name = xasprintf("%s%s", place->prefix, def->name);
    struct config_value *entry = config_result_add(result, name, NULL, NULL);
    entry->check_name = entry->name + strlen(place->prefix);
    entry->parse_name = place->apart ? entry->check_name : entry->name;
    const char *display_name = def->display_name ? def->display_name : def->name;
    config_value_define(entry, def, place->group, display_name, place->group ? order : def->order);
    validate_row(def, config, entry);
    return entry;
}
