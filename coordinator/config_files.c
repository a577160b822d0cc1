/* SPDX-License-Identifier: Apache-2.0 */
/* Records about connectors that come from files. See config_files.h. */
#include "coordinator/config_files.h"

#include "coordinator/config_state_impl.h"
#include "coordinator/records.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"

/* Far more workers than any cluster has. */
#define MAX_NOTICES 4096

const struct files_notice *files_notices_find(const struct files_notices *notices,
                                              const char *worker_id)
{
    for (size_t i = 0; notices && i < notices->n_items; i++) {
        if (strcmp(notices->items[i].worker_id, worker_id) == 0) {
            return &notices->items[i];
        }
    }
    return NULL;
}

struct files_notices *files_notices_ref(struct files_notices *notices)
{
    if (notices) {
        ref_take(&notices->ref);
    }
    return notices;
}

void files_notices_unref(struct files_notices *notices)
{
    if (!notices || !ref_drop(&notices->ref)) {
        return;
    }
    for (size_t i = 0; i < notices->n_items; i++) {
        free(notices->items[i].worker_id);
        free(notices->items[i].instance);
        free(notices->items[i].digest);
    }
    free(notices->items);
    free(notices);
}

static void add_notice(struct files_notices *notices, const struct files_notice *notice)
{
    notices->items[notices->n_items++] = (struct files_notice){
        .worker_id = xstrdup(notice->worker_id),
        .instance = xstrdup(notice->instance),
        .digest = xstrdup(notice->digest),
    };
}

/* The notices with that of worker_id replaced by notice (NULL: without it). */
static struct files_notices *replaced(const struct files_notices *old, const char *worker_id,
                                      const struct files_notice *notice)
{
    struct files_notices *notices = xcalloc(1, sizeof(*notices));
    size_t n_old = old ? old->n_items : 0;
    ref_init(&notices->ref);
    notices->items = xcalloc(n_old + 1, sizeof(*notices->items));
    for (size_t i = 0; i < n_old; i++) {
        if (strcmp(old->items[i].worker_id, worker_id) != 0) {
            add_notice(notices, &old->items[i]);
        }
    }
    if (notice) {
        add_notice(notices, notice);
    }
    return notices;
}

bool fold_files(const struct folding *in)
{
    struct config_state *state = in->state;
    const struct files_notices *old = state->notices;
    bool known = files_notices_find(old, in->rest) != NULL;
    const char *instance = json_string(in->value, "instance");
    const char *digest = json_string(in->value, "digest");
    if (in->value && (!instance || !digest || (!known && old && old->n_items >= MAX_NOTICES))) {
        return false;
    }
    if (!in->value && !known) {
        return true;
    }
    struct files_notice notice = {
        .worker_id = (char *)(uintptr_t)in->rest, /* copied */
        .instance = (char *)(uintptr_t)instance,
        .digest = (char *)(uintptr_t)digest,
    };
    struct files_notices *made = replaced(old, in->rest, in->value ? &notice : NULL);
    files_notices_unref(state->notices);
    state->notices = made;
    state->changed = true;
    return true;
}

bool fold_managed(const struct folding *in)
{
    struct shared_kvs *mark = NULL;
    if (in->value) {
        const char *file = json_string(in->value, "file");
        if (!file) {
            return false;
        }
        mark = shared_kvs_new();
        kvs_set(&mark->kvs, "file", file);
    }
    struct entry *entry = config_state_entry(in->state, in->rest, mark != NULL);
    if (entry) {
        shared_kvs_unref(entry->managed);
        entry->managed = mark;
        config_state_touched(in->state, entry);
    }
    return true;
}

const char *managed_file(const struct shared_kvs *mark)
{
    return kvs_get(&mark->kvs, "file");
}

static char *print_pairs(const struct kvs *pairs)
{
    CLEANUP(json_delete) cJSON *object = json_from_kvs(pairs);
    return json_print(object);
}

void record_managed(struct out_records *out, const char *connector, const char *file)
{
    struct kvs pairs;
    kvs_init(&pairs);
    kvs_set(&pairs, "managed-by", "file");
    kvs_set(&pairs, "file", file);
    record_own(out, LOG_TOPIC_CONFIG, xasprintf("managed-%s", connector),
               file ? print_pairs(&pairs) : NULL);
    kvs_fini(&pairs);
}

void record_files(struct out_records *out, const struct files_notice *notice)
{
    struct kvs pairs;
    kvs_init(&pairs);
    kvs_set(&pairs, "instance", notice->instance);
    kvs_set(&pairs, "digest", notice->digest);
    record_own(out, LOG_TOPIC_STATUS, xasprintf("files-%s", notice->worker_id),
               notice->digest ? print_pairs(&pairs) : NULL);
    kvs_fini(&pairs);
}
