/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outcome of checking a config against rows of definitions: one entry for each key, with its
 * value as Connect shows it, and what is wrong with it in Connect's words. Thread: the owner's.
 */
#pragma once

#include "worker/base/config_def.h"

/* A definition that was made while validating; owns what differs from the row it was made from. */
struct config_made {
    struct config_def def;
    char *name;
    char *group;
    char *display_name;
    char *default_value;
};

/* One key of a validated config. */
struct config_value {
    const struct config_def *def; /* NULL: a value without a definition */
    struct config_made *made;     /* NULL, or what def points into */
    char *name;
    /* What errors call it: with or without the prefix of the plug-in that it belongs to. */
    const char *parse_name; /* of what does not parse, or is missing */
    const char *check_name; /* of what parses, and is not allowed */
    bool hidden;            /* not visible: it means nothing beside the other values */
    char *value;   /* normalised as validate shows it: "true", list joined with ","; NULL: null, or
                    * what was given is none of its type */
    char **errors; /* n_errors owned texts in Connect's words */
    size_t n_errors;
    char **recommended; /* n_recommended owned texts */
    size_t n_recommended;
};

/* The outcome of a validation, in the order in which Connect lists keys. */
struct config_result {
    struct config_value *values;
    size_t n_values;
    size_t size;
};

void config_result_init(struct config_result *result);
void config_result_fini(struct config_result *result);
/* config_result_find returns the value of key, NULL if it is not listed. Borrowed until the next
 * change of the result. */
struct config_value *config_result_find(struct config_result *result, const char *key);
/* config_result_add lists key (copied) with a value (copied, may be NULL) and returns its entry;
 * an entry that is there already is returned as it is. */
struct config_value *config_result_add(struct config_result *result, const char *key,
                                       const struct config_def *def, const char *value);
/* config_value_define gives an entry a definition of its own, made from def: `group` and
 * `display_name` (copied; NULL: def's) and order take the place of def's. */
void config_value_define(struct config_value *value, const struct config_def *def,
                         const char *group, const char *display_name, int order);
/* config_value_default replaces the default that an entry's definition shows; NULL: null. */
void config_value_default(struct config_value *value, const char *text);
/* config_value_set replaces the value (copied, may be NULL). */
void config_value_set(struct config_value *value, const char *text);
/* config_value_error adds an error text to an entry. */
void config_value_error(struct config_value *value, const char *format, ...) PRINTF_LIKE(2, 3);
/* config_value_recommend adds a recommended value to an entry. */
void config_value_recommend(struct config_value *value, const char *text);
/* config_result_sort moves entries of which is_first is true to the front; it is stable. */
void config_result_sort(struct config_result *result,
                        bool (*is_first)(const struct config_value *value));
/* config_result_errors counts the error texts of all entries. */
size_t config_result_errors(const struct config_result *result);

/* config_validate checks `config` against each row and adds one entry per row to result, with
 * errors in Connect's texts ("Invalid value x for configuration k: Not a number of type INT",
 * "Missing required configuration "k" which has no default value."). Unknown keys are no error. */
void config_validate(const struct config_table *table, const struct kvs *config,
                     struct config_result *result);

/* Where the rows of a plug-in stand in a connector config: "transforms.a." and its group. */
struct config_place {
    const char *prefix;
    const char *group; /* NULL: the rows' own groups and orders */
    bool apart;        /* the plug-in's config is checked on its own: no error has the prefix */
};

/* config_embed checks one row as config_validate does, for a plug-in that is configured in another
 * one's config: `config` has its keys without prefix, the entry's name has it. Returns the entry.
 */
struct config_value *config_embed(const struct config_def *def, const struct kvs *config,
                                  const struct config_place *place, int order,
                                  struct config_result *result);
