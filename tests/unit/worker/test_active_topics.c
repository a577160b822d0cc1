/* SPDX-License-Identifier: Apache-2.0 */
/* A task's topics: told once, told again when they were forgotten and are used. */
#include "tests/support/capture.h"
#include "tests/support/unit.h"
#include "worker/active_topics.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

/* What the cluster was told. */
struct told {
    atomic_ulong removals;
    unsigned n_calls;
    char last[300];
    struct active_topics *topics;
    struct offset_port port;
};

static void on_used(void *arg, const char *connector, int task, const char *topic)
{
    struct told *told = arg;
    told->n_calls++;
    (void)snprintf(told->last, sizeof(told->last), "%s-%d %s", connector, task, topic);
}

static int setup(void **state)
{
    struct told *told = xcalloc(1, sizeof(*told));
    told->port = (struct offset_port){
        .arg = told,
        .topic_used = on_used,
        .topic_removals = &told->removals,
    };
    told->topics = active_topics_new(&told->port, "c", 2);
    *state = told;
    return 0;
}

static int teardown(void **state)
{
    struct told *told = *state;
    active_topics_free(told->topics);
    free(told);
    return 0;
}

static void use(struct told *told, const char *topic)
{
    active_topic_used(active_topics_get(told->topics, topic));
}

static void test_a_topic_is_told_once_and_only_when_it_was_used(void **state)
{
    struct told *told = *state;
    struct active_topic *topic = active_topics_get(told->topics, "t");
    active_topics_tell(told->topics);
    assert_int_equal(told->n_calls, 0);
    active_topic_used(topic);
    assert_int_equal(told->n_calls, 0);
    active_topics_tell(told->topics);
    assert_int_equal(told->n_calls, 1);
    assert_string_equal(told->last, "c-2 t");
    for (int i = 0; i < 100; i++) {
        use(told, "t");
        active_topics_tell(told->topics);
    }
    assert_int_equal(told->n_calls, 1);
    assert_ptr_equal(active_topics_get(told->topics, "t"), topic);
}

static void test_forgotten_topics_are_told_again_when_they_are_used(void **state)
{
    struct told *told = *state;
    use(told, "a");
    use(told, "b");
    active_topics_tell(told->topics);
    assert_int_equal(told->n_calls, 2);
    told->removals++;
    active_topics_tell(told->topics);
    active_topics_tell(told->topics);
    assert_int_equal(told->n_calls, 2);
    use(told, "b");
    active_topics_tell(told->topics);
    assert_int_equal(told->n_calls, 3);
    assert_string_equal(told->last, "c-2 b");
}

/* The one message that ever goes to a topic must not fall between. */
static void test_a_use_in_the_moment_of_a_reset_is_told(void **state)
{
    struct told *told = *state;
    use(told, "once");
    told->removals++;
    active_topics_tell(told->topics);
    assert_int_equal(told->n_calls, 1);
    assert_string_equal(told->last, "c-2 once");
}

static void test_more_topics_than_are_tracked_do_no_harm(void **state)
{
    struct told *told = *state;
    struct capture capture;
    capture_start(&capture);
    char name[32];
    for (int i = 0; i < ACTIVE_TOPICS_MAX + 100; i++) {
        (void)snprintf(name, sizeof(name), "t%d", i);
        use(told, name);
    }
    CLEANUP(free_charp) char *lines = capture_stop(&capture);
    active_topics_tell(told->topics);
    assert_int_equal(told->n_calls, ACTIVE_TOPICS_MAX);
    assert_null(active_topics_get(told->topics, name));
    assert_non_null(active_topics_get(told->topics, "t7"));
    const char *warned = strstr(lines, "TOPICS-UNTRACKED");
    assert_non_null(warned);
    assert_null(strstr(warned + 1, "TOPICS-UNTRACKED"));
}

static void test_without_tracking_nothing_happens(void **state UNUSED)
{
    const struct offset_port port = { .arg = NULL };
    struct active_topics *topics = active_topics_new(&port, "c", 0);
    assert_null(topics);
    active_topic_used(active_topics_get(topics, "t"));
    active_topics_tell(topics);
    active_topics_free(topics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_topic_is_told_once_and_only_when_it_was_used, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_forgotten_topics_are_told_again_when_they_are_used,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_use_in_the_moment_of_a_reset_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_more_topics_than_are_tracked_do_no_harm, setup,
                                        teardown),
        cmocka_unit_test(test_without_tracking_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
