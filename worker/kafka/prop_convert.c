/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions of single properties, a table of functions. See prop_convert.h. */
#include "worker/kafka/prop_convert.h"

#include <limits.h>
#include <strings.h>

#include "worker/base/buf.h"
#include "worker/base/config_def.h"
#include "worker/base/mem.h"
#include "worker/kafka/jaas.h"
#include "worker/kafka/props_table.h"

enum err prop_build_refuse(const struct prop_build *build, const char *name, const char *why,
                           struct error *reterr)
{
    const char *written = kvs_get(&build->written, name);
    const char *value = kvs_get(&build->given, name);
    return prop_refused(written ? written : name, value ? value : "null", why, reterr);
}

void prop_build_ignore(struct prop_build *build, const char *name)
{
    if (build->ignored) {
        const char *written = kvs_get(&build->written, name);
        kvs_set(build->ignored, written ? written : name, NULL);
    }
}

bool prop_role_produces(enum kafka_role role)
{
    return role == KAFKA_WORKER_PRODUCER || role == KAFKA_CONNECTOR_PRODUCER;
}

bool prop_role_of_connector(enum kafka_role role)
{
    return role >= KAFKA_CONNECTOR_PRODUCER;
}

static enum err protocol(struct prop_build *build, const char *name, const char *value,
                         struct error *reterr)
{
    static const char *const protocols[] = { "plaintext", "ssl", "sasl_plaintext", "sasl_ssl" };
    for (size_t i = 0; i < N_ELEMENTS(protocols); i++) {
        if (strcasecmp(value, protocols[i]) == 0) {
            kvs_set(build->out, name, protocols[i]);
            return ERR_OK;
        }
    }
    return prop_build_refuse(build, name,
                             "String must be one of (case insensitive): PLAINTEXT, SASL_PLAINTEXT, "
                             "SASL_SSL, SSL",
                             reterr);
}

static void set_number(struct kvs *out, const char *name, long long number)
{
    CLEANUP(free_charp) char *text = xasprintf("%lld", number);
    kvs_set(out, name, text);
}

/* Java: how long any request may take. librdkafka: the socket's, and for producers the broker's
 * time to gather acks. */
static enum err request_timeout(struct prop_build *build, const char *name, const char *value,
                                struct error *reterr)
{
    long long ms = strtoll(value, NULL, 10);
    if (ms < 10) {
        return prop_build_refuse(build, name, "Value must be at least 10", reterr);
    }
    set_number(build->out, "socket.timeout.ms", ms > 300000 ? 300000 : ms);
    if (prop_role_produces(build->role)) {
        set_number(build->out, "request.timeout.ms", ms > 900000 ? 900000 : ms);
    }
    return ERR_OK;
}

/* Java's -1, the system's default, is librdkafka's 0. */
static enum err buffer_bytes(struct prop_build *build, const char *name, const char *value,
                             struct error *reterr)
{
    long long bytes = strtoll(value, NULL, 10);
    if (bytes < -1) {
        return prop_build_refuse(build, name, "Value must be at least -1", reterr);
    }
    CLEANUP(free_charp) char *target = xasprintf("socket.%s", name);
    set_number(build->out, target, bytes < 0 ? 0 : bytes);
    return ERR_OK;
}

static enum err acks(struct prop_build *build, const char *name, const char *value,
                     struct error *reterr)
{
    if (strcasecmp(value, "all") != 0 && strcmp(value, "-1") != 0) {
        return prop_build_refuse(build, name,
                                 "must be all: anything less loses messages that the source was "
                                 "told are safe",
                                 reterr);
    }
    kvs_set(build->out, "acks", "all");
    return ERR_OK;
}

static enum err idempotence(struct prop_build *build, const char *name, const char *value,
                            struct error *reterr)
{
    if (strcasecmp(value, "true") != 0) {
        return prop_build_refuse(build, name,
                                 "must be true: without it a retry may change the order of "
                                 "messages or repeat them",
                                 reterr);
    }
    return ERR_OK;
}

