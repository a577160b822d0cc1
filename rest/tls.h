/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of the listeners: key, chain and trusted authorities as GnuTLS credentials. Files are looked
 * at for each new connection and read again when they changed; a change that cannot be used is
 * logged and the old credentials stay. A connection keeps those that it began with. Sessions are
 * GnuTLS', as microhttpd hands them out. Thread: any, where nothing else is said.
 */
#pragma once

#include "rest/tls_config.h"

struct tls;
struct tls_identity;

/* tls_check does what tls_new does and keeps nothing. */
enum err tls_check(const struct kvs *props, const char *prefix, struct error *reterr) MUST_CHECK;
/* tls_new reads the keys for a prefix (TLS_LISTENERS, TLS_ADMIN) and the files that they name;
 * ret_tls is owned. Errors: ERR_INVALID, ERR_IO with a line that names key, value and mend. Thread:
 * main. */
enum err tls_new(const struct kvs *props, const char *prefix, struct tls **ret_tls,
                 struct error *reterr) MUST_CHECK;
/* tls_log logs when the certificate that tls began with expires; before any connection. Thread:
 * main. */
void tls_log(const struct tls *tls);
/* tls_free releases tls after the last connection; NULL is fine. Thread: main. */
void tls_free(struct tls *tls);

/* tls_begin prepares a session before its handshake: versions, ciphers, credentials, what is asked
 * of the client. The result is owned by the connection: tls_end when it is closed. Does not block
 * but to read changed files. */
struct tls_identity *tls_begin(struct tls *tls, void *session);
/* tls_end gives the credentials of a closed connection back; NULL is fine. */
void tls_end(struct tls_identity *identity);

/* For libraries that want a function that chooses certificates: one that has none to offer. Its
 * real type is gnutls_certificate_retrieve_function2. */
typedef void tls_hook_fn(void);
tls_hook_fn *tls_no_certificate(void);

/* tls_priority makes GnuTLS' priority text from ssl.enabled.protocols and ssl.cipher.suites (names
 * as Java or OpenSSL writes them), owned. GnuTLS combines key exchanges, ciphers and MACs freely,
 * so a combination of parts of two named suites is offered too. ERR_INVALID. */
enum err tls_priority(const struct tls_config *config, char **ret_text,
                      struct error *reterr) MUST_CHECK;
