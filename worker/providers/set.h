/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the room: the set of configured providers, shared by its maker and by resolving. */
#pragma once

#include "worker/providers/provider.h"
#include "worker/providers/providers.h"

struct providers {
    struct provider *items;
    size_t n_items;
};

/* providers_find returns the provider of a name, NULL if there is none (or no set). */
const struct provider *providers_find(const struct providers *providers, const char *name,
                                      size_t length);
