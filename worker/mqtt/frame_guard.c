/* SPDX-License-Identifier: Apache-2.0 */
/* The limit on packets. See frame_guard.h. */
#include "worker/mqtt/frame_guard.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "worker/base/macros.h"
#include "worker/base/mem.h"

#define PUBLISH   3
#define HEAD_SIZE 5
#define MARK_SIZE 16
/* Fixed header, topic, packet id, no properties, payload. */
#define STAND_IN_SIZE (HEAD_SIZE + 2 + 65535 + 2 + 1 + MARK_SIZE + sizeof(uint64_t))
#define SWALLOW_SIZE  16384

enum frame_state {
    FRAME_HEAD,    /* the fixed header is being read */
    FRAME_BODY,    /* what follows it passes */
    FRAME_TOPIC,   /* too large: topic and packet id are being kept */
    FRAME_SWALLOW, /* too large: the rest is thrown away */
    FRAME_ANY      /* no header of MQTT: everything passes, the library will complain */
};

struct frame_guard {
    size_t limit;
    bool v5;
    enum frame_state state;
    unsigned char head[HEAD_SIZE];
    size_t n_head;
    size_t size;               /* of the packet behind its header */
    size_t left;               /* of that, still to come */
    const unsigned char *give; /* waits to be taken: the header, or the stand-in */
    size_t n_give;
    unsigned char *kept; /* of a packet that is too large: STAND_IN_SIZE bytes while there is one */
    size_t n_kept;
};

static pthread_once_t mark_once = PTHREAD_ONCE_INIT;
static unsigned char mark[MARK_SIZE];

static void draw_mark(void)
{
    arc4random_buf(mark, sizeof(mark));
}

struct frame_guard *frame_guard_new(size_t limit, bool v5)
{
    (void)pthread_once(&mark_once, draw_mark);
    struct frame_guard *guard = xcalloc(1, sizeof(*guard));
    guard->limit = limit;
    guard->v5 = v5;
    return guard;
}

void frame_guard_free(struct frame_guard *guard)
{
    if (guard) {
        free(guard->kept);
        free(guard);
    }
}

size_t frame_guard_ready(const struct frame_guard *guard)
{
    return guard->n_give;
}

bool frame_guard_stands_in(const void *payload, size_t length, uint64_t *ret_size)
{
    (void)pthread_once(&mark_once, draw_mark);
    if (length != MARK_SIZE + sizeof(*ret_size) || memcmp(payload, mark, MARK_SIZE) != 0) {
        return false;
    }
    memcpy(ret_size, (const unsigned char *)payload + MARK_SIZE, sizeof(*ret_size));
    return true;
}

static size_t give(struct frame_guard *guard, void *buffer, size_t size)
{
    size_t n = guard->n_give < size ? guard->n_give : size;
    memcpy(buffer, guard->give, n);
    guard->give += n;
    guard->n_give -= n;
    return n;
}

/* ---- the fixed header (MQTT 5, 2.1) ---- */

static void pass(struct frame_guard *guard, enum frame_state state)
{
    guard->give = guard->head;
    guard->n_give = guard->n_head;
    guard->n_head = 0;
    guard->state = state;
}

static void judge(struct frame_guard *guard)
{
    guard->size = 0;
    for (size_t i = 1; i < guard->n_head; i++) {
        guard->size |= (size_t)(guard->head[i] & 0x7f) << (7 * (i - 1));
    }
    guard->left = guard->size;
    if (guard->size <= guard->limit) {
        pass(guard, FRAME_BODY);
        return;
    }
    guard->n_head = 0;
    guard->state = FRAME_TOPIC;
    free(guard->kept);
    guard->kept = xmalloc(STAND_IN_SIZE);
    guard->n_kept = 0;
}

static ssize_t read_head(struct frame_guard *guard, frame_guard_source *source, void *arg)
{
    ssize_t n = source(arg, guard->head + guard->n_head, 1);
    if (n <= 0) {
        return n;
    }
    guard->n_head++;
    bool more = guard->n_head == 1 || (guard->head[guard->n_head - 1] & 0x80);
    if (!more) {
        judge(guard);
    } else if (guard->n_head == HEAD_SIZE) {
        pass(guard, FRAME_ANY);
    }
    return n;
}

