/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many files, sockets among them, the process may have open at once (RLIMIT_NOFILE), and what
 * to say when there is none left: a task with many sessions needs more than the 1024 that systems
 * give at first.
 */
#pragma once

#include <stdint.h>

#include "worker/base/err.h"

/* Below this a worker with many sessions or clients may run out of them. */
#define OPEN_FILES_ENOUGH 4096

/* open_files_raise raises the soft limit to the hard one and returns what holds then. The soft one
 * is low for the sake of select(2), which nothing here calls. Thread: main, at the start. */
uint64_t open_files_raise(void);
/* open_files_error fills reterr (may be NULL) for a call that made no descriptor: `what` is what it
 * was for, code its errno. When none was left, the text names the limit and the mend. Returns
 * ERR_UNAVAILABLE. Thread: any. */
enum err open_files_error(struct error *reterr, const char *what, int code);
