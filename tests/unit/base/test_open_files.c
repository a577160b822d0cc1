/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the limit of open files. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/support/unit.h"
#include "worker/base/open_files.h"

static void test_soft_limit_becomes_the_hard_one(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t hard = limit.rlim_max;
    limit.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(open_files_raise(), hard);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, hard);
    assert_int_equal(open_files_raise(), hard);
}

static void test_error_names_the_limit_and_the_mend(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 77;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct error error = { ERR_OK, "" };
    assert_int_equal(open_files_error(&error, "the task's eventfd", EMFILE), ERR_UNAVAILABLE);
    assert_int_equal(error.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(error.text, "the task's eventfd: no open file is left of the 77 "));
    assert_non_null(strstr(error.text, "ulimit -n"));
    assert_int_equal(open_files_error(&error, "x", ENOMEM), ERR_UNAVAILABLE);
    assert_string_equal(error.text, "x: Cannot allocate memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_soft_limit_becomes_the_hard_one),
        cmocka_unit_test(test_error_names_the_limit_and_the_mend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
