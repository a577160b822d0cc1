/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Common ground of the Kafka clients. The log callback runs on librdkafka's threads; its only state
 * is a table of rate limits that all threads share. See rdkafka_util.h.
 */
#include "worker/kafka/rdkafka_util.h"

#include <stdatomic.h>

#include "worker/base/log.h"
#include "worker/base/macros.h"
#include "worker/kafka/prop_guard.h"
#include "worker/kafka/props_table.h"

/* A broker that is away makes each client repeat itself every second or faster. */
#define REPEAT_INTERVAL_MS 10000
#define N_LIMITS           128

static struct log_limit limits[N_LIMITS];

/* Lines of one kind share a limit, whichever client writes them: when Kafka is away, all do. */
static struct log_limit *limit_of(const char *kind, unsigned level)
{
    unsigned hash = level;
    for (const char *p = kind; *p; p++) {
        hash = hash * 31U + (unsigned char)*p;
    }
    return &limits[hash % N_LIMITS];
}

/* syslog(3) levels, as librdkafka uses them: 2 critical, 4 warning, 6 info. librdkafka calls errors
 * (3) what it goes on to mend by itself. */
static enum log_level level_of(int syslog_level)
{
    if (syslog_level <= 2) {
        return LOG_ERROR;
    }
    if (syslog_level <= 4) {
        return LOG_WARN;
    }
    return syslog_level <= 6 ? LOG_INFO : LOG_DEBUG;
}

static void write_limited(enum log_level level, const char *event, const rd_kafka_t *client,
                          const char *kind, const char *text)
{
    unsigned n_suppressed = 0;
    if (!log_passes(LOGGER_librdkafka, level)) {
        return;
    }
    if (level < LOG_DEBUG &&
        !log_limit_pass(limit_of(kind, level), REPEAT_INTERVAL_MS, &n_suppressed)) {
        return;
    }
    char plain[1024];
    (void)snprintf(plain, sizeof(plain), "%s", text);
    /* A double quote would end text="..." early. */
    for (char *p = strchr(plain, '"'); p; p = strchr(p, '"')) {
        *p = '\'';
    }
    char repeats[40] = "";
    if (n_suppressed > 0) {
        (void)snprintf(repeats, sizeof(repeats), " suppressed=%u", n_suppressed);
    }
    log_write(level, NULL, event, "client=%s kind=%s text=\"%s\"%s",
              client ? rd_kafka_name(client) : "-", kind, plain, repeats);
}

void rdk_log(const rd_kafka_t *client, int level, const char *kind, const char *text)
{
    write_limited(level_of(level), "KAFKA-CLIENT", client, kind, text);
}

void rdk_report(const rd_kafka_t *client, rd_kafka_resp_err_t code, const char *reason)
{
    enum log_level level = LOG_WARN;
    if (code == RD_KAFKA_RESP_ERR__FATAL || rdk_err(code) == ERR_UNAUTHORIZED) {
        level = LOG_ERROR;
    } else if (code == RD_KAFKA_RESP_ERR__TRANSPORT) {
        /* librdkafka writes its own line about a lost connection. */
        level = LOG_DEBUG;
    }
    write_limited(level, "KAFKA-ERROR", client, rd_kafka_err2name(code),
                  reason ? reason : rd_kafka_err2str(code));
}

void rdk_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char text[256];
    ASSERT(rd_kafka_conf_set(conf, key, value, text, sizeof(text)) == RD_KAFKA_CONF_OK);
}

void rdk_conf_set_int(rd_kafka_conf_t *conf, const char *key, long long value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%lld", value);
    rdk_conf_set(conf, key, text);
}

enum err rdk_conf_new(const struct kvs *props, rd_kafka_conf_t **ret_conf, struct error *reterr)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, rdk_log);
    for (size_t i = 0; i < props->n_items; i++) {
        const struct kv *kv = &props->items[i];
        char text[512];
        if (!kv->value ||
            rd_kafka_conf_set(conf, kv->key, kv->value, text, sizeof(text)) == RD_KAFKA_CONF_OK) {
            continue;
        }
        rd_kafka_conf_destroy(conf);
        return prop_refused(kv->key, kv->value, text, reterr);
    }
    *ret_conf = conf;
    return ERR_OK;
}

/* Tokens are fetched on a thread of librdkafka's, because idle clients are not polled often. */
static bool uses_tokens(const rd_kafka_conf_t *conf)
{
    char mechanism[64] = "";
    size_t size = sizeof(mechanism);
    return rd_kafka_conf_get(conf, "sasl.mechanism", mechanism, &size) == RD_KAFKA_CONF_OK &&
           strcmp(mechanism, "OAUTHBEARER") == 0;
}

static bool speaks_tls(const rd_kafka_conf_t *conf)
{
    char protocol[32] = "";
    size_t size = sizeof(protocol);
    return rd_kafka_conf_get(conf, "security.protocol", protocol, &size) == RD_KAFKA_CONF_OK &&
           strcasestr(protocol, "ssl");
}

