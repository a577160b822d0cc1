/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays many short lives of a cluster. Environment: SLUICE_SIM_SEEDS, how many; TEST_SEED, the
 * first one. With one argument, a seed, it plays that one and prints what happens.
 */
#include "tests/sim/sim.h"
#include "tests/support/unit.h"

#ifdef SLUICE_SANITIZED
#define DEFAULT_SEEDS 100
#else
#define DEFAULT_SEEDS 2000
#endif

static struct sim_options options_of(uint64_t seed)
{
    return (struct sim_options){
        .seed = seed,
        .handover_ms = SIM_HANDOVER,
        .chaos_ms = 20000,
    };
}

static void test_every_seed_keeps_the_rules_and_comes_to_rest(void **state UNUSED)
{
    struct random random;
    random_init(&random);
    const char *text = getenv("SLUICE_SIM_SEEDS");
    unsigned long n_seeds = text ? strtoul(text, NULL, 10) : DEFAULT_SEEDS;
    uint64_t first = random.state;
    unsigned n_failed = 0;
    for (unsigned long i = 0; i < n_seeds && n_failed < 5; i++) {
        char failure[512];
        struct sim_options options = options_of(first + i);
        if (!sim_run(&options, failure)) {
            print_error("%s\n", failure);
            n_failed++;
        }
    }
    assert_int_equal(n_failed, 0);
}

/* The checks can see a broken rule: cores that do not wait for the old owner are found out. */
static void test_a_missing_hand_over_is_noticed(void **state UNUSED)
{
    bool noticed = false;
    for (uint64_t seed = 1; seed <= 300 && !noticed; seed++) {
        char failure[512];
        struct sim_options options = options_of(seed);
        options.handover_ms = 0;
        noticed = !sim_run(&options, failure) && strstr(failure, "still has a thread");
    }
    assert_true(noticed);
}

/* The same for a task that does not wait until another one has given up its sessions. */
static void test_a_session_in_two_tasks_is_noticed(void **state UNUSED)
{
    bool noticed = false;
    for (uint64_t seed = 1; seed <= 300 && !noticed; seed++) {
        char failure[512];
        struct sim_options options = options_of(seed);
        options.handover_ms = 0;
        noticed = !sim_run(&options, failure) && strstr(failure, "still holds them");
    }
    assert_true(noticed);
}

int main(int argc, char **argv)
{
    if (argc == 2) {
        char failure[512];
        struct sim_options options = options_of(strtoull(argv[1], NULL, 10));
        options.trace = true;
        bool passed = sim_run(&options, failure);
        printf("%s\n", passed ? "passed" : failure);
        return passed ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_seed_keeps_the_rules_and_comes_to_rest),
        cmocka_unit_test(test_a_missing_hand_over_is_noticed),
        cmocka_unit_test(test_a_session_in_two_tasks_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
