/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of those that claim a task. See config_claims.h. */
#include "coordinator/config_claims.h"

#include "worker/base/mem.h"

struct claims *claims_ref(struct claims *claims)
{
    if (claims) {
        ref_take(&claims->ref);
    }
    return claims;
}

void claims_unref(struct claims *claims)
{
    if (!claims || !ref_drop(&claims->ref)) {
        return;
    }
    for (size_t i = 0; i < claims->n_items; i++) {
        free(claims->items[i].worker_id);
        free(claims->items[i].token);
    }
    free(claims);
}

size_t claims_count(const struct claims *claims)
{
    return claims ? claims->n_items : 0;
}

size_t claims_find(const struct claims *claims, const char *worker_id)
{
    size_t i = 0;
    while (i < claims_count(claims) && strcmp(claims->items[i].worker_id, worker_id) != 0) {
        i++;
    }
    return i;
}

/* Items first to last (exclusive) without the one at `without`, and one more if status is given. */
static struct claims *rebuilt(const struct claims *from, size_t first, size_t without,
                              const struct status *status, const char *token)
{
    size_t n_most = claims_count(from) + 1;
    struct claims *claims = xcalloc(1, sizeof(*claims) + n_most * sizeof(claims->items[0]));
    ref_init(&claims->ref);
    for (size_t i = first; i < claims_count(from); i++) {
        const struct claim *old = &from->items[i];
        if (i != without) {
            claims->items[claims->n_items++] = (struct claim){
                .worker_id = xstrdup(old->worker_id),
                .token = old->token ? xstrdup(old->token) : NULL,
                .division = old->division,
                .generation = old->generation,
            };
        }
    }
    if (status) {
        claims->items[claims->n_items++] = (struct claim){
            .worker_id = xstrdup(status->worker_id),
            .token = token ? xstrdup(token) : NULL,
            .division = status->division,
            .generation = status->generation,
        };
    }
    if (claims->n_items == 0) {
        claims_unref(claims);
        return NULL;
    }
    return claims;
}

/* One more at the end, and none of the same worker before it. */
static struct claims *joined(const struct claims *claims, size_t old, const struct status *status,
                             const char *token)
{
    size_t first = claims_count(claims) >= CLAIMS_MAX ? 1 : 0;
    return rebuilt(claims, first, old, status, token);
}

/* The same claim for another set: its place stays. */
static struct claims *renewed(struct claims *claims, size_t place, int64_t division)
{
    if (claims->items[place].division == division) {
        return claims_ref(claims);
    }
    struct claims *changed = rebuilt(claims, 0, claims->n_items, NULL, NULL);
    changed->items[place].division = division;
    return changed;
}

struct claims *claims_after(const struct claims *claims, const struct status *status,
                            const char *token)
{
    /* Immutable but for its counter. */
    struct claims *same = (struct claims *)(uintptr_t)claims;
    size_t n = claims_count(claims);
    size_t old = claims_find(claims, status->worker_id);
    bool has = status->state == STATE_RUNNING || status->state == STATE_PAUSED ||
               status->state == STATE_RESTARTING;
    if (token && token[0]) {
        bool known =
            old < n && claims->items[old].token && strcmp(claims->items[old].token, token) == 0;
        return known ? renewed(same, old, status->division) : joined(claims, old, status, token);
    }
    if (!token && has && old < n) {
        return old == 0 ? claims_ref(same) : rebuilt(claims, old, n, NULL, NULL);
    }
    if (!token && has) {
        return joined(claims, old, status, NULL);
    }
    return old < n ? rebuilt(claims, 0, old, NULL, NULL) : claims_ref(same);
}
