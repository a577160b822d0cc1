/* SPDX-License-Identifier: Apache-2.0 */
/* See no_files.h. */
#include "tests/support/no_files.h"

#include <unistd.h>

#include "tests/support/unit.h"

rlim_t no_files_begin(void)
{
    struct rlimit limit;
    /* No number below it is free. */
    int lowest = dup(STDERR_FILENO);
    assert_true(lowest >= 0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

void no_files_end(rlim_t before)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = before;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
