/* SPDX-License-Identifier: Apache-2.0 */
/* Intrusive doubly linked list. Thread: the owner's; the list itself takes no lock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

/* list_init makes an empty list, or an unlinked node. */
static inline void list_init(struct list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

/* list_push_back links node as the last of list. */
static inline void list_push_back(struct list *list, struct list *node)
{
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

/* list_remove unlinks node; it may be removed again. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* list_pop_front unlinks and returns the first node, NULL if empty. */
static inline struct list *list_pop_front(struct list *list)
{
    if (list_empty(list)) {
        return NULL;
    }
    struct list *node = list->next;
    list_remove(node);
    return node;
}

/* Walks the nodes of `head`; safe against removal of the current one. */
#define LIST_FOREACH(head, item)                                                                   \
    for (struct list *item = (head)->next, *item##_next = item->next; item != (head);              \
         item = item##_next, item##_next = item->next)