/* At the last moment before librdkafka opens them. */
static enum err check_files(rd_kafka_conf_t *conf, struct error *reterr)
{
    size_t n = 0;
    bool tls = speaks_tls(conf);
    const char **pairs = rd_kafka_conf_dump(conf, &n);
    enum err err = ERR_OK;
    for (size_t i = 0; i + 1 < n && err == ERR_OK; i += 2) {
        err = prop_guard_file(pairs[i], pairs[i + 1], tls, reterr);
    }
    rd_kafka_conf_dump_free(pairs, n);
    return err;
}

static enum err open_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_client,
                            struct error *reterr)
{
    char text[512] = "";
    enum err err = check_files(conf, reterr);
    if (err != ERR_OK) {
        rd_kafka_conf_destroy(conf);
        return err;
    }
    if (uses_tokens(conf)) {
        rd_kafka_conf_enable_sasl_queue(conf, 1);
    }
    rd_kafka_t *client = rd_kafka_new(type, conf, text, sizeof(text));
    if (!client) {
        rd_kafka_conf_destroy(conf);
        return error_set(reterr, ERR_INVALID, "Kafka client properties: %s", text);
    }
    *ret_client = client;
    return ERR_OK;
}

enum err rdk_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_client,
                        struct error *reterr)
{
    bool tokens = uses_tokens(conf);
    enum err err = open_client(type, conf, ret_client, reterr);
    if (err == ERR_OK && tokens) {
        rd_kafka_error_t *error = rd_kafka_sasl_background_callbacks_enable(*ret_client);
        if (error) {
            rdk_report(*ret_client, rd_kafka_error_code(error), rd_kafka_error_string(error));
            rd_kafka_error_destroy(error);
        }
    }
    return err;
}

enum err rdk_client_try(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct error *reterr)
{
    rd_kafka_t *client = NULL;
    enum err err = open_client(type, conf, &client, reterr);
    if (err == ERR_OK) {
        rd_kafka_destroy(client);
    }
    return err;
}

enum err rdk_err(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return ERR_OK;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return ERR_TOO_LARGE;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return ERR_NOT_FOUND;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return ERR_UNAUTHORIZED;
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
        return ERR_REJECTED;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return ERR_FENCED;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        return ERR_TIMEOUT;
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return ERR_INVALID;
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
        /* Timestamps are this machine's clock, so it is that, not the record: it may be set right.
         */
    default:
        return ERR_UNAVAILABLE;
    }
}

enum err rdk_error_take(rd_kafka_error_t *error, struct error *reterr)
{
    enum err err =
        rd_kafka_error_is_fatal(error) && rdk_err(rd_kafka_error_code(error)) != ERR_UNAUTHORIZED
            ? ERR_FENCED
            : rdk_err(rd_kafka_error_code(error));
    (void)error_set(reterr, err, "%s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return err;
}

rd_kafka_topic_t *rdk_topic(rd_kafka_t *client, struct map *topics, const char *name)
{
    rd_kafka_topic_t *topic = map_get(topics, name);
    if (!topic) {
        topic = rd_kafka_topic_new(client, name, NULL);
        if (topic) {
            (void)map_set(topics, name, topic);
        }
    }
    return topic;
}

void rdk_topics_fini(struct map *topics)
{
    MAP_FOREACH(topics, slot) {
        rd_kafka_topic_destroy(slot->value);
    }
    map_fini(topics);
}

void *rdk_mem(const void *bytes)
{
    union {
        const void *in;
        void *out;
    } pointer = { .in = bytes };
    return pointer.out;
}

enum err rdk_hopeless(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return ERR_UNAUTHORIZED;
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        return ERR_INVALID;
    case RD_KAFKA_RESP_ERR__FATAL:
        return ERR_FENCED;
    /* Records that were damaged in Kafka's log, told by check.crcs: librdkafka passes over them. */
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
        return ERR_IO;
    default:
        return ERR_OK;
    }
}

bool rdk_is_member(rd_kafka_t *client)
{
    char *id = rd_kafka_memberid(client);
    bool is_member = id && id[0] != '\0';
    if (id) {
        rd_kafka_mem_free(client, id);
    }
    return is_member;
}

bool rdk_leave_empty(rd_kafka_t *client)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    if (!rdk_is_member(client) ||
        rd_kafka_assignment(client, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    bool empty = list->cnt == 0;
    rd_kafka_topic_partition_list_destroy(list);
    return empty && rd_kafka_unsubscribe(client) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

int rdk_lingering(int change)
{
    static atomic_int n_lingering;
    return atomic_fetch_add(&n_lingering, change) + change;
}

void rdk_give_up(const rd_kafka_t *client)
{
    (void)rdk_lingering(1);
    log_warn(NULL, "KAFKA-CLIENT-LEFT",
             "client=%s reason=\"stopped before its first assignment; its idle threads stay\"",
             rd_kafka_name(client));
}
