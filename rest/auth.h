/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Basic authentication against a password file (rest.auth.*). The file is looked at for each
 * request and read again when it changed; one that cannot be used is logged and the old one stays.
 *
 * A password is checked with its slow hash once; after that its keyed digest is remembered, until
 * the file changes. One hash is computed at a time, and after a wrong password none for three times
 * as long as it took, so that guessing takes a quarter of a CPU at most; a bounded number of
 * requests waits for that in the order of coming, two of each client's address, the rest is told to
 * come again. Who has shown the right password before does not wait, also after the file has
 * changed as long as the user's line is the same. Thread: any.
 */
#pragma once

#include <stdbool.h>

#include "rest/auth_file.h"
#include "worker/base/kvs.h"

struct auth;

enum auth_verdict {
    AUTH_GRANTED,
    AUTH_DENIED, /* no credentials, or wrong ones */
    AUTH_BUSY,   /* too many others are being checked */
    AUTH_UNKNOWN /* finding out would take time, and must not */
};

/* auth_check_props checks the rest.auth.* keys and the file that they name; nothing is kept. Errors
 * as auth_new. */
enum err auth_check_props(const struct kvs *props, struct error *reterr) MUST_CHECK;
/* auth_new reads the keys and the file; of max_blocking requests that may block at once a quarter
 * may wait for passwords to be checked. ret_auth is owned, NULL when authentication is off.
 * ERR_INVALID and ERR_IO with a line that names key, value and mend. Thread: main. */
enum err auth_new(const struct kvs *props, unsigned max_blocking, struct auth **ret_auth,
                  struct error *reterr) MUST_CHECK;
/* auth_free releases auth when no request runs any more; NULL is fine. */
void auth_free(struct auth *auth);

/* auth_is_open tells whether a path (a route's pattern, as "/health") is served to anyone. */
bool auth_is_open(const struct auth *auth, const char *pattern);

/* auth_check judges the value of an Authorization header (NULL: none). ret_user is written when it
 * is granted. client is the address, for the log and for the order of those that wait. With
 * may_block it may take a few seconds, without it none. */
enum auth_verdict auth_check(struct auth *auth, const char *authorization, const char *client,
                             bool may_block, struct auth_user *ret_user);
