/* SPDX-License-Identifier: Apache-2.0 */
/* Which tasks have gone from one worker to another. See moves.h. */
#include "coordinator/moves.h"

#include "worker/base/mem.h"

struct moves {
    int n_slots;
    bool begun;
    struct snapshot *snapshot; /* of the last look */
    char **owners;             /* worker id by slot, as last known; NULL: never */
    char **news;               /* by slot, during a look: who has it now; borrowed */
    struct move *kept[MOVES_KEPT];
    size_t n_kept;
    size_t next; /* place of the next one in kept, a ring */
};

/* One look. */
struct look {
    struct moves *moves;
    const struct membership *members;
    bool owners_changed;
    int64_t now_ms;
    moves_fn *on_move;
    void *arg;
};

struct move *move_ref(struct move *move)
{
    ref_take(&move->ref);
    return move;
}

void move_unref(struct move *move)
{
    if (move && ref_drop(&move->ref)) {
        free(move->connector);
        free(move->from);
        free(move->to);
        free(move);
    }
}

struct moves *moves_new(int n_slots)
{
    struct moves *moves = xcalloc(1, sizeof(*moves));
    moves->n_slots = n_slots;
    moves->owners = xcalloc((size_t)n_slots, sizeof(char *));
    moves->news = xcalloc((size_t)n_slots, sizeof(char *));
    return moves;
}

void moves_free(struct moves *moves)
{
    if (!moves) {
        return;
    }
    for (int slot = 0; slot < moves->n_slots; slot++) {
        free(moves->owners[slot]);
    }
    for (size_t i = 0; i < moves->n_kept; i++) {
        move_unref(moves->kept[i]);
    }
    free(moves->owners);
    free(moves->news);
    snapshot_unref(moves->snapshot);
    free(moves);
}

const char *moves_worker_of(const struct moves *moves, int slot)
{
    return slot >= 0 && slot < moves->n_slots ? moves->owners[slot] : NULL;
}

static const char *now_at(const struct moves *moves, int slot)
{
    if (slot < 0 || slot >= moves->n_slots) {
        return NULL;
    }
    return moves->news[slot] ? moves->news[slot] : moves->owners[slot];
}

static bool runs(const struct connector_state *connector)
{
    return connector && connector->has_config && connector->committed &&
           connector->target != TARGET_STOPPED;
}

static bool is_member(const struct membership *members, const char *worker_id)
{
    for (size_t i = 0; i < members->n_members; i++) {
        if (strcmp(members->members[i].worker_id, worker_id) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes move. */
static void keep(const struct look *look, struct move *move)
{
    struct moves *moves = look->moves;
    look->on_move(look->arg, move);
    move_unref(moves->kept[moves->next]);
    moves->kept[moves->next] = move;
    moves->next = (moves->next + 1) % MOVES_KEPT;
    moves->n_kept += moves->n_kept < MOVES_KEPT ? 1 : 0;
}

static void look_at_task(const struct look *look, const struct connector_state *old,
                         const struct connector_state *now, size_t task)
{
    int old_slot = runs(old) && task < old->n_tasks ? old->tasks[task].slot : -1;
    int slot = now->tasks[task].slot;
    const char *from = moves_worker_of(look->moves, old_slot);
    const char *to = now_at(look->moves, slot);
    if (!to || (from && strcmp(from, to) == 0)) {
        return;
    }
    enum move_reason reason = MOVE_PLACED;
    if (from && slot != old_slot) {
        reason = now->tasks[task].why;
    } else if (from) {
        reason = is_member(look->members, from) ? MOVE_JOINED : MOVE_LEFT;
    }
    struct move *move = xcalloc(1, sizeof(*move));
    ref_init(&move->ref);
    move->at_ms = look->now_ms;
    move->connector = xstrdup(now->name);
    move->task = (int)task;
    move->from = from ? xstrdup(from) : NULL;
    move->to = xstrdup(to);
    move->slot = slot;
    move->reason = reason;
    keep(look, move);
}

static void look_at_connectors(const struct look *look, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->n_connectors; i++) {
        const struct connector_state *now = snapshot->connectors[i];
        const struct connector_state *old = snapshot_find_any(look->moves->snapshot, now->name);
        if ((now == old && !look->owners_changed) || !runs(now)) {
            continue;
        }
        for (size_t task = 0; task < now->n_tasks; task++) {
            look_at_task(look, old, now, task);
        }
    }
}

/* Fills in who has which slot now; true when that is another one than at the last look. */
static bool take_owners(struct moves *moves, const struct membership *members)
{
    memset(moves->news, 0, (size_t)moves->n_slots * sizeof(char *));
    bool changed = false;
    for (size_t i = 0; i < members->n_members; i++) {
        const struct member *member = &members->members[i];
        for (size_t n = 0; n < member->n_slots; n++) {
            int slot = member->slots[n];
            if (slot < 0 || slot >= moves->n_slots) {
                continue;
            }
            moves->news[slot] = member->worker_id;
            changed = changed || !moves->owners[slot] ||
                      strcmp(moves->owners[slot], member->worker_id) != 0;
        }
    }
    return changed;
}

static void settle_owners(struct moves *moves)
{
    for (int slot = 0; slot < moves->n_slots; slot++) {
        if (moves->news[slot]) {
            free(moves->owners[slot]);
            moves->owners[slot] = xstrdup(moves->news[slot]);
        }
    }
}

void moves_look(struct moves *moves, struct snapshot *snapshot, const struct membership *members,
                int64_t now_wall_ms, moves_fn *on_move, void *arg)
{
    struct look look = {
        .moves = moves,
        .members = members,
        .owners_changed = take_owners(moves, members),
        .now_ms = now_wall_ms,
        .on_move = on_move,
        .arg = arg,
    };
    if (moves->begun && (look.owners_changed || snapshot != moves->snapshot)) {
        look_at_connectors(&look, snapshot);
    }
    if (look.owners_changed) {
        settle_owners(moves);
    }
    if (snapshot != moves->snapshot) {
        snapshot_unref(moves->snapshot);
        moves->snapshot = snapshot_ref(snapshot);
    }
    moves->begun = true;
}

struct move **moves_list(const struct moves *moves, size_t *ret_n)
{
    struct move **list = xcalloc(moves->n_kept + 1, sizeof(struct move *));
    for (size_t i = 0; i < moves->n_kept; i++) {
        list[i] = move_ref(moves->kept[(moves->next + MOVES_KEPT - 1 - i) % MOVES_KEPT]);
    }
    *ret_n = moves->n_kept;
    return list;
}
