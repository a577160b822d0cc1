/* SPDX-License-Identifier: Apache-2.0 */
/* See fetched.h. */
#include "worker/kafka/fetched.h"

#include "worker/kafka/rdkafka_util.h"

size_t kafka_fetched_headers(const struct kafka_fetched *fetched, struct record_header *ret_headers,
                             size_t max)
{
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(fetched->handle, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    size_t n = rd_kafka_header_cnt(headers);
    for (size_t i = 0; i < n && i < max; i++) {
        const void *value = NULL;
        size_t length = 0;
        (void)rd_kafka_header_get_all(headers, i, &ret_headers[i].name, &value, &length);
        ret_headers[i].value = (struct record_bytes){ value, length };
    }
    return n;
}

bool kafka_fetched_header(const struct kafka_fetched *fetched, const char *name,
                          struct record_bytes *ret_value)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t length = 0;
    if (rd_kafka_message_headers(fetched->handle, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &length) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    *ret_value = (struct record_bytes){ value, length };
    return true;
}

void kafka_fetched_free(struct kafka_fetched *fetched)
{
    if (fetched->handle) {
        rd_kafka_message_destroy(TAKE(fetched->handle));
    }
}
