/* SPDX-License-Identifier: Apache-2.0 */
/* Folding of records, in Connect's and in our own shapes, well-formed and hostile. */
#include "coordinator/config_offsets.h"
#include "coordinator/config_state.h"
#include "coordinator/records.h"
#include "tests/support/random.h"
#include "tests/support/unit.h"
#include "tests/unit/coordinator/fold.h"
#include "worker/base/clock.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"

struct fixture {
    struct config_state *state;
    struct snapshot *snapshot; /* the newest that a test asked for */
    int64_t offset;
};

static int setup(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    fixture->state = config_state_new();
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    snapshot_unref(fixture->snapshot);
    config_state_free(fixture->state);
    free(fixture);
    return 0;
}

static int64_t fold_topic(struct fixture *f, enum log_topic topic, const char *key,
                          const char *value)
{
    return fold_record(f->state, &f->offset, topic, key, value);
}

static int64_t fold(struct fixture *f, const char *key, const char *value)
{
    return fold_topic(f, LOG_TOPIC_CONFIG, key, value);
}

static void fold_status(struct fixture *f, const char *key, const char *value)
{
    (void)fold_topic(f, LOG_TOPIC_STATUS, key, value);
}

static void fold_all(struct fixture *f, struct out_records *records)
{
    fold_records(f->state, &f->offset, records);
}

static const struct snapshot *look(struct fixture *f)
{
    snapshot_unref(f->snapshot);
    f->snapshot = config_state_snapshot(f->state);
    return f->snapshot;
}

static const struct connector_state *find(struct fixture *f, const char *name)
{
    return snapshot_find_any(look(f), name);
}

static void test_fold_reads_connectors_task_sets(void **state)
{
    struct fixture *f = *state;
    fold(f, "connector-a-b", "{\"properties\":{\"connector.class\":\"X\",\"name\":\"a-b\"}}");
    fold(f, "task-a-b-0", "{\"properties\":{\"task.class\":\"T\",\"n\":\"0\"}}");
    fold(f, "task-a-b-1", "{\"properties\":{\"task.class\":\"T\",\"n\":\"1\"}}");
    assert_false(find(f, "a-b")->committed);
    assert_int_equal(find(f, "a-b")->n_tasks, 0);
    fold(f, "commit-a-b", "{\"tasks\":2}");
    const struct connector_state *connector = find(f, "a-b");
    assert_true(connector->has_config);
    assert_true(connector->committed);
    assert_false(connector->inconsistent);
    assert_int_equal(connector->n_tasks, 2);
    assert_int_equal(connector->config_offset, 0);
    assert_int_equal(connector->commit_offset, 3);
    assert_int_equal(connector->tasks_config_offset, -1);
    assert_string_equal(kvs_get(&connector->tasks[1].config, "n"), "1");
    assert_int_equal(connector->tasks[1].slot, -1);
    assert_int_equal(connector->target, TARGET_STARTED);
    assert_ptr_equal(snapshot_find(f->snapshot, "a-b"), connector);
    assert_null(snapshot_find(f->snapshot, "a"));
}

static void test_commit_without_all_tasks_is_inconsistent_until_a_full_one_comes(void **state)
{
    struct fixture *f = *state;
    fold(f, "connector-a", "{\"properties\":{}}");
    fold(f, "task-a-1", "{\"properties\":{\"n\":\"1\"}}");
    fold(f, "commit-a", "{\"tasks\":2}");
    assert_true(find(f, "a")->inconsistent);
    assert_int_equal(find(f, "a")->n_tasks, 0);
    /* The task record that came before the failed commit does not count for the next one. */
    fold(f, "task-a-0", "{\"properties\":{\"n\":\"0\"}}");
    fold(f, "commit-a", "{\"tasks\":2}");
    assert_true(find(f, "a")->inconsistent);
    fold(f, "task-a-0", "{\"properties\":{\"n\":\"0\"}}");
    fold(f, "task-a-1", "{\"properties\":{\"n\":\"1\"}}");
    fold(f, "commit-a", "{\"tasks\":2,\"config-offset\":0}");
    assert_false(find(f, "a")->inconsistent);
    assert_int_equal(find(f, "a")->n_tasks, 2);
    assert_int_equal(find(f, "a")->tasks_config_offset, 0);
}

