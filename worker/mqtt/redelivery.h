/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session has received and not acknowledged, by packet id, and which of the messages that
 * come again are known to be delivered already. Pure. Thread: the session's.
 *
 * Three rules, all of of which rather let a duplicate through than drop a message:
 * - On one connection a PUBLISH whose packet id is still unacknowledged and whose content is the
 *   same is a copy of it, whatever its DUP flag says: some brokers resend without a reconnect.
 * - Copies of a message that was held for long may still be on their way when it is acknowledged: a
 *   PUBLISH with DUP, the same packet id and content is one, until the id means something else.
 * - On the first connection after a loss, if the session was present, a PUBLISH with DUP whose
 *   packet id, topic and payload match one that was delivered and not acknowledged is that one.
 *   Packet ids alone say nothing: brokers reuse them at once or number anew.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redelivery;

enum redelivery_kind {
    REDELIVERY_NEW,       /* deliver it */
    REDELIVERY_HELD,      /* a copy of one that is being delivered: drop it */
    REDELIVERY_DELIVERED, /* delivered before the connection was lost: acknowledge it only */
};

struct redelivery *redelivery_new(void);
void redelivery_free(struct redelivery *redelivery);

/* redelivery_hash digests topic and payload with a key drawn at the start of the process. */
uint64_t redelivery_hash(const char *topic, const void *payload, size_t length);
/* redelivery_receive judges a QoS 1 message and, unless it is a copy of a held one, holds it. */
enum redelivery_kind redelivery_receive(struct redelivery *redelivery, uint16_t id, bool duplicate,
                                        uint64_t hash);
/* redelivery_held returns the number of messages that wait for their acknowledgement. */
size_t redelivery_held(const struct redelivery *redelivery);
/* redelivery_acked forgets all held messages: their acknowledgements were, or may have been, sent.
 */
void redelivery_acked(struct redelivery *redelivery);
/* redelivery_acked_late does that for messages that were held so long that the broker may have sent
 * them again; redelivery_forget_late says that no copy of them comes any more. Not for a connection
 * on which messages of an earlier one may still come for the first time: some brokers give their
 * packet ids to others as well. */
void redelivery_acked_late(struct redelivery *redelivery);
void redelivery_forget_late(struct redelivery *redelivery);
/* redelivery_lost notes that the connection ended with the held messages unacknowledged.
 * redelivery_settled says what became of them: all delivered, or in doubt. */
void redelivery_lost(struct redelivery *redelivery);
void redelivery_settled(struct redelivery *redelivery, bool delivered);
/* redelivery_connected begins a connection; what is known is dropped unless the session was there.
 */
void redelivery_connected(struct redelivery *redelivery, bool session_present);
