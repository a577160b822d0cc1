/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of KCQL that MQTT connectors of Lenses are configured with, as far as one connector can
 * do what it says: INSERT INTO <target> SELECT * FROM <source>, several with one target separated
 * by semicolons, and PROPERTIES('mqtt.target.from.field'='true') of a sink. Pure. Thread: any.
 */
#pragma once

#include "worker/base/config_def.h"
#include "worker/connector.h"

struct kcql {
    struct config_list sources;
    char *target;
    bool target_is_field; /* the name of a field that has the target */
};

/* kcql_parse reads the statements of a connector of this kind; release with kcql_fini. Errors:
 * ERR_INVALID, saying what to write instead of what is not taken; ret_kcql is then untouched. */
enum err kcql_parse(enum connector_type type, const char *text, struct kcql *ret_kcql,
                    struct error *reterr) MUST_CHECK;
void kcql_fini(struct kcql *kcql);
