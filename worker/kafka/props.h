/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client properties: from the worker's and a connector's configuration, which use the Java
 * clients' names or librdkafka's, to the set that one librdkafka client is opened with. Pure.
 */
#pragma once

#include "worker/base/config_def.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"

/* Who uses the client: the worker itself (internal topics, group) takes the worker's top-level
 * security settings; clients of connectors take bootstrap.servers and what stands behind
 * "producer.", "consumer." or "admin.", as in Kafka Connect. */
enum kafka_role {
    KAFKA_WORKER_PRODUCER,
    KAFKA_WORKER_CONSUMER,
    KAFKA_WORKER_ADMIN,
    KAFKA_CONNECTOR_PRODUCER,
    KAFKA_CONNECTOR_CONSUMER,
    KAFKA_CONNECTOR_ADMIN,
};

/* kafka_props_build fills ret_props (initialised, empty) with librdkafka properties for a client:
 * defaults of the role (connector producers: acks=all, enable.idempotence=true, no message
 * time-out, linger.ms=1), then the worker's settings, then `overrides` (keys without the
 * "producer.override." prefix; NULL for none). Java names are translated (security.protocol,
 * sasl.jaas.config, sasl.mechanism, ssl.truststore/keystore.* of type PEM, compression.type,
 * linger.ms, batch.size, max.request.size, buffer.memory, delivery.timeout.ms, max.block.ms,
 * retries, request.timeout.ms, client.id ...); Java names without a counterpart are left out and
 * named in ret_ignored (may be NULL). Errors: ERR_INVALID naming key, value and mend; JKS and
 * PKCS12 trust stores are refused with advice to convert them to PEM. acks other than all and a
 * disabled idempotence are refused for connector producers, because they would lose messages. */
enum err kafka_props_build(enum kafka_role role, const struct kvs *worker,
                           const struct kvs *overrides, struct kvs *ret_props,
                           struct kvs *ret_ignored, struct error *reterr) MUST_CHECK;

/* kafka_props_check asks librdkafka whether it takes every property, without connecting.
 * Errors: ERR_INVALID with Connect's words "Invalid value x for configuration k: ...". */
enum err kafka_props_check(enum kafka_role role, const struct kvs *props,
                           struct error *reterr) MUST_CHECK;

/* kafka_props_define fills ret_def with what there is to say of a property under its Java name, but
 * for its name: type and meaning. There is no default: that is librdkafka's, or the role's. False,
 * and nothing written, for names that nothing is known of, and for those without effect. */
bool kafka_props_define(const char *key, struct config_def *ret_def);

/* kafka_version_string returns librdkafka's version, e.g. "2.0.2". */
const char *kafka_version_string(void);
