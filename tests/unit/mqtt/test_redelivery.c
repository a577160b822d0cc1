/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the rules that tell a redelivery from a message. */
#include "tests/support/unit.h"
#include "worker/mqtt/redelivery.h"

static int set_up(void **state)
{
    *state = redelivery_new();
    return 0;
}

static int tear_down(void **state)
{
    redelivery_free(*state);
    return 0;
}

/* A connection ended with these ids held, and all were delivered; a new one begins. */
static void lose_delivered(struct redelivery *r, const uint16_t *ids, size_t n, bool present)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(redelivery_receive(r, ids[i], false, 100U + ids[i]), REDELIVERY_NEW);
    }
    redelivery_lost(r);
    redelivery_settled(r, true);
    redelivery_connected(r, present);
}

static void test_copy_on_the_same_connection_is_dropped(void **state)
{
    struct redelivery *r = *state;
    assert_int_equal(redelivery_receive(r, 1, false, 11), REDELIVERY_NEW);
    assert_int_equal(redelivery_receive(r, 1, true, 11), REDELIVERY_HELD);
    assert_int_equal(redelivery_receive(r, 1, false, 11), REDELIVERY_HELD);
    assert_int_equal(redelivery_held(r), 1);
}

static void test_other_content_under_a_held_id_is_not_dropped(void **state)
{
    struct redelivery *r = *state;
    assert_int_equal(redelivery_receive(r, 1, false, 11), REDELIVERY_NEW);
    assert_int_equal(redelivery_receive(r, 1, true, 12), REDELIVERY_NEW);
}

static void test_acknowledged_id_may_be_used_again(void **state)
{
    struct redelivery *r = *state;
    assert_int_equal(redelivery_receive(r, 1, false, 11), REDELIVERY_NEW);
    redelivery_acked(r);
    assert_int_equal(redelivery_held(r), 0);
    assert_int_equal(redelivery_receive(r, 1, false, 11), REDELIVERY_NEW);
}

static void test_delivered_message_that_comes_again_is_absorbed_once(void **state)
{
    struct redelivery *r = *state;
    lose_delivered(r, (const uint16_t[]){ 1, 2 }, 2, true);
    assert_int_equal(redelivery_receive(r, 1, true, 101), REDELIVERY_DELIVERED);
    assert_int_equal(redelivery_receive(r, 2, true, 102), REDELIVERY_DELIVERED);
    redelivery_acked(r);
    assert_int_equal(redelivery_receive(r, 1, true, 101), REDELIVERY_NEW);
}

static void test_without_dup_nothing_is_absorbed(void **state)
{
    struct redelivery *r = *state;
    lose_delivered(r, (const uint16_t[]){ 1 }, 1, true);
    assert_int_equal(redelivery_receive(r, 1, false, 101), REDELIVERY_NEW);
    /* The id is in use for something else now. */
    redelivery_acked(r);
    assert_int_equal(redelivery_receive(r, 1, true, 101), REDELIVERY_NEW);
}

static void test_dup_with_other_content_is_not_absorbed(void **state)
{
    struct redelivery *r = *state;
    lose_delivered(r, (const uint16_t[]){ 1 }, 1, true);
    assert_int_equal(redelivery_receive(r, 1, true, 999), REDELIVERY_NEW);
}

static void test_without_the_session_nothing_is_absorbed(void **state)
{
    struct redelivery *r = *state;
    lose_delivered(r, (const uint16_t[]){ 1 }, 1, false);
    assert_int_equal(redelivery_receive(r, 1, true, 101), REDELIVERY_NEW);
}

static void test_messages_in_doubt_are_not_absorbed(void **state)
{
    struct redelivery *r = *state;
    assert_int_equal(redelivery_receive(r, 1, false, 101), REDELIVERY_NEW);
    redelivery_lost(r);
    redelivery_settled(r, false);
    redelivery_connected(r, true);
    assert_int_equal(redelivery_receive(r, 1, true, 101), REDELIVERY_NEW);
}

