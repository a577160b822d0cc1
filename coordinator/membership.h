/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is in the worker group and which slots each member holds, as the group coordinator tells it.
 * A member's identity is "<REST URL>#<instance>"; an instance is "<start, ms>-<random hex>", so
 * that two lives of one worker, or two workers with the same URL, can be told apart and ordered.
 * Pure but for membership_instance_new. Thread: the owner's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/core.h"
#include "worker/kafka/group.h"

/* Longest identity that group_start takes. */
#define MEMBERSHIP_MAX_IDENTITY ((size_t)255)

struct member {
    char *worker_id; /* host:port of the URL; the whole identity of a member that is no worker */
    char *url;
    char *instance; /* "" if the member gave none */
    int32_t *slots; /* rising */
    size_t n_slots;
    bool dead;    /* its process is gone, see suspicion.h */
    bool leaving; /* it hands its tasks over and stops */
};

struct membership {
    struct member *members;
    size_t n_members;
};

void membership_init(struct membership *membership);
void membership_fini(struct membership *membership);
/* membership_set replaces the content by what the group reports. */
void membership_set(struct membership *membership, const struct group_member *members,
                    size_t n_members);
/* membership_copy copies from into ret_membership, which need not be initialised. */
void membership_copy(const struct membership *from, struct membership *ret_membership);
/* membership_keep_verdicts sets dead and leaving of members that were in old as they were there. */
void membership_keep_verdicts(const struct membership *old, struct membership *now);
/* membership_highest returns the highest slot that any member has, -1: none has one. */
int32_t membership_highest(const struct membership *membership);
/* membership_holder returns the member that holds slot, NULL if nobody does. Borrowed. */
const struct member *membership_holder(const struct membership *membership, int slot);
/* membership_find returns the member of an instance, NULL if it is not in the group. Borrowed. */
const struct member *membership_find(const struct membership *membership, const char *instance);
/* membership_elder tells whether another, earlier started member has the same worker id. */
bool membership_elder(const struct membership *membership, const char *worker_id,
                      const char *instance);
/* membership_core returns an owned array with one entry for each worker id, whatever the number of
 * its lives: a worker that was killed and started again keeps the slots of its old life, until that
 * one is known to be dead: then it is an entry of its own. Release it with membership_core_free. */
struct core_member *membership_core(const struct membership *membership, size_t *ret_n);
void membership_core_free(struct core_member *members, size_t n_members);

/* membership_instance_new returns an owned instance for this process. */
char *membership_instance_new(void);
/* membership_identity returns the owned identity of a URL and instance. */
char *membership_identity(const char *url, const char *instance);
