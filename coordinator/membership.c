/* SPDX-License-Identifier: Apache-2.0 */
/* The members of the worker group. See membership.h. */
#include "coordinator/membership.h"

#include <inttypes.h>
#include <sys/random.h>

#include "worker/base/clock.h"
#include "worker/base/mem.h"

void membership_init(struct membership *membership)
{
    *membership = (struct membership){ NULL, 0 };
}

void membership_fini(struct membership *membership)
{
    for (size_t i = 0; i < membership->n_members; i++) {
        struct member *member = &membership->members[i];
        free(member->worker_id);
        free(member->url);
        free(member->instance);
        free(member->slots);
    }
    free(membership->members);
    membership_init(membership);
}

/* "https://host:8083/base" -> "host:8083". */
static char *host_and_port(const char *url)
{
    const char *scheme_end = strstr(url, "://");
    const char *host = scheme_end ? scheme_end + 3 : url;
    return xstrndup(host, strcspn(host, "/"));
}

static int compare_slots(const void *a, const void *b)
{
    int32_t left = *(const int32_t *)a;
    int32_t right = *(const int32_t *)b;
    return (left > right) - (left < right);
}

static int32_t *slots_copy(const int32_t *slots, size_t n_slots)
{
    int32_t *copy = xcalloc(n_slots + 1, sizeof(*copy));
    if (n_slots > 0) {
        memcpy(copy, slots, n_slots * sizeof(*copy));
        qsort(copy, n_slots, sizeof(*copy), compare_slots);
    }
    return copy;
}

static void member_set(struct member *member, const struct group_member *reported)
{
    const char *mark = strrchr(reported->client_id, '#');
    if (mark) {
        member->url = xstrndup(reported->client_id, (size_t)(mark - reported->client_id));
        member->instance = xstrdup(mark + 1);
        member->worker_id = host_and_port(member->url);
    } else {
        member->url = xstrdup("");
        member->instance = xstrdup("");
        member->worker_id = xstrdup(reported->client_id);
    }
    member->slots = slots_copy(reported->slots, reported->n_slots);
    member->n_slots = reported->n_slots;
}

void membership_set(struct membership *membership, const struct group_member *members,
                    size_t n_members)
{
    membership_fini(membership);
    membership->members = xcalloc(n_members + 1, sizeof(*membership->members));
    membership->n_members = n_members;
    for (size_t i = 0; i < n_members; i++) {
        member_set(&membership->members[i], &members[i]);
    }
}

void membership_copy(const struct membership *from, struct membership *ret_membership)
{
    membership_init(ret_membership);
    ret_membership->members = xcalloc(from->n_members + 1, sizeof(*ret_membership->members));
    ret_membership->n_members = from->n_members;
    for (size_t i = 0; i < from->n_members; i++) {
        const struct member *member = &from->members[i];
        ret_membership->members[i] = (struct member){
            .worker_id = xstrdup(member->worker_id),
            .url = xstrdup(member->url),
            .instance = xstrdup(member->instance),
            .slots = slots_copy(member->slots, member->n_slots),
            .n_slots = member->n_slots,
            .dead = member->dead,
            .leaving = member->leaving,
        };
    }
}

int32_t membership_highest(const struct membership *membership)
{
    int32_t highest = -1;
    for (size_t i = 0; i < membership->n_members; i++) {
        const struct member *member = &membership->members[i];
        /* Sorted. */
        int32_t last = member->n_slots > 0 ? member->slots[member->n_slots - 1] : -1;
        highest = last > highest ? last : highest;
    }
    return highest;
}

const struct member *membership_holder(const struct membership *membership, int slot)
{
    int32_t wanted = slot;
    for (size_t i = 0; i < membership->n_members; i++) {
        const struct member *member = &membership->members[i];
        if (bsearch(&wanted, member->slots, member->n_slots, sizeof(wanted), compare_slots)) {
            return member;
        }
    }
    return NULL;
}

const struct member *membership_find(const struct membership *membership, const char *instance)
{
    for (size_t i = 0; i < membership->n_members; i++) {
        if (strcmp(membership->members[i].instance, instance) == 0) {
            return &membership->members[i];
        }
    }
    return NULL;
}

void membership_keep_verdicts(const struct membership *old, struct membership *now)
{
    for (size_t i = 0; i < now->n_members; i++) {
        struct member *member = &now->members[i];
        const struct member *before = membership_find(old, member->instance);
        member->dead = before && before->dead;
        member->leaving = before && before->leaving;
    }
}

/* Orders instances by their start, then by their random part. */
static bool instance_before(const char *a, const char *b)
{
    unsigned long long start_a = strtoull(a, NULL, 10);
    unsigned long long start_b = strtoull(b, NULL, 10);
    return start_a != start_b ? start_a < start_b : strcmp(a, b) < 0;
}

bool membership_elder(const struct membership *membership, const char *worker_id,
                      const char *instance)
{
    for (size_t i = 0; i < membership->n_members; i++) {
        const struct member *member = &membership->members[i];
        if (strcmp(member->worker_id, worker_id) == 0 && strcmp(member->instance, instance) != 0 &&
            instance_before(member->instance, instance)) {
            return true;
        }
    }
    return false;
}

static struct core_member *core_find(struct core_member *members, size_t n, const char *worker_id)
{
    for (size_t i = 0; i < n; i++) {
        if (!members[i].dead && !members[i].leaving &&
            strcmp(members[i].worker_id, worker_id) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

/* The array of a core_member is const for its readers; it is this file that owns it. */
static void core_member_add(struct core_member *to, const struct member *from)
{
    int32_t *slots = xcalloc(to->n_slots + from->n_slots + 1, sizeof(*slots));
    if (to->n_slots > 0) {
        memcpy(slots, to->slots, to->n_slots * sizeof(*slots));
    }
    if (from->n_slots > 0) {
        memcpy(slots + to->n_slots, from->slots, from->n_slots * sizeof(*slots));
    }
    free((void *)(uintptr_t)to->slots);
    to->n_slots += from->n_slots;
    qsort(slots, to->n_slots, sizeof(*slots), compare_slots);
    to->slots = slots;
}

struct core_member *membership_core(const struct membership *membership, size_t *ret_n)
{
    struct core_member *members = xcalloc(membership->n_members + 1, sizeof(*members));
    size_t n = 0;
    for (size_t i = 0; i < membership->n_members; i++) {
        const struct member *from = &membership->members[i];
        bool apart = from->dead || from->leaving;
        struct core_member *to = apart ? NULL : core_find(members, n, from->worker_id);
        if (!to) {
            to = &members[n++];
            to->worker_id = xstrdup(from->worker_id);
            to->dead = from->dead;
            to->leaving = from->leaving;
        }
        int64_t started_ms = strtoll(from->instance, NULL, 10);
        to->started_ms = started_ms > to->started_ms ? started_ms : to->started_ms;
        core_member_add(to, from);
    }
    *ret_n = n;
    return members;
}

void membership_core_free(struct core_member *members, size_t n_members)
{
    for (size_t i = 0; i < n_members; i++) {
        free((void *)(uintptr_t)members[i].worker_id);
        free((void *)(uintptr_t)members[i].slots);
    }
    free(members);
}

char *membership_instance_new(void)
{
    uint32_t random = 0;
    ssize_t got = getrandom(&random, sizeof(random), 0);
    ASSERT(got == (ssize_t)sizeof(random));
    return xasprintf("%" PRId64 "-%08" PRIx32, clock_wall_ms(), random);
}

char *membership_identity(const char *url, const char *instance)
{
    return xasprintf("%s#%s", url, instance);
}
