/* SPDX-License-Identifier: Apache-2.0 */
/* Source offsets by connector: partitions are compared as JSON, keys are kept as they were. */
#include "coordinator/config_offsets.h"
#include "coordinator/config_state.h"
#include "coordinator/records.h"
#include "tests/support/unit.h"
#include "tests/unit/coordinator/fold.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

static int setup(void **state)
{
    *state = config_state_new();
    return 0;
}

static int teardown(void **state)
{
    config_state_free(*state);
    return 0;
}

static void fold(struct config_state *state, const char *key, const char *value)
{
    int64_t offset = 0;
    (void)fold_record(state, &offset, LOG_TOPIC_OFFSET, key, value);
}

static void test_a_connector_has_its_own_offsets_sorted_by_partition(void **state)
{
    fold(*state, "[\"a\",{\"f\":\"y\"}]", "{\"pos\":2}");
    fold(*state, "[\"a\",{\"f\":\"x\"}]", "{\"pos\":1}");
    fold(*state, "[\"b\",{\"f\":\"x\"}]", "{\"pos\":3}");
    struct source_offsets offsets;
    config_state_offsets(*state, "a", &offsets);
    assert_int_equal(offsets.n_items, 2);
    assert_string_equal(offsets.items[0].partition, "{\"f\":\"x\"}");
    assert_string_equal(offsets.items[0].value, "{\"pos\":1}");
    assert_string_equal(offsets.items[1].key, "[\"a\",{\"f\":\"y\"}]");
    source_offsets_fini(&offsets);
    config_state_offsets(*state, "c", &offsets);
    assert_int_equal(offsets.n_items, 0);
    source_offsets_fini(&offsets);
}

/* Another writer's order of members is the same partition to a reader, and another key to
 * compaction: a tombstone has to name the key that was written. */
static void test_order_of_members_makes_no_other_partition(void **state)
{
    static const char foreign[] = "[\"a\", {\"z\":1,\"b\":null}]";
    fold(*state, foreign, "{\"pos\":1}");
    struct source_offsets offsets;
    config_state_offsets(*state, "a", &offsets);
    const struct source_offset *found = source_offsets_find(&offsets, "{\"b\":null,\"z\":1}");
    assert_non_null(found);
    assert_string_equal(found->key, foreign);
    assert_string_equal(found->partition, "{\"z\":1,\"b\":null}");
    assert_null(source_offsets_find(&offsets, "{\"z\":1}"));
    source_offsets_fini(&offsets);
    assert_string_equal(config_state_offset(*state, "a", "{\"b\":null,\"z\":1}"), "{\"pos\":1}");
    fold(*state, foreign, NULL);
    assert_null(config_state_offset(*state, "a", "{\"b\":null,\"z\":1}"));
}

static void test_partitions_have_one_text(void **state UNUSED)
{
    CLEANUP(free_charp)
    char *one = source_partition_canonical("{\"z\": 1.50, \"b\": {\"y\":1,\"x\":2}}");
    CLEANUP(free_charp)
    char *other = source_partition_canonical("{\"b\":{\"x\":2,\"y\":1},\"z\":1.50}");
    assert_string_equal(one, "{\"b\":{\"x\":2,\"y\":1},\"z\":1.50}");
    assert_string_equal(one, other);
    assert_null(source_partition_canonical("[]"));
    assert_null(source_partition_canonical("{"));
    CLEANUP(free_charp) char *key = source_offset_key("a\"b", "{\"z\":12345678901234567890}");
    assert_string_equal(key, "[\"a\\\"b\",{\"z\":12345678901234567890}]");
}

static void test_many_offsets_are_found_and_copied(void **state)
{
    struct source_offsets offsets;
    struct source_offsets copy = { .items = NULL };
    char text[64];
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof(text), "[\"a\",{\"p\":%d}]", i);
        fold(*state, text, "{\"o\":1}");
    }
    config_state_offsets(*state, "a", &offsets);
    source_offsets_copy(&copy, &offsets);
    source_offsets_fini(&offsets);
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof(text), "{\"p\":%d}", i);
        assert_non_null(source_offsets_find(&copy, text));
    }
    assert_null(source_offsets_find(&copy, "{\"p\":5000}"));
    source_offsets_fini(&copy);
    assert_null(source_offsets_find(&copy, "{}"));
}

static void test_every_record_shows_in_the_snapshot_that_something_came(void **state)
{
    struct snapshot *before = config_state_snapshot(*state);
    fold(*state, "[\"a\",{}]", "{}");
    struct snapshot *after = config_state_snapshot(*state);
    assert_int_equal(after->offset_changes, before->offset_changes + 1);
    fold(*state, "nonsense", "{}");
    struct snapshot *same = config_state_snapshot(*state);
    assert_ptr_equal(after, same);
    snapshot_unref(before);
    snapshot_unref(after);
    snapshot_unref(same);
}

static void test_wrong_keys_and_values_are_ignored(void **state)
{
    static const char *const keys[] = { "x",      "{}",        "[]",          "[\"a\"]",
                                        "[1,{}]", "[\"a\",1]", "[\"a\",{},1]" };
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        fold(*state, keys[i], "{}");
    }
    fold(*state, "[\"a\",{}]", "5");
    fold(*state, "[\"a\",{}]", "[");
    assert_int_equal(config_state_ignored(*state), N_ELEMENTS(keys) + 2);
    struct source_offsets offsets;
    config_state_offsets(*state, "a", &offsets);
    assert_int_equal(offsets.n_items, 0);
    source_offsets_fini(&offsets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_connector_has_its_own_offsets_sorted_by_partition,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_of_members_makes_no_other_partition, setup,
                                        teardown),
        cmocka_unit_test(test_partitions_have_one_text),
        cmocka_unit_test_setup_teardown(test_many_offsets_are_found_and_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_record_shows_in_the_snapshot_that_something_came,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_keys_and_values_are_ignored, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
