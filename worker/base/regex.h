/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions as java.util.regex reads them, carried out by PCRE2: what configs written for
 * Kafka Connect contain. Patterns and texts are UTF-8. Compiling and matching are bounded, so that
 * no pattern from outside can hold a thread or eat memory. Where the two dialects differ silently
 * (class intersections, flags of one of them only, PCRE2's verbs) the pattern is refused.
 *
 * A compiled expression never changes: any number of threads may use one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/base/buf.h"
#include "worker/base/err.h"

/* Longest pattern, in bytes. */
#define REGEX_PATTERN_LIMIT 8192

struct regex;

/* regex_new compiles a pattern. ERR_INVALID: the text names the position in bytes, the reason and
 * the pattern. The caller owns the result. Thread: any. */
enum err regex_new(const char *pattern, struct regex **ret_regex, struct error *reterr) MUST_CHECK;
/* regex_free releases it; NULL is fine. regex_freep is for CLEANUP. */
void regex_free(struct regex *regex);
void regex_freep(struct regex **place);

/* regex_matches tells whether the expression matches the whole text (Matcher.matches).
 * ERR_INVALID: the text is no UTF-8, or matching takes more than the bounded effort. Thread: any.
 */
enum err regex_matches(const struct regex *regex, const char *text, size_t length,
                       bool *ret_matches, struct error *reterr) MUST_CHECK;

/* regex_check_replacement tells whether regex_replace will understand a replacement: `$1`,
 * `${name}`, `\$` and `\\` as in Matcher.appendReplacement. ERR_INVALID says what is wrong. */
enum err regex_check_replacement(const struct regex *regex, const char *replacement,
                                 struct error *reterr) MUST_CHECK;
/* regex_replace does what Kafka Connect's RegexRouter does: if the expression matches the whole
 * text, its first occurrence (Matcher.replaceFirst, which may be shorter than the text) is replaced
 * and the new text is appended to out; else *ret_matched is false and out stays as it is. Errors as
 * of regex_matches and regex_check_replacement; out then stays too. Thread: any, the owner of out.
 */
enum err regex_replace(const struct regex *regex, const char *text, const char *replacement,
                       bool *ret_matched, struct buf *out, struct error *reterr) MUST_CHECK;
