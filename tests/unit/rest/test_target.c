/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request targets, decoded and refused.
 *
 * fakes: fake_cluster
 */
#include "rest/target.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

static void test_segments_are_decoded_one_by_one(void **state UNUSED)
{
    struct target target;
    assert_int_equal(target_parse("/connectors/a%2Fb%25c%5Cd%3B/config", &target, NULL), ERR_OK);
    assert_int_equal(target.n_segments, 3);
    assert_string_equal(target.segments[1], "a/b%c\\d;");
    target_fini(&target);
}

static void test_plus_is_a_space_in_a_query_only(void **state UNUSED)
{
    struct target target;
    assert_int_equal(target_parse("/a+b?c+d=e+f", &target, NULL), ERR_OK);
    assert_string_equal(target.segments[0], "a+b");
    assert_string_equal(target_query(&target, "c d"), "e f");
    target_fini(&target);
}

static void test_semicolon_cuts_a_segment(void **state UNUSED)
{
    struct target target;
    assert_int_equal(target_parse("/connectors;v=1/a;x=1", &target, NULL), ERR_OK);
    assert_string_equal(target.segments[0], "connectors");
    assert_string_equal(target.segments[1], "a");
    target_fini(&target);
}

static void test_root_slash_at_the_end_and_absolute_form(void **state UNUSED)
{
    static const struct {
        const char *text;
        size_t n_segments;
    } cases[] = { { "/", 0 },          { "/?a=b", 0 },           { "/connectors/", 1 },
                  { "http://h:1", 0 }, { "http://h/health", 1 }, { "/a#x?y", 1 } };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct target target;
        assert_int_equal(target_parse(cases[i].text, &target, NULL), ERR_OK);
        assert_int_equal(target.n_segments, cases[i].n_segments);
        target_fini(&target);
    }
}

static void test_bad_targets_are_refused(void **state UNUSED)
{
    static const char *const cases[] = {
        "",       "*",   "a",       "//",      "/a//b",      "/%00",       "/?a=%0A", "/?%7F",
        "/%",     "/%4", "/%ZZ",    "/%FF",    "/%C0%AF",    "/%ED%A0%80", "/\xff",   "/a b",
        "/a\x01", "/;x", "/?a=%00", "/?a=%ZZ", "http://h?x", "/a/;/b",
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct target target = { .n_segments = 0 };
        struct error error = { ERR_OK, "" };
        if (target_parse(cases[i], &target, &error) != ERR_INVALID) {
            fail_msg("case %zu '%s' was taken", i, cases[i]);
        }
        assert_string_not_equal(error.text, "");
    }
}

static void test_deep_paths_are_not_found_and_long_queries_refused(void **state UNUSED)
{
    struct target target;
    assert_int_equal(target_parse("/1/2/3/4/5/6/7/8/9", &target, NULL), ERR_NOT_FOUND);
    struct buf text;
    buf_init(&text);
    buf_add_text(&text, "/?");
    for (int i = 0; i <= TARGET_MAX_QUERY; i++) {
        buf_printf(&text, "p%d&", i);
    }
    assert_int_equal(target_parse(buf_text(&text), &target, NULL), ERR_INVALID);
    buf_fini(&text);
}

static void test_control_characters_are_noticed(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool has_control;
    } cases[] = { { "/a%0Ab", true }, { "/a/%7F", true }, { "/a/b", false } };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct target target;
        assert_int_equal(target_parse(cases[i].text, &target, NULL), ERR_OK);
        assert_int_equal(target.has_control, cases[i].has_control);
        target_fini(&target);
    }
}

static void test_a_segment_is_encoded_for_a_location(void **state UNUSED)
{
    struct buf text;
    buf_init(&text);
    percent_encode_segment(&text, "a b/c%d?e;f\\{g}\n=+&@:,'(!)*$");
    assert_string_equal(buf_text(&text), "a%20b%2Fc%25d%3Fe%3Bf%5C%7Bg%7D%0A=+&@:,'(!)*$");
    buf_fini(&text);
}

static void test_flags_are_read_as_java_booleans(void **state UNUSED)
{
    struct target target;
    assert_int_equal(target_parse("/?a=TRUE&b=garbage&c", &target, NULL), ERR_OK);
    assert_true(target_flag(&target, "a", false));
    assert_false(target_flag(&target, "b", true));
    assert_true(target_flag(&target, "c", true));
    assert_true(target_flag(&target, "d", true));
    target_fini(&target);
}

static void test_encoding_is_undone_by_parsing(void **state UNUSED)
{
    static const char name[] = "a/b%c d?e&f=g;h\\->\xc3\xa4+#.~";
    struct buf text;
    buf_init(&text);
    buf_add_char(&text, '/');
    percent_encode(&text, name);
    struct target target;
    assert_int_equal(target_parse(buf_text(&text), &target, NULL), ERR_OK);
    assert_int_equal(target.n_segments, 1);
    assert_string_equal(target.segments[0], name);
    target_fini(&target);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments_are_decoded_one_by_one),
        cmocka_unit_test(test_plus_is_a_space_in_a_query_only),
        cmocka_unit_test(test_semicolon_cuts_a_segment),
        cmocka_unit_test(test_root_slash_at_the_end_and_absolute_form),
        cmocka_unit_test(test_bad_targets_are_refused),
        cmocka_unit_test(test_deep_paths_are_not_found_and_long_queries_refused),
        cmocka_unit_test(test_control_characters_are_noticed),
        cmocka_unit_test(test_a_segment_is_encoded_for_a_location),
        cmocka_unit_test(test_flags_are_read_as_java_booleans),
        cmocka_unit_test(test_encoding_is_undone_by_parsing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
