/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that follows the folder of connectors.dir. See file_reader.h.
 *
 * In Kubernetes the files are links through the link `..data`, which turns at once to a new version
 * in the same folder; elsewhere files are written or renamed one by one. The folder that it lies in
 * is watched, too, to see it come back. What inotify cannot tell (a file behind a placeholder, a
 * mount that does not answer) is looked at again after a while, as long as something is wrong.
 */
#include "coordinator/file_reader.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"
#include "worker/base/whole_file.h"

#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF |       \
     IN_MOVE_SELF | IN_ATTRIB)
#define PARENT_EVENTS (IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM)
/* So long nothing may happen before the folder is read; a folder in which something happens all the
 * time is read after the second time. */
#define QUIET_MS    200U
#define MAX_WAIT_MS 5000U
/* While something is wrong that a change of the folder need not mend. */
#define RETRY_MS 10000U

struct file_reader {
    char *folder;
    char *parent;
    const char *base; /* the folder's name in its parent; points into folder */
    struct file_check check;
    void (*on_change)(void *arg);
    void *arg;
    int stop_fd;
    struct thread thread;
    struct lock lock;
    struct file_set *set; /* under lock; NULL: none yet */
    int fd;               /* the thread's, as all below; -1: no inotify */
    int parent_wd;
    uint64_t first_ms; /* when the first of the changes was seen that were not read yet */
    uint64_t last_ms;  /* the newest of them; 0: none */
};

/* ---- reading ---- */

static int is_ours(const struct dirent *entry)
{
    const char *name = entry->d_name;
    size_t length = strlen(name);
    size_t ending = strlen(FILE_SET_ENDING);
    bool json =
        name[0] != '.' && length > ending && strcmp(name + length - ending, FILE_SET_ENDING) == 0;
    return json || strcmp(name, FILE_SET_MARKER) == 0;
}

/* Order of bytes: the same on every worker, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_one(struct file_set *set, const char *folder, const char *name, size_t *total)
{
    if (strcmp(name, FILE_SET_MARKER) == 0) {
        file_set_mark(set);
        return;
    }
    CLEANUP(free_charp) char *path = xasprintf("%s/%s", folder, name);
    struct buf content;
    struct error error = { ERR_OK, "" };
    buf_init(&content);
    enum err err = whole_file_read(path, FILE_SET_MAX_FILE, &content, NULL, &error);
    file_set_add(set, name, err == ERR_OK ? buf_text(&content) : NULL, content.length, error.text);
    *total += content.length;
    buf_wipe(&content);
}

struct file_set *file_set_read(const char *folder)
{
    struct file_set *set = file_set_new();
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_ours, by_name);
    size_t total = 0;
    if (n < 0) {
        file_set_fail(set, strerror(errno));
    } else if ((size_t)n > FILE_SET_MAX_FILES + 1) {
        file_set_fail(set, "it has more than 1000 files");
    }
    for (int i = 0; i < n; i++) {
        if (!set->error) {
            read_one(set, folder, entries[i]->d_name, &total);
        }
        if (!set->error && total > FILE_SET_MAX_BYTES) {
            file_set_fail(set, "its files have more than 16 MiB together");
        }
        free(entries[i]);
    }
    free(entries);
    return set;
}

/* ---- telling ---- */

static void log_set(const struct file_reader *reader, const struct file_set *set)
{
    if (set->error) {
        log_warn(NULL, "FILES-UNREADABLE",
                 "connectors.dir=\"%s\" reason=\"%s\" effect=\"its connectors stay as they are\"",
                 reader->folder, set->error);
        return;
    }
    log_info(NULL, "FILES-READ", "connectors.dir=\"%s\" files=%zu complete=%s digest=%s",
             reader->folder, set->n_items, set->complete ? "true" : "false", set->digest);
    for (size_t i = 0; i < set->n_items; i++) {
        const struct connector_file *item = &set->items[i];
        if (item->error) {
            log_warn(NULL, "FILE-BAD",
                     "file=\"%s\" connector=\"%s\" reason=\"%s\" effect=\"what it said before "
                     "stays in force\"",
                     item->file, item->connector, item->error);
        }
    }
}

static void publish(struct file_reader *reader, struct file_set *set)
{
    lock_take(&reader->lock);
    struct file_set *old = reader->set;
    bool same = old && file_set_equal(old, set);
    if (!same) {
        reader->set = set;
    }
    lock_drop(&reader->lock);
    if (same) {
        file_set_unref(set);
        return;
    }
    file_set_unref(old);
    log_set(reader, set); /* only this thread replaces it */
    reader->on_change(reader->arg);
}

static bool may_mend_itself(const struct file_set *set)
{
    bool may = set->error != NULL;
    for (size_t i = 0; i < set->n_items; i++) {
        may = may || set->items[i].unreachable;
    }
    return may;
}

/* ---- following ---- */

static void note_change(struct file_reader *reader)
{
    uint64_t now = clock_mono_ms();
    reader->first_ms = reader->last_ms ? reader->first_ms : now;
    reader->last_ms = now;
}

