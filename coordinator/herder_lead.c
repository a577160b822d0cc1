/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The herder as leader: takes up the lead with the last slot, gives it up with it, and has one
 * batch after the other written: clients' changes in order of arrival, and the core's duties. The
 * next one is planned only when the one before is in our snapshot. On the herder's thread.
 */
#include "coordinator/changes.h"
#include "coordinator/herder_private.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"

/* How long to wait after the writer could not be opened. */
#define OPEN_PAUSE_MS 500
/* And after another one has opened its own: at random up to a bound that grows with each time, and
 * begins again after a while of leading. */
#define FENCED_MIN_MS  50
#define FENCED_MAX_MS  2000
#define FENCED_CALM_MS 5000
/* A batch that Kafka refuses for good is tried again seldom. */
#define REFUSED_PAUSE_MS 30000
/* A batch without config records shows in the snapshot at some later time. */
#define STATUS_PAUSE_MS 1000
/* Clients' changes go first, but duties must not starve behind them. */
#define MAX_CHANGES_IN_ROW 16

void herder_lead_init(struct herder *herder)
{
    struct lead *lead = &herder->lead;
    lead->state = LEAD_NONE;
    lead->wake_ms = UINT64_MAX;
    list_init(&lead->changes);
    struct leader_writer_options options = {
        .settings = herder->options.settings,
        .store = herder->options.store,
        .on_done = herder_on_written,
        .arg = herder,
    };
    herder->writer = leader_writer_start(&options);
}

/* Answers a change and releases its op. */
static void answer(struct herder *herder, struct herder_op *op, enum err err, const char *text)
{
    struct change *change = op->change;
    lock_take(&herder->lock);
    change->err = err;
    if (err != ERR_OK) {
        (void)error_set(&change->error, err, "%s", text);
    }
    change->done = true;
    cond_broadcast(&herder->changed);
    lock_drop(&herder->lock);
    herder_op_free(op);
}

static void answer_waiting(struct herder *herder, enum err err, const char *text)
{
    struct list *node;
    while ((node = list_pop_front(&herder->lead.changes)) != NULL) {
        answer(herder, CONTAINER_OF(node, struct herder_op, node), err, text);
    }
}

void herder_lead_fini(struct herder *herder)
{
    /* Nothing was done for these: another worker can do it. */
    answer_waiting(herder, ERR_NOT_LEADER, NOT_LEADER_TEXT);
    if (herder->lead.current) {
        answer(herder, TAKE(herder->lead.current), ERR_CLOSED, "Worker is shutting down");
    }
}

/* ---- gaining and losing ---- */

static void set_state(struct herder *herder, enum lead_state state, const char *reason)
{
    static const char *const names[] = { "none", "opening", "paused", "active" };
    struct lead *lead = &herder->lead;
    if (lead->state == state) {
        return;
    }
    if (lead->state == LEAD_ACTIVE) {
        /* The next leader may let a new connector have the names of their sessions. */
        runner_end_retirements(herder->runner);
    }
    if (state == LEAD_ACTIVE || lead->state == LEAD_ACTIVE) {
        core_set_leading(herder->core, state == LEAD_ACTIVE);
        log_info(NULL, state == LEAD_ACTIVE ? "LEADER-GAINED" : "LEADER-LOST", "reason=\"%s\"",
                 reason);
    } else {
        log_debug(NULL, "LEADER-STATE", "from=%s to=%s reason=\"%s\"", names[lead->state],
                  names[state], reason);
    }
    lead->state = state;
}

static void open_writer(struct herder *herder)
{
    const struct settings *settings = herder->options.settings;
    struct out_records records;
    out_records_init(&records);
    record_leader(&records, settings->worker_id, settings->url, settings->instance);
    set_state(herder, LEAD_OPENING, "holds the leader's slot");
    herder->lead.writing = true;
    leader_writer_submit(herder->writer, LEADER_JOB_OPEN, herder->lead.epoch, &records);
    out_records_fini(&records);
}

static void give_up(struct herder *herder)
{
    set_state(herder, LEAD_NONE, herder->draining ? "this worker stops" : "lost the leader's slot");
    herder->lead.epoch++;
    leader_writer_submit(herder->writer, LEADER_JOB_CLOSE, herder->lead.epoch, NULL);
    herder_tell_leader(herder);
    answer_waiting(herder, ERR_NOT_LEADER, NOT_LEADER_TEXT);
}

/* The writer has to be opened again: fenced, or Kafka did not answer. */
static void reopen_later(struct herder *herder, uint64_t now_ms, uint64_t pause_ms,
                         const char *reason)
{
    set_state(herder, LEAD_PAUSED, reason);
    herder->lead.retry_ms = now_ms + pause_ms;
}

/* Two that are both entitled, because each knows of another group, would else do nothing but fence
 * each other. */
