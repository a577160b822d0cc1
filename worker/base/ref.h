/* SPDX-License-Identifier: Apache-2.0 */
/* Reference count for objects that two or more threads see. Thread: any. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

struct ref {
    atomic_uint count;
};

/* ref_init starts with one reference. */
static inline void ref_init(struct ref *ref)
{
    atomic_init(&ref->count, 1);
}

static inline void ref_take(struct ref *ref)
{
    (void)atomic_fetch_add_explicit(&ref->count, 1, memory_order_relaxed);
}

/* ref_drop returns true when the last reference is gone: the caller frees the object. */
static inline bool ref_drop(struct ref *ref)
{
    return atomic_fetch_sub_explicit(&ref->count, 1, memory_order_acq_rel) == 1;
}
