/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger of a run, see ledger.h. Owned by one thread.
 */
#include "tests/load/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/load/util.h"

#define MISSING_SHOWN 10U

struct stream {
    uint64_t next; /* one more than the highest sequence seen */
    bool disordered;
    uint32_t n_chains;
    uint64_t *chain_ends; /* one more than the last sequence of each chain, descending */
};

struct ledger {
    const struct plan *plan;
    uint16_t *copies;         /* by message number of the run */
    struct stream *streams;   /* by publisher * topics + topic */
    uint64_t *publisher_next; /* one more than the highest message number seen of a publisher */
    struct ledger_totals totals;
};

struct ledger *ledger_new(const struct plan *plan)
{
    struct ledger *ledger = xcalloc(1, sizeof(*ledger));
    ledger->plan = plan;
    ledger->copies = xcalloc(plan->messages, sizeof(*ledger->copies));
    ledger->streams = xcalloc(plan->publishers * plan->topics, sizeof(*ledger->streams));
    ledger->publisher_next = xcalloc(plan->publishers, sizeof(*ledger->publisher_next));
    return ledger;
}

void ledger_free(struct ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    for (uint64_t i = 0; i < ledger->plan->publishers * ledger->plan->topics; i++) {
        free(ledger->streams[i].chain_ends);
    }
    free(ledger->publisher_next);
    free(ledger->streams);
    free(ledger->copies);
    free(ledger);
}

/*
 * Puts a sequence behind the chain with the highest end below it. Replacing that end keeps the ends
 * descending, so the first fit is the best fit and the number of chains is the smallest possible.
 */
static void stream_chain(struct stream *stream, uint64_t seq)
{
    for (uint32_t i = 0; i < stream->n_chains; i++) {
        if (stream->chain_ends[i] <= seq) {
            stream->chain_ends[i] = seq + 1;
            return;
        }
    }
    if (stream->n_chains == LEDGER_CHAINS_MAX) {
        return;
    }
    if (stream->chain_ends == NULL) {
        stream->chain_ends = xcalloc(LEDGER_CHAINS_MAX, sizeof(*stream->chain_ends));
    }
    stream->chain_ends[stream->n_chains++] = seq + 1;
}

static void note_order(struct ledger *ledger, const struct message_id *id, uint64_t n)
{
    struct stream *stream = &ledger->streams[id->publisher * ledger->plan->topics + id->topic];
    if (id->seq < stream->next) {
        ledger->totals.violations++;
        stream->disordered = true;
    } else {
        stream->next = id->seq + 1;
    }
    stream_chain(stream, id->seq);
    if (n < ledger->publisher_next[id->publisher]) {
        ledger->totals.publisher_violations++;
    } else {
        ledger->publisher_next[id->publisher] = n + 1;
    }
}

bool ledger_note(struct ledger *ledger, const struct message_id *id)
{
    const struct plan *plan = ledger->plan;
    bool known = id->publisher < plan->publishers && id->topic < plan->topics &&
                 id->seq <= plan->messages / plan->topics;
    uint64_t n = id->seq * plan->topics + id->topic;
    if (!known || n >= plan_share(plan, id->publisher)) {
        ledger->totals.out_of_plan++;
        return false;
    }
    uint16_t *copies = &ledger->copies[plan_base(plan, id->publisher) + n];
    if (*copies < UINT16_MAX) {
        (*copies)++;
    }
    if (*copies > ledger->totals.max_copies) {
        ledger->totals.max_copies = *copies;
    }
    if (*copies > 1) {
        ledger->totals.duplicates++;
        return false;
    }
    ledger->totals.received++;
    note_order(ledger, id, n);
    return true;
}

uint64_t ledger_received(const struct ledger *ledger)
{
    return ledger->totals.received;
}

struct ledger_totals ledger_totals(const struct ledger *ledger, uint64_t n_sessions)
{
    struct ledger_totals totals = ledger->totals;
    totals.missing = ledger->plan->messages - totals.received;
    totals.streams = ledger->plan->publishers * ledger->plan->topics;
    for (uint64_t i = 0; i < totals.streams; i++) {
        const struct stream *stream = &ledger->streams[i];
        totals.disordered_streams += stream->disordered ? 1 : 0;
        totals.streams_over_sessions += stream->n_chains > n_sessions ? 1 : 0;
        if (stream->n_chains > totals.max_chains) {
            totals.max_chains = stream->n_chains;
        }
    }
    return totals;
}

/* The missing messages of one publisher, up to max. */
static size_t publisher_missing(const struct ledger *ledger, uint64_t publisher,
                                struct message_id *ret_ids, size_t max)
{
    const struct plan *plan = ledger->plan;
    const uint16_t *copies = &ledger->copies[plan_base(plan, publisher)];
    uint64_t share = plan_share(plan, publisher);
    size_t found = 0;
    for (uint64_t n = 0; n < share && found < max; n++) {
        if (copies[n] == 0) {
            ret_ids[found++] = plan_message(plan, publisher, n);
        }
    }
    return found;
}

void ledger_print_missing(const struct ledger *ledger)
{
    struct message_id ids[MISSING_SHOWN];
    size_t n = 0;
    for (uint64_t i = 0; i < ledger->plan->publishers && n < MISSING_SHOWN; i++) {
        n += publisher_missing(ledger, i, ids + n, MISSING_SHOWN - n);
    }
    printf("\"missing_first\":[");
    for (size_t i = 0; i < n; i++) {
        printf("%s{\"publisher\":%" PRIu64 ",\"topic\":%" PRIu64 ",\"seq\":%" PRIu64 "}",
               i > 0 ? "," : "", ids[i].publisher, ids[i].topic, ids[i].seq);
    }
    printf("]");
}
