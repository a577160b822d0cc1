/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells when a value behind a placeholder has changed: the folders of the files that were read are
 * watched (inotify), and after each event the placeholders are looked up again. Nothing is told
 * while a value is missing or unreadable, as in the middle of an exchange, or if the values are as
 * before.
 *
 * One thread, made with the first thing to watch; it owns what is watched. Others send it ops.
 */
#pragma once

#include <stdint.h>

#include "worker/base/kvs.h"
#include "worker/providers/providers.h"

struct watch;

/* Called on the watch's thread, once for each watch_add at most; must not block. */
typedef void watch_fn(void *arg, uint64_t id);

/* watch_new makes a watch; providers outlive it. watch_free ends its thread. Thread: the owner's.
 */
struct watch *watch_new(const struct providers *providers, watch_fn *on_change, void *arg);
void watch_free(struct watch *watch);
/* watch_add watches what config's placeholders stand for; `resolution` is what they stood for.
 * Both are copied as far as needed; nothing happens if no file was to be read. After a
 * providers_try that failed it tells when the values can be looked up. An id may be added several
 * times. label is for the log. Thread: any. */
void watch_add(struct watch *watch, uint64_t id, const char *label, const struct kvs *config,
               const struct resolution *resolution);
/* watch_remove forgets an id; a call of on_change that has begun may still come to its end.
 * Thread: any. */
void watch_remove(struct watch *watch, uint64_t id);
