/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which values are secret, and that they stay so.
 *
 * fakes: fake_cluster
 */
#include "plugins.h"
#include "rest/secrets.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

static void fill(struct kvs *config, const char *class_name)
{
    kvs_init(config);
    kvs_set(config, "connector.class", class_name);
    kvs_set(config, "url", "u");
    kvs_set(config, "password", "opensesame");
}

static void test_types_decide_and_names_where_nothing_is_defined(void **state UNUSED)
{
    struct kvs config;
    fill(&config, TEST_SOURCE);
    assert_true(secret_key(&config, "password"));
    assert_false(secret_key(&config, "url"));
    assert_false(secret_key(&config, "key.converter"));
    assert_true(secret_key(&config, "producer.override.sasl.jaas.config"));
    assert_true(secret_key(&config, "confluent.topic.SSL.KeyStore.Password"));
    assert_false(secret_key(&config, "other"));
    kvs_set(&config, "connector.class", "no.such.Class");
    assert_true(secret_key(&config, "password"));
    assert_false(secret_key(&config, "url"));
    kvs_fini(&config);
}

static void test_masked_answers_hold_no_secret(void **state UNUSED)
{
    struct kvs config;
    fill(&config, TEST_SOURCE);
    kvs_set(&config, "api.key", "alsosecret");
    kvs_set(&config, "gone", NULL);
    cJSON *json = secrets_mask(&config, &config);
    CLEANUP(free_charp) char *text = cJSON_PrintUnformatted(json);
    assert_string_equal(text, "{\"connector.class\":\"" TEST_SOURCE
                              "\",\"url\":\"u\",\"password\":\"[hidden]\","
                              "\"api.key\":\"[hidden]\",\"gone\":null}");
    cJSON_Delete(json);
    kvs_fini(&config);
}

static void test_placeholders_are_shown_but_not_what_only_looks_like_one(void **state UNUSED)
{
    static const struct {
        const char *value;
        bool shown;
    } cases[] = { { "${file:/run/secrets:key}", true },
                  { "${env:X}", true },
                  { "x${env:X}", false },
                  { "${env:X}y", false },
                  { "${x}", false },
                  { "${a:b}${c:d}", false } };
    struct kvs config;
    fill(&config, TEST_SOURCE);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        kvs_set(&config, "password", cases[i].value);
        cJSON *json = secrets_mask(&config, &config);
        assert_string_equal(cJSON_GetObjectItem(json, "password")->valuestring,
                            cases[i].shown ? cases[i].value : SECRET_MASK);
        cJSON_Delete(json);
    }
    kvs_fini(&config);
}

static void test_a_mask_that_comes_back_stands_for_the_stored_value(void **state UNUSED)
{
    struct kvs stored;
    struct kvs config;
    fill(&stored, TEST_SOURCE);
    fill(&config, TEST_SOURCE);
    kvs_set(&config, "password", SECRET_MASK);
    kvs_set(&config, "url", SECRET_MASK);
    assert_null(secrets_restore(&config, &stored));
    assert_string_equal(kvs_get(&config, "password"), "opensesame");
    assert_string_equal(kvs_get(&config, "url"), SECRET_MASK);
    kvs_set(&config, "password", SECRET_MASK);
    assert_string_equal(secrets_restore(&config, NULL), "password");
    kvs_remove(&stored, "password");
    assert_string_equal(secrets_restore(&config, &stored), "password");
    kvs_fini(&stored);
    kvs_fini(&config);
}

/* Read, edit, write: also when the class changes, a key gets another name, or a URI has the mask.
 */
static void test_masks_come_back_in_other_surroundings(void **state UNUSED)
{
    struct kvs stored;
    struct kvs config;
    fill(&stored, TEST_SOURCE);
    kvs_set(&stored, "proxy", "http://u:pw@h");
    fill(&config, "test.TestSinkConnector");
    kvs_set(&config, "password", SECRET_MASK);
    kvs_set(&config, "proxy", "http://u:" SECRET_MASK "@h");
    assert_null(secrets_restore(&config, &stored));
    assert_string_equal(kvs_get(&config, "password"), "opensesame");
    assert_string_equal(kvs_get(&config, "proxy"), "http://u:pw@h");
    cJSON *json = secrets_mask(&config, &config);
    assert_string_equal(cJSON_GetObjectItem(json, "password")->valuestring, SECRET_MASK);
    assert_string_equal(cJSON_GetObjectItem(json, "proxy")->valuestring, "http://u:[hidden]@h");
    cJSON_Delete(json);
    kvs_set(&config, "proxy", "http://u:" SECRET_MASK "@other");
    assert_string_equal(secrets_restore(&config, &stored), "proxy");
    kvs_remove(&config, "proxy");
    kvs_set(&config, "new.password", SECRET_MASK);
    assert_string_equal(secrets_restore(&config, &stored), "new.password");
    kvs_fini(&stored);
    kvs_fini(&config);
}

/* The name beside a literal says that it is secret: another name would show it. */
static void test_a_change_that_would_show_a_stored_secret_is_noticed(void **state UNUSED)
{
    static const char key[] = "transforms.a.static.value";
    struct kvs stored;
    struct kvs config;
    struct kvs given;
    fill(&stored, TEST_SOURCE);
    kvs_set(&stored, "transforms.a.static.field", "password");
    kvs_set(&stored, key, "literal");
    kvs_init(&config);
    kvs_init(&given);
    kvs_copy(&config, &stored);
    assert_null(secrets_uncovered(&config, &stored, &given));
    kvs_set(&config, "transforms.a.static.field", "x");
    assert_string_equal(secrets_uncovered(&config, &stored, &given), key);
    kvs_set(&given, key, SECRET_MASK);
    assert_string_equal(secrets_uncovered(&config, &stored, &given), key);
    assert_null(secrets_uncovered(&config, NULL, &given));
    kvs_set(&given, key, "literal");
    assert_null(secrets_uncovered(&config, &stored, &given));
    kvs_set(&given, key, "new");
    kvs_set(&config, key, "new");
    assert_null(secrets_uncovered(&config, &stored, &given));
    kvs_fini(&given);
    kvs_fini(&config);
    kvs_fini(&stored);
}

static void test_texts_are_redacted(void **state UNUSED)
{
    struct kvs config;
    fill(&config, TEST_SOURCE);
    kvs_set(&config, "x.token", "opensesame2");
    kvs_set(&config, "y.token", "abc");
    CLEANUP(free_charp)
    char *text = secrets_redact("a opensesame2 b opensesame, u abc abcd", &config);
    assert_string_equal(text, "a [hidden] b [hidden], u [hidden] abcd");
    CLEANUP(free_charp) char *nothing = secrets_redact("", &config);
    assert_string_equal(nothing, "");
    kvs_fini(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_decide_and_names_where_nothing_is_defined),
        cmocka_unit_test(test_masked_answers_hold_no_secret),
        cmocka_unit_test(test_placeholders_are_shown_but_not_what_only_looks_like_one),
        cmocka_unit_test(test_a_mask_that_comes_back_stands_for_the_stored_value),
        cmocka_unit_test(test_masks_come_back_in_other_surroundings),
        cmocka_unit_test(test_a_change_that_would_show_a_stored_secret_is_noticed),
        cmocka_unit_test(test_texts_are_redacted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
