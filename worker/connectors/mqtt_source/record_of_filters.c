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

void filters_load(struct task_control *control, const char *client_id,
                  struct config_list *ret_filters)
{
    *ret_filters = (struct config_list){ NULL, 0 };
    CLEANUP(free_charp) char *partition = partition_of(client_id);
    CLEANUP(free_charp) char *text = task_offset_get(control, partition);
    CLEANUP(json_delete) cJSON *offset = NULL;
    if (!text || json_parse(text, strlen(text), &offset, NULL) != ERR_OK) {
        return;
    }
    const cJSON *filters = cJSON_GetObjectItemCaseSensitive(offset, "filters");
    const cJSON *filter = NULL;
    cJSON_ArrayForEach(filter, filters)
    {
        if (cJSON_IsString(filter)) {
            filter_list_add(ret_filters, filter->valuestring);
        }
    }
}

void filters_store(struct task_control *control, const char *client_id,
                   const struct config_list *filters)
{
    CLEANUP(json_delete) cJSON *offset = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(offset, "filters");
    for (size_t i = 0; i < filters->n_items; i++) {
        (void)cJSON_AddItemToArray(list, cJSON_CreateString(filters->items[i]));
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
    const cJSON *filters = only_member(offset, "filters");
    if (!cJSON_IsArray(filters)) {
        return error_set(reterr, ERR_INVALID,
                         "The offset of an MQTT source must be null or {\"filters\": [..]}, a list "
                         "of topic filters that the session is subscribed to");
    }
    enum err err = ERR_OK;
    for (const cJSON *filter = filters->child; filter && err == ERR_OK; filter = filter->next) {
        err = cJSON_IsString(filter)
                  ? mqtt_filter_check(filter->valuestring, reterr)
                  : error_set(reterr, ERR_INVALID, "Each entry of 'filters' must be a string");
    }
    return err;
}
