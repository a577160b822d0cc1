/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets of sinks. See sink_offsets.h. */
#include "rest/sink_offsets.h"

#include "rest/offset_body.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/kafka/group_offsets.h"
#include "worker/kafka/props.h"

#define ADMIN_PREFIX "admin.override."

static bool is_reset(const struct call *call)
{
    return strcmp(call->http->method, "DELETE") == 0;
}

/* What a sink's group is asked with. */
struct access {
    struct resolution resolution; /* of the connector's config */
    struct kvs props;             /* of the admin client */
    char *group;
};

static void access_fini(struct access *access)
{
    resolution_fini(&access->resolution);
    kvs_fini(&access->props);
    free(access->group);
}

/* As its consumers are made: the connector's word, the worker's, or Connect's default. */
static char *group_of(const struct call *call, const struct kvs *config)
{
    const char *group = kvs_get(config, "consumer.override.group.id");
    group = group ? group : kvs_get(&call->env->props, "consumer.group.id");
    return group ? xstrdup(group) : xasprintf("connect-%s", call->name);
}

static enum err admin_props(const struct call *call, const struct kvs *config,
                            struct kvs *ret_props, struct error *reterr)
{
    struct kvs overrides;
    kvs_init(&overrides);
    for (size_t i = 0; i < config->n_items; i++) {
        const struct kv *kv = &config->items[i];
        if (strncmp(kv->key, ADMIN_PREFIX, strlen(ADMIN_PREFIX)) == 0) {
            kvs_set(&overrides, kv->key + strlen(ADMIN_PREFIX), kv->value);
        }
    }
    enum err err = kafka_props_build(KAFKA_CONNECTOR_ADMIN, &call->env->props, &overrides,
                                     ret_props, NULL, reterr);
    kvs_fini(&overrides);
    return err;
}

/* ret_access is to be released in any case. */
static enum err access_init(const struct call *call, const struct connector_state *connector,
                            struct access *ret_access, struct error *reterr)
{
    *ret_access = (struct access){ .group = NULL };
    resolution_init(&ret_access->resolution);
    kvs_init(&ret_access->props);
    struct resolution *resolution = &ret_access->resolution;
    enum err err = providers_resolve(call->env->providers, &connector->config, resolution, reterr);
    if (err != ERR_OK) {
        return err;
    }
    ret_access->group = group_of(call, &resolution->config);
    return admin_props(call, &resolution->config, &ret_access->props, reterr);
}

static void log_failure(const struct call *call, const struct access *access,
                        const struct error *error)
{
    CLEANUP(free_charp) char *text = redactions_apply_cut(&access->resolution.secrets, error->text);
    log_warn(NULL, "SINK-OFFSETS-FAILED", "connector=\"%s\" error=\"%s\"", call->name, text);
}

/* ---- answers ---- */

void answer_offsets_changed(struct call *call, const char *format)
{
    const char *what = is_reset(call) ? "reset" : "altered";
    struct buf text;
    buf_init(&text);
    for (const char *p = format; *p; p++) {
        if (p[0] == '%' && p[1] == 's') {
            buf_add_text(&text, what);
            p++;
        } else {
            buf_add_char(&text, *p);
        }
    }
    cJSON *view = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(view, "message", buf_text(&text));
    buf_fini(&text);
    answer_json(call, 200, view);
}

void sink_offsets_answer_zombies(struct call *call)
{
    const char *verb = is_reset(call) ? "reset" : "alter";
    answer_error(call, 500,
                 "Failed to %s consumer group offsets for connector %s either because its tasks "
                 "haven't stopped completely yet or the connector was resumed before the request "
                 "to %s its offsets could be successfully completed. If the connector is in a "
                 "stopped state, this operation can be safely retried. If it doesn't eventually "
                 "succeed, the Connect cluster may need to be restarted to get rid of the zombie "
                 "sink tasks.",
                 verb, call->name, verb);
}

static void answer_change(struct call *call, enum err err)
{
    if (err == ERR_OK) {
        answer_offsets_changed(call, "The offsets for this connector have been %s successfully");
    } else if (err == ERR_CONFLICT) {
        sink_offsets_answer_zombies(call);
    } else {
        answer_error(call, 500, "Failed to %s consumer group offsets for connector %s",
                     is_reset(call) ? "reset" : "alter", call->name);
    }
}

/* ---- look ---- */

static cJSON *view(const struct group_offsets *offsets)
{
    cJSON *whole = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(whole, "offsets");
    for (size_t i = 0; i < offsets->n_items; i++) {
        const struct group_offset *item = &offsets->items[i];
        CLEANUP(free_charp) char *digits = xasprintf("%lld", (long long)item->offset);
        cJSON *entry = cJSON_CreateObject();
        cJSON *partition = cJSON_AddObjectToObject(entry, "partition");
        (void)cJSON_AddStringToObject(partition, "kafka_topic", item->topic);
        (void)cJSON_AddNumberToObject(partition, "kafka_partition", item->partition);
        cJSON *offset = cJSON_AddObjectToObject(entry, "offset");
        (void)cJSON_AddRawToObject(offset, "kafka_offset", digits);
        (void)cJSON_AddItemToArray(list, entry);
    }
    return whole;
}

enum err sink_offsets_get(struct call *call, const struct connector_state *connector)
{
    const struct group_patience patience = { call->deadline_ms, &call->env->stopping };
    struct access access;
    struct group_offsets offsets = { NULL, 0 };
    struct error error = { ERR_OK, "" };
    enum err err = access_init(call, connector, &access, &error);
    err = err ? err
              : kafka_group_offsets_get(&access.props, access.group, &patience, &offsets, &error);
    if (err == ERR_OK) {
        answer_json(call, 200, view(&offsets));
    } else {
        log_failure(call, &access, &error);
        bool crowded = err == ERR_UNAVAILABLE;
        if (crowded) {
            http_response_header(call->response, "Retry-After", "1");
        }
        answer_error(call, crowded ? 503 : 500,
                     "Failed to retrieve consumer group offsets for sink connector %s", call->name);
    }
    group_offsets_fini(&offsets);
    access_fini(&access);
    return err;
}

/* ---- change ---- */

enum err sink_offsets_change(struct call *call, const struct connector_state *connector)
{
    const struct group_patience patience = { call->deadline_ms, &call->env->stopping };
    struct access access;
    struct group_offsets edits = { NULL, 0 };
    struct error error = { ERR_OK, "" };
    if (!is_reset(call) && offset_body_sink(call, &edits, &error) != ERR_OK) {
        answer_error(call, 400, "%s", error.text);
        group_offsets_fini(&edits);
        return ERR_INVALID;
    }
    enum err err = access_init(call, connector, &access, &error);
    if (err == ERR_OK && is_reset(call)) {
        err = kafka_group_delete(&access.props, access.group, &patience, &error);
    } else if (err == ERR_OK) {
        err = kafka_group_offsets_change(&access.props, access.group, &edits, &patience, &error);
    }
    if (err != ERR_OK) {
        log_failure(call, &access, &error);
    }
    answer_change(call, err);
    group_offsets_fini(&edits);
    access_fini(&access);
    /* Whatever it was, it is answered. */
    return err == ERR_OK ? ERR_OK : ERR_IO;
}
