/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching of looked-up files. See watch.h.
 *
 * A folder is watched, not the file: secrets are exchanged by renaming, and in Kubernetes it is the
 * link `..data` beside the file that turns. Watched are the folder of the path as it is given, the
 * folder of each link that is part of it, and the folder where the file really lies. A folder that
 * vanishes is watched again if it is there again by then.
 */
#include "worker/providers/watch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/base/list.h"
#include "worker/base/lock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/queue.h"
#include "worker/base/thread.h"

#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |        \
     IN_ONLYDIR)
#define LOG_MS 10000

enum watch_op {
    WATCH_ADD,    /* task -> watch */
    WATCH_REMOVE, /* task's owner -> watch */
    WATCH_STOP    /* owner -> watch */
};

/* Something that is watched, and the op that brings it. */
struct subject {
    struct list node;
    enum watch_op op;
    uint64_t id;
    char *label;
    struct kvs raw;      /* the values with placeholders */
    struct kvs resolved; /* what they were */
    struct config_list files;
    size_t n_missing;
    int *wds;
    size_t n_wds;
    bool due; /* to be looked at */
};

struct watch {
    const struct providers *providers;
    watch_fn *on_change;
    void *arg;
    struct queue ops;
    struct lock lock; /* guards the start of the thread, with which fd is there */
    int fd;           /* -1: not started */
    struct thread thread;
    struct list subjects; /* the thread's */
};

static void subject_free(struct subject *subject)
{
    kvs_fini(&subject->raw);
    kvs_fini(&subject->resolved);
    config_list_fini(&subject->files);
    free(subject->label);
    free(subject->wds);
    free(subject);
}

static struct subject *subject_new(enum watch_op op, uint64_t id, const char *label)
{
    struct subject *subject = xcalloc(1, sizeof(*subject));
    list_init(&subject->node);
    subject->op = op;
    subject->id = id;
    subject->label = xstrdup(label);
    kvs_init(&subject->raw);
    kvs_init(&subject->resolved);
    return subject;
}

/* ---- folders ---- */

static bool uses(const struct subject *subject, int wd)
{
    for (size_t i = 0; i < subject->n_wds; i++) {
        if (subject->wds[i] == wd) {
            return true;
        }
    }
    return false;
}

static void watch_folder(struct watch *watch, struct subject *subject, const char *folder)
{
    int wd = inotify_add_watch(watch->fd, folder, EVENTS);
    if (wd < 0) {
        static struct log_limit limit;
        unsigned suppressed = 0;
        if (log_limit_pass(&limit, LOG_MS, &suppressed)) {
            log_warn(NULL, "PROVIDER-WATCH-FAILED",
                     "%s folder=\"%s\" reason=\"%s\" effect=\"a change of its files needs a restart"
                     " by hand\" suppressed=%u",
                     subject->label, folder, strerror(errno), suppressed);
        }
        return;
    }
    if (!uses(subject, wd)) {
        subject->wds = xrealloc(subject->wds, (subject->n_wds + 1) * sizeof(*subject->wds));
        subject->wds[subject->n_wds++] = wd;
    }
}

/* Watches the folder that the first `length` bytes of path lie in. */
static void watch_parent(struct watch *watch, struct subject *subject, const char *path,
                         size_t length)
{
    while (length > 0 && path[length - 1] != '/') {
        length--;
    }
    CLEANUP(free_charp) char *folder = length ? xstrndup(path, length) : xstrdup(".");
    watch_folder(watch, subject, folder);
}

static void watch_file(struct watch *watch, struct subject *subject, const char *path)
{
    size_t length = strlen(path);
    watch_parent(watch, subject, path, length);
    for (size_t i = 1; i < length; i++) {
        if (path[i] != '/') {
            continue;
        }
        CLEANUP(free_charp) char *front = xstrndup(path, i);
        struct stat stat;
        if (lstat(front, &stat) == 0 && S_ISLNK(stat.st_mode)) {
            watch_parent(watch, subject, front, i);
        }
    }
    CLEANUP(free_charp) char *real = realpath(path, NULL);
    if (real) {
        watch_parent(watch, subject, real, strlen(real));
    }
}

