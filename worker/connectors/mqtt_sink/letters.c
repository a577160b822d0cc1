/* SPDX-License-Identifier: Apache-2.0 */
/* See letters.h. */
#include "worker/connectors/mqtt_sink/letters.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/base/open_files.h"
#include "worker/kafka/admin.h"
#include "worker/kafka/producer.h"
#include "worker/kafka/props.h"

/* How soon a full producer queue, or a dead producer, is tried again. */
#define AGAIN_MS 50
#define MAKE_MS  5000

/* One record on its way to the queue. */
struct letter {
    struct list link;
    struct sink_item *item;
    /* Where the record comes from: its partition may be gone before the letter is written. */
    char *topic;
    int32_t partition;
    int64_t offset;
    struct failure failure;
    struct kafka_flight flight;
    bool bare; /* without its value, which Kafka did not take */
};

struct letters {
    const struct task_context *context;
    const struct sink_settings *settings;
    struct letters_handlers handlers;
    char *client_id;
    struct kafka_producer *producer;
    struct kafka_tracker tracker;
    int event_fd; /* -1: none was to be had, for the reason event_errno */
    int event_errno;
    struct list waiting; /* to be sent */
    struct list flying;
    size_t n_letters;
    uint64_t again_ms; /* when what waits is tried again */
};

struct letters *letters_new(const struct task_context *context,
                            const struct sink_settings *settings,
                            const struct letters_handlers *handlers)
{
    struct letters *letters = xcalloc(1, sizeof(*letters));
    letters->context = context;
    letters->settings = settings;
    letters->handlers = *handlers;
    letters->client_id =
        xasprintf("connector-dlq-producer-%s-%d", context->connector, context->task);
    letters->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    letters->event_errno = errno;
    kafka_tracker_init(&letters->tracker, letters->event_fd, NULL);
    list_init(&letters->waiting);
    list_init(&letters->flying);
    return letters;
}

static void free_letter(struct letter *letter)
{
    free(letter->topic);
    free(letter);
}

static void free_list(struct list *list)
{
    while (!list_empty(list)) {
        free_letter(CONTAINER_OF(list_pop_front(list), struct letter, link));
    }
}

void letters_free(struct letters *letters)
{
    if (!letters) {
        return;
    }
    /* It is nobody else's: what is under way is reported before this returns. */
    kafka_producer_drop(letters->producer);
    kafka_tracker_fini(&letters->tracker);
    free_list(&letters->waiting);
    free_list(&letters->flying);
    if (letters->event_fd >= 0) {
        close(letters->event_fd);
    }
    free(letters->client_id);
    free(letters);
}

static enum err client_props(const struct letters *letters, enum kafka_role role,
                             const char *prefix, struct kvs *props, struct error *reterr)
{
    const struct kvs *config = letters->context->connector_config;
    CLEANUP(kvs_fini) struct kvs overrides;
    kvs_init(&overrides);
    for (size_t i = 0; i < config->n_items; i++) {
        if (strncmp(config->items[i].key, prefix, strlen(prefix)) == 0) {
            kvs_set(&overrides, config->items[i].key + strlen(prefix), config->items[i].value);
        }
    }
    return kafka_props_build(role, letters->context->worker_props, &overrides, props, NULL, reterr);
}

static enum err get_producer(struct letters *letters, struct error *reterr)
{
    if (letters->producer && !kafka_producer_fatal(letters->producer)) {
        return ERR_OK;
    }
    kafka_producer_drop(TAKE(letters->producer));
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&props);
    enum err err =
        client_props(letters, KAFKA_CONNECTOR_PRODUCER, "producer.override.", &props, reterr);
    kvs_set(&props, "client.id", letters->client_id);
    return err ? err : kafka_producer_get(&props, &letters->producer, reterr);
}

enum err letters_prepare(struct letters *letters, struct error *reterr)
{
    struct kafka_admin *admin = NULL;
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&props);
    const struct kafka_topic_spec spec = {
        .name = letters->settings->errors.dlq_topic,
        .property = "errors.deadletterqueue.topic.replication.factor",
        .partitions = 1,
        .replication_factor = letters->settings->errors.dlq_replication,
    };
    int n_partitions = 0;
    if (letters->event_fd < 0) {
        return open_files_error(reterr, "dead letter queue", letters->event_errno);
    }
    enum err err = client_props(letters, KAFKA_CONNECTOR_ADMIN, "admin.override.", &props, reterr);
    err = err ? err : kafka_admin_open(&props, &admin, reterr);
    if (err == ERR_OK) {
        err = kafka_admin_ensure_topic(admin, &spec, MAKE_MS, &n_partitions, reterr);
        kafka_admin_close(admin);
    }
    if (err != ERR_OK && err_retriable(err)) {
        log_warn(letters->context->log, "DLQ-UNSURE", "topic=%s error=\"%s\"", spec.name,
                 reterr->text);
        return ERR_OK;
    }
    return err ? error_prefix(reterr, err, "dead letter queue") : ERR_OK;
}

