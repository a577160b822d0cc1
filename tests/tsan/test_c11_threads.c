/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C11 threads behave as librdkafka expects. In the thread sanitizer's build this runs on
 * c11_threads.c, and the counter below would be reported if the sanitizer did not see its lock; in
 * other builds it runs on the C library's and shows that the test asks for nothing else.
 */
#include <threads.h>

#include "tests/support/unit.h"
#include "worker/base/macros.h"

static mtx_t lock;
static cnd_t changed;
static int counter;

static int count_main(void *arg UNUSED)
{
    for (int i = 0; i < 1000; i++) {
        (void)mtx_lock(&lock);
        counter++;
        (void)mtx_unlock(&lock);
    }
    return 7;
}

static void test_mtx_orders_what_threads_do(void **state UNUSED)
{
    thrd_t threads[4];
    counter = 0;
    assert_int_equal(mtx_init(&lock, mtx_plain), thrd_success);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        assert_int_equal(thrd_create(&threads[i], count_main, NULL), thrd_success);
    }
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        int code = 0;
        assert_int_equal(thrd_join(threads[i], &code), thrd_success);
        assert_int_equal(code, 7);
    }
    assert_int_equal(counter, 4000);
    mtx_destroy(&lock);
}

static int turn_main(void *arg)
{
    int mine = *(int *)arg;
    for (int i = 0; i < 100; i++) {
        (void)mtx_lock(&lock);
        while (counter % 2 != mine) {
            (void)cnd_wait(&changed, &lock);
        }
        counter++;
        (void)cnd_broadcast(&changed);
        (void)mtx_unlock(&lock);
    }
    return 0;
}

static void test_cnd_lets_threads_take_turns(void **state UNUSED)
{
    thrd_t threads[2];
    int numbers[2] = { 0, 1 };
    counter = 0;
    assert_int_equal(mtx_init(&lock, mtx_plain), thrd_success);
    assert_int_equal(cnd_init(&changed), thrd_success);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(thrd_create(&threads[i], turn_main, &numbers[i]), thrd_success);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(thrd_join(threads[i], NULL), thrd_success);
    }
    assert_int_equal(counter, 200);
    cnd_destroy(&changed);
    mtx_destroy(&lock);
}

static void test_cnd_timedwait_ends_at_a_passed_deadline(void **state UNUSED)
{
    struct timespec passed = { 1, 0 };
    assert_int_equal(mtx_init(&lock, mtx_plain), thrd_success);
    assert_int_equal(cnd_init(&changed), thrd_success);
    (void)mtx_lock(&lock);
    assert_int_equal(cnd_timedwait(&changed, &lock, &passed), thrd_timedout);
    (void)mtx_unlock(&lock);
    cnd_destroy(&changed);
    mtx_destroy(&lock);
}

static void test_mtx_recursive_may_be_locked_twice(void **state UNUSED)
{
    mtx_t mutex;
    assert_int_equal(mtx_init(&mutex, mtx_plain | mtx_recursive), thrd_success);
    assert_int_equal(mtx_lock(&mutex), thrd_success);
    assert_int_equal(mtx_trylock(&mutex), thrd_success);
    assert_int_equal(mtx_unlock(&mutex), thrd_success);
    assert_int_equal(mtx_unlock(&mutex), thrd_success);
    mtx_destroy(&mutex);
    assert_int_equal(mtx_init(&mutex, mtx_plain), thrd_success);
    assert_int_equal(mtx_lock(&mutex), thrd_success);
    assert_int_equal(mtx_trylock(&mutex), thrd_busy);
    assert_int_equal(mtx_unlock(&mutex), thrd_success);
    mtx_destroy(&mutex);
}

static once_flag once = ONCE_FLAG_INIT;
static int n_once;
static tss_t key;

static void run_once(void)
{
    n_once++;
}

static int own_value_main(void *arg)
{
    call_once(&once, run_once);
    void *before = tss_get(key);
    (void)tss_set(key, arg);
    return before == NULL && tss_get(key) == arg && thrd_equal(thrd_current(), thrd_current());
}

static void test_once_and_tss_are_per_process_and_per_thread(void **state UNUSED)
{
    thrd_t threads[3];
    assert_int_equal(tss_create(&key, NULL), thrd_success);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        assert_int_equal(thrd_create(&threads[i], own_value_main, &threads[i]), thrd_success);
    }
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        int ok = 0;
        assert_int_equal(thrd_join(threads[i], &ok), thrd_success);
        assert_int_equal(ok, 1);
    }
    assert_int_equal(n_once, 1);
    assert_null(tss_get(key));
    tss_delete(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mtx_orders_what_threads_do),
        cmocka_unit_test(test_cnd_lets_threads_take_turns),
        cmocka_unit_test(test_cnd_timedwait_ends_at_a_passed_deadline),
        cmocka_unit_test(test_mtx_recursive_may_be_locked_twice),
        cmocka_unit_test(test_once_and_tss_are_per_process_and_per_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
