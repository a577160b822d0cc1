/* SPDX-License-Identifier: Apache-2.0 */
/* Monotonic and wall clocks. See clock.h. */
#include "worker/base/clock.h"

static struct timespec now(clockid_t id)
{
    struct timespec ts = { 0, 0 };
    (void)clock_gettime(id, &ts);
    return ts;
}

uint64_t clock_mono_ms(void)
{
    struct timespec ts = now(CLOCK_MONOTONIC);
    return (uint64_t)ts.tv_sec * 1000U + (uint64_t)ts.tv_nsec / 1000000U;
}

uint64_t clock_mono_us(void)
{
    struct timespec ts = now(CLOCK_MONOTONIC);
    return (uint64_t)ts.tv_sec * 1000000U + (uint64_t)ts.tv_nsec / 1000U;
}

int64_t clock_wall_ms(void)
{
    struct timespec ts = now(CLOCK_REALTIME);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void clock_format_iso(int64_t wall_ms, char *text, size_t size)
{
    int rest = (int)(wall_ms % 1000);
    int ms = rest < 0 ? rest + 1000 : rest;
    time_t seconds = (time_t)(wall_ms / 1000 - (rest < 0));
    struct tm tm;
    if (!gmtime_r(&seconds, &tm)) {
        memset(&tm, 0, sizeof(tm));
    }
    size_t n = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + n, size - n, ".%03dZ", ms);
}
