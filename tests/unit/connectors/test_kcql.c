/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken of KCQL, and what is said of the rest. */
#include <string.h>

#include "tests/support/random.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/connectors/kcql.h"

static void good(enum connector_type type, const char *text, const char *target,
                 const char *sources)
{
    struct kcql kcql;
    struct error error = { ERR_OK, "" };
    if (kcql_parse(type, text, &kcql, &error) != ERR_OK) {
        fail_msg("%s: %s", text, error.text);
    }
    assert_string_equal(kcql.target, target);
    size_t n = 0;
    char all[200] = "";
    for (size_t i = 0; i < kcql.sources.n_items; i++) {
        n +=
            (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", i ? "," : "", kcql.sources.items[i]);
    }
    assert_string_equal(all, sources);
    kcql_fini(&kcql);
}

static void test_statements_are_read(void **state UNUSED)
{
    good(CONNECTOR_SOURCE, "INSERT INTO k SELECT * FROM a/#", "k", "a/#");
    good(CONNECTOR_SOURCE, " insert  into `k-1`\nselect * from `$share/g/+/b`; ", "k-1",
         "$share/g/+/b");
    good(CONNECTOR_SOURCE, "INSERT INTO k SELECT * FROM a;INSERT INTO k SELECT * FROM b/c;;", "k",
         "a,b/c");
    good(CONNECTOR_SOURCE,
         "INSERT INTO k SELECT * FROM a WITHCONVERTER="
         "`io.lenses.streamreactor.connect.converters.source.BytesConverter`",
         "k", "a");
    good(CONNECTOR_SINK, "INSERT INTO `/plant/x` SELECT * FROM t", "/plant/x", "t");
}

static void test_a_field_may_have_the_target(void **state UNUSED)
{
    struct kcql kcql;
    assert_int_equal(kcql_parse(CONNECTOR_SINK,
                                "INSERT INTO `a.b` SELECT * FROM t "
                                "PROPERTIES('mqtt.target.from.field'='true')",
                                &kcql, NULL),
                     ERR_OK);
    assert_true(kcql.target_is_field);
    kcql_fini(&kcql);
}

static void test_what_is_not_taken_is_named(void **state UNUSED)
{
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        { "", "there is no statement" },
        { " ; ", "there is no statement" },
        { "SELECT * FROM a", "'SELECT' stands where 'INSERT' must" },
        { "INSERT INTO k SELECT a, b FROM c", "'a' stands where '*' must" },
        { "INSERT INTO k SELECT * FROM", "a name is missing" },
        { "INSERT INTO `k SELECT * FROM a", "no closing `" },
        { "INSERT INTO k SELECT * FROM `a,b`", "a comma in 'a,b'" },
        { "INSERT INTO k SELECT * FROM a; INSERT INTO l SELECT * FROM b", "make a connector" },
        { "INSERT INTO k SELECT * FROM a WITHKEY (x)", "WITHKEY is not read here" },
        { "INSERT INTO k SELECT * FROM a WITHREGEX=`x`", "RegexRouter" },
        { "INSERT INTO k SELECT * FROM a WITHCONVERTER=`x.AvroConverter`", "set value.converter" },
        { "INSERT INTO k SELECT * FROM a BATCH = 10", "'BATCH' is not read here" },
        { "INSERT INTO k SELECT * FROM a PROPERTIES('x'='y')", "property x is not known" },
        { "INSERT INTO k SELECT * FROM a PROPERTIES('x'", "stands where '=' must" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct kcql kcql;
        struct error error = { ERR_OK, "" };
        assert_int_equal(kcql_parse(CONNECTOR_SOURCE, cases[i].text, &kcql, &error), ERR_INVALID);
        if (!strstr(error.text, cases[i].error)) {
            fail_msg("%s: %s", cases[i].text, error.text);
        }
    }
}

/* Pieces of statements in any order, cut off anywhere. */
static void test_no_text_upsets_it(void **state UNUSED)
{
    static const char *const pieces[] = { "INSERT ", "INTO ", "k ",  "SELECT ",   "* ", "FROM ",
                                          "`a/#` ",  ";",     "'x'", "=",         "(",  ")",
                                          ",",       "`",     "'",   "PROPERTIES" };
    struct random random;
    random_init(&random);
    for (int i = 0; i < 20000; i++) {
        char text[400] = "INSERT INTO k SELECT * FROM a ";
        size_t keep = random_below(&random, strlen(text) + 1);
        text[keep] = '\0';
        for (size_t n = random_below(&random, 12); n > 0; n--) {
            const char *piece = pieces[random_below(&random, N_ELEMENTS(pieces))];
            (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", piece);
        }
        struct kcql kcql;
        enum connector_type type = i % 2 ? CONNECTOR_SINK : CONNECTOR_SOURCE;
        if (kcql_parse(type, text, &kcql, NULL) == ERR_OK) {
            assert_non_null(kcql.target);
            assert_true(kcql.sources.n_items >= 1);
            kcql_fini(&kcql);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements_are_read),
        cmocka_unit_test(test_a_field_may_have_the_target),
        cmocka_unit_test(test_what_is_not_taken_is_named),
        cmocka_unit_test(test_no_text_upsets_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
