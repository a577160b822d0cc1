/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log: one line per event on stderr: time, level, stable event id, key=value pairs. The format is
 * text or JSON. Control characters in values are escaped, so that nothing from outside can forge
 * a line. Callers never pass secrets; what is published in redact.h is taken out of every line all
 * the same. Each line belongs to a logger, by the folder of the source file, and is written when
 * that logger's level says so (loggers.h). Thread: any; no lock is held while writing.
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
enum logger {
#define L(id, name) LOGGER_##id,
#include "worker/base/log.def"
#undef L
    LOGGER_N
};
enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON
};

/* Prefix pairs of one part of the program, e.g. "connector=a task=0". NULL means none. */
struct log_ctx {
    char text[192];
};

/* log_setup sets the format, and the level of every logger, as at the start of the process. Thread:
 * any. */
void log_setup(enum log_level level, enum log_format format);
/* log_level_parse reads ERROR, WARN, INFO, DEBUG or TRACE in any case; false if it is none. */
bool log_level_parse(const char *name, enum log_level *ret_level);

/* Level up to which each logger writes: enum log_level, or what loggers.h has beyond. */
extern atomic_int log_thresholds[LOGGER_N];

/* log_passes tells whether lines of this level and logger are written. Thread: any. */
static inline bool log_passes(enum logger logger, enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_thresholds[logger], memory_order_relaxed);
}

/* The logger of a source file, set when it is compiled. */
#ifndef LOG_LOGGER
#define LOG_LOGGER LOGGER_sluice
#endif
/* log_enabled tells whether this source file's lines of this level are written. */
#define log_enabled(level) log_passes(LOG_LOGGER, (level))

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
