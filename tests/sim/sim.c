/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of the simulation and the course of a run. See sim.h. */
#include "tests/sim/sim.h"

#include <stdarg.h>

#include "worker/base/mem.h"

/* Steps without progress of the clock that are taken for an endless loop. */
#define MAX_STEPS_AT_ONCE 2000

void sim_fail(struct sim *sim, const char *format, ...)
{
    if (sim->failure[0]) {
        return;
    }
    char text[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)snprintf(sim->failure, sizeof(sim->failure), "seed %llu schedule %u at %llu ms: %s",
                   (unsigned long long)sim->options.seed, sim->n_schedule,
                   (unsigned long long)sim->now_ms, text);
    sim_trace(sim, "FAILED: %s", text);
}

void sim_trace(const struct sim *sim, const char *format, ...)
{
    if (!sim->options.trace) {
        return;
    }
    printf("%7llu ", (unsigned long long)sim->now_ms);
    va_list args;
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
}

uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high)
{
    return low + random_below(&sim->random, (size_t)(high - low + 1));
}

bool sim_chance(struct sim *sim, unsigned percent)
{
    return random_below(&sim->random, 100) < percent;
}

void sim_min(uint64_t *next, uint64_t at_ms)
{
    if (at_ms < *next) {
        *next = at_ms;
    }
}

const char *sim_connector_name(int connector)
{
    static const char names[SIM_CONNECTORS][3] = { "c0", "c1", "c2", "c3" };
    return names[connector];
}

int sim_connector_number(const char *name)
{
    int n = name[0] == 'c' ? name[1] - '0' : -1;
    return n >= 0 && n < SIM_CONNECTORS && !name[2] ? n : -1;
}

static uint64_t next_ms(const struct sim *sim)
{
    uint64_t next = SIM_NEVER;
    sim_min(&next, sim_group_next(sim));
    sim_min(&next, sim_tasks_next(sim));
    for (int i = 0; i < SIM_WORKERS; i++) {
        sim_min(&next, sim_worker_next(sim, &sim->workers[i]));
    }
    return next;
}

/* Lets the cluster go on until until_ms, with a check after each step. */
static void run_until(struct sim *sim, uint64_t until_ms)
{
    unsigned n_steps = 0;
    while (!sim->failure[0]) {
        uint64_t next = next_ms(sim);
        if (next > until_ms) {
            sim->now_ms = until_ms;
            return;
        }
        n_steps = next > sim->now_ms ? 0 : n_steps + 1;
        if (n_steps > MAX_STEPS_AT_ONCE) {
            sim_fail(sim, "endless activity");
            return;
        }
        sim->now_ms = next > sim->now_ms ? next : sim->now_ms;
        sim_tasks_step(sim);
        for (int i = 0; i < SIM_WORKERS; i++) {
            if (sim->workers[i].up) {
                sim_worker_step(sim, &sim->workers[i]);
            }
        }
        sim_group_step(sim);
        sim_check_step(sim);
    }
}

static void chaos(struct sim *sim)
{
    static const uint64_t longest_ms[] = { 100, 500, 2500 };
    uint64_t longest = longest_ms[random_below(&sim->random, N_ELEMENTS(longest_ms))];
    sim->quiet_ms = sim->now_ms + sim_between(sim, 1000, sim->options.chaos_ms);
    while (!sim->failure[0] && sim->now_ms < sim->quiet_ms) {
        uint64_t pause = sim_between(sim, 1, sim_chance(sim, 50) ? longest / 5 : longest);
        run_until(sim, sim->now_ms + pause);
        sim_chaos_step(sim);
    }
    sim_chaos_end(sim);
}

/* One request for every connector, and time to carry it out. */
static void request_all(struct sim *sim, struct sim_op op)
{
    memset(sim->n_starts, 0, sizeof(sim->n_starts));
    for (op.connector = 0; op.connector < SIM_CONNECTORS; op.connector++) {
        if (!sim_request(sim, &op)) {
            sim_fail(sim, "nobody takes a request at rest");
        }
    }
    run_until(sim, sim->now_ms + 15000);
}

/* Checks that each task of each connector was started so many times since request_all; task -1
 * stands for all tasks. */
