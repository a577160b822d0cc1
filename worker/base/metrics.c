/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metric cells and their rendering. Cells are atomics in a flat array per scope; the lock guards
 * only the list of scopes. See metrics.h.
 */
#include "worker/base/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "worker/base/clock.h"
#include "worker/base/cpu_load.h"
#include "worker/base/list.h"
#include "worker/base/lock.h"
#include "worker/base/mem.h"

enum metric_kind {
    COUNTER,
    GAUGE,
    HISTOGRAM,
    AGE /* the cell has the moment, what is shown is the time since */
};
enum metric_scope_kind {
    WORKER,
    TASK,
    SINK /* rows only: of tasks that have used one of these rows */
};

#define MAX_LABEL_VALUES 8
#define MAX_SECONDS      1e9

static const struct metric_row {
    const char *name;
    enum metric_kind kind;
    enum metric_scope_kind scope;
    const char *label;
    const char *values;
    const char *help;
} rows[METRIC_N] = {
#define M(id, name, kind, scope, label, values, help) { name, kind, scope, label, values, help },
#include "worker/base/metrics.def"
#undef M
};

/* Upper bounds in seconds; the last bucket is +Inf. */
static const double bounds[] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                 0.25,   0.5,   1,      2.5,   5,    10,    30,   60 };
#define N_BUCKETS (N_ELEMENTS(bounds) + 1)

struct histogram {
    _Atomic uint64_t buckets[N_BUCKETS];
    _Atomic uint64_t sum_us;
};

union cell {
    _Atomic uint64_t count;
    _Atomic double value;
    struct histogram *histogram;
};

struct metric_scope {
    struct list link;
    enum metric_scope_kind kind;
    char *connector; /* of a task's scope */
    int task;
    unsigned n_refs; /* guarded by registry.lock */
    atomic_bool sink;
    union cell cells[METRIC_N][MAX_LABEL_VALUES];
};

static struct {
    pthread_once_t once;
    struct lock lock;
    struct list tasks;
    struct cpu_load cpu; /* under lock */
    struct metric_scope worker;
    unsigned n_values[METRIC_N]; /* label values of each row, 1 if it has no label */
} registry = { .once = PTHREAD_ONCE_INIT };

static void scope_init(struct metric_scope *scope, enum metric_scope_kind kind)
{
    scope->kind = kind;
    scope->n_refs = 1;
    for (int id = 0; id < METRIC_N; id++) {
        if (rows[id].scope == kind && rows[id].kind == HISTOGRAM) {
            scope->cells[id][0].histogram = xcalloc(1, sizeof(struct histogram));
        }
    }
}

static unsigned count_values(const char *values)
{
    unsigned n = 1;
    for (const char *p = values; *p; p++) {
        n += *p == ' ';
    }
    return n;
}

static void registry_init(void)
{
    lock_init(&registry.lock, LOCK_RANK_METRICS);
    list_init(&registry.tasks);
    for (int id = 0; id < METRIC_N; id++) {
        registry.n_values[id] = count_values(rows[id].values);
        ASSERT(registry.n_values[id] <= MAX_LABEL_VALUES);
    }
    scope_init(&registry.worker, WORKER);
    cpu_load_init(&registry.cpu);
}

struct metric_scope *metrics_worker(void)
{
    (void)pthread_once(&registry.once, registry_init);
    return &registry.worker;
}

static struct metric_scope *find_task_locked(const char *connector, int task)
{
    LIST_FOREACH(&registry.tasks, node) {
        struct metric_scope *scope = CONTAINER_OF(node, struct metric_scope, link);
        if (scope->task == task && strcmp(scope->connector, connector) == 0) {
            return scope;
        }
    }
    return NULL;
}

struct metric_scope *metrics_task(const char *connector, int task)
{
    (void)metrics_worker();
    lock_take(&registry.lock);
    struct metric_scope *scope = find_task_locked(connector, task);
    if (scope) {
        scope->n_refs++;
    } else {
        scope = xcalloc(1, sizeof(*scope));
        scope_init(scope, TASK);
        scope->connector = xstrdup(connector);
        scope->task = task;
        list_push_back(&registry.tasks, &scope->link);
    }
    lock_drop(&registry.lock);
    return scope;
}

void metrics_task_drop(struct metric_scope *scope)
{
    if (!scope) {
        return;
    }
    lock_take(&registry.lock);
    bool last = --scope->n_refs == 0;
    if (last) {
        list_remove(&scope->link);
    }
    lock_drop(&registry.lock);
    if (!last) {
        return;
    }
    for (int id = 0; id < METRIC_N; id++) {
        if (rows[id].kind == HISTOGRAM) {
            free(scope->cells[id][0].histogram);
        }
    }
    free(scope->connector);
    free(scope);
}

