/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a session for good: given up at once when the worker stops. */
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench_session.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/mqtt/session.h"

static void test_a_stop_ends_the_wait_for_a_broker_that_does_not_answer(void **state)
{
    struct bench *bench = *state;
    int stop_fd = eventfd(1, EFD_CLOEXEC);
    assert_true(stop_fd >= 0);
    bench->options.stop_fd = &stop_fd;
    uint64_t start_ms = clock_mono_ms();
    struct error error = { ERR_OK, "" };
    assert_int_equal(mqtt_end_session(&bench->options, 60000, &error), ERR_UNAVAILABLE);
    assert_true(clock_mono_ms() - start_ms < 30000);
    (void)close(stop_fd);
}

static void test_without_a_stop_the_time_ends_it(void **state)
{
    struct bench *bench = *state;
    int stop_fd = eventfd(0, EFD_CLOEXEC);
    assert_true(stop_fd >= 0);
    bench->options.stop_fd = &stop_fd;
    uint64_t start_ms = clock_mono_ms();
    assert_int_equal(mqtt_end_session(&bench->options, 50, NULL), ERR_UNAVAILABLE);
    assert_true(clock_mono_ms() - start_ms >= 50);
    (void)close(stop_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BENCH(test_a_stop_ends_the_wait_for_a_broker_that_does_not_answer),
        IN_BENCH(test_without_a_stop_the_time_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
