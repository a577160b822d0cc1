/* SPDX-License-Identifier: Apache-2.0 */
/* Who of a connector's tasks has to wait for whom when its work is divided anew; inside of the core
 * only. Thread: the owner of the core. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connector_state;
struct core;
struct own_task;

/* Tasks of one connector that may still hold what another one is to have now. */
struct holders {
    const struct connector_state *of; /* as long as this is the newest; NULL: not counted */
    size_t n_here;
    size_t n_elsewhere;
};

/* core_barrier tells whether a task of own->now has to wait because others may still hold what it
 * is to take; it lowers *wake_ms when that has to be looked at again. core_held
 * returns the oldest division of which a task may hold something. */
bool core_barrier(struct core *core, struct own_task *own, uint64_t now_ms, uint64_t *wake_ms);
int64_t core_held(const struct own_task *own);
