/* SPDX-License-Identifier: Apache-2.0 */
/* A pure core for unit tests, and the topics in which its records end at once. */
#pragma once

#include "coordinator/core.h"
#include "tests/support/unit.h"

#define CF_SLOTS   8
#define CF_HOLD_MS 5000 /* retire_hold_ms */

/* The core is worker "me:1"; time stands still unless a test moves it. */
struct core_fixture {
    struct core *core;
    struct core_port port;
    struct config_state *state;
    struct snapshot *snapshot;
    struct decisions decisions; /* of the last reconcile */
    int64_t offset;
    uint64_t now_ms;
    int n_configs;    /* what the fake kind makes; -1: as many as tasks.max says */
    enum err fails;   /* it fails with this */
    int n_expansions; /* how often it was asked */
    bool hold_status; /* status records are not folded */
};

/* cf_setup and cf_teardown make and free the fixture of a test. */
int cf_setup(void **state);
int cf_teardown(void **state);
/* cf_take_snapshot shows the core what was folded. cf_fold adds a record and does so. */
void cf_take_snapshot(struct core_fixture *f);
int64_t cf_fold(struct core_fixture *f, enum log_topic topic, const char *key, const char *value);
/* cf_reconcile decides, and lets the statuses reach the topic; decides again when there were claims
 * among them. cf_reconcile_once does so once and returns whether there were claims. */
void cf_reconcile(struct core_fixture *f);
bool cf_reconcile_once(struct core_fixture *f);
/* cf_lead lets the leader write until it has nothing more to write; returns how many records. */
size_t cf_lead(struct core_fixture *f);
/* cf_claim gives the core the slots first to last. */
void cf_claim(struct core_fixture *f, int32_t first, int32_t last);
/* cf_group makes the group: this worker with slots 0 to 3, and "you:1" with the others if it lives,
 * else this worker with all. cf_become_leader makes this worker leader of the group of two. */
void cf_group(struct core_fixture *f, bool with_other);
void cf_become_leader(struct core_fixture *f);
/* cf_put_config writes a connector's config; x ends up in its task configs. */
void cf_put_config(struct core_fixture *f, const char *name, const char *max, const char *x);
/* cf_one_task writes a committed connector "a" with one task in slot 0; cf_run_one_task starts it
 * here and reports it running: returns its incarnation. */
void cf_one_task(struct core_fixture *f);
uint64_t cf_run_one_task(struct core_fixture *f);
/* cf_status_by writes a status record of some worker. */
void cf_status_by(struct core_fixture *f, const char *key, const char *state, const char *worker);
/* cf_only_action asserts that the last reconcile asked for one thing, of this kind, and returns its
 * incarnation; cf_no_action, that it asked for nothing. */
uint64_t cf_only_action(const struct core_fixture *f, enum action_kind kind);
void cf_no_action(const struct core_fixture *f);
/* cf_task_status returns the status of task 0 of "a", NULL if none; cf_expect_status compares. */
const struct status *cf_task_status(const struct core_fixture *f);
void cf_expect_status(const struct status *status, enum run_state state, const char *worker);
