/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One MQTT session of a task and its window: the ack gate. It reads until the window is full or
 * nothing comes, waits until every record of the window has its delivery report, and only then lets
 * the session send the PUBACKs. Thread: the task's.
 */
#pragma once

#include "worker/connectors/mqtt_source/pipeline.h"

struct reader;

/* What the task wants of its readers. */
enum reader_wish {
    READER_RUN,
    READER_HOLD, /* reads nothing more: the window under way is finished, the connection stays */
    READER_REST, /* no connection: what was read is delivered and acknowledged first */
    READER_CLOSE /* as REST, and at once: what is not delivered stays with the broker */
};

/* What readers work with; borrowed until reader_adopt gives them something else. */
struct reader_parts {
    const struct task_context *context;
    const struct source_settings *settings;
    struct pipeline *pipeline;
};

/* reader_new makes the reader of session k. event_fd is written when its records are delivered. */
struct reader *reader_new(const struct reader_parts *parts, int k, int event_fd);
/* reader_new_leaving makes the reader of a session that is given up for good: what is queued in it
 * is delivered, then the broker forgets it. */
struct reader *reader_new_leaving(const struct reader_parts *parts, const char *client_id,
                                  int event_fd);
/* reader_leaving returns the client id of such a session, NULL for the others. */
const char *reader_leaving(const struct reader *reader);
/* reader_gone tells whether such a session is ended. */
bool reader_gone(const struct reader *reader);
/* reader_adopt goes over to other parts. Another pipeline needs a reader that is quiet; anew, which
 * lets it connect anew, one at rest as well. A connection that stands follows changed filters. */
void reader_adopt(struct reader *reader, const struct reader_parts *parts, bool anew);
/* reader_session returns its number. */
int reader_session(const struct reader *reader);
/* reader_quiet tells whether nothing that was read is unfinished: delivered and acknowledged. */
bool reader_quiet(const struct reader *reader);
/* reader_answered tells whether the broker has granted the subscriptions, or could not be reached,
 * since the reader was made or last at rest. */
bool reader_answered(const struct reader *reader);
/* reader_free drops the connection; the session stays at the broker. */
void reader_free(struct reader *reader);

/* reader_step does all that can be done now. ready: the descriptor of reader_poll came up. Returns
 * false when the task has to fail; reterr says why. */
bool reader_step(struct reader *reader, enum reader_wish wish, bool ready, struct error *reterr);
/* reader_poll fills in what to wait for and returns when to step again at the latest. */
uint64_t reader_poll(const struct reader *reader, enum reader_wish wish, struct pollfd *ret_poll);
/* reader_at_rest tells whether there is no connection and no attempt at one. */
bool reader_at_rest(const struct reader *reader);
/* reader_wants_producer tells whether the producer failed this reader. reader_producer_renewed lets
 * it go on, once it has no records under way and the producer lives: a dead one is renewed first,
 * when no reader of the task has records under way. */
bool reader_wants_producer(const struct reader *reader);
bool reader_undelivered(const struct reader *reader);
void reader_producer_renewed(struct reader *reader);

/* What a reader contributes to the task's gauges. */
struct reader_gauges {
    bool connected;
    bool parked;
    size_t n_held;
    uint64_t held_since_ms; /* 0: nothing held */
};

void reader_gauges(const struct reader *reader, struct reader_gauges *ret_gauges);
