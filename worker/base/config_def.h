/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Definitions of configuration keys, Kafka Connect's ConfigDef in C: one row per key. Parsing,
 * validation with Connect's texts, REST definitions, --help and the generated reference all come
 * from the same rows. Rows are const and may be read by any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/base/buf.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"

/* The names are Connect's; config_type_name gives them. */
enum config_type {
    CONFIG_BOOLEAN,
    CONFIG_STRING,
    CONFIG_INT,
    CONFIG_SHORT,
    CONFIG_LONG,
    CONFIG_DOUBLE,
    CONFIG_LIST,
    CONFIG_CLASS,
    CONFIG_PASSWORD,
};

enum config_importance {
    CONFIG_HIGH,
    CONFIG_MEDIUM,
    CONFIG_LOW
};
enum config_width {
    CONFIG_WIDTH_NONE,
    CONFIG_WIDTH_SHORT,
    CONFIG_WIDTH_MEDIUM,
    CONFIG_WIDTH_LONG
};

/* How the allowed values of a row are compared. */
enum config_values {
    CONFIG_EXACT,
    CONFIG_ANY_CASE
};

/* What a change of a key costs a task that runs; the dearest first, which is what a row that says
 * nothing stands for. X(name, its bit's meaning for users) */
#define CONFIG_COSTS(X)                                                                            \
    X(RESTART, "the task is stopped and started again")                                            \
    X(RECONNECT, "the window in flight is finished, then the task connects anew; its MQTT "        \
                 "sessions stay")                                                                  \
    X(SUBSCRIPTIONS, "subscribes and unsubscribes on the connections that stand")                  \
    X(PIPELINE, "the window in flight is finished the old way, what follows goes the new way; "    \
                "the connections stay")                                                            \
    X(NOTHING, "nothing is interrupted")

enum config_cost {
#define X(name, meaning) CONFIG_COST_##name,
    CONFIG_COSTS(X)
#undef X
    CONFIG_COST_N
};

/* Costs as a set. */
#define CONFIG_COST_BIT(name) (1U << CONFIG_COST_##name)

struct config_def {
    const char *name;
    enum config_type type;
    bool required;             /* no default: must be given */
    const char *default_value; /* text as a user would write it; NULL: null */
    bool has_min;
    bool has_max;
    int64_t min;
    int64_t max;
    const char *word;           /* taken in place of a number; NULL: none */
    bool non_empty;             /* an empty text or list is an error */
    const char *const *values;  /* allowed texts, NULL-terminated; NULL: any */
    enum config_values compare; /* for values */
    /* A further check of a value that parsed (never NULL or a wrong type): returns ERR_OK, or sets
     * only the reason ("must not contain ..."); the standard words are put before it. */
    enum err (*check)(const char *value, struct error *reterr);
    const char *const *aliases; /* other names that mean this key, NULL-terminated; or NULL */
    /* The value that other keys of a config give this one when it is not there under any of its
     * names; owned; NULL: they say nothing. NULL instead of a function: none do. */
    char *(*derive)(const struct kvs *config);
    enum config_cost cost; /* of a change, in the tables of connectors */
    enum config_importance importance;
    const char *group; /* NULL: null */
    int order;         /* within the group; -1: unordered */
    enum config_width width;
    const char *display_name; /* NULL: the name */
    const char *doc;
};

/* A table of rows. */
struct config_table {
    const struct config_def *rows;
    size_t n_rows;
};

#define CONFIG_TABLE(array)                                                                        \
    {                                                                                              \
        (array), sizeof(array) / sizeof((array)[0])                                                \
    }

/* config_parse_whole, config_parse_double and config_parse_bool read a whole trimmed text as a
 * number or truth value; false (nothing is written) when it is none, does not fit, or is NULL. */
bool config_parse_whole(const char *text, int64_t *ret_number);
bool config_parse_double(const char *text, double *ret_number);
bool config_parse_bool(const char *text, bool *ret_value);

/* config_find returns the row of key or of an alias of it, NULL if there is none. */
const struct config_def *config_find(const struct config_table *table, const char *key);
/* config_text returns the trimmed text that holds for key (a row's name; ASSERTs that the row
 * exists): the config's value under its name or an alias, else what derive makes of it, else the
 * default; NULL for null. Owned.
 */
char *config_text(const struct config_table *table, const struct kvs *config, const char *key);
/* config_int, config_bool, config_double return the parsed value of a config that was validated;
 * the default when the value is unusable all the same; 0 or false for null. */
int64_t config_int(const struct config_table *table, const struct kvs *config, const char *key);
bool config_bool(const struct config_table *table, const struct kvs *config, const char *key);
double config_double(const struct config_table *table, const struct kvs *config, const char *key);

/* A list value split at commas and trimmed. */
struct config_list {
    char **items;
    size_t n_items;
};

/* config_list reads the list of key; config_list_split splits any text. Release with
 * config_list_fini. */
void config_list(const struct config_table *table, const struct kvs *config, const char *key,
                 struct config_list *ret_list);
void config_list_split(const char *text, struct config_list *ret_list);
void config_list_fini(struct config_list *list);

/* Names as Connect's REST answers write them. */
const char *config_type_name(enum config_type type);
const char *config_importance_name(enum config_importance importance);
const char *config_width_name(enum config_width width);
/* config_cost_name returns e.g. "RECONNECT"; config_cost_text what that means, for people. */
const char *config_cost_name(enum config_cost cost);
const char *config_cost_text(enum config_cost cost);

/* config_reference appends the rows to buf as a Markdown table: name, type, default, allowed
 * values, meaning. */
void config_reference(const struct config_table *table, struct buf *buf);
