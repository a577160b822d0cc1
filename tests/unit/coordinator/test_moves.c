/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of which tasks have moved, why, and what they weigh. */
#include "coordinator/config_workers.h"
#include "coordinator/moves.h"
#include "coordinator/placement.h"
#include "coordinator/weights.h"
#include "tests/support/unit.h"
#include "tests/unit/coordinator/fold.h"
#include "worker/base/mem.h"

#define N_SLOTS 4

struct fixture {
    struct config_state *state;
    struct snapshot *snapshot;
    struct membership members;
    struct moves *moves;
    int64_t offset;
    char last[128]; /* moves of the last look: "c-0 a->b slot reason; " */
};

static void fold(struct fixture *f, enum log_topic topic, const char *key, const char *value)
{
    (void)fold_record(f->state, &f->offset, topic, key, value);
    snapshot_unref(f->snapshot);
    f->snapshot = config_state_snapshot(f->state);
}

static void on_move(void *arg, const struct move *move)
{
    struct fixture *f = arg;
    size_t at = strlen(f->last);
    (void)snprintf(f->last + at, sizeof(f->last) - at, "%s-%d %s->%s %d %s; ", move->connector,
                   move->task, move->from ? move->from : "", move->to, move->slot,
                   move_reason_name(move->reason));
}

static void look(struct fixture *f)
{
    f->last[0] = '\0';
    moves_look(f->moves, f->snapshot, &f->members, 17, on_move, f);
}

/* a has the slots up to border, b the others; n_members 1: only a is there. */
static void group(struct fixture *f, size_t border, size_t n_members)
{
    int32_t slots[] = { 0, 1, 2, 3 };
    struct group_member reported[] = {
        { .client_id = "http://a:1#ia", .slots = slots, .n_slots = border },
        { .client_id = "http://b:1#ib", .slots = slots + border, .n_slots = N_SLOTS - border },
    };
    membership_set(&f->members, reported, n_members);
}

static void place(struct fixture *f, const char *value)
{
    fold(f, LOG_TOPIC_CONFIG, "placement-c", value);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->state = config_state_new();
    config_state_caught_up(f->state);
    f->moves = moves_new(N_SLOTS);
    membership_init(&f->members);
    group(f, 2, 2);
    fold(f, LOG_TOPIC_CONFIG, "connector-c", "{\"properties\":{\"connector.class\":\"X\"}}");
    look(f);
    fold(f, LOG_TOPIC_CONFIG, "task-c-0", "{\"properties\":{}}");
    fold(f, LOG_TOPIC_CONFIG, "task-c-1", "{\"properties\":{}}");
    fold(f, LOG_TOPIC_CONFIG, "commit-c", "{\"tasks\":2}");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    moves_free(f->moves);
    membership_fini(&f->members);
    snapshot_unref(f->snapshot);
    config_state_free(f->state);
    free(f);
    return 0;
}

static void test_the_leaders_moves_carry_its_reasons(void **state)
{
    struct fixture *f = *state;
    look(f);
    assert_string_equal(f->last, "");
    place(f, "{\"slots\":[0,3],\"why\":[\"placed\",\"placed\"]}");
    look(f);
    assert_string_equal(f->last, "c-0 ->a:1 0 placed; c-1 ->b:1 3 placed; ");
    place(f, "{\"slots\":[2,1],\"why\":[\"balance\",\"failover\"]}");
    look(f);
    assert_string_equal(f->last, "c-0 a:1->b:1 2 balance; c-1 b:1->a:1 1 failover; ");
    place(f, "{\"slots\":[3,0],\"why\":[\"balance\",\"balance\"]}");
    look(f);
    assert_string_equal(f->last, ""); /* other slots of the same workers */
}

static void test_the_groups_moves_are_told_apart(void **state)
{
    struct fixture *f = *state;
    place(f, "{\"slots\":[1,3]}");
    look(f);
    group(f, 4, 1);
    look(f);
    assert_string_equal(f->last, "c-1 b:1->a:1 3 left; ");
    group(f, 1, 2);
    look(f);
    assert_string_equal(f->last, "c-0 a:1->b:1 1 joined; c-1 a:1->b:1 3 joined; ");
}

static void test_a_slot_without_owner_is_still_its_last_owners(void **state)
{
    struct fixture *f = *state;
    place(f, "{\"slots\":[1,3]}");
    look(f);
    membership_set(&f->members, NULL, 0);
    look(f);
    assert_string_equal(f->last, "");
    assert_string_equal(moves_worker_of(f->moves, 3), "b:1");
    group(f, 2, 2);
    look(f);
    assert_string_equal(f->last, "");
}

