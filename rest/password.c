/* SPDX-License-Identifier: Apache-2.0 */
/* Password hashes; the only file that knows libxcrypt. See password.h. */
#include "rest/password.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "worker/base/mem.h"

/* 2^14 rounds take about a second: more would let one login hold a CPU for long. */
/* Cost of new hashes: about 50 milliseconds. */
#define NEW_COST             10UL
#define MAX_BCRYPT_COST      14
#define BCRYPT_LENGTH        60
#define YESCRYPT_HASH_LENGTH 43
/* The letter of cost 8 in yescrypt's parameters: 128 MiB and a sixth of a second. */
#define MAX_YESCRYPT_COST 'C'

static const char *const bcrypt_starts[] = { "$2a$", "$2b$", "$2y$" };

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Both write salt and hash in this alphabet. */
static bool is_encoded(const char *text, size_t length)
{
    return strspn(text, "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") >=
           length;
}

/* "$2b$10$" and 53 characters of salt and hash. */
static const char *wrong_bcrypt(const char *hash)
{
    if (strlen(hash) != BCRYPT_LENGTH) {
        return "a bcrypt hash has 60 characters";
    }
    const char *cost = hash + 4;
    bool digits = cost[0] >= '0' && cost[0] <= '9' && cost[1] >= '0' && cost[1] <= '9';
    if (!digits || cost[2] != '$' || !is_encoded(cost + 3, BCRYPT_LENGTH - 7)) {
        return "this is no bcrypt hash: its parts are cost, salt and hash";
    }
    long rounds = strtol(cost, NULL, 10);
    return rounds < 4 || rounds > MAX_BCRYPT_COST ? "a bcrypt cost is from 4 to 14 here" : NULL;
}

/* "$y$j9T$salt$hash": 9 is the letter of the block count, T or 5 that of the block size. */
static const char *wrong_yescrypt(const char *hash)
{
    const char *parameters = hash + 3;
    const char *salt = strchr(parameters, '$');
    const char *end = salt ? strchr(salt + 1, '$') : NULL;
    if (!end || !is_encoded(salt + 1, (size_t)(end - salt - 1)) ||
        strlen(end + 1) != YESCRYPT_HASH_LENGTH || !is_encoded(end + 1, YESCRYPT_HASH_LENGTH)) {
        return "this is no yescrypt hash: its parts are parameters, salt and hash";
    }
    bool plain = salt - parameters == 3 && parameters[0] == 'j' &&
                 (parameters[2] == 'T' || parameters[2] == '5');
    bool cheap = parameters[1] >= '0' && parameters[1] <= MAX_YESCRYPT_COST;
    return plain && cheap
               ? NULL
               : "yescrypt parameters other than those of mkpasswd and passwd, or a cost over 8";
}

bool password_hash_usable(const char *hash, const char **ret_why)
{
    bool bcrypt = false;
    for (size_t i = 0; i < N_ELEMENTS(bcrypt_starts); i++) {
        bcrypt |= starts_with(hash, bcrypt_starts[i]);
    }
    const char *why = NULL;
    if (!bcrypt && !starts_with(hash, "$y$")) {
        why = "the hash is neither bcrypt ($2b$, $2y$) nor yescrypt ($y$)";
    } else if (strlen(hash) > HASH_MAX) {
        why = "the hash is too long";
    } else {
        why = bcrypt ? wrong_bcrypt(hash) : wrong_yescrypt(hash);
    }
    if (why) {
        *ret_why = why;
    }
    return !why;
}

/* All bytes are looked at, whatever they are. */
static bool same_text(const char *a, const char *b, size_t length)
{
    unsigned char difference = 0;
    for (size_t i = 0; i < length; i++) {
        difference |= (unsigned char)(a[i] ^ b[i]);
    }
    return difference == 0;
}

void password_hash_make(const char *password, char hash[HASH_MAX + 1])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    ASSERT(crypt_gensalt_rn("$2b$", NEW_COST, NULL, 0, setting, sizeof(setting)) != NULL);
    struct crypt_data *data = xcalloc(1, sizeof(*data));
    const char *made = crypt_rn(password, setting, data, (int)sizeof(*data));
    ASSERT(made != NULL);
    (void)snprintf(hash, HASH_MAX + 1, "%s", made);
    explicit_bzero(data, sizeof(*data));
    free(data);
}

bool password_matches(const char *password, const char *hash)
{
    if (strlen(password) > PASSWORD_MAX) {
        return false;
    }
    /* 32 KiB: more than the stack of a connection should give. */
    struct crypt_data *data = xcalloc(1, sizeof(*data));
    const char *made = crypt_rn(password, hash, data, (int)sizeof(*data));
    size_t length = strlen(hash);
    bool same = made && strlen(made) == length && same_text(made, hash, length);
    explicit_bzero(data, sizeof(*data));
    free(data);
    return same;
}
