/* SPDX-License-Identifier: Apache-2.0 */
/* Time: monotonic for deadlines and durations, wall for what people and Kafka see. Thread: any. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* clock_mono_ms and clock_mono_us return monotonic time since an arbitrary start. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
/* clock_wall_ms returns milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);
/* clock_format_iso writes wall_ms as "2026-01-31T12:00:00.123Z" into text (at least 32 bytes). */
void clock_format_iso(int64_t wall_ms, char *text, size_t size);
