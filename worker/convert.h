/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Converters: typed values to bytes and back. One row per class in convert/converters.c; an
 * instance is made per task and used on the task's thread only.
 */
#pragma once

#include "worker/base/buf.h"
#include "worker/base/config_def.h"
#include "worker/base/err.h"
#include "worker/record.h"

struct converter;

struct converter_plugin {
    const char *class_name; /* Connect's full name */
    bool data;              /* may be a key.converter or value.converter */
    bool header;            /* may be a header.converter */
    struct config_table table;
    /* configs carries the sub-keys without the "value.converter." prefix. */
    enum err (*open)(const struct kvs *config, void **ret_state, struct error *reterr);
    void (*close)(void *state);
    /* Turns value into bytes, which live in `out` (appended) or are borrowed from value: ret_bytes
     * is valid until the next change of either. value->schema says what it means, if there is one.
     * ERR_INVALID: cannot be converted. */
    enum err (*to_bytes)(void *state, const struct value *value, struct buf *out,
                         struct record_bytes *ret_bytes, struct error *reterr);
    /* Reads bytes; the value (with its schema, if it has one) lives in the arena and in bytes.
     * ERR_INVALID: they are none that this converter reads. */
    enum err (*from_bytes)(void *state, const struct record_bytes *bytes, struct arena *arena,
                           struct value *ret_value, struct error *reterr);
};

/* converter_find returns the plug-in of a class (full, simple or pruned name), NULL if unknown. */
const struct converter_plugin *converter_find(const char *class_name);
/* converter_plugins returns the NULL-terminated list. */
const struct converter_plugin *const *converter_plugins(void);

/* converter_class returns the class that holds for key ("value.converter"): the connector's, else
 * the worker's, else `fallback`. Borrowed from the configs. */
const char *converter_class(const struct kvs *connector, const struct kvs *worker, const char *key,
                            const char *fallback);
/* converter_open makes an instance of that class, with the sub-keys of the config that names it
 * (`<key>.x` of the connector or of the worker, never mixed). ERR_NOT_FOUND and ERR_INVALID name
 * the key. */
enum err converter_open(const struct kvs *connector, const struct kvs *worker, const char *key,
                        const char *fallback, struct converter **ret_converter,
                        struct error *reterr) MUST_CHECK;
void converter_close(struct converter *converter);
/* converter_to_bytes and converter_from_bytes call the plug-in, see there. */
enum err converter_to_bytes(struct converter *converter, const struct value *value, struct buf *out,
                            struct record_bytes *ret_bytes, struct error *reterr) MUST_CHECK;
enum err converter_from_bytes(struct converter *converter, const struct record_bytes *bytes,
                              struct arena *arena, struct value *ret_value,
                              struct error *reterr) MUST_CHECK;
/* converter_name returns the full class name of an instance. */
const char *converter_name(const struct converter *converter);
