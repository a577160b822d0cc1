/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of client properties: one row for each name of the Java clients, and what becomes of
 * it. Names that are librdkafka's alone have no row unless they need care. Private to this folder;
 * pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/base/err.h"
#include "worker/base/macros.h"

/* Java's type, for the check of the text and its words. */
enum prop_type {
    PROP_TEXT,
    PROP_SECRET,
    PROP_INT,
    PROP_LONG,
    PROP_BOOLEAN
};

/* Which clients a property concerns. */
enum prop_side {
    PROP_ANY,
    PROP_PRODUCER,
    PROP_CONSUMER
};

enum prop_action {
    PROP_PASS,    /* handed on, under `target` if given */
    PROP_CONVERT, /* prop_convert.c makes other properties of it */
    PROP_PART,    /* read together with another one: the key store's password and the like */
    PROP_IGNORE,  /* Java only: no counterpart */
    PROP_REFUSE,  /* would lose messages or run foreign code: `target` says why */
};

struct prop_row {
    const char *name;
    enum prop_type type;
    enum prop_side side;
    enum prop_action action;
    bool inherited; /* the worker's own clients take it from the worker's top level */
    const char *target;
};

/* prop_find returns the row of a name (as prop_canonical gives it), NULL if it has none. */
const struct prop_row *prop_find(const char *name);
/* prop_canonical returns the Java name that stands for a librdkafka name of the same meaning, else
 * the name itself, without the "topic." that librdkafka ignores before a topic's property. */
const char *prop_canonical(const char *name);
/* prop_secret tells whether values of this property, under either name, must not be shown. */
bool prop_secret(const char *name);
/* prop_inherited tells whether the worker's own clients take it from the worker's top level. */
bool prop_inherited(const char *name);
/* prop_refused sets ERR_INVALID with Connect's words, "Invalid value x for configuration k: why",
 * hiding secrets, and returns it. */
enum err prop_refused(const char *name, const char *value, const char *why, struct error *reterr);
/* prop_check_type checks the text against Java's type. `shown` is the name for the message. */
enum err prop_check_type(const struct prop_row *row, const char *shown, const char *value,
                         struct error *reterr) MUST_CHECK;
