/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker's cluster part in the world of fakes, and what a test does to it and waits for. All
 * are called on the test's own thread; what is waited for and does not come fails the test.
 */
#pragma once

#include "coordinator/cluster.h"
#include "tests/fakes/world.h"

struct node {
    struct cluster *cluster;
    size_t index;     /* of its group and runner in the world */
    char fatal[1024]; /* what on_fatal was told; under the world's lock */
};

/* node_begin starts a worker with the address worker_id; node_start also waits until it has joined
 * the group; node_start_alone until it has all slots and leads. node_free ends it. */
void node_begin(struct node *node, const char *worker_id);
void node_start(struct node *node, const char *worker_id);
void node_start_alone(struct node *node, const char *worker_id);
void node_free(struct node *node);
/* node_has_group is a test for world_wait: the node has joined. */
bool node_has_group(void *arg);
struct group *node_group(const struct node *node);
struct runner *node_runner(const struct node *node);

/* node_assign gives slots [from, to) to a node, node_revoke takes them away, or tells that they are
 * lost. node_tell_members tells `to` that the group is a, with the slots up to border, and b, with
 * the rest; b may be NULL. */
void node_assign(struct node *node, int32_t from, int32_t to);
void node_revoke(struct node *node, int32_t from, int32_t to, bool lost);
void node_tell_members(struct node *to, struct node *a, struct node *b, int32_t border);

/* node_change makes a change of a connector with three tasks; node_create creates it. */
enum err node_change(struct node *node, enum cluster_change kind, const char *name,
                     struct cluster_reply *ret_reply, struct error *reterr);
enum err node_create(struct node *node, const char *name);

void node_assert_leads(struct node *node);
void node_wait_running(struct node *node, size_t n_running);
void node_wait_fatal(struct node *node);
void node_wait_phase(struct node *node, enum cluster_phase wanted, char *stage, size_t size);
/* world_wait_record waits until the newest record of key holds part; NULL: is a tombstone. */
void world_wait_record(const char *key, const char *part);
