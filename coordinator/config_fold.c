/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads single records into the state. Everything in them is foreign: wrong shapes are ignored and
 * counted, numbers are bounded, nothing fails.
 */
#include "coordinator/config_state_impl.h"
#include "worker/base/json.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"

/* A reader takes a few more than any writer gives: what was written must not be lost for a key that
 * somebody added behind the writer's check. */
#define MAX_MEMBERS (JSON_MAX_MEMBERS + 64)

/* Splits "<connector>-<number>" at the last '-'. */
static bool split_number(const char *text, char **ret_name, int *ret_n)
{
    const char *dash = strrchr(text, '-');
    if (!dash || dash == text || strlen(dash + 1) > 6 || !dash[1]) {
        return false;
    }
    long n = 0;
    for (const char *p = dash + 1; *p; p++) {
        if (*p < '0' || *p > '9') {
            return false;
        }
        n = n * 10 + (*p - '0');
    }
    if (n > MAX_TASK_NUMBER) {
        return false;
    }
    *ret_name = xstrndup(text, (size_t)(dash - text));
    *ret_n = (int)n;
    return true;
}

/* A member as a shared map, NULL when it is not one. */
static struct shared_kvs *map_of(const cJSON *value, const char *name)
{
    const cJSON *members = cJSON_GetObjectItemCaseSensitive(value, name);
    struct shared_kvs *shared = shared_kvs_new();
    if (json_to_kvs_most(members, MAX_MEMBERS, &shared->kvs, NULL) != ERR_OK) {
        shared_kvs_unref(shared);
        return NULL;
    }
    return shared;
}

static bool fold_target(const struct folding *in)
{
    enum target_state target = TARGET_STARTED;
    if (in->value) {
        const char *name = json_string(in->value, "state.v2");
        name = name ? name : json_string(in->value, "state");
        if (!name || !target_state_parse(name, &target)) {
            return false;
        }
    }
    struct entry *entry = config_state_entry(in->state, in->rest, in->value != NULL);
    if (entry) {
        entry->has_target = in->value != NULL;
        entry->target = target;
        config_state_touched(in->state, entry);
    }
    return true;
}

static bool fold_connector(const struct folding *in)
{
    struct shared_kvs *config = in->value ? map_of(in->value, "properties") : NULL;
    if (in->value && !config) {
        return false;
    }
    struct entry *entry = config_state_entry(in->state, in->rest, config != NULL);
    if (!entry) {
        return true;
    }
    if (config) {
        shared_kvs_unref(entry->config);
        entry->config = config;
        entry->config_offset = in->offset;
    } else {
        entry_drop_config(entry);
    }
    config_state_touched(in->state, entry);
    return true;
}

static bool fold_task(const struct folding *in)
{
    CLEANUP(free_charp) char *name = NULL;
    int n = 0;
    if (!split_number(in->rest, &name, &n)) {
        return false;
    }
    struct shared_kvs *config = in->value ? map_of(in->value, "properties") : NULL;
    if (in->value && !config) {
        return false;
    }
    /* In the history a connector's record may stand behind those of its tasks. */
    bool history = !in->state->caught_up;
    struct entry *entry = config_state_entry(in->state, name, config != NULL && history);
    if (!entry || !(entry->config || history)) {
        shared_kvs_unref(config);
        return true;
    }
    struct numbered *place = config ? entry_number(entry, n) : entry_number_find(entry, n);
    if (place) {
        shared_kvs_unref(place->pending);
        place->pending = config;
    }
    if (!config) {
        entry_tidy(entry);
    }
    config_state_touched(in->state, entry);
    return true;
}

static bool fold_commit(const struct folding *in)
{
    if (!in->value) {
        return true;
    }
    long long n_tasks = json_int(in->value, "tasks", -1);
    if (n_tasks < 0 || n_tasks > MAX_TASK_NUMBER + 1) {
        return false;
    }
    struct entry *entry = config_state_entry(in->state, in->rest, false);
    if (!entry) {
        return true;
    }
    if (entry->config) {
        entry_commit(entry, (int)n_tasks, in->offset, json_int(in->value, "config-offset", -1),
                     json_int(in->value, "division", -1));
        shared_kvs_unref(entry->last_task);
        entry->last_task = n_tasks == 0 ? map_of(in->value, "last-task") : NULL;
    } else {
        /* Leftovers of a deleted connector must not come back with a new one of the same name
         * (KAFKA-16838). */
        entry_drop_config(entry);
    }
    config_state_touched(in->state, entry);
    return true;
}

