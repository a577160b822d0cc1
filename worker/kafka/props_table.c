/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of client properties. See props_table.h. */
#include "worker/kafka/props_table.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <strings.h>

/* Two names for one thing: librdkafka's, Java's. */
static const char *const aliases[][2] = {
    { "metadata.broker.list", "bootstrap.servers" },
    { "sasl.mechanisms", "sasl.mechanism" },
    { "queue.buffering.max.ms", "linger.ms" },
    { "compression.codec", "compression.type" },
    { "request.required.acks", "acks" },
    { "message.send.max.retries", "retries" },
    { "message.timeout.ms", "delivery.timeout.ms" },
    { "max.in.flight", "max.in.flight.requests.per.connection" },
    { "message.max.bytes", "max.request.size" },
    { "fetch.message.max.bytes", "max.partition.fetch.bytes" },
    { "fetch.wait.max.ms", "fetch.max.wait.ms" },
    { "socket.send.buffer.bytes", "send.buffer.bytes" },
    { "socket.receive.buffer.bytes", "receive.buffer.bytes" },
};

#define LOSES  "it would lose messages; leave it out"
#define SHARED "it belongs to the worker; leave it out"
#define UNSAFE "it is not safe in a configuration; leave it out"

#define PASS(name, type, side)                                                                     \
    {                                                                                              \
        name, type, side, PROP_PASS, false, NULL                                                   \
    }
#define RENAME(name, type, side, to)                                                               \
    {                                                                                              \
        name, type, side, PROP_PASS, false, to                                                     \
    }
#define COMMON(name, type)                                                                         \
    {                                                                                              \
        name, type, PROP_ANY, PROP_PASS, true, NULL                                                \
    }
#define CONVERT(name, type, side)                                                                  \
    {                                                                                              \
        name, type, side, PROP_CONVERT, false, NULL                                                \
    }
#define COMMON_CONVERT(name, type)                                                                 \
    {                                                                                              \
        name, type, PROP_ANY, PROP_CONVERT, true, NULL                                             \
    }
#define COMMON_PART(name, type)                                                                    \
    {                                                                                              \
        name, type, PROP_ANY, PROP_PART, true, NULL                                                \
    }
#define IGNORE(name)                                                                               \
    {                                                                                              \
        name, PROP_TEXT, PROP_ANY, PROP_IGNORE, false, NULL                                        \
    }
#define REFUSE(name, why)                                                                          \
    {                                                                                              \
        name, PROP_TEXT, PROP_ANY, PROP_REFUSE, false, why                                         \
    }

