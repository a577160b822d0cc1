/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader's transactional writer (KIP-98). One thread uses it; delivery reports are served
 * inside its own calls. What cannot be aborted cleanly makes the writer broken: only a new one,
 * whose init fences the old transaction, may go on. See writer.h.
 */
#include "worker/kafka/writer.h"

#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/kafka/rdkafka_util.h"

/* Below the time that a leader's successor would have to wait if it did not fence us. */
#define TRANSACTION_TIMEOUT_MS 15000
#define REQUEST_TIMEOUT_MS     10000
/* An abort is worth waiting for even when the commit used up its time. */
#define ABORT_TIMEOUT_MS 5000

struct kafka_writer {
    rd_kafka_t *client;
    struct map topics; /* name -> rd_kafka_topic_t */
    bool initialised;
    bool broken;
    const struct writer_record *first; /* of the commit that runs: its offset is wanted */
    int32_t first_partition;
    int64_t offset;
    rd_kafka_resp_err_t failure; /* first failed delivery of the commit that runs */
};

static void on_report(rd_kafka_t *client UNUSED, const rd_kafka_message_t *message, void *arg)
{
    struct kafka_writer *writer = arg;
    if (message->err) {
        /* Records that were thrown away because of another error tell nothing. */
        bool purged = message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
                      message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
        if (!writer->failure && !purged) {
            writer->failure = message->err;
        }
        return;
    }
    if (!writer->first || strcmp(rd_kafka_topic_name(message->rkt), writer->first->topic) != 0) {
        return;
    }
    if (message->_private == writer->first) {
        writer->first_partition = message->partition;
    }
    if (message->partition == writer->first_partition && message->offset > writer->offset) {
        writer->offset = message->offset;
    }
}

static void on_error(rd_kafka_t *client, int code, const char *reason, void *arg UNUSED)
{
    rdk_report(client, (rd_kafka_resp_err_t)code, reason);
}

enum err kafka_writer_open(const struct kvs *props, const char *transactional_id,
                           struct kafka_writer **ret_writer, struct error *reterr)
{
    rd_kafka_conf_t *conf = NULL;
    enum err err = rdk_conf_new(props, &conf, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct kafka_writer *writer = xcalloc(1, sizeof(*writer));
    rdk_conf_set(conf, "transactional.id", transactional_id);
    rdk_conf_set_int(conf, "transaction.timeout.ms", TRANSACTION_TIMEOUT_MS);
    rdk_conf_set_int(conf, "message.timeout.ms", TRANSACTION_TIMEOUT_MS);
    rdk_conf_set_int(conf, "socket.timeout.ms", REQUEST_TIMEOUT_MS);
    rdk_conf_set_int(conf, "request.timeout.ms", REQUEST_TIMEOUT_MS);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, writer);
    err = rdk_client_new(RD_KAFKA_PRODUCER, conf, &writer->client, reterr);
    if (err != ERR_OK) {
        free(writer);
        return err;
    }
    map_init(&writer->topics);
    *ret_writer = writer;
    return ERR_OK;
}

