/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the herder says of this worker and of others in its note in the status topic: rates of its
 * tasks, whose REST port refuses connections, that it lives although others say otherwise, that it
 * is leaving. Level-triggered: written when the topic does not say what it should. And what it
 * makes of the notes of others: who is dead. On the herder's thread.
 */
#include "coordinator/herder_private.h"
#include "coordinator/suspicion.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"

/* Rates are measured over this time. */
#define MEASURE_MS 10000
/* A note that has not come back by then is written again. */
#define RESEND_MS 5000
/* A rate is told anew when it has changed by a quarter, and by this much. */
#define LEAST_CHANGE 10

/* ---- rates ---- */

struct measuring {
    const struct self *self;
    uint64_t elapsed_ms;
    struct worker_note *counts;
    struct worker_note *rates;
};

static void measure_task(void *arg, const char *connector, int task)
{
    struct measuring *measuring = arg;
    struct metric_scope *scope = metrics_task(connector, task);
    double in = metric_get(scope, METRIC_RECORDS_IN, 0);
    double out = metric_get(scope, METRIC_RECORDS_OUT, 0);
    metrics_task_drop(scope);
    int64_t count = (int64_t)(in > out ? in : out);
    worker_note_rate(measuring->counts, connector, task, count);
    const struct self *self = measuring->self;
    int64_t before = self->counts ? worker_note_find_rate(self->counts, connector, task) : -1;
    if (before < 0 || count < before || measuring->elapsed_ms == 0) {
        return;
    }
    int64_t rate = (count - before) * 1000 / (int64_t)measuring->elapsed_ms;
    int64_t earlier = self->rates ? worker_note_find_rate(self->rates, connector, task) : -1;
    worker_note_rate(measuring->rates, connector, task,
                     earlier < 0 ? rate : (earlier + rate + 1) / 2);
}

static void measure(struct herder *herder, uint64_t now_ms)
{
    struct self *self = &herder->self;
    if (now_ms < self->measure_ms) {
        return;
    }
    const struct settings *settings = herder->options.settings;
    struct measuring measuring = {
        .self = self,
        .elapsed_ms = self->counts ? now_ms - self->measured_ms : 0,
        .counts = worker_note_new(settings->worker_id, settings->instance),
        .rates = worker_note_new(settings->worker_id, settings->instance),
    };
    core_each_task(herder->core, measure_task, &measuring);
    worker_note_unref(self->counts);
    worker_note_unref(self->rates);
    self->counts = measuring.counts;
    self->rates = measuring.rates;
    self->measured_ms = now_ms;
    self->measure_ms = now_ms + MEASURE_MS;
}

static bool rate_differs(int64_t told, int64_t now)
{
    int64_t change = told > now ? told - now : now - told;
    return told < 0 || (change > LEAST_CHANGE && change > told / 4);
}

/* False when what was told of the tasks is still near enough. */
static bool rates_differ(const struct worker_note *told, const struct worker_note *now)
{
    if (told->n_rates != now->n_rates) {
        return true;
    }
    for (size_t i = 0; i < now->n_rates; i++) {
        const struct task_rate *rate = &now->rates[i];
        if (rate_differs(worker_note_find_rate(told, rate->connector, rate->task), rate->rate)) {
            return true;
        }
    }
    return false;
}

/* ---- the note ---- */

static bool says_anything(const struct worker_note *note)
{
    return note->n_refused > 0 || note->objects || note->leaving || note->n_rates > 0;
}

static bool same_words(const struct worker_note *a, const struct worker_note *b)
{
    bool same = strcmp(a->instance, b->instance) == 0 && a->n_refused == b->n_refused &&
                a->objects == b->objects && a->leaving == b->leaving;
    for (size_t i = 0; same && i < a->n_refused; i++) {
        same = strcmp(a->refused[i], b->refused[i]) == 0;
    }
    return same;
}

/* What the topic should say; the caller's. */
static struct worker_note *make_note(const struct herder *herder)
{
    const struct settings *settings = herder->options.settings;
    const struct self *self = &herder->self;
    struct worker_note *note = worker_note_new(settings->worker_id, settings->instance);
    for (size_t i = 0; i < self->n_suspects; i++) {
        worker_note_refuse(note, self->suspects[i].instance);
    }
    note->objects =
        suspicion_of_me(&herder->membership, herder->snapshot->notes, settings->instance);
    note->leaving = herder->draining;
    for (size_t i = 0; self->rates && !herder->draining && i < self->rates->n_rates; i++) {
        const struct task_rate *rate = &self->rates->rates[i];
        worker_note_rate(note, rate->connector, rate->task, rate->rate);
    }
    return note;
}

