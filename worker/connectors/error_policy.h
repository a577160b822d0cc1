/* SPDX-License-Identifier: Apache-2.0 */
/* The framework's errors.* keys, parsed. Thread: the owner's. */
#pragma once

#include "worker/connector.h"

/* What happens to records that cannot be processed. */
struct error_policy {
    bool tolerate;
    char *dlq_topic; /* NULL: none */
    bool dlq_headers;
    int dlq_replication;
    bool log;
    bool log_details;
    int64_t retry_timeout_ms;   /* errors.retry.timeout; -1: for ever */
    int64_t retry_delay_max_ms; /* errors.retry.delay.max.ms */
};

/* error_policy_read parses the keys of a source's or sink's config that was validated. */
void error_policy_read(enum connector_type type, const struct kvs *config,
                       struct error_policy *ret_policy);
void error_policy_fini(struct error_policy *policy);
