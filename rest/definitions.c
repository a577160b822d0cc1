/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration keys as JSON. See definitions.h. */
#include "rest/definitions.h"

#include "rest/secrets.h"
#include "worker/base/config_result.h"
#include "worker/base/mem.h"

static cJSON *text_or_null(const char *text)
{
    return text ? cJSON_CreateString(text) : cJSON_CreateNull();
}

cJSON *definition_view(const struct config_def *def, const char *fallback)
{
    const char *value = def->required || def->default_value ? def->default_value : fallback;
    if (def->required) {
        value = NULL;
    } else if (value && def->type == CONFIG_PASSWORD) {
        value = SECRET_MASK;
    }
    cJSON *view = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(view, "name", def->name);
    (void)cJSON_AddStringToObject(view, "type", config_type_name(def->type));
    (void)cJSON_AddBoolToObject(view, "required", def->required);
    (void)cJSON_AddItemToObject(view, "default_value", text_or_null(value));
    (void)cJSON_AddStringToObject(view, "importance", config_importance_name(def->importance));
    (void)cJSON_AddStringToObject(view, "documentation", def->doc ? def->doc : "");
    (void)cJSON_AddItemToObject(view, "group", text_or_null(def->group));
    (void)cJSON_AddStringToObject(view, "width", config_width_name(def->width));
    (void)cJSON_AddStringToObject(view, "display_name",
                                  def->display_name ? def->display_name : def->name);
    (void)cJSON_AddItemToObject(view, "dependents", cJSON_CreateArray());
    (void)cJSON_AddNumberToObject(view, "order", def->order);
    return view;
}

static cJSON *value_view(const struct config_value *value, const struct kvs *config)
{
    bool secret =
        (value->def && value->def->type == CONFIG_PASSWORD) || secret_key(config, value->name);
    CLEANUP(free_charp) char *shown = value->value ? secrets_mask_uris(value->value) : NULL;
    cJSON *view = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(view, "name", value->name);
    (void)cJSON_AddItemToObject(view, "value", text_or_null(shown && secret ? SECRET_MASK : shown));
    cJSON *recommended = cJSON_AddArrayToObject(view, "recommended_values");
    for (size_t i = 0; i < value->n_recommended; i++) {
        (void)cJSON_AddItemToArray(recommended, cJSON_CreateString(value->recommended[i]));
    }
    cJSON *errors = cJSON_AddArrayToObject(view, "errors");
    for (size_t i = 0; i < value->n_errors; i++) {
        CLEANUP(free_charp) char *text = secrets_redact(value->errors[i], config);
        (void)cJSON_AddItemToArray(errors, cJSON_CreateString(text));
    }
    (void)cJSON_AddBoolToObject(view, "visible", !value->hidden);
    return view;
}

static bool has_text(const cJSON *list, const char *text)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, list)
    {
        if (strcmp(item->valuestring, text) == 0) {
            return true;
        }
    }
    return false;
}

/* Groups in the order in which the keys bring them. */
static void add_group(cJSON *groups, const struct config_value *value)
{
    const char *group = value->def ? value->def->group : NULL;
    if (group && !has_text(groups, group)) {
        (void)cJSON_AddItemToArray(groups, cJSON_CreateString(group));
    }
}

cJSON *definitions_view(const char *class_name, const struct kvs *config,
                        const struct config_result *result)
{
    cJSON *view = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(view, "name", class_name);
    (void)cJSON_AddNumberToObject(view, "error_count", (double)config_result_errors(result));
    cJSON *groups = cJSON_AddArrayToObject(view, "groups");
    cJSON *configs = cJSON_AddArrayToObject(view, "configs");
    for (size_t i = 0; i < result->n_values; i++) {
        const struct config_value *value = &result->values[i];
        cJSON *entry = cJSON_CreateObject();
        (void)cJSON_AddItemToObject(entry, "definition",
                                    value->def ? definition_view(value->def, NULL)
                                               : cJSON_CreateNull());
        (void)cJSON_AddItemToObject(entry, "value", value_view(value, config));
        (void)cJSON_AddItemToArray(configs, entry);
        add_group(groups, value);
    }
    return view;
}
