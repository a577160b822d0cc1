/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a member of a group joins it again, from librdkafka's debug lines of this kind, such as
 * Group "g" changed join state steady -> wait-join (state up). With the cooperative protocol
 * nothing else tells. Pure; private to this folder.
 */
#pragma once

#include <stdbool.h>

#define JOIN_STATE_KIND "CGRPJOINSTATE"

/* join_state_joins tells whether the line says that the member has no settled membership now; false
 * for a line that is not understood. */
bool join_state_joins(const char *line);
