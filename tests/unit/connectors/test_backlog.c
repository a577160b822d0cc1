/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the backlog: positions move over what is done without a gap, and over nothing else. */
#include "tests/support/unit.h"
#include "worker/connectors/mqtt_sink/backlog.h"

struct fixture {
    struct backlog *backlog;
    struct kafka_partition kafka[2];
};

static int set_up(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    fixture->backlog = backlog_new();
    for (int i = 0; i < 2; i++) {
        fixture->kafka[i] = (struct kafka_partition){ .topic = "t", .number = i };
        fixture->kafka[i].owner = backlog_assigned(fixture->backlog, &fixture->kafka[i]);
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    backlog_free(fixture->backlog);
    test_free(fixture);
    return 0;
}

static struct sink_item *add(struct fixture *fixture, int partition, int64_t offset)
{
    const struct kafka_fetched fetched = { .partition = &fixture->kafka[partition],
                                           .offset = offset,
                                           .value = { "12345", 5 } };
    struct sink_item *item = backlog_add(fixture->backlog, &fetched, 0);
    backlog_fly(item);
    return item;
}

/* The position that a commit would have for a partition; -1: none. */
static int64_t uncommitted(struct fixture *fixture, int partition, bool ok)
{
    size_t n = 0;
    int64_t found = -1;
    struct kafka_position *positions = backlog_uncommitted(fixture->backlog, false, &n);
    for (size_t i = 0; i < n; i++) {
        if (positions[i].partition == &fixture->kafka[partition]) {
            found = positions[i].offset;
        }
    }
    free(positions);
    backlog_committed(fixture->backlog, ok);
    return found;
}

static void test_a_position_stays_before_the_lowest_that_is_not_done(void **state)
{
    struct fixture *fixture = *state;
    struct sink_item *items[4];
    for (int i = 0; i < 4; i++) {
        items[i] = add(fixture, 0, 10 + i);
    }
    backlog_done(fixture->backlog, items[1]);
    backlog_done(fixture->backlog, items[3]);
    assert_int_equal(uncommitted(fixture, 0, false), 10);
    backlog_done(fixture->backlog, items[0]);
    assert_int_equal(uncommitted(fixture, 0, false), 12);
    backlog_done(fixture->backlog, items[2]);
    assert_int_equal(uncommitted(fixture, 0, true), 14);
    assert_int_equal(uncommitted(fixture, 0, true), -1);
    assert_false(backlog_dirty(fixture->backlog, false));
    assert_int_equal(backlog_items(fixture->backlog), 0);
    assert_int_equal(backlog_bytes(fixture->backlog), 0);
}

/* auto.offset.reset would begin elsewhere after a restart: behind it, for latest. */
static void test_where_a_partition_began_is_committed_before_anything_is_done(void **state)
{
    struct fixture *fixture = *state;
    struct sink_item *first = add(fixture, 0, 100);
    assert_int_equal(uncommitted(fixture, 0, true), 100);
    assert_false(backlog_dirty(fixture->backlog, false));
    backlog_done(fixture->backlog, first);
    assert_int_equal(uncommitted(fixture, 0, true), 101);
}

static void test_gaps_in_offsets_do_not_matter(void **state)
{
    struct fixture *fixture = *state;
    struct sink_item *first = add(fixture, 0, 5);
    struct sink_item *second = add(fixture, 0, 900);
    backlog_done(fixture->backlog, first);
    assert_int_equal(uncommitted(fixture, 0, true), 6);
    backlog_done(fixture->backlog, second);
    assert_int_equal(uncommitted(fixture, 0, true), 901);
}

static void test_a_failed_commit_is_asked_for_again(void **state)
{
    struct fixture *fixture = *state;
    backlog_done(fixture->backlog, add(fixture, 1, 0));
    assert_int_equal(uncommitted(fixture, 1, false), 1);
    assert_true(backlog_dirty(fixture->backlog, false));
    assert_int_equal(uncommitted(fixture, 1, true), 1);
    assert_false(backlog_dirty(fixture->backlog, false));
}

static void test_what_comes_back_undone_holds_the_position(void **state)
{
    struct fixture *fixture = *state;
    struct sink_item *first = add(fixture, 0, 0);
    struct sink_item *second = add(fixture, 0, 1);
    backlog_landed(fixture->backlog, first);
    backlog_done(fixture->backlog, second);
    assert_int_equal(uncommitted(fixture, 0, true), 0);
    assert_int_equal(backlog_flying(fixture->backlog, false), 0);
}

static void test_partitions_do_not_wait_for_each_other(void **state)
{
    struct fixture *fixture = *state;
    (void)add(fixture, 0, 0);
    backlog_done(fixture->backlog, add(fixture, 1, 7));
    assert_int_equal(uncommitted(fixture, 1, true), 8);
    assert_int_equal(uncommitted(fixture, 0, true), -1);
}

static void test_a_partition_that_is_gone_commits_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct sink_item *flying = add(fixture, 0, 0);
    struct sink_item *other = add(fixture, 1, 0);
    backlog_gone(fixture->backlog, fixture->kafka[0].owner);
    assert_null(flying->partition);
    backlog_done(fixture->backlog, flying);
    backlog_done(fixture->backlog, other);
    assert_int_equal(uncommitted(fixture, 0, true), -1);
    assert_int_equal(backlog_items(fixture->backlog), 0);
}

