/* SPDX-License-Identifier: Apache-2.0 */
/* What all requests share. See env.h. */
#include "rest/env.h"

#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/worker_config.h"

/* Each takes a thread. */
#define MAX_BLOCKING 128U

static enum admin_mode read_admin(const struct kvs *props)
{
    const char *text = kvs_get(props, "admin.listeners");
    if (!text) {
        return ADMIN_EVERYWHERE;
    }
    return text[strspn(text, " ,")] ? ADMIN_SEPARATE : ADMIN_NOWHERE;
}

static enum err read_properties(struct env *env, const struct kvs *props, struct error *reterr)
{
    CLEANUP(free_charp) char *origins = worker_config_text(props, "access.control.allow.origin");
    CLEANUP(free_charp) char *methods = worker_config_text(props, "access.control.allow.methods");
    CLEANUP(free_charp) char *headers = worker_config_text(props, "response.http.headers.config");
    cors_init(&env->cors, origins, methods);
    enum err err = providers_new(props, &env->providers, reterr);
    err = err ? err : extra_headers_parse(headers, &env->extra_headers, reterr);
    err = err ? err : tls_config_read(props, TLS_LISTENERS, &env->client_tls, reterr);
    return err ? err : auth_new(props, env->max_blocking, &env->auth, reterr);
}

enum err env_init(struct env *env, const struct kvs *props, struct error *reterr)
{
    *env = (struct env){
        .admin = read_admin(props),
        .request_timeout_ms = (uint64_t)worker_config_int(props, "rest.request.timeout.ms"),
        .max_blocking = (unsigned)worker_config_int(props, "rest.max.connections") / 2,
    };
    env->max_blocking = env->max_blocking > MAX_BLOCKING ? MAX_BLOCKING : env->max_blocking;
    /* Some threads are left for what blocks without a leader. */
    env->max_leader_calls = (env->max_blocking * 3 + 3) / 4;
    kvs_init(&env->props);
    kvs_copy(&env->props, props);
    env->masking = worker_config_bool(props, "rest.config.masking");
    atomic_init(&env->cluster, NULL);
    atomic_init(&env->stopping, false);
    atomic_init(&env->n_leader_calls, 0);
    lock_init(&env->lock, LOCK_RANK_REST);
    cond_init(&env->stopped);
    enum err err = read_properties(env, props, reterr);
    if (err != ERR_OK) {
        env_fini(env);
    }
    return err;
}

void env_fini(struct env *env)
{
    auth_free(env->auth);
    tls_config_fini(&env->client_tls);
    extra_headers_fini(&env->extra_headers);
    cors_fini(&env->cors);
    cond_fini(&env->stopped);
    lock_fini(&env->lock);
    providers_free(env->providers);
    kvs_fini(&env->props);
}

void env_stop(struct env *env)
{
    lock_take(&env->lock);
    atomic_store(&env->stopping, true);
    cond_broadcast(&env->stopped);
    lock_drop(&env->lock);
}

bool env_pause(struct env *env, uint64_t pause_ms, uint64_t deadline_ms)
{
    uint64_t until = clock_mono_ms() + pause_ms;
    if (until > deadline_ms) {
        until = deadline_ms;
    }
    lock_take(&env->lock);
    while (!atomic_load(&env->stopping) && cond_wait_until(&env->stopped, &env->lock, until)) {
    }
    lock_drop(&env->lock);
    return !atomic_load(&env->stopping) && clock_mono_ms() < deadline_ms;
}
