/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays many schedules of faults and requests on simulated clusters, several one after the other on
 * each. Environment: SLUICE_SIM_SCHEDULES, how many; TEST_SEED, the first seed. With one argument,
 * a seed, it plays that cluster and prints what happens.
 */
#include "tests/sim/sim.h"
#include "tests/support/unit.h"

/* Of one cluster. */
#define SCHEDULES 20
#define CHAOS_MS  3000

/* What fits into the time of each kind of build, about 20 s of one core: a schedule takes 2.5 ms;
 * sanitizers are slower by a factor of ten and more, and look for other things. tests/sim/run plays
 * a hundred thousand with an optimised build; the seed differs from run to run. */
#ifdef SLUICE_SANITIZED
#define DEFAULT_SCHEDULES 400
#else
#define DEFAULT_SCHEDULES 8000
#endif

static struct sim_options options_of(uint64_t seed)
{
    return (struct sim_options){
        .seed = seed,
        .n_schedules = SCHEDULES,
        /* Now and then a longer time, in which more things meet. */
        .chaos_ms = seed % 16 == 0 ? 5 * CHAOS_MS : CHAOS_MS,
    };
}

static void test_every_schedule_keeps_the_rules_and_comes_to_rest(void **state UNUSED)
{
    struct random random;
    random_init(&random);
    const char *text = getenv("SLUICE_SIM_SCHEDULES");
    unsigned long n_schedules = text ? strtoul(text, NULL, 10) : DEFAULT_SCHEDULES;
    uint64_t first = random.state;
    unsigned n_failed = 0;
    for (unsigned long i = 0; i * SCHEDULES < n_schedules && n_failed < 5; i++) {
        char failure[512];
        struct sim_options options = options_of(first + i);
        if (!sim_run(&options, failure)) {
            print_error("%s\n", failure);
            n_failed++;
        }
    }
    assert_int_equal(n_failed, 0);
}

/* Each check can see what it is there for: a bug that breaks its rule is found out. */
static void test_planted_bugs_are_noticed(void **state UNUSED)
{
    static const char *const texts[] = {
#define X(name, text) [SIM_BUG_##name] = text,
        SIM_BUGS(X)
#undef X
    };
    for (int bug = SIM_BUG_NONE + 1; bug < SIM_BUG_N; bug++) {
        bool noticed = false;
        char failure[512] = "";
        for (uint64_t seed = 1; seed <= 400 && !noticed; seed++) {
            struct sim_options options = options_of(seed * 16); /* long ones */
            options.bug = (enum sim_bug)bug;
            options.n_schedules = 2;
            noticed = !sim_run(&options, failure) && strstr(failure, texts[bug]);
        }
        if (!noticed) {
            print_error("\"%s\" is not noticed; the last failure: %s\n", texts[bug], failure);
        }
        assert_true(noticed);
    }
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
        cmocka_unit_test(test_every_schedule_keeps_the_rules_and_comes_to_rest),
        cmocka_unit_test(test_planted_bugs_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
