/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The password file: a line "user:hash" or "user:hash:role" for each user, as htpasswd -B writes
 * it; empty lines and lines that begin with # do not count. Thread: any; a table is immutable.
 */
#pragma once

#include <stddef.h>

#include "rest/password.h"
#include "worker/base/err.h"

#define AUTH_MAX_USER  63
#define AUTH_MAX_USERS 1000
#define AUTH_MAX_FILE  ((size_t)256 * 1024)

enum auth_role {
    AUTH_READ_ONLY, /* GET, HEAD, OPTIONS */
    AUTH_ADMIN      /* everything; the role of a line that names none */
};

struct auth_user {
    char name[AUTH_MAX_USER + 1];
    char hash[HASH_MAX + 1];
    enum auth_role role;
};

struct auth_table {
    struct auth_user *users;
    size_t n_users; /* at least 1 */
};

/* auth_table_parse reads the content of a file (length bytes, a NUL behind them). ret_table is
 * released with auth_table_fini. ERR_INVALID with "line 3: what is wrong"; no hash in it. */
enum err auth_table_parse(const char *text, size_t length, struct auth_table *ret_table,
                          struct error *reterr) MUST_CHECK;
void auth_table_fini(struct auth_table *table);
/* auth_table_find returns a user, NULL if there is none; borrowed. */
const struct auth_user *auth_table_find(const struct auth_table *table, const char *name);
