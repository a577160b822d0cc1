/* SPDX-License-Identifier: Apache-2.0 */
/* What authentication needs of the TLS library: keyed digests, random keys. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_SIZE 32

struct digest_key {
    unsigned char bytes[DIGEST_SIZE];
};

/* digest_key_make fills a key with random bytes. */
void digest_key_make(struct digest_key *key);
/* digest_make computes the HMAC-SHA256 of bytes. */
void digest_make(const struct digest_key *key, const void *bytes, size_t length,
                 unsigned char digest[DIGEST_SIZE]);
/* digest_equal compares two digests in the same time wherever they differ. */
bool digest_equal(const unsigned char a[DIGEST_SIZE], const unsigned char b[DIGEST_SIZE]);
