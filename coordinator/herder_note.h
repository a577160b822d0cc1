/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The herder's knowledge for the note of this worker (config_workers.h), and its verdict on others;
 * of herder*.c only. Thread: the herder's.
 */
#pragma once

#include "coordinator/config_workers.h"
#include "coordinator/watch.h"

struct herder;

/* A process whose REST port refuses connections from here. */
struct suspect {
    char *instance;
    bool answers; /* the port takes connections again */
};

/* What this worker knows for its note (herder_note.c). */
struct self {
    struct watch *watch; /* NULL: fast fail-over is off */
    struct suspect *suspects;
    size_t n_suspects;
    struct worker_notes *judged; /* what the members were judged by last */
    bool judge_again;            /* something else has changed since */
    struct worker_note *counts;  /* counters of the running tasks when they were read last */
    struct worker_note *rates;   /* made of them */
    uint64_t measured_ms;
    uint64_t measure_ms;      /* when to read them next */
    struct worker_note *told; /* written and not read back yet; NULL: none */
    uint64_t told_ms;
    uint64_t wake_ms;
};

/* The note of this worker and the verdict on others (herder_note.c). herder_note_init starts the
 * watch, herder_note_stop ends it, herder_note_fini releases the rest. */
void herder_note_init(struct herder *herder);
void herder_note_stop(struct herder *herder);
void herder_note_fini(struct herder *herder);
/* herder_on_watch takes what the watch has found out. */
void herder_on_watch(struct herder *herder, const char *instance, bool refused);
/* herder_judge decides who is dead, if anything has changed; herder_tell_members tells the core. */
void herder_judge(struct herder *herder);
void herder_tell_members(struct herder *herder);
/* herder_note_step writes the note when it is not what it should be. */
void herder_note_step(struct herder *herder, uint64_t now_ms);
