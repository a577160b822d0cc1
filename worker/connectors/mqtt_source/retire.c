/* SPDX-License-Identifier: Apache-2.0 */
/* Retirement. See retire.h. */
#include "worker/connectors/mqtt_source/retire.h"

#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_source/settings.h"

/* For all sessions, and the most for one of them. */
#define RETIRE_MS  50000
#define SESSION_MS 10000

static enum err end_session(struct source_settings *settings, const char *client_id,
                            uint64_t deadline_ms, struct error *reterr)
{
    uint64_t now_ms = clock_mono_ms();
    if (now_ms >= deadline_ms) {
        return error_set(reterr, ERR_TIMEOUT, "not all MQTT sessions could be ended in time");
    }
    uint64_t left_ms = deadline_ms - now_ms;
    settings->options.client_id = client_id;
    enum err err = mqtt_end_session(&settings->options,
                                    (int)(left_ms < SESSION_MS ? left_ms : SESSION_MS), reterr);
    if (err == ERR_OK) {
        log_info(settings->options.log, "MQTT-SESSION-ENDED", "session=\"%s\"", client_id);
    }
    return err;
}

/* The connector's sessions, and those that were just being given up. */
static enum err end_sessions(struct source_settings *settings, const struct log_ctx *log,
                             uint64_t deadline_ms, struct error *reterr)
{
    settings->options.log = log;
    settings->options.takeover_wait_ms = 1000;
    enum err err = ERR_OK;
    for (int k = 0; k < settings->total && err == ERR_OK; k++) {
        CLEANUP(free_charp) char *client_id = source_settings_client_id(settings, k);
        err = end_session(settings, client_id, deadline_ms, reterr);
    }
    for (size_t i = 0; i < settings->retiring.n_items && err == ERR_OK; i++) {
        err = end_session(settings, settings->retiring.items[i], deadline_ms, reterr);
    }
    return err;
}

/* Each task config names prefix and number of all sessions: of a stopped connector one is known. */
static enum err retire_all(const struct connector_facts *facts, const struct kvs *config,
                           const struct kvs *task_config, struct error *reterr)
{
    uint64_t deadline_ms = clock_mono_ms() + RETIRE_MS;
    struct log_ctx log;
    (void)snprintf(log.text, sizeof(log.text), "connector=%.160s", facts->name);
    struct source_settings settings;
    enum err err = source_settings_read(facts->name, config, task_config, &settings, reterr);
    if (err == ERR_OK) {
        settings.options.stop_fd = facts->stop_fd;
        err = end_sessions(&settings, &log, deadline_ms, reterr);
        source_settings_fini(&settings);
    }
    return err;
}

/* Where no task config is known the sessions are those that the config asks for. */
enum err mqtt_source_retire(const struct connector_facts *facts, const struct kvs *config,
                            const struct kvs *task_configs, size_t n_task_configs,
                            struct error *reterr)
{
    if (n_task_configs > 0) {
        return retire_all(facts, config, &task_configs[0], reterr);
    }
    struct kvs *made = NULL;
    size_t n_made = 0;
    enum err err = mqtt_source_task_configs(facts, config, NULL, 0, &made, &n_made, reterr);
    if (err == ERR_OK) {
        err = retire_all(facts, config, &made[0], reterr);
        connector_configs_free(made, n_made);
    }
    return err;
}