static void watch_files(struct watch *watch, struct subject *subject)
{
    subject->n_wds = 0;
    for (size_t i = 0; i < subject->files.n_items; i++) {
        watch_file(watch, subject, subject->files.items[i]);
    }
}

/* Folders that nobody uses any more are not watched any more. */
static void unwatch(struct watch *watch, const struct subject *gone)
{
    for (size_t i = 0; i < gone->n_wds; i++) {
        bool used = false;
        LIST_FOREACH(&watch->subjects, item) {
            used = used || uses(CONTAINER_OF(item, struct subject, node), gone->wds[i]);
        }
        if (!used) {
            (void)inotify_rm_watch(watch->fd, gone->wds[i]);
        }
    }
}

static void drop(struct watch *watch, struct subject *subject)
{
    list_remove(&subject->node);
    unwatch(watch, subject);
    subject_free(subject);
}

/* ---- values ---- */

/* A file that is written anew is empty for a moment. */
static bool is_emptied(const struct kvs *before, const struct kvs *now)
{
    for (size_t i = 0; i < before->n_items; i++) {
        const char *old = before->items[i].value;
        const char *fresh = kvs_get(now, before->items[i].key);
        if (old && old[0] != '\0' && fresh && fresh[0] == '\0') {
            return true;
        }
    }
    return false;
}

/* Whether all values can be looked up and are not what they were. */
static bool has_changed(const struct watch *watch, const struct subject *subject)
{
    struct resolution now;
    struct error error;
    if (providers_resolve(watch->providers, &subject->raw, &now, &error) != ERR_OK) {
        return false;
    }
    bool changed = now.n_missing <= subject->n_missing &&
                   !kvs_equal(&now.config, &subject->resolved) &&
                   !is_emptied(&subject->resolved, &now.config);
    resolution_fini(&now);
    return changed;
}

static void look(struct watch *watch, struct subject *subject)
{
    subject->due = false;
    if (has_changed(watch, subject)) {
        log_info(NULL, "PROVIDER-CHANGED", "%s reason=\"a value behind a placeholder is new\"",
                 subject->label);
        watch->on_change(watch->arg, subject->id);
        drop(watch, subject);
    }
}

static void look_at_due(struct watch *watch)
{
    LIST_FOREACH(&watch->subjects, item) {
        struct subject *subject = CONTAINER_OF(item, struct subject, node);
        if (subject->due) {
            look(watch, subject);
        }
    }
}

/* ---- events ---- */

static void on_event(struct watch *watch, const struct inotify_event *event)
{
    LIST_FOREACH(&watch->subjects, item) {
        struct subject *subject = CONTAINER_OF(item, struct subject, node);
        bool concerned = (event->mask & IN_Q_OVERFLOW) || uses(subject, event->wd);
        if (concerned && (event->mask & IN_IGNORED)) {
            watch_files(watch, subject);
        }
        subject->due = subject->due || concerned;
    }
}