static bool fold_restart_connector(const struct folding *in)
{
    struct entry *entry = config_state_entry(in->state, in->rest, false);
    if (!in->value || !in->state->caught_up || !entry || !entry->config) {
        return true;
    }
    entry->restart = (struct restart_request){
        .offset = in->offset,
        .include_tasks = json_bool(in->value, "include-tasks", false),
        .only_failed = json_bool(in->value, "only-failed", false),
    };
    if (entry->restart.include_tasks && entry->restart.only_failed) {
        entry->restart_failed_offset = in->offset;
    } else if (entry->restart.include_tasks) {
        entry->restart_all_offset = in->offset;
    }
    config_state_touched(in->state, entry);
    return true;
}

static bool fold_restart_task(const struct folding *in)
{
    CLEANUP(free_charp) char *name = NULL;
    int n = 0;
    if (!split_number(in->rest, &name, &n)) {
        return false;
    }
    struct entry *entry = config_state_entry(in->state, name, false);
    if (!in->value || !in->state->caught_up || !entry || !entry->config) {
        return true;
    }
    entry_number(entry, n)->restart_offset = in->offset;
    config_state_touched(in->state, entry);
    return true;
}

/* The times of moves under one member: a list with a number for each task, if it is there. */
static void read_moves(const cJSON *value, const char *name, int which, struct entry *entry)
{
    const cJSON *times = cJSON_GetObjectItemCaseSensitive(value, name);
    const cJSON *time = cJSON_IsArray(times) ? times->child : NULL;
    for (size_t i = 0; i < entry->n_seats && time; i++, time = time->next) {
        bool legal = cJSON_IsNumber(time) && time->valuedouble > 0 && time->valuedouble < 1e15;
        entry->seats[i].moved_ms[which] = legal ? (int64_t)time->valuedouble : 0;
    }
}

static bool fold_placement(const struct folding *in)
{
    const cJSON *slots = cJSON_GetObjectItemCaseSensitive(in->value, "slots");
    int n_slots = in->value ? cJSON_GetArraySize(slots) : 0;
    if (in->value && (!cJSON_IsArray(slots) || n_slots > MAX_TASK_NUMBER + 1)) {
        return false;
    }
    struct entry *entry = config_state_entry(in->state, in->rest, n_slots > 0);
    if (!entry) {
        return true;
    }
    free(TAKE(entry->seats));
    entry->n_seats = (size_t)n_slots;
    entry->seats = n_slots > 0 ? xcalloc((size_t)n_slots, sizeof(*entry->seats)) : NULL;
    struct seat *seat = entry->seats;
    const cJSON *whys = cJSON_GetObjectItemCaseSensitive(in->value, "why");
    const cJSON *why = cJSON_IsArray(whys) ? whys->child : NULL;
    for (const cJSON *slot = n_slots > 0 ? slots->child : NULL; slot; slot = slot->next, seat++) {
        bool legal = cJSON_IsNumber(slot) && slot->valuedouble >= 0 &&
                     slot->valuedouble <= MAX_SLOT_NUMBER && slot->valueint == slot->valuedouble;
        seat->slot = legal ? slot->valueint : -1;
        seat->why = MOVE_PLACED;
        if (why && cJSON_IsString(why)) {
            (void)move_reason_parse(why->valuestring, &seat->why);
        }
        why = why ? why->next : NULL;
    }
    read_moves(in->value, "moved", 0, entry);
    read_moves(in->value, "moved-before", 1, entry);
    config_state_touched(in->state, entry);
    return true;
}

static char *text_member(const cJSON *value, const char *key)
{
    const char *text = json_string(value, key);
    return text ? xstrdup(text) : NULL;
}

static bool fold_leader(const struct folding *in)
{
    if (in->value && !json_string(in->value, "worker_id")) {
        return false;
    }
    leader_record_fini(&in->state->leader);
    if (in->value) {
        in->state->leader = (struct leader_record){
            .worker_id = text_member(in->value, "worker_id"),
            .url = text_member(in->value, "url"),
            .instance = text_member(in->value, "instance"),
            .offset = in->offset,
        };
    }
    in->state->changed = true;
    return true;
}

