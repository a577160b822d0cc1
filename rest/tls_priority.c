/* SPDX-License-Identifier: Apache-2.0 */
/* Versions and cipher suites in GnuTLS' words. See tls.h. */
#include <ctype.h>
#include <gnutls/gnutls.h>

#include "rest/tls.h"
#include "worker/base/buf.h"
#include "worker/base/config_def.h"
#include "worker/base/mem.h"

/* Letters and digits of a suite's name without what only one of the three spellings has:
 * TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 (Java), ECDHE-RSA-AES128-GCM-SHA256 (OpenSSL),
 * TLS_ECDHE_RSA_AES_128_GCM_SHA256 (GnuTLS). */
static void canonical(const char *name, char *text, size_t size)
{
    static const char *const dropped[] = { "TLS", "WITH" };
    size_t n = 0;
    const char *p = name;
    while (*p && n + 1 < size) {
        size_t word = strcspn(p, "_-");
        bool drop = false;
        for (size_t i = 0; i < N_ELEMENTS(dropped); i++) {
            drop |= strlen(dropped[i]) == word && strncasecmp(p, dropped[i], word) == 0;
        }
        for (size_t i = 0; i < word && !drop && n + 1 < size; i++) {
            text[n++] = (char)toupper((unsigned char)p[i]);
        }
        p += word + (p[word] != '\0');
    }
    text[n] = '\0';
    static const struct {
        const char *ending;
        size_t cut;
    } endings[] = { { "POLY1305SHA256", 6 }, { "SHA1", 1 } };
    for (size_t i = 0; i < N_ELEMENTS(endings); i++) {
        size_t length = strlen(endings[i].ending);
        if (n >= length && strcmp(text + n - length, endings[i].ending) == 0) {
            text[n - endings[i].cut] = '\0';
        }
    }
}

/* One suite that GnuTLS knows. */
struct suite {
    gnutls_kx_algorithm_t kx;
    gnutls_cipher_algorithm_t cipher;
    gnutls_mac_algorithm_t mac;
    gnutls_protocol_t version; /* first that has it */
};

static bool find_suite(const char *name, struct suite *ret_suite)
{
    char wanted[128];
    char found[128];
    unsigned char id[2];
    struct suite suite;
    canonical(name, wanted, sizeof(wanted));
    for (size_t i = 0;; i++) {
        const char *known =
            gnutls_cipher_suite_info(i, id, &suite.kx, &suite.cipher, &suite.mac, &suite.version);
        if (!known) {
            return false;
        }
        canonical(known, found, sizeof(found));
        if (strcmp(wanted, found) == 0) {
            *ret_suite = suite;
            return true;
        }
    }
}

static void add_suite(struct buf *text, const struct suite *suite)
{
    const char *kx = suite->version == GNUTLS_TLS1_3 ? NULL : gnutls_kx_get_name(suite->kx);
    if (kx) {
        buf_printf(text, ":+%s", kx);
    }
    buf_printf(text, ":+%s:+%s", gnutls_cipher_get_name(suite->cipher),
               gnutls_mac_get_name(suite->mac));
}

static enum err add_suites(const struct tls_config *config, struct buf *text, struct error *reterr)
{
    char key[80];
    bool any[2] = { false, false }; /* of TLS 1.2, of TLS 1.3 */
    struct config_list names;
    config_list_split(config->cipher_suites, &names);
    enum err err = ERR_OK;
    for (size_t i = 0; i < names.n_items && err == ERR_OK; i++) {
        struct suite suite;
        if (find_suite(names.items[i], &suite)) {
            add_suite(text, &suite);
            any[suite.version == GNUTLS_TLS1_3] = true;
        } else {
            err = error_set(reterr, ERR_INVALID,
                            "Invalid value %.100s for configuration %s: no such cipher suite: give "
                            "names such as TLS_AES_256_GCM_SHA384, or remove the line",
                            names.items[i], tls_config_key(config, "cipher.suites", key));
        }
    }
    config_list_fini(&names);
    bool tls12 = config->tls12 && any[0];
    bool tls13 = config->tls13 && any[1];
    if (err == ERR_OK && !tls12 && !tls13) {
        err = error_set(reterr, ERR_INVALID,
                        "Invalid value %.200s for configuration %s: no suite of an enabled "
                        "protocol: add one, or remove the line",
                        config->cipher_suites, tls_config_key(config, "cipher.suites", key));
    }
    buf_printf(text, "%s%s", tls12 ? ":+VERS-TLS1.2" : "", tls13 ? ":+VERS-TLS1.3" : "");
    return err;
}

enum err tls_priority(const struct tls_config *config, char **ret_text, struct error *reterr)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text);
    enum err err = ERR_OK;
    if (config->cipher_suites) {
        buf_add_text(&text, "NONE:+COMP-NULL:+CTYPE-X509:+SIGN-ALL:+GROUP-ALL");
        err = add_suites(config, &text, reterr);
    } else {
        buf_printf(&text, "NORMAL:-VERS-ALL%s%s", config->tls12 ? ":+VERS-TLS1.2" : "",
                   config->tls13 ? ":+VERS-TLS1.3" : "");
    }
    buf_add_text(&text, ":%SERVER_PRECEDENCE");
    if (err == ERR_OK) {
        *ret_text = buf_take(&text);
    }
    return err;
}
