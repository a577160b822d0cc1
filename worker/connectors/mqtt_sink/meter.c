/* SPDX-License-Identifier: Apache-2.0 */
/* See meter.h. */
#include "worker/connectors/mqtt_sink/meter.h"

#include "worker/base/macros.h"

#define WINDOW_MS 30000
#define EVERY_MS  1000

void meter_init(struct meter *meter, struct metric_scope *metrics, uint64_t now_ms)
{
    *meter = (struct meter){ .metrics = metrics, .window_ms = now_ms, .next_ms = now_ms };
    metric_set(metrics, METRIC_SINK_PARTITIONS, 0, 0);
}

void meter_soon(struct meter *meter)
{
    meter->next_ms = 0;
}

void meter_clear(struct meter *meter)
{
    static const enum metric_id gauges[] = {
        METRIC_SINK_READ_RATE,   METRIC_SINK_SEND_RATE, METRIC_SINK_LAG,     METRIC_SINK_PARTITIONS,
        METRIC_SINK_COMMIT_RATE, METRIC_SINK_SKIP_RATE, METRIC_SINK_ACTIVE,  METRIC_SINK_ACTIVE_MAX,
        METRIC_SINK_ACTIVE_AVG,  METRIC_SINK_PUT_MAX,   METRIC_SINK_PUT_AVG, METRIC_BUFFERED,
        METRIC_SINK_LAG_ALL,
    };
    for (size_t i = 0; i < N_ELEMENTS(gauges); i++) {
        metric_set(meter->metrics, gauges[i], 0, 0);
    }
}

void meter_batch(struct meter *meter, size_t n_read, size_t n_sent, size_t n_bytes,
                 uint64_t elapsed_us)
{
    metric_add(meter->metrics, METRIC_RECORDS_IN, 0, n_read);
    metric_add(meter->metrics, METRIC_BYTES_IN, 0, n_bytes);
    metric_add(meter->metrics, METRIC_SINK_READ, 0, n_read);
    metric_add(meter->metrics, METRIC_SINK_SEND, 0, n_sent);
    meter->n_read += n_read;
    meter->n_sent += n_sent;
    meter->n_batches++;
    meter->batch_us += elapsed_us;
    if (elapsed_us > meter->batch_max_us) {
        meter->batch_max_us = elapsed_us;
    }
}

void meter_commit(struct meter *meter, bool ok, bool late)
{
    meter->commit_number++;
    metric_set(meter->metrics, METRIC_SINK_COMMIT_SEQ, 0, (double)meter->commit_number);
    if (late) {
        meter->n_skips++;
        metric_add(meter->metrics, METRIC_SINK_SKIPS, 0, 1);
    } else if (ok) {
        meter->n_commits++;
        metric_add(meter->metrics, METRIC_SINK_COMMITS, 0, 1);
    }
}

static double per_second(uint64_t n, uint64_t elapsed_ms)
{
    return elapsed_ms > 0 ? (double)n * 1000.0 / (double)elapsed_ms : 0;
}

static void set_rates(const struct meter *meter, uint64_t elapsed_ms)
{
    const struct {
        enum metric_id id;
        double value;
    } gauges[] = {
        { METRIC_SINK_READ_RATE, per_second(meter->n_read, elapsed_ms) },
        { METRIC_SINK_SEND_RATE, per_second(meter->n_sent, elapsed_ms) },
        { METRIC_SINK_COMMIT_RATE, per_second(meter->n_commits, elapsed_ms) },
        { METRIC_SINK_SKIP_RATE, per_second(meter->n_skips, elapsed_ms) },
        { METRIC_SINK_PUT_MAX, (double)meter->batch_max_us / 1000.0 },
        { METRIC_SINK_PUT_AVG,
          meter->n_batches > 0 ? (double)meter->batch_us / 1000.0 / (double)meter->n_batches : 0 },
        { METRIC_SINK_ACTIVE_MAX, (double)meter->active_max },
        { METRIC_SINK_ACTIVE_AVG, (double)meter->active_sum / (double)meter->n_samples },
    };
    for (size_t i = 0; i < N_ELEMENTS(gauges); i++) {
        metric_set(meter->metrics, gauges[i].id, 0, gauges[i].value);
    }
}

/* The first record that is not done; -1: none is known. */
static int64_t first_open(const struct sink_partition *partition)
{
    if (partition->position >= 0 || list_empty(&partition->items)) {
        return partition->position;
    }
    /* Nothing is done yet, as where the broker has not been reached since the start. */
    return CONTAINER_OF(partition->items.next, struct sink_item, link)->fetched.offset;
}

static void set_partitions(const struct meter *meter, struct backlog *backlog,
                           const struct kafka_consumer *consumer)
{
    size_t n = 0;
    int64_t worst = 0;
    int64_t all = 0;
    LIST_FOREACH(backlog_partitions(backlog), link) {
        const struct sink_partition *partition = CONTAINER_OF(link, struct sink_partition, link);
        int64_t open = first_open(partition);
        int64_t lag = open < 0 ? 0 : kafka_consumer_lag(consumer, partition->kafka, open);
        worst = lag > worst ? lag : worst;
        all += lag;
        n++;
    }
    metric_set(meter->metrics, METRIC_SINK_PARTITIONS, 0, (double)n);
    metric_set(meter->metrics, METRIC_SINK_LAG, 0, (double)worst);
    metric_set(meter->metrics, METRIC_SINK_LAG_ALL, 0, (double)all);
}

static void begin_window(struct meter *meter, uint64_t now_ms)
{
    struct meter next = {
        .metrics = meter->metrics,
        .window_ms = now_ms,
        .next_ms = meter->next_ms,
        .commit_number = meter->commit_number,
    };
    *meter = next;
}

void meter_tick(struct meter *meter, struct backlog *backlog, const struct kafka_consumer *consumer,
                uint64_t now_ms)
{
    if (now_ms < meter->next_ms) {
        return;
    }
    uint64_t active = backlog_items(backlog);
    meter->next_ms = now_ms + EVERY_MS;
    meter->active_max = active > meter->active_max ? active : meter->active_max;
    meter->active_sum += active;
    meter->n_samples++;
    metric_set(meter->metrics, METRIC_SINK_ACTIVE, 0, (double)active);
    metric_set(meter->metrics, METRIC_BUFFERED, 0, (double)backlog_bytes(backlog));
    set_partitions(meter, backlog, consumer);
    set_rates(meter, now_ms - meter->window_ms);
    if (now_ms - meter->window_ms >= WINDOW_MS) {
        begin_window(meter, now_ms);
    }
}
