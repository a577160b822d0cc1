/* SPDX-License-Identifier: Apache-2.0 */
/* Who is in the cluster and what has moved. See roster.h. */
#include "coordinator/roster.h"

#include "worker/base/mem.h"

struct roster *roster_ref(struct roster *roster)
{
    ref_take(&roster->ref);
    return roster;
}

void roster_unref(struct roster *roster)
{
    if (!roster || !ref_drop(&roster->ref)) {
        return;
    }
    for (size_t i = 0; i < roster->n_moves; i++) {
        move_unref(roster->moves[i]);
    }
    free(roster->moves);
    membership_fini(&roster->members);
    free(roster->group_id);
    free(roster->leader);
    free(roster);
}

const struct member *roster_worker_of(const struct roster *roster, int slot)
{
    return membership_holder(&roster->members, slot);
}
