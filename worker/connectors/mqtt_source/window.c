/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on their way. See window.h. */
#include "worker/connectors/mqtt_source/window.h"

#include <pthread.h>

#include "worker/active_topics.h"
#include "worker/base/list.h"
#include "worker/base/lock.h"
#include "worker/base/mem.h"

#define CHUNK 256

struct chunk {
    struct window_item items[CHUNK];
};

/* Messages that came at about the same time. */
struct segment {
    uint64_t at_us;
    uint32_t n;
};

struct window {
    struct list link; /* graveyard */
    struct kafka_tracker tracker;
    struct chunk **chunks;
    size_t n_chunks;
    size_t n_items;
    size_t n_checked; /* items whose report was looked at */
    struct segment *segments;
    size_t n_segments;
    size_t segments_size;
    size_t n_messages;
    size_t n_bytes;
    size_t n_sent_bytes;
    size_t n_suspects;
    bool keep_copies;
};

/* Windows of tasks that ended while Kafka did not answer: their flights are still written to. */
static struct lock graveyard_lock;
static struct list graveyard = { &graveyard, &graveyard };
static pthread_once_t graveyard_once = PTHREAD_ONCE_INIT;

static void graveyard_setup(void)
{
    lock_init(&graveyard_lock, LOCK_RANK_RUNNER);
}

struct window *window_new(int event_fd, struct metric_scope *metrics, bool keep_copies)
{
    struct window *window = xcalloc(1, sizeof(*window));
    list_init(&window->link);
    kafka_tracker_init(&window->tracker, event_fd, metrics);
    window->keep_copies = keep_copies;
    return window;
}

static void free_copies(struct window *window)
{
    for (size_t i = 0; window->keep_copies && i < window->n_items; i++) {
        struct window_item *item = &window->chunks[i / CHUNK]->items[i % CHUNK];
        free(TAKE(item->copy));
        free(TAKE(item->why));
    }
}

static void destroy(struct window *window)
{
    kafka_tracker_fini(&window->tracker);
    metrics_task_drop(window->tracker.metrics);
    free_copies(window);
    for (size_t i = 0; i < window->n_chunks; i++) {
        free(window->chunks[i]);
    }
    free(window->chunks);
    free(window->segments);
    free(window);
}

/* The windows whose last report has come meanwhile. */
static void sweep(struct list *ret_done)
{
    list_init(ret_done);
    lock_take(&graveyard_lock);
    LIST_FOREACH(&graveyard, item) {
        struct window *window = CONTAINER_OF(item, struct window, link);
        if (window_undelivered(window) == 0) {
            list_remove(item);
            list_push_back(ret_done, item);
        }
    }
    lock_drop(&graveyard_lock);
}

void window_free(struct window *window)
{
    (void)pthread_once(&graveyard_once, graveyard_setup);
    if (window) {
        /* Reports may come after the task and its descriptor are gone. */
        kafka_tracker_orphan(&window->tracker);
        lock_take(&graveyard_lock);
        list_push_back(&graveyard, &window->link);
        lock_drop(&graveyard_lock);
    }
    struct list done;
    sweep(&done);
    while (!list_empty(&done)) {
        destroy(CONTAINER_OF(list_pop_front(&done), struct window, link));
    }
}

static struct mqtt_message *copy_message(const struct mqtt_message *message)
{
    size_t topic = strlen(message->topic) + 1;
    struct mqtt_message *copy = xmalloc(sizeof(*copy) + topic + message->length + 1);
    *copy = *message;
    char *place = (char *)(copy + 1);
    memcpy(place, message->topic, topic);
    memcpy(place + topic, message->payload, message->length);
    copy->topic = place;
    copy->payload = place + topic;
    return copy;
}

struct window_item *window_add(struct window *window, const struct mqtt_message *message)
{
    if (window->n_items == window->n_chunks * CHUNK) {
        window->chunks = xrealloc(window->chunks, (window->n_chunks + 1) * sizeof(*window->chunks));
        window->chunks[window->n_chunks++] = xcalloc(1, sizeof(struct chunk));
    }
    size_t i = window->n_items++;
    struct window_item *item = &window->chunks[i / CHUNK]->items[i % CHUNK];
    item->copy = window->keep_copies ? copy_message(message) : NULL;
    item->why = NULL;
    item->n_bytes = (uint32_t)message->length;
    item->n_tries = 0;
    item->dead_letter = false;
    item->bare = false;
    item->topic = NULL;
    window->n_sent_bytes += message->length;
    return item;
}

