/* SPDX-License-Identifier: Apache-2.0 */
/* What transforms share. Thread: the chain's. */
#pragma once

#include "worker/transform.h"

/* The row of `replace.null.with.default`, which most transforms have. */
#define NULL_DEFAULT_KEY "replace.null.with.default"
#define NULL_DEFAULT_ROW                                                                           \
    {                                                                                              \
        .name = NULL_DEFAULT_KEY, .type = CONFIG_BOOLEAN, .default_value = "true",                 \
        .importance = CONFIG_MEDIUM, .order = -1,                                                  \
        .doc = "Takes the default of a field's schema where the field is null."                    \
    }

/* The row of a list that has to be given and must not be empty. */
#define FILLED_LIST_ROW(key, what)                                                                 \
    {                                                                                              \
        .name = key, .type = CONFIG_LIST, .required = true, .check = check_filled,                 \
        .importance = CONFIG_HIGH, .order = -1, .doc = what                                        \
    }

/* check_filled is a row's check: a list with nothing in it is refused. */
enum err check_filled(const char *value, struct error *reterr);
/* require_struct, require_map: ERR_INVALID with Connect's text when value is none. purpose is the
 * one that Connect names. */
enum err require_struct(const struct value *value, const char *purpose,
                        struct error *reterr) MUST_CHECK;
enum err require_map(const struct value *value, const char *purpose,
                     struct error *reterr) MUST_CHECK;
/* list_has tells whether a list has that text. */
bool list_has(const struct config_list *list, const char *text);
/* map_with returns a copy of a map in which name (a constant or in the arena) stands for value;
 * map_without one without that name. */
struct value map_with(struct arena *arena, const struct value *map, const char *name,
                      const struct value *value);
struct value map_without(struct arena *arena, const struct value *map,
                         const struct config_list *names);
/* entry_name returns the key of a map's entry as a text with a NUL, NULL if it is no string. */
const char *entry_name(struct arena *arena, const struct value_entry *entry);
/* null_value returns a null without a schema. */
struct value null_value(void);
/* add_header puts a header behind the others; ERR_TOO_LARGE when there are too many. */
enum err add_header(struct connect_record *record, const char *name, const struct value *value,
                    struct error *reterr) MUST_CHECK;
