/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host names to addresses without blocking the caller: getaddrinfo knows no deadline, so it runs on
 * a thread of its own, which outlives the question if nobody waits for it any more.
 */
#pragma once

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>

#include "worker/base/err.h"

struct resolve;

#define RESOLVE_MAX 8

struct resolve_answer {
    char address[RESOLVE_MAX][64]; /* as numbers */
    size_t n_addresses;
};

/* resolve_start asks for a host's addresses. A numeric address needs no thread. When there is none,
 * or no descriptor, for it, the answer is an error, at once. Thread: any. */
struct resolve *resolve_start(const char *host);
/* resolve_fd returns a descriptor that is readable once the answer is there; -1 when it is there
 * already and none could be made. Borrowed until resolve_drop. */
int resolve_fd(const struct resolve *resolve);
/* resolve_done tells whether the answer is there. */
bool resolve_done(const struct resolve *resolve);
/* resolve_answer copies the answer out, once resolve_done. ERR_NOT_FOUND: no such host, or the
 * resolver's text. ERR_UNAVAILABLE: no descriptor was left to ask with. */
enum err resolve_answer(struct resolve *resolve, struct resolve_answer *ret_answer,
                        struct error *reterr) MUST_CHECK;
/* resolve_drop gives the question up. Takes NULL. */
void resolve_drop(struct resolve *resolve);
