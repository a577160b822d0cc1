/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all requests share: the worker's properties, the cluster once it is there, the advertised
 * URL, and the wish to stop. Immutable but for the cluster pointer and the stop flag, which are
 * atomic; requests read it on their own threads.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "coordinator/cluster.h"
#include "worker/base/kvs.h"
#include "worker/base/lock.h"
#include "worker/providers/providers.h"

/* Where routes with ROUTE_ADMIN are served, as admin.listeners says: not set, empty, or set. */
enum admin_mode {
    ADMIN_EVERYWHERE,
    ADMIN_NOWHERE,
    ADMIN_SEPARATE
};

struct env {
    struct kvs props;
    enum admin_mode admin;
    _Atomic(struct cluster *) cluster; /* NULL until rest_set_cluster */
    char url[320];                     /* advertised */
    uint64_t request_timeout_ms;
    struct providers *providers; /* immutable */
    bool masking;                /* rest.config.masking */
    atomic_bool stopping;
    struct lock lock; /* with `stopped`: only to wait for the end */
    struct cond stopped;
};

/* env_init prepares an environment in the caller's storage; props, checked before, is copied.
 * env_fini releases it when no request runs any more. */
void env_init(struct env *env, const struct kvs *props);
void env_fini(struct env *env);
/* env_stop ends all waits. Thread: main. */
void env_stop(struct env *env);
/* env_pause lets pause_ms pass before a further try; false when the worker stops or deadline_ms
 * (monotonic) comes first. Thread: a request's. */
bool env_pause(struct env *env, uint64_t pause_ms, uint64_t deadline_ms);
