/* SPDX-License-Identifier: Apache-2.0 */
/* Levels of loggers in the config topic: those of before the start do not count. */
#include "coordinator/config_loggers.h"
#include "coordinator/config_state.h"
#include "coordinator/records.h"
#include "tests/support/unit.h"
#include "tests/unit/coordinator/fold.h"
#include "worker/base/loggers.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

static int64_t next_offset;

static int setup(void **state)
{
    *state = config_state_new();
    next_offset = 0;
    return 0;
}

static int teardown(void **state)
{
    config_state_free(*state);
    return 0;
}

static void fold(struct config_state *state, const char *key, const char *value)
{
    (void)fold_record(state, &next_offset, LOG_TOPIC_CONFIG, key, value);
}

/* The threshold of a name in the newest snapshot; -99: not set. */
static int level_of(struct config_state *state, const char *name)
{
    struct snapshot *snapshot = config_state_snapshot(state);
    const struct cluster_level *level = cluster_levels_find(snapshot->levels, name);
    int threshold = level ? level->threshold : -99;
    snapshot_unref(snapshot);
    return threshold;
}

static void test_levels_of_the_history_are_ignored(void **state)
{
    fold(*state, "logger-cluster-root", "{\"level\":\"DEBUG\"}");
    config_state_caught_up(*state);
    assert_int_equal(level_of(*state, "root"), -99);
    fold(*state, "logger-cluster-root", "{\"level\":\"WARN\"}");
    assert_int_equal(level_of(*state, "root"), LOG_WARN);
}

static void test_levels_are_read_in_any_case_and_the_last_one_counts(void **state)
{
    config_state_caught_up(*state);
    fold(*state, "logger-cluster-org.foo", "{\"level\":\"trace\"}");
    struct snapshot *before = config_state_snapshot(*state);
    fold(*state, "logger-cluster-org.foo", "{\"level\":\"Off\"}");
    fold(*state, "logger-cluster-root", "{\"level\":\"INFO\"}");
    assert_int_equal(level_of(*state, "org.foo"), LOGGER_OFF);
    assert_int_equal(level_of(*state, "root"), LOG_INFO);
    assert_int_equal(before->levels->n_items, 1);
    assert_int_equal(before->levels->items[0].threshold, LOG_TRACE);
    snapshot_unref(before);
}

static void test_wrong_levels_are_ignored(void **state)
{
    config_state_caught_up(*state);
    fold(*state, "logger-cluster-root", "{\"level\":\"LOUD\"}");
    fold(*state, "logger-cluster-root", "{\"level\":5}");
    fold(*state, "logger-cluster-root", "{}");
    fold(*state, "logger-cluster-root", "x");
    assert_int_equal(config_state_ignored(*state), 4);
    fold(*state, "logger-cluster-root", NULL);
    assert_int_equal(level_of(*state, "root"), -99);
}

static void test_names_are_bounded(void **state)
{
    config_state_caught_up(*state);
    for (int i = 0; i < 2 * LOGGERS_MAX_MORE; i++) {
        CLEANUP(free_charp) char *key = xasprintf("logger-cluster-n%d", i);
        fold(*state, key, "{\"level\":\"INFO\"}");
    }
    struct snapshot *snapshot = config_state_snapshot(*state);
    assert_int_equal(snapshot->levels->n_items, LOGGERS_MAX_MORE + LOGGER_N);
    snapshot_unref(snapshot);
    fold(*state, "logger-cluster-n3", "{\"level\":\"WARN\"}");
    assert_int_equal(level_of(*state, "n3"), LOG_WARN);
}

static void test_a_level_is_written_as_connect_reads_it(void **state UNUSED)
{
    struct out_records records;
    out_records_init(&records);
    record_logger(&records, "org.foo", logger_level_name(LOG_DEBUG));
    assert_int_equal(records.items[0].topic, LOG_TOPIC_CONFIG);
    assert_string_equal(records.items[0].key, "logger-cluster-org.foo");
    assert_string_equal(records.items[0].value, "{\"level\":\"DEBUG\"}");
    out_records_fini(&records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels_of_the_history_are_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(test_levels_are_read_in_any_case_and_the_last_one_counts,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_levels_are_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_are_bounded, setup, teardown),
        cmocka_unit_test(test_a_level_is_written_as_connect_reads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
