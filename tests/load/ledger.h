/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger of a run: which messages of the plan have been seen, how often and in what order.
 * Pure accounting, no library and no clock; used by one thread.
 *
 * A stream is one publisher's messages to one topic. Order is judged by first occurrences only,
 * because duplicates are allowed. When a stream is shared by several sessions it may be
 * interleaved, but each session's part must ascend: such a stream can be split into at most as many
 * ascending chains as there are sessions. The smallest number of chains is found greedily.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/load/plan.h"

#define LEDGER_CHAINS_MAX 32U

struct ledger;

struct ledger_totals {
    uint64_t received; /* distinct messages */
    uint64_t missing;
    uint64_t duplicates;           /* occurrences beyond the first of each message */
    uint64_t max_copies;           /* of one message, counted up to 65535 */
    uint64_t out_of_plan;          /* publisher, topic or sequence that the plan does not have */
    uint64_t violations;           /* first occurrences after a later one of their stream */
    uint64_t publisher_violations; /* the same over all topics of a publisher */
    uint64_t streams;
    uint64_t disordered_streams;
    uint64_t streams_over_sessions; /* streams that need more chains than sessions */
    uint64_t max_chains;            /* counted up to LEDGER_CHAINS_MAX */
};

/* ledger_new: an empty ledger for the plan (borrowed, must outlive it). ledger_free ends it. */
struct ledger *ledger_new(const struct plan *plan);
void ledger_free(struct ledger *ledger);

/* ledger_note: records one occurrence; true when it is the first one of this message. */
bool ledger_note(struct ledger *ledger, const struct message_id *id);

/* ledger_received: distinct messages so far. */
uint64_t ledger_received(const struct ledger *ledger);

/* ledger_totals: the figures so far; a stream may have up to n_sessions ascending chains. */
struct ledger_totals ledger_totals(const struct ledger *ledger, uint64_t n_sessions);

/* ledger_print_missing: prints "missing_first":[...], the first missing messages in plan order. */
void ledger_print_missing(const struct ledger *ledger);
