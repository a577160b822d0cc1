/* SPDX-License-Identifier: Apache-2.0 */
/* The herder as leader: its state and what the rest of the herder asks of it; of herder*.c only.
 * Thread: the herder's, if nothing else is said. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/leader_writer.h"
#include "worker/base/list.h"

struct herder;
struct herder_op;

enum lead_state {
    LEAD_NONE,    /* not the holder of the last slot, or not ready */
    LEAD_OPENING, /* the writer fences older leaders and writes our record */
    LEAD_PAUSED,  /* that failed; tried again at retry_ms */
    LEAD_ACTIVE,  /* we lead */
};

struct lead {
    enum lead_state state;
    uint64_t epoch;     /* grows with each loss, to tell old results */
    uint64_t retry_ms;  /* LEAD_PAUSED */
    uint64_t active_ms; /* since when LEAD_ACTIVE, or was last */
    uint64_t fenced_ms; /* longest pause after the last fence; 0: never fenced */
    uint64_t batch_ms;  /* no duty is written before this time */
    uint64_t wake_ms;   /* look again at this time */
    bool writing;       /* a job is with the writer */
    unsigned n_changes_in_row;
    struct herder_op *current; /* the change that is being written, NULL if none */
    bool current_created;
    struct list changes; /* of struct herder_op: waiting, in order of arrival */
};

/* Leading (herder_lead.c). herder_lead_init prepares, herder_lead_fini answers what waits. */
void herder_lead_init(struct herder *herder);
void herder_lead_fini(struct herder *herder);
/* herder_lead_slot returns the slot whose holder is to lead: the last one, but for those of dead
 * workers. */
int herder_lead_slot(const struct herder *herder);
/* herder_lead_step takes up or gives up the lead as the slots say, and submits the next write. */
void herder_lead_step(struct herder *herder, uint64_t now_ms);
/* herder_lead_written takes a job's outcome; herder_lead_change a client's change, which it owns
 * from then on. */
void herder_lead_written(struct herder *herder, const struct leader_result *result);
void herder_lead_change(struct herder *herder, struct herder_op *op);
/* herder_on_written is the writer's callback. Thread: the writer's. */
void herder_on_written(void *arg, const struct leader_result *result);
