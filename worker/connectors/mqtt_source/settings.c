/* SPDX-License-Identifier: Apache-2.0 */
/* Parsed settings and the division into tasks. Pure but for source_settings_warn. See settings.h.
 */
#include "worker/connectors/mqtt_source/settings.h"

#include "worker/base/json.h"
#include "worker/base/map.h"
#include "worker/base/mem.h"
#include "worker/mqtt/filter.h"

/* MQTT 5, 1.5.5: the largest packet. */
#define MAX_PACKET 268435455
/* max.request.size of a producer where nobody sets it, and how many of them a message may have. */
#define REQUEST_DEFAULT      1048576
#define REQUESTS_PER_MESSAGE 4

/* Of all task configs of a connector; the leader computes and stores them at once. */
#define MAX_CONFIGS_BYTES ((size_t)16 * 1024 * 1024)
/* What a record has around the configs in it: key, names of members. */
#define RECORD_FRAME 8192

/* ---- division ---- */

/* Every task config of a connector names the number of all its sessions. */
static int total_before(const struct kvs *before, size_t n_before)
{
    const char *text = n_before > 0 ? kvs_get(&before[0], MQTT_TASK_TOTAL) : NULL;
    long n = text ? strtol(text, NULL, 10) : 0;
    return n > 0 && n <= CONNECTOR_TASKS_LIMIT ? (int)n : 0;
}

static bool retire_is(const struct kvs *config, const char *value)
{
    CLEANUP(free_charp)
    char *text = config_text(&mqtt_source_table, config, "mqtt.sessions.retire");
    return strcmp(text, value) == 0;
}

/* With a number of tasks that follows the workers the sessions are as many as sixteen workers can
 * share, from the start: they stay the same while tasks come and go. */
#define AUTO_SESSIONS 32

/* Sessions never become fewer by themselves: each keeps messages that only it can fetch. */
static int count_sessions(const struct kvs *config, const struct kvs *before, size_t n_before,
                          int tasks_max)
{
    int asked = (int)config_int(&mqtt_source_table, config, "mqtt.sessions");
    int total = asked > 0 ? asked : tasks_max;
    int earlier = total_before(before, n_before);
    if (asked > 0 && !retire_is(config, "never")) {
        return asked;
    }
    return earlier > total ? earlier : total;
}

/* Client ids in order, each once. */
struct id_list {
    struct map known;
    struct config_list ids;
    size_t bytes;
};

/* The list has room for it. */
static void id_list_add(struct id_list *list, const char *id)
{
    if (!map_set(&list->known, id, list)) {
        list->ids.items[list->ids.n_items++] = xstrdup(id);
        list->bytes += strlen(id);
    }
}

/* The sessions that a connector is to have. */
struct wanted {
    const char *prefix;
    const char *name;
    int total;
};

static bool is_wanted(const struct wanted *wanted, const char *id)
{
    size_t prefix = strlen(wanted->prefix);
    size_t name = strlen(wanted->name);
    if (strncmp(id, wanted->prefix, prefix) != 0 || strncmp(id + prefix, wanted->name, name) != 0 ||
        id[prefix + name] != '-') {
        return false;
    }
    const char *digits = id + prefix + name + 1;
    long k = strtol(digits, NULL, 10);
    char text[32];
    (void)snprintf(text, sizeof(text), "%ld", k);
    return k >= 0 && k < wanted->total && strcmp(text, digits) == 0;
}

static cJSON *parse_retiring(const struct kvs *task_config)
{
    const char *text = kvs_get(task_config, MQTT_TASK_RETIRING);
    cJSON *ids = NULL;
    return text && json_parse(text, strlen(text), &ids, NULL) == ERR_OK ? ids : NULL;
}

/* Makes room for the ids of a parsed list and n more, and adds the former but for wanted ones. */
static void id_list_begin(struct id_list *list, const cJSON *ids, size_t n,
                          const struct wanted *wanted)
{
    size_t size = (size_t)cJSON_GetArraySize(ids) + n;
    *list = (struct id_list){ .ids = { xcalloc(size + 1, sizeof(char *)), 0 } };
    map_init(&list->known);
    const cJSON *id = NULL;
    cJSON_ArrayForEach(id, ids)
    {
        if (cJSON_IsString(id) && !(wanted && is_wanted(wanted, id->valuestring))) {
            id_list_add(list, id->valuestring);
        }
    }
}

static char *print_ids(const struct config_list *ids)
{
    CLEANUP(json_delete) cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < ids->n_items; i++) {
        (void)cJSON_AddItemToArray(list, cJSON_CreateString(ids->items[i]));
    }
    return ids->n_items > 0 ? json_print(list) : NULL;
}