/* ---- sending ---- */

static enum err produce(struct letters *letters, struct letter *letter, struct error *reterr)
{
    const struct kafka_fetched *fetched = &letter->item->fetched;
    const struct dead_letter_place place = { letters->context->connector, letters->context->task,
                                             letter->topic, letter->partition, letter->offset };
    char size[32];
    struct dead_letter_texts texts;
    struct record record = {
        .topic = letters->settings->errors.dlq_topic,
        .partition = -1,
        .timestamp_ms = fetched->timestamp_ms,
        .key = fetched->key,
        .value = fetched->value,
    };
    size_t room = RECORD_MAX_HEADERS - DEAD_LETTER_HEADERS - 1;
    size_t n = kafka_fetched_headers(fetched, record.headers, room);
    record.n_headers = n < room ? n : room;
    if (letters->settings->errors.dlq_headers) {
        dead_letter_add_context(&record, &place, &letter->failure, &texts);
    }
    if (letter->bare) {
        (void)snprintf(size, sizeof(size), "%zu", fetched->value.length);
        dead_letter_add_header(&record, "sluice.errors.value.bytes", size);
        record.value = (struct record_bytes){ NULL, 0 };
    }
    return kafka_producer_send(letters->producer, &record, &letters->tracker, &letter->flight,
                               reterr);
}

static void end(struct letters *letters, struct letter *letter, const struct error *why)
{
    struct sink_item *item = letter->item;
    list_remove(&letter->link);
    letters->n_letters--;
    free_letter(letter);
    if (why) {
        letters->handlers.on_failed(letters->handlers.arg, item, why);
    } else {
        letters->handlers.on_sent(letters->handlers.arg, item);
    }
}

static void try_send(struct letters *letters, struct letter *letter)
{
    struct error error = { ERR_OK, "" };
    enum err err = get_producer(letters, &error);
    err = err ? err : produce(letters, letter, &error);
    if (err == ERR_TOO_LARGE && !letter->bare) {
        letter->bare = true;
        err = produce(letters, letter, &error);
    }
    list_remove(&letter->link);
    if (err == ERR_OK) {
        list_push_back(&letters->flying, &letter->link);
    } else if (err == ERR_UNAVAILABLE || err == ERR_FENCED) {
        list_push_back(&letters->waiting, &letter->link);
        letters->again_ms = clock_mono_ms() + AGAIN_MS;
    } else {
        end(letters, letter, &error);
    }
}

void letters_send(struct letters *letters, struct sink_item *item, const struct failure *failure)
{
    struct letter *letter = xcalloc(1, sizeof(*letter));
    letter->item = item;
    letter->topic = xstrdup(item->fetched.partition->topic);
    letter->partition = item->fetched.partition->number;
    letter->offset = item->fetched.offset;
    letter->failure = *failure;
    list_init(&letter->link);
    letters->n_letters++;
    list_push_back(&letters->waiting, &letter->link);
    letters->again_ms = 0;
}

/* ---- reports ---- */

static void review(struct letters *letters, struct letter *letter)
{
    struct error error = { ERR_OK, "" };
    enum err err = letter->flight.err;
    bool shed = err == ERR_TOO_LARGE && !letter->bare;
    if (err == ERR_OK) {
        end(letters, letter, NULL);
    } else if (shed || err == ERR_UNAVAILABLE || err == ERR_FENCED) {
        letter->bare = letter->bare || shed;
        list_remove(&letter->link);
        list_push_back(&letters->waiting, &letter->link);
        letters->again_ms = shed ? 0 : clock_mono_ms() + AGAIN_MS;
    } else {
        (void)error_set(&error, err, "%s", kafka_code_text(letter->flight.kafka_code));
        end(letters, letter, &error);
    }
}

void letters_review(struct letters *letters)
{
    uint64_t n = 0;
    (void)!read(letters->event_fd, &n, sizeof(n));
    if (letters->n_letters == 0) {
        return;
    }
    if (atomic_load(&letters->tracker.n_undelivered) == 0) {
        LIST_FOREACH(&letters->flying, item) {
            review(letters, CONTAINER_OF(item, struct letter, link));
        }
    }
    /* What comes back has to wait, so one round is enough. */
    struct list *last = letters->waiting.prev;
    while (clock_mono_ms() >= letters->again_ms && !list_empty(&letters->waiting)) {
        struct list *first = letters->waiting.next;
        try_send(letters, CONTAINER_OF(first, struct letter, link));
        if (first == last) {
            return;
        }
    }
}

int letters_fd(const struct letters *letters)
{
    return letters->event_fd;
}

size_t letters_count(const struct letters *letters)
{
    return letters->n_letters;
}

uint64_t letters_due(const struct letters *letters)
{
    return list_empty(&letters->waiting) ? UINT64_MAX : letters->again_ms;
}
