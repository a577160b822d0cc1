/* SPDX-License-Identifier: Apache-2.0 */
/* Records byte for byte as Kafka Connect writes them, and what the fold makes of each. */
#include "coordinator/config_entry.h"
#include "coordinator/records.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"

static int setup(void **state)
{
    struct out_records *records = xcalloc(1, sizeof(*records));
    out_records_init(records);
    *state = records;
    return 0;
}

static int teardown(void **state)
{
    out_records_fini(*state);
    free(*state);
    return 0;
}

static void expect(const struct out_records *records, size_t i, const char *key, const char *value)
{
    assert_true(i < records->n_items);
    assert_string_equal(records->items[i].key, key);
    if (value) {
        assert_string_equal(records->items[i].value, value);
    } else {
        assert_null(records->items[i].value);
    }
}

static void test_record_connector_writes_properties(void **state)
{
    struct kvs config;
    kvs_init(&config);
    kvs_set(&config, "connector.class", "X");
    kvs_set(&config, "quote\"", "line\nbreak");
    kvs_set(&config, "null", NULL);
    record_connector(*state, "a-b", &config);
    kvs_fini(&config);
    expect(*state, 0, "connector-a-b",
           "{\"properties\":{\"connector.class\":\"X\",\"quote\\\"\":\"line\\nbreak\","
           "\"null\":null}}");
}

static void test_record_target_writes_both_versions(void **state)
{
    record_target(*state, "a", TARGET_STARTED);
    record_target(*state, "a", TARGET_PAUSED);
    record_target(*state, "a", TARGET_STOPPED);
    expect(*state, 0, "target-state-a", "{\"state\":\"STARTED\",\"state.v2\":\"STARTED\"}");
    expect(*state, 1, "target-state-a", "{\"state\":\"PAUSED\",\"state.v2\":\"PAUSED\"}");
    expect(*state, 2, "target-state-a", "{\"state\":\"PAUSED\",\"state.v2\":\"STOPPED\"}");
}

static void test_record_tasks_ends_with_the_commit(void **state)
{
    struct kvs configs[2];
    kvs_init(&configs[0]);
    kvs_init(&configs[1]);
    kvs_set(&configs[0], "task.class", "T");
    record_tasks(*state, "a", configs, 2, 9007199254740993, 7);
    expect(*state, 0, "task-a-0", "{\"properties\":{\"task.class\":\"T\"}}");
    expect(*state, 1, "task-a-1", "{\"properties\":{}}");
    expect(*state, 2, "commit-a",
           "{\"tasks\":2,\"config-offset\":9007199254740993,\"division\":7}");
    kvs_fini(&configs[0]);
}

static void test_record_status_writes_every_field(void **state)
{
    struct status_fields status = {
        .state = STATE_RUNNING,
        .worker_id = "10.0.0.5:8083",
        .version = "4.1.1",
        .generation = 7,
        .division = -1,
    };
    record_status(*state, "a", -1, &status);
    status.division = 12;
    record_status(*state, "a", 2, &status);
    status.division = -1;
    status.state = STATE_FAILED;
    status.trace = "boom";
    status.version = NULL;
    record_status(*state, "a", 3, &status);
    record_status_gone(*state, "a", -1);
    record_status_gone(*state, "a", 3);
    expect(*state, 0, "status-connector-a",
           "{\"state\":\"RUNNING\",\"trace\":null,\"worker_id\":\"10.0.0.5:8083\","
           "\"generation\":7,\"version\":\"4.1.1\"}");
    expect(*state, 1, "status-task-a-2",
           "{\"state\":\"RUNNING\",\"trace\":null,\"worker_id\":\"10.0.0.5:8083\","
           "\"generation\":7,\"version\":\"4.1.1\",\"division\":12}");
    expect(*state, 2, "status-task-a-3",
           "{\"state\":\"FAILED\",\"trace\":\"boom\",\"worker_id\":\"10.0.0.5:8083\","
           "\"generation\":7,\"version\":null}");
    expect(*state, 3, "status-connector-a", NULL);
    expect(*state, 4, "status-task-a-3", NULL);
}

static void test_other_records(void **state)
{
    const struct seat seats[] = { { 3, MOVE_PLACED, { 0, 0 } },
                                  { -1, MOVE_BALANCE, { 0, 0 } },
                                  { 63, MOVE_FAILOVER, { 0, 0 } } };
    record_placement(*state, "a", seats, 3);
    record_restart(*state, "a", true, false);
    record_restart_task(*state, "a", 2);
    record_leader(*state, "w:1", "http://w:1", "i");
    record_retired(*state, "a", "x1");
    record_offset(*state, "a\"", "{\"z\":1,\"b\":2}", "{\"o\":1}");
    record_offset(*state, "a", "{}", NULL);
    expect(*state, 0, "placement-a",
           "{\"slots\":[3,-1,63],\"why\":[\"placed\",\"balance\",\"failover\"]}");
    expect(*state, 1, "restart-connector-a", "{\"include-tasks\":true,\"only-failed\":false}");
    expect(*state, 2, "restart-task-a-2", "{}");
    expect(*state, 3, "leader",
           "{\"worker_id\":\"w:1\",\"url\":\"http://w:1\",\"instance\":\"i\"}");
    expect(*state, 4, "retire-a-x1", NULL);
    expect(*state, 5, "[\"a\\\"\",{\"z\":1,\"b\":2}]", "{\"o\":1}");
    expect(*state, 6, "[\"a\",{}]", NULL);
}

static void test_record_delete_leaves_tasks_and_commit_as_connect_does(void **state)
{
    char name[] = "a";
    struct connector_state connector = { .name = name, .has_config = true, .n_tasks = 2 };
    record_delete(*state, &connector);
    static const char *const keys[] = { "connector-a", "target-state-a", "placement-a" };
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        expect(*state, i, keys[i], NULL);
    }
    assert_int_equal(((struct out_records *)*state)->n_items, N_ELEMENTS(keys));
}

static void test_states_have_names_and_are_read_back(void **state UNUSED)
{
    for (int i = STATE_UNASSIGNED; i <= STATE_RESTARTING; i++) {
        enum run_state parsed = STATE_UNASSIGNED;
        assert_true(run_state_parse(run_state_name((enum run_state)i), &parsed));
        assert_int_equal(parsed, i);
    }
    for (int i = TARGET_STARTED; i <= TARGET_STOPPED; i++) {
        enum target_state parsed = TARGET_STARTED;
        assert_true(target_state_parse(target_state_name((enum target_state)i), &parsed));
        assert_int_equal(parsed, i);
    }
    enum run_state run_state = STATE_PAUSED;
    assert_false(run_state_parse("running", &run_state));
    assert_int_equal(run_state, STATE_PAUSED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_record_connector_writes_properties),
        TEST(test_record_target_writes_both_versions),
        TEST(test_record_tasks_ends_with_the_commit),
        TEST(test_record_status_writes_every_field),
        TEST(test_other_records),
        TEST(test_record_delete_leaves_tasks_and_commit_as_connect_does),
        TEST(test_states_have_names_and_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
