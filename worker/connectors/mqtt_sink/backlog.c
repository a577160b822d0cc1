/* SPDX-License-Identifier: Apache-2.0 */
/* Records that are not done and positions. See backlog.h. */
#include "worker/connectors/mqtt_sink/backlog.h"

#include "worker/base/mem.h"

/* What a record costs besides its bytes. */
#define ITEM_OVERHEAD 256
/* Buffers of reused items are given back when they have grown beyond this. */
#define KEEP_BUF 4096

struct backlog {
    struct list partitions;
    struct list spare; /* items to be used again */
    struct list lost;  /* items that fly although their partition is gone */
    size_t n_items;
    size_t n_bytes;
    size_t n_flying;
};

static struct sink_partition *partition_of(struct list *link)
{
    return CONTAINER_OF(link, struct sink_partition, link);
}

static struct sink_item *item_of(struct list *link)
{
    return CONTAINER_OF(link, struct sink_item, link);
}

struct backlog *backlog_new(void)
{
    struct backlog *backlog = xcalloc(1, sizeof(*backlog));
    list_init(&backlog->partitions);
    list_init(&backlog->spare);
    list_init(&backlog->lost);
    return backlog;
}

static void free_items(struct list *items)
{
    while (!list_empty(items)) {
        struct sink_item *item = item_of(list_pop_front(items));
        kafka_fetched_free(&item->fetched);
        buf_fini(&item->topic);
        buf_fini(&item->payload);
        free(item->extras);
        free(item);
    }
}

void backlog_free(struct backlog *backlog)
{
    if (!backlog) {
        return;
    }
    while (!list_empty(&backlog->partitions)) {
        struct sink_partition *partition = partition_of(list_pop_front(&backlog->partitions));
        free_items(&partition->items);
        free(partition);
    }
    free_items(&backlog->spare);
    free_items(&backlog->lost);
    free(backlog);
}

/* ---- partitions ---- */

static void forget_position(struct sink_partition *partition)
{
    partition->position = -1;
    partition->taken = -1;
    partition->committed = -1;
    partition->asked = -1;
}

struct sink_partition *backlog_assigned(struct backlog *backlog, struct kafka_partition *kafka)
{
    struct sink_partition *partition = xcalloc(1, sizeof(*partition));
    partition->kafka = kafka;
    forget_position(partition);
    list_init(&partition->items);
    list_push_back(&backlog->partitions, &partition->link);
    return partition;
}

/* The record's bytes are not needed any more. */
static void let_go(struct backlog *backlog, struct sink_item *item)
{
    kafka_fetched_free(&item->fetched);
    backlog->n_bytes -= item->n_bytes;
    item->n_bytes = 0;
}

static void clear_buf(struct buf *buf)
{
    if (buf->size > KEEP_BUF) {
        buf_fini(buf);
        buf_init(buf);
    }
    buf_clear(buf);
}

static void recycle(struct backlog *backlog, struct sink_item *item)
{
    let_go(backlog, item);
    clear_buf(&item->topic);
    clear_buf(&item->payload);
    free(TAKE(item->extras));
    backlog->n_items--;
    list_remove(&item->link);
    list_push_back(&backlog->spare, &item->link);
}

/* From the last one back to that of an offset. */
static void drop_items(struct backlog *backlog, struct sink_partition *partition, int64_t offset)
{
    while (!list_empty(&partition->items)) {
        struct sink_item *item = item_of(partition->items.prev);
        if (item->fetched.offset < offset) {
            return;
        }
        item->partition = NULL;
        if (item->flying) {
            partition->n_flying--;
            list_remove(&item->link);
            list_push_back(&backlog->lost, &item->link);
        } else {
            recycle(backlog, item);
        }
    }
}

void backlog_gone(struct backlog *backlog, struct sink_partition *partition)
{
    drop_items(backlog, partition, INT64_MIN);
    list_remove(&partition->link);
    free(partition);
}

void backlog_restarted(struct backlog *backlog, struct sink_partition *partition)
{
    drop_items(backlog, partition, INT64_MIN);
    forget_position(partition);
}

bool backlog_rewound(struct backlog *backlog, struct sink_partition *partition, int64_t offset)
{
    drop_items(backlog, partition, offset);
    return !list_empty(&partition->items);
}

struct list *backlog_partitions(struct backlog *backlog)
{
    return &backlog->partitions;
}

/* ---- items ---- */

