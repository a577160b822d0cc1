/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start-up administration: is the cluster there, are the internal topics what they must be. The
 * client is a consumer, because a producer's look at a missing topic would create it with the
 * broker's defaults. See admin.h.
 */
#include "worker/kafka/admin.h"

#include "worker/base/buf.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/kafka/rdkafka_util.h"

/* How long one question to the cluster may take before it is asked again. */
#define STEP_MS       1000
#define LOOK_AGAIN_MS 10

struct kafka_admin {
    rd_kafka_t *client;
    rd_kafka_queue_t *queue; /* results */
    rd_kafka_resp_err_t last_code;
    char last_text[512]; /* last error of the connection */
};

static void on_error(rd_kafka_t *client, int code, const char *reason, void *arg)
{
    struct kafka_admin *admin = arg;
    /* "All brokers are down" tells less than the cause that came before it. */
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !admin->last_code) {
        admin->last_code = (rd_kafka_resp_err_t)code;
        (void)snprintf(admin->last_text, sizeof(admin->last_text), "%s", reason);
    }
    rdk_report(client, (rd_kafka_resp_err_t)code, reason);
}

enum err kafka_admin_open(const struct kvs *props, struct kafka_admin **ret_admin,
                          struct error *reterr)
{
    rd_kafka_conf_t *conf = NULL;
    enum err err = rdk_conf_new(props, &conf, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct kafka_admin *admin = xcalloc(1, sizeof(*admin));
    rdk_conf_set(conf, "allow.auto.create.topics", "false");
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, admin);
    err = rdk_client_new(RD_KAFKA_CONSUMER, conf, &admin->client, reterr);
    if (err != ERR_OK) {
        free(admin);
        return err;
    }
    admin->queue = rd_kafka_queue_new(admin->client);
    *ret_admin = admin;
    return ERR_OK;
}

void kafka_admin_close(struct kafka_admin *admin)
{
    if (!admin) {
        return;
    }
    rd_kafka_queue_destroy(admin->queue);
    rd_kafka_destroy(admin->client);
    free(admin);
}

static int step_ms(uint64_t deadline_ms)
{
    uint64_t now = clock_mono_ms();
    if (now >= deadline_ms) {
        return 0;
    }
    return deadline_ms - now < STEP_MS ? (int)(deadline_ms - now) : STEP_MS;
}

/* What to say when time is up: the connection's last error. */
static enum err no_answer(struct kafka_admin *admin, struct error *reterr)
{
    return error_set(reterr, ERR_TIMEOUT, "%s",
                     admin->last_code ? admin->last_text : "no broker answers");
}

enum err kafka_admin_cluster_id(struct kafka_admin *admin, int timeout_ms, char *id, size_t size,
                                struct error *reterr)
{
    uint64_t deadline_ms = clock_mono_ms() + (uint64_t)timeout_ms;
    for (int step = step_ms(deadline_ms); step > 0; step = step_ms(deadline_ms)) {
        const struct rd_kafka_metadata *metadata = NULL;
        if (rd_kafka_metadata(admin->client, 0, NULL, &metadata, step) == 0) {
            rd_kafka_metadata_destroy(metadata);
        }
        char *found = rd_kafka_clusterid(admin->client, 0);
        if (found) {
            (void)snprintf(id, size, "%s", found);
            rd_kafka_mem_free(admin->client, found);
            return ERR_OK;
        }
        (void)rd_kafka_poll(admin->client, 0);
        if (rdk_err(admin->last_code) == ERR_UNAUTHORIZED) {
            return error_set(reterr, ERR_UNAUTHORIZED, "%s", admin->last_text);
        }
        /* The question returns at once while no broker is known to be up. */
        (void)rd_kafka_poll(admin->client, step_ms(deadline_ms) / 4);
    }
    return no_answer(admin, reterr);
}

