/* SPDX-License-Identifier: Apache-2.0 */
/* Digests on GnuTLS. See tls_digest.h. */
#include "rest/tls_digest.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "worker/base/macros.h"

void digest_key_make(struct digest_key *key)
{
    ASSERT(gnutls_rnd(GNUTLS_RND_KEY, key->bytes, sizeof(key->bytes)) == 0);
}

void digest_make(const struct digest_key *key, const void *bytes, size_t length,
                 unsigned char digest[DIGEST_SIZE])
{
    ASSERT(gnutls_hmac_fast(GNUTLS_MAC_SHA256, key->bytes, sizeof(key->bytes), bytes, length,
                            digest) == 0);
}

bool digest_equal(const unsigned char a[DIGEST_SIZE], const unsigned char b[DIGEST_SIZE])
{
    return gnutls_memcmp(a, b, DIGEST_SIZE) == 0;
}
