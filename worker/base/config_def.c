/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration rows: look-up, parsing and the reference table. See config_def.h; the checks are
 * in config_check.c. */
#include "worker/base/config_def.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <strings.h>

#include "worker/base/mem.h"

static const char *const type_names[] = { "BOOLEAN", "STRING", "INT",   "SHORT",   "LONG",
                                          "DOUBLE",  "LIST",   "CLASS", "PASSWORD" };
static const char *const importance_names[] = { "HIGH", "MEDIUM", "LOW" };
static const char *const width_names[] = { "NONE", "SHORT", "MEDIUM", "LONG" };

const char *config_type_name(enum config_type type)
{
    return type_names[type];
}

const char *config_importance_name(enum config_importance importance)
{
    return importance_names[importance];
}

const char *config_width_name(enum config_width width)
{
    return width_names[width];
}

const char *config_cost_name(enum config_cost cost)
{
    static const char *const names[] = {
#define X(name, meaning) #name,
        CONFIG_COSTS(X)
#undef X
    };
    return names[cost];
}

const char *config_cost_text(enum config_cost cost)
{
    static const char *const texts[] = {
#define X(name, meaning) meaning,
        CONFIG_COSTS(X)
#undef X
    };
    return texts[cost];
}

static bool is_alias(const struct config_def *def, const char *key)
{
    for (const char *const *alias = def->aliases; alias && *alias; alias++) {
        if (strcmp(*alias, key) == 0) {
            return true;
        }
    }
    return false;
}

const struct config_def *config_find(const struct config_table *table, const char *key)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        if (strcmp(table->rows[i].name, key) == 0 || is_alias(&table->rows[i], key)) {
            return &table->rows[i];
        }
    }
    return NULL;
}

/* The value given for a row under its own name or an alias, NULL if none. */
static const char *given_value(const struct config_def *def, const struct kvs *config)
{
    const char *value = kvs_get(config, def->name);
    for (const char *const *alias = def->aliases; !value && alias && *alias; alias++) {
        value = kvs_get(config, *alias);
    }
    return value;
}

bool config_parse_whole(const char *text, int64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    long long number = text ? strtoll(text, &end, 10) : 0;
    if (!text || end == text || *end != '\0' || errno != 0) {
        return false;
    }
    *ret_number = number;
    return true;
}

bool config_parse_double(const char *text, double *ret_number)
{
    char *end = NULL;
    double number = text ? strtod(text, &end) : 0;
    if (!text || end == text || *end != '\0' || !isfinite(number)) {
        return false;
    }
    *ret_number = number;
    return true;
}

bool config_parse_bool(const char *text, bool *ret_value)
{
    bool yes = text && strcasecmp(text, "true") == 0;
    if (!yes && (!text || strcasecmp(text, "false") != 0)) {
        return false;
    }
    *ret_value = yes;
    return true;
}

static char *trimmed(const char *text)
{
    while (isspace((unsigned char)*text)) {
        text++;
    }
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1])) {
        length--;
    }
    return xstrndup(text, length);
}

char *config_text(const struct config_table *table, const struct kvs *config, const char *key)
{
    const struct config_def *def = config_find(table, key);
    ASSERT(def != NULL);
    const char *value = given_value(def, config);
    CLEANUP(free_charp) char *derived = !value && def->derive ? def->derive(config) : NULL;
    value = derived ? derived : value;
    value = value ? value : def->default_value;
    return value ? trimmed(value) : NULL;
}

static const char *default_of(const struct config_table *table, const char *key)
{
    return config_find(table, key)->default_value;
}

int64_t config_int(const struct config_table *table, const struct kvs *config, const char *key)
{
    CLEANUP(free_charp) char *text = config_text(table, config, key);
    int64_t number = 0;
    if (!config_parse_whole(text, &number)) {
        (void)config_parse_whole(default_of(table, key), &number);
    }
    return number;
}

bool config_bool(const struct config_table *table, const struct kvs *config, const char *key)
{
    CLEANUP(free_charp) char *text = config_text(table, config, key);
    bool value = false;
    if (!config_parse_bool(text, &value)) {
        (void)config_parse_bool(default_of(table, key), &value);
    }
    return value;
}

double config_double(const struct config_table *table, const struct kvs *config, const char *key)
{
    CLEANUP(free_charp) char *text = config_text(table, config, key);
    double number = 0;
    if (!config_parse_double(text, &number)) {
        (void)config_parse_double(default_of(table, key), &number);
    }
    return number;
}

void config_list_split(const char *text, struct config_list *ret_list)
{
    *ret_list = (struct config_list){ NULL, 0 };
    CLEANUP(free_charp) char *copy = trimmed(text);
    if (copy[0] == '\0') {
        return;
    }
    char *rest = copy;
    for (char *item = strsep(&rest, ","); item; item = strsep(&rest, ",")) {
        size_t n = ret_list->n_items + 1;
        ret_list->items = xrealloc(ret_list->items, n * sizeof(*ret_list->items));
        ret_list->items[ret_list->n_items++] = trimmed(item);
    }
}

void config_list(const struct config_table *table, const struct kvs *config, const char *key,
                 struct config_list *ret_list)
{
    CLEANUP(free_charp) char *text = config_text(table, config, key);
    config_list_split(text ? text : "", ret_list);
}

void config_list_fini(struct config_list *list)
{
    for (size_t i = 0; i < list->n_items; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct config_list){ NULL, 0 };
}

/* A pipe would end the cell of a Markdown table. */
static void add_cell(struct buf *buf, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '|') {
            buf_add_char(buf, '\\');
        }
        buf_add_char(buf, *p);
    }
}

static void add_allowed(struct buf *buf, const struct config_def *def)
{
    if (def->values) {
        for (const char *const *value = def->values; *value; value++) {
            buf_printf(buf, "%s`%s`", value == def->values ? "" : ", ", *value);
        }
    } else if (def->has_min && def->has_max) {
        buf_printf(buf, "%lld to %lld", (long long)def->min, (long long)def->max);
    } else if (def->has_min) {
        buf_printf(buf, "at least %lld", (long long)def->min);
    } else if (def->has_max) {
        buf_printf(buf, "at most %lld", (long long)def->max);
    }
}

void config_reference(const struct config_table *table, struct buf *buf)
{
    buf_add_text(buf, "| key | type | default | allowed | meaning |\n"
                      "| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct config_def *def = &table->rows[i];
        buf_printf(buf, "| `%s` | %s | ", def->name, config_type_name(def->type));
        if (def->required) {
            buf_add_text(buf, "required");
        } else if (def->default_value && def->default_value[0]) {
            buf_add_char(buf, '`');
            add_cell(buf, def->default_value);
            buf_add_char(buf, '`');
        }
        buf_add_text(buf, " | ");
        add_allowed(buf, def);
        buf_add_text(buf, " | ");
        add_cell(buf, def->doc);
        for (const char *const *alias = def->aliases; alias && *alias; alias++) {
            buf_printf(buf, "%s`%s`", alias == def->aliases ? " Also: " : ", ", *alias);
        }
        buf_add_text(buf, " |\n");
    }
}