static void reopen_fenced(struct herder *herder, uint64_t now_ms, const char *reason)
{
    struct lead *lead = &herder->lead;
    bool calm = now_ms >= lead->active_ms + FENCED_CALM_MS;
    lead->fenced_ms = calm || !lead->fenced_ms ? FENCED_MIN_MS : lead->fenced_ms * 2;
    lead->fenced_ms = lead->fenced_ms < FENCED_MAX_MS ? lead->fenced_ms : FENCED_MAX_MS;
    uint64_t half = lead->fenced_ms / 2;
    reopen_later(herder, now_ms, half + arc4random_uniform((uint32_t)half + 1), reason);
}

static void report_failure(const struct leader_result *result)
{
    static struct log_limit limit;
    unsigned held_back = 0;
    if (log_limit_pass(&limit, 30000, &held_back)) {
        log_warn(NULL, "LEADER-WRITE-FAILED", "job=%s err=%s error=\"%s\" suppressed=%u",
                 result->job == LEADER_JOB_OPEN ? "open" : "commit", err_name(result->err),
                 result->text, held_back);
    }
}

static void opened(struct herder *herder, const struct leader_result *result, uint64_t now_ms)
{
    const struct settings *settings = herder->options.settings;
    if (result->err == ERR_OK) {
        herder->lead.active_ms = now_ms;
        set_state(herder, LEAD_ACTIVE, "holds the leader's slot and has fenced older leaders");
        return;
    }
    if (result->err == ERR_UNAUTHORIZED || result->err == ERR_INVALID) {
        CLEANUP(free_charp)
        char *text =
            xasprintf("transactional.id=%s config.storage.topic=%s: the leader cannot write: %s; "
                      "mend: allow this worker to write and describe both",
                      settings->transactional_id, settings->topics[LOG_TOPIC_CONFIG], result->text);
        herder->options.on_fatal(herder->options.arg, text);
    }
    report_failure(result);
    reopen_later(herder, now_ms, OPEN_PAUSE_MS, "the writer could not be opened");
}

/* ---- batches ---- */

/* What the client is told when its change could not be written. */
static enum err change_error(enum err err, const char *text, struct error *reterr)
{
    switch (err) {
    case ERR_FENCED:
        return error_set(reterr, ERR_NOT_LEADER, NOT_LEADER_TEXT);
    case ERR_CLOSED:
        return error_set(reterr, ERR_CLOSED, "Worker is shutting down");
    case ERR_INTERNAL:
        return error_set(reterr, ERR_TIMEOUT, "%s", text);
    case ERR_TOO_LARGE:
    case ERR_UNAUTHORIZED:
        return error_set(reterr, err, "Error writing connector configuration to Kafka: %s", text);
    default:
        return error_set(reterr, ERR_IO,
                         "Failed to write to config topic; this may be due to a transient error "
                         "and the request can be safely retried");
    }
}

static void answer_current(struct herder *herder, const struct leader_result *result)
{
    struct herder_op *op = TAKE(herder->lead.current);
    if (!op) {
        return;
    }
    struct error error = { ERR_OK, "" };
    enum err err = ERR_OK;
    if (result->err != ERR_OK) {
        err = change_error(result->err, result->text, &error);
    } else {
        lock_take(&herder->lock);
        op->change->reply.created = herder->lead.current_created;
        op->change->reply.position = result->position;
        lock_drop(&herder->lock);
    }
    answer(herder, op, err, error.text);
}

static void committed(struct herder *herder, const struct leader_result *result, uint64_t now_ms)
{
    struct lead *lead = &herder->lead;
    switch (result->err) {
    case ERR_OK:
        lead->batch_ms = result->position > 0 ? 0 : now_ms + STATUS_PAUSE_MS;
        break;
    case ERR_CLOSED:
        break;
    case ERR_TOO_LARGE:
        report_failure(result);
        lead->batch_ms =
            core_lead_refused(herder->core, result->text, now_ms) ? 0 : now_ms + REFUSED_PAUSE_MS;
        break;
    case ERR_UNAUTHORIZED:
        report_failure(result);
        lead->batch_ms = now_ms + REFUSED_PAUSE_MS;
        break;
    case ERR_FENCED:
        report_failure(result);
        reopen_fenced(herder, now_ms, result->text);
        break;
    default:
        report_failure(result);
        reopen_later(herder, now_ms, 0, result->text);
        break;
    }
}

void herder_lead_written(struct herder *herder, const struct leader_result *result)
{
    struct lead *lead = &herder->lead;
    uint64_t now = clock_mono_ms();
    lead->writing = false;
    bool was_change = lead->current != NULL;
    bool refused = result->err == ERR_TOO_LARGE || result->err == ERR_UNAUTHORIZED;
    if (result->epoch == lead->epoch && result->job == LEADER_JOB_OPEN) {
        opened(herder, result, now);
    } else if (result->epoch == lead->epoch && !(was_change && refused)) {
        committed(herder, result, now);
    }
    herder_files_written(herder, result->err == ERR_OK);
    /* Who is told that we do not lead must find us not leading. */
    herder_tell_leader(herder);
    answer_current(herder, result);
}

