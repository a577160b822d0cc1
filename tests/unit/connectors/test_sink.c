/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole MqttSink task between a scripted broker and a consumer without Kafka, which is here: it
 * has two partitions, and its owner does what the test says on the task's thread.
 */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/connectors/bench_source.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_sink/letters.h"
#include "worker/kafka/admin.h"
#include "worker/kafka/consumer.h"

#define PACKET_PUBLISH 3
/* Far below the second after which a connection's timer wakes the loop. */
#define SOON_MS    300
#define SINK(test) cmocka_unit_test_setup_teardown(test, set_up, source_tear_down)

/* ---- in the place of worker/kafka/consumer.c and fetched.c ---- */

struct kafka_consumer {
    struct kafka_consumer_handlers handlers;
};

/* Test's thread <-> task's thread. */
static struct {
    int fd;
    char topic[2];
    struct kafka_partition partitions[2]; /* the task's */
    int64_t offsets[2];                   /* the task's: of the next record */
    atomic_int to_give[2];                /* records that may be taken */
    atomic_int again;                     /* so many of partition 0 come once more */
    atomic_bool mute;                     /* the broker acknowledges nothing */
    atomic_int n_published;
    atomic_bool may_commit;
    atomic_bool revoke; /* partition 0, and commits are taken from then on */
    atomic_bool answer; /* the commit that is under way */
    atomic_bool committing;
    atomic_int n_commits;
    atomic_llong positions[2]; /* of the last commit; -1: not in it */
    atomic_int released;       /* n_commits when it was; -1: it was not */
} kafka;

enum err kafka_consumer_open(const struct kafka_consumer_options *options,
                             const struct kafka_consumer_handlers *handlers,
                             struct kafka_consumer **ret_consumer, struct error *reterr)
{
    (void)options;
    (void)reterr;
    struct kafka_consumer *consumer = xcalloc(1, sizeof(*consumer));
    consumer->handlers = *handlers;
    *ret_consumer = consumer;
    return ERR_OK;
}

/* The owner has freed its records and positions: whatever still comes must find it prepared. */
void kafka_consumer_close(struct kafka_consumer *consumer, int timeout_ms)
{
    (void)timeout_ms;
    struct kafka_partition late = { .topic = kafka.topic, .number = 2 };
    struct kafka_partition *const all[] = { &kafka.partitions[0], &kafka.partitions[1], &late };
    consumer->handlers.on_assigned(consumer->handlers.arg, &late);
    if (kafka.committing) {
        consumer->handlers.on_committed(consumer->handlers.arg, ERR_OK, "");
    }
    consumer->handlers.on_revoked(consumer->handlers.arg, all, N_ELEMENTS(all), false);
    free(consumer);
}

int kafka_consumer_fd(const struct kafka_consumer *consumer)
{
    (void)consumer;
    return kafka.fd;
}

void kafka_consumer_clear(struct kafka_consumer *consumer)
{
    (void)consumer;
    eventfd_t value = 0;
    (void)eventfd_read(kafka.fd, &value);
}

uint64_t kafka_consumer_poll_every_ms(const struct kafka_consumer *consumer)
{
    (void)consumer;
    return SOURCE_PATIENCE_MS;
}

void kafka_consumer_serve(struct kafka_consumer *consumer)
{
    struct kafka_partition *const first = &kafka.partitions[0];
    for (int i = 0; i < 2; i++) {
        if (!kafka.partitions[i].topic) {
            kafka.partitions[i] = (struct kafka_partition){ .topic = kafka.topic, .number = i };
            consumer->handlers.on_assigned(consumer->handlers.arg, &kafka.partitions[i]);
        }
    }
    if (atomic_exchange(&kafka.revoke, false)) {
        consumer->handlers.on_revoked(consumer->handlers.arg, &first, 1, false);
        kafka.may_commit = true;
    }
    if (kafka.committing && atomic_exchange(&kafka.answer, false)) {
        kafka.committing = false;
        consumer->handlers.on_committed(consumer->handlers.arg, ERR_OK, "");
    }
}

