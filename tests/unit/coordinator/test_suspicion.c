/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of who is taken for dead, by what workers say. */
#include "coordinator/suspicion.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"

#define MAX 6

/* Members "w0:1" with instance "i0", and so on, and what each says. */
struct group_case {
    struct membership members;
    struct worker_note *notes[MAX];
    struct worker_note *list[MAX];
    struct worker_notes all;
    size_t n;
};

static void begin(struct group_case *c, size_t n)
{
    *c = (struct group_case){ .n = n };
    struct group_member reported[MAX];
    for (size_t i = 0; i < n; i++) {
        reported[i] = (struct group_member){ .n_slots = 0 };
        (void)snprintf(reported[i].client_id, sizeof(reported[i].client_id), "http://w%zu:1#i%zu",
                       i, i);
        char id[8];
        char instance[8];
        (void)snprintf(id, sizeof(id), "w%zu:1", i);
        (void)snprintf(instance, sizeof(instance), "i%zu", i);
        c->notes[i] = worker_note_new(id, instance);
        c->list[i] = c->notes[i];
    }
    membership_init(&c->members);
    membership_set(&c->members, reported, n);
    c->all = (struct worker_notes){ .items = c->list, .n_items = n };
}

static void end(struct group_case *c)
{
    membership_fini(&c->members);
    for (size_t i = 0; i < c->n; i++) {
        worker_note_unref(c->notes[i]);
    }
}

static void refuses(struct group_case *c, size_t by, const char *instance)
{
    worker_note_refuse(c->notes[by], instance);
}

static bool dead(const struct group_case *c, size_t i)
{
    return c->members.members[i].dead;
}

static void test_two_refusals_are_a_verdict_and_one_is_not(void **state UNUSED)
{
    struct group_case c;
    begin(&c, 4);
    refuses(&c, 0, "i2");
    assert_false(suspicion_judge(&c.members, &c.all));
    assert_false(dead(&c, 2));
    refuses(&c, 3, "i2");
    assert_true(suspicion_judge(&c.members, &c.all));
    assert_true(dead(&c, 2));
    assert_false(dead(&c, 0) || dead(&c, 1) || dead(&c, 3));
    assert_false(suspicion_judge(&c.members, &c.all)); /* nothing new */
    end(&c);
}

static void test_the_only_other_worker_is_believed(void **state UNUSED)
{
    struct group_case c;
    begin(&c, 2);
    refuses(&c, 0, "i1");
    assert_true(suspicion_judge(&c.members, &c.all));
    assert_true(dead(&c, 1));
    end(&c);
}

static void test_of_two_that_refuse_each_other_one_goes_on(void **state UNUSED)
{
    struct group_case c;
    begin(&c, 2);
    refuses(&c, 0, "i1");
    refuses(&c, 1, "i0");
    (void)suspicion_judge(&c.members, &c.all);
    assert_true(dead(&c, 0) != dead(&c, 1));
    end(&c);
}

static void test_when_one_is_dead_the_last_other_is_believed(void **state UNUSED)
{
    struct group_case c;
    begin(&c, 3);
    refuses(&c, 0, "i1");
    refuses(&c, 0, "i2");
    (void)suspicion_judge(&c.members, &c.all);
    assert_false(dead(&c, 1) || dead(&c, 2)); /* one word against two: their sessions decide */
    refuses(&c, 2, "i1");
    (void)suspicion_judge(&c.members, &c.all);
    assert_true(dead(&c, 1) &&
                dead(&c, 2)); /* 2 said that 1 is dead, then 0 alone is left of 2's */
    end(&c);
}

static void test_who_objects_or_leaves_is_not_dead(void **state UNUSED)
{
    struct group_case c;
    begin(&c, 4);
    refuses(&c, 0, "i2");
    refuses(&c, 1, "i2");
    c.notes[2]->objects = true;
    assert_false(suspicion_judge(&c.members, &c.all));
    assert_true(suspicion_of_me(&c.members, &c.all, "i2"));
    assert_false(suspicion_of_me(&c.members, &c.all, "i1"));
    c.notes[2]->objects = false;
    c.notes[2]->leaving = true;
    assert_true(suspicion_judge(&c.members, &c.all)); /* it is leaving */
    assert_false(dead(&c, 2));
    end(&c);
}

static void test_words_of_an_earlier_process_do_not_count(void **state UNUSED)
{
    struct group_case c;
    begin(&c, 3);
    refuses(&c, 0, "i2");
    refuses(&c, 1, "i2");
    free(c.notes[1]->instance);
    c.notes[1]->instance = xstrdup("i-before");
    assert_false(suspicion_judge(&c.members, &c.all));
    refuses(&c, 0, "i-gone"); /* of no member */
    assert_false(suspicion_judge(&c.members, &c.all));
    assert_false(suspicion_judge(&c.members, NULL));
    end(&c);
}

/* Everybody is watched by as many as possible, up to three, whatever the size of the group. */
static void test_the_ring_watches_everybody(void **state UNUSED)
{
    for (size_t n = 1; n <= MAX; n++) {
        struct group_case c;
        begin(&c, n);
        size_t n_watchers[MAX] = { 0 };
        for (size_t i = 0; i < n; i++) {
            char me[8];
            (void)snprintf(me, sizeof(me), "i%zu", i);
            const struct member *watched[SUSPICION_WATCHED];
            size_t n_watched = suspicion_ring(&c.members, me, watched);
            assert_int_equal(n_watched, n - 1 < SUSPICION_WATCHED ? n - 1 : SUSPICION_WATCHED);
            for (size_t k = 0; k < n_watched; k++) {
                size_t other = (size_t)(watched[k] - c.members.members);
                assert_true(other != i);
                assert_true(n <= SUSPICION_WATCHED || other == (i + 1 + k) % n);
                n_watchers[other]++;
            }
        }
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(n_watchers[i], n - 1 < SUSPICION_WATCHED ? n - 1 : SUSPICION_WATCHED);
        }
        end(&c);
    }
}

static void test_the_ring_closes_over_the_dead(void **state UNUSED)
{
    struct group_case c;
    begin(&c, 5);
    c.members.members[1].dead = true;
    const struct member *watched[SUSPICION_WATCHED];
    assert_int_equal(suspicion_ring(&c.members, "i0", watched), 3);
    assert_string_equal(watched[0]->instance, "i2");
    assert_string_equal(watched[2]->instance, "i4");
    assert_int_equal(suspicion_ring(&c.members, "unknown", watched), 0);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_refusals_are_a_verdict_and_one_is_not),
        cmocka_unit_test(test_the_only_other_worker_is_believed),
        cmocka_unit_test(test_of_two_that_refuse_each_other_one_goes_on),
        cmocka_unit_test(test_when_one_is_dead_the_last_other_is_believed),
        cmocka_unit_test(test_who_objects_or_leaves_is_not_dead),
        cmocka_unit_test(test_words_of_an_earlier_process_do_not_count),
        cmocka_unit_test(test_the_ring_watches_everybody),
        cmocka_unit_test(test_the_ring_closes_over_the_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
