/* SPDX-License-Identifier: Apache-2.0 */
/* Who is taken for dead before the group notices. See suspicion.h. */
#include "coordinator/suspicion.h"

#include "worker/base/mem.h"

/* What a member says, NULL if nothing: notes of an earlier process at its address do not count. */
static const struct worker_note *note_of(const struct worker_notes *notes,
                                         const struct member *member)
{
    const struct worker_note *note = worker_notes_find(notes, member->worker_id);
    return note && strcmp(note->instance, member->instance) == 0 ? note : NULL;
}

static bool condemned(const struct membership *members, const struct worker_notes *notes, size_t i)
{
    const struct member *accused = &members->members[i];
    size_t n_others = 0;
    size_t n_votes = 0;
    for (size_t j = 0; j < members->n_members; j++) {
        const struct member *other = &members->members[j];
        if (j == i || other->dead) {
            continue;
        }
        const struct worker_note *note = note_of(notes, other);
        n_others += other->leaving ? 0 : 1;
        n_votes += note && worker_note_refuses(note, accused->instance) ? 1 : 0;
    }
    return n_votes >= (n_others >= 2 ? 2U : 1U);
}

bool suspicion_judge(struct membership *members, const struct worker_notes *notes)
{
    size_t n = members->n_members;
    bool *before = xcalloc(2 * n + 1, sizeof(bool));
    for (size_t i = 0; i < n; i++) {
        struct member *member = &members->members[i];
        const struct worker_note *note = note_of(notes, member);
        before[2 * i] = member->dead;
        before[2 * i + 1] = member->leaving;
        member->dead = false;
        member->leaving = note && note->leaving;
    }
    bool found = true;
    while (found) {
        found = false;
        for (size_t i = 0; i < n; i++) {
            struct member *member = &members->members[i];
            const struct worker_note *note = note_of(notes, member);
            if (!member->dead && !member->leaving && member->instance[0] != '\0' &&
                !(note && note->objects) && condemned(members, notes, i)) {
                member->dead = true;
                found = true;
            }
        }
    }
    bool changed = false;
    for (size_t i = 0; i < n; i++) {
        const struct member *member = &members->members[i];
        changed = changed || before[2 * i] != member->dead || before[2 * i + 1] != member->leaving;
    }
    free(before);
    return changed;
}

bool suspicion_of_me(const struct membership *members, const struct worker_notes *notes,
                     const char *instance)
{
    for (size_t i = 0; i < members->n_members; i++) {
        const struct worker_note *note = note_of(notes, &members->members[i]);
        if (note && worker_note_refuses(note, instance)) {
            return true;
        }
    }
    return false;
}

/* Order in the ring. */
static int ring_compare(const struct member *a, const struct member *b)
{
    int order = strcmp(a->worker_id, b->worker_id);
    return order ? order : strcmp(a->instance, b->instance);
}

static bool may_be_watched(const struct member *member, const struct member *me)
{
    return member != me && !member->dead && member->instance[0] != '\0' &&
           strcmp(member->worker_id, me->worker_id) != 0;
}

/* The next member behind `after` in the order, without going round; NULL: none. */
static const struct member *next_in_order(const struct membership *members, const struct member *me,
                                          const struct member *after)
{
    const struct member *best = NULL;
    for (size_t i = 0; i < members->n_members; i++) {
        const struct member *member = &members->members[i];
        if (may_be_watched(member, me) && (!after || ring_compare(member, after) > 0) &&
            (!best || ring_compare(member, best) < 0)) {
            best = member;
        }
    }
    return best;
}

size_t suspicion_ring(const struct membership *members, const char *instance,
                      const struct member **ret_watched)
{
    const struct member *me = membership_find(members, instance);
    size_t n = 0;
    const struct member *at = me;
    bool round = false;
    while (me && n < SUSPICION_WATCHED) {
        at = next_in_order(members, me, at);
        if (!at && round) {
            break;
        }
        if (!at) {
            round = true; /* from the first one again, up to this worker */
            continue;
        }
        if (round && ring_compare(at, me) > 0) {
            break;
        }
        ret_watched[n++] = at;
    }
    return n;
}
