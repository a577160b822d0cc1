/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single message transforms: a chain applied to each record between connector and converters. One
 * row per class in transform/transforms.c; instances belong to one task's thread.
 */
#pragma once

#include "worker/base/config_def.h"
#include "worker/base/err.h"
#include "worker/record.h"

struct transform_plugin {
    const char *class_name;
    struct config_table table;
    enum err (*open)(const struct kvs *config, void **ret_state, struct error *reterr);
    void (*close)(void *state);
    /* Changes record in place; ret_keep false drops it. ERR_INVALID: cannot be transformed. */
    enum err (*apply)(void *state, struct connect_record *record, bool *ret_keep,
                      struct error *reterr);
};

struct transform_chain;

/* transform_find returns the plug-in of a class, NULL if unknown. */
const struct transform_plugin *transform_find(const char *class_name);
/* transform_plugins returns the NULL-terminated list. */
const struct transform_plugin *const *transform_plugins(void);
/* transform_chain_open makes the chain that `transforms` of a connector config names; an empty list
 * gives an empty chain. Errors: ERR_INVALID, ERR_NOT_FOUND naming alias and class. */
enum err transform_chain_open(const struct kvs *config, struct transform_chain **ret_chain,
                              struct error *reterr) MUST_CHECK;
void transform_chain_close(struct transform_chain *chain);
/* transform_chain_apply runs the chain; ret_keep false: the record is dropped on purpose. */
enum err transform_chain_apply(struct transform_chain *chain, struct connect_record *record,
                               bool *ret_keep, struct error *reterr) MUST_CHECK;
