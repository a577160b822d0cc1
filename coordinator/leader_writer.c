/* SPDX-License-Identifier: Apache-2.0 */
/* The thread of the transactional producer. See leader_writer.h. */
#include "coordinator/leader_writer.h"

#include "worker/base/clock.h"
#include "worker/base/list.h"
#include "worker/base/mem.h"
#include "worker/base/queue.h"
#include "worker/base/thread.h"
#include "worker/kafka/props.h"
#include "worker/kafka/writer.h"

#define INIT_TIMEOUT_MS      3000
#define COMMIT_TIMEOUT_MS    8000
#define READ_BACK_TIMEOUT_MS 30000

struct job {
    struct list node;
    enum leader_job kind;
    uint64_t epoch;
    struct out_records records;
};

struct leader_writer {
    struct leader_writer_options options;
    struct queue jobs;
    struct thread thread;
    struct kafka_writer *kafka; /* the thread's, as all below it; NULL: not open */
    bool initialised;
};

static enum err open_kafka(struct leader_writer *writer, struct error *reterr)
{
    const struct settings *settings = writer->options.settings;
    struct kvs props;
    kvs_init(&props);
    enum err err =
        kafka_props_build(KAFKA_WORKER_PRODUCER, &settings->props, NULL, &props, NULL, reterr);
    if (err == ERR_OK) {
        err = kafka_writer_open(&props, settings->transactional_id, &writer->kafka, reterr);
    }
    kvs_fini(&props);
    return err;
}

static void close_kafka(struct leader_writer *writer)
{
    kafka_writer_close(TAKE(writer->kafka));
    writer->initialised = false;
}

static enum err initialise(struct leader_writer *writer, struct error *reterr)
{
    /* Transactions are initialised once in the life of a producer: to fence anew takes a new one.
     */
    if (writer->initialised) {
        close_kafka(writer);
    }
    if (!writer->kafka) {
        enum err err = open_kafka(writer, reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    enum err err = kafka_writer_init(writer->kafka, INIT_TIMEOUT_MS, reterr);
    writer->initialised = err == ERR_OK;
    if (err != ERR_OK && err != ERR_TIMEOUT) {
        close_kafka(writer);
    }
    return err;
}

/* Fills records in the order in which they are written: those of the config topic first, because
 * the writer reports the offset of the first one's partition. Returns how many those are. */
static size_t arrange(const struct leader_writer *writer, const struct out_records *batch,
                      struct writer_record *records)
{
    char *const *topics = writer->options.settings->topics;
    size_t n = 0;
    size_t n_config = 0;
    for (int of_config = 1; of_config >= 0; of_config--) {
        for (size_t i = 0; i < batch->n_items; i++) {
            const struct out_record *item = &batch->items[i];
            if ((item->topic == LOG_TOPIC_CONFIG) == (of_config == 1)) {
                records[n++] = (struct writer_record){
                    .topic = topics[item->topic],
                    .partition = of_config == 1 ? 0 : -1,
                    .key = item->key,
                    .value = item->value,
                };
            }
        }
        n_config = of_config == 1 ? n : n_config;
    }
    return n_config;
}

/* Nothing waits for the offset topic to be read back. */
static void foresee_offsets(const struct leader_writer *writer, const struct out_records *batch)
{
    for (size_t i = 0; i < batch->n_items; i++) {
        const struct out_record *item = &batch->items[i];
        if (item->topic == LOG_TOPIC_OFFSET) {
            store_foresee(writer->options.store, item->topic, item->key, item->value);
        }
    }
}

static enum err write_batch(struct leader_writer *writer, const struct out_records *batch,
                            int64_t *ret_position, struct error *reterr)
{
    struct writer_record *records = xcalloc(batch->n_items + 1, sizeof(*records));
    size_t n_config = arrange(writer, batch, records);
    int64_t offset = -1;
    enum err err = kafka_writer_commit(writer->kafka, records, batch->n_items, COMMIT_TIMEOUT_MS,
                                       &offset, reterr);
    free(records);
    if (err == ERR_OK) {
        *ret_position = n_config > 0 ? offset + 1 : 0;
        foresee_offsets(writer, batch);
    }
    return err;
}

static enum err commit(struct leader_writer *writer, const struct out_records *batch,
                       int64_t *ret_position, struct error *reterr)
{
    if (!writer->initialised) {
        return error_set(reterr, ERR_FENCED, "the writer is not open");
    }
    enum err err = write_batch(writer, batch, ret_position, reterr);
    if (err == ERR_TOO_LARGE || err == ERR_UNAUTHORIZED) {
        return err;
    }
    if (err != ERR_OK) {
        close_kafka(writer);
        return err == ERR_FENCED || err == ERR_TIMEOUT ? err : ERR_IO;
    }
    err = store_wait_position(writer->options.store, *ret_position,
                              clock_mono_ms() + READ_BACK_TIMEOUT_MS);
    if (err == ERR_TIMEOUT) {
        return error_set(reterr, ERR_INTERNAL,
                         "the record was written to the config topic but not read back in %d ms",
                         READ_BACK_TIMEOUT_MS);
    }
    return err;
}

static void do_job(struct leader_writer *writer, const struct job *job)
{
    if (job->kind == LEADER_JOB_CLOSE) {
        close_kafka(writer);
        return;
    }
    struct error error = { ERR_OK, "" };
    struct leader_result result = { .job = job->kind, .epoch = job->epoch, .err = ERR_OK };
    if (job->kind == LEADER_JOB_OPEN) {
        result.err = initialise(writer, &error);
    }
    if (result.err == ERR_OK) {
        result.err = commit(writer, &job->records, &result.position, &error);
    }
    result.text = error.text[0] != '\0' ? error.text : err_text(result.err);
    writer->options.on_done(writer->options.arg, &result);
}

static void job_free(struct job *job)
{
    out_records_fini(&job->records);
    free(job);
}

static void *writer_main(void *arg)
{
    struct leader_writer *writer = arg;
    struct list *node;
    while ((node = queue_pop(&writer->jobs, UINT64_MAX)) != NULL) {
        struct job *job = CONTAINER_OF(node, struct job, node);
        do_job(writer, job);
        job_free(job);
    }
    close_kafka(writer);
    return NULL;
}

struct leader_writer *leader_writer_start(const struct leader_writer_options *options)
{
    struct leader_writer *writer = xcalloc(1, sizeof(*writer));
    writer->options = *options;
    queue_init(&writer->jobs, 0, false);
    thread_start(&writer->thread, "leader-writer", writer_main, writer);
    return writer;
}

void leader_writer_close(struct leader_writer *writer)
{
    queue_close(&writer->jobs);
}

void leader_writer_stop(struct leader_writer *writer)
{
    if (writer) {
        queue_close(&writer->jobs);
        thread_join(&writer->thread);
    }
}

void leader_writer_free(struct leader_writer *writer)
{
    if (writer) {
        leader_writer_stop(writer);
        queue_fini(&writer->jobs);
        free(writer);
    }
}

void leader_writer_submit(struct leader_writer *writer, enum leader_job kind, uint64_t epoch,
                          struct out_records *records)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->kind = kind;
    job->epoch = epoch;
    out_records_init(&job->records);
    if (records) {
        job->records = *records;
        out_records_init(records);
    }
    if (!queue_push(&writer->jobs, &job->node)) {
        job_free(job);
    }
}