static int retirement_compare(const struct retirement *retirement, const char *name, const char *id)
{
    int order = strcmp(retirement->name, name);
    return order ? order : strcmp(retirement->id, id);
}

/* Puts retirement (NULL: nothing) in the place of the one with this name and id. */
static void retirement_replace(struct config_state *state, const char *name, const char *id,
                               struct retirement *retirement)
{
    size_t i = 0;
    while (i < state->n_retirements && retirement_compare(state->retirements[i], name, id) < 0) {
        i++;
    }
    bool found =
        i < state->n_retirements && retirement_compare(state->retirements[i], name, id) == 0;
    struct retirement **place = &state->retirements[i];
    if (found) {
        retirement_unref(*place);
        state->n_retirements--;
        memmove(place, place + 1, (state->n_retirements - i) * sizeof(*place));
    }
    if (retirement) {
        state->retirements =
            xrealloc(state->retirements, (state->n_retirements + 1) * sizeof(struct retirement *));
        place = &state->retirements[i];
        memmove(place + 1, place, (state->n_retirements - i) * sizeof(*place));
        *place = retirement;
        state->n_retirements++;
    }
    state->changed = state->changed || found || retirement;
}

static bool read_retirement(const cJSON *value, struct retirement *retirement)
{
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(value, "config");
    const cJSON *tasks = cJSON_GetObjectItemCaseSensitive(value, "tasks");
    int n = cJSON_GetArraySize(tasks);
    if (json_to_kvs_most(config, MAX_MEMBERS, &retirement->config, NULL) != ERR_OK ||
        !cJSON_IsArray(tasks) || n > MAX_TASK_NUMBER + 1) {
        return false;
    }
    retirement->task_configs = xcalloc((size_t)n + 1, sizeof(struct kvs));
    for (const cJSON *task = tasks->child; task; task = task->next) {
        struct kvs *place = &retirement->task_configs[retirement->n_task_configs++];
        if (json_to_kvs_most(task, MAX_MEMBERS, place, NULL) != ERR_OK) {
            return false;
        }
    }
    retirement->requested_ms = json_int(value, "requested_ms", 0);
    return true;
}

static bool fold_retire(const struct folding *in)
{
    const char *dash = strrchr(in->rest, '-');
    if (!dash || dash == in->rest || !dash[1]) {
        return false;
    }
    CLEANUP(free_charp) char *name = xstrndup(in->rest, (size_t)(dash - in->rest));
    if (!in->value) {
        retirement_replace(in->state, name, dash + 1, NULL);
        return true;
    }
    struct retirement *retirement = xcalloc(1, sizeof(*retirement));
    ref_init(&retirement->ref);
    retirement->name = xstrdup(name);
    retirement->id = xstrdup(dash + 1);
    retirement->offset = in->offset;
    if (!read_retirement(in->value, retirement)) {
        retirement_unref(retirement);
        return false;
    }
    retirement_replace(in->state, name, dash + 1, retirement);
    return true;
}

/* NULL when the value is no status. */
static struct status *read_status(const struct folding *in)
{
    const char *name = json_string(in->value, "state");
    enum run_state run_state = STATE_UNASSIGNED;
    if (!name || !run_state_parse(name, &run_state)) {
        return NULL;
    }
    struct status *status = xcalloc(1, sizeof(*status));
    ref_init(&status->ref);
    status->state = run_state;
    status->worker_id = text_member(in->value, "worker_id");
    if (!status->worker_id) {
        status->worker_id = xstrdup("");
    }
    status->trace = text_member(in->value, "trace");
    status->version = text_member(in->value, "version");
    status->generation = json_int(in->value, "generation", 0);
    status->division = json_int(in->value, "division", -1);
    status->offset = in->offset;
    return status;
}

static bool fold_status_connector(const struct folding *in)
{
    struct status *status = in->value ? read_status(in) : NULL;
    if (in->value && !status) {
        return false;
    }
    struct entry *entry = config_state_entry(in->state, in->rest, status != NULL);
    if (entry) {
        status_unref(entry->status);
        entry->status = status;
        config_state_touched(in->state, entry);
    }
    return true;
}

