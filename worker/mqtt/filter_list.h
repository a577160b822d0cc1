/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of topic filters as sets. Pure. Thread: the list's owner's. */
#pragma once

#include <stdbool.h>

#include "worker/base/config_def.h"

/* filter_list_has tells whether filter is in list. */
bool filter_list_has(const struct config_list *list, const char *filter);
/* filter_list_add appends a copy of filter unless it is there. */
void filter_list_add(struct config_list *list, const char *filter);
/* filter_list_add_all adds all of `from`. */
void filter_list_add_all(struct config_list *list, const struct config_list *from);
/* filter_list_minus makes ret_list (owned; overwritten) of what is in `from` and not in `without`.
 */
void filter_list_minus(const struct config_list *from, const struct config_list *without,
                       struct config_list *ret_list);
/* filter_list_set makes `place` (initialised) a copy of list (NULL: empty); false if it was equal,
 * in the same order. */
bool filter_list_set(struct config_list *place, const struct config_list *list);
