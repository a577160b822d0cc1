/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the regular expressions. What Java answers was taken from java.util.regex. */
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/base/regex.h"

static struct regex *compiled(const char *pattern)
{
    struct regex *regex;
    struct error error;
    if (regex_new(pattern, &regex, &error)) {
        fail_msg("%s: %s", pattern, error.text);
    }
    return regex;
}

static bool matches(const char *pattern, const char *text)
{
    CLEANUP(regex_freep) struct regex *regex = compiled(pattern);
    bool result;
    struct error error;
    if (regex_matches(regex, text, strlen(text), &result, &error)) {
        fail_msg("%s on %s: %s", pattern, text, error.text);
    }
    return result;
}

static void test_regex_matches_the_whole_text_only(void **state UNUSED)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool expected;
    } cases[] = {
        { "a", "a", true },
        { "a", "ab", false },
        { "a", "ba", false },
        { "a|ab", "ab", true },
        { ".*?", "abc", true },
        { "", "", true },
        { "", "a", false },
        { "SLUICE_[A-Z]+", "SLUICE_TOKEN", true },
        { "SLUICE_[A-Z]+", "SLUICE_TOKEN\n", false },
        { "a$", "a\n", false },
        { "a.b", "a\nb", false },
        { "(?s)a.b", "a\nb", true },
        { "(?i)abc", "aBc", true },
        { "a.b",
          "a\xE2\x82\xAC"
          "b",
          true },
        { "\\u20ac", "\xE2\x82\xAC", true },
        { "[\\u20ac]+", "\xE2\x82\xAC\xE2\x82\xAC", true },
        { "\\uD83D\\uDE00", "\xF0\x9F\x98\x80", true },
        { "\\u002A", "*", true },
        { "\\Q[a&&b]\\E", "[a&&b]", true },
        { "\\Qab", "ab", true },
        { "[a\\[]+", "a[", true },
        { "[^\\]]", "a", true },
        { "(?<name>x)\\k<name>", "xx", true },
        { "a*+a", "aaa", false },
        { "\\d+", "123", true },
        { "\\d+", "\xD9\xA1", false },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        if (matches(cases[i].pattern, cases[i].text) != cases[i].expected) {
            fail_msg("%s on '%s'", cases[i].pattern, cases[i].text);
        }
    }
}

static void refused(const char *pattern, size_t position)
{
    struct regex *regex = NULL;
    struct error error;
    assert_int_equal(regex_new(pattern, &regex, &error), ERR_INVALID);
    assert_null(regex);
    CLEANUP(free_charp)
    char *head = xasprintf("Invalid regular expression at position %zu (", position);
    if (strncmp(error.text, head, strlen(head)) != 0 || !strstr(error.text, pattern)) {
        fail_msg("%s: %s", pattern, error.text);
    }
}

static void test_regex_new_names_position_and_pattern_of_a_fault(void **state UNUSED)
{
    refused("a(b", 3);
    refused("ab)", 2);
    refused("*a", 0);
    refused("a[b", 1);
    refused("a[]b", 2);
    refused("a\\", 2);
    refused("\\u20", 0);
    refused("\\p{javaLowerCase}", 17);
    refused("\xFF", 0);
}

/* Both dialects accept these and mean different things. */
static void test_regex_new_refuses_what_would_silently_mean_something_else(void **state UNUSED)
{
    refused("[a-z&&[^b]]", 4);
    refused("[a[b]]", 2);
    refused("(*LIMIT_MATCH=9)a", 0);
    refused("x(?U)a+", 1);
    refused("(?d)a", 0);
    refused("(?iu:a)", 0);
    refused("\\Ca", 2);
}

static void test_regex_new_bounds_patterns(void **state UNUSED)
{
    struct regex *regex = NULL;
    struct error error;
    CLEANUP(free_charp) char *text = xcalloc(REGEX_PATTERN_LIMIT + 2, 1);
    memset(text, 'a', REGEX_PATTERN_LIMIT);
    regex = compiled(text);
    regex_free(regex);
    text[REGEX_PATTERN_LIMIT] = 'a';
    assert_int_equal(regex_new(text, &regex, &error), ERR_INVALID);
    memset(text, '(', 1000);
    memset(text + 1000, ')', 1000);
    text[2000] = '\0';
    assert_int_equal(regex_new(text, &regex, &error), ERR_INVALID);
    assert_int_equal(regex_new("((a{1000}){1000}){1000}", &regex, &error), ERR_INVALID);
    regex_free(NULL);
}

