/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The topics of a cluster whose names match a regular expression of Java, looked for now and again.
 * librdkafka's own patterns are POSIX expressions, which read much of Java's otherwise. Asking
 * blocks, so it has a thread of its own. Private to this folder.
 */
#pragma once

#include <librdkafka/rdkafka.h>

#include "worker/base/config_def.h"
#include "worker/base/err.h"

struct topic_search;

/* topic_search_start looks at once, and then every interval_ms. event_fd is written when there is
 * an answer that is new. client outlives the search. Errors: ERR_INVALID for a bad pattern. */
enum err topic_search_start(rd_kafka_t *client, const char *pattern, int interval_ms, int event_fd,
                            struct topic_search **ret_search, struct error *reterr) MUST_CHECK;
/* topic_search_stop ends the thread, which may take as long as one question. Takes NULL. */
void topic_search_stop(struct topic_search *search);
/* topic_search_take hands the names over if they changed since the last call; false: they have not.
 * The list is sorted and the caller's. Thread: any. */
bool topic_search_take(struct topic_search *search, struct config_list *ret_names);
