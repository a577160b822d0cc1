/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands between a socket and the MQTT library and lets no packet through that is larger than a
 * limit, because the library allocates whatever length a packet announces. A PUBLISH that is too
 * large is read to its end and thrown away; the library gets one in its place with the same flags,
 * topic and packet id, whose payload says how large the packet was. So it is handed out, judged and
 * acknowledged in its turn like any other. Announcing a Maximum Packet Size instead would make the
 * broker drop such messages unseen (MQTT 5, 3.1.2.11.4). Any other packet of that size ends the
 * connection. Pure but for the source. Thread: one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct frame_guard;

/* Reads up to size bytes as read(2) does; what is not positive is passed on as it is. */
typedef ssize_t frame_guard_source(void *arg, void *buffer, size_t size);

/* frame_guard_new makes a guard for a connection that begins; limit is the most bytes of a packet
 * behind its fixed header. v5: the protocol is MQTT 5. */
struct frame_guard *frame_guard_new(size_t limit, bool v5);
void frame_guard_free(struct frame_guard *guard);
/* frame_guard_read takes bytes from the source and returns those that may pass, as read(2) does. */
ssize_t frame_guard_read(struct frame_guard *guard, void *buffer, size_t size,
                         frame_guard_source *source, void *arg);
/* frame_guard_ready returns the bytes that wait inside. */
size_t frame_guard_ready(const struct frame_guard *guard);
/* frame_guard_stands_in tells whether this payload was put in the place of one that was too large,
 * and how large that packet was. No publisher can make such a payload. Thread: any. */
bool frame_guard_stands_in(const void *payload, size_t length, uint64_t *ret_size);
