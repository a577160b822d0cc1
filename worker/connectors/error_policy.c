/* SPDX-License-Identifier: Apache-2.0 */
/* See error_policy.h. */
#include "worker/connectors/error_policy.h"

#include "worker/base/mem.h"

void error_policy_read(enum connector_type type, const struct kvs *config,
                       struct error_policy *ret_policy)
{
    const struct config_table *common = connector_common_table(type);
    CLEANUP(free_charp) char *tolerance = config_text(common, config, "errors.tolerance");
    struct error_policy policy = {
        .tolerate = strcmp(tolerance, "all") == 0,
        .dlq_topic = config_text(common, config, "errors.deadletterqueue.topic.name"),
        .dlq_headers = config_bool(common, config, "errors.deadletterqueue.context.headers.enable"),
        .dlq_replication =
            (int)config_int(common, config, "errors.deadletterqueue.topic.replication.factor"),
        .log = config_bool(common, config, "errors.log.enable"),
        .log_details = config_bool(common, config, "errors.log.include.messages"),
        .retry_timeout_ms = config_int(common, config, "errors.retry.timeout"),
        .retry_delay_max_ms = config_int(common, config, "errors.retry.delay.max.ms"),
    };
    if (policy.dlq_topic && policy.dlq_topic[0] == '\0') {
        free(TAKE(policy.dlq_topic));
    }
    *ret_policy = policy;
}

void error_policy_fini(struct error_policy *policy)
{
    free(TAKE(policy->dlq_topic));
}
