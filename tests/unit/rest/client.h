/* SPDX-License-Identifier: Apache-2.0 */
/* A client that sends what it is told to, byte by byte, over loopback. Thread: the test's. */
#pragma once

#include <stddef.h>

struct reply {
    char *text; /* all that came, owned, NUL-terminated */
    size_t length;
    int code;   /* of the first answer, 0: none came */
    char *body; /* behind the first empty line, within text; NULL: none */
};

/* client_open connects to a port of this host. */
int client_open(int port);
/* client_send writes text; false when the other side has closed. */
int client_send(int fd, const char *text, size_t length);
/* client_read reads until the other side closes (or 20 s pass, which fails the test). */
struct reply client_read(int fd);
/* client_read_answers reads until at least `n` answers ("HTTP/1.1 ") have begun and the last one's
 * body is `body_length` bytes long. */
struct reply client_read_answers(int fd, size_t n, size_t body_length);
/* client_talk opens, sends, reads until the end, closes. */
struct reply client_talk(int port, const char *text, size_t length);
/* client_request sends one whole request with Connection: close. body may be NULL. */
struct reply client_request(int port, const char *method, const char *target, const char *body);
void reply_fini(struct reply *reply);