/* Whether what the topic says is to be replaced by note. */
static bool note_due(struct herder *herder, const struct worker_note *note, uint64_t now_ms)
{
    struct self *self = &herder->self;
    const struct worker_note *seen =
        worker_notes_find(herder->snapshot->notes, herder->options.settings->worker_id);
    bool right = seen ? says_anything(note) && same_words(seen, note) && !rates_differ(seen, note)
                      : !says_anything(note);
    if (right) {
        worker_note_unref(TAKE(self->told));
        return false;
    }
    bool on_its_way = self->told && now_ms < self->told_ms + RESEND_MS &&
                      same_words(self->told, note) && !rates_differ(self->told, note);
    if (on_its_way) {
        self->wake_ms =
            self->told_ms + RESEND_MS < self->wake_ms ? self->told_ms + RESEND_MS : self->wake_ms;
    }
    return !on_its_way;
}

static void tell(struct herder *herder, uint64_t now_ms)
{
    struct self *self = &herder->self;
    struct worker_note *note = make_note(herder);
    if (!note_due(herder, note, now_ms)) {
        worker_note_unref(note);
        return;
    }
    if (note->objects && !(self->told && self->told->objects)) {
        log_warn(NULL, "WORKER-OBJECTS",
                 "worker_id=%s reason=\"other workers are refused at this address although this "
                 "worker runs; mend: rest.advertised.host.name and rest.advertised.port must lead "
                 "to it\"",
                 note->worker_id);
    }
    struct out_records records;
    out_records_init(&records);
    record_worker(&records, note->worker_id, says_anything(note) ? note : NULL);
    herder_write_plain(herder, &records);
    out_records_fini(&records);
    worker_note_unref(self->told);
    self->told = note;
    self->told_ms = now_ms;
}

/* ---- suspects ---- */

static struct suspect *find_suspect(struct self *self, const char *instance)
{
    for (size_t i = 0; i < self->n_suspects; i++) {
        if (strcmp(self->suspects[i].instance, instance) == 0) {
            return &self->suspects[i];
        }
    }
    return NULL;
}

void herder_on_watch(struct herder *herder, const char *instance, bool refused)
{
    struct self *self = &herder->self;
    struct suspect *suspect = find_suspect(self, instance);
    const struct member *member = membership_find(&herder->membership, instance);
    self->judge_again = true;
    log_info(NULL, refused ? "WORKER-REFUSES" : "WORKER-ANSWERS", "worker_id=%s instance=%s",
             member ? member->worker_id : "-", instance);
    if (suspect) {
        suspect->answers = !refused;
    } else if (refused && member) {
        self->suspects = xrealloc(self->suspects, (self->n_suspects + 1) * sizeof(*self->suspects));
        self->suspects[self->n_suspects++] = (struct suspect){ xstrdup(instance), false };
    }
}

/* A suspicion ends when the group has dropped the process, or when it objects and its port answers
 * again. That the port answers is not enough: it may be a new process at the same address. */
static void drop_suspects(struct herder *herder)
{
    struct self *self = &herder->self;
    size_t n_kept = 0;
    for (size_t i = 0; i < self->n_suspects; i++) {
        struct suspect *suspect = &self->suspects[i];
        const struct member *member = membership_find(&herder->membership, suspect->instance);
        const struct worker_note *note =
            member ? worker_notes_find(herder->snapshot->notes, member->worker_id) : NULL;
        bool lives = note && note->objects && strcmp(note->instance, suspect->instance) == 0;
        if (!member || (suspect->answers && lives)) {
            free(suspect->instance);
        } else {
            self->suspects[n_kept++] = *suspect;
        }
    }
    self->n_suspects = n_kept;
}

