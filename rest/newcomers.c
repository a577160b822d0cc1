/* SPDX-License-Identifier: Apache-2.0 */
/* Connections without a request. See newcomers.h. */
#include "rest/newcomers.h"

#include "worker/base/clock.h"
#include "worker/base/macros.h"

void newcomers_init(struct newcomers *newcomers)
{
    lock_init(&newcomers->lock, LOCK_RANK_REST);
    cond_init(&newcomers->gone);
    list_init(&newcomers->items);
}

void newcomers_fini(struct newcomers *newcomers)
{
    ASSERT(list_empty(&newcomers->items));
    cond_fini(&newcomers->gone);
    lock_fini(&newcomers->lock);
}

void newcomers_add(struct newcomers *newcomers, struct newcomer *newcomer)
{
    lock_take(&newcomers->lock);
    newcomer->since_ms = clock_mono_ms();
    list_push_back(&newcomers->items, &newcomer->link);
    lock_drop(&newcomers->lock);
}

void newcomers_remove(struct newcomers *newcomers, struct newcomer *newcomer)
{
    lock_take(&newcomers->lock);
    list_remove(&newcomer->link);
    cond_signal(&newcomers->gone);
    lock_drop(&newcomers->lock);
}

void newcomers_wait(struct newcomers *newcomers, uint64_t deadline_ms)
{
    lock_take(&newcomers->lock);
    while (!list_empty(&newcomers->items)) {
        const struct newcomer *newest = CONTAINER_OF(newcomers->items.prev, struct newcomer, link);
        uint64_t until_ms = newest->since_ms + NEWCOMER_MS;
        until_ms = until_ms < deadline_ms ? until_ms : deadline_ms;
        if (!cond_wait_until(&newcomers->gone, &newcomers->lock, until_ms)) {
            break;
        }
    }
    lock_drop(&newcomers->lock);
}
