/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka, group, runner and connectors of a make-believe world. See world.h. */
#include "tests/fakes/world.h"

#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/connector.h"
#include "worker/kafka/admin.h"
#include "worker/kafka/topic_log.h"
#include "worker/kafka/writer.h"

struct world world;

void world_begin(void)
{
    memset(&world, 0, sizeof(world));
    lock_init(&world.lock, LOCK_RANK_KAFKA);
    cond_init(&world.changed);
}

void world_end(void)
{
    for (size_t i = 0; i < world.n_records; i++) {
        free(world.records[i].topic);
        free(world.records[i].key);
        free(world.records[i].value);
    }
    cond_fini(&world.changed);
    lock_fini(&world.lock);
}

static void world_append_locked(const struct writer_record *record)
{
    ASSERT(world.n_records < WORLD_RECORDS);
    world.records[world.n_records++] = (struct world_record){
        .topic = xstrdup(record->topic),
        .key = xstrdup(record->key),
        .value = record->value ? xstrdup(record->value) : NULL,
    };
    cond_broadcast(&world.changed);
}

/* Waits until test says true, looking again whenever something changed in the world. */
static void world_wait_locked(world_test_fn *test, void *arg)
{
    uint64_t deadline = clock_mono_ms() + 10000;
    while (!test(arg)) {
        ASSERT(cond_wait_until(&world.changed, &world.lock, deadline));
    }
}

void world_wait(world_test_fn *test, void *arg)
{
    lock_take(&world.lock);
    world_wait_locked(test, arg);
    lock_drop(&world.lock);
}

/* ---- admin.h ---- */

struct kafka_admin {
    int unused;
};

enum err kafka_admin_open(const struct kvs *props UNUSED, struct kafka_admin **ret_admin,
                          struct error *reterr UNUSED)
{
    *ret_admin = xcalloc(1, sizeof(struct kafka_admin));
    return ERR_OK;
}

void kafka_admin_close(struct kafka_admin *admin)
{
    free(admin);
}

enum err kafka_admin_cluster_id(struct kafka_admin *admin UNUSED, int timeout_ms UNUSED, char *id,
                                size_t size, struct error *reterr)
{
    lock_take(&world.lock);
    bool unreachable = world.unreachable > 0;
    world.unreachable -= unreachable ? 1 : 0;
    lock_drop(&world.lock);
    if (unreachable) {
        return error_set(reterr, ERR_TIMEOUT, "no broker answers");
    }
    (void)snprintf(id, size, "WORLD");
    return ERR_OK;
}

enum err kafka_admin_ensure_topic(struct kafka_admin *admin UNUSED,
                                  const struct kafka_topic_spec *spec, int timeout_ms UNUSED,
                                  int *ret_partitions, struct error *reterr)
{
    if (world.refused_topic && strcmp(world.refused_topic, spec->property) == 0) {
        return error_set(reterr, world.refusal, "Topic '%s' supplied via the '%s' property",
                         spec->name, spec->property);
    }
    *ret_partitions = strstr(spec->property, "claims") ? WORLD_SLOTS : 1;
    return ERR_OK;
}

/* ---- topic_log.h: all topics are one partition of the one log ---- */

struct topic_log {
    char *topics[3];
    size_t next;
    size_t end;
    bool awake;
};

enum err topic_log_open(const struct kvs *props UNUSED, const char *const *topics,
                        unsigned n_topics, int timeout_ms UNUSED, struct topic_log **ret_log,
                        struct error *reterr UNUSED)
{
    struct topic_log *log = xcalloc(1, sizeof(*log));
    for (unsigned i = 0; i < n_topics; i++) {
        log->topics[i] = xstrdup(topics[i]);
    }
    lock_take(&world.lock);
    log->end = world.n_records;
    lock_drop(&world.lock);
    *ret_log = log;
    return ERR_OK;
}

