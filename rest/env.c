/* SPDX-License-Identifier: Apache-2.0 */
/* What all requests share. See env.h. */
#include "rest/env.h"

#include "worker/base/clock.h"
#include "worker/worker_config.h"

void env_init(struct env *env, const struct kvs *props)
{
    *env = (struct env){ .request_timeout_ms =
                             (uint64_t)worker_config_int(props, "rest.request.timeout.ms") };
    kvs_init(&env->props);
    kvs_copy(&env->props, props);
    env->masking = worker_config_bool(props, "rest.config.masking");
    struct error error;
    ASSERT(providers_new(props, &env->providers, &error) == ERR_OK);
    atomic_init(&env->cluster, NULL);
    atomic_init(&env->stopping, false);
    lock_init(&env->lock, LOCK_RANK_REST);
    cond_init(&env->stopped);
}

void env_fini(struct env *env)
{
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
