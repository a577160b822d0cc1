/* SPDX-License-Identifier: Apache-2.0 */
/* Connectors with tasks.max=auto; of the core's own files only. Thread: the owner of the core. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core;
struct lead;
struct connector_state;

/* How many tasks tasks.max=auto stands for, and since when. */
struct core_auto {
    size_t n_tasks; /* 0: not known */
    uint64_t since_ms;
};

/* core_auto_wanted tells whether a connector asks for it. */
bool core_auto_wanted(const struct connector_state *connector);
/* core_auto_look takes note of the number of workers. */
void core_auto_look(struct core *core, uint64_t now_ms);
/* core_auto_tasks returns how many tasks a connector is to get when its set is made now. */
size_t core_auto_tasks(const struct core *core, const struct connector_state *connector,
                       uint64_t now_ms);
/* core_auto_due tells whether a set is to be made anew for another number of workers; else it
 * lowers *wake_ms if that has to be looked at again. */
bool core_auto_due(const struct core *core, const struct lead *lead,
                   const struct connector_state *connector, uint64_t now_ms, uint64_t *wake_ms);