static void test_possibly_sent_acknowledgements_are_not_absorbed(void **state)
{
    struct redelivery *r = *state;
    assert_int_equal(redelivery_receive(r, 1, false, 101), REDELIVERY_NEW);
    redelivery_acked(r);
    redelivery_lost(r);
    redelivery_settled(r, true);
    redelivery_connected(r, true);
    /* The broker may have seen the PUBACK and given the id to an equal message. */
    assert_int_equal(redelivery_receive(r, 1, true, 101), REDELIVERY_NEW);
}

static void test_knowledge_lasts_for_one_connection(void **state)
{
    struct redelivery *r = *state;
    lose_delivered(r, (const uint16_t[]){ 1, 2 }, 2, true);
    assert_int_equal(redelivery_receive(r, 1, true, 101), REDELIVERY_DELIVERED);
    /* Lost again: 1 was held and is delivered, 2 did not come, so nothing is known of it. */
    redelivery_lost(r);
    redelivery_settled(r, true);
    redelivery_connected(r, true);
    assert_int_equal(redelivery_receive(r, 1, true, 101), REDELIVERY_DELIVERED);
    assert_int_equal(redelivery_receive(r, 2, true, 102), REDELIVERY_NEW);
}

static void test_copies_of_what_was_acknowledged_late_are_absorbed(void **state)
{
    struct redelivery *redelivery = *state;
    assert_int_equal(redelivery_receive(redelivery, 1, false, 11), REDELIVERY_NEW);
    redelivery_acked_late(redelivery);
    /* More than one may have been under way. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(redelivery_receive(redelivery, 1, true, 11), REDELIVERY_DELIVERED);
        redelivery_acked(redelivery);
    }
    assert_int_equal(redelivery_receive(redelivery, 1, true, 12), REDELIVERY_NEW);
    redelivery_acked(redelivery);
    assert_int_equal(redelivery_receive(redelivery, 1, true, 11), REDELIVERY_NEW);
}

static void test_id_that_means_another_message_ends_the_wait_for_copies(void **state)
{
    struct redelivery *redelivery = *state;
    (void)redelivery_receive(redelivery, 1, false, 11);
    redelivery_acked_late(redelivery);
    /* An equal message of its own, and what may come again of it. */
    assert_int_equal(redelivery_receive(redelivery, 1, false, 11), REDELIVERY_NEW);
    redelivery_acked(redelivery);
    assert_int_equal(redelivery_receive(redelivery, 1, true, 11), REDELIVERY_NEW);
}

static void test_copies_are_expected_on_the_same_connection_only_and_not_for_ever(void **state)
{
    struct redelivery *redelivery = *state;
    (void)redelivery_receive(redelivery, 1, false, 11);
    redelivery_acked_late(redelivery);
    redelivery_forget_late(redelivery);
    assert_int_equal(redelivery_receive(redelivery, 1, true, 11), REDELIVERY_NEW);
    redelivery_acked_late(redelivery);
    redelivery_lost(redelivery);
    redelivery_settled(redelivery, true);
    redelivery_connected(redelivery, true);
    assert_int_equal(redelivery_receive(redelivery, 1, true, 11), REDELIVERY_NEW);
}

static void test_hash_tells_topic_from_payload(void **state)
{
    (void)state;
    uint64_t hash = redelivery_hash("a", "bc", 2);
    assert_true(hash == redelivery_hash("a", "bc", 2));
    assert_true(hash != redelivery_hash("ab", "c", 1));
    assert_true(hash != redelivery_hash("a", "bd", 2));
    assert_true(redelivery_hash("a", "", 0) != redelivery_hash("a", "\0", 1));
    assert_true(redelivery_hash("a", NULL, 0) == redelivery_hash("a", "", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copy_on_the_same_connection_is_dropped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_other_content_under_a_held_id_is_not_dropped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_acknowledged_id_may_be_used_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_delivered_message_that_comes_again_is_absorbed_once,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_dup_nothing_is_absorbed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dup_with_other_content_is_not_absorbed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_without_the_session_nothing_is_absorbed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_messages_in_doubt_are_not_absorbed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_possibly_sent_acknowledgements_are_not_absorbed,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_knowledge_lasts_for_one_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_copies_of_what_was_acknowledged_late_are_absorbed,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_id_that_means_another_message_ends_the_wait_for_copies,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_copies_are_expected_on_the_same_connection_only_and_not_for_ever, set_up,
            tear_down),
        cmocka_unit_test(test_hash_tells_topic_from_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
