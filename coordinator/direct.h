/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes that the worker which is asked makes itself, as Kafka Connect does, because they are
 * records of which the last one counts, whoever wrote it. Each returns when this worker shows the
 * change. Thread: any; they block until deadline_ms (monotonic). Errors: ERR_TIMEOUT (the change
 * may still be made), ERR_CLOSED, ERR_UNAVAILABLE.
 */
#pragma once

#include <stdint.h>

#include "coordinator/cluster.h"

/* direct_reset_topics forgets the Kafka topics that a connector has used; those that are used again
 * come back. An unknown connector has none. */
enum err direct_reset_topics(struct cluster *cluster, const char *connector,
                             uint64_t deadline_ms) MUST_CHECK;
/* direct_set_logger sets a logger's level (see worker/base/loggers.h) on every worker that runs. */
enum err direct_set_logger(struct cluster *cluster, const char *name, int threshold,
                           uint64_t deadline_ms) MUST_CHECK;
