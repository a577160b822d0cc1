/* SPDX-License-Identifier: Apache-2.0 */
/* The properties that the coordinator lives by. See settings.h. */
#include "coordinator/settings.h"

#include "coordinator/membership.h"
#include "worker/base/mem.h"
#include "worker/worker_config.h"

enum err settings_init(struct settings *settings, const struct kvs *props, const char *worker_id,
                       const char *url, struct error *reterr)
{
    *settings = (struct settings){ .n_slots = 0 };
    kvs_init(&settings->props);
    kvs_copy(&settings->props, props);
    settings->bootstrap_servers = worker_config_text(props, "bootstrap.servers");
    settings->group_id = worker_config_text(props, "group.id");
    settings->group_instance_id = worker_config_text(props, "group.instance.id");
    settings->worker_id = xstrdup(worker_id);
    settings->url = xstrdup(url);
    settings->instance = membership_instance_new();
    settings->identity = membership_identity(url, settings->instance);
    settings->transactional_id = xasprintf("%s-leader", settings->group_id);
    settings->topics[LOG_TOPIC_CONFIG] = worker_config_text(props, "config.storage.topic");
    settings->topics[LOG_TOPIC_STATUS] = worker_config_text(props, "status.storage.topic");
    settings->topics[LOG_TOPIC_OFFSET] = worker_config_text(props, "offset.storage.topic");
    settings->claims_topic = worker_config_text(props, "claims.storage.topic");
    settings->session_timeout_ms = (int)worker_config_int(props, "session.timeout.ms");
    settings->heartbeat_interval_ms = (int)worker_config_int(props, "heartbeat.interval.ms");
    settings->rebalance_timeout_ms = (int)worker_config_int(props, "rebalance.timeout.ms");
    settings->graceful_ms = (uint64_t)worker_config_int(props, "task.shutdown.graceful.timeout.ms");
    settings->settle_ms = (uint64_t)worker_config_int(props, "rebalance.settle.ms");
    settings->fast_failover = worker_config_bool(props, "failover.fast.enable");
    settings->track_topics = worker_config_bool(props, "topic.tracking.enable");
    if (strlen(settings->identity) > MEMBERSHIP_MAX_IDENTITY) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %s for the advertised REST URL: it is longer than the %zu "
                         "bytes that other workers can be told; set rest.advertised.host.name to a "
                         "shorter name",
                         url, MEMBERSHIP_MAX_IDENTITY - (strlen(settings->identity) - strlen(url)));
    }
    return ERR_OK;
}

void settings_fini(struct settings *settings)
{
    kvs_fini(&settings->props);
    free(settings->bootstrap_servers);
    free(settings->group_id);
    free(settings->group_instance_id);
    free(settings->worker_id);
    free(settings->url);
    free(settings->instance);
    free(settings->identity);
    free(settings->transactional_id);
    for (int i = 0; i < N_LOG_TOPICS; i++) {
        free(settings->topics[i]);
    }
    free(settings->claims_topic);
    *settings = (struct settings){ .n_slots = 0 };
}
