/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks, addresses and figures shared by the commands of sluice-load. No state; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes of every command: scripts tell the findings apart by them. */
enum load_exit {
    LOAD_OK = 0,
    LOAD_ERROR = 1,       /* bad option, no connection, no progress in time */
    LOAD_MISSING = 2,     /* verify: messages are missing */
    LOAD_DISORDER = 3,    /* verify: order broken where it was asked for */
    LOAD_CONTENT = 4,     /* verify: wrong payload, key or headers */
    LOAD_DUPLICATES = 5,  /* verify: more duplicates than allowed */
    LOAD_NOTHING_LOST = 6 /* verify --expect-loss: nothing was missing */
};

/* An address "host:port" taken apart. */
struct endpoint {
    char host[256];
    int port;
};

/* complain: one line on stderr, started with the program's name; text as for printf, with "\\n". */
void complain(const char *text, ...) __attribute__((format(printf, 1, 2)));

/* wall_us: wall clock, microseconds since 1970. Comparable between processes of one machine. */
uint64_t wall_us(void);

/* mono_us: monotonic clock, microseconds. */
uint64_t mono_us(void);

/* cpu_us: user + system time of this process so far, microseconds. */
uint64_t cpu_us(void);

/* xcalloc: zeroed memory or the end of the process. Caller frees. */
void *xcalloc(size_t n, size_t size);

/*
 * endpoint_parse: splits "host:port" (also "tcp://host:port", "[::1]:port"). On a mistake prints a
 * line that names option and mend, and returns false.
 */
bool endpoint_parse(const char *option, const char *text, struct endpoint *ret_endpoint);

/* percentile_ms: p-th percentile (0 to 100) of n values in microseconds, in ms. Sorts values. */
double percentile_ms(uint32_t *values, size_t n, double p);

/* run_id_check: letters, digits, dot, dash, underscore, up to 32; else prints why and is false. */
bool run_id_check(const char *run_id);

/* per_second: count divided by a time span in microseconds, as a rate per second; 0 for 0. */
double per_second(uint64_t count, uint64_t span_us);
