/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of name lookups that do not block. */
#include <poll.h>
#include <string.h>

#include "tests/support/no_files.h"
#include "tests/support/unit.h"
#include "worker/mqtt/resolve.h"

static void wait_done(struct resolve *resolve)
{
    struct pollfd fd = { .fd = resolve_fd(resolve), .events = POLLIN };
    assert_int_equal(poll(&fd, 1, 30000), 1);
    assert_true(resolve_done(resolve));
}

static void test_numeric_address_is_answered_at_once(void **state)
{
    (void)state;
    struct resolve *resolve = resolve_start("127.0.0.1");
    assert_true(resolve_done(resolve));
    struct resolve_answer answer;
    assert_int_equal(resolve_answer(resolve, &answer, NULL), ERR_OK);
    assert_int_equal(answer.n_addresses, 1);
    assert_string_equal(answer.address[0], "127.0.0.1");
    resolve_drop(resolve);
}

static void test_name_is_answered_through_the_descriptor(void **state)
{
    (void)state;
    struct resolve *resolve = resolve_start("localhost");
    wait_done(resolve);
    struct resolve_answer answer;
    assert_int_equal(resolve_answer(resolve, &answer, NULL), ERR_OK);
    assert_true(answer.n_addresses >= 1);
    resolve_drop(resolve);
}

static void test_unknown_name_is_an_error_that_names_it(void **state)
{
    (void)state;
    struct resolve *resolve = resolve_start("no-such-host.invalid");
    wait_done(resolve);
    struct resolve_answer answer;
    struct error error = { ERR_OK, "" };
    assert_int_equal(resolve_answer(resolve, &answer, &error), ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "no-such-host.invalid"));
    resolve_drop(resolve);
}

static void test_question_can_be_dropped_before_the_answer(void **state)
{
    (void)state;
    resolve_drop(resolve_start("no-such-host.invalid"));
    resolve_drop(NULL);
}

static void test_without_a_descriptor_the_answer_is_an_error_at_once(void **state)
{
    (void)state;
    /* What is answered at once shares a descriptor, which is there by now. */
    struct resolve *numeric = resolve_start("127.0.0.1");
    wait_done(numeric);
    resolve_drop(numeric);
    rlim_t before = no_files_begin();
    struct resolve *resolve = resolve_start("localhost");
    no_files_end(before);
    wait_done(resolve);
    struct resolve_answer answer;
    struct error error = { ERR_OK, "" };
    assert_int_equal(resolve_answer(resolve, &answer, &error), ERR_UNAVAILABLE);
    assert_non_null(strstr(error.text, "host localhost cannot be looked up: no open file is left"));
    resolve_drop(resolve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numeric_address_is_answered_at_once),
        cmocka_unit_test(test_name_is_answered_through_the_descriptor),
        cmocka_unit_test(test_unknown_name_is_an_error_that_names_it),
        cmocka_unit_test(test_question_can_be_dropped_before_the_answer),
        cmocka_unit_test(test_without_a_descriptor_the_answer_is_an_error_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
