/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the worker's properties say about TLS of the REST interface. As in Kafka Connect, a set of
 * keys with a prefix ("listeners.https.", "admin.listeners.https.") stands in place of all `ssl.*`
 * keys without it as soon as one such key is there. Thread: any; a config is immutable.
 */
#pragma once

#include <stdbool.h>

#include "worker/base/err.h"
#include "worker/base/kvs.h"

#define TLS_MAX_FILE  ((size_t)1024 * 1024)
#define TLS_LISTENERS "listeners.https."
#define TLS_ADMIN     "admin.listeners.https."

enum tls_client_auth {
    TLS_CLIENT_NONE,
    TLS_CLIENT_REQUESTED,
    TLS_CLIENT_REQUIRED
};

/* Texts are owned; NULL: not given. */
struct tls_config {
    char prefix[32]; /* before "ssl."; "": none */
    char *keystore_location;
    char *keystore_key;
    char *keystore_chain;
    char *key_password;
    char *truststore_location;
    char *truststore_certificates;
    char *cipher_suites;
    enum tls_client_auth client_auth;
    bool tls12;
    bool tls13;
    bool verify_host; /* of a worker that a request is sent to */
};

/* PEM texts, owned; NULL: not configured. Release with tls_material_fini, which overwrites them. */
struct tls_material {
    char *chain;
    char *key; /* may be the same text as chain: one file for both */
    char *trust;
};

/* tls_config_read takes the keys for a prefix from the worker's properties. ret_config is released
 * with tls_config_fini. ERR_INVALID with a line that names key, value and mend. */
enum err tls_config_read(const struct kvs *props, const char *prefix, struct tls_config *ret_config,
                         struct error *reterr) MUST_CHECK;
/* tls_config_warn logs keys behind the prefix that mean nothing. */
void tls_config_warn(const struct kvs *props, const char *prefix);
void tls_config_fini(struct tls_config *config);
/* tls_config_key writes the full name of an ssl key ("keystore.location") into text. */
const char *tls_config_key(const struct tls_config *config, const char *name, char text[80]);

/* tls_material_load reads what the config names: from its values or from files. ERR_INVALID or
 * ERR_IO with a line that names key, value and mend. */
enum err tls_material_load(const struct tls_config *config, struct tls_material *ret_material,
                           struct error *reterr) MUST_CHECK;
void tls_material_fini(struct tls_material *material);