/* The sessions that were there before and have no place any more: those that are being given up
 * already, those beyond the number asked for, and all under another prefix. The config of task 0
 * names them, which is also the one that a stopped connector keeps. */
static char *retiring_sessions(const struct kvs *before, size_t n_before,
                               const struct wanted *wanted)
{
    struct id_list left;
    const char *old = n_before > 0 ? kvs_get(&before[0], MQTT_TASK_PREFIX) : NULL;
    int n_old = old ? total_before(before, n_before) : 0;
    CLEANUP(json_delete) cJSON *ids = n_before > 0 ? parse_retiring(&before[0]) : NULL;
    id_list_begin(&left, ids, (size_t)n_old, wanted);
    /* None may be forgotten: it has messages. More than a record can hold is refused by
     * check_first. */
    for (int k = 0; k < n_old && left.bytes <= CONNECTOR_RECORD_LIMIT; k++) {
        CLEANUP(free_charp) char *id = xasprintf("%s%s-%d", old, wanted->name, k);
        if (!is_wanted(wanted, id)) {
            id_list_add(&left, id);
        }
    }
    char *text = print_ids(&left.ids);
    config_list_fini(&left.ids);
    map_fini(&left.known);
    return text;
}

static char *session_numbers(int task, int n_tasks, int total)
{
    struct buf text;
    buf_init(&text);
    for (int k = task; k < total; k += n_tasks) {
        buf_printf(&text, "%s%d", k == task ? "" : ",", k);
    }
    return buf_take(&text);
}

static void set_number(struct kvs *kvs, const char *key, int number)
{
    CLEANUP(free_charp) char *text = xasprintf("%d", number);
    kvs_set(kvs, key, text);
}

static char *default_group(const struct connector_facts *facts, const struct kvs *config)
{
    char *group = config_text(&mqtt_source_table, config, "mqtt.share.group");
    if (group && group[0]) {
        return group;
    }
    free(group);
    CLEANUP(free_charp) char *name = xasprintf("%s-%s", facts->group_id, facts->name);
    return mqtt_share_group_from(name);
}

enum err source_settings_check_total(int64_t n_tasks, size_t bytes_each, struct error *reterr)
{
    if (bytes_each <= MAX_CONFIGS_BYTES / (size_t)n_tasks) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID,
                     "Invalid value %lld for configuration tasks.max: each task's config repeats "
                     "mqtt.client.id.prefix and mqtt.share.group, which have %zu bytes; all "
                     "together must not have more than %zu: give fewer tasks or shorter names",
                     (long long)n_tasks, bytes_each, MAX_CONFIGS_BYTES);
}

static size_t printed_size(const struct kvs *config)
{
    CLEANUP(json_delete) cJSON *object = json_from_kvs(config);
    CLEANUP(free_charp) char *text = json_print(object);
    return strlen(text);
}

/* When the connector is deleted one record has to hold its config and that of its first task. */
static enum err check_first(const struct kvs *config, const struct kvs *task, int total,
                            struct error *reterr)
{
    size_t bytes = printed_size(config) + printed_size(task);
    if (bytes <= CONNECTOR_RECORD_LIMIT - RECORD_FRAME) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID,
                     "mqtt.sessions=%d: the connector's config, the numbers of these sessions and "
                     "the client ids of earlier ones that are still to be given up have %zu bytes, "
                     "more than %d: give the earlier mqtt.client.id.prefix back and change it with "
                     "fewer sessions, or set mqtt.sessions.retire=never and end the earlier "
                     "sessions at the broker",
                     total, bytes, CONNECTOR_RECORD_LIMIT - RECORD_FRAME);
}