/* Looks at the topic; ret_partitions 0 means that it does not exist or is not ready. */
static enum err look(struct kafka_admin *admin, const char *name, uint64_t deadline_ms,
                     int *ret_partitions, struct error *reterr)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(admin->client, name, NULL);
    if (!topic) {
        return error_set(reterr, ERR_INVALID, "\"%s\" is not a legal topic name", name);
    }
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int step = step_ms(deadline_ms); step > 0 && code; step = step_ms(deadline_ms)) {
        code = rd_kafka_metadata(admin->client, 0, topic, &metadata, step);
        (void)rd_kafka_poll(admin->client, code ? step / 4 : 0);
    }
    rd_kafka_topic_destroy(topic);
    if (code) {
        return no_answer(admin, reterr);
    }
    int n_partitions = 0;
    if (metadata->topic_cnt == 1) {
        const struct rd_kafka_metadata_topic *found = &metadata->topics[0];
        code = found->err;
        n_partitions = code ? 0 : found->partition_cnt;
        for (int i = 0; i < found->partition_cnt; i++) {
            n_partitions = found->partitions[i].leader < 0 ? 0 : n_partitions;
        }
    }
    rd_kafka_metadata_destroy(metadata);
    enum err err = rdk_err(code);
    if (err == ERR_UNAUTHORIZED || err == ERR_REJECTED) {
        return error_set(reterr, err == ERR_REJECTED ? ERR_INVALID : err, "topic %s: %s", name,
                         rd_kafka_err2str(code));
    }
    *ret_partitions = n_partitions;
    return ERR_OK;
}

static rd_kafka_event_t *await_result(struct kafka_admin *admin, rd_kafka_event_type_t type,
                                      uint64_t deadline_ms)
{
    while (clock_mono_ms() < deadline_ms) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(admin->queue, step_ms(deadline_ms));
        (void)rd_kafka_poll(admin->client, 0);
        if (event && rd_kafka_event_type(event) == type) {
            return event;
        }
        if (event) {
            rd_kafka_event_destroy(event);
        }
    }
    return NULL;
}

static rd_kafka_AdminOptions_t *options_new(struct kafka_admin *admin, rd_kafka_admin_op_t op,
                                            uint64_t deadline_ms)
{
    char text[256];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->client, op);
    uint64_t now = clock_mono_ms();
    int left_ms = now < deadline_ms ? (int)(deadline_ms - now) : 1;
    (void)rd_kafka_AdminOptions_set_request_timeout(options, left_ms, text, sizeof(text));
    return options;
}

/* "config.storage." of "config.storage.topic". */
static int prefix_length(const struct kafka_topic_spec *spec)
{
    const char *dot = strrchr(spec->property, '.');
    return dot ? (int)(dot + 1 - spec->property) : 0;
}

static enum err creation_error(const struct kafka_topic_spec *spec, rd_kafka_resp_err_t code,
                               const char *text, struct error *reterr)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: /* another worker was faster */
        return ERR_OK;
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %d for configuration %.*sreplication.factor: topic '%s' "
                         "cannot be created: %s Set it to at most the number of brokers, or to -1 "
                         "for the cluster's default.",
                         spec->replication_factor, prefix_length(spec), spec->property, spec->name,
                         text);
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %d for configuration %.*spartitions: topic '%s' cannot be "
                         "created: %s",
                         spec->partitions, prefix_length(spec), spec->property, spec->name, text);
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return error_set(reterr, ERR_INVALID,
                         "Topic '%s' supplied via the '%s' property cannot be created: %s",
                         spec->name, spec->property, text);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return error_set(reterr, ERR_UNAUTHORIZED,
                         "Topic '%s' supplied via the '%s' property does not exist and may not be "
                         "created with this user (%s). Create it, or grant the right.",
                         spec->name, spec->property, text);
    default:
        return error_set(reterr, ERR_TIMEOUT, "topic '%s' could not be created: %s", spec->name,
                         text);
    }
}