/* Has the ring's next members watched, and the suspects, which may answer again. */
static void watch_ring(struct herder *herder)
{
    const struct settings *settings = herder->options.settings;
    struct self *self = &herder->self;
    const struct member *ring[SUSPICION_WATCHED];
    size_t n_ring = suspicion_ring(&herder->membership, settings->instance, ring);
    struct watch_target *targets = xcalloc(n_ring + self->n_suspects + 1, sizeof(*targets));
    size_t n = 0;
    for (size_t i = 0; i < n_ring; i++) {
        targets[n++] = (struct watch_target){ ring[i]->instance, ring[i]->worker_id };
    }
    for (size_t i = 0; i < self->n_suspects; i++) {
        const char *instance = self->suspects[i].instance;
        const struct member *member = membership_find(&herder->membership, instance);
        bool listed = false;
        for (size_t r = 0; r < n_ring; r++) {
            listed = listed || strcmp(ring[r]->instance, instance) == 0;
        }
        if (member && !listed) {
            targets[n++] = (struct watch_target){ member->instance, member->worker_id };
        }
    }
    watch_set(self->watch, targets, n);
    free(targets);
}

static void log_verdicts(const struct herder *herder, const bool *before)
{
    for (size_t i = 0; i < herder->membership.n_members; i++) {
        const struct member *member = &herder->membership.members[i];
        if (member->dead && !before[i]) {
            log_warn(NULL, "WORKER-DEAD",
                     "worker_id=%s instance=%s slots=%zu reason=\"its REST port was lost and "
                     "refuses connections\"",
                     member->worker_id, member->instance, member->n_slots);
        } else if (!member->dead && before[i]) {
            log_info(NULL, "WORKER-ALIVE", "worker_id=%s instance=%s", member->worker_id,
                     member->instance);
        }
    }
}

void herder_tell_members(struct herder *herder)
{
    size_t n_members = 0;
    struct core_member *members = membership_core(&herder->membership, &n_members);
    core_set_members(herder->core, members, n_members);
    membership_core_free(members, n_members);
    if (herder->members_stale) {
        core_group_changes(herder->core);
    }
    herder->members_changed = true;
}

void herder_judge(struct herder *herder)
{
    struct self *self = &herder->self;
    struct worker_notes *notes = herder->snapshot->notes;
    if (!herder->members_known || (notes == self->judged && !self->judge_again)) {
        return;
    }
    worker_notes_unref(self->judged);
    self->judged = worker_notes_ref(notes);
    self->judge_again = false;
    bool *before = xcalloc(herder->membership.n_members + 1, sizeof(bool));
    for (size_t i = 0; i < herder->membership.n_members; i++) {
        before[i] = herder->membership.members[i].dead;
    }
    if (suspicion_judge(&herder->membership, notes)) {
        log_verdicts(herder, before);
        herder_tell_members(herder);
    }
    free(before);
    drop_suspects(herder);
    if (self->watch) {
        watch_ring(herder);
    }
}

void herder_note_step(struct herder *herder, uint64_t now_ms)
{
    struct self *self = &herder->self;
    if (!herder->members_known || !herder->snapshot->caught_up) {
        self->wake_ms = UINT64_MAX;
        return;
    }
    self->wake_ms = UINT64_MAX;
    if (core_tasks_here(herder->core) > 0 || self->counts) {
        measure(herder, now_ms);
        self->wake_ms = self->measure_ms;
    }
    if (core_tasks_here(herder->core) == 0 && self->rates && self->rates->n_rates == 0) {
        worker_note_unref(TAKE(self->counts)); /* an idle worker sleeps */
        worker_note_unref(TAKE(self->rates));
        self->measure_ms = 0;
        self->wake_ms = UINT64_MAX;
    }
    tell(herder, now_ms);
}

/* ---- life ---- */

static void on_watch(void *arg, const char *instance, bool refused)
{
    struct herder_op *op = herder_op_new(HERDER_OP_WATCH);
    op->text = xstrdup(instance);
    op->refused = refused;
    herder_post(arg, op);
}

void herder_note_init(struct herder *herder)
{
    herder->self.wake_ms = UINT64_MAX;
    if (herder->options.settings->fast_failover) {
        herder->self.watch = watch_start(on_watch, herder);
    }
}

void herder_note_stop(struct herder *herder)
{
    watch_stop(TAKE(herder->self.watch));
}

void herder_note_fini(struct herder *herder)
{
    struct self *self = &herder->self;
    for (size_t i = 0; i < self->n_suspects; i++) {
        free(self->suspects[i].instance);
    }
    free(self->suspects);
    worker_notes_unref(self->judged);
    worker_note_unref(self->counts);
    worker_note_unref(self->rates);
    worker_note_unref(self->told);
}
