/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS properties: which set of keys counts, cipher suites by their three spellings, and what is
 * refused. Certificates themselves are the integration tests' business.
 *
 * fakes: fake_cluster
 */
#include <string.h>

#include "rest/tls.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

/* Reads a config from key, value, ..., NULL. */
static enum err read_config(const char *const *pairs, struct tls_config *ret_config,
                            struct error *reterr)
{
    struct kvs props;
    kvs_init(&props);
    for (; *pairs; pairs += 2) {
        kvs_set(&props, pairs[0], pairs[1]);
    }
    enum err err = tls_config_read(&props, TLS_LISTENERS, ret_config, reterr);
    kvs_fini(&props);
    return err;
}

static void test_one_key_with_the_prefix_puts_all_others_aside(void **state UNUSED)
{
    struct tls_config config;
    static const char *const plain[] = { "ssl.keystore.location", "/a", "ssl.key.password", "p",
                                         NULL };
    assert_int_equal(read_config(plain, &config, NULL), ERR_OK);
    assert_string_equal(config.keystore_location, "/a");
    assert_string_equal(config.key_password, "p");
    assert_string_equal(config.prefix, "");
    assert_true(config.verify_host && config.tls12 && config.tls13);
    tls_config_fini(&config);

    static const char *const prefixed[] = {
        "ssl.keystore.location",
        "/a",
        "ssl.key.password",
        "p",
        "listeners.https.ssl.keystore.location",
        "/b",
        "listeners.https.ssl.endpoint.identification.algorithm",
        "",
        "listeners.https.ssl.enabled.protocols",
        "tlsv1.3",
        NULL,
    };
    assert_int_equal(read_config(prefixed, &config, NULL), ERR_OK);
    assert_string_equal(config.keystore_location, "/b");
    assert_null(config.key_password);
    assert_false(config.verify_host);
    assert_false(config.tls12);
    assert_true(config.tls13);
    char key[80];
    assert_string_equal(tls_config_key(&config, "client.auth", key),
                        "listeners.https.ssl.client.auth");
    tls_config_fini(&config);
}

static void test_wrong_values_name_the_key_with_its_prefix(void **state UNUSED)
{
    static const struct {
        const char *pairs[5];
        const char *text;
    } cases[] = {
        { { "listeners.https.ssl.keystore.type", "JKS", NULL },
          "Invalid value JKS for configuration listeners.https.ssl.keystore.type: only PEM" },
        { { "listeners.https.ssl.truststore.type", "PKCS12", NULL },
          "listeners.https.ssl.truststore.type: only PEM" },
        { { "ssl.client.auth", "sometimes", NULL },
          "Invalid value sometimes for configuration ssl.client.auth" },
        { { "ssl.client.auth", "required", NULL }, "set ssl.truststore.location" },
        { { "ssl.enabled.protocols", "TLSv1.1,TLSv1.2", NULL }, "older ones are not safe" },
        { { "ssl.enabled.protocols", "", NULL }, "ssl.enabled.protocols" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct tls_config config;
        struct error error = { ERR_OK, "" };
        assert_int_equal(read_config(cases[i].pairs, &config, &error), ERR_INVALID);
        if (!strstr(error.text, cases[i].text)) {
            fail_msg("case %zu says: %s", i, error.text);
        }
    }
}

static void test_material_must_be_whole(void **state UNUSED)
{
    static const char *const secret =
        "-----BEGIN PRIVATE KEY----- c2VjcmV0 -----END PRIVATE KEY-----";
    const struct {
        const char *pairs[7];
        const char *text;
    } cases[] = {
        { { "ssl.keystore.location", "/no/such", NULL },
          "Invalid value /no/such for configuration ssl.keystore.location: No such file" },
        { { "ssl.keystore.location", "/dev/null", NULL }, "is no regular file" },
        { { "ssl.keystore.location", "/etc/passwd", NULL }, "no PEM block" },
        { { "ssl.keystore.key", secret, NULL },
          "Missing configuration ssl.keystore.certificate.chain" },
        { { "ssl.keystore.certificate.chain", secret, NULL },
          "Missing configuration ssl.keystore.key" },
        { { "ssl.keystore.key", "c2VjcmV0", "ssl.keystore.certificate.chain", secret, NULL },
          "for configuration ssl.keystore.key: no PEM block" },
        { { "ssl.keystore.key", secret, "ssl.keystore.certificate.chain", secret,
            "ssl.keystore.location", "/a", NULL },
          "remove one of both" },
        { { "ssl.truststore.certificates", secret, "ssl.truststore.location", "/a", NULL },
          "remove one of both" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct tls_config config;
        struct tls_material material;
        struct error error = { ERR_OK, "" };
        assert_int_equal(read_config(cases[i].pairs, &config, NULL), ERR_OK);
        assert_int_not_equal(tls_material_load(&config, &material, &error), ERR_OK);
        if (!strstr(error.text, cases[i].text) || strstr(error.text, "c2VjcmV0")) {
            fail_msg("case %zu says: %s", i, error.text);
        }
        tls_config_fini(&config);
    }
}

static void test_cipher_suites_by_the_names_of_java_and_openssl(void **state UNUSED)
{
    static const struct {
        const char *suites;
        const char *protocols;
        const char *text; /* found in the priority, or in the error */
        enum err err;
    } cases[] = {
        { "", "TLSv1.2,TLSv1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3:", ERR_OK },
        { "", "TLSv1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.3:%", ERR_OK },
        { "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLSv1.2,TLSv1.3",
          ":+ECDHE-RSA:+AES-256-GCM:+AEAD:+VERS-TLS1.2:%", ERR_OK },
        { "ECDHE-RSA-AES256-GCM-SHA384", "TLSv1.2", ":+ECDHE-RSA:+AES-256-GCM:+AEAD:", ERR_OK },
        { "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "TLSv1.2",
          ":+CHACHA20-POLY1305:", ERR_OK },
        { "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLSv1.2",
          ":+ECDHE-ECDSA:+AES-128-CBC:+SHA1:", ERR_OK },
        { "TLS_AES_256_GCM_SHA384", "TLSv1.2,TLSv1.3", ":+AES-256-GCM:+AEAD:+VERS-TLS1.3:%",
          ERR_OK },
        { "TLS_AES_256_GCM_SHA384", "TLSv1.2", "no suite of an enabled protocol", ERR_INVALID },
        { "TLS_RSA_WITH_NONSENSE", "TLSv1.2", "Invalid value TLS_RSA_WITH_NONSENSE", ERR_INVALID },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        const char *const pairs[] = { "ssl.cipher.suites", cases[i].suites, "ssl.enabled.protocols",
                                      cases[i].protocols, NULL };
        struct tls_config config;
        struct error error = { ERR_OK, "" };
        CLEANUP(free_charp) char *priority = NULL;
        assert_int_equal(read_config(pairs, &config, NULL), ERR_OK);
        assert_int_equal(tls_priority(&config, &priority, &error), cases[i].err);
        const char *shown = priority ? priority : error.text;
        if (!strstr(shown, cases[i].text)) {
            fail_msg("case %zu: %s", i, shown);
        }
        tls_config_fini(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_key_with_the_prefix_puts_all_others_aside),
        cmocka_unit_test(test_wrong_values_name_the_key_with_its_prefix),
        cmocka_unit_test(test_material_must_be_whole),
        cmocka_unit_test(test_cipher_suites_by_the_names_of_java_and_openssl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