void window_take_back(struct window *window)
{
    size_t i = --window->n_items;
    struct window_item *item = &window->chunks[i / CHUNK]->items[i % CHUNK];
    free(TAKE(item->copy));
    free(TAKE(item->why));
    window->n_sent_bytes -= item->n_bytes;
}

void window_note(struct window *window, const struct mqtt_message *message, uint64_t now_us)
{
    window->n_messages++;
    window->n_bytes += message->length;
    struct segment *last = window->n_segments ? &window->segments[window->n_segments - 1] : NULL;
    if (last && last->at_us == now_us) {
        last->n++;
        return;
    }
    if (window->n_segments == window->segments_size) {
        window->segments_size = window->segments_size ? window->segments_size * 2 : 16;
        window->segments =
            xrealloc(window->segments, window->segments_size * sizeof(*window->segments));
    }
    window->segments[window->n_segments++] = (struct segment){ now_us, 1 };
}

void window_reset(struct window *window)
{
    ASSERT(window_undelivered(window) == 0);
    free_copies(window);
    window->n_items = 0;
    window->n_checked = 0;
    window->n_segments = 0;
    window->n_messages = 0;
    window->n_bytes = 0;
    window->n_sent_bytes = 0;
    window->n_suspects = 0;
    atomic_store(&window->tracker.n_failed, 0);
}

void window_keep_copies(struct window *window, bool keep_copies)
{
    ASSERT(window->n_items == 0);
    window->keep_copies = keep_copies;
}

struct kafka_tracker *window_tracker(struct window *window)
{
    return &window->tracker;
}

size_t window_undelivered(const struct window *window)
{
    /* Acquire: what the reports wrote into the flights is seen once this is 0. */
    return atomic_load_explicit(&window->tracker.n_undelivered, memory_order_acquire);
}

bool window_settled(const struct window *window)
{
    /* In this order: a report counts its failure before it counts itself out, so a failure that
     * belongs to the 0 is seen. */
    if (window_undelivered(window) > 0) {
        return false;
    }
    return atomic_load(&window->tracker.n_failed) == 0 || window->n_checked == window->n_items;
}

struct window_item *window_next_failed(struct window *window)
{
    if (atomic_load(&window->tracker.n_failed) == 0) {
        window->n_checked = window->n_items;
        return NULL;
    }
    while (window->n_checked < window->n_items) {
        size_t i = window->n_checked++;
        struct window_item *item = &window->chunks[i / CHUNK]->items[i % CHUNK];
        if (item->flight.err != ERR_OK) {
            return item;
        }
    }
    return NULL;
}

void window_suspect(struct window *window)
{
    window->n_suspects++;
}

size_t window_suspects(const struct window *window)
{
    return window->n_suspects;
}

size_t window_messages(const struct window *window)
{
    return window->n_messages;
}

size_t window_bytes(const struct window *window)
{
    return window->n_bytes;
}

void window_delivered(const struct window *window, struct window_sum *ret_sum)
{
    size_t n = window->n_items;
    size_t bytes = window->n_sent_bytes;
    size_t letters = 0;
    bool failures = atomic_load(&window->tracker.n_failed) > 0;
    for (size_t i = 0; i < window->n_items; i++) {
        const struct window_item *item = &window->chunks[i / CHUNK]->items[i % CHUNK];
        bool failed = failures && item->flight.err != ERR_OK;
        n -= failed;
        bytes -= failed ? item->n_bytes : 0;
        letters += !failed && item->dead_letter;
        active_topic_used(failed ? NULL : item->topic);
    }
    *ret_sum = (struct window_sum){ .n_records = n, .n_bytes = bytes, .n_letters = letters };
}

uint64_t window_opened_ms(const struct window *window)
{
    return window->n_segments ? window->segments[0].at_us / 1000 : 0;
}

void window_observe(const struct window *window, struct metric_scope *metrics, uint64_t now_us)
{
    for (size_t i = 0; i < window->n_segments; i++) {
        const struct segment *segment = &window->segments[i];
        metric_observe_many(metrics, METRIC_END_TO_END, (double)(now_us - segment->at_us) / 1e6,
                            segment->n);
    }
}
