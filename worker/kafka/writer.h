/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writers of the internal topics. The leader's is transactional: a batch of records is one
 * transaction, and a leader that was deposed is fenced by Kafka (KIP-98). The status writer is a
 * plain producer that never blocks. Thread: see each call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "worker/base/err.h"
#include "worker/base/kvs.h"

struct kafka_writer;

/* A record of an internal topic; value NULL is a tombstone. Borrowed during the call. */
struct writer_record {
    const char *topic;
    int32_t partition; /* -1: chosen by the key's murmur2 hash, as Java clients do */
    const char *key;
    const char *value;
};

/* kafka_writer_open makes the transactional writer; it does not talk to Kafka yet. */
enum err kafka_writer_open(const struct kvs *props, const char *transactional_id,
                           struct kafka_writer **ret_writer, struct error *reterr) MUST_CHECK;
/* kafka_writer_close destroys it, aborting what is open. Takes NULL. */
void kafka_writer_close(struct kafka_writer *writer);
/* kafka_writer_init fences older writers with the same transactional id; blocks up to timeout_ms.
 * Errors: ERR_TIMEOUT (call again), ERR_FENCED, ERR_UNAUTHORIZED. */
enum err kafka_writer_init(struct kafka_writer *writer, int timeout_ms,
                           struct error *reterr) MUST_CHECK;
/* kafka_writer_commit writes all records in one transaction and waits for its end. ret_offset gets
 * the highest offset written to records[0]'s topic and partition. Errors: ERR_FENCED (close it; a
 * newer leader writes), ERR_TIMEOUT, ERR_IO, ERR_TOO_LARGE, ERR_UNAUTHORIZED: aborted, nothing
 * visible, unless the next call says ERR_INTERNAL: then the end of the transaction is not known
 * (it was cut off while it ended) until a new writer has had its kafka_writer_init. */
enum err kafka_writer_commit(struct kafka_writer *writer, const struct writer_record *records,
                             size_t n_records, int timeout_ms, int64_t *ret_offset,
                             struct error *reterr) MUST_CHECK;

struct kafka_status_writer;

/* kafka_status_writer_open makes the plain writer with a thread of its own for reports. */
enum err kafka_status_writer_open(const struct kvs *props, struct kafka_status_writer **ret_writer,
                                  struct error *reterr) MUST_CHECK;
/* kafka_status_writer_close flushes up to timeout_ms and destroys it. Takes NULL. */
void kafka_status_writer_close(struct kafka_status_writer *writer, int timeout_ms);
/* kafka_status_writer_put queues one record; never blocks. The newest value of a key wins; retries
 * until it is written. Thread: any. */
void kafka_status_writer_put(struct kafka_status_writer *writer,
                             const struct writer_record *record);
