/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Config providers: what `${provider:path:key}` in a config stands for. The worker's properties
 * `config.providers` name the providers; values are looked up where and when they are needed and
 * are never written anywhere. Semantics are Kafka Connect's: several placeholders in a value, no
 * placeholder inside of what was looked up, unknown providers and keys stay as they are written, a
 * file that cannot be read is an error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/base/config_def.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"
#include "worker/base/redact.h"

/* Bounds of one config. */
#define PROVIDERS_MAX_PLACEHOLDERS 512
#define PROVIDERS_MAX_PLACES       64 /* different files, or folders */
#define PROVIDERS_MAX_VALUE        ((size_t)256 * 1024)
#define PROVIDERS_MAX_TOTAL        ((size_t)1024 * 1024)

/* The providers of a worker; immutable. */
struct providers;

/* providers_new reads the keys `config.providers*` of the worker's properties. ERR_INVALID names
 * key, value and mend. The caller owns the result. Thread: any. */
enum err providers_new(const struct kvs *worker_props, struct providers **ret_providers,
                       struct error *reterr) MUST_CHECK;
void providers_free(struct providers *providers);
void providers_freep(struct providers **place);
/* providers_check is for the start of a worker: as providers_new, and allowed paths must exist;
 * warns of providers that may read everything. */
enum err providers_check(const struct kvs *worker_props, struct error *reterr) MUST_CHECK;

/* A config with its placeholders resolved. */
struct resolution {
    struct kvs config;         /* overwritten when it is freed */
    struct redactions secrets; /* what was looked up, and the placeholder that stands for it */
    struct config_list files;  /* paths that were to be read, as they were given */
    size_t n_missing;          /* placeholders of known providers that stayed as they are */
};

/* providers_resolve looks up the placeholders of a config. The keys that name other things than
 * values stay as they are: see providers_takes. ERR_IO with Kafka Connect's text when a file cannot
 * be read, ERR_INVALID when a bound is exceeded. It reads regular files only and does not wait.
 * providers NULL, or no placeholder: a copy. Thread: any. */
enum err providers_resolve(const struct providers *providers, const struct kvs *config,
                           struct resolution *ret_resolution, struct error *reterr) MUST_CHECK;
/* providers_try does the same, and sets ret_resolution in any case: after an error it has no
 * config, SIZE_MAX of n_missing, and the files that were tried, so that watch_add tells when all
 * values are there. */
enum err providers_try(const struct providers *providers, const struct kvs *config,
                       struct resolution *ret_resolution, struct error *reterr) MUST_CHECK;
void resolution_init(struct resolution *resolution);
void resolution_fini(struct resolution *resolution);

/* providers_takes tells whether placeholders in the value of key are resolved. They are not where
 * values name connectors, plug-ins or other keys: name, connector.class, transforms, predicates,
 * topic.creation.groups, and config.providers of the worker. */
bool providers_takes(const char *key);
/* providers_refers tells whether a value has a placeholder of one of the providers. */
bool providers_refers(const struct providers *providers, const char *value);
