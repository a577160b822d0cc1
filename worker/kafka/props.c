/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a configuration to one client's properties: merge the layers, carry out each row of the
 * table, let librdkafka judge the rest. See props.h.
 */
#include "worker/kafka/props.h"

#include "worker/base/mem.h"
#include "worker/kafka/prop_convert.h"
#include "worker/kafka/prop_guard.h"
#include "worker/kafka/props_table.h"
#include "worker/kafka/rdkafka_util.h"

struct pair {
    const char *name;
    const char *value;
};

/* Nagle's algorithm would hold small requests back; the rest keeps logs and retries quiet. */
static const struct pair common_defaults[] = {
    { "client.id", "sluice" },
    { "socket.keepalive.enable", "true" },
    { "socket.nagle.disable", "true" },
    { "log.connection.close", "false" },
    { "log.thread.name", "false" },
    { "reconnect.backoff.ms", "100" },
    { "reconnect.backoff.max.ms", "2000" },
};

/* No message time-out: a record is delivered or stays unacknowledged. murmur2 chooses the partition
 * that Java clients choose. Unknown topics are noticed after 10 s and looked for again each 30 s.
 * With linger.ms=0 each broker thread wakes for every record: a millisecond more than halves the
 * CPU time of a message and lifts the throughput. */
static const struct pair producer_defaults[] = {
    { "acks", "all" },
    { "enable.idempotence", "true" },
    { "message.timeout.ms", "0" },
    { "linger.ms", "1" },
    { "partitioner", "murmur2_random" },
    { "message.max.bytes", "1048576" },
    { "queue.buffering.max.messages", "1000000" },
    { "queue.buffering.max.kbytes", "65536" },
    { "topic.metadata.propagation.max.ms", "10000" },
    { "topic.metadata.refresh.interval.ms", "30000" },
};

static const struct pair consumer_defaults[] = {
    { "enable.auto.commit", "false" },
    { "enable.auto.offset.store", "false" },
    { "auto.offset.reset", "earliest" },
};

static const struct pair worker_consumer_defaults[] = {
    { "isolation.level", "read_committed" },
    { "allow.auto.create.topics", "false" },
};

static const struct pair connector_consumer_defaults[] = {
    { "isolation.level", "read_uncommitted" },
};

static void set_pairs(struct kvs *out, const struct pair *pairs, size_t n_pairs)
{
    for (size_t i = 0; i < n_pairs; i++) {
        kvs_set(out, pairs[i].name, pairs[i].value);
    }
}

static bool is_consumer(enum kafka_role role)
{
    return role == KAFKA_WORKER_CONSUMER || role == KAFKA_CONNECTOR_CONSUMER;
}

static void set_defaults(enum kafka_role role, struct kvs *out)
{
    set_pairs(out, common_defaults, N_ELEMENTS(common_defaults));
    if (prop_role_produces(role)) {
        set_pairs(out, producer_defaults, N_ELEMENTS(producer_defaults));
    }
    if (is_consumer(role)) {
        set_pairs(out, consumer_defaults, N_ELEMENTS(consumer_defaults));
    }
    if (role == KAFKA_WORKER_CONSUMER) {
        set_pairs(out, worker_consumer_defaults, N_ELEMENTS(worker_consumer_defaults));
    }
    if (role == KAFKA_CONNECTOR_CONSUMER) {
        set_pairs(out, connector_consumer_defaults, N_ELEMENTS(connector_consumer_defaults));
    }
}

static void give(struct prop_build *build, const char *written, const char *name, const char *value)
{
    const char *canonical = prop_canonical(name);
    if (value) {
        kvs_set(&build->given, canonical, value);
        kvs_set(&build->written, canonical, written);
    }
}

/* The worker's own clients, and admin clients of connectors as in Connect, take what the top level
 * says about connections; other clients of connectors only the address. */
static bool takes_top_level(const struct prop_build *build, const char *name)
{
    if (build->role == KAFKA_CONNECTOR_PRODUCER || build->role == KAFKA_CONNECTOR_CONSUMER) {
        return strcmp(prop_canonical(name), "bootstrap.servers") == 0;
    }
    return prop_inherited(name);
}

