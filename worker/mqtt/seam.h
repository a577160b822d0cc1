/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket seam under libmosquitto. The library reads every packet with four read calls of a few
 * bytes and writes every acknowledgement with two write calls; that is three quarters of the cost
 * of a message. It calls the C library's functions by name, so the definitions in seam.c are used
 * instead. They pass everything through, except on a thread that is between seam_enter and
 * seam_leave, and there only for the one socket that is registered: reads come from a buffer,
 * writes are gathered until seam_flush. While nothing is entered the program notices nothing.
 *
 * Nothing is gathered for TLS sockets; there only SSL_read is used, to keep packets to their limit.
 * Compiled to nothing with sanitizers, which interpose the same functions.
 * Thread: one at a time for each seam.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct seam;

/* seam_new makes a seam, without a socket at first. */
struct seam *seam_new(void);
void seam_free(struct seam *seam);
/* seam_attach begins a connection on socket fd; gather false: nothing is buffered (TLS). */
void seam_attach(struct seam *seam, int fd, bool gather);
/* seam_guard lets no packet with more than limit bytes come through on this connection; see
 * frame_guard.h. Works for TLS as well. */
void seam_guard(struct seam *seam, size_t limit, bool v5);
/* seam_detach ends it; what was gathered and not sent is thrown away. */
void seam_detach(struct seam *seam);
/* seam_resolve makes getaddrinfo calls for `host` between enter and leave answer with `address`,
 * a numeric one; NULL ends it. Both are borrowed. */
void seam_resolve(struct seam *seam, const char *host, const char *address);

/* seam_enter and seam_leave surround each call into the library; callbacks that go back into the
 * program leave, and enter again what seam_leave returned (it may be NULL). */
void seam_enter(struct seam *seam);
struct seam *seam_leave(void);

/* seam_buffered returns the bytes that were read from the socket and not yet by the library. */
size_t seam_buffered(const struct seam *seam);
/* seam_flush sends what was gathered. False: the connection failed. What the socket does not take
 * now stays: seam_pending. */
bool seam_flush(struct seam *seam);
/* seam_pending tells whether gathered bytes wait for the socket to take them. */
bool seam_pending(const struct seam *seam);
/* seam_calls returns the system calls made for the socket, for tests. */
size_t seam_calls(const struct seam *seam);
