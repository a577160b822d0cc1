/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Version ranges as Maven writes them, by which Kafka Connect lets a config name plug-in versions
 * (KIP-891). Pure. Thread: any.
 */
#pragma once

#include <stdbool.h>

#include "worker/base/err.h"

/* The version of Apache Kafka whose interface and classes these are the counterparts of. */
#define CONNECT_VERSION "4.1.1"

/* version_range_match tells whether `version` is one that `text` asks for: "latest" is any, "1.2"
 * means [1.2]; else ranges as [1,2), (,2], [1,], joined with commas. ret_range (owned) is the range
 * in its normal form, as [1.2,1.2]; NULL for latest. ERR_INVALID with Maven's words. */
enum err version_range_match(const char *text, const char *version, bool *ret_matches,
                             char **ret_range, struct error *reterr) MUST_CHECK;
/* version_compare orders two versions as Maven does: below 0, 0, above 0. */
int version_compare(const char *one, const char *other);
/* version_mismatch is Connect's sentence about a range (NULL: any) that a version is not in. Owned.
 */
char *version_mismatch(const char *class_name, const char *range, const char *version);