static struct sink_item *take_spare(struct backlog *backlog)
{
    if (!list_empty(&backlog->spare)) {
        return item_of(list_pop_front(&backlog->spare));
    }
    struct sink_item *item = xcalloc(1, sizeof(*item));
    list_init(&item->link);
    buf_init(&item->topic);
    buf_init(&item->payload);
    return item;
}

struct sink_item *backlog_add(struct backlog *backlog, const struct kafka_fetched *fetched,
                              uint64_t now_us)
{
    struct sink_item *item = take_spare(backlog);
    item->fetched = *fetched;
    item->partition = fetched->partition->owner;
    item->publication = (struct mqtt_publication){ .topic = NULL };
    item->n_bytes = fetched->key.length + fetched->value.length + ITEM_OVERHEAD;
    item->taken_us = now_us;
    item->flying = false;
    item->done = false;
    item->letter = false;
    item->has_headers = false;
    item->partition->taken = fetched->offset + 1;
    if (item->partition->position < 0) {
        item->partition->position = fetched->offset;
    }
    list_push_back(&item->partition->items, &item->link);
    backlog->n_items++;
    backlog->n_bytes += item->n_bytes;
    return item;
}

void backlog_fly(struct sink_item *item)
{
    item->flying = true;
    item->partition->n_flying++;
}

static void land(struct sink_item *item)
{
    if (item->flying && item->partition) {
        item->partition->n_flying--;
    }
    item->flying = false;
}

void backlog_landed(struct backlog *backlog, struct sink_item *item)
{
    land(item);
    if (!item->partition) {
        recycle(backlog, item);
    }
}

void backlog_done(struct backlog *backlog, struct sink_item *item)
{
    land(item);
    item->done = true;
    struct sink_partition *partition = item->partition;
    if (!partition) {
        recycle(backlog, item);
        return;
    }
    let_go(backlog, item);
    while (!list_empty(&partition->items) && item_of(partition->items.next)->done) {
        struct sink_item *first = item_of(partition->items.next);
        partition->position = first->fetched.offset + 1;
        recycle(backlog, first);
    }
}

/* ---- figures ---- */

size_t backlog_items(const struct backlog *backlog)
{
    return backlog->n_items;
}

size_t backlog_bytes(const struct backlog *backlog)
{
    return backlog->n_bytes;
}

size_t backlog_flying(const struct backlog *backlog, bool only_revoked)
{
    size_t n = 0;
    for (struct list *link = backlog->partitions.next; link != &backlog->partitions;
         link = link->next) {
        const struct sink_partition *partition = partition_of(link);
        n += only_revoked && !partition->revoked ? 0 : partition->n_flying;
    }
    return n;
}

/* Up to where a partition may be committed. A test build commits what was only taken, so that the
 * tests can show that they would see the loss. */
static int64_t safe_position(const struct sink_partition *partition)
{
#ifdef SLUICE_NAIVE_ACK
    return partition->taken;
#else
    return partition->position;
#endif
}

static bool is_dirty(const struct sink_partition *partition, bool only_revoked)
{
    return (partition->revoked || !only_revoked) && safe_position(partition) > partition->committed;
}

struct kafka_position *backlog_uncommitted(struct backlog *backlog, bool only_revoked,
                                           size_t *ret_n)
{
    struct kafka_position *positions = NULL;
    size_t n = 0;
    LIST_FOREACH(&backlog->partitions, link) {
        struct sink_partition *partition = partition_of(link);
        if (is_dirty(partition, only_revoked)) {
            int64_t position = safe_position(partition);
            positions = xrealloc(positions, (n + 1) * sizeof(*positions));
            positions[n++] = (struct kafka_position){ partition->kafka, position };
            partition->asked = position;
        }
    }
    *ret_n = n;
    return positions;
}

void backlog_committed(struct backlog *backlog, bool ok)
{
    LIST_FOREACH(&backlog->partitions, link) {
        struct sink_partition *partition = partition_of(link);
        if (ok && partition->asked >= 0) {
            partition->committed = partition->asked;
        }
        partition->asked = -1;
    }
}

bool backlog_dirty(const struct backlog *backlog, bool only_revoked)
{
    for (struct list *link = backlog->partitions.next; link != &backlog->partitions;
         link = link->next) {
        if (is_dirty(partition_of(link), only_revoked)) {
            return true;
        }
    }
    return false;
}
