/* SPDX-License-Identifier: Apache-2.0 */
/* Small attributes and macros that every layer uses. */
#pragma once

#include <stddef.h>

#define N_ELEMENTS(array)      (sizeof(array) / sizeof((array)[0]))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK             __attribute__((warn_unused_result))
#define UNUSED                 __attribute__((unused))

/* Runs fn(&variable) when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Hands a pointer over: yields it and leaves NULL behind. */
#define TAKE(pointer)                                                                              \
    __extension__({                                                                                \
        __typeof__(pointer) *take_place = &(pointer);                                              \
        __typeof__(pointer) take_value = *take_place;                                              \
        *take_place = NULL;                                                                        \
        take_value;                                                                                \
    })

/* The struct that holds `member` at `pointer`. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Stops the process: for programmer errors only, never for input, system calls or peers. */
#define ASSERT(condition) ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))

/* assert_failed reports a broken invariant on stderr and aborts. Thread: any. */
_Noreturn void assert_failed(const char *condition, const char *file, int line);
