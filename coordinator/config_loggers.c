/* SPDX-License-Identifier: Apache-2.0 */
/* Levels of loggers in the config topic. See config_loggers.h. */
#include "coordinator/config_loggers.h"

#include "coordinator/config_state_impl.h"
#include "worker/base/json.h"
#include "worker/base/loggers.h"
#include "worker/base/mem.h"

const struct cluster_level *cluster_levels_find(const struct cluster_levels *levels,
                                                const char *name)
{
    for (size_t i = 0; levels && i < levels->n_items; i++) {
        if (strcmp(levels->items[i].name, name) == 0) {
            return &levels->items[i];
        }
    }
    return NULL;
}

struct cluster_levels *cluster_levels_ref(struct cluster_levels *levels)
{
    if (levels) {
        ref_take(&levels->ref);
    }
    return levels;
}

void cluster_levels_unref(struct cluster_levels *levels)
{
    if (!levels || !ref_drop(&levels->ref)) {
        return;
    }
    for (size_t i = 0; i < levels->n_items; i++) {
        free(levels->items[i].name);
    }
    free(levels->items);
    free(levels);
}

static struct cluster_levels *with(const struct cluster_levels *old,
                                   const struct cluster_level *level)
{
    struct cluster_levels *levels = xcalloc(1, sizeof(*levels));
    ref_init(&levels->ref);
    levels->items = xcalloc((old ? old->n_items : 0) + 1, sizeof(*levels->items));
    for (size_t i = 0; old && i < old->n_items; i++) {
        if (strcmp(old->items[i].name, level->name) != 0) {
            levels->items[levels->n_items] = old->items[i];
            levels->items[levels->n_items++].name = xstrdup(old->items[i].name);
        }
    }
    levels->items[levels->n_items] = *level;
    levels->items[levels->n_items++].name = xstrdup(level->name);
    return levels;
}

bool fold_logger(const struct folding *in)
{
    struct config_state *state = in->state;
    if (!in->value || !state->caught_up) {
        return true;
    }
    struct cluster_level level = { .name = xstrdup(in->rest), .offset = in->offset };
    CLEANUP(free_charp) char *name = level.name;
    const char *text = json_string(in->value, "level");
    bool known = cluster_levels_find(state->levels, name) != NULL;
    bool room = known || !state->levels || state->levels->n_items < LOGGERS_MAX_MORE + LOGGER_N;
    if (!text || !logger_level_parse(text, &level.threshold) || !room) {
        return false;
    }
    struct cluster_levels *old = state->levels;
    state->levels = with(old, &level);
    cluster_levels_unref(old);
    state->changed = true;
    return true;
}
