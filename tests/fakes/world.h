/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world for one test program: the internal topics in memory, a group that does what the test
 * says, and a runner that only notes what it is asked. It takes the place of admin.h, topic_log.h,
 * writer.h, group.h, watch.h, runner.h and connectors.c. Several clusters may live in it; their
 * groups, watches and runners are listed in the order of their making.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/watch.h"
#include "worker/base/lock.h"
#include "worker/kafka/group.h"
#include "worker/runner.h"

#define WORLD_SLOTS   8
#define WORLD_MAX     4
#define WORLD_RECORDS 4096
#define WORLD_TASKS   64

struct world_record {
    char *topic;
    char *key;
    char *value;
};

struct world_task {
    char name[64]; /* connector-task */
    uint64_t incarnation;
    bool paused;
    bool stopped;
    bool swept;
    unsigned n_updates;
    uint64_t deadline_ms;
};

struct runner {
    runner_event_fn *on_event;
    void *arg;
    struct world_task tasks[WORLD_TASKS];
    size_t n_tasks;
    bool declines;              /* updates */
    bool hold_stops;            /* tasks do not end by themselves when they are asked to */
    bool hold_retirements;      /* nor do retirements */
    uint64_t retirement;        /* the newest that did not; 0: none */
    unsigned n_retirement_ends; /* how often they were told to give up */
};

struct group {
    struct group_callbacks callbacks;
    char client_id[256];
    bool left;
};

struct watch {
    watch_fn *on_change;
    void *arg;
    char instances[WORLD_MAX][64]; /* what is watched */
    size_t n_instances;
};

struct world {
    struct lock lock;
    struct cond changed;
    struct world_record records[WORLD_RECORDS]; /* the log of all topics, in order of writing */
    size_t n_records;
    unsigned n_polls_to_wake;
    struct runner *runners[WORLD_MAX];
    size_t n_runners;
    struct watch *watches[WORLD_MAX];
    size_t n_watches;
    struct group *groups[WORLD_MAX];
    size_t n_groups;
    unsigned unreachable;      /* so many tries to reach Kafka fail */
    const char *refused_topic; /* ensure_topic refuses this property */
    enum err refusal;
    uint64_t writer_epoch; /* of the newest initialised writer */
    unsigned n_inits;
    bool writer_blocked;           /* commits wait */
    enum err commit_error;         /* the next commit fails with it */
    const char *connectors_dir;    /* of nodes that are begun from now on; NULL: none */
    const char *rebalance_timeout; /* the same; NULL: the default */
};

extern struct world world;

/* world_begin makes an empty world, world_end releases it. */
void world_begin(void);
void world_end(void);

typedef bool world_test_fn(void *arg);

/* world_wait waits until test, called under the world's lock, says true; it looks again whenever
 * something changed, and aborts after ten seconds. */
void world_wait(world_test_fn *test, void *arg);
/* runner_tell sends a task's event as its thread would. */
void runner_tell(struct runner *runner, enum task_event_kind kind, uint64_t incarnation);
