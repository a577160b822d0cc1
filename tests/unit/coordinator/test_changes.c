/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the plans for clients' changes: what is written, what is refused and in which words. */
#include "coordinator/changes.h"
#include "tests/support/unit.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"
#include "worker/connector.h"

struct fixture {
    struct config_state *state;
    struct snapshot *snapshot;
    int64_t next_offset;
    struct out_records records;
    bool created;
    struct error error;
};

/* Plays what a plan wrote, or a test made, back into the state. */
static void play(struct fixture *fixture, const struct out_records *records)
{
    for (size_t i = 0; i < records->n_items; i++) {
        const struct out_record *item = &records->items[i];
        struct log_record record = {
            .topic = item->topic,
            .offset = fixture->next_offset++,
            .key = item->key,
            .key_length = strlen(item->key),
            .value = item->value,
            .value_length = item->value ? strlen(item->value) : 0,
        };
        config_state_fold(fixture->state, &record);
    }
    snapshot_unref(fixture->snapshot);
    fixture->snapshot = config_state_snapshot(fixture->state);
}

static void setup(struct fixture *fixture)
{
    *fixture = (struct fixture){ .state = config_state_new() };
    fixture->snapshot = config_state_snapshot(fixture->state);
    config_state_caught_up(fixture->state);
    out_records_init(&fixture->records);
}

static void teardown(struct fixture *fixture)
{
    out_records_fini(&fixture->records);
    snapshot_unref(fixture->snapshot);
    config_state_free(fixture->state);
}

static enum err plan(struct fixture *fixture, const struct cluster_request *request)
{
    out_records_fini(&fixture->records);
    out_records_init(&fixture->records);
    enum err err = change_plan(fixture->snapshot, request, 1700000000000, "id1", &fixture->records,
                               &fixture->created, &fixture->error);
    if (err != ERR_OK) {
        assert_int_equal(fixture->records.n_items, 0);
    }
    return err;
}

static const struct kvs *config_of(const char *class_name)
{
    static struct kvs config;
    kvs_fini(&config);
    kvs_init(&config);
    kvs_set(&config, "connector.class", class_name);
    kvs_set(&config, "name", "a");
    return &config;
}

static void create(struct fixture *fixture, const char *class_name)
{
    struct cluster_request request = {
        .change = CHANGE_CREATE,
        .name = "a",
        .config = config_of(class_name),
        .if_offset = -1,
    };
    assert_int_equal(plan(fixture, &request), ERR_OK);
    play(fixture, &fixture->records);
}

/* Gives connector a two committed tasks. */
static void commit_tasks(struct fixture *fixture)
{
    struct kvs configs[2];
    for (int i = 0; i < 2; i++) {
        kvs_init(&configs[i]);
        kvs_set(&configs[i], "task.class", "T");
    }
    struct out_records records;
    out_records_init(&records);
    record_tasks(&records, "a", configs, 2, snapshot_find(fixture->snapshot, "a")->config_offset,
                 0);
    play(fixture, &records);
    out_records_fini(&records);
    kvs_fini(&configs[0]);
    kvs_fini(&configs[1]);
}

