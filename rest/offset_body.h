/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of PATCH /connectors/{connector}/offsets: a list of partitions and their new offsets,
 * null to forget one. Thread: the request's.
 */
#pragma once

#include "rest/call.h"
#include "worker/base/err.h"
#include "worker/kafka/group_offsets.h"

/* Most entries of one request. */
#define OFFSET_BODY_MAX 4096

/* offset_body_check reads the body into call->json and checks its shape: {"offsets":[{"partition":
 * object or null, "offset": object or null}]}. Errors: ERR_INVALID, answered. */
enum err offset_body_check(struct call *call);

/* offset_body_source reads edits of a source: `known` are the offsets that are stored, whose keys
 * are used again; of several entries for one partition the last one counts. ret_edits (zeroed) is
 * changed also when it fails. Errors: ERR_INVALID with a text for the client. */
struct connector_plugin;
enum err offset_body_source(const struct call *call, const struct connector_plugin *plugin,
                            const struct source_offsets *known, struct source_offsets *ret_edits,
                            struct error *reterr) MUST_CHECK;
/* offset_body_sink reads edits of a sink, in Connect's words; ret_edits (initialised) is changed
 * also when it fails. */
enum err offset_body_sink(const struct call *call, struct group_offsets *ret_edits,
                          struct error *reterr) MUST_CHECK;
/* offset_body_shown tells whether the stored offsets of a source are what the body asks for. */
bool offset_body_shown(const struct call *call, const struct source_offsets *known);
