/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other threads may see of the cluster part at once, without asking the herder: phase and
 * stage for health, Kafka's id, who leads. Written by the bootstrap and herder threads, read by
 * any; one lock guards it all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/cluster.h"
#include "coordinator/roster.h"

struct view;

/* Who leads, as far as this worker knows. */
struct view_leader {
    char url[256];  /* "" nobody */
    bool self;      /* this worker leads */
    bool confirmed; /* the writer of the leader record also holds the last slot */
};

/* view_new starts in CLUSTER_STARTING with the given stage. */
struct view *view_new(const char *stage);
/* view_free releases it; no wait may be going on. Takes NULL. */
void view_free(struct view *view);
/* view_close ends all waits with ERR_CLOSED. */
void view_close(struct view *view);

/* view_set_phase notes what the worker is doing, in Connect's words; the time is taken when it
 * changes. */
void view_set_phase(struct view *view, enum cluster_phase phase, const char *stage);
enum cluster_phase view_phase(struct view *view, char *stage, size_t size, int64_t *ret_since_ms);

/* view_set_slots notes how many slots this worker holds. */
void view_set_slots(struct view *view, size_t n_slots);
/* view_takes_tasks: see cluster_takes_tasks. */
bool view_takes_tasks(struct view *view);

void view_set_kafka_id(struct view *view, const char *id);
void view_kafka_id(struct view *view, char *id, size_t size);

/* view_set_leader replaces what is known of the leader and wakes those who wait for one. */
void view_set_leader(struct view *view, const struct view_leader *leader);
/* view_set_roster takes the newest roster; view_roster returns a reference to it, NULL while there
 * is none. */
void view_set_roster(struct view *view, struct roster *roster);
struct roster *view_roster(struct view *view);
/* view_leads tells whether this worker leads. */
bool view_leads(struct view *view);
/* view_wait_leader: see cluster_wait_leader. A leader that is not confirmed is taken after a short
 * wait: the group's news may be late, or not allowed to us at all. */
enum err view_wait_leader(struct view *view, uint64_t deadline_ms,
                          struct view_leader *ret_leader) MUST_CHECK;