static void test_a_partition_that_begins_anew_commits_nothing_of_before(void **state)
{
    struct fixture *fixture = *state;
    struct sink_item *old[2] = { add(fixture, 0, 7), add(fixture, 0, 8) };
    backlog_done(fixture->backlog, old[0]);
    assert_int_equal(uncommitted(fixture, 0, true), 8);
    backlog_restarted(fixture->backlog, fixture->kafka[0].owner);
    assert_int_equal(backlog_flying(fixture->backlog, false), 0);
    struct sink_item *new = add(fixture, 0, 0);
    backlog_done(fixture->backlog, old[1]);
    assert_int_equal(uncommitted(fixture, 0, true), 0);
    backlog_done(fixture->backlog, new);
    assert_int_equal(uncommitted(fixture, 0, true), 1);
    assert_int_equal(backlog_items(fixture->backlog), 0);
}

static void test_a_record_that_comes_twice_leaves_those_before_it_to_be_done(void **state)
{
    struct fixture *fixture = *state;
    struct sink_item *items[3];
    for (int i = 0; i < 3; i++) {
        items[i] = add(fixture, 0, 5 + i);
    }
    backlog_done(fixture->backlog, items[2]);
    assert_true(backlog_rewound(fixture->backlog, fixture->kafka[0].owner, 7));
    assert_int_equal(backlog_flying(fixture->backlog, false), 2);
    struct sink_item *again = add(fixture, 0, 7);
    backlog_done(fixture->backlog, again);
    assert_int_equal(uncommitted(fixture, 0, true), 5);
    backlog_done(fixture->backlog, items[0]);
    assert_int_equal(uncommitted(fixture, 0, true), 6);
    backlog_done(fixture->backlog, items[1]);
    assert_int_equal(uncommitted(fixture, 0, true), 8);
    assert_int_equal(backlog_items(fixture->backlog), 0);
}

static void test_what_flies_is_not_done_by_its_first_copy(void **state)
{
    struct fixture *fixture = *state;
    struct sink_item *before = add(fixture, 0, 5);
    struct sink_item *copies[2] = { add(fixture, 0, 6), NULL };
    assert_true(backlog_rewound(fixture->backlog, fixture->kafka[0].owner, 6));
    copies[1] = add(fixture, 0, 6);
    backlog_done(fixture->backlog, before);
    backlog_done(fixture->backlog, copies[0]);
    assert_int_equal(uncommitted(fixture, 0, true), 6);
    backlog_done(fixture->backlog, copies[1]);
    assert_int_equal(uncommitted(fixture, 0, true), 7);
    assert_int_equal(backlog_flying(fixture->backlog, false), 0);
    assert_int_equal(backlog_items(fixture->backlog), 0);
}

static void test_offsets_that_begin_anew_leave_nothing_before_them(void **state)
{
    struct fixture *fixture = *state;
    (void)add(fixture, 0, 7);
    (void)add(fixture, 0, 8);
    assert_false(backlog_rewound(fixture->backlog, fixture->kafka[0].owner, 0));
    assert_int_equal(backlog_flying(fixture->backlog, false), 0);
}

static void test_only_what_flies_of_revoked_partitions_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    struct sink_item *item = add(fixture, 0, 0);
    (void)add(fixture, 1, 0);
    struct sink_partition *partition = fixture->kafka[0].owner;
    partition->revoked = true;
    assert_int_equal(backlog_flying(fixture->backlog, true), 1);
    backlog_done(fixture->backlog, item);
    assert_int_equal(backlog_flying(fixture->backlog, true), 0);
    assert_int_equal(backlog_flying(fixture->backlog, false), 1);
}

static void test_a_revocation_looks_at_its_own_partitions_only(void **state)
{
    struct fixture *fixture = *state;
    size_t n = 0;
    struct sink_partition *partition = fixture->kafka[0].owner;
    backlog_done(fixture->backlog, add(fixture, 0, 4));
    backlog_done(fixture->backlog, add(fixture, 1, 9));
    assert_false(backlog_dirty(fixture->backlog, true));
    partition->revoked = true;
    assert_true(backlog_dirty(fixture->backlog, true));
    struct kafka_position *positions = backlog_uncommitted(fixture->backlog, true, &n);
    assert_int_equal(n, 1);
    assert_ptr_equal(positions[0].partition, &fixture->kafka[0]);
    assert_int_equal(positions[0].offset, 5);
    free(positions);
    backlog_committed(fixture->backlog, true);
    assert_false(backlog_dirty(fixture->backlog, true));
    assert_true(backlog_dirty(fixture->backlog, false));
    assert_int_equal(uncommitted(fixture, 1, true), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_position_stays_before_the_lowest_that_is_not_done,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_where_a_partition_began_is_committed_before_anything_is_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gaps_in_offsets_do_not_matter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_commit_is_asked_for_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_comes_back_undone_holds_the_position, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_partitions_do_not_wait_for_each_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_partition_that_is_gone_commits_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_partition_that_begins_anew_commits_nothing_of_before,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_record_that_comes_twice_leaves_those_before_it_to_be_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_flies_is_not_done_by_its_first_copy, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_offsets_that_begin_anew_leave_nothing_before_them,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_flies_of_revoked_partitions_is_waited_for,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_revocation_looks_at_its_own_partitions_only, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
