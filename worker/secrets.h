/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which values of a config are secret. One rule for REST answers, traces, log lines and error
 * texts. Pure. Thread: any.
 */
#pragma once

#include <stdbool.h>

#include "worker/base/kvs.h"
#include "worker/base/redact.h"

/* secret_name tells whether a key's name says that its value is secret: password, secret, token,
 * jaas, credential and their like, however the words are separated. */
bool secret_name(const char *key);
/* secret_key tells whether the value of key must never be shown: any connector kind, or a converter
 * or transform that config names, defines it as PASSWORD; or nobody defines it and its name says
 * so; or it is the literal that a transform puts into a header or field whose name says so. */
bool secret_key(const struct kvs *config, const char *key);
/* secrets_mask_uris returns an owned copy of text in which the passwords of URIs
 * (scheme://user:password@host) are masked. */
char *secrets_mask_uris(const char *text);
/* secrets_collect adds the secrets of config to set: the values of secret keys, passwords inside of
 * them (JAAS options), and passwords in URIs. A value that is a single placeholder is no secret.
 * `classes` is the config that says which keys are secret, it may be config itself. */
void secrets_collect(const struct kvs *config, const struct kvs *classes, struct redactions *set);
/* secret_placeholder tells whether a value is one placeholder of a config provider and nothing
 * else. */
bool secret_placeholder(const char *value);
