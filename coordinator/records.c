/* SPDX-License-Identifier: Apache-2.0 */
/* Builders of internal-topic records. See records.h. */
#include "coordinator/records.h"

#include <inttypes.h>

#include "coordinator/config_entry.h"
#include "coordinator/config_files.h"
#include "coordinator/config_topics.h"
#include "coordinator/config_workers.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"
#include "worker/connector.h"

void out_records_init(struct out_records *records)
{
    *records = (struct out_records){ .items = NULL };
}

void out_records_fini(struct out_records *records)
{
    for (size_t i = 0; i < records->n_items; i++) {
        free(records->items[i].key);
        free(records->items[i].value);
    }
    free(records->items);
    out_records_init(records);
}

/* Takes key and value (NULL: tombstone). */
static void put(struct out_records *out, enum log_topic topic, char *key, char *value)
{
    if (out->n_items == out->size) {
        out->size = out->size ? out->size * 2 : 16;
        out->items = xrealloc(out->items, out->size * sizeof(*out->items));
    }
    out->items[out->n_items++] = (struct out_record){ topic, key, value };
}

void records_take(struct out_records *to, struct out_records *from)
{
    for (size_t i = 0; i < from->n_items; i++) {
        put(to, from->items[i].topic, from->items[i].key, from->items[i].value);
    }
    free(from->items);
    out_records_init(from);
}

enum err records_check(const struct out_records *records, struct error *reterr)
{
    for (size_t i = 0; i < records->n_items; i++) {
        const struct out_record *item = &records->items[i];
        size_t bytes = strlen(item->key) + (item->value ? strlen(item->value) : 0);
        if (bytes > CONNECTOR_RECORD_LIMIT) {
            return error_set(reterr, ERR_TOO_LARGE,
                             "record %s of config.storage.topic would have %zu bytes, more than "
                             "the %d that Kafka takes: give the connector a smaller config "
                             "(shorter lists and prefixes, fewer tasks.max or mqtt.sessions)",
                             item->key, bytes, CONNECTOR_RECORD_LIMIT);
        }
    }
    return ERR_OK;
}

void record_own(struct out_records *out, enum log_topic topic, char *key, char *value)
{
    put(out, topic, key, value);
}

/* Prints and deletes object. */
static char *print_object(cJSON *object)
{
    char *text = json_print(object);
    cJSON_Delete(object);
    return text;
}

static cJSON *new_object(void)
{
    cJSON *object = cJSON_CreateObject();
    ASSERT(object != NULL);
    return object;
}

static void add_text(cJSON *object, const char *key, const char *text)
{
    cJSON *item = text ? cJSON_CreateString(text) : cJSON_CreateNull();
    ASSERT(item != NULL);
    (void)cJSON_AddItemToObject(object, key, item);
}

/* cJSON keeps numbers as doubles; a raw item keeps every digit. */
static void add_integer(cJSON *object, const char *key, int64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%" PRId64, value);
    cJSON *item = cJSON_CreateRaw(text);
    ASSERT(item != NULL);
    (void)cJSON_AddItemToObject(object, key, item);
}

static char *print_properties(const struct kvs *config)
{
    cJSON *object = new_object();
    (void)cJSON_AddItemToObject(object, "properties", json_from_kvs(config));
    return print_object(object);
}

void record_connector(struct out_records *out, const char *name, const struct kvs *config)
{
    put(out, LOG_TOPIC_CONFIG, xasprintf("connector-%s", name), print_properties(config));
}

void record_target(struct out_records *out, const char *name, enum target_state target)
{
    /* Workers that know no STOPPED read "state" only, and pause. */
    enum target_state old = target == TARGET_STOPPED ? TARGET_PAUSED : target;
    cJSON *object = new_object();
    add_text(object, "state", target_state_name(old));
    add_text(object, "state.v2", target_state_name(target));
    put(out, LOG_TOPIC_CONFIG, xasprintf("target-state-%s", name), print_object(object));
}

void record_tasks(struct out_records *out, const char *name, const struct kvs *configs,
                  size_t n_configs, int64_t config_offset, int64_t division)
{
    for (size_t i = 0; i < n_configs; i++) {
        put(out, LOG_TOPIC_CONFIG, xasprintf("task-%s-%zu", name, i),
            print_properties(&configs[i]));
    }
    cJSON *object = new_object();
    add_integer(object, "tasks", (int64_t)n_configs);
    add_integer(object, "config-offset", config_offset);
    add_integer(object, "division", division);
    put(out, LOG_TOPIC_CONFIG, xasprintf("commit-%s", name), print_object(object));
}

