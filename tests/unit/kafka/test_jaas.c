/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the reader of sasl.jaas.config. */
#include "tests/support/unit.h"
#include "worker/base/mem.h"
#include "worker/kafka/jaas.h"

static void assert_read(const char *text, const char *module, const char *const *options)
{
    CLEANUP(free_charp) char *found = NULL;
    CLEANUP(kvs_fini) struct kvs kvs;
    struct error error;
    kvs_init(&kvs);
    assert_int_equal(jaas_parse(text, &found, &kvs, &error), ERR_OK);
    assert_string_equal(found, module);
    size_t n = 0;
    for (; options[n * 2]; n++) {
        assert_string_equal(kvs_get(&kvs, options[n * 2]), options[n * 2 + 1]);
    }
    assert_int_equal(kvs.n_items, n);
}

static void test_jaas_parse_reads_class_and_options(void **state UNUSED)
{
    assert_read("org.apache.kafka.common.security.plain.PlainLoginModule required "
                "username=\"alice\" password=\"secret\";",
                "PlainLoginModule",
                (const char *const[]){ "username", "alice", "password", "secret", NULL });
    assert_read("  ScramLoginModule\n Required\n username = bob\tpassword='x' ; \n",
                "ScramLoginModule",
                (const char *const[]){ "username", "bob", "password", "'x'", NULL });
    assert_read("X optional;", "X", (const char *const[]){ NULL });
}

static void test_jaas_parse_reads_quotes_and_escapes(void **state UNUSED)
{
    assert_read("PlainLoginModule required username=\"a b=;c\" password=\"q\\\"\\\\z\";",
                "PlainLoginModule",
                (const char *const[]){ "username", "a b=;c", "password", "q\"\\z", NULL });
    assert_read("PlainLoginModule required password=\"\";", "PlainLoginModule",
                (const char *const[]){ "password", "", NULL });
}

static void test_jaas_parse_names_what_is_wrong_and_never_the_secret(void **state UNUSED)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        { "", "class of a login module" },
        { "   ", "class of a login module" },
        { "\"open", "class of a login module" },
        { "PlainLoginModule", "required" },
        { "PlainLoginModule username=\"hunter2\";", "required" },
        { "PlainLoginModule required password=\"hunter2\"", "semicolon" },
        { "PlainLoginModule required password=\"hunter2;", "quotes" },
        { "PlainLoginModule required hunter2;", "option=" },
        { "PlainLoginModule required =hunter2;", "option=" },
        { "PlainLoginModule required a=b; B required password=hunter2;", "one login module" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(free_charp) char *module = NULL;
        CLEANUP(kvs_fini) struct kvs kvs;
        struct error error;
        kvs_init(&kvs);
        assert_int_equal(jaas_parse(cases[i].text, &module, &kvs, &error), ERR_INVALID);
        assert_non_null(strstr(error.text, cases[i].reason));
        assert_null(strstr(error.text, "hunter2"));
        assert_null(module);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jaas_parse_reads_class_and_options),
        cmocka_unit_test(test_jaas_parse_reads_quotes_and_escapes),
        cmocka_unit_test(test_jaas_parse_names_what_is_wrong_and_never_the_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