static void test_commit_of_an_unknown_connector_is_forgotten(void **state)
{
    struct fixture *f = *state;
    fold(f, "task-a-0", "{\"properties\":{\"n\":\"old\"}}");
    fold(f, "commit-a", "{\"tasks\":1}");
    fold(f, "connector-a", "{\"properties\":{}}");
    assert_false(find(f, "a")->committed);
    fold(f, "commit-a", "{\"tasks\":1}");
    assert_true(find(f, "a")->inconsistent);
}

static void test_task_records_before_their_connector_are_kept(void **state)
{
    struct fixture *f = *state;
    fold(f, "task-a-0", "{\"properties\":{\"n\":\"0\"}}");
    fold(f, "connector-a", "{\"properties\":{}}");
    fold(f, "commit-a", "{\"tasks\":1}");
    assert_int_equal(find(f, "a")->n_tasks, 1);
}

static void test_task_records_of_deleted_connectors_leave_nothing(void **state)
{
    struct fixture *f = *state;
    struct config_state *old = f->state;
    f->state = config_state_new();
    config_state_free(old);
    fold(f, "task-gone-0", "{\"properties\":{\"n\":\"0\"}}");
    fold(f, "task-gone-1", "{\"properties\":{\"n\":\"1\"}}");
    fold(f, "commit-gone", "{\"tasks\":1}");
    fold(f, "task-here-0", "{\"properties\":{}}");
    fold(f, "connector-here", "{\"properties\":{}}");
    config_state_caught_up(f->state);
    fold(f, "task-gone-0", "{\"properties\":{}}");
    fold(f, "commit-here", "{\"tasks\":1,\"division\":9}");
    assert_int_equal(find(f, "here")->n_tasks, 1);
    assert_int_equal(find(f, "here")->division, 9);
    struct snapshot *snapshot = config_state_snapshot(f->state);
    assert_int_equal(snapshot->n_connectors, 1);
    snapshot_unref(snapshot);
}

static void test_target_states_prefer_the_second_version(void **state)
{
    struct fixture *f = *state;
    fold(f, "target-state-a", "{\"state\":\"PAUSED\",\"state.v2\":\"STOPPED\"}");
    assert_int_equal(find(f, "a")->target, TARGET_STOPPED);
    assert_false(find(f, "a")->has_config);
    fold(f, "connector-a", "{\"properties\":{}}");
    assert_int_equal(find(f, "a")->target, TARGET_STOPPED);
    fold(f, "target-state-a", "{\"state\":\"PAUSED\"}");
    assert_int_equal(find(f, "a")->target, TARGET_PAUSED);
    fold(f, "target-state-a", "{\"state\":\"ASLEEP\"}");
    assert_int_equal(find(f, "a")->target, TARGET_PAUSED);
    fold(f, "target-state-a", NULL);
    assert_int_equal(find(f, "a")->target, TARGET_STARTED);
}

static void test_deletion_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    fold(f, "connector-a", "{\"properties\":{}}");
    fold(f, "task-a-0", "{\"properties\":{}}");
    fold(f, "commit-a", "{\"tasks\":1}");
    fold(f, "placement-a", "{\"slots\":[3]}");
    fold_status(f, "status-task-a-0", "{\"state\":\"RUNNING\",\"worker_id\":\"w:1\"}");
    assert_int_equal(find(f, "a")->tasks[0].slot, 3);
    struct out_records records;
    out_records_init(&records);
    record_delete(&records, find(f, "a"));
    fold_all(f, &records);
    assert_false(find(f, "a")->has_config);
    assert_int_equal(find(f, "a")->n_extra_statuses, 1);
    fold_status(f, "status-task-a-0", NULL);
    assert_int_equal(look(f)->n_connectors, 0);
}

