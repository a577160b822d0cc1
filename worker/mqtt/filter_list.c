/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of topic filters. See filter_list.h. */
#include "worker/mqtt/filter_list.h"

#include <string.h>

#include "worker/base/mem.h"

bool filter_list_has(const struct config_list *list, const char *filter)
{
    for (size_t i = 0; i < list->n_items; i++) {
        if (strcmp(list->items[i], filter) == 0) {
            return true;
        }
    }
    return false;
}

static void append(struct config_list *list, const char *filter)
{
    list->items = xrealloc(list->items, (list->n_items + 1) * sizeof(*list->items));
    list->items[list->n_items++] = xstrdup(filter);
}

void filter_list_add(struct config_list *list, const char *filter)
{
    if (!filter_list_has(list, filter)) {
        append(list, filter);
    }
}

void filter_list_add_all(struct config_list *list, const struct config_list *from)
{
    for (size_t i = 0; i < from->n_items; i++) {
        filter_list_add(list, from->items[i]);
    }
}

void filter_list_minus(const struct config_list *from, const struct config_list *without,
                       struct config_list *ret_list)
{
    *ret_list = (struct config_list){ NULL, 0 };
    for (size_t i = 0; i < from->n_items; i++) {
        if (!filter_list_has(without, from->items[i])) {
            filter_list_add(ret_list, from->items[i]);
        }
    }
}

static bool same(const struct config_list *a, const struct config_list *b)
{
    if (a->n_items != b->n_items) {
        return false;
    }
    for (size_t i = 0; i < a->n_items; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0) {
            return false;
        }
    }
    return true;
}

bool filter_list_set(struct config_list *place, const struct config_list *list)
{
    static const struct config_list none = { NULL, 0 };
    const struct config_list *from = list ? list : &none;
    if (same(place, from)) {
        return false;
    }
    struct config_list copy = { NULL, 0 };
    for (size_t i = 0; i < from->n_items; i++) {
        append(&copy, from->items[i]);
    }
    config_list_fini(place);
    *place = copy;
    return true;
}