static void watch(struct file_reader *reader)
{
    if (reader->fd >= 0) {
        /* Adding what is watched already is no harm; a folder that is not there is told of by the
         * one that it lies in. */
        reader->parent_wd = inotify_add_watch(reader->fd, reader->parent, PARENT_EVENTS);
        (void)inotify_add_watch(reader->fd, reader->folder, EVENTS);
    }
}

/* The parent's other entries are none of our business. */
static bool concerns_us(const struct file_reader *reader, const struct inotify_event *event)
{
    return event->wd != reader->parent_wd || (event->mask & IN_Q_OVERFLOW) || event->len == 0 ||
           strncmp(event->name, reader->base, strcspn(reader->base, "/")) == 0;
}

/* Takes all events that wait; whether there were any that count. */
static bool take_events(struct file_reader *reader)
{
    _Alignas(struct inotify_event) char bytes[16384];
    bool any = false;
    ssize_t n;
    while (reader->fd >= 0 && (n = read(reader->fd, bytes, sizeof(bytes))) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const void *)(bytes + at);
            any = any || concerns_us(reader, event);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    if (any) {
        note_change(reader);
    }
    return any;
}

/* Reads the folder; ret_wake is when to look again if nothing happens. */
static void look(struct file_reader *reader, uint64_t *ret_wake_ms)
{
    uint64_t first_ms = reader->first_ms;
    reader->last_ms = 0;
    watch(reader);
    struct file_set *set = file_set_read(reader->folder);
    if (take_events(reader) && clock_mono_ms() < first_ms + MAX_WAIT_MS) {
        reader->first_ms = first_ms;
        file_set_unref(set);
        return; /* it may be half of two versions */
    }
    file_set_finish(set, &reader->check);
    *ret_wake_ms = may_mend_itself(set) ? clock_mono_ms() + RETRY_MS : UINT64_MAX;
    publish(reader, set);
}

static int timeout_until(uint64_t wake_ms)
{
    uint64_t now = clock_mono_ms();
    return wake_ms == UINT64_MAX ? -1 : now >= wake_ms ? 0 : (int)(wake_ms - now);
}

/* When the changes that were seen are to be read. */
static uint64_t due_ms(const struct file_reader *reader)
{
    uint64_t quiet = reader->last_ms + QUIET_MS;
    uint64_t latest = reader->first_ms + MAX_WAIT_MS;
    return quiet < latest ? quiet : latest;
}

static void *reader_main(void *arg)
{
    struct file_reader *reader = arg;
    struct pollfd fds[] = { { .fd = reader->stop_fd, .events = POLLIN },
                            { .fd = reader->fd, .events = POLLIN } };
    uint64_t wake_ms = UINT64_MAX;
    note_change(reader);
    look(reader, &wake_ms);
    for (;;) {
        uint64_t until = reader->last_ms ? due_ms(reader) : wake_ms;
        (void)poll(fds, N_ELEMENTS(fds), timeout_until(until));
        if (fds[0].revents) {
            return NULL;
        }
        (void)take_events(reader);
        uint64_t now = clock_mono_ms();
        if (reader->last_ms ? now >= due_ms(reader) : now >= wake_ms) {
            wake_ms = UINT64_MAX;
            reader->first_ms = reader->last_ms ? reader->first_ms : now;
            look(reader, &wake_ms);
        }
    }
}

/* ---- life ---- */

static char *parent_of(const char *folder)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') {
        length--;
    }
    while (length > 0 && folder[length - 1] != '/') {
        length--;
    }
    return length > 0 ? xstrndup(folder, length) : xstrdup(".");
}

struct file_reader *file_reader_start(const struct file_reader_options *options)
{
    struct file_reader *reader = xcalloc(1, sizeof(*reader));
    reader->folder = xstrdup(options->folder);
    reader->parent = parent_of(options->folder);
    bool bare = strcmp(reader->parent, ".") == 0;
    reader->base = reader->folder + (bare ? 0 : strlen(reader->parent));
    reader->check = options->check;
    reader->on_change = options->on_change;
    reader->arg = options->arg;
    lock_init(&reader->lock, LOCK_RANK_RUNNER);
    reader->stop_fd = eventfd(0, EFD_CLOEXEC);
    ASSERT(reader->stop_fd >= 0);
    reader->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (reader->fd < 0) {
        log_warn(
            NULL, "FILES-WATCH-FAILED",
            "connectors.dir=\"%s\" reason=\"%s\" effect=\"a change of its files counts after a "
            "restart\"",
            reader->folder, strerror(errno));
    }
    thread_start(&reader->thread, "connector-files", reader_main, reader);
    return reader;
}

void file_reader_stop(struct file_reader *reader)
{
    if (reader && reader->thread.running) {
        (void)eventfd_write(reader->stop_fd, 1);
        thread_join(&reader->thread);
    }
}

void file_reader_free(struct file_reader *reader)
{
    if (!reader) {
        return;
    }
    file_reader_stop(reader);
    if (reader->fd >= 0) {
        (void)close(reader->fd);
    }
    (void)close(reader->stop_fd);
    file_set_unref(reader->set);
    lock_fini(&reader->lock);
    free(reader->folder);
    free(reader->parent);
    free(reader);
}

struct file_set *file_reader_set(struct file_reader *reader)
{
    lock_take(&reader->lock);
    struct file_set *set = file_set_ref(reader->set);
    lock_drop(&reader->lock);
    return set;
}
