/* SPDX-License-Identifier: Apache-2.0 */
/* See join_state.h. */
#include "worker/kafka/join_state.h"

#include <string.h>

#include "worker/base/macros.h"

bool join_state_joins(const char *line)
{
    static const char arrow[] = " -> ";
    static const char *const joining[] = { "init ", "wait-metadata ", "wait-join ", "wait-sync " };
    const char *state = strstr(line, arrow);
    for (size_t i = 0; state && i < N_ELEMENTS(joining); i++) {
        if (strncmp(state + strlen(arrow), joining[i], strlen(joining[i])) == 0) {
            return true;
        }
    }
    return false;
}
