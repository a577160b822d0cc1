/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status writer: a plain producer whose thread owns the latest value of every key
 * that is not written yet. A key has one record on its way at most; what is put meanwhile replaces
 * what waits, so that the newest value is written last and memory is bounded by the keys. The
 * client is closed when nothing was written for a while: an idle client costs CPU. Other threads
 * only push ops. See writer.h.
 */
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/map.h"
#include "worker/base/mem.h"
#include "worker/base/queue.h"
#include "worker/base/thread.h"
#include "worker/kafka/rdkafka_util.h"
#include "worker/kafka/writer.h"

#define RETRY_MS      500
#define IDLE_CLOSE_MS 20000

/* caller -> thread: write this. */
struct put_op {
    struct list link;
    char *topic;
    char *key;
    char *value; /* NULL: tombstone */
    int32_t partition;
};

struct entry {
    struct put_op *latest; /* owned */
    char *id;              /* key of the map: topic, line feed, key */
    bool in_flight;        /* librdkafka has a value of this key */
    bool dirty;            /* latest is not handed to librdkafka yet */
};

struct kafka_status_writer {
    struct kvs props;
    int report_fd; /* readable when something is in queue */
    struct queue ops;
    struct thread thread;
    _Atomic uint64_t deadline_ms; /* of the end; UINT64_MAX while in use */
    /* the thread's: */
    rd_kafka_t *client;      /* NULL while idle */
    rd_kafka_queue_t *queue; /* delivery reports and errors */
    uint64_t idle_ms;        /* when the client is closed, UINT64_MAX while it is in use */
    struct map topics;       /* name -> rd_kafka_topic_t */
    struct map entries;      /* id -> struct entry */
    uint64_t retry_ms;       /* when dirty entries are tried again, UINT64_MAX: none waits */
};

static void put_op_free(struct put_op *op)
{
    free(op->topic);
    free(op->key);
    free(op->value);
    free(op);
}

static void entry_free(struct entry *entry)
{
    put_op_free(entry->latest);
    free(entry->id);
    free(entry);
}

static void retry_later(struct kafka_status_writer *writer)
{
    uint64_t at = clock_mono_ms() + RETRY_MS;
    if (at < writer->retry_ms) {
        writer->retry_ms = at;
    }
}

static enum err open_client(struct kafka_status_writer *writer, struct error *reterr)
{
    static const uint64_t one = 1;
    rd_kafka_conf_t *conf = NULL;
    enum err err = rdk_conf_new(&writer->props, &conf, reterr);
    if (err != ERR_OK) {
        return err;
    }
    /* One record of a key at a time keeps the order; and no error is ever fatal this way. */
    rdk_conf_set(conf, "enable.idempotence", "false");
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    err = rdk_client_new(RD_KAFKA_PRODUCER, conf, &writer->client, reterr);
    if (err != ERR_OK) {
        return err;
    }
    map_init(&writer->topics);
    writer->queue = rd_kafka_queue_get_main(writer->client);
    rd_kafka_queue_io_event_enable(writer->queue, writer->report_fd, &one, sizeof(one));
    writer->idle_ms = clock_mono_ms() + IDLE_CLOSE_MS;
    return ERR_OK;
}