static void test_restart_requests_count_only_after_the_history(void **state)
{
    struct fixture *f = *state;
    fold(f, "connector-a", "{\"properties\":{}}");
    fold(f, "task-a-0", "{\"properties\":{}}");
    fold(f, "commit-a", "{\"tasks\":1}");
    fold(f, "restart-connector-a", "{\"include-tasks\":true,\"only-failed\":false}");
    fold(f, "restart-task-a-0", "{}");
    assert_int_equal(find(f, "a")->restart.offset, -1);
    assert_int_equal(find(f, "a")->tasks[0].restart_offset, -1);
    config_state_caught_up(f->state);
    int64_t task = fold(f, "restart-task-a-0", "{}");
    assert_int_equal(find(f, "a")->tasks[0].restart_offset, task);
    int64_t all = fold(f, "restart-connector-a", "{\"include-tasks\":true}");
    assert_int_equal(find(f, "a")->restart.offset, all);
    assert_true(find(f, "a")->restart.include_tasks);
    assert_false(find(f, "a")->restart.only_failed);
    assert_int_equal(find(f, "a")->tasks[0].restart_offset, all);
    int64_t failed =
        fold(f, "restart-connector-a", "{\"include-tasks\":true,\"only-failed\":true}");
    assert_int_equal(find(f, "a")->restart_failed_offset, failed);
    assert_int_equal(find(f, "a")->tasks[0].restart_offset, all);
}

static void test_statuses_are_read_and_extra_ones_listed(void **state)
{
    struct fixture *f = *state;
    fold(f, "connector-a", "{\"properties\":{}}");
    fold(f, "task-a-0", "{\"properties\":{}}");
    fold(f, "commit-a", "{\"tasks\":1}");
    fold_status(f, "status-connector-a",
                "{\"state\":\"FAILED\",\"trace\":\"boom\",\"worker_id\":\"w:1\","
                "\"generation\":7,\"version\":\"1\"}");
    fold_status(f, "status-task-a-0", "{\"state\":\"RUNNING\",\"trace\":null,\"worker_id\":\"w\"}");
    fold_status(f, "status-task-a-5", "{\"state\":\"UNASSIGNED\"}");
    fold_status(f, "status-task-a-0", "{\"state\":\"DESTROYED\"}");
    const struct connector_state *connector = find(f, "a");
    assert_int_equal(connector->status->state, STATE_FAILED);
    assert_string_equal(connector->status->trace, "boom");
    assert_string_equal(connector->status->worker_id, "w:1");
    assert_int_equal(connector->status->generation, 7);
    assert_string_equal(connector->status->version, "1");
    assert_int_equal(connector->tasks[0].status->state, STATE_RUNNING);
    assert_null(connector->tasks[0].status->trace);
    assert_null(connector->tasks[0].status->version);
    assert_int_equal(connector->n_extra_statuses, 1);
    assert_int_equal(connector->extra_statuses[0].task, 5);
}

static void test_snapshots_share_what_did_not_change(void **state)
{
    struct fixture *f = *state;
    fold(f, "connector-a", "{\"properties\":{\"x\":\"1\"}}");
    fold(f, "connector-b", "{\"properties\":{}}");
    struct snapshot *first = config_state_snapshot(f->state);
    struct snapshot *same = config_state_snapshot(f->state);
    assert_ptr_equal(first, same);
    snapshot_unref(same);
    fold(f, "connector-a", "{\"properties\":{\"x\":\"2\"}}");
    struct snapshot *second = config_state_snapshot(f->state);
    assert_ptr_not_equal(first, second);
    assert_ptr_equal(snapshot_find(first, "b"), snapshot_find(second, "b"));
    assert_string_equal(kvs_get(&snapshot_find(first, "a")->config, "x"), "1");
    assert_string_equal(kvs_get(&snapshot_find(second, "a")->config, "x"), "2");
    assert_int_equal(second->config_position, 3);
    snapshot_unref(first);
    snapshot_unref(second);
}

/* Should a writer ever add a key behind its own check, no worker may lose the connector for it. */
static void test_a_few_more_keys_than_writers_give_are_read(void **state)
{
    struct fixture *f = *state;
    struct kvs config;
    kvs_init(&config);
    for (int i = 0; i < JSON_MAX_MEMBERS + 8; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%d", i);
        kvs_set(&config, key, "v");
    }
    struct out_records records;
    out_records_init(&records);
    record_connector(&records, "many", &config);
    fold_all(f, &records);
    assert_int_equal(find(f, "many")->config.n_items, JSON_MAX_MEMBERS + 8);
    record_retire(&records, find(f, "many"), "1", 1);
    fold_all(f, &records);
    assert_int_equal(look(f)->n_retirements, 1);
    kvs_fini(&config);
}

