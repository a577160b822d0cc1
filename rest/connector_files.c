/* SPDX-License-Identifier: Apache-2.0 */
/* GET /connector-files: connectors that come from files. */
#include "coordinator/file_plan.h"
#include "rest/resources.h"

static const char *const verdicts[] = {
    [FILE_APPLIED] = "applied",
    [FILE_PENDING] = "pending",
    [FILE_INVALID] = "invalid",
    [FILE_CONFLICT] = "conflict",
};

static cJSON *view_file(const struct connector_file *file, enum file_verdict verdict)
{
    cJSON *entry = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(entry, "file", file->file);
    (void)cJSON_AddStringToObject(entry, "connector", file->connector);
    (void)cJSON_AddStringToObject(entry, "state", verdicts[verdict]);
    if (verdict == FILE_CONFLICT) {
        (void)cJSON_AddStringToObject(entry, "message",
                                      "A connector of this name is there that no file has made: "
                                      "set \"adopt\": true beside \"config\" to take it over, or "
                                      "delete one of them");
    } else if (file->error) {
        (void)cJSON_AddStringToObject(entry, "message", file->error);
    }
    return entry;
}

/* What is to be said of the whole. */
static const char *state_of(const struct cluster_files *files, size_t n_open, struct buf *message)
{
    if (!files->enabled) {
        buf_add_text(message, "connectors.dir is not set on this worker.");
        return "off";
    }
    if (!files->set || files->set->error) {
        buf_printf(message, "The folder cannot be read: %s. Its connectors stay as they are.",
                   files->set ? files->set->error : "not yet");
        return "unreadable";
    }
    if (!files->agreed) {
        buf_printf(message, "Nothing is done until all workers have the same files: %s%s.",
                   files->other[0] ? files->other : "it is not known yet who is in the group",
                   files->other[0] ? " has other ones" : "");
        return "waiting";
    }
    buf_add_text(message, n_open > 0 ? "Some connectors are not yet as their files say."
                                     : "All connectors are as their files say.");
    return n_open > 0 ? "pending" : "applied";
}

/* Adds the files and the connectors whose file is gone; returns how many are not done with. */
static size_t add_files(struct call *call, const struct file_set *set, cJSON *body)
{
    struct file_plan_options options = { .may_delete = true };
    struct file_plan plan;
    size_t n_open = 0;
    file_plan_make(call->snapshot, set, &options, &plan);
    cJSON *list = cJSON_AddArrayToObject(body, "files");
    for (size_t i = 0; i < set->n_items; i++) {
        n_open += plan.verdicts[i] != FILE_APPLIED ? 1 : 0;
        (void)cJSON_AddItemToArray(list, view_file(&set->items[i], plan.verdicts[i]));
    }
    cJSON *leaving = cJSON_AddArrayToObject(body, "leaving");
    for (size_t i = 0; i < plan.n_actions; i++) {
        if (plan.actions[i].kind == FILE_RELEASE) {
            n_open++;
            (void)cJSON_AddItemToArray(leaving, cJSON_CreateString(plan.actions[i].connector));
        }
    }
    file_plan_fini(&plan);
    return n_open;
}

static enum err get_files(struct call *call)
{
    struct cluster_files files;
    struct buf message;
    buf_init(&message);
    cluster_files(call->cluster, &files);
    cJSON *body = cJSON_CreateObject();
    size_t n_open = 0;
    if (files.set) {
        (void)cJSON_AddStringToObject(body, "folder", files.folder);
        (void)cJSON_AddStringToObject(body, "digest", files.set->digest);
        n_open = add_files(call, files.set, body);
    }
    (void)cJSON_AddStringToObject(body, "state", state_of(&files, n_open, &message));
    (void)cJSON_AddStringToObject(body, "message", buf_text(&message));
    file_set_unref(files.set);
    answer_json(call, 200, body);
    buf_fini(&message);
    return ERR_OK;
}

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/connector-files",
      .handler = get_files,
      .flags = ROUTE_QUICK,
      .doc = "Connectors that come from the files of connectors.dir.",
      .replies = { { 200, "ConnectorFiles" } } },
};

const struct route_table file_routes = ROUTE_TABLE(rows);
