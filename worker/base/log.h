/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log: one line per event on stderr: time, level, stable event id, key=value pairs. The format is
 * text or JSON. Control characters in values are escaped, so that nothing from outside can forge
 * a line. Callers never pass secrets. Thread: any; no lock is held while writing.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker/base/macros.h"

enum log_level {
    LOG_ERROR,
    LOG_WARN,
    LOG_INFO,
    LOG_DEBUG,
    LOG_TRACE
};
enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON
};

/* Prefix pairs of one part of the program, e.g. "connector=a task=0". NULL means none. */
struct log_ctx {
    char text[192];
};

/* log_setup sets level and format for the whole process. Thread: any. */
void log_setup(enum log_level level, enum log_format format);
/* log_level_parse reads ERROR, WARN, INFO, DEBUG or TRACE in any case; false if it is none. */
bool log_level_parse(const char *name, enum log_level *ret_level);
/* log_enabled tells whether lines of this level are written. */
bool log_enabled(enum log_level level);

/* log_write writes one line: event id such as "TASK-START-FAIL", then the formatted pairs
 * `key=value`; a value with spaces stands in double quotes. */
void log_write(enum log_level level, const struct log_ctx *ctx, const char *event,
               const char *format, ...) PRINTF_LIKE(4, 5);

#define log_at(level, ...) (log_enabled(level) ? log_write((level), __VA_ARGS__) : (void)0)
#define log_error(...)     log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)      log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)      log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...)     log_at(LOG_DEBUG, __VA_ARGS__)

/* Limits repeats of one event; zero-initialise. */
struct log_limit {
    _Atomic uint64_t next_ms;
    atomic_uint n_suppressed;
};

/* log_limit_pass tells whether the event may be written now: once per interval_ms. It sets
 * ret_suppressed to the number of events that were held back before. Thread: any. */
bool log_limit_pass(struct log_limit *limit, uint64_t interval_ms, unsigned *ret_suppressed);
