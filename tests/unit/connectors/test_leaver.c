/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of a session that is given up for good, beside one that stays: what is queued in it.
 * fakes: kafka_producer
 */
#include <poll.h>
#include <string.h>

#include "tests/unit/connectors/bench_source.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_source/settings.h"

#define LEAVER  "sluice-g-c-9"
#define N_PEERS 3
#define N_QUEUE 3
/* Longer than a session is silent that is taken for empty. */
#define SLOW_MS 1300

/* What is at the other end of a connection. */
struct peer {
    struct fake_broker broker;
    bool leaver;
};

/* The broker's side: it hands out what is queued in the leaver one by one, from the moment it has
 * no subscription any more. */
struct queue {
    struct source_bench *f;
    struct peer peers[N_PEERS];
    uint16_t next; /* the oldest message that is not acknowledged */
    bool under_way;
    bool unsubscribed;
    bool ended;          /* the leaver came with a clean start */
    bool mute;           /* an UNSUBSCRIBE is not answered */
    unsigned n_asked;    /* UNSUBSCRIBEs of the leaver */
    unsigned n_connects; /* of the leaver */
};

static void hand_out(struct queue *queue, struct peer *peer, bool again)
{
    if (queue->next <= N_QUEUE) {
        broker_publish(&peer->broker, true, queue->next, again && queue->under_way, "a", "x", 1);
        queue->under_way = true;
    }
}

static void on_connect(struct queue *queue, struct peer *peer)
{
    struct fake_broker *broker = &peer->broker;
    bool clean = broker->body[7] & 2;
    peer->leaver = memmem(broker->body, broker->n_body, LEAVER, strlen(LEAVER)) != NULL;
    queue->ended = queue->ended || (peer->leaver && clean);
    queue->n_connects += peer->leaver;
    broker_connack(broker, true, peer->leaver && !clean, 0, NULL, 0);
    if (peer->leaver && queue->unsubscribed) {
        hand_out(queue, peer, true);
    }
}

static void on_unsubscribe(struct queue *queue, struct peer *peer)
{
    queue->n_asked += peer->leaver;
    if (queue->mute) {
        return;
    }
    broker_unsuback(&peer->broker, broker_id(&peer->broker));
    if (peer->leaver) {
        queue->unsubscribed = true;
        hand_out(queue, peer, false);
    }
}

static void serve_peer(struct queue *queue, struct peer *peer)
{
    struct fake_broker *broker = &peer->broker;
    switch (broker_next(broker)) {
    case PACKET_CLOSED:
        broker_hang_up(broker);
        break;
    case PACKET_CONNECT:
        on_connect(queue, peer);
        break;
    case PACKET_SUBSCRIBE:
        broker_suback(broker, true, broker_id(broker), 1);
        break;
    case PACKET_UNSUBSCRIBE:
        on_unsubscribe(queue, peer);
        break;
    case PACKET_PUBACK:
        assert_int_equal(broker_id(broker), queue->next);
        queue->next++;
        queue->under_way = false;
        hand_out(queue, peer, false);
        break;
    default:
        break;
    }
}

static void serve(struct queue *queue)
{
    for (size_t i = 0; i < N_PEERS; i++) {
        struct fake_broker *broker = &queue->peers[i].broker;
        broker->listen_fd = queue->f->broker.listen_fd;
        if (broker->fd >= 0 || broker_accept(broker)) {
            serve_peer(queue, &queue->peers[i]);
        }
    }
    (void)poll(NULL, 0, 1);
}

static void begin(struct queue *queue, struct source_bench *f)
{
    *queue = (struct queue){ .f = f, .next = 1 };
    for (size_t i = 0; i < N_PEERS; i++) {
        queue->peers[i].broker.fd = -1;
    }
}

static void hang_up(struct queue *queue)
{
    for (size_t i = 0; i < N_PEERS; i++) {
        broker_hang_up(&queue->peers[i].broker);
    }
}

/* Makes the task's config of the connector's, with the leaver in it. */
static void configure(struct source_bench *f)
{
    const struct connector_facts facts = { .name = "c", .group_id = "g" };
    const struct connector_plugin *plugin = connector_find("MqttSource");
    connector_configs_free(f->task_configs, f->n_task_configs);
    f->task_configs = NULL;
    assert_int_equal(plugin->task_configs(&facts, &f->config, NULL, 0, &f->task_configs,
                                          &f->n_task_configs, NULL),
                     ERR_OK);
    kvs_set(&f->task_configs[0], MQTT_TASK_RETIRING, "[\"" LEAVER "\"]");
}

static void start(struct source_bench *f, const char *offset)
{
    (void)snprintf(f->offset, sizeof(f->offset), "%s", offset);
    configure(f);
    const struct task_spec spec = {
        .connector = "c",
        .incarnation = SOURCE_TASK,
        .connector_config = &f->config,
        .task_config = &f->task_configs[0],
    };
    runner_start(f->runner, &spec);
}

static void test_leaver_is_read_to_its_end_while_kafka_is_slow(void **state)
{
    static struct queue queue;
    begin(&queue, *state);
    start(queue.f, "{\"filters\":[\"old\"]}");
    uint64_t deadline_ms = clock_mono_ms() + SOURCE_PATIENCE_MS;
    uint64_t since_ms = 0;
    size_t n_sent = 0;
    while (!queue.ended) {
        assert_true(clock_mono_ms() < deadline_ms);
        serve(&queue);
        uint64_t now_ms = clock_mono_ms();
        if (fake_producer_count() > n_sent) {
            n_sent = fake_producer_count();
            since_ms = now_ms;
        } else if (since_ms > 0 && now_ms >= since_ms + SLOW_MS) {
            fake_producer_settle(ERR_OK);
            since_ms = 0;
        }
    }
    assert_int_equal(queue.next, N_QUEUE + 1);
    assert_int_equal(fake_producer_count(), N_QUEUE);
    hang_up(&queue);
}

static void test_leaver_goes_on_when_its_old_broker_is_that_of_the_config_again(void **state)
{
    static struct queue queue;
    struct source_bench *f = *state;
    begin(&queue, f);
    queue.mute = true;
    CLEANUP(free_charp) char *good = xstrdup(kvs_get(&f->config, "mqtt.server.uri"));
    CLEANUP(free_charp)
    char *offset =
        xasprintf("{\"filters\":[\"old\"],\"broker\":\"mqtt://127.0.0.1:%d\"}", f->broker.port);
    kvs_set(&f->config, "mqtt.server.uri", "tcp://127.0.0.1:1");
    start(f, offset);
    uint64_t deadline_ms = clock_mono_ms() + SOURCE_PATIENCE_MS;
    while (queue.n_asked == 0) {
        assert_true(clock_mono_ms() < deadline_ms);
        serve(&queue);
    }
    unsigned n_connects = queue.n_connects;
    queue.mute = false;
    kvs_set(&f->config, "mqtt.server.uri", good);
    configure(f);
    const struct runner_update update = {
        .connector_config = &f->config,
        .task_config = &f->task_configs[0],
        .may_take = true,
        .deadline_ms = deadline_ms,
    };
    runner_update(f->runner, SOURCE_TASK, &update);
    while (queue.n_connects == n_connects || queue.n_asked == 1) {
        assert_true(clock_mono_ms() < deadline_ms);
        serve(&queue);
    }
    assert_int_equal(f->updated, 1);
    assert_int_equal(f->failed, 0);
    hang_up(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCE(test_leaver_is_read_to_its_end_while_kafka_is_slow),
        SOURCE(test_leaver_goes_on_when_its_old_broker_is_that_of_the_config_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
