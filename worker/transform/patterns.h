/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of patterns in configs, for rows. Thread: any. */
#pragma once

#include "worker/base/err.h"

/* check_regex refuses a text that is no regular expression of Java's. */
enum err check_regex(const char *value, struct error *reterr);
