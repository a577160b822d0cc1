/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the window of messages on their way. */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/support/no_files.h"
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/connectors/mqtt_source/window.h"
#include "worker/kafka/delivery.h"

static const struct mqtt_message hello = { .topic = "a", .payload = "hello", .length = 5 };

static void send_one(struct window *window)
{
    struct window_item *item = window_add(window, &hello);
    item->flight.tracker = window_tracker(window);
    item->flight.err = ERR_OK;
    tracker_take(window_tracker(window));
}

static bool has_metrics(const char *connector)
{
    struct buf text;
    buf_init(&text);
    metrics_render(&text);
    bool has = strstr(buf_text(&text), connector) != NULL;
    buf_fini(&text);
    return has;
}

static struct window *open_window(bool keep_copies)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct window *window = window_new(fd, NULL, keep_copies);
    close(fd);
    return window;
}

static void test_places_stay_where_they_are_while_the_window_grows(void **state)
{
    (void)state;
    struct window *window = open_window(false);
    struct window_item *first = window_add(window, &hello);
    for (int i = 0; i < 5000; i++) {
        (void)window_add(window, &hello);
    }
    first->flight.err = ERR_TOO_LARGE;
    atomic_store(&window_tracker(window)->n_failed, 1);
    assert_ptr_equal(window_next_failed(window), first);
    window_reset(window);
    window_free(window);
}

static void test_failed_items_are_found_once_in_order(void **state)
{
    (void)state;
    struct window *window = open_window(false);
    struct window_item *items[3];
    for (int i = 0; i < 3; i++) {
        items[i] = window_add(window, &hello);
        items[i]->flight.err = i == 1 ? ERR_OK : ERR_REJECTED;
        items[i]->dead_letter = i > 0;
    }
    atomic_store(&window_tracker(window)->n_failed, 2);
    assert_ptr_equal(window_next_failed(window), items[0]);
    assert_ptr_equal(window_next_failed(window), items[2]);
    assert_null(window_next_failed(window));
    struct window_sum sum;
    window_delivered(window, &sum);
    assert_int_equal(sum.n_records, 1);
    assert_int_equal(sum.n_letters, 1);
    assert_int_equal(sum.n_bytes, 5);
    window_free(window);
}

static void test_window_with_failed_reports_is_settled_once_all_were_looked_at(void **state)
{
    (void)state;
    struct window *window = open_window(false);
    struct kafka_tracker *tracker = window_tracker(window);
    assert_true(window_settled(window));
    send_one(window);
    send_one(window);
    assert_false(window_settled(window));
    /* Both reports come after the last look and before the gate is asked. */
    struct window_item *second = window_add(window, &hello);
    second->flight.err = ERR_TOO_LARGE;
    atomic_store(&tracker->n_failed, 1);
    assert_false(window_settled(window));
    tracker_release(tracker, 2);
    assert_int_equal(window_undelivered(window), 0);
    assert_false(window_settled(window));
    assert_ptr_equal(window_next_failed(window), second);
    assert_null(window_next_failed(window));
    assert_true(window_settled(window));
    window_reset(window);
    window_free(window);
}

static void test_window_stays_unsettled_while_failed_items_are_left(void **state)
{
    (void)state;
    struct window *window = open_window(true);
    struct kafka_tracker *tracker = window_tracker(window);
    for (int i = 0; i < 2; i++) {
        send_one(window);
        window_add(window, &hello)->flight.err = ERR_TOO_LARGE;
    }
    atomic_store(&tracker->n_failed, 2);
    tracker_release(tracker, 2);
    /* One is sent again, and its report is in before the other one was looked at. */
    assert_non_null(window_next_failed(window));
    send_one(window);
    tracker_release(tracker, 1);
    assert_false(window_settled(window));
    assert_non_null(window_next_failed(window));
    assert_null(window_next_failed(window));
    assert_true(window_settled(window));
    window_free(window);
}

static void test_copies_outlive_the_message(void **state)
{
    (void)state;
    struct window *window = open_window(true);
    char topic[] = "a/b";
    char payload[] = "bytes";
    const struct mqtt_message message = { .topic = topic, .payload = payload, .length = 5 };
    struct window_item *item = window_add(window, &message);
    memset(topic, 'x', 3);
    memset(payload, 'x', 5);
    assert_string_equal(item->copy->topic, "a/b");
    assert_memory_equal(item->copy->payload, "bytes", 5);
    window_take_back(window);
    window_free(window);
}

static void test_times_and_bytes_are_those_of_all_messages(void **state)
{
    (void)state;
    struct window *window = open_window(false);
    assert_int_equal(window_opened_ms(window), 0);
    window_note(window, &hello, 5000);
    window_note(window, &hello, 7000);
    assert_int_equal(window_opened_ms(window), 5);
    assert_int_equal(window_messages(window), 2);
    assert_int_equal(window_bytes(window), 10);
    window_reset(window);
    assert_int_equal(window_messages(window), 0);
    assert_int_equal(window_opened_ms(window), 0);
    window_free(window);
}

static void test_window_of_a_task_that_ended_waits_for_its_last_report(void **state)
{
    (void)state;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct window *window = window_new(fd, metrics_task("of-ended-task", 0), true);
    struct kafka_tracker *tracker = window_tracker(window);
    send_one(window);
    window_free(window);
    window_free(NULL);
    /* Still there, with its metrics: the report is written into it, and wakes nobody, as the
     * descriptor may be somebody else's by now. */
    assert_true(has_metrics("\"of-ended-task\""));
    tracker_release(tracker, 1);
    eventfd_t n = 0;
    assert_int_equal(eventfd_read(fd, &n), -1);
    window_free(NULL);
    assert_false(has_metrics("\"of-ended-task\""));
    close(fd);
}

static void test_window_needs_no_descriptor_of_its_own(void **state)
{
    (void)state;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rlim_t before = no_files_begin();
    struct window *window = window_new(fd, NULL, false);
    no_files_end(before);
    send_one(window);
    tracker_release(window_tracker(window), 1);
    eventfd_t n = 0;
    assert_int_equal(eventfd_read(fd, &n), 0);
    window_free(window);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_stay_where_they_are_while_the_window_grows),
        cmocka_unit_test(test_failed_items_are_found_once_in_order),
        cmocka_unit_test(test_window_with_failed_reports_is_settled_once_all_were_looked_at),
        cmocka_unit_test(test_window_stays_unsettled_while_failed_items_are_left),
        cmocka_unit_test(test_copies_outlive_the_message),
        cmocka_unit_test(test_times_and_bytes_are_those_of_all_messages),
        cmocka_unit_test(test_window_of_a_task_that_ended_waits_for_its_last_report),
        cmocka_unit_test(test_window_needs_no_descriptor_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
