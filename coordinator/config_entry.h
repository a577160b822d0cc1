/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fold knows of one connector name, in the form that records change; inside of
 * config_state only. A struct connector_state is made of it when a snapshot is asked for and the
 * entry changed since the last one. Configs and statuses are reference-counted, so that making one
 * copies no text. Thread: the owner of the config_state.
 */
#pragma once

#include "coordinator/config_state.h"

struct shared_kvs {
    struct ref ref;
    struct kvs kvs;
};

struct shared_kvs *shared_kvs_new(void);
struct shared_kvs *shared_kvs_ref(struct shared_kvs *shared);
/* shared_kvs_unref and status_unref take NULL. */
void shared_kvs_unref(struct shared_kvs *shared);
struct status *status_ref(struct status *status);
void status_unref(struct status *status);

/* What records say of single tasks, sorted by number: unlike an array it costs nothing that a
 * record names task 99999. */
struct numbered {
    int n;
    struct shared_kvs *pending; /* of a task- record that no commit has followed yet */
    struct status *status;
    struct claims *claims;
    bool covered;           /* a claim stands over the status */
    int64_t restart_offset; /* of a restart-task- record; -1: none */
};

/* Where a task was put, and why. */
struct seat {
    int slot; /* -1: nowhere */
    enum move_reason why;
    int64_t moved_ms[2]; /* as in struct task_state */
};

struct entry {
    char *name;
    struct shared_kvs *config; /* NULL: none */
    int64_t config_offset;
    bool has_target;
    enum target_state target;
    struct shared_kvs **tasks; /* of the last complete commit */
    size_t n_tasks;
    bool committed;
    bool inconsistent;
    int64_t commit_offset;
    int64_t tasks_config_offset;
    struct shared_kvs *last_task; /* see struct connector_state */
    int64_t division;
    struct shared_kvs *managed; /* the mark of its file; NULL: none */
    struct seat *seats;         /* of tasks, as the placement record says */
    size_t n_seats;
    struct numbered *numbered;
    size_t n_numbered;
    size_t numbered_size;
    struct status *status;
    struct topic_list *topics; /* shared with snapshots; NULL: none */
    struct restart_request restart;
    int64_t restart_all_offset;    /* newest request for every task */
    int64_t restart_failed_offset; /* newest request for FAILED tasks */
    struct connector_state *published;
    bool dirty; /* published is older than the rest */
};

struct entry *entry_new(const char *name);
void entry_free(struct entry *entry);
/* entry_is_empty tells whether nothing is known any more. */
bool entry_is_empty(const struct entry *entry);
/* entry_number returns the place of task n, made when it is missing; borrowed until the next call.
 * entry_number_find returns NULL when it is missing. */
struct numbered *entry_number(struct entry *entry, int n);
struct numbered *entry_number_find(const struct entry *entry, int n);
/* number_status takes in a status record of a task, status NULL: a tombstone (taken). token: see
 * claims_after. */
void number_status(struct numbered *place, struct status *status, const char *token);
/* entry_tidy drops places of tasks of which nothing is known any more. */
void entry_tidy(struct entry *entry);
/* entry_drop_pending forgets task records that no commit has followed. */
void entry_drop_pending(struct entry *entry);
/* entry_drop_config forgets the config and the tasks of a deleted connector. */
void entry_drop_config(struct entry *entry);
/* entry_commit makes the pending task configs 0..n_tasks-1 effective, if they are all there. */
void entry_commit(struct entry *entry, int n_tasks, int64_t offset, int64_t config_offset,
                  int64_t division);
/* entry_publish returns the state that snapshots show; borrowed, made anew when dirty. */
struct connector_state *entry_publish(struct entry *entry);
