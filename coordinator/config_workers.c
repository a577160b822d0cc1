/* SPDX-License-Identifier: Apache-2.0 */
/* What workers say of themselves and of each other. See config_workers.h. */
#include "coordinator/config_workers.h"

#include "coordinator/config_state_impl.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"

struct worker_note *worker_note_new(const char *worker_id, const char *instance)
{
    struct worker_note *note = xcalloc(1, sizeof(*note));
    ref_init(&note->ref);
    note->worker_id = xstrdup(worker_id);
    note->instance = xstrdup(instance);
    return note;
}

void worker_note_unref(struct worker_note *note)
{
    if (!note || !ref_drop(&note->ref)) {
        return;
    }
    for (size_t i = 0; i < note->n_refused; i++) {
        free(note->refused[i]);
    }
    for (size_t i = 0; i < note->n_rates; i++) {
        free(note->rates[i].connector);
    }
    free(note->refused);
    free(note->rates);
    free(note->worker_id);
    free(note->instance);
    free(note);
}

void worker_note_refuse(struct worker_note *note, const char *instance)
{
    if (note->n_refused == WORKER_MAX_REFUSED || worker_note_refuses(note, instance)) {
        return;
    }
    note->refused = xrealloc(note->refused, (note->n_refused + 1) * sizeof(char *));
    size_t at = note->n_refused++;
    for (; at > 0 && strcmp(note->refused[at - 1], instance) > 0; at--) {
        note->refused[at] = note->refused[at - 1];
    }
    note->refused[at] = xstrdup(instance);
}

bool worker_note_refuses(const struct worker_note *note, const char *instance)
{
    for (size_t i = 0; i < note->n_refused; i++) {
        if (strcmp(note->refused[i], instance) == 0) {
            return true;
        }
    }
    return false;
}

static int rate_compare(const struct task_rate *rate, const char *connector, int task)
{
    int order = strcmp(rate->connector, connector);
    return order ? order : rate->task - task;
}

/* Where a task's rate stands, or is to stand. */
static size_t rate_place(const struct worker_note *note, const char *connector, int task)
{
    size_t low = 0;
    size_t high = note->n_rates;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rate_compare(&note->rates[middle], connector, task) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void worker_note_rate(struct worker_note *note, const char *connector, int task, int64_t rate)
{
    size_t i = rate_place(note, connector, task);
    if (i < note->n_rates && rate_compare(&note->rates[i], connector, task) == 0) {
        note->rates[i].rate = rate;
        return;
    }
    if (note->n_rates == WORKER_MAX_RATES) {
        return;
    }
    if ((note->n_rates & (note->n_rates - 1)) == 0) { /* room for the next power of two */
        size_t size = note->n_rates ? note->n_rates * 2 : 1;
        note->rates = xrealloc(note->rates, size * sizeof(*note->rates));
    }
    struct task_rate *place = &note->rates[i];
    memmove(place + 1, place, (note->n_rates - i) * sizeof(*place));
    note->n_rates++;
    *place = (struct task_rate){ xstrdup(connector), task, rate };
}

int64_t worker_note_find_rate(const struct worker_note *note, const char *connector, int task)
{
    size_t i = rate_place(note, connector, task);
    bool found = i < note->n_rates && rate_compare(&note->rates[i], connector, task) == 0;
    return found ? note->rates[i].rate : -1;
}

struct worker_notes *worker_notes_ref(struct worker_notes *notes)
{
    if (notes) {
        ref_take(&notes->ref);
    }
    return notes;
}

void worker_notes_unref(struct worker_notes *notes)
{
    if (!notes || !ref_drop(&notes->ref)) {
        return;
    }
    for (size_t i = 0; i < notes->n_items; i++) {
        worker_note_unref(notes->items[i]);
    }
    free(notes->items);
    free(notes);
}

const struct worker_note *worker_notes_find(const struct worker_notes *notes, const char *worker_id)
{
    size_t low = 0;
    size_t high = notes ? notes->n_items : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(notes->items[middle]->worker_id, worker_id);
        if (order == 0) {
            return notes->items[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* The notes without those of worker_id, and with note (may be NULL), which is taken. */
static struct worker_notes *replaced(const struct worker_notes *old, const char *worker_id,
                                     struct worker_note *note)
{
    size_t n_old = old ? old->n_items : 0;
    struct worker_notes *notes = xcalloc(1, sizeof(*notes));
    ref_init(&notes->ref);
    notes->items = xcalloc(n_old + 1, sizeof(struct worker_note *));
    for (size_t i = 0; i < n_old; i++) {
        int order = strcmp(old->items[i]->worker_id, worker_id);
        if (order > 0 && note) {
            notes->items[notes->n_items++] = TAKE(note);
        }
        if (order != 0) {
            ref_take(&old->items[i]->ref);
            notes->items[notes->n_items++] = old->items[i];
        }
    }
    if (note) {
        notes->items[notes->n_items++] = note;
    }
    return notes;
}

static void read_rates(const cJSON *connectors, struct worker_note *note)
{
    for (const cJSON *c = connectors ? connectors->child : NULL; c; c = c->next) {
        for (const cJSON *t = cJSON_IsObject(c) ? c->child : NULL; t; t = t->next) {
            char *end = NULL;
            long task = strtol(t->string, &end, 10);
            bool legal = end != t->string && *end == '\0' && task >= 0 && task <= MAX_TASK_NUMBER &&
                         cJSON_IsNumber(t) && t->valuedouble >= 0 && t->valuedouble <= 1e12;
            if (legal) {
                worker_note_rate(note, c->string, (int)task, (int64_t)t->valuedouble);
            }
        }
    }
}

bool fold_worker(const struct folding *in)
{
    struct worker_note *note = NULL;
    if (in->value) {
        const char *instance = json_string(in->value, "instance");
        if (!instance) {
            return false;
        }
        note = worker_note_new(in->rest, instance);
        note->objects = json_bool(in->value, "objects", false);
        note->leaving = json_bool(in->value, "leaving", false);
        const cJSON *refused = cJSON_GetObjectItemCaseSensitive(in->value, "refused");
        for (const cJSON *item = refused ? refused->child : NULL; item; item = item->next) {
            if (cJSON_IsString(item)) {
                worker_note_refuse(note, item->valuestring);
            }
        }
        const cJSON *rates = cJSON_GetObjectItemCaseSensitive(in->value, "rates");
        read_rates(cJSON_IsObject(rates) ? rates : NULL, note);
    }
    struct worker_notes *old = in->state->notes;
    in->state->notes = replaced(old, in->rest, note);
    worker_notes_unref(old);
    in->state->changed = true;
    return true;
}
