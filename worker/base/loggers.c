/* SPDX-License-Identifier: Apache-2.0 */
/* Loggers and their levels. See loggers.h. */
#include "worker/base/loggers.h"

#include <strings.h>

#include "worker/base/lock.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"

#define ROOT "root"

atomic_int log_thresholds[LOGGER_N] = {
#define L(id, name) LOG_INFO,
#include "worker/base/log.def"
#undef L
};

static const char *const own_names[] = {
#define L(id, name) name,
#include "worker/base/log.def"
#undef L
};
_Static_assert(N_ELEMENTS(own_names) == LOGGER_N, "a name for each logger");

/* In the order of the thresholds, from LOGGER_OFF. */
static const char *const level_names[] = { "OFF",  "FATAL", "ERROR", "WARN",
                                           "INFO", "DEBUG", "TRACE", "ALL" };
_Static_assert(N_ELEMENTS(level_names) == LOGGER_ALL - LOGGER_OFF + 1, "a name for each level");

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct lock lock;
static int64_t modified[LOGGER_N]; /* under lock, as all below it */
static struct logger_info *more;
static size_t n_more;

static void setup(void)
{
    lock_init(&lock, LOCK_RANK_LOG);
}

static void enter(void) LOCK_ATTRIBUTE(acquire_capability(lock));
static void enter(void)
{
    (void)pthread_once(&once, setup);
    lock_take(&lock);
}

bool logger_level_parse(const char *name, int *ret_threshold)
{
    for (int i = 0; i < (int)N_ELEMENTS(level_names); i++) {
        if (strcasecmp(name, level_names[i]) == 0) {
            *ret_threshold = i + LOGGER_OFF;
            return true;
        }
    }
    return false;
}

const char *logger_level_name(int threshold)
{
    ASSERT(threshold >= LOGGER_OFF && threshold <= LOGGER_ALL);
    return level_names[threshold - LOGGER_OFF];
}

static bool is_root(const char *name)
{
    return strcasecmp(name, ROOT) == 0;
}

/* Whether name is parent, or below it. */
static bool belongs_to(const char *name, const char *parent)
{
    size_t length = strlen(parent);
    return is_root(parent) ||
           (strncmp(name, parent, length) == 0 && (name[length] == '.' || name[length] == '\0'));
}

/* Both walks go over log.def's loggers first, then over the others. */
static size_t count_locked(void)
{
    return LOGGER_N + n_more;
}

static void read_locked(size_t i, struct logger_info *ret_info)
{
    if (i >= LOGGER_N) {
        *ret_info = more[i - LOGGER_N];
        return;
    }
    (void)snprintf(ret_info->name, sizeof(ret_info->name), "%s", own_names[i]);
    ret_info->threshold = log_thresholds[i];
    ret_info->modified_ms = modified[i];
}

static void write_locked(size_t i, int threshold, int64_t now_ms)
{
    if (i < LOGGER_N) {
        log_thresholds[i] = threshold;
        modified[i] = now_ms;
    } else {
        more[i - LOGGER_N].threshold = threshold;
        more[i - LOGGER_N].modified_ms = now_ms;
    }
}

static bool find_locked(const char *name, struct logger_info *ret_info)
{
    for (size_t i = 0; i < count_locked(); i++) {
        read_locked(i, ret_info);
        if (strcmp(ret_info->name, is_root(name) ? ROOT : name) == 0) {
            return true;
        }
    }
    return false;
}

static void list_init_sized(struct logger_list *list, size_t size)
{
    *list = (struct logger_list){ xcalloc(size, sizeof(*list->items)), 0 };
}

void logger_list_fini(struct logger_list *list)
{
    free(list->items);
    *list = (struct logger_list){ NULL, 0 };
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct logger_info *)a)->name, ((const struct logger_info *)b)->name);
}

static void sort(struct logger_list *list)
{
    qsort(list->items, list->n_items, sizeof(*list->items), compare_names);
}

