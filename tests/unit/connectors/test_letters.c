/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of a sink's dead letters. Records without handles take the place of fetched ones.
 * fakes: kafka_producer
 */
#include <string.h>

#include "tests/fakes/kafka_producer.h"
#include "tests/support/no_files.h"
#include "tests/support/unit.h"
#include "worker/connectors/mqtt_sink/letters.h"

struct fixture {
    struct kvs props;
    struct task_context context;
    struct sink_settings settings;
    struct letters *letters;
    struct kafka_partition partition;
    struct sink_item item;
    char topic[16];
    char dlq_topic[4];
    size_t n_sent;
};

/* ---- in the place of worker/kafka/fetched.c ---- */

size_t kafka_fetched_headers(const struct kafka_fetched *fetched, struct record_header *ret_headers,
                             size_t max)
{
    (void)fetched;
    (void)ret_headers;
    (void)max;
    return 0;
}

bool kafka_fetched_header(const struct kafka_fetched *fetched, const char *name,
                          struct record_bytes *ret_value)
{
    (void)fetched;
    (void)name;
    (void)ret_value;
    return false;
}

void kafka_fetched_free(struct kafka_fetched *fetched)
{
    fetched->handle = NULL;
}

/* ---- the fixture ---- */

static void on_sent(void *arg, struct sink_item *item)
{
    struct fixture *fixture = arg;
    assert_ptr_equal(item, &fixture->item);
    fixture->n_sent++;
}

static void on_failed(void *arg, struct sink_item *item, const struct error *why)
{
    (void)arg;
    (void)item;
    fail_msg("%s", why->text);
}

static int set_up(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    const struct letters_handlers handlers = { fixture, on_sent, on_failed };
    fake_producer_reset();
    kvs_init(&fixture->props);
    kvs_set(&fixture->props, "bootstrap.servers", "127.0.0.1:9");
    fixture->context = (struct task_context){ .connector = "c",
                                              .connector_config = &fixture->props,
                                              .worker_props = &fixture->props };
    (void)snprintf(fixture->dlq_topic, sizeof(fixture->dlq_topic), "dlq");
    fixture->settings.errors.dlq_topic = fixture->dlq_topic;
    fixture->settings.errors.dlq_headers = true;
    (void)snprintf(fixture->topic, sizeof(fixture->topic), "orders");
    fixture->partition = (struct kafka_partition){ .topic = fixture->topic, .number = 3 };
    fixture->item.fetched = (struct kafka_fetched){ .partition = &fixture->partition,
                                                    .offset = 7,
                                                    .value = { "v", 1 } };
    fixture->letters = letters_new(&fixture->context, &fixture->settings, &handlers);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    letters_free(fixture->letters);
    kvs_fini(&fixture->props);
    test_free(fixture);
    return 0;
}

/* What the consumer does with a partition that it loses: its memory is somebody else's then. */
static void lose_partition(struct fixture *fixture)
{
    (void)snprintf(fixture->topic, sizeof(fixture->topic), "reused");
    fixture->partition.number = 99;
    fixture->item.fetched.partition = NULL;
}

static void assert_place(size_t i)
{
    struct fake_record record;
    assert_true(fake_producer_count() > i);
    fake_producer_record(i, &record);
    assert_string_equal(record.topic, "dlq");
    assert_non_null(strstr(record.headers, "__connect.errors.topic=orders;"));
    assert_non_null(strstr(record.headers, "__connect.errors.partition=3;"));
    assert_non_null(strstr(record.headers, "__connect.errors.offset=7;"));
}

/* ---- the tests ---- */

static void test_a_waiting_letter_names_its_place_after_the_partition_is_lost(void **state)
{
    struct fixture *fixture = *state;
    const struct failure failure = { .stage = "TASK_PUT", .class_name = "x" };
    letters_send(fixture->letters, &fixture->item, &failure);
    lose_partition(fixture);
    letters_review(fixture->letters);
    assert_place(0);
    fake_producer_settle(ERR_OK);
    letters_review(fixture->letters);
    assert_int_equal(fixture->n_sent, 1);
    assert_int_equal(letters_count(fixture->letters), 0);
}

static void test_a_letter_sent_again_names_its_place_after_the_partition_is_lost(void **state)
{
    struct fixture *fixture = *state;
    const struct failure failure = { .stage = "TASK_PUT", .class_name = "x" };
    letters_send(fixture->letters, &fixture->item, &failure);
    letters_review(fixture->letters);
    assert_int_equal(fake_producer_count(), 1);
    lose_partition(fixture);
    fake_producer_settle(ERR_TOO_LARGE); /* it goes again, without its value */
    letters_review(fixture->letters);
    assert_place(1);
    fake_producer_settle(ERR_OK);
    letters_review(fixture->letters);
    assert_int_equal(fixture->n_sent, 1);
}

static void test_a_letter_that_waits_has_a_due_time(void **state)
{
    struct fixture *fixture = *state;
    const struct failure failure = { .stage = "TASK_PUT", .class_name = "x" };
    assert_true(letters_due(fixture->letters) == UINT64_MAX);
    letters_send(fixture->letters, &fixture->item, &failure);
    assert_true(letters_due(fixture->letters) == 0);
    letters_review(fixture->letters);
    assert_true(letters_due(fixture->letters) == UINT64_MAX);
    fake_producer_settle(ERR_UNAVAILABLE);
    letters_review(fixture->letters);
    assert_in_range(letters_due(fixture->letters), 1, UINT64_MAX - 1);
}

static void test_without_a_descriptor_there_is_no_queue(void **state)
{
    struct fixture *fixture = *state;
    const struct letters_handlers handlers = { fixture, on_sent, on_failed };
    rlim_t before = no_files_begin();
    struct letters *letters = letters_new(&fixture->context, &fixture->settings, &handlers);
    no_files_end(before);
    struct error error = { ERR_OK, "" };
    assert_int_equal(letters_prepare(letters, &error), ERR_UNAVAILABLE);
    assert_non_null(strstr(error.text, "dead letter queue: no open file is left"));
    letters_free(letters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_waiting_letter_names_its_place_after_the_partition_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_letter_sent_again_names_its_place_after_the_partition_is_lost, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(test_a_letter_that_waits_has_a_due_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_descriptor_there_is_no_queue, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
