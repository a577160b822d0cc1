/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what librdkafka's lines about the join state mean. */
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/kafka/join_state.h"

static void test_states(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool joins;
    } rows[] = {
        { "Group \"g\" changed join state steady -> init (state up)", true },
        { "Group \"g\" changed join state init -> wait-join (state up)", true },
        { "Group \"g\" changed join state wait-join -> wait-metadata (state up)", true },
        { "Group \"g\" changed join state wait-metadata -> wait-sync (state up)", true },
        { "Group \"g\" changed join state wait-sync -> wait-assign-call (state up)", false },
        { "Group \"g\" changed join state wait-sync -> wait-unassign-call (state up)", false },
        { "Group \"g\" changed join state wait-assign-call -> steady (state up)", false },
        { "something else", false },
        { "", false },
    };
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        assert_int_equal(join_state_joins(rows[i].line), rows[i].joins);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
