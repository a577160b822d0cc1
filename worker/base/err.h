/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: one enum from the table err.def {name, text, HTTP status, retriable}, and struct error,
 * which carries a code and the cause as a person reads it. It lives on the caller's stack and
 * allocates nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/base/macros.h"

enum err {
#define X(name, text, http, retriable) ERR_##name,
#include "worker/base/err.def"
#undef X
};

struct error {
    enum err code;
    char text[1024];
};

/* err_name returns the constant's name without its prefix, e.g. "NOT_FOUND". Thread: any. */
const char *err_name(enum err err);
/* err_text returns a short text for people. Thread: any. */
const char *err_text(enum err err);
/* err_http returns the HTTP status that stands for the code. Thread: any. */
int err_http(enum err err);
/* err_retriable tells whether the same call may succeed later. Thread: any. */
bool err_retriable(enum err err);

/* error_set fills reterr (may be NULL) and returns code, so that a caller can return it at once.
 * A text that does not fit is cut at a character's border. Thread: any. */
enum err error_set(struct error *reterr, enum err code, const char *format, ...) PRINTF_LIKE(3, 4);
/* error_prefix puts "<prefix>: " before the text of reterr (may be NULL); returns its code. */
enum err error_prefix(struct error *reterr, enum err code, const char *prefix);
