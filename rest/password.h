/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Password hashes, on libxcrypt. bcrypt and yescrypt only: what is slow to guess. Thread: any; a
 * check takes tens of milliseconds of CPU on purpose, so callers bound how many run at once.
 */
#pragma once

#include <stdbool.h>

/* Bytes of a password that count; longer ones never match. bcrypt itself looks at 72. */
#define PASSWORD_MAX 256
#define HASH_MAX     200

/* password_hash_usable tells whether hash is a whole bcrypt ($2a$, $2b$, $2y$) or yescrypt ($y$)
 * hash that this library computes, at a cost that a server can pay; else ret_why gets a constant
 * that says what is wrong. */
bool password_hash_usable(const char *hash, const char **ret_why);
/* Longest password that bcrypt tells apart from longer ones. */
#define PASSWORD_MAX_BCRYPT 72

/* password_hash_make writes a new bcrypt hash of a password, with a salt of its own, into hash. */
void password_hash_make(const char *password, char hash[HASH_MAX + 1]);
/* password_matches tells whether password has that hash. The comparison takes the same time
 * wherever the texts differ. */
bool password_matches(const char *password, const char *hash);