void topic_log_close(struct topic_log *log)
{
    for (unsigned i = 0; i < N_ELEMENTS(log->topics); i++) {
        free(log->topics[i]);
    }
    free(log);
}

static void topic_log_hand_out(struct topic_log *log, size_t index, topic_log_fn *on_record,
                               void *arg)
{
    const struct world_record *found = &world.records[index];
    for (unsigned t = 0; t < N_ELEMENTS(log->topics); t++) {
        if (strcmp(log->topics[t], found->topic) == 0) {
            struct topic_log_record record = {
                .topic = t,
                .offset = (int64_t)index,
                .key = found->key,
                .key_length = strlen(found->key),
                .value = found->value,
                .value_length = found->value ? strlen(found->value) : 0,
            };
            on_record(arg, &record);
        }
    }
}

void topic_log_poll(struct topic_log *log, int timeout_ms, topic_log_fn *on_record, void *arg)
{
    uint64_t deadline = clock_mono_ms() + (uint64_t)(timeout_ms < 0 ? 60000 : timeout_ms);
    lock_take(&world.lock);
    while (log->next >= world.n_records && !log->awake &&
           cond_wait_until(&world.changed, &world.lock, deadline)) {
    }
    size_t end = world.n_records;
    lock_drop(&world.lock);
    for (; log->next < end; log->next++) {
        topic_log_hand_out(log, log->next, on_record, arg);
    }
}

void topic_log_wake(struct topic_log *log)
{
    lock_take(&world.lock);
    log->awake = true;
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
}

bool topic_log_caught_up(const struct topic_log *log)
{
    return log->next >= log->end;
}

/* ---- writer.h ---- */

struct kafka_writer {
    uint64_t epoch;
};

enum err kafka_writer_open(const struct kvs *props UNUSED, const char *transactional_id UNUSED,
                           struct kafka_writer **ret_writer, struct error *reterr UNUSED)
{
    *ret_writer = xcalloc(1, sizeof(struct kafka_writer));
    return ERR_OK;
}

void kafka_writer_close(struct kafka_writer *writer)
{
    free(writer);
}

enum err kafka_writer_init(struct kafka_writer *writer, int timeout_ms UNUSED,
                           struct error *reterr UNUSED)
{
    lock_take(&world.lock);
    writer->epoch = ++world.writer_epoch;
    world.n_inits++;
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
    return ERR_OK;
}

static bool writer_is_free(void *arg UNUSED)
{
    return !world.writer_blocked;
}

enum err kafka_writer_commit(struct kafka_writer *writer, const struct writer_record *records,
                             size_t n_records, int timeout_ms UNUSED, int64_t *ret_offset,
                             struct error *reterr)
{
    lock_take(&world.lock);
    world_wait_locked(writer_is_free, NULL);
    enum err err = writer->epoch == world.writer_epoch ? world.commit_error : ERR_FENCED;
    world.commit_error = ERR_OK;
    int64_t offset = -1;
    for (size_t i = 0; i < n_records && err == ERR_OK; i++) {
        world_append_locked(&records[i]);
        if (strcmp(records[i].topic, records[0].topic) == 0) {
            offset = (int64_t)world.n_records - 1;
        }
    }
    lock_drop(&world.lock);
    if (err != ERR_OK) {
        return error_set(reterr, err, "the world says %s", err_name(err));
    }
    *ret_offset = offset;
    return ERR_OK;
}

struct kafka_status_writer {
    int unused;
};

enum err kafka_status_writer_open(const struct kvs *props UNUSED,
                                  struct kafka_status_writer **ret_writer,
                                  struct error *reterr UNUSED)
{
    *ret_writer = xcalloc(1, sizeof(struct kafka_status_writer));
    return ERR_OK;
}

void kafka_status_writer_close(struct kafka_status_writer *writer, int timeout_ms UNUSED)
{
    free(writer);
}

