/* SPDX-License-Identifier: Apache-2.0 */
/* Held and redelivered messages. See redelivery.h. */
#include "worker/mqtt/redelivery.h"

#include <pthread.h>
#include <stdlib.h>

#include "worker/base/mem.h"

#define N_IDS 65536

struct held {
    uint16_t id;
    uint64_t hash;
};

struct redelivery {
    struct held *held; /* in the order of arrival */
    size_t n_held;
    size_t size;
    uint32_t *place;   /* by id: 1 + index in held, 0 if not held; NULL until needed */
    struct held *lost; /* held when the connection ended, until they are settled */
    size_t n_lost;
    uint64_t *known; /* by id: hash of a delivered and unacknowledged message, 0: none */
    size_t n_known;
    uint64_t *late; /* by id: hash of a message that was acknowledged late on this connection */
};

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static uint64_t key[2];

static void draw_key(void)
{
    arc4random_buf(key, sizeof(key));
}

/* Both halves of the product of two words, folded. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t digest(uint64_t state, const unsigned char *bytes, size_t length)
{
    uint64_t word = 0;
    size_t n = length;
    for (; n >= sizeof(word); n -= sizeof(word), bytes += sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        state = fold(state ^ word, key[1]);
    }
    word = 0;
    memcpy(&word, bytes, n);
    state = fold(state ^ word, key[1]);
    return fold(state ^ length, key[0]);
}

uint64_t redelivery_hash(const char *topic, const void *payload, size_t length)
{
    (void)pthread_once(&key_once, draw_key);
    uint64_t state = digest(key[0], (const unsigned char *)topic, strlen(topic));
    state = digest(state, payload ? payload : (const unsigned char *)"", length);
    return state ? state : 1;
}

struct redelivery *redelivery_new(void)
{
    return xcalloc(1, sizeof(struct redelivery));
}

void redelivery_free(struct redelivery *redelivery)
{
    if (!redelivery) {
        return;
    }
    free(redelivery->held);
    free(redelivery->place);
    free(redelivery->lost);
    free(redelivery->known);
    free(redelivery->late);
    free(redelivery);
}

static void forget(struct redelivery *redelivery, uint16_t id)
{
    redelivery->known[id] = 0;
    redelivery->n_known--;
    if (redelivery->n_known == 0) {
        free(TAKE(redelivery->known));
    }
}

static void forget_all(struct redelivery *redelivery)
{
    free(TAKE(redelivery->known));
    redelivery->n_known = 0;
}

/* Whether the message is known to be delivered; the id's entry is used up either way. */
static bool take_known(struct redelivery *redelivery, uint16_t id, bool duplicate, uint64_t hash)
{
    if (!redelivery->known || redelivery->known[id] == 0) {
        return false;
    }
    bool same = duplicate && redelivery->known[id] == hash;
    forget(redelivery, id);
    return same;
}

/* Whether this is a copy that was on its way when its message was acknowledged. There may be more
 * of them; another message with that id ends it. */
static bool is_late_copy(struct redelivery *redelivery, uint16_t id, bool duplicate, uint64_t hash)
{
    if (!redelivery->late) {
        return false;
    }
    bool same = duplicate && redelivery->late[id] == hash;
    if (!same) {
        redelivery->late[id] = 0;
    }
    return same;
}

enum redelivery_kind redelivery_receive(struct redelivery *redelivery, uint16_t id, bool duplicate,
                                        uint64_t hash)
{
    if (!redelivery->place) {
        redelivery->place = xcalloc(N_IDS, sizeof(*redelivery->place));
    }
    uint32_t place = redelivery->place[id];
    if (place != 0 && redelivery->held[place - 1].hash == hash) {
        return REDELIVERY_HELD;
    }
    if (redelivery->n_held == redelivery->size) {
        redelivery->size = redelivery->size ? redelivery->size * 2 : 64;
        redelivery->held = xrealloc(redelivery->held, redelivery->size * sizeof(*redelivery->held));
    }
    redelivery->held[redelivery->n_held++] = (struct held){ id, hash };
    redelivery->place[id] = (uint32_t)redelivery->n_held;
    bool delivered = take_known(redelivery, id, duplicate, hash);
    delivered = is_late_copy(redelivery, id, duplicate, hash) || delivered;
    return delivered ? REDELIVERY_DELIVERED : REDELIVERY_NEW;
}

size_t redelivery_held(const struct redelivery *redelivery)
{
    return redelivery->n_held;
}

void redelivery_acked(struct redelivery *redelivery)
{
    for (size_t i = 0; i < redelivery->n_held; i++) {
        redelivery->place[redelivery->held[i].id] = 0;
    }
    redelivery->n_held = 0;
}

void redelivery_acked_late(struct redelivery *redelivery)
{
    if (!redelivery->late) {
        redelivery->late = xcalloc(N_IDS, sizeof(*redelivery->late));
    }
    for (size_t i = 0; i < redelivery->n_held; i++) {
        redelivery->late[redelivery->held[i].id] = redelivery->held[i].hash;
    }
    redelivery_acked(redelivery);
}

void redelivery_forget_late(struct redelivery *redelivery)
{
    free(TAKE(redelivery->late));
}

void redelivery_lost(struct redelivery *redelivery)
{
    redelivery_forget_late(redelivery);
    /* What the connection that ends now did not bring again stays unknown: the broker may have
     * given its packet id to another message meanwhile. */
    forget_all(redelivery);
    free(redelivery->lost);
    redelivery->lost = NULL;
    redelivery->n_lost = redelivery->n_held;
    if (redelivery->n_held > 0) {
        redelivery->lost =
            xmemdup(redelivery->held, redelivery->n_held * sizeof(*redelivery->held));
    }
    redelivery_acked(redelivery);
}

void redelivery_settled(struct redelivery *redelivery, bool delivered)
{
    if (delivered && redelivery->n_lost > 0) {
        redelivery->known = xcalloc(N_IDS, sizeof(*redelivery->known));
        for (size_t i = 0; i < redelivery->n_lost; i++) {
            const struct held *lost = &redelivery->lost[i];
            redelivery->n_known += redelivery->known[lost->id] == 0;
            redelivery->known[lost->id] = lost->hash;
        }
    }
    free(TAKE(redelivery->lost));
    redelivery->n_lost = 0;
}

void redelivery_connected(struct redelivery *redelivery, bool session_present)
{
    if (!session_present) {
        forget_all(redelivery);
    }
}