static void test_retirements_come_sorted_and_go(void **state)
{
    struct fixture *f = *state;
    struct out_records records;
    out_records_init(&records);
    fold(f, "connector-x-y", "{\"properties\":{\"k\":\"v\"}}");
    fold(f, "task-x-y-0", "{\"properties\":{\"t\":\"0\"}}");
    fold(f, "commit-x-y", "{\"tasks\":1}");
    record_retire(&records, find(f, "x-y"), "id2", 1700000000123);
    record_retire(&records, find(f, "x-y"), "id1", 5);
    fold_all(f, &records);
    const struct snapshot *snapshot = look(f);
    assert_int_equal(snapshot->n_retirements, 2);
    assert_string_equal(snapshot->retirements[0].id, "id1");
    const struct retirement *retirement = &snapshot->retirements[1];
    assert_string_equal(retirement->name, "x-y");
    assert_string_equal(kvs_get(&retirement->config, "k"), "v");
    assert_int_equal(retirement->n_task_configs, 1);
    assert_string_equal(kvs_get(&retirement->task_configs[0], "t"), "0");
    assert_true(retirement->requested_ms == 1700000000123);
    out_records_init(&records);
    record_retired(&records, "x-y", "id1");
    fold_all(f, &records);
    assert_int_equal(look(f)->n_retirements, 1);
}

static void test_leader_record_is_read(void **state)
{
    struct fixture *f = *state;
    assert_null(look(f)->leader.worker_id);
    struct out_records records;
    out_records_init(&records);
    record_leader(&records, "w:1", "http://w:1", "i1");
    fold_all(f, &records);
    assert_string_equal(look(f)->leader.worker_id, "w:1");
    assert_string_equal(look(f)->leader.url, "http://w:1");
    assert_string_equal(look(f)->leader.instance, "i1");
}

static void test_offsets_are_found_whatever_the_spacing(void **state)
{
    struct fixture *f = *state;
    (void)fold_topic(f, LOG_TOPIC_OFFSET, "[\"a\", {\"k\" : 1}]", "{\"o\": 5}");
    assert_string_equal(config_state_offset(f->state, "a", "{\"k\":1}"), "{\"o\": 5}");
    assert_null(config_state_offset(f->state, "b", "{\"k\":1}"));
    assert_null(config_state_offset(f->state, "a", "nonsense"));
    struct out_records records;
    out_records_init(&records);
    record_offset(&records, "a", "{\"k\":1}", "{\"o\":6}");
    assert_string_equal(records.items[0].key, "[\"a\",{\"k\":1}]");
    fold_all(f, &records);
    assert_string_equal(config_state_offset(f->state, "a", "{\"k\":1}"), "{\"o\":6}");
    out_records_init(&records);
    record_offset(&records, "a", "{\"k\":1}", NULL);
    fold_all(f, &records);
    assert_null(config_state_offset(f->state, "a", "{\"k\":1}"));
}

static void test_malformed_records_are_counted_and_change_nothing(void **state)
{
    static const char *const bad[][2] = {
        { "", "{}" },
        { "garbage-key-1", NULL },
        { "connector-", "{\"properties\":{}}" },
        { "connector-a", "{\"properties\":{\"x\":{}}}" },
        { "connector-a", "{\"properties\":[]}" },
        { "connector-a", "[]" },
        { "connector-a", "{" },
        { "connector-a", "" },
        { "task-a", "{\"properties\":{}}" },
        { "task-a-", "{\"properties\":{}}" },
        { "task--1", "{\"properties\":{}}" },
        { "task-a-x", "{\"properties\":{}}" },
        { "task-a-100000", "{\"properties\":{}}" },
        { "task-a-99999999999999999999", "{\"properties\":{}}" },
        { "commit-a", "{\"tasks\":-1}" },
        { "commit-a", "{\"tasks\":1e300}" },
        { "commit-a", "{\"tasks\":\"1\"}" },
        { "commit-a", "{}" },
        { "target-state-a", "{\"state\":5}" },
        { "placement-a", "{\"slots\":5}" },
        { "placement-a", "{}" },
        { "retire-a", "{}" },
        { "retire-a-1", "{\"config\":{},\"tasks\":5}" },
        { "retire-a-1", "{\"config\":{},\"tasks\":[5]}" },
        { "leader", "{\"worker_id\":5}" },
    };
    struct fixture *f = *state;
    fold(f, "connector-a", "{\"properties\":{\"x\":\"1\"}}");
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        uint64_t before = config_state_ignored(f->state);
        fold(f, bad[i][0], bad[i][1]);
        assert_int_equal(config_state_ignored(f->state), before + 1);
    }
    const struct connector_state *connector = find(f, "a");
    assert_int_equal(look(f)->n_connectors, 1);
    assert_int_equal(look(f)->n_retirements, 0);
    assert_int_equal(connector->config_offset, 0);
    assert_false(connector->committed);
    assert_int_equal(f->snapshot->config_position, (int64_t)N_ELEMENTS(bad) + 1);
}