static void test_the_newest_moves_are_kept(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < MOVES_KEPT; i++) {
        place(f, i % 2 ? "{\"slots\":[0,3]}" : "{\"slots\":[3,0]}");
        look(f);
    }
    size_t n = 0;
    struct move **list = moves_list(f->moves, &n);
    assert_int_equal(n, MOVES_KEPT);
    assert_int_equal(list[0]->task, 1);
    assert_string_equal(list[0]->to, "b:1");
    assert_string_equal(list[n - 1]->to, "b:1");
    for (size_t i = 0; i < n; i++) {
        move_unref(list[i]);
    }
    free(list);
}

/* ---- weights ---- */

static void status(struct fixture *f, int task, const char *worker)
{
    char key[32];
    char value[96];
    (void)snprintf(key, sizeof(key), "status-task-c-%d", task);
    (void)snprintf(value, sizeof(value), "{\"state\":\"RUNNING\",\"worker_id\":\"%s\"}", worker);
    fold(f, LOG_TOPIC_STATUS, key, value);
}

static void test_rates_come_from_the_worker_that_runs_the_task(void **state)
{
    struct fixture *f = *state;
    status(f, 0, "a:1");
    status(f, 1, "b:1");
    fold(f, LOG_TOPIC_STATUS, "worker-a:1",
         "{\"instance\":\"ia\",\"rates\":{\"c\":{\"0\":900,\"1\":5}}}");
    fold(f, LOG_TOPIC_STATUS, "worker-b:1", "{\"instance\":\"ib\",\"rates\":{\"c\":{\"1\":100}}}");
    const struct connector_state *c = snapshot_find(f->snapshot, "c");
    assert_int_equal(weights_rate(f->snapshot, c, 0), 900);
    assert_int_equal(weights_rate(f->snapshot, c, 1), 100);
    assert_int_equal(weights_mean(f->snapshot), 500);
    fold(f, LOG_TOPIC_STATUS, "worker-b:1", NULL);
    assert_int_equal(weights_rate(f->snapshot, snapshot_find(f->snapshot, "c"), 1), -1);
}

static void test_weights_are_steps_around_the_average(void **state UNUSED)
{
    assert_int_equal(weights_of(-1, 500), PLACEMENT_UNIT);
    assert_int_equal(weights_of(9999, 0), PLACEMENT_UNIT);
    assert_int_equal(weights_of(500, 500), PLACEMENT_UNIT);
    assert_int_equal(weights_of(530, 500), PLACEMENT_UNIT); /* noise */
    assert_int_equal(weights_of(0, 500), PLACEMENT_UNIT / 2);
    assert_int_equal(weights_of(1500, 500), 2 * PLACEMENT_UNIT);
    assert_int_equal(weights_of(INT64_MAX, 1), WEIGHT_MAX_UNITS * PLACEMENT_UNIT);
}

static void test_malformed_notes_are_ignored(void **state)
{
    struct fixture *f = *state;
    fold(f, LOG_TOPIC_STATUS, "worker-a:1", "{\"refused\":[\"x\"]}");
    assert_null(worker_notes_find(f->snapshot->notes, "a:1"));
    fold(f, LOG_TOPIC_STATUS, "worker-a:1",
         "{\"instance\":\"i\",\"refused\":[7,\"x\",\"x\"],\"rates\":{\"c\":{\"-1\":1,\"z\":2,"
         "\"3\":-4,\"4\":\"5\",\"6\":8},\"d\":7}}");
    const struct worker_note *note = worker_notes_find(f->snapshot->notes, "a:1");
    assert_non_null(note);
    assert_int_equal(note->n_refused, 1);
    assert_true(worker_note_refuses(note, "x"));
    assert_int_equal(note->n_rates, 1);
    assert_int_equal(worker_note_find_rate(note, "c", 6), 8);
}

int main(void)
{
#define MOVES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        MOVES_TEST(test_the_leaders_moves_carry_its_reasons),
        MOVES_TEST(test_the_groups_moves_are_told_apart),
        MOVES_TEST(test_a_slot_without_owner_is_still_its_last_owners),
        MOVES_TEST(test_the_newest_moves_are_kept),
        MOVES_TEST(test_rates_come_from_the_worker_that_runs_the_task),
        cmocka_unit_test(test_weights_are_steps_around_the_average),
        MOVES_TEST(test_malformed_notes_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
