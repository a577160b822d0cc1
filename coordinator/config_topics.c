/* SPDX-License-Identifier: Apache-2.0 */
/* Topics that connectors use. See config_topics.h. */
#include "coordinator/config_topics.h"

#include "coordinator/config_state_impl.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"

#define SEPARATOR ":connector-"

static void topic_use_unref(struct topic_use *use)
{
    if (ref_drop(&use->ref)) {
        free(use->name);
        free(use);
    }
}

struct topic_list *topic_list_ref(struct topic_list *list)
{
    if (list) {
        ref_take(&list->ref);
    }
    return list;
}

void topic_list_unref(struct topic_list *list)
{
    if (!list || !ref_drop(&list->ref)) {
        return;
    }
    for (size_t i = 0; i < list->n_items; i++) {
        topic_use_unref(list->items[i]);
    }
    free(list->items);
    free(list);
}

static size_t place_of(const struct topic_list *list, const char *name)
{
    size_t low = 0;
    size_t high = list->n_items;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(list->items[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct topic_use *topic_list_find(const struct topic_list *list, const char *name)
{
    size_t i = list ? place_of(list, name) : 0;
    return list && i < list->n_items && strcmp(list->items[i]->name, name) == 0 ? list->items[i]
                                                                                : NULL;
}

/* A list that nobody else has a reference to, with what `list` has (taken over; NULL: nothing) and
 * room for one more. */
static struct topic_list *writable(struct topic_list *list)
{
    if (list && atomic_load(&list->ref.count) == 1) {
        list->items = xrealloc(list->items, (list->n_items + 1) * sizeof(*list->items));
        return list;
    }
    struct topic_list *copy = xcalloc(1, sizeof(*copy));
    ref_init(&copy->ref);
    copy->n_items = list ? list->n_items : 0;
    copy->items = xcalloc(copy->n_items + 1, sizeof(*copy->items));
    for (size_t i = 0; i < copy->n_items; i++) {
        ref_take(&list->items[i]->ref);
        copy->items[i] = list->items[i];
    }
    topic_list_unref(list);
    return copy;
}

/* Puts use (NULL: nothing) in the place of the topic of this name; true if one was there. */
static bool replace(struct entry *entry, const char *name, struct topic_use *use)
{
    struct topic_list *list = entry->topics = writable(entry->topics);
    size_t i = place_of(list, name);
    struct topic_use **place = &list->items[i];
    bool found = i < list->n_items && strcmp((*place)->name, name) == 0;
    if (found) {
        topic_use_unref(*place);
    }
    if (found && !use) {
        list->n_items--;
        memmove(place, place + 1, (list->n_items - i) * sizeof(struct topic_use *));
    } else if (!found && use) {
        memmove(place + 1, place, (list->n_items - i) * sizeof(struct topic_use *));
        list->n_items++;
    }
    if (use) {
        *place = use;
    } else if (list->n_items == 0) {
        topic_list_unref(TAKE(entry->topics));
    }
    return found;
}

/* NULL when the value does not speak of this topic. */
static struct topic_use *read_use(const struct folding *in, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(in->value, "topic");
    const char *named = json_string(value, "name");
    long long task = json_int(value, "task", 0);
    if (!named || strcmp(named, name) != 0) {
        return NULL;
    }
    struct topic_use *use = xcalloc(1, sizeof(*use));
    ref_init(&use->ref);
    use->name = xstrdup(name);
    use->task = task >= 0 && task <= MAX_TASK_NUMBER ? (int)task : 0;
    use->discovered_ms = json_int(value, "discoverTimestamp", 0);
    use->offset = in->offset;
    return use;
}

/* A topic's name has no ':', so the first separator divides the key. */
bool fold_status_topic(const struct folding *in)
{
    const char *separator = strstr(in->rest, SEPARATOR);
    const char *connector = separator ? separator + strlen(SEPARATOR) : "";
    if (!separator || separator == in->rest || connector[0] == '\0') {
        return false;
    }
    CLEANUP(free_charp) char *name = xstrndup(in->rest, (size_t)(separator - in->rest));
    struct topic_use *use = in->value ? read_use(in, name) : NULL;
    if (in->value && !use) {
        return false;
    }
    struct entry *entry = config_state_entry(in->state, connector, use != NULL);
    if (!entry || (!use && !topic_list_find(entry->topics, name))) {
        return true;
    }
    if (replace(entry, name, use) && !use) {
        in->state->n_topic_removals++;
    }
    config_state_touched(in->state, entry);
    return true;
}

bool config_state_uses(struct config_state *state, const char *connector, const char *topic)
{
    const struct entry *entry = config_state_entry(state, connector, false);
    return entry && topic_list_find(entry->topics, topic);
}

unsigned long config_state_topic_removals(const struct config_state *state)
{
    return state->n_topic_removals;
}