static void add_settings(rd_kafka_NewTopic_t *topic, const struct kafka_topic_spec *spec)
{
    for (size_t i = 0; spec->settings && i < spec->settings->n_items; i++) {
        const struct kv *kv = &spec->settings->items[i];
        if (kv->value && !(spec->compacted && strcmp(kv->key, "cleanup.policy") == 0)) {
            (void)rd_kafka_NewTopic_set_config(topic, kv->key, kv->value);
        }
    }
    if (spec->compacted) {
        (void)rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "compact");
    }
}

static enum err create(struct kafka_admin *admin, const struct kafka_topic_spec *spec,
                       uint64_t deadline_ms, struct error *reterr)
{
    char text[512];
    int n_partitions = spec->exactly_one_partition ? 1 : spec->partitions;
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(
        spec->name, n_partitions, spec->replication_factor, text, sizeof(text));
    if (!topic) {
        return creation_error(spec, RD_KAFKA_RESP_ERR__INVALID_ARG, text, reterr);
    }
    add_settings(topic, spec);
    rd_kafka_AdminOptions_t *options =
        options_new(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS, deadline_ms);
    rd_kafka_CreateTopics(admin->client, &topic, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_event_t *event = await_result(admin, RD_KAFKA_EVENT_CREATETOPICS_RESULT, deadline_ms);
    if (!event) {
        return no_answer(admin, reterr);
    }
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const char *why = rd_kafka_event_error_string(event);
    size_t n = 0;
    const rd_kafka_topic_result_t **results =
        code ? NULL
             : rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    if (n == 1) {
        code = rd_kafka_topic_result_error(results[0]);
        why = rd_kafka_topic_result_error_string(results[0]);
    }
    enum err err = creation_error(spec, code, why ? why : rd_kafka_err2str(code), reterr);
    rd_kafka_event_destroy(event);
    if (err == ERR_OK && !code) {
        log_info(NULL, "TOPIC-CREATE", "topic=%s partitions=%d replication_factor=%d", spec->name,
                 n_partitions, spec->replication_factor);
    }
    return err;
}

/* Copies cleanup.policy out of the answer; empty when the answer does not say. */
static void read_policy(rd_kafka_event_t *event, const char *name, char *policy, size_t size)
{
    size_t n_resources = 0;
    size_t n_entries = 0;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_ConfigResource_t **resources =
        code ? NULL
             : rd_kafka_DescribeConfigs_result_resources(
                   rd_kafka_event_DescribeConfigs_result(event), &n_resources);
    if (n_resources == 1) {
        code = rd_kafka_ConfigResource_error(resources[0]);
    }
    if (code || n_resources != 1) {
        log_warn(NULL, "TOPIC-UNCHECKED", "topic=%s err=\"%s\"", name, rd_kafka_err2str(code));
        return;
    }
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resources[0], &n_entries);
    for (size_t i = 0; i < n_entries; i++) {
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "cleanup.policy") == 0) {
            const char *value = rd_kafka_ConfigEntry_value(entries[i]);
            (void)snprintf(policy, size, "%s", value ? value : "");
        }
    }
}

