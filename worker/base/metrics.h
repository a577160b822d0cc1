/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: one table (metrics.def), cells that any thread updates without a lock, and the
 * Prometheus text format. A scope owns the cells of the worker or of one task.
 */
#pragma once

#include <stdint.h>

#include "worker/base/buf.h"

enum metric_id {
#define M(id, name, kind, scope, label, values, help) METRIC_##id,
#include "worker/base/metrics.def"
#undef M
    METRIC_N
};

struct metric_scope;

/* metrics_worker returns the scope of the process; it always exists. */
struct metric_scope *metrics_worker(void);
/* metrics_task returns the scope of a task and takes a reference to it; counters go on when a task
 * is started again. metrics_task_drop gives the reference (or NULL) back; the cells go when the
 * last one is gone. Thread: any. */
struct metric_scope *metrics_task(const char *connector, int task);
void metrics_task_drop(struct metric_scope *scope);

/* metric_add counts, metric_set sets a gauge, metric_observe adds `seconds` to a histogram.
 * index picks the value of the row's further label (0 if it has none). The id must belong to the
 * scope's kind and be of the function's kind. Negative seconds count as 0. Thread: any, no lock. */
void metric_add(struct metric_scope *scope, enum metric_id id, unsigned index, uint64_t n);
void metric_set(struct metric_scope *scope, enum metric_id id, unsigned index, double value);
void metric_observe(struct metric_scope *scope, enum metric_id id, double seconds);
/* metric_since sets an AGE to the time since a moment of the monotonic clock; 0: no age. */
void metric_since(struct metric_scope *scope, enum metric_id id, uint64_t since_ms);
/* metric_observe_many adds n equal observations. */
void metric_observe_many(struct metric_scope *scope, enum metric_id id, double seconds, uint64_t n);
/* metric_get returns a counter's, gauge's or age's value, for tests and REST. */
double metric_get(struct metric_scope *scope, enum metric_id id, unsigned index);

/* metrics_render appends all metrics, and process_* read from the system, in Prometheus' text
 * format. Thread: any. */
void metrics_render(struct buf *buf);
/* metrics_reference appends a Markdown table of all rows. */
void metrics_reference(struct buf *buf);
