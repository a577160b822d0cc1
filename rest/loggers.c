/* SPDX-License-Identifier: Apache-2.0 */
/* /admin/loggers: levels of loggers, of this worker or of the whole cluster. */
#include "worker/base/loggers.h"

#include <strings.h>

#include "coordinator/direct.h"
#include "rest/body.h"
#include "rest/forward.h"
#include "rest/resources.h"
#include "worker/base/clock.h"

static cJSON *view(const struct logger_info *info)
{
    cJSON *level = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(level, "level", logger_level_name(info->threshold));
    if (info->modified_ms > 0) {
        (void)cJSON_AddNumberToObject(level, "last_modified", (double)info->modified_ms);
    } else {
        (void)cJSON_AddNullToObject(level, "last_modified");
    }
    return level;
}

static enum err list_loggers(struct call *call)
{
    struct logger_list list;
    loggers_all(&list);
    cJSON *views = cJSON_CreateObject();
    for (size_t i = 0; i < list.n_items; i++) {
        (void)cJSON_AddItemToObject(views, list.items[i].name, view(&list.items[i]));
    }
    logger_list_fini(&list);
    answer_json(call, 200, views);
    return ERR_OK;
}

static enum err get_logger(struct call *call)
{
    struct logger_info info;
    if (loggers_find(call->name, &info)) {
        answer_json(call, 200, view(&info));
    } else {
        answer_error(call, 404, "Logger %s not found.", call->name);
    }
    return ERR_OK;
}

static enum err refuse(struct call *call, int code, const char *text)
{
    answer_error(call, code, "%s", text);
    return ERR_INVALID;
}

/* The level of the body. */
static enum err read_level(struct call *call, int *ret_threshold)
{
    const char *level = kvs_get(&call->config, "level");
    if (!level) {
        return refuse(call, 400, "Desired 'level' parameter was not specified in request.");
    }
    if (level[0] == '\0') {
        return refuse(call, 400, "Illegal null or empty Level name.");
    }
    if (!logger_level_parse(level, ret_threshold)) {
        answer_error(call, 404, "invalid log level '%.100s'.", level);
        return ERR_INVALID;
    }
    return ERR_OK;
}

static enum err check_set(struct call *call)
{
    int threshold = 0;
    struct error error = { ERR_OK, "" };
    enum err err = body_config(call);
    err = err ? err : read_level(call, &threshold);
    if (err == ERR_OK && loggers_check(call->name, &error) != ERR_OK) {
        err = refuse(call, 400, error.text);
    }
    return err;
}

static enum err set_here(struct call *call, int threshold)
{
    struct logger_list changed;
    struct error error = { ERR_OK, "" };
    if (loggers_set(call->name, threshold, clock_wall_ms(), &changed, &error) != ERR_OK) {
        return refuse(call, 400, error.text);
    }
    cJSON *names = cJSON_CreateArray();
    for (size_t i = 0; i < changed.n_items; i++) {
        (void)cJSON_AddItemToArray(names, cJSON_CreateString(changed.items[i].name));
    }
    log_info(NULL, "LOGGER-LEVEL", "logger=\"%s\" level=%s scope=worker changed=%zu", call->name,
             logger_level_name(threshold), changed.n_items);
    logger_list_fini(&changed);
    answer_json(call, 200, names);
    return ERR_OK;
}

static enum err set_in_cluster(struct call *call, int threshold)
{
    if (!forward_take_place(call)) {
        return ERR_UNAVAILABLE;
    }
    enum err err = direct_set_logger(call->cluster, call->name, threshold, call->deadline_ms);
    forward_give_place(call);
    if (err == ERR_OK) {
        answer_empty(call, 204);
    } else {
        answer_direct_error(call, err);
    }
    return err;
}

static enum err set_logger(struct call *call)
{
    int threshold = 0;
    enum err err = read_level(call, &threshold);
    if (err != ERR_OK) {
        return err;
    }
    const char *scope = target_query(&call->target, "scope");
    if (scope && strcasecmp(scope, "cluster") == 0) {
        return set_in_cluster(call, threshold);
    }
    if (scope && strcasecmp(scope, "worker") != 0) {
        log_warn(NULL, "LOGGER-SCOPE-UNKNOWN", "scope=\"%.50s\" taken=worker", scope);
    }
    return set_here(call, threshold);
}

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/admin/loggers",
      .handler = list_loggers,
      .flags = ROUTE_EARLY | ROUTE_ADMIN | ROUTE_QUICK,
      .doc = "Every logger of this worker with its level.",
      .replies = { { 200, "{LoggerLevel}" } } },
    { .method = "GET",
      .pattern = "/admin/loggers/{logger}",
      .handler = get_logger,
      .flags = ROUTE_EARLY | ROUTE_ADMIN | ROUTE_QUICK,
      .doc = "Level of one logger of this worker.",
      .replies = { { 200, "LoggerLevel" } } },
    { .method = "PUT",
      .pattern = "/admin/loggers/{logger}",
      .check = check_set,
      .handler = set_logger,
      .flags = ROUTE_ADMIN,
      .doc = "Sets the level of a logger and its children until the worker ends; answers the names "
             "of those that have another level now.",
      .query = { { "scope", "worker|cluster", "This worker (default), or all that run." } },
      .request = "SetLoggerLevelRequest",
      .replies = { { 200, "[string]" }, { 204, NULL } } },
};

const struct route_table logger_routes = ROUTE_TABLE(rows);
