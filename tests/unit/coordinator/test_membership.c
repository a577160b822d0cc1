/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the members of the worker group: identities, holders, rivals. */
#include "coordinator/membership.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"

static struct group_member member(const char *client_id, int32_t *slots, size_t n_slots)
{
    struct group_member made = { .slots = slots, .n_slots = n_slots };
    (void)snprintf(made.client_id, sizeof(made.client_id), "%s", client_id);
    return made;
}

static void test_membership_identity_is_parsed_back(void **state UNUSED)
{
    CLEANUP(free_charp) char *identity = membership_identity("http://10.0.0.5:8083", "17-ab");
    struct group_member reported = member(identity, NULL, 0);
    struct membership membership;
    membership_init(&membership);
    membership_set(&membership, &reported, 1);
    assert_int_equal(membership.n_members, 1);
    assert_string_equal(membership.members[0].worker_id, "10.0.0.5:8083");
    assert_string_equal(membership.members[0].url, "http://10.0.0.5:8083");
    assert_string_equal(membership.members[0].instance, "17-ab");
    membership_fini(&membership);
}

static void test_membership_set_takes_strange_client_ids(void **state UNUSED)
{
    struct group_member reported[] = {
        member("rdkafka", NULL, 0),
        member("", NULL, 0),
        member("#", NULL, 0),
        member("https://[::1]:8083/base#9", NULL, 0),
    };
    struct membership membership;
    membership_init(&membership);
    membership_set(&membership, reported, N_ELEMENTS(reported));
    assert_string_equal(membership.members[0].worker_id, "rdkafka");
    assert_string_equal(membership.members[0].url, "");
    assert_string_equal(membership.members[2].worker_id, "");
    assert_string_equal(membership.members[3].worker_id, "[::1]:8083");
    membership_fini(&membership);
}

static void test_membership_holder_finds_the_owner_of_a_slot(void **state UNUSED)
{
    int32_t odd[] = { 5, 1, 3 };
    int32_t even[] = { 4, 0 };
    struct group_member reported[] = {
        member("http://a:1#1-x", odd, 3),
        member("http://b:1#2-x", even, 2),
    };
    struct membership membership;
    membership_init(&membership);
    membership_set(&membership, reported, 2);
    for (int slot = 0; slot < 6; slot++) {
        const struct member *holder = membership_holder(&membership, slot);
        if (slot == 2) {
            assert_null(holder);
        } else {
            assert_non_null(holder);
            assert_string_equal(holder->worker_id, slot % 2 == 1 ? "a:1" : "b:1");
        }
    }
    assert_null(membership_holder(&membership, 6));
    assert_non_null(membership_find(&membership, "2-x"));
    assert_null(membership_find(&membership, "3-x"));
    membership_fini(&membership);
}

static void test_membership_core_joins_the_lives_of_one_worker(void **state UNUSED)
{
    int32_t old_slots[] = { 7, 2 };
    int32_t new_slots[] = { 4 };
    int32_t other_slots[] = { 0 };
    struct group_member reported[] = {
        member("http://a:1#1-x", old_slots, 2),
        member("http://b:1#2-x", other_slots, 1),
        member("http://a:1#3-x", new_slots, 1),
    };
    struct membership membership;
    membership_init(&membership);
    membership_set(&membership, reported, 3);
    size_t n = 0;
    struct core_member *members = membership_core(&membership, &n);
    assert_int_equal(n, 2);
    assert_string_equal(members[0].worker_id, "a:1");
    assert_int_equal(members[0].n_slots, 3);
    assert_int_equal(members[0].slots[0], 2);
    assert_int_equal(members[0].slots[1], 4);
    assert_int_equal(members[0].slots[2], 7);
    assert_string_equal(members[1].worker_id, "b:1");
    assert_int_equal(members[1].n_slots, 1);
    membership_core_free(members, n);
    membership_fini(&membership);
}

static void test_membership_elder_is_who_started_before(void **state UNUSED)
{
    struct group_member reported[] = {
        member("http://a:1#999-ffffffff", NULL, 0),
        member("http://a:1#1000-00000001", NULL, 0),
        member("http://b:1#1-00000001", NULL, 0),
    };
    struct membership membership;
    membership_init(&membership);
    membership_set(&membership, reported, N_ELEMENTS(reported));
    assert_true(membership_elder(&membership, "a:1", "1000-00000001"));
    assert_false(membership_elder(&membership, "a:1", "999-ffffffff"));
    assert_false(membership_elder(&membership, "b:1", "1-00000001"));
    assert_false(membership_elder(&membership, "c:1", "5000-00000001"));
    membership_fini(&membership);
}

static void test_membership_elder_of_the_same_millisecond_is_one_of_them(void **state UNUSED)
{
    struct group_member reported[] = {
        member("http://a:1#50-0000000a", NULL, 0),
        member("http://a:1#50-0000000b", NULL, 0),
    };
    struct membership membership;
    membership_init(&membership);
    membership_set(&membership, reported, N_ELEMENTS(reported));
    assert_false(membership_elder(&membership, "a:1", "50-0000000a"));
    assert_true(membership_elder(&membership, "a:1", "50-0000000b"));
    membership_fini(&membership);
}

static void test_membership_instance_new_differs_each_time(void **state UNUSED)
{
    CLEANUP(free_charp) char *one = membership_instance_new();
    CLEANUP(free_charp) char *two = membership_instance_new();
    assert_string_not_equal(one, two);
    assert_null(strchr(one, '#'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_membership_identity_is_parsed_back),
        cmocka_unit_test(test_membership_set_takes_strange_client_ids),
        cmocka_unit_test(test_membership_holder_finds_the_owner_of_a_slot),
        cmocka_unit_test(test_membership_core_joins_the_lives_of_one_worker),
        cmocka_unit_test(test_membership_elder_is_who_started_before),
        cmocka_unit_test(test_membership_elder_of_the_same_millisecond_is_one_of_them),
        cmocka_unit_test(test_membership_instance_new_differs_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