static const struct prop_row rows[] = {
    /* every client */
    COMMON("bootstrap.servers", PROP_TEXT),
    COMMON("client.id", PROP_TEXT),
    COMMON("client.rack", PROP_TEXT),
    COMMON("connections.max.idle.ms", PROP_LONG),
    COMMON("metadata.max.age.ms", PROP_LONG),
    COMMON("reconnect.backoff.ms", PROP_LONG),
    COMMON("reconnect.backoff.max.ms", PROP_LONG),
    COMMON_CONVERT("request.timeout.ms", PROP_INT),
    COMMON_CONVERT("send.buffer.bytes", PROP_INT),
    COMMON_CONVERT("receive.buffer.bytes", PROP_INT),
    COMMON("socket.connection.setup.timeout.ms", PROP_LONG),
    COMMON("broker.address.family", PROP_TEXT),
    COMMON_CONVERT("security.protocol", PROP_TEXT),
    COMMON("sasl.mechanism", PROP_TEXT),
    COMMON_CONVERT("sasl.jaas.config", PROP_SECRET),
    COMMON("sasl.username", PROP_TEXT),
    COMMON("sasl.password", PROP_SECRET),
    COMMON("sasl.kerberos.service.name", PROP_TEXT),
    COMMON("sasl.oauthbearer.client.secret", PROP_SECRET),
    COMMON("sasl.oauthbearer.config", PROP_SECRET),
    COMMON_CONVERT("ssl.truststore.type", PROP_TEXT),
    COMMON_PART("ssl.truststore.location", PROP_TEXT),
    COMMON_PART("ssl.truststore.certificates", PROP_TEXT),
    COMMON_PART("ssl.truststore.password", PROP_SECRET),
    COMMON_CONVERT("ssl.keystore.type", PROP_TEXT),
    COMMON_PART("ssl.keystore.location", PROP_TEXT),
    COMMON_PART("ssl.keystore.certificate.chain", PROP_TEXT),
    COMMON_PART("ssl.keystore.key", PROP_SECRET),
    COMMON_PART("ssl.keystore.password", PROP_SECRET),
    COMMON("ssl.key.password", PROP_SECRET),
    COMMON("ssl.key.pem", PROP_SECRET),
    COMMON("ssl.cipher.suites", PROP_TEXT),
    COMMON_CONVERT("ssl.endpoint.identification.algorithm", PROP_TEXT),

    /* producers */
    CONVERT("acks", PROP_TEXT, PROP_PRODUCER),
    CONVERT("enable.idempotence", PROP_BOOLEAN, PROP_PRODUCER),
    CONVERT("retries", PROP_INT, PROP_PRODUCER),
    CONVERT("max.in.flight.requests.per.connection", PROP_INT, PROP_PRODUCER),
    PASS("linger.ms", PROP_LONG, PROP_PRODUCER),
    PASS("batch.size", PROP_INT, PROP_PRODUCER),
    PASS("compression.type", PROP_TEXT, PROP_PRODUCER),
    CONVERT("compression.gzip.level", PROP_INT, PROP_PRODUCER),
    CONVERT("compression.lz4.level", PROP_INT, PROP_PRODUCER),
    CONVERT("compression.zstd.level", PROP_INT, PROP_PRODUCER),
    RENAME("max.request.size", PROP_INT, PROP_PRODUCER, "message.max.bytes"),
    CONVERT("buffer.memory", PROP_LONG, PROP_PRODUCER),
    RENAME("delivery.timeout.ms", PROP_INT, PROP_PRODUCER, "message.timeout.ms"),
    PASS("retry.backoff.ms", PROP_LONG, PROP_PRODUCER),
    CONVERT("partitioner.class", PROP_TEXT, PROP_PRODUCER),
    REFUSE("transactional.id", SHARED),
    REFUSE("delivery.report.only.error", LOSES),
    REFUSE("queuing.strategy", "it would change the order of messages; leave it out"),

    /* consumers */
    PASS("group.id", PROP_TEXT, PROP_CONSUMER),
    PASS("group.instance.id", PROP_TEXT, PROP_CONSUMER),
    PASS("session.timeout.ms", PROP_INT, PROP_CONSUMER),
    PASS("heartbeat.interval.ms", PROP_INT, PROP_CONSUMER),
    PASS("max.poll.interval.ms", PROP_INT, PROP_CONSUMER),
    PASS("fetch.min.bytes", PROP_INT, PROP_CONSUMER),
    PASS("fetch.max.bytes", PROP_INT, PROP_CONSUMER),
    RENAME("fetch.max.wait.ms", PROP_INT, PROP_CONSUMER, "fetch.wait.max.ms"),
    PASS("max.partition.fetch.bytes", PROP_INT, PROP_CONSUMER),
    PASS("isolation.level", PROP_TEXT, PROP_CONSUMER),
    PASS("check.crcs", PROP_BOOLEAN, PROP_CONSUMER),
    PASS("allow.auto.create.topics", PROP_BOOLEAN, PROP_CONSUMER),
    CONVERT("auto.offset.reset", PROP_TEXT, PROP_CONSUMER),
    CONVERT("partition.assignment.strategy", PROP_TEXT, PROP_CONSUMER),
    IGNORE("enable.auto.commit"),
    IGNORE("auto.commit.enable"),
    IGNORE("enable.auto.offset.store"),
    IGNORE("auto.commit.interval.ms"),

    /* Java only */
    IGNORE("auto.include.jmx.reporter"),
    IGNORE("client.dns.lookup"),
    IGNORE("config.providers"),
    IGNORE("default.api.timeout.ms"),
    IGNORE("enable.metrics.push"),
    IGNORE("exclude.internal.topics"),
    IGNORE("group.protocol"),
    IGNORE("group.remote.assignor"),
    IGNORE("interceptor.classes"),
    IGNORE("key.deserializer"),
    IGNORE("key.serializer"),
    IGNORE("max.block.ms"),
    IGNORE("max.poll.records"),
    IGNORE("metadata.max.idle.ms"),
    IGNORE("metadata.recovery.strategy"),
    IGNORE("metadata.recovery.rebootstrap.trigger.ms"),
    IGNORE("metric.reporters"),
    IGNORE("metrics.num.samples"),
    IGNORE("metrics.recording.level"),
    IGNORE("metrics.sample.window.ms"),
    IGNORE("partitioner.adaptive.partitioning.enable"),
    IGNORE("partitioner.availability.timeout.ms"),
    IGNORE("partitioner.ignore.keys"),
    IGNORE("retry.backoff.max.ms"),
    IGNORE("sasl.client.callback.handler.class"),
    IGNORE("sasl.login.callback.handler.class"),
    IGNORE("sasl.login.class"),
    IGNORE("security.providers"),
    IGNORE("socket.connection.setup.timeout.max.ms"),
    IGNORE("ssl.client.auth"),
    IGNORE("ssl.enabled.protocols"),
    IGNORE("ssl.engine.factory.class"),
    IGNORE("ssl.keymanager.algorithm"),
    IGNORE("ssl.protocol"),
    IGNORE("ssl.provider"),
    IGNORE("ssl.secure.random.implementation"),
    IGNORE("ssl.trustmanager.algorithm"),
    IGNORE("transaction.timeout.ms"),
    IGNORE("value.deserializer"),
    IGNORE("value.serializer"),

    /* librdkafka's own that must not come from a configuration */
    REFUSE("plugin.library.paths", UNSAFE),
    REFUSE("sasl.kerberos.kinit.cmd", UNSAFE),
    REFUSE("ssl.engine.location", UNSAFE),
    REFUSE("ssl.engine.id", UNSAFE),
    REFUSE("ssl.providers", UNSAFE),
    REFUSE("offset.store.method", UNSAFE),
    REFUSE("offset.store.path", UNSAFE),
    REFUSE("offset.store.sync.interval.ms", UNSAFE),
    REFUSE("test.mock.num.brokers", UNSAFE),
    REFUSE("test.mock.broker.rtt", UNSAFE),
    REFUSE("enable_sasl_queue", SHARED),
    REFUSE("enabled_events", SHARED),
    REFUSE("internal.termination.signal", SHARED),
    REFUSE("log.queue", SHARED),
    REFUSE("statistics.interval.ms", SHARED),
};