static void ask_policy(struct kafka_admin *admin, const char *name, uint64_t deadline_ms,
                       char *policy, size_t size)
{
    policy[0] = '\0';
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
    rd_kafka_AdminOptions_t *options =
        options_new(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, deadline_ms);
    rd_kafka_DescribeConfigs(admin->client, &resource, 1, options, admin->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_event_t *event =
        await_result(admin, RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT, deadline_ms);
    if (event) {
        read_policy(event, name, policy, size);
        rd_kafka_event_destroy(event);
    }
}

/* Connect's words for what the topic keeps. */
static const char *purpose(const struct kafka_topic_spec *spec)
{
    if (strncmp(spec->property, "config.", 7) == 0) {
        return "connector configurations";
    }
    return strncmp(spec->property, "offset.", 7) == 0 ? "source connector offsets"
                                                      : "connector and task statuses";
}

static enum err check_existing(struct kafka_admin *admin, const struct kafka_topic_spec *spec,
                               int n_partitions, uint64_t deadline_ms, struct error *reterr)
{
    char policy[128];
    if (spec->exactly_one_partition && n_partitions != 1) {
        return error_set(reterr, ERR_INVALID,
                         "Topic '%s' supplied via the '%s' property is required to have a single "
                         "partition in order to guarantee consistency of %s, but found %d "
                         "partitions. Change the '%s' property to use a topic with one partition.",
                         spec->name, spec->property, purpose(spec), n_partitions, spec->property);
    }
    if (!spec->compacted) {
        return ERR_OK;
    }
    ask_policy(admin, spec->name, deadline_ms, policy, sizeof(policy));
    if (!policy[0] || strcmp(policy, "compact") == 0) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID,
                     "Topic '%s' supplied via the '%s' property is required to have "
                     "'cleanup.policy=compact' to guarantee consistency and durability of %s, but "
                     "found the topic currently has 'cleanup.policy=%s'. Continuing would likely "
                     "result in eventually losing %s and problems restarting this Connect cluster "
                     "in the future. Change the '%s' property in the Connect worker "
                     "configurations to use a topic with 'cleanup.policy=compact'.",
                     spec->name, spec->property, purpose(spec), policy, purpose(spec),
                     spec->property);
}

/* A leader is named before it has made its partition's log, and what it is sent until then it
 * refuses; one request after the other, where the next one may be taken already. So they are asked
 * where their logs end, for half of the time that is left: it is a courtesy, as a record is not
 * taken for written before a leader has said so. */
static void await_logs(struct kafka_admin *admin, const char *name, int n_partitions,
                       uint64_t deadline_ms)
{
    uint64_t now_ms = clock_mono_ms();
    uint64_t until_ms = now_ms < deadline_ms ? now_ms + (deadline_ms - now_ms) / 2 : now_ms;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n_partitions);
    for (int i = 0; i < n_partitions; i++) {
        rd_kafka_topic_partition_list_add(list, name, i)->offset = RD_KAFKA_OFFSET_END;
    }
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int step = step_ms(until_ms); step > 0 && code && rdk_err(code) != ERR_UNAUTHORIZED;
         step = step_ms(until_ms)) {
        code = rd_kafka_offsets_for_times(admin->client, list, step);
        (void)rd_kafka_poll(admin->client, code ? LOOK_AGAIN_MS : 0);
    }
    if (code) {
        log_info(NULL, "TOPIC-NOT-READY", "topic=%s error=\"%s\"", name, rd_kafka_err2str(code));
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* Creates the topic and waits until its partitions have leaders that take records. */
static enum err create_and_await(struct kafka_admin *admin, const struct kafka_topic_spec *spec,
                                 uint64_t deadline_ms, int *ret_partitions, struct error *reterr)
{
    int n_partitions = 0;
    enum err err = create(admin, spec, deadline_ms, reterr);
    while (err == ERR_OK && n_partitions == 0) {
        (void)rd_kafka_poll(admin->client, LOOK_AGAIN_MS);
        err = look(admin, spec->name, deadline_ms, &n_partitions, reterr);
    }
    *ret_partitions = n_partitions;
    if (err == ERR_OK) {
        await_logs(admin, spec->name, n_partitions, deadline_ms);
    }
    return err;
}

enum err kafka_admin_ensure_topic(struct kafka_admin *admin, const struct kafka_topic_spec *spec,
                                  int timeout_ms, int *ret_partitions, struct error *reterr)
{
    uint64_t deadline_ms = clock_mono_ms() + (uint64_t)timeout_ms;
    int n_partitions = 0;
    enum err err = look(admin, spec->name, deadline_ms, &n_partitions, reterr);
    if (err == ERR_OK && n_partitions == 0) {
        err = create_and_await(admin, spec, deadline_ms, &n_partitions, reterr);
    }
    if (err == ERR_OK) {
        err = check_existing(admin, spec, n_partitions, deadline_ms, reterr);
    }
    if (err == ERR_OK) {
        *ret_partitions = n_partitions;
    }
    return err;
}
