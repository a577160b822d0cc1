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
#include "rest/auth.h"
#include "rest/cors.h"
#include "rest/extra_headers.h"
#include "rest/tls_config.h"
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
    struct auth *auth; /* NULL: everybody may do everything */
    struct cors cors;
    struct extra_headers extra_headers;
    struct tls_config client_tls;      /* for requests to workers whose URL is https */
    _Atomic(struct cluster *) cluster; /* NULL until rest_set_cluster */
    char url[320];                     /* advertised */
    uint64_t request_timeout_ms;
    struct providers *providers; /* immutable */
    bool masking;                /* rest.config.masking */
    unsigned max_blocking;       /* requests that may block at once */
    unsigned max_leader_calls; /* requests that may be with the leader, or wait for one, at once */
    atomic_uint n_leader_calls;
    atomic_bool stopping;
    struct lock lock; /* with `stopped`: only to wait for the end */
    struct cond stopped;
};

/* env_init prepares an environment in the caller's storage from the worker's properties, which are
 * copied. env_fini releases it when no request runs any more. Errors: ERR_INVALID and ERR_IO with
 * one line that names key, value and mend; nothing is to be released then. */
enum err env_init(struct env *env, const struct kvs *props, struct error *reterr) MUST_CHECK;
void env_fini(struct env *env);
/* env_stop ends all waits. Thread: main. */
void env_stop(struct env *env);
/* env_pause lets pause_ms pass before a further try; false when the worker stops or deadline_ms
 * (monotonic) comes first. Thread: a request's. */
bool env_pause(struct env *env, uint64_t pause_ms, uint64_t deadline_ms);
