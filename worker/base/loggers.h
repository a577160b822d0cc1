/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Levels of loggers while the process runs, as Kafka Connect's administration of loggers has them:
 * the loggers of log.def, and names that were set and mean nothing here (a Java class), which are
 * kept so that their level can be read back. A level that is set holds for the logger and all its
 * children. Thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/err.h"
#include "worker/base/log.h"

/* Thresholds beyond enum log_level. FATAL is a level that no line of ours has. */
#define LOGGER_OFF   (-2)
#define LOGGER_FATAL (-1)
#define LOGGER_ALL   ((int)LOG_TRACE + 1)

/* Longest name of a logger, and how many may be set that are not in log.def. */
#define LOGGER_MAX_NAME  200
#define LOGGERS_MAX_MORE 256

struct logger_info {
    char name[LOGGER_MAX_NAME + 1];
    int threshold;
    int64_t modified_ms; /* wall clock of its last change; 0: none since the start */
};

struct logger_list {
    struct logger_info *items; /* sorted by name */
    size_t n_items;
};

/* logger_level_parse reads OFF, FATAL, ERROR, WARN, INFO, DEBUG, TRACE or ALL in any case; false if
 * it is none. logger_level_name gives it back. */
bool logger_level_parse(const char *name, int *ret_threshold);
const char *logger_level_name(int threshold);

/* loggers_all returns every logger that is known; logger_list_fini releases the list. */
void loggers_all(struct logger_list *ret_list);
void logger_list_fini(struct logger_list *list);
/* loggers_find copies what is known of one name ("root" in any case); false: nothing is. */
bool loggers_find(const char *name, struct logger_info *ret_info);
/* loggers_check tells whether loggers_set would take the name; errors as there. */
enum err loggers_check(const char *name, struct error *reterr) MUST_CHECK;
/* loggers_set sets a logger and its children. ret_changed gets those whose level is another one
 * now, and a name that was not known before. now_ms is the wall clock. Errors: ERR_INVALID for a
 * name that is empty, too long, no UTF-8 or has control characters; ERR_TOO_LARGE when too many
 * names are known; nothing was set then. */
enum err loggers_set(const char *name, int threshold, int64_t now_ms,
                     struct logger_list *ret_changed, struct error *reterr) MUST_CHECK;
/* loggers_reset gives every logger this level, forgets names that were set and all changes. */
void loggers_reset(int threshold);
