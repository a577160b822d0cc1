/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dead letter queue of a sink task: records as they were read, with headers that say what went
 * wrong. It has a producer of its own, made with the first letter, so that closing it never waits
 * for anybody else's records. Thread: the task's.
 */
#pragma once

#include "worker/connectors/dead_letter.h"
#include "worker/connectors/mqtt_sink/backlog.h"
#include "worker/connectors/mqtt_sink/settings.h"

/* No more records are taken while so many letters are under way. */
#define LETTERS_MAX 500

struct letters;

struct letters_handlers {
    void *arg;
    /* The letter is safe in Kafka; the item is the owner's again. */
    void (*on_sent)(void *arg, struct sink_item *item);
    /* The letter cannot be written: the task has to fail. */
    void (*on_failed)(void *arg, struct sink_item *item, const struct error *why);
};

/* letters_new makes a queue for a topic that may not exist yet. */
struct letters *letters_new(const struct task_context *context,
                            const struct sink_settings *settings,
                            const struct letters_handlers *handlers);
/* letters_free gives up what is under way without a word. Takes NULL. */
void letters_free(struct letters *letters);
/* letters_prepare makes the topic if it is missing: one partition, and the replication factor of
 * the settings. Blocks up to some seconds. Errors: ERR_INVALID, ERR_UNAUTHORIZED; ERR_UNAVAILABLE:
 * no descriptor was left. A Kafka that does not answer is no error, the broker makes the topic
 * then, or the first letter fails. */
enum err letters_prepare(struct letters *letters, struct error *reterr) MUST_CHECK;

/* letters_send writes an item's record; on_sent or on_failed follows within letters_review. */
void letters_send(struct letters *letters, struct sink_item *item, const struct failure *failure);
/* letters_fd returns an eventfd that comes up when letters_review has something to do. */
int letters_fd(const struct letters *letters);
/* letters_review looks at what became of the letters once all have their reports. */
void letters_review(struct letters *letters);
/* letters_count returns the number of letters under way. */
size_t letters_count(const struct letters *letters);
/* letters_due returns when letters_review has to be called at the latest, UINT64_MAX if never. */
uint64_t letters_due(const struct letters *letters);
