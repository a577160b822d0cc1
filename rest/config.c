/* SPDX-License-Identifier: Apache-2.0 */
/* /connectors/{connector}/config: get, replace, patch. */
#include "rest/body.h"
#include "rest/forward.h"
#include "rest/resources.h"
#include "rest/secrets.h"
#include "rest/validation.h"
#include "rest/views.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"

static enum err get_config(struct call *call)
{
    const struct connector_state *connector = call_connector(call);
    if (!connector) {
        answer_not_found(call);
    } else {
        answer_json(call, 200, view_config(connector, call->env->masking));
    }
    return ERR_OK;
}

/* Writes `config` and answers as PUT does; `stored` is the connector before the change (NULL: none)
 * and if_offset the version that the config was made from. */
static enum err put(struct call *call, const struct kvs *config,
                    const struct connector_state *stored, int64_t if_offset)
{
    struct cluster_request request = {
        .change = CHANGE_PUT_CONFIG,
        .name = call->name,
        .config = config,
        .if_offset = if_offset,
    };
    struct cluster_reply reply;
    enum err err = forward_change(call, &request, &reply);
    if (err != ERR_OK) {
        return err;
    }
    CLEANUP(free_charp) char *name = xstrdup(call->name);
    struct connector_state changed = { .name = name, .has_config = true, .config = *config };
    if (reply.created) {
        answer_location(call, call->name);
    }
    answer_json(call, reply.created ? 201 : 200,
                view_info(&changed, reply.created ? NULL : stored, call->env->masking));
    return ERR_OK;
}

/* A change of another key must not show what nobody but its owner knows. */
static enum err check_covered(struct call *call, const struct kvs *config,
                              const struct connector_state *stored)
{
    const char *key = secrets_uncovered(config, stored ? &stored->config : NULL, &call->config);
    if (!key) {
        return ERR_OK;
    }
    answer_error(call, 400,
                 "Invalid value %s for configuration %s: the stored value is hidden and would no "
                 "longer be after this change: give the value",
                 SECRET_MASK, key);
    return ERR_INVALID;
}

/* One try with the newest state; ERR_CONFLICT: another change came between. */
typedef enum err try_fn(struct call *call);

/* Each conflict means that somebody else's change was written, so this ends. */
static enum err retry_conflicts(struct call *call, try_fn *attempt)
{
    enum err err = attempt(call);
    while (err == ERR_CONFLICT && clock_mono_ms() < call->deadline_ms) {
        call_look(call);
        err = attempt(call);
    }
    if (err == ERR_CONFLICT) {
        answer_error(call, 409,
                     "Cannot complete request momentarily due to stale configuration (typically "
                     "caused by a concurrent config change)");
    }
    return err;
}

static enum err check_put(struct call *call)
{
    enum err err = body_config(call);
    if (err == ERR_OK) {
        err = validation_name(call);
    }
    /* Masks are looked at where the stored values are known for sure: on the leader. */
    return err == ERR_OK ? validation_pass(call, &call->config, NULL) : err;
}

static enum err try_put(struct call *call)
{
    const struct connector_state *stored = call_connector(call);
    struct kvs config;
    kvs_init(&config);
    kvs_copy(&config, &call->config);
    const char *lost = secrets_restore(&config, stored ? &stored->config : NULL);
    bool restored = !kvs_equal(&config, &call->config);
    enum err err = check_covered(call, &config, stored);
    if (err == ERR_OK && (lost || restored)) {
        err = validation_pass(call, &config, lost);
    }
    if (err == ERR_OK) {
        err = put(call, &config, stored, stored && restored ? stored->config_offset : -1);
    }
    kvs_fini(&config);
    return err;
}

static enum err put_config(struct call *call)
{
    return retry_conflicts(call, try_put);
}

static void merge(struct kvs *config, const struct kvs *patch)
{
    for (size_t i = 0; i < patch->n_items; i++) {
        const struct kv *kv = &patch->items[i];
        if (kv->value) {
            kvs_set(config, kv->key, kv->value);
        } else {
            kvs_remove(config, kv->key);
        }
    }
}

static enum err check_patch(struct call *call)
{
    enum err err = body_config(call);
    return err == ERR_OK && kvs_get(&call->config, "name") ? validation_name(call) : err;
}

static enum err try_patch(struct call *call)
{
    const struct connector_state *stored = call_connector(call);
    if (!stored) {
        answer_not_found(call);
        return ERR_NOT_FOUND;
    }
    struct kvs config;
    kvs_init(&config);
    kvs_copy(&config, &stored->config);
    merge(&config, &call->config);
    if (!kvs_has(&call->config, "name")) {
        kvs_set(&config, "name", call->name);
    }
    const char *lost = secrets_restore(&config, &stored->config);
    enum err err = check_covered(call, &config, stored);
    err = err ? err : validation_pass(call, &config, lost);
    if (err == ERR_OK) {
        err = put(call, &config, stored, stored->config_offset);
    }
    kvs_fini(&config);
    return err;
}

static enum err patch_config(struct call *call)
{
    return retry_conflicts(call, try_patch);
}

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/connectors/{connector}/config",
      .handler = get_config,
      .flags = ROUTE_QUICK,
      .doc = "Config of a connector.",
      .replies = { { 200, "{string?}" } } },
    { .method = "PUT",
      .pattern = "/connectors/{connector}/config",
      .check = check_put,
      .handler = put_config,
      .flags = ROUTE_LEADER,
      .doc = "Creates a connector or replaces its config.",
      .request = "ConnectorConfig",
      .replies = { { 200, "ConnectorInfo" }, { 201, "ConnectorInfo" } } },
    { .method = "PATCH",
      .pattern = "/connectors/{connector}/config",
      .check = check_patch,
      .handler = patch_config,
      .flags = ROUTE_LEADER,
      .doc = "Changes single keys of a config; null removes one.",
      .request = "{scalar?}",
      .replies = { { 200, "ConnectorInfo" } } },
};

const struct route_table config_routes = ROUTE_TABLE(rows);
