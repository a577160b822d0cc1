/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of brokers. See version_memory.h. */
#include "worker/mqtt/version_memory.h"

#include <pthread.h>

#include "worker/base/lock.h"
#include "worker/base/map.h"
#include "worker/base/mem.h"

/* A fallback is forgotten after ten minutes: the broker may have been renewed. */
#define FALLBACK_MS 600000
/* More brokers than this are not remembered. */
#define BROKERS_LIMIT 1024

struct entry {
    enum mqtt_version version;
    uint64_t at_ms;
};

static struct lock lock;
static struct map brokers;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void setup(void)
{
    lock_init(&lock, LOCK_RANK_RUNNER);
    map_init(&brokers);
}

enum mqtt_version version_memory_get(const char *broker, uint64_t now_ms)
{
    (void)pthread_once(&once, setup);
    lock_take(&lock);
    const struct entry *entry = map_get(&brokers, broker);
    enum mqtt_version version = entry ? entry->version : MQTT_VERSION_AUTO;
    if (version == MQTT_VERSION_311 && now_ms - entry->at_ms > FALLBACK_MS) {
        version = MQTT_VERSION_AUTO;
    }
    lock_drop(&lock);
    return version;
}

void version_memory_set(const char *broker, enum mqtt_version version, uint64_t now_ms)
{
    (void)pthread_once(&once, setup);
    lock_take(&lock);
    struct entry *entry = map_get(&brokers, broker);
    if (!entry && brokers.n_entries < BROKERS_LIMIT) {
        entry = xcalloc(1, sizeof(*entry));
        (void)map_set(&brokers, broker, entry);
    }
    if (entry) {
        *entry = (struct entry){ version, now_ms };
    }
    lock_drop(&lock);
}
