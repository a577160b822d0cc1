/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values that librdkafka does more with than compare: parts of a command line, paths that it opens.
 * Judged when every conversion is made, since a value gets there by more than one key. Private to
 * this folder.
 */
#pragma once

#include "worker/base/err.h"
#include "worker/base/macros.h"
#include "worker/kafka/prop_convert.h"

/* prop_guard_note hears of each setting of an override, by its canonical name. */
void prop_guard_note(struct prop_build *build, const char *name, const char *value);
/* prop_guard_login judges what librdkafka would put into kinit's command line, which a shell reads,
 * and keeps kinit from running at all for a connector that names a login of its own: its ticket
 * would take the place of the worker's. Pure. Errors: ERR_INVALID. */
enum err prop_guard_login(struct prop_build *build, struct error *reterr) MUST_CHECK;
/* prop_guard_file judges a property of a client that is about to be opened: where it is a path, it
 * must lead to a regular file or folder, as librdkafka waits at a pipe for ever. `tls`: the client
 * reads the files of its TLS settings. Errors: ERR_INVALID. Thread: any. */
enum err prop_guard_file(const char *name, const char *value, bool tls,
                         struct error *reterr) MUST_CHECK;
