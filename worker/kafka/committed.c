/* SPDX-License-Identifier: Apache-2.0 */
/* See committed.h. The lock guards question, answer and the wish to stop. */
#include "worker/kafka/committed.h"

#include <unistd.h>

#include "worker/base/lock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"

/* How long one question may take; a stop waits for it. */
#define ASK_MS 1000

struct committed {
    rd_kafka_t *client;
    int event_fd;
    struct thread thread;
    struct lock lock;
    struct cond wake;
    bool stopping;
    bool answered;
    rd_kafka_topic_partition_list_t *question;
    rd_kafka_topic_partition_list_t *answer;
};

/* The next question; NULL: the thread is to end. */
static rd_kafka_topic_partition_list_t *wait_question(struct committed *committed)
{
    lock_take(&committed->lock);
    while (!committed->stopping && !committed->question) {
        cond_wait(&committed->wake, &committed->lock);
    }
    rd_kafka_topic_partition_list_t *list = committed->stopping ? NULL : TAKE(committed->question);
    lock_drop(&committed->lock);
    return list;
}

static void *committed_main(void *arg)
{
    static const uint64_t one = 1;
    struct committed *committed = arg;
    rd_kafka_topic_partition_list_t *list = wait_question(committed);
    while (list) {
        rd_kafka_resp_err_t code = rd_kafka_committed(committed->client, list, ASK_MS);
        if (code) {
            log_debug(NULL, "CONSUMER-ASK-FAIL", "client=%s error=\"%s\"",
                      rd_kafka_name(committed->client), rd_kafka_err2str(code));
            rd_kafka_topic_partition_list_destroy(TAKE(list));
        }
        lock_take(&committed->lock);
        committed->answer = list;
        committed->answered = true;
        lock_drop(&committed->lock);
        (void)!write(committed->event_fd, &one, sizeof(one));
        list = wait_question(committed);
    }
    return NULL;
}

struct committed *committed_start(rd_kafka_t *client, int event_fd)
{
    struct committed *committed = xcalloc(1, sizeof(*committed));
    committed->client = client;
    committed->event_fd = event_fd;
    lock_init(&committed->lock, LOCK_RANK_KAFKA);
    cond_init(&committed->wake);
    thread_start(&committed->thread, "kafka-committed", committed_main, committed);
    return committed;
}

void committed_stop(struct committed *committed)
{
    if (!committed) {
        return;
    }
    lock_take(&committed->lock);
    committed->stopping = true;
    cond_signal(&committed->wake);
    lock_drop(&committed->lock);
    thread_join(&committed->thread);
    if (committed->question) {
        rd_kafka_topic_partition_list_destroy(committed->question);
    }
    if (committed->answer) {
        rd_kafka_topic_partition_list_destroy(committed->answer);
    }
    cond_fini(&committed->wake);
    lock_fini(&committed->lock);
    free(committed);
}

void committed_ask(struct committed *committed, rd_kafka_topic_partition_list_t *list)
{
    lock_take(&committed->lock);
    ASSERT(!committed->question && !committed->answered);
    committed->question = list;
    cond_signal(&committed->wake);
    lock_drop(&committed->lock);
}

bool committed_take(struct committed *committed, rd_kafka_topic_partition_list_t **ret_list)
{
    lock_take(&committed->lock);
    bool answered = committed->answered;
    if (answered) {
        *ret_list = TAKE(committed->answer);
    }
    committed->answered = false;
    lock_drop(&committed->lock);
    return answered;
}
