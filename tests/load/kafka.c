/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared librdkafka calls, see kafka.h. Used by the main thread of the command.
 */
#include "tests/load/kafka.h"

#include <stdio.h>

#include "tests/load/util.h"

#define METADATA_TIMEOUT_MS 2000
#define RETRY_MS            100

rd_kafka_t *kafka_client(rd_kafka_type_t type, void *opaque, const char *const *settings,
                         void (*dr_msg_cb)(rd_kafka_t *, const rd_kafka_message_t *, void *))
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; settings[i] != NULL; i += 2) {
        rd_kafka_conf_res_t res =
            rd_kafka_conf_set(conf, settings[i], settings[i + 1], text, sizeof(text));
        if (res != RD_KAFKA_CONF_OK) {
            complain("%s=%s: %s\n", settings[i], settings[i + 1], text);
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    }
    rd_kafka_conf_set_opaque(conf, opaque);
    if (dr_msg_cb != NULL) {
        rd_kafka_conf_set_dr_msg_cb(conf, dr_msg_cb);
    }
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof(text));
    if (rk == NULL) {
        complain("Kafka client: %s\n", text);
        rd_kafka_conf_destroy(conf);
    }
    return rk;
}

static int topic_partitions(rd_kafka_t *rk, const char *topic)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    int n = 0;
    rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 0, rkt, &metadata, METADATA_TIMEOUT_MS);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            n = metadata->topics[0].partition_cnt;
        }
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(rkt);
    return n;
}

int kafka_partitions(rd_kafka_t *rk, const char *topic, uint64_t deadline_us)
{
    for (;;) {
        int n = topic_partitions(rk, topic);
        if (n > 0) {
            return n;
        }
        if (mono_us() >= deadline_us) {
            complain("topic %s is not there: create it, or check --kafka\n", topic);
            return 0;
        }
        (void)rd_kafka_poll(rk, RETRY_MS);
    }
}

bool kafka_await_logs(rd_kafka_t *rk, const char *topic, int n_partitions, uint64_t deadline_us)
{
    for (int i = 0; i < n_partitions; i++) {
        int64_t low = 0;
        int64_t high = 0;
        while (rd_kafka_query_watermark_offsets(rk, topic, i, &low, &high, METADATA_TIMEOUT_MS) !=
               RD_KAFKA_RESP_ERR_NO_ERROR) {
            if (mono_us() >= deadline_us) {
                complain("topic %s, partition %d has no log: is its leader there?\n", topic, i);
                return false;
            }
            (void)rd_kafka_poll(rk, RETRY_MS);
        }
    }
    return true;
}