const struct prop_row *prop_find(const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

/* librdkafka takes "topic." off a topic's property, so "topic.acks" is "acks"; some names of a
 * client's own begin with it. */
static const char *without_topic(const char *name)
{
    static const char topic[] = "topic.";
    while (strncmp(name, topic, strlen(topic)) == 0 && strncmp(name, "topic.metadata.", 15) != 0 &&
           strcmp(name, "topic.blacklist") != 0) {
        name += strlen(topic);
    }
    return name;
}

const char *prop_canonical(const char *name)
{
    name = without_topic(name);
    for (size_t i = 0; i < N_ELEMENTS(aliases); i++) {
        if (strcmp(aliases[i][0], name) == 0) {
            return aliases[i][1];
        }
    }
    return name;
}

/* The name behind "producer.", "producer.override." and the like. */
static const char *without_prefix(const char *name)
{
    static const char *const prefixes[] = { "producer.", "consumer.", "admin.", "override." };
    for (size_t i = 0; i < N_ELEMENTS(prefixes); i++) {
        size_t length = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], length) == 0) {
            name += length;
        }
    }
    return name;
}

bool prop_secret(const char *name)
{
    const struct prop_row *row = prop_find(prop_canonical(without_prefix(name)));
    return (row && row->type == PROP_SECRET) || strcasestr(name, "password") ||
           strcasestr(name, "secret") || strcasestr(name, "jaas");
}

bool prop_inherited(const char *name)
{
    const struct prop_row *row = prop_find(prop_canonical(name));
    if (row) {
        return row->inherited;
    }
    return strncmp(name, "ssl.", 4) == 0 || strncmp(name, "sasl.", 5) == 0 ||
           strncmp(name, "enable.ssl.", 11) == 0;
}

enum err prop_refused(const char *name, const char *value, const char *why, struct error *reterr)
{
    return error_set(reterr, ERR_INVALID, "Invalid value %s for configuration %s: %s",
                     prop_secret(name) ? "[hidden]" : value, name, why);
}

static bool is_number(const char *value, long long min, long long max)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    return errno == 0 && end != value && *end == '\0' && !isspace((unsigned char)*value) &&
           number >= min && number <= max;
}

enum err prop_check_type(const struct prop_row *row, const char *shown, const char *value,
                         struct error *reterr)
{
    switch (row->type) {
    case PROP_TEXT:
    case PROP_SECRET:
        break;
    case PROP_INT:
        if (!is_number(value, INT_MIN, INT_MAX)) {
            return prop_refused(shown, value, "Not a number of type INT", reterr);
        }
        break;
    case PROP_LONG:
        if (!is_number(value, LLONG_MIN, LLONG_MAX)) {
            return prop_refused(shown, value, "Not a number of type LONG", reterr);
        }
        break;
    case PROP_BOOLEAN:
        if (strcasecmp(value, "true") != 0 && strcasecmp(value, "false") != 0) {
            return prop_refused(shown, value, "Expected value to be either true or false", reterr);
        }
        break;
    }
    return ERR_OK;
}