size_t kafka_consumer_take(struct kafka_consumer *consumer, struct kafka_fetched *ret_fetched,
                           size_t max, bool *ret_more)
{
    (void)consumer;
    size_t n = 0;
    kafka.offsets[0] -= atomic_exchange(&kafka.again, 0);
    for (int i = 0; i < 2; i++) {
        while (n < max && kafka.to_give[i] > 0) {
            kafka.to_give[i]--;
            ret_fetched[n++] = (struct kafka_fetched){ .partition = &kafka.partitions[i],
                                                       .offset = kafka.offsets[i]++,
                                                       .value = { "1", 1 } };
        }
    }
    *ret_more = n > 0;
    return n;
}

bool kafka_consumer_may_commit(const struct kafka_consumer *consumer)
{
    (void)consumer;
    return kafka.may_commit;
}

enum err kafka_consumer_commit(struct kafka_consumer *consumer,
                               const struct kafka_position *positions, size_t n_positions,
                               struct error *reterr)
{
    (void)consumer;
    (void)reterr;
    kafka.positions[0] = -1;
    kafka.positions[1] = -1;
    for (size_t i = 0; i < n_positions; i++) {
        kafka.positions[positions[i].partition->number] = positions[i].offset;
    }
    kafka.committing = true;
    kafka.n_commits++;
    return ERR_OK;
}

void kafka_consumer_release(struct kafka_consumer *consumer)
{
    (void)consumer;
    kafka.released = kafka.n_commits;
}

void kafka_consumer_pause(struct kafka_consumer *consumer, bool paused)
{
    (void)consumer;
    (void)paused;
}

int64_t kafka_consumer_lag(const struct kafka_consumer *consumer,
                           const struct kafka_partition *partition, int64_t offset)
{
    (void)consumer;
    (void)partition;
    (void)offset;
    return 0;
}

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

/* ---- in the place of worker/kafka/admin.c: the dead letter queue is there ---- */

enum err kafka_admin_open(const struct kvs *props, struct kafka_admin **ret_admin,
                          struct error *reterr)
{
    (void)props;
    (void)ret_admin;
    (void)reterr;
    return ERR_OK;
}

void kafka_admin_close(struct kafka_admin *admin)
{
    (void)admin;
}

enum err kafka_admin_ensure_topic(struct kafka_admin *admin, const struct kafka_topic_spec *spec,
                                  int timeout_ms, int *ret_partitions, struct error *reterr)
{
    (void)admin;
    (void)spec;
    (void)timeout_ms;
    (void)reterr;
    *ret_partitions = 1;
    return ERR_OK;
}

/* ---- the bench ---- */

/* Takes one turn of a broker that acknowledges. */
static void serve(struct source_bench *f)
{
    struct fake_broker *broker = &f->broker;
    if (broker->fd < 0 && !broker_accept(broker)) {
        (void)poll(&(struct pollfd){ .fd = broker->listen_fd, .events = POLLIN }, 1, 2);
        return;
    }
    int type = (int)broker_next(broker);
    if (type == PACKET_CONNECT) {
        broker_connack(broker, true, false, 0, NULL, 0);
    } else if (type == PACKET_PUBLISH) {
        /* The packet id stands behind the topic. */
        size_t at = 2 + ((size_t)broker->body[0] << 8 | broker->body[1]);
        const unsigned char ack[] = { 0x40, 2, broker->body[at], broker->body[at + 1] };
        kafka.n_published++;
        if (!kafka.mute) {
            broker_send(broker, ack, sizeof(ack));
        }
    } else if (type == PACKET_CLOSED) {
        broker_hang_up(broker);
    } else if (type == PACKET_NONE) {
        (void)poll(&(struct pollfd){ .fd = broker->fd, .events = POLLIN }, 1, 2);
    }
}