enum err mqtt_source_task_configs(const struct connector_facts *facts, const struct kvs *config,
                                  const struct kvs *before, size_t n_before,
                                  struct kvs **ret_configs, size_t *ret_n, struct error *reterr)
{
    int tasks_max = (int)config_int(connector_common_table(CONNECTOR_SOURCE), config, "tasks.max");
    if (tasks_max < 1 || tasks_max > CONNECTOR_TASKS_LIMIT) {
        return error_set(reterr, ERR_INVALID, "tasks.max must be between 1 and %d",
                         CONNECTOR_TASKS_LIMIT);
    }
    int total =
        count_sessions(config, before, n_before, facts->auto_tasks ? AUTO_SESSIONS : tasks_max);
    int n = tasks_max < total ? tasks_max : total;
    CLEANUP(free_charp) char *prefix = mqtt_rows_prefix(&mqtt_source_table, facts, config);
    CLEANUP(free_charp) char *group = default_group(facts, config);
    enum err err = source_settings_check_total(n, strlen(prefix) + strlen(group), reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct kvs *configs = xcalloc((size_t)n, sizeof(*configs));
    for (int task = 0; task < n; task++) {
        CLEANUP(free_charp) char *numbers = session_numbers(task, n, total);
        kvs_init(&configs[task]);
        kvs_set(&configs[task], MQTT_TASK_CLASS, "MqttSourceTask");
        kvs_set(&configs[task], MQTT_TASK_SESSIONS, numbers);
        set_number(&configs[task], MQTT_TASK_TOTAL, total);
        kvs_set(&configs[task], MQTT_TASK_PREFIX, prefix);
        kvs_set(&configs[task], MQTT_TASK_SHARE_GROUP, group);
    }
    const struct wanted wanted = { prefix, facts->name, total };
    CLEANUP(free_charp)
    char *retiring =
        retire_is(config, "never") ? NULL : retiring_sessions(before, n_before, &wanted);
    if (retiring) {
        kvs_set(&configs[0], MQTT_TASK_RETIRING, retiring);
    }
    err = check_first(config, &configs[0], total, reterr);
    if (err != ERR_OK) {
        connector_configs_free(configs, (size_t)n);
        return err;
    }
    *ret_configs = configs;
    *ret_n = (size_t)n;
    return ERR_OK;
}

/* ---- parsing ---- */

static int number(const struct kvs *config, const char *key)
{
    return (int)config_int(&mqtt_source_table, config, key);
}

static enum mqtt_mode read_mode(const struct kvs *config)
{
    CLEANUP(free_charp)
    char *text = config_text(&mqtt_source_table, config, "mqtt.subscription.mode");
    if (strcmp(text, "shared") == 0) {
        return MQTT_MODE_SHARED;
    }
    return strcmp(text, "exclusive") == 0 ? MQTT_MODE_EXCLUSIVE : MQTT_MODE_AUTO;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void read_options(const struct kvs *config, struct source_settings *settings)
{
    struct mqtt_options *options = &settings->options;
    options->clean = config_bool(&mqtt_source_table, config, "mqtt.clean.session.enabled");
    options->expiry_s =
        (uint32_t)config_int(&mqtt_source_table, config, "mqtt.session.expiry.seconds");
    options->qos = number(config, "mqtt.qos") == 0 ? 0 : 1;
    options->mode = read_mode(config);
    options->shared = &settings->shared;
    size_t window = (size_t)number(config, "mqtt.receive.maximum");
    window = smaller(window, (size_t)number(config, "records.buffer.queue.size"));
    window = smaller(window, (size_t)number(config, "records.buffer.queue.max.batch.size"));
    settings->window = window;
    options->receive_maximum = (int)window;
}

static void share_filters(struct source_settings *settings, const char *group)
{
    const struct config_list *filters = &settings->filters;
    settings->shared.items = xcalloc(filters->n_items + 1, sizeof(char *));
    for (size_t i = 0; i < filters->n_items; i++) {
        settings->shared.items[i] = mqtt_filter_shared(group, filters->items[i]);
    }
    settings->shared.n_items = filters->n_items;
}

static void read_retiring(const struct kvs *task_config, struct config_list *ret_list)
{
    struct id_list list;
    CLEANUP(json_delete) cJSON *ids = parse_retiring(task_config);
    id_list_begin(&list, ids, 0, NULL);
    map_fini(&list.known);
    *ret_list = list.ids;
}

static enum err read_task(const struct kvs *task_config, struct source_settings *settings,
                          struct error *reterr)
{
    const char *numbers = kvs_get(task_config, MQTT_TASK_SESSIONS);
    const char *total = kvs_get(task_config, MQTT_TASK_TOTAL);
    const char *prefix = kvs_get(task_config, MQTT_TASK_PREFIX);
    const char *group = kvs_get(task_config, MQTT_TASK_SHARE_GROUP);
    if (!numbers || !total || !prefix || !group) {
        return error_set(reterr, ERR_INVALID, "the task's config lacks %s, %s, %s or %s",
                         MQTT_TASK_SESSIONS, MQTT_TASK_TOTAL, MQTT_TASK_PREFIX,
                         MQTT_TASK_SHARE_GROUP);
    }
    settings->total = (int)strtol(total, NULL, 10);
    settings->prefix = xstrdup(prefix);
    struct config_list list;
    config_list_split(numbers, &list);
    settings->sessions = xcalloc(list.n_items + 1, sizeof(int));
    settings->n_sessions = list.n_items;
    for (size_t i = 0; i < list.n_items; i++) {
        settings->sessions[i] = (int)strtol(list.items[i], NULL, 10);
    }
    config_list_fini(&list);
    if (settings->n_sessions > 0 && settings->sessions[0] == 0) {
        read_retiring(task_config, &settings->retiring);
    }
    share_filters(settings, group);
    if (settings->total < 1 || settings->n_sessions == 0) {
        return error_set(reterr, ERR_INVALID, "the task's config names no sessions");
    }
    return ERR_OK;
}

enum err source_settings_read(const char *connector, const struct kvs *config,
                              const struct kvs *task_config, struct source_settings *ret_settings,
                              struct error *reterr)
{
    struct source_settings *settings = ret_settings;
    *settings = (struct source_settings){ .connector = xstrdup(connector) };
    enum err err = mqtt_connection_read(&mqtt_source_table, config, &settings->connection,
                                        &settings->options, reterr);
    if (err != ERR_OK) {
        source_settings_fini(settings);
        return err;
    }
    config_list(&mqtt_source_table, config, "mqtt.topics", &settings->filters);
    settings->kafka_topic = config_text(&mqtt_source_table, config, "kafka.topic");
    settings->dropped_topic = config_text(&mqtt_source_table, config, "mqtt.broker.dropped.topic");
    if (settings->dropped_topic && settings->dropped_topic[0] == '\0') {
        free(TAKE(settings->dropped_topic));
    }
    settings->retire_never = retire_is(config, "never");
    settings->retire_anyway = retire_is(config, "force");
    error_policy_read(CONNECTOR_SOURCE, config, &settings->errors);
    read_options(config, settings);
    err = read_task(task_config, settings, reterr);
    if (err != ERR_OK) {
        source_settings_fini(settings);
    }
    return err;
}

void source_settings_fini(struct source_settings *settings)
{
    mqtt_connection_fini(&settings->connection);
    config_list_fini(&settings->filters);
    config_list_fini(&settings->shared);
    config_list_fini(&settings->retiring);
    char *texts[] = { settings->kafka_topic, settings->prefix, settings->connector,
                      settings->dropped_topic };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        free(texts[i]);
    }
    free(settings->sessions);
    error_policy_fini(&settings->errors);
    *settings = (struct source_settings){ .total = 0 };
}

size_t source_settings_max_packet(const struct kvs *config, const struct kvs *worker_props)
{
    int64_t most = config_int(&mqtt_source_table, config, "mqtt.message.max.bytes");
    if (most > 0) {
        return (size_t)most;
    }
    const char *text = kvs_get(config, "producer.override.max.request.size");
    text = text ? text : kvs_get(worker_props, "producer.max.request.size");
    long request = text ? strtol(text, NULL, 10) : 0;
    if (request < 1 || request > MAX_PACKET / REQUESTS_PER_MESSAGE) {
        request = request < 1 ? REQUEST_DEFAULT : MAX_PACKET / REQUESTS_PER_MESSAGE;
    }
    return (size_t)request * REQUESTS_PER_MESSAGE;
}

char *source_settings_client_id(const struct source_settings *settings, int k)
{
    return xasprintf("%s%s-%d", settings->prefix, settings->connector, k);
}

void source_settings_own_filters(const struct source_settings *settings, int k,
                                 struct config_list *ret_list)
{
    *ret_list = (struct config_list){ NULL, 0 };
    ret_list->items = xcalloc(settings->filters.n_items + 1, sizeof(char *));
    for (size_t i = 0; i < settings->filters.n_items; i++) {
        if ((int)(i % (size_t)settings->total) == k) {
            ret_list->items[ret_list->n_items++] = xstrdup(settings->filters.items[i]);
        }
    }
}

/* ---- warnings ---- */

static const char *const ignored[] = {
    "records.buffer.queue.empty.timeout",
    "records.buffer.queue.full.timeout",
    "message_processor_class",
    "camel.source.",
    "camel.map.",
    "camel.idempotency.",
    "transaction.boundary.interval.ms",
    NULL,
};

void source_settings_warn(const struct kvs *config, const struct log_ctx *log)
{
    mqtt_rows_warn(&mqtt_source_table, config, ignored, log);
    int qos = number(config, "mqtt.qos");
    if (qos == 0) {
        log_warn(log, "CONFIG-UNSAFE",
                 "key=mqtt.qos value=0 risk=\"messages are lost at a crash\" advice=\"use 1\"");
    } else if (qos == 2) {
        log_warn(log, "CONFIG-LOWERED",
                 "key=mqtt.qos value=2 used=1 reason=\"QoS 2 would lose messages at a crash\"");
    }
    if (config_bool(&mqtt_source_table, config, "mqtt.clean.session.enabled")) {
        log_warn(log, "CONFIG-UNSAFE",
                 "key=mqtt.clean.session.enabled value=true risk=\"messages are lost whenever no "
                 "connection stands\" advice=\"use false\"");
    }
}
