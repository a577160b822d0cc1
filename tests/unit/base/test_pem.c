/* SPDX-License-Identifier: Apache-2.0 */
/* PEM blocks as people write them, and how libraries want them. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/base/pem.h"

static void test_blocks_are_put_into_lines(void **state UNUSED)
{
    static const struct {
        const char *given;
        const char *tidy; /* NULL: no PEM */
    } cases[] = {
        { "-----BEGIN A----- AAAA BBBB -----END A-----",
          "-----BEGIN A-----\nAAAABBBB\n-----END A-----\n" },
        { "text\n-----BEGIN A-----\nAAAA\n-----END A-----\nmore\n-----BEGIN B-----\nBB==\n"
          "-----END B-----\n",
          "-----BEGIN A-----\nAAAA\n-----END A-----\n-----BEGIN B-----\nBB==\n-----END B-----\n" },
        { "-----BEGIN A-----\nProc-Type: 4\nX: y\n\nAAAA\n-----END A-----\n",
          "-----BEGIN A-----\nProc-Type: 4\nX: y\n\nAAAA\n-----END A-----\n" },
        { "-----BEGIN A-----\nAAAA\n", NULL },
        { "-----BEGIN A", NULL },
        { "AAAA", NULL },
        { "", NULL },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(free_charp) char *tidy = pem_tidy(cases[i].given);
        if (cases[i].tidy) {
            assert_non_null(tidy);
            assert_string_equal(tidy, cases[i].tidy);
        } else {
            assert_null(tidy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_put_into_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
