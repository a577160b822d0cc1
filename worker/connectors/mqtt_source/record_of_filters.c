/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded subscriptions. See record_of_filters.h. */
#include "worker/connectors/mqtt_source/record_of_filters.h"

#include "worker/base/json.h"
#include "worker/base/mem.h"
#include "worker/mqtt/filter.h"
#include "worker/mqtt/filter_list.h"

static char *partition_of(const char *client_id)
{
    CLEANUP(json_delete) cJSON *partition = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(partition, "session", client_id);
    return json_print(partition);
}

static void read_list(const cJSON *offset, const char *name, struct config_list *filters)
{
    const cJSON *filter = NULL;
    cJSON_ArrayForEach(filter, cJSON_GetObjectItemCaseSensitive(offset, name))
    {
        if (cJSON_IsString(filter)) {
            filter_list_add(filters, filter->valuestring);
        }
    }
}

/* Owned; NULL: there is none. */
static char *read_text(const cJSON *offset, const char *name)
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(offset, name);
    return cJSON_IsString(text) ? xstrdup(text->valuestring) : NULL;
}

void filters_load(struct task_control *control, const char *client_id,
                  struct config_list *ret_filters, struct config_list *ret_leaving,
                  char **ret_broker, char **ret_begun)
{
    *ret_broker = *ret_begun = NULL;
    *ret_filters = (struct config_list){ NULL, 0 };
    *ret_leaving = (struct config_list){ NULL, 0 };
    CLEANUP(free_charp) char *partition = partition_of(client_id);
    CLEANUP(free_charp) char *text = task_offset_get(control, partition);
    CLEANUP(json_delete) cJSON *offset = NULL;
    if (!text || json_parse(text, strlen(text), &offset, NULL) != ERR_OK) {
        return;
    }
    read_list(offset, "filters", ret_filters);
    read_list(offset, "leaving", ret_leaving);
    *ret_broker = read_text(offset, "broker");
    *ret_begun = read_text(offset, "begun");
    filter_list_add_all(ret_filters, ret_leaving);
}

/* Whether a session is recorded to hold this filter and to keep it. */
static bool holds(struct task_control *control, const char *client_id, const char *filter)
{
    struct config_list filters;
    struct config_list leaving;
    CLEANUP(free_charp) char *broker = NULL;
    CLEANUP(free_charp) char *begun = NULL;
    filters_load(control, client_id, &filters, &leaving, &broker, &begun);
    bool held = filter_list_has(&filters, filter) && !filter_list_has(&leaving, filter);
    config_list_fini(&filters);
    config_list_fini(&leaving);
    return held;
}

/* The index of a filter of the settings, whether it is given as shared or not; n_items: none. */
static size_t find_filter(const struct source_settings *settings, const char *filter)
{
    size_t i = 0;
    while (i < settings->filters.n_items && strcmp(filter, settings->filters.items[i]) != 0 &&
           strcmp(filter, settings->shared.items[i]) != 0) {
        i++;
    }
    return i;
}

bool filters_may_go(struct task_control *control, const struct source_settings *settings, int k,
                    const struct config_list *recorded, const char *filter)
{
    size_t i = find_filter(settings, filter);
    if (i == settings->filters.n_items) {
        return true;
    }
    bool plain = strcmp(filter, settings->filters.items[i]) == 0;
    const char *other = plain ? settings->shared.items[i] : settings->filters.items[i];
    int heir = (int)(i % (size_t)settings->total);
    if (heir == k || filter_list_has(recorded, other)) {
        return true;
    }
    CLEANUP(free_charp) char *client_id = source_settings_client_id(settings, heir);
    return holds(control, client_id, settings->filters.items[i]);
}

bool filters_may_retire(struct task_control *control, const struct source_settings *settings,
                        const char *filter)
{
    size_t i = find_filter(settings, filter);
    bool may = i == settings->filters.n_items;
    for (int k = 0; k < settings->total && !may; k++) {
        CLEANUP(free_charp) char *client_id = source_settings_client_id(settings, k);
        may = holds(control, client_id, settings->shared.items[i]) ||
              holds(control, client_id, settings->filters.items[i]);
    }
    return may;
}

