/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks, addresses and figures shared by the commands of sluice-load. No state; any thread.
 */
#include "tests/load/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define US_PER_S   1000000U
#define RUN_ID_MAX 32U

void complain(const char *text, ...)
{
    va_list args;
    va_start(args, text);
    (void)fputs("sluice-load: ", stderr);
    (void)vfprintf(stderr, text, args);
    va_end(args);
}

static uint64_t clock_us(clockid_t id)
{
    struct timespec ts = { 0 };
    (void)clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / 1000U;
}

uint64_t wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

uint64_t mono_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

uint64_t cpu_us(void)
{
    struct rusage usage = { 0 };
    (void)getrusage(RUSAGE_SELF, &usage);
    uint64_t seconds = (uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec;
    uint64_t micros = (uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec;
    return seconds * US_PER_S + micros;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n > 0 ? n : 1, size > 0 ? size : 1);
    if (p == NULL) {
        complain("out of memory\n");
        abort();
    }
    return p;
}

static bool endpoint_bad(const char *option, const char *text)
{
    complain("%s %s: write it as host:port, for example 127.0.0.1:1883\n", option, text);
    return false;
}

bool endpoint_parse(const char *option, const char *text, struct endpoint *ret_endpoint)
{
    const char *host = text;
    if (strncmp(text, "tcp://", 6) == 0 || strncmp(text, "mqtt://", 7) == 0) {
        host = strstr(text, "//") + 2;
    }
    const char *colon = strrchr(host, ':');
    if (colon == NULL || colon == host) {
        return endpoint_bad(option, text);
    }
    char *end = NULL;
    errno = 0;
    long port = strtol(colon + 1, &end, 10);
    if (errno != 0 || end == colon + 1 || *end != '\0' || port < 1 || port > 65535) {
        return endpoint_bad(option, text);
    }
    size_t len = (size_t)(colon - host);
    if (host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(ret_endpoint->host)) {
        return endpoint_bad(option, text);
    }
    memcpy(ret_endpoint->host, host, len);
    ret_endpoint->host[len] = '\0';
    ret_endpoint->port = (int)port;
    return true;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

double percentile_ms(uint32_t *values, size_t n, double p)
{
    if (n == 0) {
        return 0;
    }
    qsort(values, n, sizeof(*values), compare_u32);
    size_t at = (size_t)((double)(n - 1) * p / 100.0 + 0.5);
    return (double)values[at] / 1000.0;
}

bool run_id_check(const char *run_id)
{
    size_t good =
        strspn(run_id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    if (run_id[good] == '\0' && good >= 1 && good <= RUN_ID_MAX) {
        return true;
    }
    complain("--run-id %s: use 1 to %u letters, digits, dots, dashes, underscores\n", run_id,
             RUN_ID_MAX);
    return false;
}

double per_second(uint64_t count, uint64_t span_us)
{
    return span_us == 0 ? 0 : (double)count * US_PER_S / (double)span_us;
}