static bool fold_status_task(const struct folding *in)
{
    CLEANUP(free_charp) char *name = NULL;
    int n = 0;
    if (!split_number(in->rest, &name, &n)) {
        return false;
    }
    struct status *status = in->value ? read_status(in) : NULL;
    if (in->value && !status) {
        return false;
    }
    struct entry *entry = config_state_entry(in->state, name, status != NULL);
    if (!entry) {
        return true;
    }
    struct numbered *place = status ? entry_number(entry, n) : entry_number_find(entry, n);
    if (place) {
        number_status(place, status, in->value ? json_string(in->value, "claim") : NULL);
        if (!status) {
            entry_tidy(entry);
        }
        config_state_touched(in->state, entry);
    }
    return true;
}

struct fold_rule {
    const char *prefix;
    bool whole;    /* the key is the prefix, nothing follows */
    fold_fn *fold; /* NULL: known, and not for us */
};

/* In the order in which Connect tries its prefixes; ours follow. */
static const struct fold_rule config_rules[] = {
    { "target-state-", false, fold_target },
    { "connector-", false, fold_connector },
    { "task-", false, fold_task },
    { "commit-", false, fold_commit },
    { "restart-connector-", false, fold_restart_connector },
    { "tasks-fencing-", false, NULL },
    { "session-key", true, NULL },
    { "logger-cluster-", false, fold_logger },
    { "restart-task-", false, fold_restart_task },
    { "placement-", false, fold_placement },
    { "retire-", false, fold_retire },
    { "leader", true, fold_leader },
    { "managed-", false, fold_managed },
};

static const struct fold_rule status_rules[] = {
    { "status-connector-", false, fold_status_connector },
    { "status-task-", false, fold_status_task },
    { "status-topic-", false, fold_status_topic },
    { "files-", false, fold_files },
    { "worker-", false, fold_worker },
};

static const struct fold_rule *find_rule(const struct fold_rule *rules, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(rules[i].prefix);
        if (strncmp(rules[i].prefix, key, length) == 0 && (key[length] == '\0') == rules[i].whole) {
            return &rules[i];
        }
    }
    return NULL;
}

static bool fold_by_rules(const struct fold_rule *rules, size_t n_rules, struct folding *in,
                          const char *key, const struct log_record *record)
{
    const struct fold_rule *rule = find_rule(rules, n_rules, key);
    if (!rule) {
        return false;
    }
    if (!rule->fold) {
        return true;
    }
    CLEANUP(json_delete) cJSON *own = NULL;
    const cJSON *value = record->parsed;
    if (record->value && !value) {
        if (json_parse(record->value, record->value_length, &own, NULL) != ERR_OK) {
            return false;
        }
        value = own;
    }
    /* JSON null is how a schemaless converter may write a tombstone. */
    if (value && !cJSON_IsObject(value) && !cJSON_IsNull(value)) {
        return false;
    }
    in->rest = key + strlen(rule->prefix);
    in->value = cJSON_IsObject(value) ? value : NULL;
    return rule->fold(in);
}

static bool fold_record(struct config_state *state, const char *key,
                        const struct log_record *record)
{
    struct folding in = { .state = state, .offset = record->offset };
    switch (record->topic) {
    case LOG_TOPIC_CONFIG:
        return fold_by_rules(config_rules, N_ELEMENTS(config_rules), &in, key, record);
    case LOG_TOPIC_STATUS:
        return fold_by_rules(status_rules, N_ELEMENTS(status_rules), &in, key, record);
    case LOG_TOPIC_OFFSET:
        return fold_offset(state, key, record);
    }
    return false;
}

void config_state_fold(struct config_state *state, const struct log_record *record)
{
    if (record->topic == LOG_TOPIC_CONFIG && record->offset >= state->config_position &&
        record->offset < INT64_MAX) {
        state->config_position = record->offset + 1;
        state->changed = true;
    }
    bool legal = record->key && record->key_length > 0 &&
                 !memchr(record->key, '\0', record->key_length) &&
                 utf8_valid(record->key, record->key_length);
    CLEANUP(free_charp) char *key = legal ? xstrndup(record->key, record->key_length) : NULL;
    if (!legal || !fold_record(state, key, record)) {
        state->n_ignored++;
        log_debug(NULL, "RECORD-IGNORED", "topic=%d offset=%lld key=\"%.100s\"", (int)record->topic,
                  (long long)record->offset, legal ? key : "");
    }
}