void kafka_status_writer_put(struct kafka_status_writer *writer UNUSED,
                             const struct writer_record *record)
{
    lock_take(&world.lock);
    world_append_locked(record);
    lock_drop(&world.lock);
}

/* ---- group.h: the test calls the callbacks on its own thread ---- */

enum err group_start(const struct group_options *options, const struct group_callbacks *callbacks,
                     struct group **ret_group, struct error *reterr UNUSED)
{
    struct group *group = xcalloc(1, sizeof(*group));
    group->callbacks = *callbacks;
    (void)snprintf(group->client_id, sizeof(group->client_id), "%s", options->client_id);
    lock_take(&world.lock);
    world.groups[world.n_groups++] = group;
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
    *ret_group = group;
    return ERR_OK;
}

void group_stop(struct group *group, int timeout_ms UNUSED)
{
    if (group) {
        int32_t slots[WORLD_SLOTS];
        for (int32_t i = 0; i < WORLD_SLOTS; i++) {
            slots[i] = i;
        }
        group->callbacks.on_revoked(group->callbacks.arg, slots, WORLD_SLOTS);
        group->left = true; /* freed by the test */
    }
}

/* ---- watch.h: the test calls the callback ---- */

struct watch *watch_start(watch_fn *on_change, void *arg)
{
    struct watch *watch = xcalloc(1, sizeof(*watch));
    watch->on_change = on_change;
    watch->arg = arg;
    lock_take(&world.lock);
    world.watches[world.n_watches++] = watch;
    lock_drop(&world.lock);
    return watch;
}

void watch_set(struct watch *watch, const struct watch_target *targets, size_t n_targets)
{
    lock_take(&world.lock);
    watch->n_instances = 0;
    for (size_t i = 0; i < n_targets && i < WORLD_MAX; i++) {
        char *place = watch->instances[watch->n_instances++];
        (void)snprintf(place, sizeof(watch->instances[0]), "%s", targets[i].instance);
    }
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
}

void watch_stop(struct watch *watch UNUSED)
{
    /* The test may look at it afterwards; world_end frees it. */
}

/* ---- runner.h ---- */

struct runner *runner_new(const struct kvs *worker_props UNUSED,
                          const struct offset_port *offsets UNUSED, runner_event_fn *on_event,
                          void *arg)
{
    struct runner *runner = xcalloc(1, sizeof(*runner));
    runner->on_event = on_event;
    runner->arg = arg;
    lock_take(&world.lock);
    world.runners[world.n_runners++] = runner;
    lock_drop(&world.lock);
    return runner;
}

void runner_free(struct runner *runner UNUSED)
{
    /* The test looks at it afterwards and frees it. */
}

void runner_tell(struct runner *runner, enum task_event_kind kind, uint64_t incarnation)
{
    struct task_event event = { .kind = kind, .incarnation = incarnation };
    runner->on_event(runner->arg, &event);
}

void runner_start(struct runner *runner, const struct task_spec *spec)
{
    lock_take(&world.lock);
    struct world_task *task = &runner->tasks[runner->n_tasks++];
    (void)snprintf(task->name, sizeof(task->name), "%s-%d", spec->connector, spec->task);
    task->incarnation = spec->incarnation;
    task->paused = spec->paused;
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
    runner_tell(runner, spec->paused ? TASK_EVENT_PAUSED : TASK_EVENT_RUNNING, spec->incarnation);
}

static struct world_task *runner_find(struct runner *runner, uint64_t incarnation)
{
    for (size_t i = 0; i < runner->n_tasks; i++) {
        if (runner->tasks[i].incarnation == incarnation) {
            return &runner->tasks[i];
        }
    }
    return NULL;
}

void runner_stop(struct runner *runner, uint64_t incarnation, uint64_t deadline_ms)
{
    lock_take(&world.lock);
    struct world_task *task = runner_find(runner, incarnation);
    bool ends = task && !task->stopped && !runner->hold_stops;
    if (task) {
        task->stopped = ends || task->stopped;
        task->deadline_ms = deadline_ms;
    }
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
    if (ends) {
        runner_tell(runner, TASK_EVENT_STOPPED, incarnation);
    }
}

