/* SPDX-License-Identifier: Apache-2.0 */
/* See topic_search.h. The lock guards what the thread found and the wish to stop. */
#include "worker/kafka/topic_search.h"

#include <unistd.h>

#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/regex.h"
#include "worker/base/thread.h"
#include "worker/kafka/rdkafka_util.h"

/* How long one question may take; a stop waits for it. */
#define ASK_MS 2000
/* After a question without an answer. */
#define AGAIN_MS 1000

struct topic_search {
    rd_kafka_t *client;
    struct regex *regex;
    int interval_ms;
    int event_fd;
    struct thread thread;
    struct log_limit match_limit;
    struct lock lock;
    struct cond wake;
    bool stopping;
    bool changed;
    struct config_list names;
};

/* Kafka's own topics are no data (exclude.internal.topics). */
static bool is_internal(const char *name)
{
    return strcmp(name, "__consumer_offsets") == 0 || strcmp(name, "__transaction_state") == 0;
}

static bool matches(struct topic_search *search, const char *name)
{
    bool matched = false;
    unsigned suppressed = 0;
    struct error error = { ERR_OK, "" };
    if (is_internal(name)) {
        return false;
    }
    if (regex_matches(search->regex, name, strlen(name), &matched, &error) != ERR_OK &&
        log_limit_pass(&search->match_limit, 60000, &suppressed)) {
        log_warn(NULL, "TOPIC-MATCH-FAIL", "topic=%s error=\"%s\"", name, error.text);
    }
    return matched;
}

static int compare(const void *a, const void *b)
{
    char *const *left = a;
    char *const *right = b;
    return strcmp(*left, *right);
}

static struct config_list pick(struct topic_search *search, const rd_kafka_metadata_t *metadata)
{
    struct config_list names = { xcalloc((size_t)metadata->topic_cnt + 1, sizeof(char *)), 0 };
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (!metadata->topics[i].err && matches(search, metadata->topics[i].topic)) {
            names.items[names.n_items++] = xstrdup(metadata->topics[i].topic);
        }
    }
    qsort(names.items, names.n_items, sizeof(char *), compare);
    return names;
}

static bool same(const struct config_list *a, const struct config_list *b)
{
    for (size_t i = 0; a->n_items == b->n_items && i < a->n_items; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0) {
            return false;
        }
    }
    return a->n_items == b->n_items;
}

/* Keeps what was found, and tells if it is new. */
static void keep(struct topic_search *search, struct config_list *found)
{
    lock_take(&search->lock);
    bool changed = !same(&search->names, found);
    if (changed) {
        struct config_list old = search->names;
        search->names = *found;
        *found = old;
        search->changed = true;
    }
    lock_drop(&search->lock);
    config_list_fini(found);
    if (changed) {
        uint64_t one = 1;
        (void)!write(search->event_fd, &one, sizeof(one));
    }
}

/* Returns when to ask again, in milliseconds. */
static int ask(struct topic_search *search)
{
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(search->client, 1, NULL, &metadata, ASK_MS);
    if (code) {
        rdk_report(search->client, code, NULL);
        return AGAIN_MS;
    }
    struct config_list found = pick(search, metadata);
    rd_kafka_metadata_destroy(metadata);
    keep(search, &found);
    return search->interval_ms;
}

static void *search_main(void *arg)
{
    struct topic_search *search = arg;
    bool stopping = false;
    while (!stopping) {
        uint64_t until_ms = clock_mono_ms() + (uint64_t)ask(search);
        lock_take(&search->lock);
        bool in_time = true;
        while (!search->stopping && in_time) {
            in_time = cond_wait_until(&search->wake, &search->lock, until_ms);
        }
        stopping = search->stopping;
        lock_drop(&search->lock);
    }
    return NULL;
}

enum err topic_search_start(rd_kafka_t *client, const char *pattern, int interval_ms, int event_fd,
                            struct topic_search **ret_search, struct error *reterr)
{
    struct regex *regex = NULL;
    enum err err = regex_new(pattern, &regex, reterr);
    if (err != ERR_OK) {
        return error_prefix(reterr, err, "topics.regex");
    }
    struct topic_search *search = xcalloc(1, sizeof(*search));
    search->client = client;
    search->regex = regex;
    search->interval_ms = interval_ms;
    search->event_fd = event_fd;
    lock_init(&search->lock, LOCK_RANK_KAFKA);
    cond_init(&search->wake);
    thread_start(&search->thread, "kafka-topics", search_main, search);
    *ret_search = search;
    return ERR_OK;
}

void topic_search_stop(struct topic_search *search)
{
    if (!search) {
        return;
    }
    lock_take(&search->lock);
    search->stopping = true;
    cond_signal(&search->wake);
    lock_drop(&search->lock);
    thread_join(&search->thread);
    cond_fini(&search->wake);
    lock_fini(&search->lock);
    config_list_fini(&search->names);
    regex_free(search->regex);
    free(search);
}

bool topic_search_take(struct topic_search *search, struct config_list *ret_names)
{
    lock_take(&search->lock);
    bool changed = search->changed;
    search->changed = false;
    if (changed) {
        ret_names->n_items = search->names.n_items;
        ret_names->items = xcalloc(search->names.n_items + 1, sizeof(char *));
        for (size_t i = 0; i < search->names.n_items; i++) {
            ret_names->items[i] = xstrdup(search->names.items[i]);
        }
    }
    lock_drop(&search->lock);
    return changed;
}