void kafka_writer_close(struct kafka_writer *writer)
{
    if (!writer) {
        return;
    }
    writer->first = NULL;
    (void)rd_kafka_purge(writer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rdk_topics_fini(&writer->topics);
    rd_kafka_destroy(writer->client);
    free(writer);
}

static enum err check_usable(struct kafka_writer *writer, struct error *reterr)
{
    char text[512];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(writer->client, text, sizeof(text));
    if (fatal) {
        enum err err = rdk_err(fatal);
        return error_set(reterr, err == ERR_UNAUTHORIZED ? err : ERR_FENCED, "%s", text);
    }
    if (writer->broken) {
        return error_set(reterr, ERR_INTERNAL, "the last transaction has no known end");
    }
    return ERR_OK;
}

enum err kafka_writer_init(struct kafka_writer *writer, int timeout_ms, struct error *reterr)
{
    enum err err = check_usable(writer, reterr);
    if (err != ERR_OK || writer->initialised) {
        return err;
    }
    /* Errors of the connection are only served here. */
    (void)rd_kafka_poll(writer->client, 0);
    rd_kafka_error_t *error = rd_kafka_init_transactions(writer->client, timeout_ms);
    if (!error) {
        writer->initialised = true;
        return ERR_OK;
    }
    bool again = rd_kafka_error_is_retriable(error);
    err = rdk_error_take(error, reterr);
    if (err == ERR_FENCED || err == ERR_UNAUTHORIZED) {
        return err;
    }
    if (reterr) {
        reterr->code = again || err == ERR_UNAVAILABLE ? ERR_TIMEOUT : err;
    }
    return again || err == ERR_UNAVAILABLE ? ERR_TIMEOUT : err;
}

static rd_kafka_error_t *produce(struct kafka_writer *writer, const struct writer_record *record)
{
    rd_kafka_vu_t vus[6];
    rd_kafka_topic_t *topic = rdk_topic(writer->client, &writer->topics, record->topic);
    if (!topic) {
        return rd_kafka_error_new(RD_KAFKA_RESP_ERR__INVALID_ARG, "illegal topic name");
    }
    vus[0].vtype = RD_KAFKA_VTYPE_RKT;
    vus[0].u.rkt = topic;
    vus[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    vus[1].u.i32 = record->partition;
    vus[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    vus[2].u.i = RD_KAFKA_MSG_F_COPY;
    vus[3].vtype = RD_KAFKA_VTYPE_KEY;
    vus[3].u.mem.ptr = rdk_mem(record->key);
    vus[3].u.mem.size = strlen(record->key);
    vus[4].vtype = RD_KAFKA_VTYPE_VALUE;
    vus[4].u.mem.ptr = rdk_mem(record->value);
    vus[4].u.mem.size = record->value ? strlen(record->value) : 0;
    vus[5].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[5].u.ptr = rdk_mem(record);
    return rd_kafka_produceva(writer->client, vus, N_ELEMENTS(vus));
}

/* Ends the open transaction without effect; a writer that cannot is broken. */
static void abort_transaction(struct kafka_writer *writer)
{
    rd_kafka_error_t *error = rd_kafka_abort_transaction(writer->client, ABORT_TIMEOUT_MS);
    if (error) {
        rdk_report(writer->client, rd_kafka_error_code(error), rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        writer->broken = true;
    }
}

/* What the caller gets for a failed transaction: the cause is the first failed record, if any. */
static enum err failed(struct kafka_writer *writer, rd_kafka_error_t *error, struct error *reterr)
{
    bool fatal = rd_kafka_error_is_fatal(error);
    enum err err = rdk_error_take(error, reterr);
    if (fatal) {
        return err;
    }
    if (writer->failure) {
        err = rdk_err(writer->failure);
        (void)error_set(reterr, err, "%s", rd_kafka_err2str(writer->failure));
    }
    abort_transaction(writer);
    /* Fencing is always fatal; a lost sequence, say, ends with this transaction. */
    if (err != ERR_TOO_LARGE && err != ERR_UNAUTHORIZED && err != ERR_TIMEOUT) {
        err = ERR_IO;
    }
    if (reterr) {
        reterr->code = err;
    }
    return err;
}

enum err kafka_writer_commit(struct kafka_writer *writer, const struct writer_record *records,
                             size_t n_records, int timeout_ms, int64_t *ret_offset,
                             struct error *reterr)
{
    enum err err = check_usable(writer, reterr);
    if (err != ERR_OK) {
        return err;
    }
    ASSERT(writer->initialised && n_records > 0);
    uint64_t start_ms = clock_mono_ms();
    writer->first = &records[0];
    writer->first_partition = -1;
    writer->offset = -1;
    writer->failure = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(writer->client);
    for (size_t i = 0; i < n_records && !error; i++) {
        error = produce(writer, &records[i]);
    }
    if (!error) {
        int spent_ms = (int)(clock_mono_ms() - start_ms);
        error = rd_kafka_commit_transaction(writer->client,
                                            timeout_ms > spent_ms ? timeout_ms - spent_ms : 1);
    }
    err = error ? failed(writer, error, reterr) : ERR_OK;
    writer->first = NULL;
    if (err == ERR_OK && ret_offset) {
        *ret_offset = writer->offset;
    }
    return err;
}
