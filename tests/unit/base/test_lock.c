/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of ranked locks and of conditions on the monotonic clock. */
#include "tests/support/aborts.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/macros.h"
#include "worker/base/thread.h"

static void take_both(enum lock_rank first, enum lock_rank second)
{
    struct lock a;
    struct lock b;
    lock_init(&a, first);
    lock_init(&b, second);
    lock_take(&a);
    lock_take(&b);
    lock_drop(&b);
    lock_drop(&a);
    lock_fini(&b);
    lock_fini(&a);
}

static void take_rising(void *arg UNUSED)
{
    take_both(LOCK_RANK_STORE, LOCK_RANK_QUEUE);
    take_both(LOCK_RANK_REST, LOCK_RANK_LOG);
}

static void take_falling(void *arg UNUSED)
{
    take_both(LOCK_RANK_QUEUE, LOCK_RANK_STORE);
}

static void take_equal(void *arg UNUSED)
{
    take_both(LOCK_RANK_QUEUE, LOCK_RANK_QUEUE);
}

LOCK_ATTRIBUTE(no_thread_safety_analysis)
static void drop_untaken(void *arg UNUSED)
{
    struct lock lock;
    lock_init(&lock, LOCK_RANK_QUEUE);
    lock_drop(&lock);
}

static void test_lock_take_in_rising_rank_is_allowed(void **state UNUSED)
{
    take_rising(NULL);
    assert_false(aborts(take_rising, NULL));
}

#if !defined(NDEBUG) || defined(SLUICE_SANITIZED)
static void test_lock_take_in_falling_or_equal_rank_aborts(void **state UNUSED)
{
    assert_true(aborts(take_falling, NULL));
    assert_true(aborts(take_equal, NULL));
}

static void test_lock_drop_of_a_lock_not_held_aborts(void **state UNUSED)
{
    assert_true(aborts(drop_untaken, NULL));
}
#else
static void test_lock_take_in_falling_or_equal_rank_aborts(void **state UNUSED)
{
    assert_false(aborts(take_falling, NULL));
    assert_false(aborts(take_equal, NULL));
}

static void test_lock_drop_of_a_lock_not_held_aborts(void **state UNUSED)
{
    (void)drop_untaken;
    skip();
}
#endif

/* Ranks are counted per thread: what one holds does not bind another. */
static void *take_low_main(void *arg)
{
    lock_take(arg);
    lock_drop(arg);
    return NULL;
}

static void test_lock_ranks_are_per_thread(void **state UNUSED)
{
    struct lock low;
    struct lock high;
    struct thread thread;
    lock_init(&low, LOCK_RANK_REST);
    lock_init(&high, LOCK_RANK_LOG);
    lock_take(&high);
    thread_start(&thread, "low", take_low_main, &low);
    thread_join(&thread);
    lock_drop(&high);
    lock_take(&low);
    lock_drop(&low);
    lock_fini(&high);
    lock_fini(&low);
}

static void test_cond_wait_until_returns_false_at_the_deadline(void **state UNUSED)
{
    struct lock lock;
    struct cond cond;
    lock_init(&lock, LOCK_RANK_QUEUE);
    cond_init(&cond);
    lock_take(&lock);
    uint64_t deadline = clock_mono_ms() + 20;
    while (cond_wait_until(&cond, &lock, deadline)) {
    }
    assert_true(clock_mono_ms() >= deadline);
    assert_false(cond_wait_until(&cond, &lock, 0));
    lock_drop(&lock);
    cond_fini(&cond);
    lock_fini(&lock);
}

struct counter {
    struct lock lock;
    struct cond changed;
    unsigned value;
    unsigned n_woken;
};

static void *count_main(void *arg)
{
    struct counter *counter = arg;
    for (int i = 0; i < 10000; i++) {
        lock_take(&counter->lock);
        counter->value++;
        lock_drop(&counter->lock);
    }
    return NULL;
}

static void test_lock_lets_one_thread_in_at_a_time(void **state UNUSED)
{
    struct counter counter = { .value = 0 };
    struct thread threads[4];
    lock_init(&counter.lock, LOCK_RANK_QUEUE);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        thread_start(&threads[i], "count", count_main, &counter);
    }
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        thread_join(&threads[i]);
    }
    assert_int_equal(counter.value, 40000);
    lock_fini(&counter.lock);
}

static void *wait_main(void *arg)
{
    struct counter *counter = arg;
    lock_take(&counter->lock);
    counter->n_woken++;
    cond_broadcast(&counter->changed);
    while (counter->value == 0) {
        cond_wait(&counter->changed, &counter->lock);
    }
    counter->value++;
    cond_signal(&counter->changed);
    lock_drop(&counter->lock);
    return NULL;
}

static void test_cond_broadcast_wakes_all_that_wait(void **state UNUSED)
{
    struct counter counter = { .value = 0 };
    struct thread threads[3];
    lock_init(&counter.lock, LOCK_RANK_QUEUE);
    cond_init(&counter.changed);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        thread_start(&threads[i], "wait", wait_main, &counter);
    }
    lock_take(&counter.lock);
    while (counter.n_woken < N_ELEMENTS(threads)) {
        cond_wait(&counter.changed, &counter.lock);
    }
    counter.value = 1;
    cond_broadcast(&counter.changed);
    lock_drop(&counter.lock);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        thread_join(&threads[i]);
    }
    assert_int_equal(counter.value, 4);
    cond_fini(&counter.changed);
    lock_fini(&counter.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lock_take_in_rising_rank_is_allowed),
        cmocka_unit_test(test_lock_take_in_falling_or_equal_rank_aborts),
        cmocka_unit_test(test_lock_drop_of_a_lock_not_held_aborts),
        cmocka_unit_test(test_lock_ranks_are_per_thread),
        cmocka_unit_test(test_cond_wait_until_returns_false_at_the_deadline),
        cmocka_unit_test(test_lock_lets_one_thread_in_at_a_time),
        cmocka_unit_test(test_cond_broadcast_wakes_all_that_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