static const struct kvs *last_task(const struct connector_state *connector)
{
    if (connector->n_tasks > 0) {
        return &connector->tasks[0].config;
    }
    return connector->last_task;
}

void record_stop(struct out_records *out, const struct connector_state *connector)
{
    const struct kvs *last = last_task(connector);
    cJSON *object = new_object();
    add_integer(object, "tasks", 0);
    add_integer(object, "config-offset", connector->config_offset);
    add_integer(object, "division", connector->division);
    if (last) {
        (void)cJSON_AddItemToObject(object, "last-task", json_from_kvs(last));
    }
    put(out, LOG_TOPIC_CONFIG, xasprintf("commit-%s", connector->name), print_object(object));
}

/* Adds a list of the times of the newest (which 0) or second newest moves, unless there were none.
 */
static void add_moves(cJSON *object, const char *name, const struct seat *seats, size_t n_seats,
                      int which)
{
    bool any = false;
    for (size_t i = 0; i < n_seats; i++) {
        any = any || seats[i].moved_ms[which] > 0;
    }
    cJSON *list = any ? cJSON_AddArrayToObject(object, name) : NULL;
    for (size_t i = 0; i < n_seats && list; i++) {
        (void)cJSON_AddItemToArray(list, cJSON_CreateNumber((double)seats[i].moved_ms[which]));
    }
}

void record_placement(struct out_records *out, const char *name, const struct seat *seats,
                      size_t n_seats)
{
    cJSON *object = new_object();
    cJSON *list = cJSON_AddArrayToObject(object, "slots");
    cJSON *whys = cJSON_AddArrayToObject(object, "why");
    ASSERT(list != NULL && whys != NULL);
    for (size_t i = 0; i < n_seats; i++) {
        (void)cJSON_AddItemToArray(list, cJSON_CreateNumber(seats[i].slot));
        (void)cJSON_AddItemToArray(whys,
                                   cJSON_CreateStringReference(move_reason_name(seats[i].why)));
    }
    add_moves(object, "moved", seats, n_seats, 0);
    add_moves(object, "moved-before", seats, n_seats, 1);
    put(out, LOG_TOPIC_CONFIG, xasprintf("placement-%s", name), print_object(object));
}

void record_restart(struct out_records *out, const char *name, bool include_tasks, bool only_failed)
{
    cJSON *object = new_object();
    (void)cJSON_AddBoolToObject(object, "include-tasks", include_tasks);
    (void)cJSON_AddBoolToObject(object, "only-failed", only_failed);
    put(out, LOG_TOPIC_CONFIG, xasprintf("restart-connector-%s", name), print_object(object));
}

void record_restart_task(struct out_records *out, const char *name, int task)
{
    put(out, LOG_TOPIC_CONFIG, xasprintf("restart-task-%s-%d", name, task), xstrdup("{}"));
}

void record_leader(struct out_records *out, const char *worker_id, const char *url,
                   const char *instance)
{
    cJSON *object = new_object();
    add_text(object, "worker_id", worker_id);
    add_text(object, "url", url);
    add_text(object, "instance", instance);
    put(out, LOG_TOPIC_CONFIG, xstrdup("leader"), print_object(object));
}

void record_retire(struct out_records *out, const struct connector_state *connector, const char *id,
                   int64_t now_wall_ms)
{
    cJSON *object = new_object();
    (void)cJSON_AddItemToObject(object, "config", json_from_kvs(&connector->config));
    cJSON *tasks = cJSON_AddArrayToObject(object, "tasks");
    ASSERT(tasks != NULL);
    const struct kvs *last = last_task(connector);
    if (last) {
        (void)cJSON_AddItemToArray(tasks, json_from_kvs(last));
    }
    add_integer(object, "requested_ms", now_wall_ms);
    put(out, LOG_TOPIC_CONFIG, xasprintf("retire-%s-%s", connector->name, id),
        print_object(object));
}

void record_retired(struct out_records *out, const char *name, const char *id)
{
    put(out, LOG_TOPIC_CONFIG, xasprintf("retire-%s-%s", name, id), NULL);
}

void record_delete(struct out_records *out, const struct connector_state *connector)
{
    const char *name = connector->name;
    put(out, LOG_TOPIC_CONFIG, xasprintf("connector-%s", name), NULL);
    put(out, LOG_TOPIC_CONFIG, xasprintf("target-state-%s", name), NULL);
    put(out, LOG_TOPIC_CONFIG, xasprintf("placement-%s", name), NULL);
    if (connector->managed) {
        record_managed(out, name, NULL);
    }
    record_topics_unused(out, connector);
}

static char *status_key(const char *name, int task)
{
    return task < 0 ? xasprintf("status-connector-%s", name)
                    : xasprintf("status-task-%s-%d", name, task);
}

