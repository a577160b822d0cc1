/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of broken invariants, which stop the process. */
#pragma once

#include <stdbool.h>

/* aborts runs body(arg) in a child process, its stderr thrown away, and tells whether it ended by
 * SIGABRT. The caller has no other threads. */
bool aborts(void (*body)(void *), void *arg);