static enum err retries(struct prop_build *build, const char *name, const char *value,
                        struct error *reterr)
{
    if (strtoll(value, NULL, 10) < 1) {
        return prop_build_refuse(build, name, "must be at least 1; the default is without end",
                                 reterr);
    }
    kvs_set(build->out, "retries", value);
    return ERR_OK;
}

static enum err in_flight(struct prop_build *build, const char *name, const char *value,
                          struct error *reterr)
{
    long long n = strtoll(value, NULL, 10);
    if (n < 1 || n > 5) {
        return prop_build_refuse(build, name, "must be 1 to 5, the bound of idempotent producers",
                                 reterr);
    }
    kvs_set(build->out, name, value);
    return ERR_OK;
}

/* compression.gzip.level counts only when compression.type is gzip, and so on. */
static enum err compression_level(struct prop_build *build, const char *name, const char *value,
                                  struct error *reterr UNUSED)
{
    const char *type = kvs_get(&build->given, "compression.type");
    CLEANUP(free_charp) char *wanted = xasprintf("compression.%s.level", type ? type : "none");
    if (strcmp(wanted, name) == 0) {
        kvs_set(build->out, "compression.level", value);
    } else {
        prop_build_ignore(build, name);
    }
    return ERR_OK;
}

static enum err buffer_memory(struct prop_build *build, const char *name, const char *value,
                              struct error *reterr)
{
    long long kbytes = strtoll(value, NULL, 10) / 1024;
    if (kbytes < 1) {
        return prop_build_refuse(build, name, "Value must be at least 1024", reterr);
    }
    set_number(build->out, "queue.buffering.max.kbytes", kbytes > INT_MAX ? INT_MAX : kbytes);
    return ERR_OK;
}

static enum err partitioner(struct prop_build *build, const char *name, const char *value,
                            struct error *reterr UNUSED)
{
    const char *dot = strrchr(value, '.');
    const char *class_name = dot ? dot + 1 : value;
    if (strcmp(class_name, "DefaultPartitioner") == 0) {
        kvs_set(build->out, "partitioner", "murmur2_random");
    } else if (strcmp(class_name, "RoundRobinPartitioner") == 0 ||
               strcmp(class_name, "UniformStickyPartitioner") == 0) {
        kvs_set(build->out, "partitioner", "random");
    } else {
        prop_build_ignore(build, name);
    }
    return ERR_OK;
}

static enum err offset_reset(struct prop_build *build, const char *name, const char *value,
                             struct error *reterr UNUSED)
{
    kvs_set(build->out, name, strcasecmp(value, "none") == 0 ? "error" : value);
    return ERR_OK;
}

/* librdkafka's name of an assignor given by its Java class or by that name; NULL if unknown. */
static const char *assignor_of(const char *item)
{
    static const char *const names[][2] = {
        { "RangeAssignor", "range" },
        { "RoundRobinAssignor", "roundrobin" },
        { "CooperativeStickyAssignor", "cooperative-sticky" },
    };
    const char *dot = strrchr(item, '.');
    const char *class_name = dot ? dot + 1 : item;
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        if (strcmp(class_name, names[i][0]) == 0 || strcmp(item, names[i][1]) == 0) {
            return names[i][1];
        }
    }
    return NULL;
}

static enum err assignors(struct prop_build *build, const char *name, const char *value,
                          struct error *reterr)
{
    CLEANUP(buf_fini) struct buf text;
    CLEANUP(config_list_fini) struct config_list list;
    buf_init(&text);
    config_list_split(value, &list);
    for (size_t i = 0; i < list.n_items; i++) {
        const char *known = assignor_of(list.items[i]);
        if (!known) {
            return prop_build_refuse(build, name,
                                     "use RangeAssignor, RoundRobinAssignor or "
                                     "CooperativeStickyAssignor",
                                     reterr);
        }
        buf_printf(&text, "%s%s", i ? "," : "", known);
    }
    kvs_set(build->out, name, buf_text(&text));
    return ERR_OK;
}

