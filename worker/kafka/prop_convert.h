/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties whose value changes on the way from Java's meaning to librdkafka's, or that are read
 * together with others. Private to this folder; pure.
 */
#pragma once

#include <stdbool.h>

#include "worker/base/err.h"
#include "worker/base/kvs.h"
#include "worker/base/macros.h"
#include "worker/kafka/props.h"

/* What a client's properties are made of. */
struct prop_build {
    enum kafka_role role;
    struct kvs given;    /* canonical name -> value, all layers merged */
    struct kvs written;  /* canonical name -> the name as the user wrote it, for messages */
    struct kvs *out;     /* librdkafka's names; holds the defaults already */
    struct kvs *ignored; /* may be NULL */
    bool own_login;      /* an override says something of Kerberos: see prop_guard_note */
};

/* prop_build_refuse sets "Invalid value x for configuration <as written>: why". */
enum err prop_build_refuse(const struct prop_build *build, const char *name, const char *why,
                           struct error *reterr);
/* prop_build_ignore notes that a property has no effect. */
void prop_build_ignore(struct prop_build *build, const char *name);
/* prop_role_produces, prop_role_of_connector tell about the role. */
bool prop_role_produces(enum kafka_role role);
bool prop_role_of_connector(enum kafka_role role);

/* prop_convert carries out one row with PROP_CONVERT. Errors: ERR_INVALID. */
enum err prop_convert(struct prop_build *build, const char *name, const char *value,
                      struct error *reterr) MUST_CHECK;
/* prop_convert_stores does the same for the trust and key stores, once for each client. */
enum err prop_convert_stores(struct prop_build *build, struct error *reterr) MUST_CHECK;