static const char *prefix_of(enum kafka_role role)
{
    switch (role) {
    case KAFKA_CONNECTOR_PRODUCER:
        return "producer.";
    case KAFKA_CONNECTOR_CONSUMER:
        return "consumer.";
    case KAFKA_CONNECTOR_ADMIN:
        return "admin.";
    case KAFKA_WORKER_PRODUCER:
    case KAFKA_WORKER_CONSUMER:
    case KAFKA_WORKER_ADMIN:
        break;
    }
    return NULL;
}

static void merge_layers(struct prop_build *build, const struct kvs *worker,
                         const struct kvs *overrides)
{
    const char *prefix = prefix_of(build->role);
    size_t prefix_length = prefix ? strlen(prefix) : 0;
    for (size_t i = 0; i < worker->n_items; i++) {
        if (takes_top_level(build, worker->items[i].key)) {
            give(build, worker->items[i].key, worker->items[i].key, worker->items[i].value);
        }
    }
    for (size_t i = 0; prefix && i < worker->n_items; i++) {
        const char *key = worker->items[i].key;
        /* The REST interface's, not an admin client's. */
        bool listeners = strncmp(key, "admin.listeners", strlen("admin.listeners")) == 0;
        if (strncmp(key, prefix, prefix_length) == 0 && key[prefix_length] && !listeners) {
            give(build, key, key + prefix_length, worker->items[i].value);
        }
    }
    for (size_t i = 0; overrides && i < overrides->n_items; i++) {
        const struct kv *item = &overrides->items[i];
        give(build, item->key, item->key, item->value);
        prop_guard_note(build, prop_canonical(item->key), item->value);
    }
}

static bool concerns(enum kafka_role role, enum prop_side side)
{
    return side == PROP_ANY || (side == PROP_PRODUCER && prop_role_produces(role)) ||
           (side == PROP_CONSUMER && is_consumer(role));
}

/* librdkafka's own names, judged by librdkafka itself. */
static enum err pass_unknown(struct prop_build *build, const char *name, const char *value,
                             struct error *reterr)
{
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, why, sizeof(why));
    rd_kafka_conf_destroy(conf);
    if (result == RD_KAFKA_CONF_UNKNOWN) {
        prop_build_ignore(build, name);
        return ERR_OK;
    }
    if (result == RD_KAFKA_CONF_INVALID) {
        return prop_build_refuse(build, name, why, reterr);
    }
    kvs_set(build->out, name, value);
    return ERR_OK;
}

static enum err check_target(struct prop_build *build, const char *name, const char *target,
                             const char *value, struct error *reterr)
{
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, target, value, why, sizeof(why));
    rd_kafka_conf_destroy(conf);
    if (result != RD_KAFKA_CONF_OK) {
        return prop_build_refuse(build, name, why, reterr);
    }
    kvs_set(build->out, target, value);
    return ERR_OK;
}

static enum err apply(struct prop_build *build, const char *name, const char *value,
                      struct error *reterr)
{
    const struct prop_row *row = prop_find(name);
    if (!row) {
        return pass_unknown(build, name, value, reterr);
    }
    if (row->action == PROP_REFUSE) {
        return prop_build_refuse(build, name, row->target, reterr);
    }
    if (row->action == PROP_IGNORE || !concerns(build->role, row->side)) {
        prop_build_ignore(build, name);
        return ERR_OK;
    }
    enum err err = prop_check_type(row, kvs_get(&build->written, name), value, reterr);
    if (err != ERR_OK || row->action == PROP_PART) {
        return err;
    }
    if (row->action == PROP_CONVERT) {
        return prop_convert(build, name, value, reterr);
    }
    return check_target(build, name, row->target ? row->target : name, value, reterr);
}

/* What conversions made is judged too, under librdkafka's names. */
static enum err check_out(const struct kvs *out, struct error *reterr)
{
    rd_kafka_conf_t *conf = NULL;
    enum err err = rdk_conf_new(out, &conf, reterr);
    if (err == ERR_OK) {
        rd_kafka_conf_destroy(conf);
    }
    return err;
}

