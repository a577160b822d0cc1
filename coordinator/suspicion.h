/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is taken for dead before the group notices: by what workers say in their notes
 * (config_workers.h) about each other's REST ports. Pure. Thread: the owner's.
 *
 * A member is dead when two others that live say that its port was lost and refuses connections, or
 * one, where there is only one other that lives and is not leaving. Members are looked at one after
 * the other, so that the dead do not count when the next is judged. Whoever objects is not dead,
 * and nobody who leaves is: it closes its port after it has handed everything over. A wrong verdict
 * does no harm but needless moves: tasks follow records and sessions fence.
 */
#pragma once

#include "coordinator/config_workers.h"
#include "coordinator/membership.h"

/* Each worker watches so many others. */
#define SUSPICION_WATCHED 3

/* suspicion_judge sets dead and leaving of all members; returns whether anything has changed. */
bool suspicion_judge(struct membership *members, const struct worker_notes *notes);
/* suspicion_of_me tells whether a living member takes this instance for refused. */
bool suspicion_of_me(const struct membership *members, const struct worker_notes *notes,
                     const char *instance);
/* suspicion_ring writes up to SUSPICION_WATCHED members that this instance is to watch: those
 * behind it in the order of worker ids, as a ring. Returns how many. Borrowed from members. */
size_t suspicion_ring(const struct membership *members, const char *instance,
                      const struct member **ret_watched);
