/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the value of sasl.jaas.config: one login module with its options, as in
 *   org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p";
 * Pure. Texts of errors never hold what was read.
 */
#pragma once

#include "worker/base/err.h"
#include "worker/base/kvs.h"
#include "worker/base/macros.h"

/* jaas_parse returns the module's class name without its package (owned) and adds its options to
 * options. Errors: ERR_INVALID with a text that says what is missing. */
enum err jaas_parse(const char *text, char **ret_module, struct kvs *options,
                    struct error *reterr) MUST_CHECK;