/* Java switches the check of the broker's name off by an empty text. */
static enum err endpoint_check(struct prop_build *build, const char *name, const char *value,
                               struct error *reterr UNUSED)
{
    kvs_set(build->out, name, value[0] ? value : "none");
    return ERR_OK;
}

/* Which options of a login module become which properties. */
static const struct {
    const char *module;
    const char *option;
    const char *target;
    bool required;
} jaas_options[] = {
    { "PlainLoginModule", "username", "sasl.username", true },
    { "PlainLoginModule", "password", "sasl.password", true },
    { "ScramLoginModule", "username", "sasl.username", true },
    { "ScramLoginModule", "password", "sasl.password", true },
    { "OAuthBearerLoginModule", "clientId", "sasl.oauthbearer.client.id", false },
    { "OAuthBearerLoginModule", "clientSecret", "sasl.oauthbearer.client.secret", false },
    { "OAuthBearerLoginModule", "scope", "sasl.oauthbearer.scope", false },
    { "Krb5LoginModule", "principal", "sasl.kerberos.principal", false },
    { "Krb5LoginModule", "keyTab", "sasl.kerberos.keytab", false },
    { "Krb5LoginModule", "serviceName", "sasl.kerberos.service.name", false },
};

static enum err jaas(struct prop_build *build, const char *name, const char *value,
                     struct error *reterr)
{
    CLEANUP(free_charp) char *module = NULL;
    CLEANUP(kvs_fini) struct kvs options;
    struct error why;
    bool known = false;
    kvs_init(&options);
    if (jaas_parse(value, &module, &options, &why) != ERR_OK) {
        return prop_build_refuse(build, name, why.text, reterr);
    }
    for (size_t i = 0; i < N_ELEMENTS(jaas_options); i++) {
        if (strcmp(jaas_options[i].module, module) != 0) {
            continue;
        }
        known = true;
        const char *option = kvs_get(&options, jaas_options[i].option);
        if (option) {
            kvs_set(build->out, jaas_options[i].target, option);
        } else if (jaas_options[i].required) {
            (void)error_set(&why, ERR_INVALID, "%s needs the option %s", module,
                            jaas_options[i].option);
            return prop_build_refuse(build, name, why.text, reterr);
        }
    }
    if (!known) {
        return prop_build_refuse(build, name,
                                 "use PlainLoginModule, ScramLoginModule, OAuthBearerLoginModule "
                                 "or Krb5LoginModule",
                                 reterr);
    }
    if (kvs_get(build->out, "sasl.oauthbearer.client.id")) {
        kvs_set(build->out, "sasl.oauthbearer.method", "oidc");
    }
    return ERR_OK;
}

static const struct {
    const char *name;
    enum err (*convert)(struct prop_build *build, const char *name, const char *value,
                        struct error *reterr);
} conversions[] = {
    { "security.protocol", protocol },
    { "request.timeout.ms", request_timeout },
    { "send.buffer.bytes", buffer_bytes },
    { "receive.buffer.bytes", buffer_bytes },
    { "sasl.jaas.config", jaas },
    { "ssl.endpoint.identification.algorithm", endpoint_check },
    { "acks", acks },
    { "enable.idempotence", idempotence },
    { "retries", retries },
    { "max.in.flight.requests.per.connection", in_flight },
    { "compression.gzip.level", compression_level },
    { "compression.lz4.level", compression_level },
    { "compression.zstd.level", compression_level },
    { "buffer.memory", buffer_memory },
    { "partitioner.class", partitioner },
    { "auto.offset.reset", offset_reset },
    { "partition.assignment.strategy", assignors },
};

enum err prop_convert(struct prop_build *build, const char *name, const char *value,
                      struct error *reterr)
{
    for (size_t i = 0; i < N_ELEMENTS(conversions); i++) {
        if (strcmp(conversions[i].name, name) == 0) {
            return conversions[i].convert(build, name, value, reterr);
        }
    }
    return ERR_OK; /* the stores: prop_convert_stores */
}
