/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forced into every file of the project: functions that overrun buffers, keep hidden state or
 * hide errors are compile errors. The C library's own headers are read first, so that their
 * declarations stay untouched.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __GNUC__
/* Macros where clang reads headers with _FORTIFY_SOURCE. */
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atof gmtime localtime rand srand
#endif