void loggers_all(struct logger_list *ret_list)
{
    enter();
    list_init_sized(ret_list, count_locked());
    for (size_t i = 0; i < count_locked(); i++) {
        read_locked(i, &ret_list->items[ret_list->n_items++]);
    }
    lock_drop(&lock);
    sort(ret_list);
}

bool loggers_find(const char *name, struct logger_info *ret_info)
{
    enter();
    bool found = find_locked(name, ret_info);
    lock_drop(&lock);
    return found;
}

static enum err check_name(const char *name, struct error *reterr)
{
    size_t length = strlen(name);
    bool legal = length > 0 && length <= LOGGER_MAX_NAME && utf8_valid(name, length);
    for (size_t i = 0; legal && i < length; i++) {
        legal = (unsigned char)name[i] >= ' ' && name[i] != 0x7F;
    }
    return legal ? ERR_OK
                 : error_set(reterr, ERR_INVALID,
                             "a logger's name has 1 to %d bytes and no control characters",
                             LOGGER_MAX_NAME);
}

static enum err check_room_locked(struct error *reterr)
{
    if (n_more < LOGGERS_MAX_MORE) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_TOO_LARGE,
                     "%d loggers were set already that this worker does not have; use one of those "
                     "that GET /admin/loggers lists",
                     LOGGERS_MAX_MORE);
}

enum err loggers_check(const char *name, struct error *reterr)
{
    struct logger_info info;
    enum err err = check_name(name, reterr);
    if (err == ERR_OK) {
        enter();
        err = find_locked(name, &info) ? ERR_OK : check_room_locked(reterr);
        lock_drop(&lock);
    }
    return err;
}

/* Makes name known, at the level that its nearest known parent has. */
static enum err add_locked(const char *name, struct error *reterr)
{
    enum err err = check_room_locked(reterr);
    if (err != ERR_OK) {
        return err;
    }
    size_t length = 0;
    struct logger_info parent;
    struct logger_info info = { .threshold = log_thresholds[LOGGER_root] };
    (void)snprintf(info.name, sizeof(info.name), "%s", name);
    for (size_t i = 0; i < count_locked(); i++) {
        read_locked(i, &parent);
        if (!is_root(parent.name) && belongs_to(name, parent.name) &&
            strlen(parent.name) > length) {
            length = strlen(parent.name);
            info.threshold = parent.threshold;
        }
    }
    more = xrealloc(more, (n_more + 1) * sizeof(*more));
    more[n_more++] = info;
    return ERR_OK;
}

static void set_locked(const char *name, bool is_new, int threshold, int64_t now_ms,
                       struct logger_list *changed)
{
    size_t last = count_locked() - 1;
    for (size_t i = 0; i <= last; i++) {
        struct logger_info *info = &changed->items[changed->n_items];
        read_locked(i, info);
        bool changes = info->threshold != threshold || (is_new && i == last);
        if (changes && belongs_to(info->name, name)) {
            write_locked(i, threshold, now_ms);
            changed->n_items++;
        }
    }
}

enum err loggers_set(const char *name, int threshold, int64_t now_ms,
                     struct logger_list *ret_changed, struct error *reterr)
{
    struct logger_info info;
    enum err err = check_name(name, reterr);
    if (err != ERR_OK) {
        return err;
    }
    enter();
    bool is_new = !find_locked(name, &info);
    err = is_new ? add_locked(name, reterr) : ERR_OK;
    if (err == ERR_OK) {
        list_init_sized(ret_changed, count_locked());
        set_locked(name, is_new, threshold, now_ms, ret_changed);
    }
    lock_drop(&lock);
    if (err == ERR_OK) {
        sort(ret_changed);
    }
    return err;
}

void loggers_reset(int threshold)
{
    enter();
    free(TAKE(more));
    n_more = 0;
    for (size_t i = 0; i < LOGGER_N; i++) {
        write_locked(i, threshold, 0);
    }
    lock_drop(&lock);
}
