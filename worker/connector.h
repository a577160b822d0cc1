/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plug-in interface of connector kinds: one const struct per kind, listed in connectors.c. The
 * worker, REST and the references work from these rows only, so a new kind is one folder and one
 * line in that list.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/base/config_def.h"
#include "worker/base/config_result.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"
#include "worker/base/log.h"
#include "worker/base/metrics.h"

/* tasks.max of a connector whose tasks follow the number of workers. */
#define CONNECTOR_TASKS_AUTO "auto"

enum connector_type {
    CONNECTOR_SOURCE,
    CONNECTOR_SINK
};

/* Why task_run came back. */
enum task_end {
    TASK_END_STOPPED, /* asked to stop: everything drained as far as time allowed */
    TASK_END_FAILED,  /* reterr says why; becomes the status' trace */
};

/* What the runner wants of a task; read with task_wanted. */
enum task_wanted {
    TASK_WANTED_RUN,
    TASK_WANTED_PAUSE,
    TASK_WANTED_STOP
};

struct active_topics;
struct cJSON;
struct task_control;

/* task_wanted returns what the runner wants now. Thread: any, no lock. */
enum task_wanted task_wanted(const struct task_control *control);
/* task_control_fd is an eventfd that becomes readable when the wish changes; task_control_clear
 * reads it empty. Thread: the task's. */
int task_control_fd(const struct task_control *control);
void task_control_clear(struct task_control *control);
/* task_deadline_ms returns the monotonic time by which a stop must have drained. */
uint64_t task_deadline_ms(const struct task_control *control);
/* task_report_running and task_report_paused tell the cluster the state that the task reached. */
void task_report_running(struct task_control *control);
void task_report_paused(struct task_control *control);

/* New configs for a task that runs. */
struct task_update {
    const struct kvs *connector_config;
    const struct kvs *task_config;
    /* Whether the task may take outside things (MQTT sessions, say) that its present task config
     * does not name; until then another task may still hold them. What the new one does not name
     * any more is to be given up in any case, before the answer. */
    bool may_take;
    uint64_t deadline_ms; /* monotonic: decline when it cannot be done by then */
};

/* task_update_pending returns the update that waits for an answer, NULL if there is none; borrowed
 * until task_update_answer. It is announced on task_control_fd. Thread: the task's. */
const struct task_update *task_update_pending(struct task_control *control);
/* task_update_answer says that the task works with the new configs from here on, or that it has to
 * be restarted to do so (then it goes on with the old ones until it is). The configs that are not
 * used any more are freed; the others live on and are those of the context. Thread: the task's. */
void task_update_answer(struct task_control *control, bool taken);

/* task_offset_get returns an owned JSON text stored for a source partition (JSON object text, keys
 * in a fixed order), NULL if none; task_offset_put stores one (NULL removes it), asynchronously. */
char *task_offset_get(struct task_control *control, const char *partition);
void task_offset_put(struct task_control *control, const char *partition, const char *offset);

/* What a task gets at its start; borrowed for its whole life. */
struct task_context {
    const char *connector;
    int task;
    const struct kvs *connector_config; /* of the connector, placeholders resolved */
    const struct kvs *task_config;      /* what task_configs made for this task */
    const struct kvs *worker_props;     /* the worker's properties */
    const struct log_ctx *log;
    struct metric_scope *metrics;
    struct task_control *control;
    struct active_topics *topics; /* to note the Kafka topics that it uses; see active_topics.h */
};

/* Shared facts that a connector kind needs to name things. */
struct connector_facts {
    const char *name;     /* the connector's */
    const char *group_id; /* the worker group's */
    bool auto_tasks;    /* tasks.max is CONNECTOR_TASKS_AUTO, and the config has what that is now */
    const int *stop_fd; /* retire gives up when it becomes readable; NULL: never */
};

struct connector_plugin {
    const char *const *class_names; /* NULL-terminated; the first is the canonical one */
    enum connector_type type;
    const char *version;
    struct config_table table; /* the kind's own keys */
    /* Checks across keys; adds errors to entries of result. config holds the user's texts. */
    void (*validate)(const struct kvs *config, struct config_result *result);
    /* Divides the connector's work: fills ret_configs (an owned array of ret_n initialised maps,
     * 1 <= n <= max_tasks). `before` are the present task configs (n_before may be 0): facts that
     * must not shrink by themselves, such as the number of MQTT sessions, are read from them. */
    enum err (*task_configs)(const struct connector_facts *facts, const struct kvs *config,
                             const struct kvs *before, size_t n_before, struct kvs **ret_configs,
                             size_t *ret_n, struct error *reterr);
    /* Life of a task, all on the task's own thread: make it, run it until it is to stop or fails
     * (pausing and going on inside, as task_wanted says), free it. */
    enum err (*task_new)(const struct task_context *context, void **ret_task, struct error *reterr);
    enum task_end (*task_run)(void *task, struct error *reterr);
    void (*task_free)(void *task);
    /* task_run looks at task_update_pending while it runs; else a new config is a restart. */
    bool live_updates;
    /* Ends for good what a deleted connector left outside (its MQTT sessions). Blocks up to a
     * minute on a thread of its own, or until facts->stop_fd is readable; ERR_UNAVAILABLE and
     * ERR_TIMEOUT: try again later. May be NULL. */
    enum err (*retire)(const struct connector_facts *facts, const struct kvs *config,
                       const struct kvs *task_configs, size_t n_task_configs, struct error *reterr);
    /* Sources: whether partition and offset (NULL: to be forgotten) have the shape that this kind
     * stores; asked before a client changes them. ERR_INVALID with a text. NULL: any primitives. */
    enum err (*check_offset)(const struct cJSON *partition, const struct cJSON *offset,
                             struct error *reterr);
};

/* connector_find returns the plug-in of a class name: a full name, its simple name (behind the last
 * dot), or that without the ending "Connector"; NULL if unknown. Thread: any. */
const struct connector_plugin *connector_find(const char *class_name);
/* connector_plugins returns the NULL-terminated list of all kinds. */
const struct connector_plugin *const *connector_plugins(void);
/* connector_type_name returns "source" or "sink". */
const char *connector_type_name(enum connector_type type);
/* connector_configs_free releases what task_configs returned. */
void connector_configs_free(struct kvs *configs, size_t n_configs);

/* connector_validate validates a whole connector config as Connect does: the framework's keys
 * (name, connector.class, tasks.max, converters, transforms, errors.*, topic.creation.*,
 * producer.override.*), then the kind's own. ERR_NOT_FOUND with Connect's text when the class is
 * unknown, ERR_INVALID when connector.class is missing; otherwise ERR_OK, errors are in result. */
enum err connector_validate(const struct kvs *worker_props, const struct kvs *config,
                            struct config_result *result, struct error *reterr) MUST_CHECK;
/* Most tasks of one connector. */
#define CONNECTOR_TASKS_LIMIT 10000
/* The most bytes of a record about a connector, key and value together. Below what a producer and a
 * topic of Kafka take by default (max.request.size 1048576), with room for what a batch adds. */
#define CONNECTOR_RECORD_LIMIT 1040000
/* connector_common_table returns the framework's rows for a source or sink. */
const struct config_table *connector_common_table(enum connector_type type);