static void test_known_keys_of_connect_are_no_errors(void **state)
{
    struct fixture *f = *state;
    fold(f, "session-key", "{\"key\":\"x\"}");
    fold(f, "tasks-fencing-a", "{\"task-count\":3}");
    fold(f, "logger-cluster-x", "{\"level\":\"DEBUG\"}");
    assert_int_equal(look(f)->n_connectors, 0);
    fold_status(f, "status-topic-t:connector-c", "{\"topic\":{\"name\":\"t\"}}");
    assert_int_equal(config_state_ignored(f->state), 0);
    assert_false(look(f)->connectors[0]->has_config);
}

static void test_illegal_slots_are_no_slots(void **state)
{
    struct fixture *f = *state;
    fold(f, "connector-a", "{\"properties\":{}}");
    for (int i = 0; i < 5; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "task-a-%d", i);
        fold(f, key, "{\"properties\":{}}");
    }
    fold(f, "commit-a", "{\"tasks\":5}");
    fold(f, "placement-a", "{\"slots\":[-1,1e99,\"x\",2.5]}");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(find(f, "a")->tasks[i].slot, -1);
    }
}

static const char *const seeds[][2] = {
    { "connector-a", "{\"properties\":{\"connector.class\":\"X\",\"name\":\"a\"}}" },
    { "target-state-a", "{\"state\":\"PAUSED\",\"state.v2\":\"STOPPED\"}" },
    { "task-a-0", "{\"properties\":{\"task.class\":\"T\"}}" },
    { "task-a-1", "{\"properties\":{\"task.class\":\"T\"}}" },
    { "commit-a", "{\"tasks\":2,\"config-offset\":3}" },
    { "restart-connector-a", "{\"include-tasks\":true,\"only-failed\":true}" },
    { "restart-task-a-1", "{}" },
    { "placement-a", "{\"slots\":[1,2,3]}" },
    { "retire-a-7", "{\"config\":{\"a\":\"b\"},\"tasks\":[{\"c\":\"d\"}],\"requested_ms\":1}" },
    { "leader", "{\"worker_id\":\"w\",\"url\":\"u\",\"instance\":\"i\"}" },
    { "status-connector-a", "{\"state\":\"FAILED\",\"trace\":\"t\",\"worker_id\":\"w\"}" },
    { "status-task-a-9", "{\"state\":\"RUNNING\",\"worker_id\":\"w\",\"generation\":1}" },
    { "[\"a\",{\"k\":1}]", "{\"o\":5}" },
};

static size_t mutate(struct random *random, char *text, size_t length)
{
    size_t n = random_below(random, 4);
    for (size_t i = 0; i < n && length > 0; i++) {
        size_t at = random_below(random, length);
        switch (random_below(random, 3)) {
        case 0:
            text[at] = (char)random_next(random);
            break;
        case 1:
            text[at] = "{}[]\",:-0123456789"[random_below(random, 18)];
            break;
        default:
            memmove(text + at, text + at + 1, length - at - 1);
            length--;
            break;
        }
    }
    return length;
}