static void expect_starts(struct sim *sim, const char *what, int task, unsigned n_starts)
{
    struct snapshot *truth = sim_truth(sim);
    for (size_t i = 0; i < truth->n_connectors; i++) {
        const struct connector_state *connector = truth->connectors[i];
        int c = sim_connector_number(connector->name);
        const char *bad = kvs_get(&connector->config, "bad");
        for (int n = 0; n < (int)connector->n_tasks && !(bad && bad[0] == 'a'); n++) {
            unsigned expected = task < 0 || task == n ? n_starts : 0;
            if (sim->n_starts[c][n] != expected) {
                sim_fail(sim, "%s: %s-%d was started %u times instead of %u", what, connector->name,
                         n, sim->n_starts[c][n], expected);
            }
        }
    }
    snapshot_unref(truth);
}

/* Requests to a cluster at rest: each is carried out exactly once, and nothing else is. */
static void check_requests(struct sim *sim)
{
    request_all(sim, (struct sim_op){ .kind = SIM_OP_SAME_PUT });
    expect_starts(sim, "identical config", -1, 0);
    request_all(sim, (struct sim_op){ .kind = SIM_OP_RESTART });
    expect_starts(sim, "restart of the connector alone", -1, 0);
    request_all(
        sim, (struct sim_op){ .kind = SIM_OP_RESTART, .include_tasks = true, .only_failed = true });
    expect_starts(sim, "restart of failed tasks", -1, 0);
    request_all(sim, (struct sim_op){ .kind = SIM_OP_RESTART_TASK, .task = 0 });
    expect_starts(sim, "restart of task 0", 0, 1);
    request_all(sim, (struct sim_op){ .kind = SIM_OP_RESTART, .include_tasks = true });
    expect_starts(sim, "restart of all tasks", -1, 1);
    sim_check_rest(sim);
    request_all(sim, (struct sim_op){ .kind = SIM_OP_TARGET, .target = TARGET_STARTED });
    sim_check_rest(sim);
    request_all(sim, (struct sim_op){ .kind = SIM_OP_PUT, .n_tasks = 3 });
    sim_check_rest(sim);
    request_all(sim, (struct sim_op){ .kind = SIM_OP_DELETE });
    sim_check_rest(sim);
}

static void sim_free(struct sim *sim)
{
    for (int i = 0; i < SIM_WORKERS; i++) {
        if (sim->workers[i].up) {
            sim_worker_kill(sim, &sim->workers[i]);
        }
    }
    sim_log_free(sim);
    free(sim);
}

/* Faults, and then rest: everything is as it should be, and nothing else has happened. */
static void play_schedule(struct sim *sim)
{
    sim->quiet_ms = SIM_NEVER;
    chaos(sim);
    run_until(sim, sim->now_ms + 140000);
    if (!sim->failure[0]) {
        /* What has failed by chance is to run again before the cluster is looked at. */
        request_all(sim, (struct sim_op){
                             .kind = SIM_OP_RESTART, .include_tasks = true, .only_failed = true });
        sim_check_rest(sim);
    }
    if (!sim->failure[0]) {
        sim_log_compact(sim);
    }
}

bool sim_run(const struct sim_options *options, char *failure)
{
    struct sim *sim = xcalloc(1, sizeof(*sim));
    sim->options = *options;
    random_seed(&sim->random, options->seed);
    sim->now_ms = 1000;
    sim->quiet_ms = SIM_NEVER;
    sim->truth = config_state_new();
    config_state_caught_up(sim->truth);
    sim_group_init(sim);
    for (int i = 0; i < 1 + (int)random_below(&sim->random, SIM_WORKERS); i++) {
        sim_worker_start(sim, &sim->workers[i]);
    }
    run_until(sim, sim->now_ms + 2000);
    for (unsigned i = 0; i < options->n_schedules && !sim->failure[0]; i++) {
        sim->n_schedule = i;
        play_schedule(sim);
    }
    if (!sim->failure[0]) {
        check_requests(sim);
    }
    memcpy(failure, sim->failure, sizeof(sim->failure));
    bool passed = !sim->failure[0];
    sim_free(sim);
    return passed;
}
