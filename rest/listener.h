/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets of the REST interface. Thread: main. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/base/err.h"

/* Most entries of one property. */
#define LISTENERS_MAX 8

struct listener {
    int fd;
    bool tls;       /* https */
    int port;       /* as bound */
    char host[256]; /* as configured, without brackets; "" means all interfaces */
};

struct listeners {
    struct listener items[LISTENERS_MAX];
    size_t n_items;
};

/* listeners_open opens a socket for each entry of `text` ("http://host:port", "https://host:port",
 * separated by commas), the value of `key`. Errors: ERR_INVALID (form, scheme, port, too many),
 * ERR_IO (address in use or unknown), with a line that names the key, the value and the mend. */
enum err listeners_open(const char *key, const char *text, struct listeners *ret_listeners,
                        struct error *reterr) MUST_CHECK;
/* listeners_parse does the same checks of form and opens nothing: descriptors are -1, ports as
 * written. ERR_INVALID. Thread: any. */
enum err listeners_parse(const char *key, const char *text, struct listeners *ret_listeners,
                         struct error *reterr) MUST_CHECK;
/* listeners_have_tls tells whether an entry is https. */
bool listeners_have_tls(const struct listeners *listeners);
/* listeners_close closes all sockets that are still open. */
void listeners_close(struct listeners *listeners);
