/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is given back all at once: what transforms and converters make of one record lives
 * in the arena of that record. Nothing is allocated until the first use. Thread: the owner's.
 */
#pragma once

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* the newest first */
};

/* arena_init makes an empty arena; arena_fini releases everything. */
void arena_init(struct arena *arena);
void arena_fini(struct arena *arena);
/* arena_reset takes back all that was handed out and keeps one block for the next record. */
void arena_reset(struct arena *arena);
/* arena_alloc returns size zeroed bytes for any type; aborts when memory is out, so sizes from
 * outside are bounded by the caller first. arena_array does the same for n elements of size. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_array(struct arena *arena, size_t n, size_t size);
/* arena_memdup and arena_strndup copy; a NUL follows the copy. */
void *arena_memdup(struct arena *arena, const void *bytes, size_t length);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