void runner_sweep(struct runner *runner, runner_keep_fn *keep, void *arg)
{
    lock_take(&world.lock);
    for (size_t i = 0; i < runner->n_tasks; i++) {
        struct world_task *task = &runner->tasks[i];
        char *dash = strrchr(task->name, '-');
        *dash = '\0';
        bool keeps = keep(arg, task->name, (int)strtol(dash + 1, NULL, 10));
        *dash = '-';
        task->swept = task->swept || (task->stopped && !keeps);
    }
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
}

void runner_pause(struct runner *runner, uint64_t incarnation)
{
    runner_tell(runner, TASK_EVENT_PAUSED, incarnation);
}

void runner_resume(struct runner *runner, uint64_t incarnation)
{
    runner_tell(runner, TASK_EVENT_RUNNING, incarnation);
}

void runner_update(struct runner *runner, uint64_t incarnation,
                   const struct runner_update *update UNUSED)
{
    lock_take(&world.lock);
    struct world_task *task = runner_find(runner, incarnation);
    if (task) {
        task->n_updates++;
    }
    bool declines = runner->declines;
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
    runner_tell(runner, declines ? TASK_EVENT_DECLINED : TASK_EVENT_UPDATED, incarnation);
}

void runner_retire(struct runner *runner, uint64_t incarnation, const char *connector UNUSED,
                   const struct kvs *config UNUSED, const struct kvs *task_configs UNUSED,
                   size_t n_task_configs UNUSED)
{
    lock_take(&world.lock);
    bool holds = runner->hold_retirements;
    runner->retirement = holds ? incarnation : 0;
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
    if (!holds) {
        runner_tell(runner, RETIRE_EVENT_DONE, incarnation);
    }
}

void runner_end_retirements(struct runner *runner)
{
    lock_take(&world.lock);
    runner->n_retirement_ends++;
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
}

/* ---- connector.h: one kind, with as many tasks as tasks.max says ---- */

static enum err fake_task_configs(const struct connector_facts *facts UNUSED,
                                  const struct kvs *config, const struct kvs *before UNUSED,
                                  size_t n_before UNUSED, struct kvs **ret_configs, size_t *ret_n,
                                  struct error *reterr UNUSED)
{
    size_t n = strtoul(kvs_get(config, "tasks.max"), NULL, 10);
    *ret_configs = xcalloc(n, sizeof(struct kvs));
    for (size_t i = 0; i < n; i++) {
        kvs_init(&(*ret_configs)[i]);
    }
    *ret_n = n;
    return ERR_OK;
}

static enum err fake_retire(const struct connector_facts *facts UNUSED,
                            const struct kvs *config UNUSED, const struct kvs *task_configs UNUSED,
                            size_t n_task_configs UNUSED, struct error *reterr UNUSED)
{
    return ERR_OK;
}

static const char *const fake_names[] = { "x.FakeConnector", NULL };
static const struct connector_plugin fake_plugin = {
    .class_names = fake_names,
    .version = "1.2.3",
    .task_configs = fake_task_configs,
    .retire = fake_retire,
};
static const struct connector_plugin *const fake_plugins[] = { &fake_plugin, NULL };

const struct connector_plugin *connector_find(const char *class_name)
{
    return strcmp(class_name, "Fake") == 0 ? &fake_plugin : NULL;
}

const struct connector_plugin *const *connector_plugins(void)
{
    return fake_plugins;
}

const char *connector_type_name(enum connector_type type UNUSED)
{
    return "source";
}

void connector_configs_free(struct kvs *configs, size_t n_configs)
{
    for (size_t i = 0; i < n_configs; i++) {
        kvs_fini(&configs[i]);
    }
    free(configs);
}