static void test_hostile_records_never_hurt(void **state)
{
    struct fixture *f = *state;
    struct random random;
    random_init(&random);
    config_state_caught_up(f->state);
    for (int i = 0; i < 60000; i++) {
        char key[128];
        char value[256];
        size_t k = random_below(&random, N_ELEMENTS(seeds));
        size_t v = random_below(&random, 5) ? k : random_below(&random, N_ELEMENTS(seeds));
        (void)snprintf(key, sizeof(key), "%s", seeds[k][0]);
        (void)snprintf(value, sizeof(value), "%s", seeds[v][1]);
        struct log_record record = {
            .topic = (enum log_topic)random_below(&random, 3),
            .offset = (int64_t)random_below(&random, 1000) - 10,
            .key = key,
            .key_length = mutate(&random, key, strlen(key)),
            .value = random_below(&random, 8) ? value : NULL,
            .value_length = mutate(&random, value, strlen(value)),
        };
        config_state_fold(f->state, &record);
        if (random_below(&random, 50) == 0) {
            const struct snapshot *snapshot = look(f);
            for (size_t c = 1; c < snapshot->n_connectors; c++) {
                assert_true(
                    strcmp(snapshot->connectors[c - 1]->name, snapshot->connectors[c]->name) < 0);
            }
        }
    }
    /* The same state still takes sound records. */
    fold(f, "connector-sound", "{\"properties\":{\"x\":\"1\"}}");
    assert_true(find(f, "sound")->has_config);
}

static void test_a_long_history_is_folded_fast(void **state)
{
    struct fixture *f = *state;
    uint64_t begin_ms = clock_mono_ms();
    for (int i = 0; i < 100000; i++) {
        char key[64];
        (void)snprintf(key, sizeof(key), i % 2 ? "status-connector-c%d" : "connector-c%d",
                       i % 10000);
        if (i % 2) {
            fold_status(f, key,
                        "{\"state\":\"RUNNING\",\"trace\":null,\"worker_id\":\"10.0.0.5:8083\","
                        "\"generation\":7,\"version\":\"4.1.1\"}");
        } else {
            fold(f, key,
                 "{\"properties\":{\"connector.class\":\"MqttSource\",\"name\":\"c\","
                 "\"tasks.max\":\"4\",\"mqtt.server.uri\":\"tcp://broker:1883\"}}");
        }
    }
    uint64_t fold_ms = clock_mono_ms() - begin_ms;
    assert_int_equal(look(f)->n_connectors, 10000);
    begin_ms = clock_mono_ms();
    for (int i = 0; i < 100; i++) {
        fold_status(f, "status-connector-c7", "{\"state\":\"PAUSED\",\"worker_id\":\"w\"}");
        (void)look(f);
    }
    uint64_t look_ms = clock_mono_ms() - begin_ms;
    print_message("fold of 100000 records: %llu ms, 100 snapshots of 10000 connectors: %llu ms\n",
                  (unsigned long long)fold_ms, (unsigned long long)look_ms);
    /* Generous bounds: they are to find quadratic work, not a busy machine. */
    assert_true(fold_ms < 20000);
    assert_true(look_ms < 10000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fold_reads_connectors_task_sets),
        TEST(test_commit_without_all_tasks_is_inconsistent_until_a_full_one_comes),
        TEST(test_commit_of_an_unknown_connector_is_forgotten),
        TEST(test_task_records_before_their_connector_are_kept),
        TEST(test_task_records_of_deleted_connectors_leave_nothing),
        TEST(test_target_states_prefer_the_second_version),
        TEST(test_deletion_leaves_nothing),
        TEST(test_restart_requests_count_only_after_the_history),
        TEST(test_statuses_are_read_and_extra_ones_listed),
        TEST(test_snapshots_share_what_did_not_change),
        TEST(test_a_few_more_keys_than_writers_give_are_read),
        TEST(test_retirements_come_sorted_and_go),
        TEST(test_leader_record_is_read),
        TEST(test_offsets_are_found_whatever_the_spacing),
        TEST(test_malformed_records_are_counted_and_change_nothing),
        TEST(test_known_keys_of_connect_are_no_errors),
        TEST(test_illegal_slots_are_no_slots),
        TEST(test_hostile_records_never_hurt),
        TEST(test_a_long_history_is_folded_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