void herder_lead_change(struct herder *herder, struct herder_op *op)
{
    if (herder->lead.state == LEAD_NONE) {
        answer(herder, op, ERR_NOT_LEADER, NOT_LEADER_TEXT);
    } else {
        list_push_back(&herder->lead.changes, &op->node);
    }
}

static bool is_abandoned(struct herder *herder, const struct change *change)
{
    lock_take(&herder->lock);
    bool abandoned = change->abandoned;
    lock_drop(&herder->lock);
    return abandoned;
}

static void submit(struct herder *herder, struct out_records *records)
{
    herder->lead.writing = true;
    leader_writer_submit(herder->writer, LEADER_JOB_COMMIT, herder->lead.epoch, records);
}

/* Plans one change; submits it, or answers it at once when there is nothing to write. */
static void begin_change(struct herder *herder, struct herder_op *op)
{
    struct change *change = op->change;
    if (is_abandoned(herder, change)) {
        herder_op_free(op);
        return;
    }
    struct out_records records;
    out_records_init(&records);
    struct error error = { ERR_OK, "" };
    int64_t now = clock_wall_ms();
    CLEANUP(free_charp) char *id = xasprintf("%lld", (long long)now);
    bool created = false;
    enum err err = ERR_MANAGED;
    if (!herder_files_refuse(herder, change->request, &error)) {
        err = change_plan(herder->snapshot, change->request, now, id, &records, &created, &error);
        herder_files_release(herder, change->request, &records);
    }
    if (err != ERR_OK) {
        answer(herder, op, err, error.text);
    } else {
        herder->lead.current = op;
        herder->lead.current_created = created;
        submit(herder, &records);
    }
    out_records_fini(&records);
}

static void begin_duties(struct herder *herder, uint64_t now_ms)
{
    struct lead *lead = &herder->lead;
    lead->n_changes_in_row = 0;
    if (now_ms < lead->batch_ms) {
        lead->wake_ms = lead->batch_ms;
        return;
    }
    struct out_records records;
    out_records_init(&records);
    core_set_wall(herder->core, clock_wall_ms());
    core_lead(herder->core, now_ms, &records, &lead->wake_ms);
    if (records.n_items == 0) {
        herder_files_lead(herder, now_ms, &records);
    }
    if (records.n_items > 0) {
        submit(herder, &records);
    }
    out_records_fini(&records);
}

static void next_batch(struct herder *herder, uint64_t now_ms)
{
    struct lead *lead = &herder->lead;
    while (!lead->writing && lead->n_changes_in_row < MAX_CHANGES_IN_ROW) {
        struct list *node = list_pop_front(&lead->changes);
        if (!node) {
            break;
        }
        lead->n_changes_in_row++;
        begin_change(herder, CONTAINER_OF(node, struct herder_op, node));
    }
    if (!lead->writing) {
        begin_duties(herder, now_ms);
    }
    if (!lead->writing && !list_empty(&lead->changes)) {
        lead->wake_ms = now_ms; /* duties had their turn */
    }
}

int herder_lead_slot(const struct herder *herder)
{
    int slot = herder->options.settings->n_slots - 1;
    while (slot > 0 && !herder->claimed[slot] && !herder->members_stale) {
        const struct member *holder = membership_holder(&herder->membership, slot);
        if (!holder || !holder->dead) {
            break;
        }
        slot--;
    }
    return slot;
}

/* Another one has opened its writer after us: our next write would be refused. */
static bool was_fenced(const struct herder *herder)
{
    const char *instance = herder->snapshot->leader.instance;
    return herder->lead.state == LEAD_ACTIVE && instance &&
           strcmp(instance, herder->options.settings->instance) != 0;
}

void herder_lead_step(struct herder *herder, uint64_t now_ms)
{
    struct lead *lead = &herder->lead;
    bool entitled = herder->claimed[herder_lead_slot(herder)] && herder->snapshot->caught_up &&
                    (!herder->draining || herder->handing_over);
    lead->wake_ms = UINT64_MAX;
    if (!entitled) {
        if (lead->state != LEAD_NONE) {
            give_up(herder);
        }
        return;
    }
    if (lead->writing) {
        return;
    }
    if (was_fenced(herder)) {
        reopen_fenced(herder, now_ms, "another worker has opened the leader's writer");
    }
    if (lead->state == LEAD_NONE || (lead->state == LEAD_PAUSED && now_ms >= lead->retry_ms)) {
        open_writer(herder);
    } else if (lead->state == LEAD_PAUSED) {
        lead->wake_ms = lead->retry_ms;
    } else if (lead->state == LEAD_ACTIVE) {
        next_batch(herder, now_ms);
    }
}
