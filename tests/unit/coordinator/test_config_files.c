/* SPDX-License-Identifier: Apache-2.0 */
/* Marks of connectors that come from files, and notices of which files workers have. */
#include "coordinator/config_files.h"
#include "coordinator/config_state.h"
#include "coordinator/records.h"
#include "tests/support/unit.h"
#include "tests/unit/coordinator/fold.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

struct fixture {
    struct config_state *state;
    struct snapshot *snapshot;
    int64_t next_offset;
};

static void fold(struct fixture *f, enum log_topic topic, const char *key, const char *value)
{
    (void)fold_record(f->state, &f->next_offset, topic, key, value);
    snapshot_unref(f->snapshot);
    f->snapshot = config_state_snapshot(f->state);
}

/* Folds what a builder made, and releases it. */
static void play(struct fixture *f, struct out_records *records)
{
    for (size_t i = 0; i < records->n_items; i++) {
        fold(f, records->items[i].topic, records->items[i].key, records->items[i].value);
    }
    out_records_fini(records);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->state = config_state_new();
    f->snapshot = config_state_snapshot(f->state);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    snapshot_unref(f->snapshot);
    config_state_free(f->state);
    free(f);
    return 0;
}

static void mark(struct fixture *f, const char *connector, const char *file)
{
    struct out_records records;
    out_records_init(&records);
    record_managed(&records, connector, file);
    play(f, &records);
}

static void test_a_mark_is_kept_without_a_config_until_it_is_taken_away(void **state)
{
    struct fixture *f = *state;
    mark(f, "a", "x y.json");
    const struct connector_state *a = snapshot_find_any(f->snapshot, "a");
    assert_non_null(a);
    assert_false(a->has_config);
    assert_string_equal(managed_file(a->managed), "x y.json");
    mark(f, "a", NULL);
    assert_null(snapshot_find_any(f->snapshot, "a"));
}

static void test_a_deleted_connector_loses_its_mark(void **state)
{
    struct fixture *f = *state;
    fold(f, LOG_TOPIC_CONFIG, "connector-a", "{\"properties\":{\"name\":\"a\"}}");
    assert_null(snapshot_find(f->snapshot, "a")->managed);
    mark(f, "a", "a.json");
    struct out_records records;
    out_records_init(&records);
    record_delete(&records, snapshot_find(f->snapshot, "a"));
    play(f, &records);
    assert_null(snapshot_find_any(f->snapshot, "a"));
}

static void test_marks_and_notices_of_other_shapes_are_ignored(void **state)
{
    struct fixture *f = *state;
    uint64_t before = config_state_ignored(f->state);
    fold(f, LOG_TOPIC_CONFIG, "managed-a", "{\"managed-by\":\"me\"}");
    fold(f, LOG_TOPIC_CONFIG, "managed-a", "{\"file\":7}");
    fold(f, LOG_TOPIC_STATUS, "files-h:1", "{\"digest\":\"d\"}");
    fold(f, LOG_TOPIC_STATUS, "files-h:1", "{\"digest\":1,\"instance\":\"i\"}");
    assert_int_equal(config_state_ignored(f->state), before + 4);
    assert_null(snapshot_find_any(f->snapshot, "a"));
    assert_null(files_notices_find(f->snapshot->notices, "h:1"));
}

static void tell(struct fixture *f, char *worker, char *instance, char *digest)
{
    struct out_records records;
    out_records_init(&records);
    record_files(&records, &(struct files_notice){ worker, instance, digest });
    play(f, &records);
}

static void test_the_newest_notice_of_each_worker_counts(void **state)
{
    struct fixture *f = *state;
    static char one[] = "h:1", other[] = "h:2", first[] = "1-a", second[] = "2-b", x[] = "x",
                y[] = "y";
    tell(f, one, first, x);
    tell(f, other, first, x);
    tell(f, one, second, y);
    const struct files_notice *notice = files_notices_find(f->snapshot->notices, "h:1");
    assert_string_equal(notice->instance, "2-b");
    assert_string_equal(notice->digest, "y");
    assert_string_equal(files_notices_find(f->snapshot->notices, "h:2")->digest, "x");
    /* A snapshot keeps what it shows. */
    struct snapshot *kept = snapshot_ref(f->snapshot);
    tell(f, one, NULL, NULL);
    assert_null(files_notices_find(f->snapshot->notices, "h:1"));
    assert_non_null(files_notices_find(kept->notices, "h:1"));
    snapshot_unref(kept);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_mark_is_kept_without_a_config_until_it_is_taken_away),
        TEST(test_a_deleted_connector_loses_its_mark),
        TEST(test_marks_and_notices_of_other_shapes_are_ignored),
        TEST(test_the_newest_notice_of_each_worker_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