static void test_regex_matches_gives_up_on_a_pattern_that_explodes(void **state UNUSED)
{
    static const char *const patterns[] = { "(a+)+\\d", "(a|a)*\\d", "(.*)*(.*)*(.*)*\\d",
                                            "(?:a?){64}a{64}\\d" };
    char text[4097];
    memset(text, 'a', sizeof(text));
    text[4096] = '\0';
    for (size_t i = 0; i < N_ELEMENTS(patterns); i++) {
        CLEANUP(regex_freep) struct regex *regex = compiled(patterns[i]);
        bool result = true;
        struct error error = { 0 };
        clock_t start = clock(); /* of the processor: others may be busy */
        assert_int_equal(regex_matches(regex, text, 4096, &result, &error), ERR_INVALID);
        assert_non_null(strstr(error.text, "limit"));
        assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
    }
}

static void test_regex_matches_refuses_what_is_no_utf8(void **state UNUSED)
{
    CLEANUP(regex_freep) struct regex *regex = compiled(".*");
    bool result;
    struct error error;
    assert_int_equal(regex_matches(regex, "a\xFF", 2, &result, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "UTF-8"));
    assert_int_equal(regex_matches(regex, "a\0b", 3, &result, &error), ERR_OK);
    assert_true(result);
}

static void test_regex_replace_does_what_regexrouter_does(void **state UNUSED)
{
    static const struct {
        const char *pattern;
        const char *text;
        const char *replacement;
        const char *expected; /* NULL: no match */
    } cases[] = {
        { "(.*)", "in", "pre-$1", "pre-in" },
        { "a(b)(c)?", "ab", "$2-$1-$0", "-b-ab" },
        { "(a)", "a", "$12", "a2" },
        { "(a)", "a", "$1$1", "aa" },
        { "(?<n>a)b", "ab", "${n}!", "a!" },
        { "a.*", "abc", "\\$1\\\\", "$1\\" },
        { "a", "b", "x", NULL },
        { "a|ab", "ab", "X", "Xb" },
        { ".*?", "ab", "X", "Xab" },
        { "(.*)-(.*)", "\xE2\x82\xAC-x", "$2\xC3\xA4$1", "x\xC3\xA4\xE2\x82\xAC" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(regex_freep) struct regex *regex = compiled(cases[i].pattern);
        struct buf out;
        buf_init(&out);
        bool matched = false;
        struct error error;
        assert_int_equal(
            regex_replace(regex, cases[i].text, cases[i].replacement, &matched, &out, &error),
            ERR_OK);
        assert_int_equal(matched, cases[i].expected != NULL);
        assert_string_equal(buf_text(&out), cases[i].expected ? cases[i].expected : "");
        buf_fini(&out);
    }
}

static void test_regex_replace_refuses_bad_replacements(void **state UNUSED)
{
    static const char *const bad[][2] = {
        { "$2", "No group 2" },
        { "a$", "Illegal group reference: group index is missing" },
        { "$x", "Illegal group reference" },
        { "a\\", "character to be escaped is missing" },
        { "${n}", "No group with name {n}" },
        { "${n", "named capturing group is missing trailing '}'" },
    };
    CLEANUP(regex_freep) struct regex *regex = compiled("(a)");
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        struct error error;
        bool matched = false;
        struct buf out;
        buf_init(&out);
        assert_int_equal(regex_check_replacement(regex, bad[i][0], &error), ERR_INVALID);
        assert_string_equal(error.text, bad[i][1]);
        assert_int_equal(regex_replace(regex, "a", bad[i][0], &matched, &out, &error), ERR_INVALID);
        assert_string_equal(error.text, bad[i][1]);
        assert_int_equal(out.length, 0);
        buf_fini(&out);
    }
    struct error error;
    assert_int_equal(regex_check_replacement(regex, "x$1$0\\$", &error), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regex_matches_the_whole_text_only),
        cmocka_unit_test(test_regex_new_names_position_and_pattern_of_a_fault),
        cmocka_unit_test(test_regex_new_refuses_what_would_silently_mean_something_else),
        cmocka_unit_test(test_regex_new_bounds_patterns),
        cmocka_unit_test(test_regex_matches_gives_up_on_a_pattern_that_explodes),
        cmocka_unit_test(test_regex_matches_refuses_what_is_no_utf8),
        cmocka_unit_test(test_regex_replace_does_what_regexrouter_does),
        cmocka_unit_test(test_regex_replace_refuses_bad_replacements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
