/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of a session whose broker has another address: what each of the two brokers sees.
 * fakes: kafka_producer
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/unit/connectors/bench_source.h"
#include "worker/base/mem.h"

#define LATE_ID 7

/* A broker that remembers the one session. */
struct side {
    struct fake_broker broker;
    bool has;          /* the session */
    bool clean;        /* it ends with the connection */
    bool ends_at_once; /* the next connection ends right behind its CONNACK */
    unsigned n_connects;
    unsigned n_clean;
    unsigned n_subscribes;
};

struct move {
    struct side old;
    struct side new;
    bool late_sent;
    bool recorded; /* where the session has begun anew, by then */
    bool late_acked;
};

/* The CONNACK and the end of the connection arrive together. */
static void answer_and_end(struct fake_broker *broker)
{
    int on = 1;
    assert_int_equal(setsockopt(broker->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)), 0);
    broker_connack(broker, true, false, 0, NULL, 0);
    broker_hang_up(broker);
}

static void on_connect(struct side *side)
{
    struct fake_broker *broker = &side->broker;
    bool clean = broker->body[7] & 2;
    bool present = side->has && !clean;
    side->has = true;
    side->clean = clean;
    side->n_connects++;
    side->n_clean += clean;
    if (side->ends_at_once) {
        side->ends_at_once = false;
        answer_and_end(broker);
        return;
    }
    broker_connack(broker, true, present, 0, NULL, 0);
}

static void side_serve(struct move *move, struct side *side)
{
    struct fake_broker *broker = &side->broker;
    if (broker->fd < 0 && !broker_accept(broker)) {
        return;
    }
    switch (broker_next(broker)) {
    case PACKET_CLOSED:
        broker_hang_up(broker);
        side->has = side->has && !side->clean;
        break;
    case PACKET_CONNECT:
        on_connect(side);
        break;
    case PACKET_SUBSCRIBE:
        side->n_subscribes++;
        broker_suback(broker, true, broker_id(broker), 1);
        break;
    case PACKET_PUBACK:
        move->late_acked = move->late_acked || broker_id(broker) == LATE_ID;
        break;
    default:
        break;
    }
}

static bool recorded(struct source_bench *f, const char *name, const struct side *side)
{
    CLEANUP(free_charp)
    char *text = xasprintf("\"%s\":\"mqtt://127.0.0.1:%d\"", name, side->broker.port);
    (void)pthread_mutex_lock(&f->lock);
    bool found = strstr(f->offset, text) != NULL;
    (void)pthread_mutex_unlock(&f->lock);
    return found;
}

/* What comes to the old broker when the new one is subscribed to already. */
static void publish_late(struct source_bench *f, struct move *move)
{
    struct side *old = &move->old;
    unsigned before = old->n_connects;
    side_serve(move, old);
    if (old->n_connects > before && move->new.n_subscribes > 0 && !move->late_sent) {
        assert_int_equal(old->n_clean, 0);
        broker_publish(&old->broker, true, LATE_ID, false, "a", "late", 4);
        move->late_sent = true;
        move->recorded = recorded(f, "begun", &move->new);
    }
}

static void start(struct source_bench *f, struct move *move)
{
    broker_open(&move->old.broker);
    broker_open(&move->new.broker);
    CLEANUP(free_charp) char *uri = xasprintf("mqtt://127.0.0.1:%d", move->new.broker.port);
    CLEANUP(free_charp) char *begun = xasprintf(",\"begun\":\"%s\"", uri);
    kvs_set(&f->config, "mqtt.server.uri", uri);
    (void)snprintf(f->offset, sizeof(f->offset),
                   "{\"filters\":[\"$share/g-c/a\"],\"broker\":\"mqtt://127.0.0.1:%d\"%s}",
                   move->old.broker.port, move->recorded ? begun : "");
    source_start(f, false);
}

/* Serves both until the record names the new broker; the old one must have been read to its end
 * and been left with nothing. Returns the SUBSCRIBEs at the new one before a clean start there. */
static unsigned finish(struct source_bench *f, struct move *move)
{
    uint64_t deadline_ms = clock_mono_ms() + SOURCE_PATIENCE_MS;
    unsigned n_early = 0;
    while (!recorded(f, "broker", &move->new)) {
        assert_true(clock_mono_ms() < deadline_ms);
        publish_late(f, move);
        side_serve(move, &move->new);
        n_early = move->new.n_clean == 0 ? move->new.n_subscribes : n_early;
        fake_producer_settle(ERR_OK);
        (void)poll(NULL, 0, 1);
    }
    assert_true(move->late_acked);
    assert_int_equal(move->old.n_clean, 1);
    assert_false(move->old.has);
    assert_true(move->new.has);
    assert_true(move->recorded);
    assert_false(recorded(f, "begun", &move->new));
    broker_close(&move->old.broker);
    broker_close(&move->new.broker);
    return n_early;
}

/* The connection to the old broker was not ended by the task, so nobody knows how long the session
 * will be there when the new broker is met: it must not take the session that it has just made
 * there for the one it looks for. */
static void test_session_made_too_late_at_the_new_broker_is_not_taken_for_the_old_one(void **state)
{
    static struct move move = { .old.ends_at_once = true };
    start(*state, &move);
    assert_int_equal(finish(*state, &move), 0);
    assert_int_equal(move.new.n_clean, 1);
}

/* A worker that takes over in the middle finds the session at both. */
static void test_session_that_was_begun_before_a_crash_is_not_taken_for_the_old_one(void **state)
{
    static struct move move = { .old.has = true, .new.has = true, .recorded = true };
    start(*state, &move);
    (void)finish(*state, &move);
    assert_int_equal(move.new.n_clean, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCE(test_session_made_too_late_at_the_new_broker_is_not_taken_for_the_old_one),
        SOURCE(test_session_that_was_begun_before_a_crash_is_not_taken_for_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
