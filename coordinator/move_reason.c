/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the reasons of moves. See move_reason.h. */
#include "coordinator/move_reason.h"

#include <stddef.h>
#include <string.h>

#include "worker/base/macros.h"

static const char *const move_reason_names[] = {
#define X(name, text) [MOVE_##name] = text,
    MOVE_REASONS(X)
#undef X
};

const char *move_reason_name(enum move_reason reason)
{
    return move_reason_names[reason];
}

bool move_reason_parse(const char *name, enum move_reason *ret_reason)
{
    for (size_t i = 0; i < N_ELEMENTS(move_reason_names); i++) {
        if (strcmp(move_reason_names[i], name) == 0) {
            *ret_reason = (enum move_reason)i;
            return true;
        }
    }
    return false;
}
