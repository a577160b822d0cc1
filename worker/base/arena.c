/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that are filled from the front. See arena.h. */
#include "worker/base/arena.h"

#include <stdalign.h>
#include <stdint.h>

#include "worker/base/mem.h"

#define BLOCK_SIZE ((size_t)16 * 1024)

struct arena_block {
    struct arena_block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena)
{
    arena->blocks = NULL;
}

void arena_fini(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena->blocks = NULL;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *first = arena->blocks;
    if (!first) {
        return;
    }
    while (first->next) {
        struct arena_block *next = first->next;
        free(first);
        first = next;
    }
    if (first->size > BLOCK_SIZE) {
        free(first);
        first = NULL;
    } else {
        first->used = 0;
    }
    arena->blocks = first;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    ASSERT(size < SIZE_MAX / 2);
    size_t rounded =
        (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct arena_block *block = arena->blocks;
    if (!block || block->size - block->used < rounded) {
        size_t room = rounded > BLOCK_SIZE ? rounded : BLOCK_SIZE;
        block = xmalloc(sizeof(*block) + room);
        *block = (struct arena_block){ .next = arena->blocks, .size = room };
        arena->blocks = block;
    }
    void *place = block->data + block->used;
    block->used += rounded;
    memset(place, 0, rounded);
    return place;
}

void *arena_array(struct arena *arena, size_t n, size_t size)
{
    ASSERT(size == 0 || n < SIZE_MAX / 2 / size);
    return arena_alloc(arena, n * size);
}

void *arena_memdup(struct arena *arena, const void *bytes, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
    return copy;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    return arena_memdup(arena, text, length);
}
