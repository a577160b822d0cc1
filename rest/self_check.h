/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a worker from outside whether it is well, for places that have no other HTTP client: the
 * health check of a container image, a test inside of a cluster. Thread: any; blocks.
 */
#pragma once

#include "worker/base/err.h"
#include "worker/base/kvs.h"

/* self_check_url writes where a worker with these properties answers probes to clients on the same
 * machine: the first entry of `listeners`, /health/ready. ERR_INVALID when the entry is wrong or
 * has port 0, which nobody but the worker itself can know. */
enum err self_check_url(const struct kvs *props, char *ret_url, size_t size,
                        struct error *reterr) MUST_CHECK;

/* self_check sends GET to a URL, the worker's own when NULL, and succeeds when the answer is 2xx
 * within five seconds. https is checked against the authorities of the listener's keys in props, or
 * the system's; at the worker's own URL against the listener's own certificate, whatever names that
 * bears, since the address is known to be this machine's. http_client_setup has been called.
 * Errors: ERR_UNAVAILABLE (another answer), those of http_client_send and of reading props; the
 * text names the URL and the answer. */
enum err self_check(const struct kvs *props, const char *url, struct error *reterr) MUST_CHECK;