/* A buffer that cannot hold the largest message would refuse it for ever. */
static void raise_buffer(struct kvs *out)
{
    const char *bytes = kvs_get(out, "message.max.bytes");
    const char *kbytes = kvs_get(out, "queue.buffering.max.kbytes");
    if (!bytes || !kbytes) {
        return;
    }
    long long needed = 2 * (strtoll(bytes, NULL, 10) / 1024 + 1);
    if (strtoll(kbytes, NULL, 10) < needed) {
        CLEANUP(free_charp) char *text = xasprintf("%lld", needed);
        kvs_set(out, "queue.buffering.max.kbytes", text);
    }
}

static enum err apply_all(struct prop_build *build, struct error *reterr)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < build->given.n_items && err == ERR_OK; i++) {
        err = apply(build, build->given.items[i].key, build->given.items[i].value, reterr);
    }
    if (err == ERR_OK) {
        err = prop_convert_stores(build, reterr);
    }
    if (err == ERR_OK && !kvs_get(build->out, "bootstrap.servers")) {
        err = error_set(reterr, ERR_INVALID,
                        "Missing required configuration \"bootstrap.servers\" which has no "
                        "default value.");
    }
    if (err == ERR_OK) {
        err = prop_guard_login(build, reterr);
    }
    raise_buffer(build->out);
    return err == ERR_OK ? check_out(build->out, reterr) : err;
}

enum err kafka_props_build(enum kafka_role role, const struct kvs *worker,
                           const struct kvs *overrides, struct kvs *ret_props,
                           struct kvs *ret_ignored, struct error *reterr)
{
    struct prop_build build = { .role = role, .ignored = ret_ignored };
    CLEANUP(kvs_fini) struct kvs out;
    kvs_init(&out);
    kvs_init(&build.given);
    kvs_init(&build.written);
    build.out = &out;
    set_defaults(role, &out);
    merge_layers(&build, worker, overrides);
    enum err err = apply_all(&build, reterr);
    kvs_fini(&build.given);
    kvs_fini(&build.written);
    if (err == ERR_OK) {
        kvs_copy(ret_props, &out);
    }
    return err;
}

enum err kafka_props_check(enum kafka_role role, const struct kvs *props, struct error *reterr)
{
    CLEANUP(kvs_fini) struct kvs offline;
    rd_kafka_conf_t *conf = NULL;
    kvs_init(&offline);
    kvs_copy(&offline, props);
    /* Without an address it connects to nothing, but reads certificates and compares settings. */
    kvs_remove(&offline, "bootstrap.servers");
    enum err err = rdk_conf_new(&offline, &conf, reterr);
    if (err != ERR_OK) {
        return err;
    }
    rd_kafka_conf_set_log_cb(conf, NULL);
    rd_kafka_type_t type = prop_role_produces(role) ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
    return rdk_client_try(type, conf, reterr);
}

bool kafka_props_define(const char *key, struct config_def *ret_def)
{
    static const enum config_type types[] = {
        [PROP_TEXT] = CONFIG_STRING, [PROP_SECRET] = CONFIG_PASSWORD, [PROP_INT] = CONFIG_INT,
        [PROP_LONG] = CONFIG_LONG,   [PROP_BOOLEAN] = CONFIG_BOOLEAN,
    };
    static const char *const docs[] = {
        [PROP_PASS] = "Setting of Kafka's Java clients, with the same meaning here.",
        [PROP_CONVERT] = "Setting of Kafka's Java clients; what it means here is derived from it.",
        [PROP_PART] =
            "Setting of Kafka's Java clients, read together with those that belong to it.",
        [PROP_IGNORE] = NULL,
        [PROP_REFUSE] = "Setting that a connector must not change.",
    };
    const struct prop_row *row = prop_find(key);
    if (!row || !docs[row->action]) {
        return false;
    }
    *ret_def = (struct config_def){
        .type = types[row->type],
        .importance = CONFIG_LOW,
        .order = -1,
        .doc = docs[row->action],
    };
    return true;
}

const char *kafka_version_string(void)
{
    return rd_kafka_version_str();
}
