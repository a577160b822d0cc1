/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request target: path segments and query, percent-decoded one by one, so that an escaped
 * slash is part of a name. Pure. Thread: the request's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/base/buf.h"
#include "worker/base/err.h"

#define TARGET_MAX_SEGMENTS 8
#define TARGET_MAX_QUERY    32

struct query_pair {
    char *name;
    char *value; /* "" when there is no '=' */
};

struct target {
    char *segments[TARGET_MAX_SEGMENTS];
    size_t n_segments; /* 0: the root */
    bool has_control;  /* in a segment: only a foreign connector's name may have that */
    struct query_pair query[TARGET_MAX_QUERY];
    size_t n_query;
};

#define TARGET_CONTROL_TEXT "Control character in the request URI"

/* target_parse reads a target in origin form ("/a/b?x=y") or absolute form. One slash at the end
 * is tolerated; a segment ends at a raw ';'. ret_target is owned (target_fini). Errors: ERR_INVALID
 * (empty segment, NUL or, in the query, a control character, bad escape, bad UTF-8, too many
 * parameters), ERR_NOT_FOUND (deeper than any path that is served). */
enum err target_parse(const char *text, struct target *ret_target, struct error *reterr) MUST_CHECK;
void target_fini(struct target *target);

/* target_query returns the first value of a parameter, NULL if absent. */
const char *target_query(const struct target *target, const char *name);
/* target_flag reads a parameter as Java reads a Boolean: "true" in any case is true, anything else
 * false; `fallback` when it is absent or empty. */
bool target_flag(const struct target *target, const char *name, bool fallback);

/* percent_encode_segment appends text as a path segment, with what may stand in one left as it is
 * (RFC 3986, 3.3) but for the semicolon, behind which servers look for parameters. */
void percent_encode_segment(struct buf *buf, const char *text);
/* percent_encode appends text with everything but unreserved characters escaped. */
void percent_encode(struct buf *buf, const char *text);