static union cell *cell_of(struct metric_scope *scope, enum metric_id id, unsigned index)
{
    ASSERT(id < METRIC_N && index < registry.n_values[id]);
    ASSERT((rows[id].scope == WORKER) == (scope->kind == WORKER));
    if (rows[id].scope == SINK && !atomic_load_explicit(&scope->sink, memory_order_relaxed)) {
        atomic_store_explicit(&scope->sink, true, memory_order_relaxed);
    }
    return &scope->cells[id][index];
}

void metric_add(struct metric_scope *scope, enum metric_id id, unsigned index, uint64_t n)
{
    ASSERT(rows[id].kind == COUNTER);
    atomic_fetch_add_explicit(&cell_of(scope, id, index)->count, n, memory_order_relaxed);
}

void metric_set(struct metric_scope *scope, enum metric_id id, unsigned index, double value)
{
    ASSERT(rows[id].kind == GAUGE);
    atomic_store_explicit(&cell_of(scope, id, index)->value, value, memory_order_relaxed);
}

void metric_observe_many(struct metric_scope *scope, enum metric_id id, double seconds, uint64_t n)
{
    ASSERT(rows[id].kind == HISTOGRAM);
    struct histogram *histogram = cell_of(scope, id, 0)->histogram;
    /* The wall clock may be set back between two readings, and then a duration is negative. */
    seconds = seconds > 0 ? fmin(seconds, MAX_SECONDS) : 0;
    unsigned i = 0;
    while (i < N_ELEMENTS(bounds) && seconds > bounds[i]) {
        i++;
    }
    atomic_fetch_add_explicit(&histogram->buckets[i], n, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, (uint64_t)(seconds * 1e6) * n,
                              memory_order_relaxed);
}

void metric_observe(struct metric_scope *scope, enum metric_id id, double seconds)
{
    metric_observe_many(scope, id, seconds, 1);
}

void metric_since(struct metric_scope *scope, enum metric_id id, uint64_t since_ms)
{
    ASSERT(rows[id].kind == AGE);
    atomic_store_explicit(&cell_of(scope, id, 0)->count, since_ms, memory_order_relaxed);
}

/* What a cell shows. */
static double shown(const struct metric_row *row, const union cell *cell)
{
    if (row->kind != AGE) {
        return row->kind == COUNTER ? (double)cell->count : cell->value;
    }
    uint64_t since_ms = atomic_load_explicit(&cell->count, memory_order_relaxed);
    uint64_t now_ms = clock_mono_ms();
    return since_ms > 0 && now_ms > since_ms ? (double)(now_ms - since_ms) / 1000.0 : 0;
}

double metric_get(struct metric_scope *scope, enum metric_id id, unsigned index)
{
    ASSERT(rows[id].kind != HISTOGRAM);
    return shown(&rows[id], cell_of(scope, id, index));
}

/* Label values: backslash, quote and line feed are escaped, as the text format asks. */
static void add_label_value(struct buf *buf, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\n') {
            buf_add_text(buf, "\\n");
            continue;
        }
        if (*p == '\\' || *p == '"') {
            buf_add_char(buf, '\\');
        }
        buf_add_char(buf, *p);
    }
}

struct label {
    const char *name;
    const char *value;
};

static void add_series(struct buf *buf, const char *name, const struct metric_scope *scope,
                       const struct label *extra)
{
    buf_add_text(buf, name);
    bool has_extra = extra && extra->name[0];
    if (scope->kind == WORKER && !has_extra) {
        buf_add_char(buf, ' ');
        return;
    }
    buf_add_char(buf, '{');
    if (scope->kind == TASK) {
        buf_add_text(buf, "connector=\"");
        add_label_value(buf, scope->connector);
        buf_printf(buf, "\",task=\"%d\"%s", scope->task, has_extra ? "," : "");
    }
    if (has_extra) {
        buf_printf(buf, "%s=\"", extra->name);
        add_label_value(buf, extra->value);
        buf_add_char(buf, '"');
    }
    buf_add_text(buf, "} ");
}

static void render_histogram(struct buf *buf, const struct metric_row *row,
                             const struct metric_scope *scope, const struct histogram *histogram)
{
    char name[96];
    char bound[32];
    uint64_t total = 0;
    (void)snprintf(name, sizeof(name), "%s_bucket", row->name);
    for (unsigned i = 0; i < N_BUCKETS; i++) {
        total += histogram->buckets[i];
        if (i < N_ELEMENTS(bounds)) {
            (void)snprintf(bound, sizeof(bound), "%g", bounds[i]);
        }
        struct label le = { "le", i < N_ELEMENTS(bounds) ? bound : "+Inf" };
        add_series(buf, name, scope, &le);
        buf_printf(buf, "%llu\n", (unsigned long long)total);
    }
    (void)snprintf(name, sizeof(name), "%s_sum", row->name);
    add_series(buf, name, scope, NULL);
    buf_printf(buf, "%.6f\n", (double)histogram->sum_us / 1e6);
    (void)snprintf(name, sizeof(name), "%s_count", row->name);
    add_series(buf, name, scope, NULL);
    buf_printf(buf, "%llu\n", (unsigned long long)total);
}

