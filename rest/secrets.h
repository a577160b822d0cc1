/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets in connector configs: which keys they are, and the mask that stands for them in every
 * answer. Pure. Thread: any.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "worker/base/buf.h"
#include "worker/base/kvs.h"

#define SECRET_MASK "[hidden]"

/* secret_key tells whether the value of key must never be shown: it has the type PASSWORD in the
 * definitions that config's classes have, or nobody defines it and its name says so. */
bool secret_key(const struct kvs *config, const char *key);
/* secrets_mask returns config as an owned JSON object with secret values replaced by the mask;
 * `classes` is the connector's config that says which keys are secret (may be config itself). A
 * placeholder of a config provider is no secret. */
cJSON *secrets_mask(const struct kvs *config, const struct kvs *classes);
/* secrets_restore puts stored values in the place of masks that came back: where config has the
 * mask at a secret key and `stored` (may be NULL) has a value. Returns the first key whose mask
 * stands for nothing, NULL if there is none; borrowed from config. */
const char *secrets_restore(struct kvs *config, const struct kvs *stored);
/* secrets_redact returns an owned copy of text in which the secret values of config are masked. */
char *secrets_redact(const char *text, const struct kvs *config);
