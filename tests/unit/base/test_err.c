/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of error codes and error texts. */
#include "tests/support/unit.h"
#include "worker/base/err.h"
#include "worker/base/utf8.h"

static const enum err all[] = {
#define X(name, text, http, retriable) ERR_##name,
#include "worker/base/err.def"
#undef X
};

static void test_err_rows_have_names_texts_and_http_errors(void **state UNUSED)
{
    for (size_t i = 0; i < N_ELEMENTS(all); i++) {
        assert_true(err_name(all[i])[0] != '\0');
        assert_true(err_text(all[i])[0] != '\0');
        assert_in_range(err_http(all[i]), i == 0 ? 200 : 400, i == 0 ? 200 : 599);
    }
    assert_string_equal(err_name(ERR_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(err_text(ERR_NOT_FOUND), "not found");
    assert_int_equal(err_http(ERR_NOT_FOUND), 404);
    assert_false(err_retriable(ERR_NOT_FOUND));
    assert_true(err_retriable(ERR_UNAVAILABLE));
    assert_int_equal(ERR_OK, 0);
}

static void test_error_set_returns_the_code_and_takes_null(void **state UNUSED)
{
    struct error error = { ERR_OK, "" };
    assert_int_equal(error_set(&error, ERR_INVALID, "key %s", "a"), ERR_INVALID);
    assert_int_equal(error.code, ERR_INVALID);
    assert_string_equal(error.text, "key a");
    assert_int_equal(error_set(NULL, ERR_IO, "x"), ERR_IO);
    assert_int_equal(error_prefix(NULL, ERR_IO, "x"), ERR_IO);
}

static void test_error_prefix_goes_before_the_text(void **state UNUSED)
{
    struct error error;
    (void)error_set(&error, ERR_IO, "refused");
    assert_int_equal(error_prefix(&error, ERR_UNAVAILABLE, "connect"), ERR_UNAVAILABLE);
    assert_string_equal(error.text, "connect: refused");
    assert_int_equal(error.code, ERR_UNAVAILABLE);
}

static void test_error_set_cuts_long_texts_at_a_character(void **state UNUSED)
{
    char text[3000];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'a', shift);
        for (size_t i = shift; i + 4 < sizeof(text); i += 4) {
            memcpy(text + i, "\xF0\x9F\x98\x80", 5);
        }
        struct error error;
        (void)error_set(&error, ERR_INVALID, "%s", text);
        size_t length = strlen(error.text);
        assert_in_range(length, sizeof(error.text) - 5, sizeof(error.text) - 1);
        assert_true(utf8_valid(error.text, length));
        (void)error_prefix(&error, ERR_INVALID, "p");
        assert_true(utf8_valid(error.text, strlen(error.text)));
    }
}

static void test_error_set_keeps_a_text_that_just_fits(void **state UNUSED)
{
    struct error error;
    char text[sizeof(error.text) + 1];
    memset(text, 'x', sizeof(text));
    text[sizeof(error.text) - 1] = '\0';
    memcpy(text + sizeof(error.text) - 3, "\xC3\xA9", 2);
    (void)error_set(&error, ERR_INVALID, "%s", text);
    assert_string_equal(error.text, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err_rows_have_names_texts_and_http_errors),
        cmocka_unit_test(test_error_set_returns_the_code_and_takes_null),
        cmocka_unit_test(test_error_prefix_goes_before_the_text),
        cmocka_unit_test(test_error_set_cuts_long_texts_at_a_character),
        cmocka_unit_test(test_error_set_keeps_a_text_that_just_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
