/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's own configuration: rows of Kafka Connect's distributed worker keys and Sluice's
 * own, the properties file, and CONNECT_X_Y environment variables. Pure but for reading the file.
 */
#pragma once

#include <stdbool.h>

#include "worker/base/config_def.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"

/* worker_config_table returns the rows. Keys that are not rows are warned about unless a prefix of
 * worker_config_prefixes covers them. */
const struct config_table *worker_config_table(void);

/* worker_config_load reads a Java properties file (at most 1 MiB) and then the environment:
 * CONNECT_GROUP_ID sets group.id; two underscores stand for "_", three for "-", as the Confluent
 * images do. environ_list is NULL-terminated, as environ(7). ret_props (initialised) gets the
 * values as given, with placeholders of config providers resolved and the topic names that follow
 * from group.id filled in; secrets among them are kept out of the log from then on. Errors: ERR_IO
 * naming the file, ERR_INVALID naming key, value and mend. */
enum err worker_config_load(const char *path, char *const *environ_list, struct kvs *ret_props,
                            struct error *reterr) MUST_CHECK;
/* worker_config_check validates the properties: the first wrong key gives ERR_INVALID and a line
 * that names key, value and mend; unknown keys are logged once each, with a suggestion when a known
 * key is one edit away. */
enum err worker_config_check(const struct kvs *props, struct error *reterr) MUST_CHECK;

/* Shorthands on worker_config_table for a loaded config. */
char *worker_config_text(const struct kvs *props, const char *key);
int64_t worker_config_int(const struct kvs *props, const char *key);
bool worker_config_bool(const struct kvs *props, const char *key);
