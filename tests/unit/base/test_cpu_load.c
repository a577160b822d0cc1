/* SPDX-License-Identifier: Apache-2.0 */
/* CPU that was used, as a share of what may be used. */
#include "tests/support/unit.h"
#include "worker/base/cpu_load.h"
#include "worker/base/macros.h"

#define SECOND ((uint64_t)1000000000)

static void test_quotas_of_control_groups(void **state UNUSED)
{
    static const struct {
        const char *text;
        double cpus;
    } cases[] = {
        { "max 100000\n", 0 },
        { "50000 100000\n", 0.5 },
        { "250000 100000", 2.5 },
        { "-1\n 100000\n", 0 },
        { "20000\n 100000\n ", 0.2 },
        { "", 0 },
        { "x", 0 },
        { "50000", 0 },
        { "50000 0", 0 },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        assert_true(cpu_quota_parse(cases[i].text) == cases[i].cpus);
    }
}

static void test_a_look_is_compared_with_one_of_15_seconds_and_more(void **state UNUSED)
{
    struct cpu_load load = { { 100 * SECOND, 10 * SECOND }, { 100 * SECOND, 10 * SECOND } };
    static const struct {
        uint64_t wall_s;
        uint64_t cpu_s;
        double ratio; /* of half a CPU */
    } looks[] = {
        { 100, 10, 0 },               /* no time has gone by */
        { 110, 15, 1 },               /* 5 s of CPU in 10 s */
        { 120, 15, 0.5 },             /* 5 in 20 */
        { 130, 15, 10.0 / 30 * 1.0 }, /* 5 in 30, still against the beginning */
        { 136, 23, 2 * 8.0 / 16 },    /* 8 in 16: against the look at 120 */
        { 136, 20, 2 * 5.0 / 16 },    /* a clock that stood still is no negative load */
        { 136, 1, 0 },
    };
    for (size_t i = 0; i < N_ELEMENTS(looks); i++) {
        struct cpu_look now = { looks[i].wall_s * SECOND, looks[i].cpu_s * SECOND };
        double ratio = cpu_load_ratio(&load, now, 0.5);
        if (ratio < looks[i].ratio - 1e-9 || ratio > looks[i].ratio + 1e-9) {
            fail_msg("look %zu: %f in place of %f", i, ratio, looks[i].ratio);
        }
    }
}

static void test_a_process_that_works_shows(void **state UNUSED)
{
    struct cpu_load load;
    cpu_load_init(&load);
    volatile unsigned long sum = 0;
    double ratio = 0;
    struct cpu_look begin = cpu_look_now();
    struct cpu_look now = begin;
    while (now.cpu_ns < begin.cpu_ns + SECOND / 20) {
        sum = sum + 1;
        now = cpu_look_now();
    }
    ratio = cpu_load_ratio(&load, now, 1);
    assert_true(ratio > 0 && ratio < 1.1);
    assert_true(cpu_limit() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quotas_of_control_groups),
        cmocka_unit_test(test_a_look_is_compared_with_one_of_15_seconds_and_more),
        cmocka_unit_test(test_a_process_that_works_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
