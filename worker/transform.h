/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single message transforms and predicates: a chain applied to each record between connector and
 * converters. One row per class in transform/transforms.c and transform/predicates.c. A chain
 * belongs to one task's thread; patterns and formats are compiled when it is opened.
 */
#pragma once

#include "worker/base/config_def.h"
#include "worker/base/err.h"
#include "worker/record.h"

/* Which part of a record a class works on. */
enum transform_side {
    TRANSFORM_RECORD,
    TRANSFORM_KEY,  /* the inner class $Key */
    TRANSFORM_VALUE /* the inner class $Value */
};

struct transform_kind {
    struct config_table table;
    /* config has the keys of one alias and fits the rows. ret_state may stay NULL. */
    enum err (*open)(const struct kvs *config, void **ret_state, struct error *reterr);
    void (*close)(void *state);
    /* Changes record in place; target is its key or value, NULL for TRANSFORM_RECORD. What is made
     * lives in record->arena. ERR_INVALID: the record cannot be transformed. */
    enum err (*apply)(void *state, struct connect_record *record, struct value *target,
                      struct error *reterr);
};

struct transform_plugin {
    const char *class_name;
    enum transform_side side;
    const struct transform_kind *kind;
};

struct predicate_plugin {
    const char *class_name;
    struct config_table table;
    enum err (*open)(const struct kvs *config, void **ret_state, struct error *reterr);
    void (*close)(void *state);
    enum err (*test)(void *state, const struct connect_record *record, bool *ret_true,
                     struct error *reterr);
};

struct transform_chain;

/* transform_find returns the plug-in of a class, NULL if unknown: inner classes by their full name,
 * others by their simple name too. predicate_find does the same for predicates. */
const struct transform_plugin *transform_find(const char *class_name);
const struct predicate_plugin *predicate_find(const char *class_name);
/* transform_plugins and predicate_plugins return the lists, which a row without a name ends. */
const struct transform_plugin *transform_plugins(void);
const struct predicate_plugin *predicate_plugins(void);

/* transform_check and predicate_check try whether an instance can be made of the keys of an alias
 * ("<group>.<alias>." taken off). ERR_INVALID. */
enum err transform_check(const struct transform_plugin *plugin, const struct kvs *keys,
                         struct error *reterr) MUST_CHECK;
enum err predicate_check(const struct predicate_plugin *plugin, const struct kvs *keys,
                         struct error *reterr) MUST_CHECK;
/* plugin_keys fills ret_keys (initialised) with the keys of an alias, its prefix taken off. group:
 * "transforms" or "predicates". */
void plugin_keys(const struct kvs *config, const char *group, const char *alias,
                 struct kvs *ret_keys);

/* transform_chain_open makes the chain that `transforms` of a connector config names; an empty list
 * gives an empty chain. Errors: ERR_INVALID, ERR_NOT_FOUND naming alias and class. */
enum err transform_chain_open(const struct kvs *config, struct transform_chain **ret_chain,
                              struct error *reterr) MUST_CHECK;
void transform_chain_close(struct transform_chain *chain);
/* transform_chain_apply runs the chain; ret_keep false: the record is dropped on purpose. */
enum err transform_chain_apply(struct transform_chain *chain, struct connect_record *record,
                               bool *ret_keep, struct error *reterr) MUST_CHECK;
/* transform_chain_class returns the class that the last transform_chain_apply came to. */
const char *transform_chain_class(const struct transform_chain *chain);