#define SERVE_UNTIL(f, condition)                                                                  \
    do {                                                                                           \
        uint64_t wait_deadline_ms = clock_mono_ms() + SOURCE_PATIENCE_MS;                          \
        while (!(condition)) {                                                                     \
            serve(f);                                                                              \
            if (clock_mono_ms() > wait_deadline_ms) {                                              \
                fail_msg("never: %s", #condition);                                                 \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* The task comes by and sees what is new. */
static void wake(void)
{
    (void)eventfd_write(kafka.fd, 1);
}

/* Whether the packet that the broker read last has this text. */
static bool has_text(const struct source_bench *f, const char *text)
{
    return memmem(f->broker.body, f->broker.n_body, text, strlen(text)) != NULL;
}

/* A record of a partition is published and acknowledged: its position has moved. */
static void publish_one(struct source_bench *f, int partition)
{
    double before = source_metric(METRIC_RECORDS_OUT);
    kafka.to_give[partition]++;
    wake();
    SERVE_UNTIL(f, source_metric(METRIC_RECORDS_OUT) > before);
}

static int set_up(void **state)
{
    (void)source_set_up(state);
    struct source_bench *f = *state;
    kvs_set(&f->config, "connector.class", "MqttSink");
    kvs_set(&f->config, "topics", "t");
    for (int i = 0; i < 2; i++) {
        kafka.partitions[i].topic = NULL;
        kafka.offsets[i] = 0;
        kafka.to_give[i] = 0;
    }
    kafka.topic[0] = 't';
    kafka.again = 0;
    kafka.mute = false;
    kafka.n_published = 0;
    kafka.may_commit = false;
    kafka.revoke = false;
    kafka.answer = false;
    kafka.committing = false;
    kafka.n_commits = 0;
    kafka.released = -1;
    return 0;
}

static void start(struct source_bench *f)
{
    const struct connector_facts facts = { .name = "c", .group_id = "g" };
    const struct connector_plugin *plugin = connector_find("MqttSink");
    assert_int_equal(plugin->task_configs(&facts, &f->config, NULL, 0, &f->task_configs,
                                          &f->n_task_configs, NULL),
                     ERR_OK);
    const struct task_spec spec = {
        .connector = "c",
        .incarnation = SOURCE_TASK,
        .connector_config = &f->config,
        .task_config = &f->task_configs[0],
    };
    runner_start(f->runner, &spec);
}

/* ---- tests ---- */

/* Under load the positions of the partitions that stay move during each commit. Were they waited
 * for, no revocation would end before its deadline, and the whole group waits for it. */
static void test_a_revocation_does_not_wait_for_the_partitions_that_stay(void **state)
{
    struct source_bench *f = *state;
    start(f);
    publish_one(f, 0);
    publish_one(f, 1);
    kafka.revoke = true;
    wake();
    SERVE_UNTIL(f, kafka.n_commits == 1);
    assert_int_equal(kafka.positions[0], 1);
    assert_int_equal(kafka.positions[1], -1);
    publish_one(f, 1);
    assert_int_equal(kafka.released, -1);
    kafka.answer = true;
    wake();
    SERVE_UNTIL(f, kafka.released >= 0);
    assert_int_equal(kafka.released, 1);
    SERVE_UNTIL(f, kafka.n_commits == 2);
    assert_int_equal(kafka.positions[0], -1);
    assert_int_equal(kafka.positions[1], 2);
}

/* Were what lies before it forgotten, its acknowledgement would commit over it. */
static void test_a_record_that_comes_twice_commits_nothing_that_is_unacknowledged(void **state)
{
    struct source_bench *f = *state;
    start(f);
    kafka.mute = true;
    kafka.to_give[0] = 3;
    wake();
    SERVE_UNTIL(f, kafka.n_published == 3);
    kafka.mute = false;
    kafka.again = 1;
    kafka.to_give[0] = 1;
    wake();
    double before = source_metric(METRIC_RECORDS_OUT);
    SERVE_UNTIL(f, source_metric(METRIC_RECORDS_OUT) > before);
    publish_one(f, 1);
    kafka.may_commit = true;
    wake();
    SERVE_UNTIL(f, kafka.committing);
    assert_int_equal(kafka.positions[0], 0); /* where it began */
    assert_int_equal(kafka.positions[1], 1);
}

static void test_a_task_that_ends_during_a_commit_needs_no_answer(void **state)
{
    struct source_bench *f = *state;
    start(f);
    kafka.may_commit = true;
    publish_one(f, 0);
    SERVE_UNTIL(f, kafka.committing);
    runner_stop(f->runner, SOURCE_TASK, clock_mono_ms());
    SERVE_UNTIL(f, f->stopped == 1);
    assert_int_equal(f->failed, 0);
}

static void update(struct source_bench *f, const char *key, const char *value)
{
    kvs_set(&f->config, key, value);
    const struct runner_update update = { &f->config, &f->task_configs[0], true,
                                          clock_mono_ms() + SOURCE_PATIENCE_MS };
    runner_update(f->runner, SOURCE_TASK, &update);
}

/* What is on its way, or will be sent again, was made by the config before. */
static void test_an_update_that_costs_nothing_leaves_messages_as_they_are(void **state)
{
    static const char type[] = "application/vnd.sluice.test-of-a-long-content-type+json";
    struct source_bench *f = *state;
    kvs_set(&f->config, "mqtt.content.type", type);
    start(f);
    kafka.mute = true;
    kafka.to_give[0] = 1;
    wake();
    SERVE_UNTIL(f, kafka.n_published == 1);
    assert_true(has_text(f, type));
    update(f, "max.retry.time.ms", "100000");
    SERVE_UNTIL(f, f->updated == 1);
    broker_hang_up(&f->broker);
    SERVE_UNTIL(f, kafka.n_published == 2);
    assert_true(has_text(f, type));
}

/* Every record becomes a dead letter. */
static void start_with_letters(struct source_bench *f)
{
    kvs_set(&f->config, "errors.tolerance", "all");
    kvs_set(&f->config, "errors.deadletterqueue.topic.name", "dlq");
    kvs_set(&f->config, "value.converter", "org.apache.kafka.connect.json.JsonConverter");
    start(f);
    SERVE_UNTIL(f, f->running == 1);
}

/* More records than may be dead letters at a time; returns how long the last one is not taken
 * after there is room. */
static uint64_t letters_wait_ms(struct source_bench *f)
{
    size_t n_full = (LETTERS_MAX + KAFKA_TAKE_MAX - 1) / KAFKA_TAKE_MAX * KAFKA_TAKE_MAX;
    size_t n_before = fake_producer_count();
    kafka.to_give[0] = (int)n_full + 1;
    wake();
    SERVE_UNTIL(f, fake_producer_count() == n_before + n_full);
    uint64_t begin_ms = clock_mono_ms();
    fake_producer_settle(ERR_OK);
    SERVE_UNTIL(f, fake_producer_count() == n_before + n_full + 1);
    uint64_t wait_ms = clock_mono_ms() - begin_ms;
    fake_producer_settle(ERR_OK);
    SERVE_UNTIL(f, source_metric(METRIC_DLQ_RECORDS) > (double)(n_before + n_full));
    return wait_ms;
}

/* The consumer has told of the records that wait when they came, and does not do so again. A busy
 * machine may be late once. */
static void
test_records_that_waited_for_dead_letters_are_taken_as_soon_as_these_are_safe(void **state)
{
    struct source_bench *f = *state;
    start_with_letters(f);
    bool soon = false;
    for (int i = 0; i < 3 && !soon; i++) {
        soon = letters_wait_ms(f) < SOON_MS;
    }
    assert_true(soon);
}

/* Returns how long a new config waits after the last dead letter of the old one is safe. */
static uint64_t update_wait_ms(struct source_bench *f, const char *topic)
{
    size_t n_before = fake_producer_count();
    int n_updated = f->updated;
    kafka.to_give[0] = 1;
    wake();
    SERVE_UNTIL(f, fake_producer_count() == n_before + 1);
    update(f, "mqtt.topic", topic);
    uint64_t seen_ms = clock_mono_ms() + 50;
    SERVE_UNTIL(f, clock_mono_ms() >= seen_ms);
    assert_int_equal(f->updated, n_updated);
    uint64_t begin_ms = clock_mono_ms();
    fake_producer_settle(ERR_OK);
    SERVE_UNTIL(f, f->updated == n_updated + 1);
    return clock_mono_ms() - begin_ms;
}

static void test_an_update_is_taken_as_soon_as_dead_letters_are_safe(void **state)
{
    static const char *const topics[] = { "a", "b", "c" };
    struct source_bench *f = *state;
    start_with_letters(f);
    bool soon = false;
    for (size_t i = 0; i < N_ELEMENTS(topics) && !soon; i++) {
        soon = update_wait_ms(f, topics[i]) < SOON_MS;
    }
    assert_true(soon);
}

int main(void)
{
    kafka.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const struct CMUnitTest tests[] = {
        SINK(test_a_revocation_does_not_wait_for_the_partitions_that_stay),
        SINK(test_a_record_that_comes_twice_commits_nothing_that_is_unacknowledged),
        SINK(test_a_task_that_ends_during_a_commit_needs_no_answer),
        SINK(test_records_that_waited_for_dead_letters_are_taken_as_soon_as_these_are_safe),
        SINK(test_an_update_is_taken_as_soon_as_dead_letters_are_safe),
        SINK(test_an_update_that_costs_nothing_leaves_messages_as_they_are),
    };
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)close(kafka.fd);
    return n_failed;
}