static void render_cell(struct buf *buf, const struct metric_row *row,
                        const struct metric_scope *scope, const struct label *label,
                        const union cell *cell)
{
    add_series(buf, row->name, scope, label);
    if (row->kind == COUNTER) {
        buf_printf(buf, "%llu\n", (unsigned long long)cell->count);
    } else {
        buf_printf(buf, "%.15g\n", shown(row, cell));
    }
}

static void render_scope(struct buf *buf, unsigned id, const struct metric_scope *scope)
{
    const struct metric_row *row = &rows[id];
    if (row->kind == HISTOGRAM) {
        render_histogram(buf, row, scope, scope->cells[id][0].histogram);
        return;
    }
    char values[128];
    (void)snprintf(values, sizeof(values), "%s", row->values);
    char *rest = values;
    unsigned index = 0;
    for (char *value = strsep(&rest, " "); value; value = strsep(&rest, " ")) {
        struct label label = { row->label, value };
        render_cell(buf, row, scope, &label, &scope->cells[id][index++]);
    }
}

static const char *kind_name(enum metric_kind kind)
{
    return kind == COUNTER ? "counter" : kind == HISTOGRAM ? "histogram" : "gauge";
}

static void render_process(struct buf *buf)
{
    struct timespec cpu = { 0, 0 };
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    buf_printf(buf,
               "# HELP process_cpu_seconds_total CPU time used by the process.\n"
               "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.3f\n",
               (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;
    if (file) {
        if (fscanf(file, "%*u %lu", &pages) != 1) {
            pages = 0;
        }
        (void)fclose(file);
    }
    buf_printf(buf,
               "# HELP process_resident_memory_bytes Resident memory of the process.\n"
               "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %lu\n",
               pages * (unsigned long)sysconf(_SC_PAGESIZE));
}

/* What is known of all tasks of the worker, for who looks at one number per worker. */
static void sum_up_locked(struct metric_scope *worker)
{
    double oldest = 0;
    double use = 0;
    double lag = 0;
    unsigned n_tasks = 0;
    LIST_FOREACH(&registry.tasks, node) {
        struct metric_scope *task = CONTAINER_OF(node, struct metric_scope, link);
        oldest = fmax(oldest, metric_get(task, METRIC_OLDEST_UNACKED, 0));
        use += metric_get(task, METRIC_WINDOW_USE, 0);
        lag += atomic_load(&task->sink) ? metric_get(task, METRIC_SINK_LAG_ALL, 0) : 0;
        n_tasks++;
    }
    metric_set(worker, METRIC_WORKER_OLDEST_UNACKED, 0, oldest);
    metric_set(worker, METRIC_WORKER_WINDOW_USE, 0, n_tasks > 0 ? use / n_tasks : 0);
    metric_set(worker, METRIC_WORKER_SINK_LAG, 0, lag);
}

void metrics_render(struct buf *buf)
{
    struct metric_scope *worker = metrics_worker();
    struct cpu_look look = cpu_look_now();
    double limit = cpu_limit();
    lock_take(&registry.lock);
    sum_up_locked(worker);
    metric_set(worker, METRIC_WORKER_CPU, 0, cpu_load_ratio(&registry.cpu, look, limit));
    for (unsigned id = 0; id < METRIC_N; id++) {
        const struct metric_row *row = &rows[id];
        buf_printf(buf, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                   kind_name(row->kind));
        if (row->scope == WORKER) {
            render_scope(buf, id, worker);
            continue;
        }
        LIST_FOREACH(&registry.tasks, node) {
            const struct metric_scope *task = CONTAINER_OF(node, struct metric_scope, link);
            if (row->scope == TASK || atomic_load(&task->sink)) {
                render_scope(buf, id, task);
            }
        }
    }
    lock_drop(&registry.lock);
    render_process(buf);
}

void metrics_reference(struct buf *buf)
{
    buf_add_text(buf, "| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n");
    for (unsigned id = 0; id < METRIC_N; id++) {
        const struct metric_row *row = &rows[id];
        buf_printf(buf, "| `%s` | %s | %s%s%s | %s |\n", row->name, kind_name(row->kind),
                   row->scope != WORKER ? "connector, task" : "",
                   row->scope != WORKER && row->label[0] ? ", " : "", row->label, row->help);
    }
}