static void read_events(struct watch *watch)
{
    _Alignas(struct inotify_event) char bytes[16384];
    ssize_t n = read(watch->fd, bytes, sizeof(bytes));
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *event = (const void *)(bytes + at);
        on_event(watch, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}

static void remove_id(struct watch *watch, uint64_t id)
{
    LIST_FOREACH(&watch->subjects, item) {
        struct subject *subject = CONTAINER_OF(item, struct subject, node);
        if (subject->id == id) {
            drop(watch, subject);
        }
    }
}

/* Takes all ops that wait; false when the last one has come. */
static bool take_ops(struct watch *watch)
{
    struct list *node;
    while ((node = queue_pop(&watch->ops, 0)) != NULL) {
        struct subject *subject = CONTAINER_OF(node, struct subject, node);
        if (subject->op == WATCH_ADD) {
            list_push_back(&watch->subjects, &subject->node);
            watch_files(watch, subject);
            subject->due = true; /* it may have changed before the folder was watched */
            continue;
        }
        bool stop = subject->op == WATCH_STOP;
        remove_id(watch, subject->id);
        subject_free(subject);
        if (stop) {
            return false;
        }
    }
    return true;
}

static void *watch_main(void *arg)
{
    struct watch *watch = arg;
    struct pollfd fds[] = { { .fd = queue_fd(&watch->ops), .events = POLLIN },
                            { .fd = watch->fd, .events = POLLIN } };
    bool goes_on = true;
    while (goes_on) {
        (void)poll(fds, N_ELEMENTS(fds), -1);
        /* In this order: what was removed before an event is not told of it. */
        read_events(watch);
        goes_on = take_ops(watch);
        look_at_due(watch);
    }
    return NULL;
}

/* ---- the others' side ---- */

struct watch *watch_new(const struct providers *providers, watch_fn *on_change, void *arg)
{
    struct watch *watch = xcalloc(1, sizeof(*watch));
    watch->providers = providers;
    watch->on_change = on_change;
    watch->arg = arg;
    watch->fd = -1;
    queue_init(&watch->ops, 0, true);
    lock_init(&watch->lock, LOCK_RANK_RUNNER);
    list_init(&watch->subjects);
    return watch;
}

/* False when the system has no inotify or descriptor left: then this is not watched, and the next
 * one tries again. */
static bool start(struct watch *watch)
{
    lock_take(&watch->lock);
    bool first = watch->fd < 0;
    int fd = first ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : watch->fd;
    int error = fd < 0 ? errno : 0;
    if (first && fd >= 0) {
        watch->fd = fd;
        thread_start(&watch->thread, "provider-watch", watch_main, watch);
    }
    lock_drop(&watch->lock);
    if (error) {
        log_warn(NULL, "PROVIDER-WATCH-FAILED",
                 "reason=\"%s\" effect=\"a change of a file behind a placeholder needs a restart by"
                 " hand\"",
                 strerror(error));
    }
    return !error;
}

static void push(struct watch *watch, struct subject *subject)
{
    if (!queue_push(&watch->ops, &subject->node)) {
        subject_free(subject);
    }
}

void watch_add(struct watch *watch, uint64_t id, const char *label, const struct kvs *config,
               const struct resolution *resolution)
{
    if (resolution->files.n_items == 0 || !start(watch)) {
        return;
    }
    struct subject *subject = subject_new(WATCH_ADD, id, label);
    for (size_t i = 0; i < config->n_items; i++) {
        const struct kv *item = &config->items[i];
        if (providers_takes(item->key) && providers_refers(watch->providers, item->value)) {
            kvs_set(&subject->raw, item->key, item->value);
            kvs_set(&subject->resolved, item->key, kvs_get(&resolution->config, item->key));
        }
    }
    subject->n_missing = resolution->n_missing;
    for (size_t i = 0; i < resolution->files.n_items; i++) {
        struct config_list *files = &subject->files;
        files->items = xrealloc(files->items, (files->n_items + 1) * sizeof(*files->items));
        files->items[files->n_items++] = xstrdup(resolution->files.items[i]);
    }
    push(watch, subject);
}

void watch_remove(struct watch *watch, uint64_t id)
{
    lock_take(&watch->lock);
    bool works = watch->fd >= 0;
    lock_drop(&watch->lock);
    if (works) {
        push(watch, subject_new(WATCH_REMOVE, id, ""));
    }
}

void watch_free(struct watch *watch)
{
    if (!watch) {
        return;
    }
    if (watch->thread.running) {
        push(watch, subject_new(WATCH_STOP, 0, ""));
        thread_join(&watch->thread);
    }
    queue_close(&watch->ops);
    LIST_FOREACH(&watch->subjects, item) {
        list_remove(item);
        subject_free(CONTAINER_OF(item, struct subject, node));
    }
    if (watch->fd >= 0) {
        (void)close(watch->fd);
    }
    queue_fini(&watch->ops);
    lock_fini(&watch->lock);
    free(watch);
}
