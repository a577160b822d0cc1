/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka topics of connectors: Connect's records folded, shared, forgotten. */
#include <time.h>

#include "coordinator/config_state.h"
#include "coordinator/config_topics.h"
#include "coordinator/records.h"
#include "tests/support/unit.h"
#include "tests/unit/coordinator/fold.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

struct fixture {
    struct config_state *state;
    int64_t offset;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->state = config_state_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    config_state_free(f->state);
    free(f);
    return 0;
}

static void fold(struct fixture *f, enum log_topic topic, const char *key, const char *value)
{
    (void)fold_record(f->state, &f->offset, topic, key, value);
}

static void fold_all(struct fixture *f, struct out_records *records)
{
    fold_records(f->state, &f->offset, records);
}

static void use(struct fixture *f, const char *name, int task, const char *topic)
{
    struct out_records records;
    out_records_init(&records);
    record_topic_use(&records, name, task, topic, 1700000000000);
    fold_all(f, &records);
}

static void forget(struct fixture *f, const char *name, const char *topic)
{
    struct out_records records;
    out_records_init(&records);
    record_topic_unused(&records, name, topic);
    fold_all(f, &records);
}

/* The topics of a connector in the newest snapshot, joined by a space. Owned. */
static char *topics_of(struct fixture *f, const char *name)
{
    struct snapshot *snapshot = config_state_snapshot(f->state);
    const struct connector_state *connector = snapshot_find_any(snapshot, name);
    char *text = xstrdup("");
    for (size_t i = 0; connector && connector->topics && i < connector->topics->n_items; i++) {
        char *longer =
            xasprintf("%s%s%s", text, i > 0 ? " " : "", connector->topics->items[i]->name);
        free(text);
        text = longer;
    }
    snapshot_unref(snapshot);
    return text;
}

#define assert_topics(f, name, expected)                                                           \
    do {                                                                                           \
        CLEANUP(free_charp) char *found_topics = topics_of((f), (name));                           \
        assert_string_equal(found_topics, (expected));                                             \
    } while (0)

static void test_a_use_is_written_as_connect_writes_it(void **state UNUSED)
{
    struct out_records records;
    out_records_init(&records);
    record_topic_use(&records, "my-connector-1", 3, "t.x", 1700000000000);
    assert_int_equal(records.items[0].topic, LOG_TOPIC_STATUS);
    assert_string_equal(records.items[0].key, "status-topic-t.x:connector-my-connector-1");
    assert_string_equal(records.items[0].value,
                        "{\"topic\":{\"name\":\"t.x\",\"connector\":\"my-connector-1\",\"task\":3,"
                        "\"discoverTimestamp\":1700000000000}}");
    out_records_fini(&records);
}

static void test_topics_are_sorted_and_belong_to_their_connector(void **state)
{
    struct fixture *f = *state;
    use(f, "a", 0, "t2");
    use(f, "a", 1, "t1");
    use(f, "a", 2, "t1");
    use(f, "b:connector-a", 0, "t3");
    assert_topics(f, "a", "t1 t2");
    assert_topics(f, "b:connector-a", "t3");
    assert_true(config_state_uses(f->state, "a", "t1"));
    assert_false(config_state_uses(f->state, "a", "t3"));
    assert_false(config_state_uses(f->state, "c", "t1"));
}

static void test_only_what_was_known_counts_as_removed(void **state)
{
    struct fixture *f = *state;
    use(f, "a", 0, "t");
    forget(f, "a", "other");
    forget(f, "b", "t");
    assert_int_equal(config_state_topic_removals(f->state), 0);
    use(f, "a", 0, "t");
    assert_int_equal(config_state_topic_removals(f->state), 0);
    forget(f, "a", "t");
    assert_int_equal(config_state_topic_removals(f->state), 1);
    assert_topics(f, "a", "");
    struct snapshot *snapshot = config_state_snapshot(f->state);
    assert_int_equal(snapshot->n_connectors, 0);
    snapshot_unref(snapshot);
}

static void test_a_snapshot_keeps_the_topics_that_it_had(void **state)
{
    struct fixture *f = *state;
    use(f, "a", 0, "t1");
    struct snapshot *old = config_state_snapshot(f->state);
    use(f, "a", 0, "t2");
    forget(f, "a", "t1");
    assert_topics(f, "a", "t2");
    assert_int_equal(old->connectors[0]->topics->n_items, 1);
    assert_string_equal(old->connectors[0]->topics->items[0]->name, "t1");
    snapshot_unref(old);
}

static void test_deletion_of_a_connector_writes_its_topics_off(void **state)
{
    struct fixture *f = *state;
    fold(f, LOG_TOPIC_CONFIG, "connector-a", "{\"properties\":{\"name\":\"a\"}}");
    use(f, "a", 0, "t1");
    use(f, "a", 0, "t2");
    struct snapshot *snapshot = config_state_snapshot(f->state);
    struct out_records records;
    out_records_init(&records);
    record_delete(&records, snapshot_find(snapshot, "a"));
    fold_all(f, &records);
    snapshot_unref(snapshot);
    assert_topics(f, "a", "");
}

static void test_wrong_records_are_ignored(void **state)
{
    struct fixture *f = *state;
    static const char *const values[] = {
        "{}", "{\"topic\":\"t\"}", "{\"topic\":{}}", "{\"topic\":{\"name\":\"other\"}}", "[]", "x",
    };
    for (size_t i = 0; i < N_ELEMENTS(values); i++) {
        fold(f, LOG_TOPIC_STATUS, "status-topic-t:connector-a", values[i]);
    }
    fold(f, LOG_TOPIC_STATUS, "status-topic-t", "{\"topic\":{\"name\":\"t\"}}");
    fold(f, LOG_TOPIC_STATUS, "status-topic-:connector-a", "{\"topic\":{\"name\":\"\"}}");
    fold(f, LOG_TOPIC_STATUS, "status-topic-t:connector-", "{\"topic\":{\"name\":\"t\"}}");
    assert_int_equal(config_state_ignored(f->state), N_ELEMENTS(values) + 3);
    assert_topics(f, "a", "");
    /* What is not needed may be wrong. */
    fold(f, LOG_TOPIC_STATUS, "status-topic-t:connector-a",
         "{\"topic\":{\"name\":\"t\",\"task\":-5,\"discoverTimestamp\":\"x\"}}");
    assert_topics(f, "a", "t");
}

/* What this thread has used of the CPU. */
static uint64_t used_ms(void)
{
    struct timespec used = { 0, 0 };
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used), 0);
    return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

static void test_ten_thousand_connectors_share_all_but_the_one_that_changed(void **state)
{
    struct fixture *f = *state;
    char name[32];
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(name, sizeof(name), "c%05d", i);
        use(f, name, 0, "topic");
    }
    struct snapshot *before = config_state_snapshot(f->state);
    uint64_t start_ms = used_ms();
    use(f, "c05000", 0, "more");
    struct snapshot *after = config_state_snapshot(f->state);
    assert_true(used_ms() - start_ms < 1000);
    for (size_t i = 0; i < after->n_connectors; i++) {
        assert_int_equal(before->connectors[i] != after->connectors[i], i == 5000);
    }
    snapshot_unref(before);
    snapshot_unref(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_use_is_written_as_connect_writes_it),
        cmocka_unit_test_setup_teardown(test_topics_are_sorted_and_belong_to_their_connector, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_only_what_was_known_counts_as_removed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_snapshot_keeps_the_topics_that_it_had, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_deletion_of_a_connector_writes_its_topics_off, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_wrong_records_are_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_ten_thousand_connectors_share_all_but_the_one_that_changed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