static void close_client(struct kafka_status_writer *writer)
{
    if (!writer->client) {
        return;
    }
    rd_kafka_queue_io_event_enable(writer->queue, -1, NULL, 0);
    (void)rd_kafka_purge(writer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_queue_destroy(writer->queue);
    rdk_topics_fini(&writer->topics);
    rd_kafka_destroy(writer->client);
    writer->client = NULL;
    writer->idle_ms = UINT64_MAX;
}

static bool ensure_client(struct kafka_status_writer *writer)
{
    struct error error;
    if (!writer->client && open_client(writer, &error) != ERR_OK) {
        log_error(NULL, "STATUS-WRITER-FAIL", "err=\"%s\"", error.text);
        return false;
    }
    return true;
}

static void send_latest(struct kafka_status_writer *writer, struct entry *entry)
{
    const struct put_op *op = entry->latest;
    if (!ensure_client(writer)) {
        entry->dirty = true;
        retry_later(writer);
        return;
    }
    writer->idle_ms = UINT64_MAX;
    rd_kafka_vu_t vus[6];
    vus[0].vtype = RD_KAFKA_VTYPE_RKT;
    vus[0].u.rkt = rdk_topic(writer->client, &writer->topics, op->topic);
    ASSERT(vus[0].u.rkt); /* the name was checked at start */
    vus[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    vus[1].u.i32 = op->partition;
    vus[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    vus[2].u.i = RD_KAFKA_MSG_F_COPY;
    vus[3].vtype = RD_KAFKA_VTYPE_KEY;
    vus[3].u.mem.ptr = op->key;
    vus[3].u.mem.size = strlen(op->key);
    vus[4].vtype = RD_KAFKA_VTYPE_VALUE;
    vus[4].u.mem.ptr = op->value;
    vus[4].u.mem.size = op->value ? strlen(op->value) : 0;
    vus[5].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[5].u.ptr = entry;
    rd_kafka_error_t *error = rd_kafka_produceva(writer->client, vus, N_ELEMENTS(vus));
    if (error) {
        rdk_report(writer->client, rd_kafka_error_code(error), rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        entry->dirty = true;
        retry_later(writer);
        return;
    }
    entry->in_flight = true;
    entry->dirty = false;
}

static void take_put(struct kafka_status_writer *writer, struct put_op *op)
{
    char *id = xasprintf("%s\n%s", op->topic, op->key);
    struct entry *entry = map_get(&writer->entries, id);
    if (entry) {
        free(id);
        put_op_free(entry->latest);
        entry->latest = op;
        entry->dirty = true;
    } else {
        entry = xcalloc(1, sizeof(*entry));
        entry->id = id;
        entry->latest = op;
        entry->dirty = true;
        (void)map_set(&writer->entries, id, entry);
    }
    if (!entry->in_flight) {
        send_latest(writer, entry);
    }
}

static void forget(struct kafka_status_writer *writer, struct entry *entry)
{
    (void)map_remove(&writer->entries, entry->id);
    entry_free(entry);
    if (writer->entries.n_entries == 0) {
        writer->idle_ms = clock_mono_ms() + IDLE_CLOSE_MS;
    }
}

static void take_report(struct kafka_status_writer *writer, const rd_kafka_message_t *message)
{
    struct entry *entry = message->_private;
    enum err err = rdk_err(message->err);
    entry->in_flight = false;
    if (err == ERR_TOO_LARGE || err == ERR_REJECTED) {
        log_error(NULL, "STATUS-WRITE-FAIL", "topic=%s key=\"%s\" err=\"%s\"", entry->latest->topic,
                  entry->latest->key, rd_kafka_err2str(message->err));
    } else if (err != ERR_OK) {
        rdk_report(writer->client, message->err, rd_kafka_err2str(message->err));
        entry->dirty = true;
        retry_later(writer);
        return;
    }
    if (entry->dirty) {
        send_latest(writer, entry);
    } else {
        forget(writer, entry);
    }
}

static void take_event(struct kafka_status_writer *writer, rd_kafka_event_t *event)
{
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
        const rd_kafka_message_t *message = rd_kafka_event_message_next(event);
        for (; message; message = rd_kafka_event_message_next(event)) {
            take_report(writer, message);
        }
    } else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
        rdk_report(writer->client, rd_kafka_event_error(event), rd_kafka_event_error_string(event));
    }
    rd_kafka_event_destroy(event);
}

static void drain_events(struct kafka_status_writer *writer)
{
    eventfd_t ignored;
    (void)eventfd_read(writer->report_fd, &ignored);
    if (!writer->client) {
        return;
    }
    rd_kafka_event_t *event = rd_kafka_queue_poll(writer->queue, 0);
    for (; event; event = rd_kafka_queue_poll(writer->queue, 0)) {
        take_event(writer, event);
    }
}

static void resend_dirty(struct kafka_status_writer *writer)
{
    writer->retry_ms = UINT64_MAX;
    MAP_FOREACH(&writer->entries, slot) {
        struct entry *entry = slot->value;
        if (entry->dirty && !entry->in_flight) {
            send_latest(writer, entry);
        }
    }
}

/* Milliseconds until something is due, -1 for never. */
static int wait_ms(const struct kafka_status_writer *writer)
{
    uint64_t due = writer->retry_ms < writer->deadline_ms ? writer->retry_ms : writer->deadline_ms;
    due = writer->idle_ms < due ? writer->idle_ms : due;
    uint64_t now = clock_mono_ms();
    if (due == UINT64_MAX) {
        return -1;
    }
    return due > now ? (int)(due - now) : 0;
}

static void take_puts(struct kafka_status_writer *writer)
{
    for (struct list *node = queue_pop(&writer->ops, 0); node; node = queue_pop(&writer->ops, 0)) {
        take_put(writer, CONTAINER_OF(node, struct put_op, link));
    }
}

static void *status_writer_main(void *arg)
{
    struct kafka_status_writer *writer = arg;
    for (;;) {
        /* Read before the ops: what was put before the end began is then among them. */
        bool closing = writer->deadline_ms != UINT64_MAX;
        take_puts(writer);
        drain_events(writer);
        if (clock_mono_ms() >= writer->retry_ms) {
            resend_dirty(writer);
        }
        if (closing && (writer->entries.n_entries == 0 || clock_mono_ms() >= writer->deadline_ms)) {
            return NULL;
        }
        if (clock_mono_ms() >= writer->idle_ms) {
            close_client(writer);
        }
        /* Once closed, the op queue's descriptor stays readable. */
        struct pollfd fds[] = {
            { .fd = writer->report_fd, .events = POLLIN },
            { .fd = queue_fd(&writer->ops), .events = POLLIN },
        };
        (void)poll(fds, closing ? 1 : 2, wait_ms(writer));
    }
}

enum err kafka_status_writer_open(const struct kvs *props, struct kafka_status_writer **ret_writer,
                                  struct error *reterr)
{
    struct kafka_status_writer *writer = xcalloc(1, sizeof(*writer));
    kvs_init(&writer->props);
    kvs_copy(&writer->props, props);
    writer->report_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(writer->report_fd >= 0);
    writer->deadline_ms = UINT64_MAX;
    writer->retry_ms = UINT64_MAX;
    writer->idle_ms = UINT64_MAX;
    /* Opened at once, so that wrong properties are told here. */
    enum err err = open_client(writer, reterr);
    if (err != ERR_OK) {
        (void)close(writer->report_fd);
        kvs_fini(&writer->props);
        free(writer);
        return err;
    }
    queue_init(&writer->ops, 0, true);
    map_init(&writer->entries);
    thread_start(&writer->thread, "kafka-status", status_writer_main, writer);
    *ret_writer = writer;
    return ERR_OK;
}

void kafka_status_writer_close(struct kafka_status_writer *writer, int timeout_ms)
{
    if (!writer) {
        return;
    }
    queue_close(&writer->ops);
    writer->deadline_ms = clock_mono_ms() + (uint64_t)timeout_ms;
    thread_join(&writer->thread);
    if (writer->entries.n_entries > 0) {
        log_warn(NULL, "STATUS-UNWRITTEN", "n=%zu", writer->entries.n_entries);
    }
    close_client(writer);
    MAP_FOREACH(&writer->entries, slot) {
        entry_free(slot->value);
    }
    map_fini(&writer->entries);
    queue_fini(&writer->ops);
    (void)close(writer->report_fd);
    kvs_fini(&writer->props);
    free(writer);
}

void kafka_status_writer_put(struct kafka_status_writer *writer, const struct writer_record *record)
{
    struct put_op *op = xcalloc(1, sizeof(*op));
    list_init(&op->link);
    op->topic = xstrdup(record->topic);
    op->key = xstrdup(record->key);
    op->value = record->value ? xstrdup(record->value) : NULL;
    op->partition = record->partition;
    if (!queue_push(&writer->ops, &op->link)) {
        put_op_free(op);
    }
}
