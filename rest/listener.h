/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets of the REST interface. Thread: main. */
#pragma once

#include "rest/http.h"
#include "worker/base/err.h"

struct listener {
    int fd;
    int port;       /* as bound */
    char host[256]; /* as configured, without brackets; "" means all interfaces */
};

struct listeners {
    struct listener items[HTTP_MAX_LISTENERS];
    size_t n_items;
};

/* listeners_open opens a socket for each entry of `text` ("http://host:port", separated by commas).
 * Errors: ERR_INVALID (form, scheme, port, too many), ERR_IO (address in use or unknown), with a
 * line that names the key, the value and the mend. */
enum err listeners_open(const char *text, struct listeners *ret_listeners,
                        struct error *reterr) MUST_CHECK;
/* listeners_check does the same checks of form and opens nothing: ERR_INVALID. Thread: any. */
enum err listeners_check(const char *text, struct error *reterr) MUST_CHECK;
/* listeners_close closes all sockets that are still open. */
void listeners_close(struct listeners *listeners);
