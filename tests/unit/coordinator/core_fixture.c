/* SPDX-License-Identifier: Apache-2.0 */
/* A core with fake surroundings. See core_fixture.h. */
#include "tests/unit/coordinator/core_fixture.h"

#include "tests/unit/coordinator/fold.h"
#include "worker/base/mem.h"

static enum err fake_configs(void *arg, const struct connector_state *connector, size_t n_auto,
                             struct kvs **ret_configs, size_t *ret_n, struct error *reterr)
{
    struct core_fixture *f = arg;
    f->n_expansions++;
    if (f->fails != ERR_OK) {
        return error_set(reterr, f->fails, "no configs today");
    }
    const char *max = kvs_get(&connector->config, "tasks.max");
    size_t n = strcmp(max, "auto") == 0 ? n_auto : strtoul(max, NULL, 10);
    n = f->n_configs >= 0 ? (size_t)f->n_configs : n;
    struct kvs *configs = xcalloc(n + 1, sizeof(*configs));
    for (size_t i = 0; i < n; i++) {
        kvs_set(&configs[i], "x", kvs_get(&connector->config, "x"));
    }
    *ret_configs = configs;
    *ret_n = n;
    return ERR_OK;
}

static const char *fake_version(void *arg UNUSED, const char *class_name)
{
    return strcmp(class_name, "Fake") == 0 ? "2.0" : NULL;
}

void cf_take_snapshot(struct core_fixture *f)
{
    snapshot_unref(f->snapshot);
    f->snapshot = config_state_snapshot(f->state);
    core_set_snapshot(f->core, f->snapshot);
}

int64_t cf_fold(struct core_fixture *f, enum log_topic topic, const char *key, const char *value)
{
    int64_t offset = fold_record(f->state, &f->offset, topic, key, value);
    cf_take_snapshot(f);
    return offset;
}

int cf_setup(void **state)
{
    struct core_fixture *f = xcalloc(1, sizeof(*f));
    const struct core_options options = {
        .worker_id = "me:1",
        .url = "http://me:1",
        .instance = "i",
        .n_slots = CF_SLOTS,
        .settle_ms = 3000,
        .handover_ms = 1000,
        .retire_ttl_ms = 1000000,
        .retire_hold_ms = CF_HOLD_MS,
    };
    f->port = (struct core_port){ f, fake_configs, fake_version };
    f->core = core_new(&options, &f->port);
    f->state = config_state_new();
    f->now_ms = 1000;
    f->n_configs = -1;
    config_state_caught_up(f->state);
    decisions_init(&f->decisions);
    cf_take_snapshot(f);
    *state = f;
    return 0;
}

int cf_teardown(void **state)
{
    struct core_fixture *f = *state;
    decisions_fini(&f->decisions);
    core_free(f->core);
    snapshot_unref(f->snapshot);
    config_state_free(f->state);
    free(f);
    return 0;
}

bool cf_reconcile_once(struct core_fixture *f)
{
    bool claims = false;
    decisions_fini(&f->decisions);
    core_reconcile(f->core, f->now_ms, &f->decisions);
    for (size_t i = 0; i < f->decisions.statuses.n_items; i++) {
        const struct out_record *record = &f->decisions.statuses.items[i];
        bool claim = record->value && strstr(record->value, "\"claim\"");
        if (!f->hold_status || claim) {
            (void)cf_fold(f, record->topic, record->key, record->value);
            claims = claims || claim;
        }
    }
    return claims;
}

void cf_reconcile(struct core_fixture *f)
{
    bool again = cf_reconcile_once(f);
    if (again && f->decisions.n_actions == 0) {
        (void)cf_reconcile_once(f);
    }
}

size_t cf_lead(struct core_fixture *f)
{
    size_t n_records = 0;
    for (;;) {
        struct out_records records;
        uint64_t wake_ms = 0;
        core_lead(f->core, f->now_ms, &records, &wake_ms);
        size_t n = records.n_items;
        n_records += n;
        for (size_t i = 0; i < n; i++) {
            (void)cf_fold(f, records.items[i].topic, records.items[i].key, records.items[i].value);
        }
        out_records_fini(&records);
        if (n == 0) {
            return n_records;
        }
    }
}

void cf_claim(struct core_fixture *f, int32_t first, int32_t last)
{
    int32_t slots[CF_SLOTS];
    size_t n = 0;
    for (int32_t slot = first; slot <= last; slot++) {
        slots[n++] = slot;
    }
    core_set_slots(f->core, slots, n);
}

void cf_group(struct core_fixture *f, bool with_other)
{
    static const int32_t slots[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    const struct core_member members[] = {
        { "me:1", slots, with_other ? 4 : 8, false, false, 0 },
        { "you:1", slots + 4, 4, false, false, 0 },
    };
    cf_claim(f, 0, with_other ? 3 : 7);
    core_set_members(f->core, members, with_other ? 2 : 1);
}

void cf_put_config(struct core_fixture *f, const char *name, const char *max, const char *x)
{
    char key[64];
    char value[256];
    (void)snprintf(key, sizeof(key), "connector-%s", name);
    (void)snprintf(value, sizeof(value),
                   "{\"properties\":{\"connector.class\":\"Fake\",\"tasks.max\":\"%s\","
                   "\"x\":\"%s\"}}",
                   max, x);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, key, value);
}

void cf_one_task(struct core_fixture *f)
{
    cf_put_config(f, "a", "1", "1");
    char commit[64];
    (void)snprintf(commit, sizeof(commit), "{\"tasks\":1,\"config-offset\":%lld}",
                   (long long)f->offset - 1);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "task-a-0", "{\"properties\":{\"x\":\"1\"}}");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "commit-a", commit);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "placement-a", "{\"slots\":[0]}");
}

void cf_status_by(struct core_fixture *f, const char *key, const char *state, const char *worker)
{
    char value[128];
    (void)snprintf(value, sizeof(value), "{\"state\":\"%s\",\"worker_id\":\"%s\"}", state, worker);
    (void)cf_fold(f, LOG_TOPIC_STATUS, key, value);
}

uint64_t cf_only_action(const struct core_fixture *f, enum action_kind kind)
{
    assert_int_equal(f->decisions.n_actions, 1);
    assert_int_equal(f->decisions.actions[0].kind, kind);
    return f->decisions.actions[0].incarnation;
}

void cf_no_action(const struct core_fixture *f)
{
    assert_int_equal(f->decisions.n_actions, 0);
}

const struct status *cf_task_status(const struct core_fixture *f)
{
    const struct connector_state *connector = snapshot_find_any(f->snapshot, "a");
    return connector && connector->n_tasks > 0 ? connector->tasks[0].status : NULL;
}

void cf_expect_status(const struct status *status, enum run_state state, const char *worker)
{
    assert_non_null(status);
    assert_string_equal(run_state_name(status->state), run_state_name(state));
    assert_string_equal(status->worker_id, worker);
}

uint64_t cf_run_one_task(struct core_fixture *f)
{
    cf_group(f, true);
    cf_one_task(f);
    cf_reconcile(f);
    uint64_t incarnation = cf_only_action(f, ACTION_START_TASK);
    core_on_task(f->core, incarnation, CORE_TASK_RUNNING, NULL);
    cf_reconcile(f);
    cf_no_action(f);
    return incarnation;
}

void cf_become_leader(struct core_fixture *f)
{
    cf_group(f, true);
    core_set_leading(f->core, true);
}