bool filters_known(struct task_control *control, const char *client_id)
{
    CLEANUP(free_charp) char *partition = partition_of(client_id);
    CLEANUP(free_charp) char *text = task_offset_get(control, partition);
    return text != NULL;
}

void filters_forget(struct task_control *control, const char *client_id)
{
    CLEANUP(free_charp) char *partition = partition_of(client_id);
    task_offset_put(control, partition, NULL);
}

static void add_list(cJSON *offset, const char *name, const struct config_list *filters)
{
    cJSON *list = cJSON_AddArrayToObject(offset, name);
    for (size_t i = 0; i < filters->n_items; i++) {
        (void)cJSON_AddItemToArray(list, cJSON_CreateString(filters->items[i]));
    }
}

void filters_store(struct task_control *control, const char *client_id,
                   const struct config_list *filters, const struct config_list *leaving,
                   const char *broker, const char *begun)
{
    CLEANUP(json_delete) cJSON *offset = cJSON_CreateObject();
    struct config_list staying;
    filter_list_minus(filters, leaving, &staying);
    add_list(offset, "filters", &staying);
    config_list_fini(&staying);
    if (leaving->n_items > 0) {
        add_list(offset, "leaving", leaving);
    }
    if (broker) {
        (void)cJSON_AddStringToObject(offset, "broker", broker);
    }
    if (begun) {
        (void)cJSON_AddStringToObject(offset, "begun", begun);
    }
    CLEANUP(free_charp) char *text = json_print(offset);
    CLEANUP(free_charp) char *partition = partition_of(client_id);
    task_offset_put(control, partition, text);
}

/* The only member of object, if it has this name. */
static const cJSON *only_member(const cJSON *object, const char *name)
{
    return cJSON_GetArraySize(object) == 1 ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

static enum err check_filters(const cJSON *filters, const char *name, struct error *reterr)
{
    enum err err = ERR_OK;
    for (const cJSON *filter = filters->child; filter && err == ERR_OK; filter = filter->next) {
        err = cJSON_IsString(filter)
                  ? mqtt_filter_check(filter->valuestring, reterr)
                  : error_set(reterr, ERR_INVALID, "Each entry of '%s' must be a string", name);
    }
    return err;
}

enum err filters_check_offset(const cJSON *partition, const cJSON *offset, struct error *reterr)
{
    const cJSON *session = only_member(partition, "session");
    if (!cJSON_IsString(session) || session->valuestring[0] == '\0') {
        return error_set(reterr, ERR_INVALID,
                         "The partition of an MQTT source must be {\"session\": \"<client id>\"}");
    }
    if (!offset) {
        return ERR_OK;
    }
    const cJSON *filters = cJSON_GetObjectItemCaseSensitive(offset, "filters");
    const cJSON *leaving = cJSON_GetObjectItemCaseSensitive(offset, "leaving");
    const cJSON *broker = cJSON_GetObjectItemCaseSensitive(offset, "broker");
    const cJSON *begun = cJSON_GetObjectItemCaseSensitive(offset, "begun");
    bool whole =
        cJSON_GetArraySize(offset) == 1 + (leaving != NULL) + (broker != NULL) + (begun != NULL);
    if (!whole || !cJSON_IsArray(filters) || (leaving && !cJSON_IsArray(leaving)) ||
        (broker && !cJSON_IsString(broker)) || (begun && !cJSON_IsString(begun))) {
        return error_set(
            reterr, ERR_INVALID,
            "The offset of an MQTT source must be null or {\"filters\": [..]}, a list "
            "of topic filters that the session is subscribed to, with \"leaving\": "
            "[..] if some are just being given up, \"broker\": the addresses that it was at, and "
            "\"begun\": those where it has begun anew");
    }
    enum err err = check_filters(filters, "filters", reterr);
    return err || !leaving ? err : check_filters(leaving, "leaving", reterr);
}