/* ---- a packet that is too large ---- */

static bool has_id(const struct frame_guard *guard)
{
    return (guard->head[0] & 0x06) != 0;
}

/* How much of it is to be kept, as far as is known yet. */
static size_t wanted(const struct frame_guard *guard)
{
    if (guard->n_kept < 2) {
        return 2;
    }
    size_t topic = (size_t)guard->kept[0] << 8 | guard->kept[1];
    return 2 + topic + (has_id(guard) ? 2 : 0);
}

/* A type of packet that no server sends: it ends the connection. */
static void give_nonsense(struct frame_guard *guard)
{
    guard->head[0] = 0x10;
    guard->head[1] = 0;
    guard->n_head = 2;
    pass(guard, FRAME_ANY);
}

static void give_stand_in(struct frame_guard *guard)
{
    unsigned char *packet = xmalloc(STAND_IN_SIZE);
    uint64_t size = guard->size;
    size_t left = guard->n_kept + (guard->v5 ? 1 : 0) + MARK_SIZE + sizeof(size);
    size_t n = 0;
    packet[n++] = guard->head[0];
    while (left >= 0x80) {
        packet[n++] = (unsigned char)(left | 0x80);
        left >>= 7;
    }
    packet[n++] = (unsigned char)left;
    memcpy(packet + n, guard->kept, guard->n_kept);
    n += guard->n_kept;
    if (guard->v5) {
        packet[n++] = 0;
    }
    memcpy(packet + n, mark, MARK_SIZE);
    n += MARK_SIZE;
    memcpy(packet + n, &size, sizeof(size));
    n += sizeof(size);
    free(guard->kept);
    guard->kept = packet;
    guard->give = packet;
    guard->n_give = n;
    guard->left = 0;
    guard->state = FRAME_BODY;
}

static ssize_t read_topic(struct frame_guard *guard, frame_guard_source *source, void *arg)
{
    if (guard->head[0] >> 4 != PUBLISH || wanted(guard) > guard->size) {
        give_nonsense(guard);
        return 1;
    }
    size_t missing = wanted(guard) - guard->n_kept;
    if (missing == 0) {
        guard->state = FRAME_SWALLOW;
        return 1;
    }
    ssize_t n = source(arg, guard->kept + guard->n_kept, missing);
    if (n > 0) {
        guard->n_kept += (size_t)n;
        guard->left -= (size_t)n;
    }
    return n;
}

static ssize_t swallow(struct frame_guard *guard, frame_guard_source *source, void *arg)
{
    char rest[SWALLOW_SIZE];
    if (guard->left == 0) {
        give_stand_in(guard);
        return 1;
    }
    ssize_t n = source(arg, rest, guard->left < sizeof(rest) ? guard->left : sizeof(rest));
    if (n > 0) {
        guard->left -= (size_t)n;
    }
    return n;
}

/* ---- reading ---- */

/* What passes untouched. */
static ssize_t read_through(struct frame_guard *guard, void *buffer, size_t size,
                            frame_guard_source *source, void *arg)
{
    if (guard->state == FRAME_BODY && guard->left < size) {
        size = guard->left;
    }
    ssize_t n = source(arg, buffer, size);
    if (n > 0 && guard->state == FRAME_BODY) {
        guard->left -= (size_t)n;
    }
    return n;
}

ssize_t frame_guard_read(struct frame_guard *guard, void *buffer, size_t size,
                         frame_guard_source *source, void *arg)
{
    ssize_t n = 1;
    while (n > 0) {
        if (guard->n_give > 0) {
            return (ssize_t)give(guard, buffer, size);
        }
        if (guard->state == FRAME_BODY && guard->left == 0) {
            free(TAKE(guard->kept));
            guard->state = FRAME_HEAD;
        }
        switch (guard->state) {
        case FRAME_HEAD:
            n = read_head(guard, source, arg);
            break;
        case FRAME_TOPIC:
            n = read_topic(guard, source, arg);
            break;
        case FRAME_SWALLOW:
            n = swallow(guard, source, arg);
            break;
        case FRAME_BODY:
        case FRAME_ANY:
            return read_through(guard, buffer, size, source, arg);
        }
    }
    return n;
}