static bool has_key(const struct out_records *records, const char *key)
{
    for (size_t i = 0; i < records->n_items; i++) {
        if (strcmp(records->items[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

static void test_create_with_state_writes_the_state_first(void **state UNUSED)
{
    struct fixture fixture;
    setup(&fixture);
    struct cluster_request request = {
        .change = CHANGE_CREATE,
        .name = "a",
        .config = config_of("X"),
        .target = TARGET_STOPPED,
        .has_target = true,
        .if_offset = -1,
    };
    assert_int_equal(plan(&fixture, &request), ERR_OK);
    assert_true(fixture.created);
    assert_int_equal(fixture.records.n_items, 2);
    assert_string_equal(fixture.records.items[0].key, "target-state-a");
    assert_string_equal(fixture.records.items[1].key, "connector-a");
    play(&fixture, &fixture.records);
    assert_int_equal(snapshot_find(fixture.snapshot, "a")->target, TARGET_STOPPED);
    teardown(&fixture);
}

static void test_create_of_an_existing_name_is_refused(void **state UNUSED)
{
    struct fixture fixture;
    setup(&fixture);
    create(&fixture, "X");
    struct cluster_request request = {
        .change = CHANGE_CREATE, .name = "a", .config = config_of("X"), .if_offset = -1
    };
    assert_int_equal(plan(&fixture, &request), ERR_EXISTS);
    assert_string_equal(fixture.error.text, "Connector a already exists");
    teardown(&fixture);
}

static void test_put_config_makes_or_replaces_without_a_state(void **state UNUSED)
{
    struct fixture fixture;
    setup(&fixture);
    struct cluster_request request = {
        .change = CHANGE_PUT_CONFIG, .name = "a", .config = config_of("X"), .if_offset = -1
    };
    assert_int_equal(plan(&fixture, &request), ERR_OK);
    assert_true(fixture.created);
    assert_int_equal(fixture.records.n_items, 1);
    play(&fixture, &fixture.records);
    assert_int_equal(plan(&fixture, &request), ERR_OK);
    assert_false(fixture.created);
    teardown(&fixture);
}

static void test_put_config_of_a_stale_version_conflicts(void **state UNUSED)
{
    struct fixture fixture;
    setup(&fixture);
    struct cluster_request request = {
        .change = CHANGE_PUT_CONFIG, .name = "a", .config = config_of("X"), .if_offset = 7
    };
    assert_int_equal(plan(&fixture, &request), ERR_NOT_FOUND);
    assert_string_equal(fixture.error.text, "Connector a not found");
    create(&fixture, "X");
    request.if_offset = snapshot_find(fixture.snapshot, "a")->config_offset;
    assert_int_equal(plan(&fixture, &request), ERR_OK);
    play(&fixture, &fixture.records);
    assert_int_equal(plan(&fixture, &request), ERR_CONFLICT);
    assert_string_equal(fixture.error.text,
                        "Cannot complete request momentarily due to stale configuration "
                        "(typically caused by a concurrent config change)");
    teardown(&fixture);
}

static void test_stop_empties_the_task_set_before_the_state(void **state UNUSED)
{
    struct fixture fixture;
    setup(&fixture);
    create(&fixture, "MqttSource");
    struct cluster_request request = {
        .change = CHANGE_TARGET, .name = "a", .target = TARGET_STOPPED, .if_offset = -1
    };
    assert_int_equal(plan(&fixture, &request), ERR_OK);
    assert_int_equal(fixture.records.n_items, 1); /* no tasks yet */
    commit_tasks(&fixture);
    assert_int_equal(plan(&fixture, &request), ERR_OK);
    assert_int_equal(fixture.records.n_items, 2);
    assert_string_equal(fixture.records.items[0].key, "commit-a");
    assert_non_null(strstr(fixture.records.items[0].value, "\"tasks\":0,"));
    assert_string_equal(fixture.records.items[1].key, "target-state-a");
    play(&fixture, &fixture.records);
    const struct connector_state *stopped = snapshot_find(fixture.snapshot, "a");
    assert_int_equal(stopped->n_tasks, 0);
    /* What the next set has to know of this one stays, also for the end of what tasks leave. */
    assert_non_null(stopped->last_task);
    assert_string_equal(kvs_get(stopped->last_task, "task.class"), "T");
    request.change = CHANGE_DELETE;
    assert_int_equal(plan(&fixture, &request), ERR_OK);
    const struct out_record *retire = &fixture.records.items[fixture.records.n_items - 1];
    assert_memory_equal(retire->key, "retire-a-", 9);
    assert_non_null(strstr(retire->value, "\"tasks\":[{\"task.class\":\"T\"}]"));
    play(&fixture, &fixture.records);
    create(&fixture, "MqttSource");
    assert_null(snapshot_find(fixture.snapshot, "a")->last_task);
    commit_tasks(&fixture);
    assert_null(snapshot_find(fixture.snapshot, "a")->last_task);
    teardown(&fixture);
}

static void test_delete_then_create_again_works(void **state UNUSED)
{
    struct fixture fixture;
    setup(&fixture);
    create(&fixture, "X");
    commit_tasks(&fixture);
    struct cluster_request request = { .change = CHANGE_DELETE, .name = "a", .if_offset = -1 };
    assert_int_equal(plan(&fixture, &request), ERR_OK);
    assert_true(has_key(&fixture.records, "connector-a"));
    assert_true(has_key(&fixture.records, "target-state-a"));
    play(&fixture, &fixture.records);
    assert_null(snapshot_find(fixture.snapshot, "a"));
    assert_int_equal(plan(&fixture, &request), ERR_NOT_FOUND);
    assert_string_equal(fixture.error.text, "Connector a not found");
    create(&fixture, "X");
    const struct connector_state *again = snapshot_find(fixture.snapshot, "a");
    assert_non_null(again);
    assert_int_equal(again->n_tasks, 0);
    assert_int_equal(again->target, TARGET_STARTED);
    teardown(&fixture);
}

static void test_delete_retires_only_what_ran(void **state UNUSED)
{
    struct fixture fixture;
    setup(&fixture);
    create(&fixture, "MqttSource");
    struct cluster_request request = { .change = CHANGE_DELETE, .name = "a", .if_offset = -1 };
    assert_int_equal(plan(&fixture, &request), ERR_OK);
    assert_false(has_key(&fixture.records, "retire-a-id1")); /* it never ran */
    commit_tasks(&fixture);
    assert_int_equal(plan(&fixture, &request), ERR_OK);
    assert_true(has_key(&fixture.records, "retire-a-id1"));
    play(&fixture, &fixture.records);
    assert_int_equal(fixture.snapshot->n_retirements, 1);
    teardown(&fixture);
}

static void test_unknown_connectors_are_named_in_the_words_of_the_request(void **state UNUSED)
{
    static const struct {
        enum cluster_change change;
        const char *text;
    } cases[] = {
        { CHANGE_DELETE, "Connector a not found" },
        { CHANGE_TARGET, "Unknown connector a" },
        { CHANGE_RESTART, "Unknown connector: a" },
        { CHANGE_RESTART_TASK, "Unknown connector: a" },
        { CHANGE_OFFSETS, "Connector a not found" },
    };
    struct fixture fixture;
    setup(&fixture);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct cluster_request request = { .change = cases[i].change, .name = "a" };
        assert_int_equal(plan(&fixture, &request), ERR_NOT_FOUND);
        assert_string_equal(fixture.error.text, cases[i].text);
    }
    teardown(&fixture);
}

static void test_restart_names_what_is_missing(void **state UNUSED)
{
    struct fixture fixture;
    setup(&fixture);
    create(&fixture, "X");
    commit_tasks(&fixture);
    struct cluster_request task = { .change = CHANGE_RESTART_TASK, .name = "a", .task = 2 };
    assert_int_equal(plan(&fixture, &task), ERR_NOT_FOUND);
    assert_string_equal(fixture.error.text, "Unknown task: a-2");
    task.task = 1;
    assert_int_equal(plan(&fixture, &task), ERR_OK);
    struct cluster_request all = { .change = CHANGE_RESTART, .name = "a", .include_tasks = true };
    assert_int_equal(plan(&fixture, &all), ERR_NOT_FOUND);
    assert_string_equal(fixture.error.text, "Status for connector a not found");
    all.include_tasks = false;
    assert_int_equal(plan(&fixture, &all), ERR_OK);
    assert_true(has_key(&fixture.records, "restart-connector-a"));
    teardown(&fixture);
}

static void set_status(struct fixture *fixture, int task, enum run_state state)
{
    struct status_fields fields = { .state = state, .worker_id = "w:1", .generation = 1 };
    struct out_records records;
    out_records_init(&records);
    record_status(&records, "a", task, &fields);
    play(fixture, &records);
    out_records_fini(&records);
}

static void test_offsets_change_only_when_stopped_and_at_rest(void **state UNUSED)
{
    struct fixture fixture;
    struct source_offsets offsets = { .items = NULL };
    setup(&fixture);
    source_offsets_edit(&offsets, "[\"a\",{\"p\":1}]", "{\"o\":1}");
    source_offsets_edit(&offsets, "[\"a\",{\"p\":2}]", NULL);
    struct cluster_request change = { .change = CHANGE_OFFSETS, .name = "a", .offsets = &offsets };
    create(&fixture, "MqttSource");
    commit_tasks(&fixture);
    set_status(&fixture, 1, STATE_RUNNING);
    assert_int_equal(plan(&fixture, &change), ERR_CONFLICT);
    struct cluster_request stop = { .change = CHANGE_TARGET,
                                    .name = "a",
                                    .target = TARGET_STOPPED };
    assert_int_equal(plan(&fixture, &stop), ERR_OK);
    play(&fixture, &fixture.records);
    /* Its tasks are gone from the set, but one of them still runs. */
    assert_int_equal(plan(&fixture, &change), ERR_CONFLICT);
    set_status(&fixture, 1, STATE_FAILED);
    assert_int_equal(plan(&fixture, &change), ERR_OK);
    assert_int_equal(fixture.records.n_items, 2);
    assert_int_equal(fixture.records.items[1].topic, LOG_TOPIC_OFFSET);
    assert_string_equal(fixture.records.items[0].key, "[\"a\",{\"p\":1}]");
    assert_string_equal(fixture.records.items[0].value, "{\"o\":1}");
    assert_null(fixture.records.items[1].value);
    source_offsets_fini(&offsets);
    teardown(&fixture);
}

static void test_request_copy_does_not_depend_on_the_original(void **state UNUSED)
{
    char name[] = "abc";
    struct kvs config;
    kvs_init(&config);
    kvs_set(&config, "k", "v");
    struct source_offsets offsets = { .items = NULL };
    source_offsets_edit(&offsets, "k", "v");
    struct cluster_request request = { .change = CHANGE_CREATE, .name = name };
    request.config = &config;
    request.offsets = &offsets;
    struct cluster_request *copy = cluster_request_copy(&request);
    name[0] = 'x';
    kvs_fini(&config);
    source_offsets_fini(&offsets);
    assert_string_equal(copy->name, "abc");
    assert_string_equal(kvs_get(copy->config, "k"), "v");
    assert_string_equal(copy->offsets->items[0].value, "v");
    cluster_request_free(copy);
}

/* Keys as REST adds them: the limit counts all, and what is taken is read by every worker. */
static void test_a_config_of_more_keys_than_workers_read_is_refused(void **state UNUSED)
{
    struct fixture fixture;
    setup(&fixture);
    struct kvs config;
    kvs_init(&config);
    for (int i = 0; i < JSON_MAX_MEMBERS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%d", i);
        kvs_set(&config, key, "v");
    }
    static const enum cluster_change changes[] = { CHANGE_CREATE, CHANGE_PUT_CONFIG };
    for (size_t i = 0; i < N_ELEMENTS(changes); i++) {
        struct cluster_request request = { .change = changes[i], .name = "a", .if_offset = -1 };
        kvs_set(&config, "name", "a");
        request.config = &config;
        assert_int_equal(plan(&fixture, &request), ERR_INVALID);
        assert_non_null(strstr(fixture.error.text, "4097 keys"));
        assert_non_null(strstr(fixture.error.text, "4096"));
        kvs_remove(&config, "name");
        assert_int_equal(plan(&fixture, &request), ERR_OK);
        play(&fixture, &fixture.records);
        assert_non_null(snapshot_find(fixture.snapshot, "a"));
    }
    kvs_fini(&config);
    teardown(&fixture);
}

/* Commits n tasks, each with a config of so many bytes. */
static void commit_large(struct fixture *fixture, size_t n, size_t bytes)
{
    CLEANUP(free_charp) char *text = xcalloc(bytes + 1, 1);
    memset(text, 't', bytes);
    struct kvs *configs = xcalloc(n, sizeof(*configs));
    for (size_t i = 0; i < n; i++) {
        kvs_set(&configs[i], "t", text);
    }
    struct out_records records;
    out_records_init(&records);
    record_tasks(&records, "a", configs, n, 0, 0);
    play(fixture, &records);
    out_records_fini(&records);
    connector_configs_free(configs, n);
}

static size_t largest(const struct out_records *records)
{
    size_t most = 0;
    for (size_t i = 0; i < records->n_items; i++) {
        size_t bytes = records->items[i].value ? strlen(records->items[i].value) : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
}

static void test_a_connector_of_any_size_can_be_deleted(void **state UNUSED)
{
    static const struct {
        size_t config, n_tasks, task;
        bool task_kept;
    } cases[] = {
        { 10, 100, 20000, true },
        { 900000, 2, 100000, true },
        { 1030000, 1, 100000, false }, /* of an older version: it is refused now */
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct fixture fixture;
        setup(&fixture);
        struct kvs config;
        kvs_init(&config);
        kvs_copy(&config, config_of("MqttSource"));
        CLEANUP(free_charp) char *text = xcalloc(cases[i].config + 1, 1);
        memset(text, 'c', cases[i].config);
        kvs_set(&config, "c", text);
        struct cluster_request request = { .change = CHANGE_CREATE, .name = "a", .if_offset = -1 };
        request.config = &config;
        assert_int_equal(plan(&fixture, &request), ERR_OK);
        play(&fixture, &fixture.records);
        commit_large(&fixture, cases[i].n_tasks, cases[i].task);
        request.change = CHANGE_PUT_CONFIG; /* the same again */
        assert_int_equal(plan(&fixture, &request), cases[i].task_kept ? ERR_OK : ERR_TOO_LARGE);
        request = (struct cluster_request){ .change = CHANGE_DELETE, .name = "a" };
        assert_int_equal(plan(&fixture, &request), ERR_OK);
        assert_true(largest(&fixture.records) <= CONNECTOR_RECORD_LIMIT);
        play(&fixture, &fixture.records);
        assert_int_equal(fixture.snapshot->n_retirements, 1);
        assert_int_equal(fixture.snapshot->retirements[0].n_task_configs, cases[i].task_kept);
        kvs_fini(&config);
        teardown(&fixture);
    }
}

static void test_a_config_that_no_record_can_hold_is_refused(void **state UNUSED)
{
    struct fixture fixture;
    setup(&fixture);
    CLEANUP(free_charp) char *text = xcalloc(CONNECTOR_RECORD_LIMIT + 1, 1);
    memset(text, 'c', CONNECTOR_RECORD_LIMIT);
    struct kvs config;
    kvs_init(&config);
    kvs_set(&config, "c", text);
    struct cluster_request request = { .change = CHANGE_CREATE, .name = "a", .if_offset = -1 };
    request.config = &config;
    assert_int_equal(plan(&fixture, &request), ERR_TOO_LARGE);
    assert_non_null(strstr(fixture.error.text, "record connector-a"));
    kvs_fini(&config);
    teardown(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_with_state_writes_the_state_first),
        cmocka_unit_test(test_create_of_an_existing_name_is_refused),
        cmocka_unit_test(test_put_config_makes_or_replaces_without_a_state),
        cmocka_unit_test(test_put_config_of_a_stale_version_conflicts),
        cmocka_unit_test(test_stop_empties_the_task_set_before_the_state),
        cmocka_unit_test(test_delete_then_create_again_works),
        cmocka_unit_test(test_delete_retires_only_what_ran),
        cmocka_unit_test(test_unknown_connectors_are_named_in_the_words_of_the_request),
        cmocka_unit_test(test_restart_names_what_is_missing),
        cmocka_unit_test(test_offsets_change_only_when_stopped_and_at_rest),
        cmocka_unit_test(test_a_config_of_more_keys_than_workers_read_is_refused),
        cmocka_unit_test(test_a_connector_of_any_size_can_be_deleted),
        cmocka_unit_test(test_a_config_that_no_record_can_hold_is_refused),
        cmocka_unit_test(test_request_copy_does_not_depend_on_the_original),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