void record_status(struct out_records *out, const char *name, int task,
                   const struct status_fields *status)
{
    cJSON *object = new_object();
    add_text(object, "state", run_state_name(status->state));
    add_text(object, "trace", status->trace);
    add_text(object, "worker_id", status->worker_id);
    add_integer(object, "generation", status->generation);
    add_text(object, "version", status->version);
    if (task >= 0 && status->division >= 0) {
        add_integer(object, "division", status->division);
    }
    if (task >= 0 && status->claim) {
        add_text(object, "claim", status->claim);
    }
    put(out, LOG_TOPIC_STATUS, status_key(name, task), print_object(object));
}

void record_status_gone(struct out_records *out, const char *name, int task)
{
    put(out, LOG_TOPIC_STATUS, status_key(name, task), NULL);
}

static char *topic_key(const char *name, const char *topic)
{
    return xasprintf("status-topic-%s:connector-%s", topic, name);
}

void record_topic_use(struct out_records *out, const char *name, int task, const char *topic,
                      int64_t now_wall_ms)
{
    cJSON *object = new_object();
    cJSON *use = cJSON_AddObjectToObject(object, "topic");
    ASSERT(use != NULL);
    add_text(use, "name", topic);
    add_text(use, "connector", name);
    add_integer(use, "task", task);
    add_integer(use, "discoverTimestamp", now_wall_ms);
    put(out, LOG_TOPIC_STATUS, topic_key(name, topic), print_object(object));
}

void record_topic_unused(struct out_records *out, const char *name, const char *topic)
{
    put(out, LOG_TOPIC_STATUS, topic_key(name, topic), NULL);
}

void record_topics_unused(struct out_records *out, const struct connector_state *connector)
{
    const struct topic_list *topics = connector->topics;
    for (size_t i = 0; topics && i < topics->n_items; i++) {
        record_topic_unused(out, connector->name, topics->items[i]->name);
    }
}

void record_logger(struct out_records *out, const char *name, const char *level)
{
    cJSON *object = new_object();
    add_text(object, "level", level);
    put(out, LOG_TOPIC_CONFIG, xasprintf("logger-cluster-%s", name), print_object(object));
}

void record_offset_by_key(struct out_records *out, const char *key, const char *value)
{
    put(out, LOG_TOPIC_OFFSET, xstrdup(key), value ? xstrdup(value) : NULL);
}

void record_offset(struct out_records *out, const char *name, const char *partition,
                   const char *offset)
{
    cJSON *array = cJSON_CreateArray();
    ASSERT(array != NULL);
    (void)cJSON_AddItemToArray(array, cJSON_CreateString(name));
    /* As given: compaction compares bytes, so the writer's order of members is to be kept. */
    cJSON *item = cJSON_CreateRaw(partition);
    ASSERT(item != NULL);
    (void)cJSON_AddItemToArray(array, item);
    put(out, LOG_TOPIC_OFFSET, print_object(array), offset ? xstrdup(offset) : NULL);
}

static void add_rates(cJSON *object, const struct worker_note *note)
{
    cJSON *rates = note->n_rates ? cJSON_AddObjectToObject(object, "rates") : NULL;
    cJSON *of = NULL;
    const char *connector = NULL;
    for (size_t i = 0; i < note->n_rates; i++) {
        const struct task_rate *rate = &note->rates[i];
        if (!connector || strcmp(connector, rate->connector) != 0) {
            connector = rate->connector;
            of = cJSON_AddObjectToObject(rates, connector);
            ASSERT(of != NULL);
        }
        char key[16];
        (void)snprintf(key, sizeof(key), "%d", rate->task);
        add_integer(of, key, rate->rate);
    }
}

void record_worker(struct out_records *out, const char *worker_id, const struct worker_note *note)
{
    char *key = xasprintf("worker-%s", worker_id);
    if (!note) {
        put(out, LOG_TOPIC_STATUS, key, NULL);
        return;
    }
    cJSON *object = new_object();
    add_text(object, "instance", note->instance);
    cJSON *refused = note->n_refused ? cJSON_AddArrayToObject(object, "refused") : NULL;
    for (size_t i = 0; i < note->n_refused; i++) {
        (void)cJSON_AddItemToArray(refused, cJSON_CreateString(note->refused[i]));
    }
    if (note->objects) {
        (void)cJSON_AddTrueToObject(object, "objects");
    }
    if (note->leaving) {
        (void)cJSON_AddTrueToObject(object, "leaving");
    }
    add_rates(object, note);
    put(out, LOG_TOPIC_STATUS, key, print_object(object));
}
