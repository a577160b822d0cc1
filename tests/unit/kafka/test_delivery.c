/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the trackers: counts from several threads, one wake-up for each fall to 0. */
#include "tests/unit/kafka/mock_cluster.h"
#include "worker/base/thread.h"
#include "worker/kafka/delivery.h"

#define N_THREADS 3
#define N_ROUNDS  20000

static void test_release_wakes_at_zero_only(void **state UNUSED)
{
    struct kafka_tracker tracker;
    eventfd_t value = 0;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    kafka_tracker_init(&tracker, fd, NULL);
    for (int i = 0; i < 5; i++) {
        tracker_take(&tracker);
    }
    tracker_release(&tracker, 2);
    tracker_release(&tracker, 2);
    assert_int_equal(eventfd_read(fd, &value), -1);
    assert_int_equal(tracker.n_undelivered, 1);
    tracker_release(&tracker, 1);
    assert_int_equal(eventfd_read(fd, &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(tracker.n_undelivered, 0);
    kafka_tracker_fini(&tracker);
    (void)close(fd);
}

static void test_a_refused_record_wakes_nobody(void **state UNUSED)
{
    struct kafka_tracker tracker;
    eventfd_t value = 0;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    kafka_tracker_init(&tracker, fd, NULL);
    tracker_give_back(&tracker, tracker_take(&tracker));
    assert_int_equal(tracker.n_undelivered, 0);
    assert_int_equal(eventfd_read(fd, &value), -1);
    kafka_tracker_fini(&tracker);
    (void)close(fd);
}

static void test_a_refusal_does_not_swallow_the_wake_of_the_last_report(void **state UNUSED)
{
    struct kafka_tracker tracker;
    eventfd_t value = 0;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    kafka_tracker_init(&tracker, fd, NULL);
    (void)tracker_take(&tracker);
    uint32_t n_before = tracker_take(&tracker);
    tracker_release(&tracker, 1);
    assert_int_equal(eventfd_read(fd, &value), -1);
    tracker_give_back(&tracker, n_before);
    assert_int_equal(tracker.n_undelivered, 0);
    assert_int_equal(eventfd_read(fd, &value), 0);
    assert_int_equal(value, 1);
    kafka_tracker_fini(&tracker);
    (void)close(fd);
}

static void *release_all(void *arg)
{
    struct kafka_tracker *tracker = arg;
    for (int i = 0; i < N_ROUNDS; i++) {
        tracker_release(tracker, 1);
    }
    return NULL;
}

static void test_concurrent_releases_come_down_to_zero_with_one_wake(void **state UNUSED)
{
    struct kafka_tracker tracker;
    struct thread threads[N_THREADS];
    eventfd_t value = 0;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    kafka_tracker_init(&tracker, fd, NULL);
    for (int i = 0; i < N_THREADS * N_ROUNDS; i++) {
        tracker_take(&tracker);
    }
    for (int i = 0; i < N_THREADS; i++) {
        thread_start(&threads[i], "release", release_all, &tracker);
    }
    for (int i = 0; i < N_THREADS; i++) {
        thread_join(&threads[i]);
    }
    assert_int_equal(tracker.n_undelivered, 0);
    assert_int_equal(eventfd_read(fd, &value), 0);
    assert_int_equal(value, 1);
    kafka_tracker_fini(&tracker);
    (void)close(fd);
}

struct pings {
    _Atomic(struct kafka_tracker *) current;
};

static void *release_pings(void *arg)
{
    struct pings *pings = arg;
    for (int i = 0; i < N_ROUNDS;) {
        struct kafka_tracker *tracker = atomic_exchange(&pings->current, NULL);
        if (tracker) {
            tracker_release(tracker, 1);
            i++;
        } else {
            (void)sched_yield();
        }
    }
    return NULL;
}

/* An owner that sees 0 closes the eventfd; the number is used again at once. A late write would
 * show in the next tracker's eventfd as a second wake-up. */
static void test_after_fini_nobody_writes_the_eventfd(void **state UNUSED)
{
    struct pings pings = { NULL };
    struct thread thread;
    unsigned n_wrong = 0;
    thread_start(&thread, "release", release_pings, &pings);
    for (int i = 0; i < N_ROUNDS; i++) {
        struct kafka_tracker *tracker = xcalloc(1, sizeof(*tracker));
        eventfd_t value = 0;
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        kafka_tracker_init(tracker, fd, NULL);
        tracker_take(tracker);
        pings.current = tracker;
        while (tracker->n_undelivered > 0) {
            (void)sched_yield();
        }
        kafka_tracker_fini(tracker);
        n_wrong += eventfd_read(fd, &value) != 0 || value != 1;
        free(tracker);
        (void)close(fd);
    }
    thread_join(&thread);
    assert_int_equal(n_wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_release_wakes_at_zero_only),
        cmocka_unit_test(test_a_refused_record_wakes_nobody),
        cmocka_unit_test(test_a_refusal_does_not_swallow_the_wake_of_the_last_report),
        cmocka_unit_test(test_concurrent_releases_come_down_to_zero_with_one_wake),
        cmocka_unit_test(test_after_fini_nobody_writes_the_eventfd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
