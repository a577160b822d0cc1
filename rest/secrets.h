/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets in answers: the mask that stands for them, and masks that come back. Which values are
 * secret says worker/secrets.h. Pure. Thread: any.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "worker/base/buf.h"
#include "worker/base/kvs.h"
#include "worker/secrets.h"

/* secrets_mask returns config as an owned JSON object with secret values, and passwords in URIs,
 * replaced by the mask; `classes` is the connector's config that says which keys are secret (may be
 * config itself). A placeholder of a config provider is no secret. */
cJSON *secrets_mask(const struct kvs *config, const struct kvs *classes);
/* secrets_plain returns config as an owned JSON object as it is, for rest.config.masking=false. */
cJSON *secrets_plain(const struct kvs *config);
/* secrets_restore puts stored values in the place of masks that came back: where config has at a
 * secret key the mask, or at any key what secrets_mask shows of the value in `stored` (may be
 * NULL). Returns the first key whose mask stands for nothing, NULL if there is none; borrowed from
 * config. */
const char *secrets_restore(struct kvs *config, const struct kvs *stored);
/* secrets_uncovered returns the first key whose value in `config` is hidden in `stored` (may be
 * NULL), would be shown from now on, and was taken over from there: `given`, the config as the
 * client sent it, does not have it. NULL if there is none; borrowed from config. */
const char *secrets_uncovered(const struct kvs *config, const struct kvs *stored,
                              const struct kvs *given);
/* secrets_redact returns an owned copy of text in which the secret values of config are masked. */
char *secrets_redact(const char *text, const struct kvs *config);
