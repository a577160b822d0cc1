/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of named threads. */
#include <semaphore.h>
#include <signal.h>

#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/thread.h"

struct seen {
    char name[16];
    int n_open_signals;
    pthread_t id;
};

static void *look_main(void *arg)
{
    struct seen *seen = arg;
    sigset_t blocked;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGCHLD };
    for (size_t i = 0; i < N_ELEMENTS(signals); i++) {
        seen->n_open_signals += !sigismember(&blocked, signals[i]);
    }
    seen->id = pthread_self();
    return NULL;
}

static void test_thread_start_blocks_all_signals_in_the_thread_only(void **state UNUSED)
{
    struct seen seen = { .n_open_signals = 0 };
    struct thread thread;
    sigset_t before;
    sigset_t after;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    thread_start(&thread, "look", look_main, &seen);
    thread_join(&thread);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(seen.n_open_signals, 0);
    for (int signal_number = 1; signal_number < 32; signal_number++) {
        assert_int_equal(sigismember(&before, signal_number), sigismember(&after, signal_number));
    }
    assert_false(pthread_equal(seen.id, pthread_self()));
}

/* The name is set by the starter, so it is looked at from there while the thread waits. */
static void *wait_main(void *arg)
{
    (void)pthread_mutex_lock(arg);
    (void)pthread_mutex_unlock(arg);
    return NULL;
}

static void test_thread_start_names_the_thread_and_cuts_long_names(void **state UNUSED)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct thread thread;
    char name[16];
    (void)pthread_mutex_lock(&gate);
    thread_start(&thread, "a-name-of-more-than-fifteen-bytes", wait_main, &gate);
    int rc = pthread_getname_np(thread.id, name, sizeof(name));
    (void)pthread_mutex_unlock(&gate);
    thread_join(&thread);
    assert_int_equal(rc, 0);
    assert_string_equal(name, "a-name-of-more-");
}

static void test_thread_join_twice_or_before_start_does_nothing(void **state UNUSED)
{
    struct seen seen = { .n_open_signals = 0 };
    struct thread thread = { .running = false };
    thread_join(&thread);
    thread_start(&thread, "look", look_main, &seen);
    assert_true(thread.running);
    thread_join(&thread);
    assert_false(thread.running);
    thread_join(&thread);
}

static void *post_main(void *arg)
{
    (void)sem_post(arg);
    return NULL;
}

static void test_thread_detach_leaves_nothing_to_join(void **state UNUSED)
{
    sem_t done;
    struct thread thread = { .running = false };
    thread_detach(&thread);
    assert_int_equal(sem_init(&done, 0, 0), 0);
    thread_start(&thread, "post", post_main, &done);
    thread_detach(&thread);
    assert_false(thread.running);
    thread_join(&thread);
    assert_int_equal(sem_wait(&done), 0);
    (void)sem_destroy(&done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread_start_blocks_all_signals_in_the_thread_only),
        cmocka_unit_test(test_thread_start_names_the_thread_and_cuts_long_names),
        cmocka_unit_test(test_thread_join_twice_or_before_start_does_nothing),
        cmocka_unit_test(test_thread_detach_leaves_nothing_to_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
