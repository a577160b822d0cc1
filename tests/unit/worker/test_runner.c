/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of tasks and retirements on their threads: which events come, in which order, and once.
 * fakes: connectors
 */
#include <string.h>
#include <unistd.h>

#include "tests/fakes/connectors.h"
#include "tests/support/no_files.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/mem.h"
#include "worker/runner.h"
#include "worker/task.h"

#define MAX_EVENTS 64

struct seen {
    enum task_event_kind kind;
    uint64_t incarnation;
    enum err err;
    char trace[128];
};

struct fixture {
    struct runner *runner;
    struct kvs worker;
    struct kvs config;
    struct kvs task_config;
    struct lock lock; /* guards what follows */
    struct cond changed;
    struct seen events[MAX_EVENTS];
    size_t n_events;
    char offset[64];
};

static void on_event(void *arg, const struct task_event *event)
{
    struct fixture *f = arg;
    lock_take(&f->lock);
    ASSERT(f->n_events < MAX_EVENTS);
    struct seen *seen = &f->events[f->n_events++];
    *seen = (struct seen){ event->kind, event->incarnation, event->err, "" };
    (void)snprintf(seen->trace, sizeof(seen->trace), "%s", event->trace ? event->trace : "");
    cond_broadcast(&f->changed);
    lock_drop(&f->lock);
}

static void put_offset(void *arg, const char *connector, const char *partition, const char *offset)
{
    struct fixture *f = arg;
    lock_take(&f->lock);
    (void)snprintf(f->offset, sizeof(f->offset), "%s %s %s", connector, partition, offset);
    cond_broadcast(&f->changed);
    lock_drop(&f->lock);
}

static void begin(struct fixture *f)
{
    const struct offset_port offsets = { .arg = f, .put = put_offset };
    f->runner = runner_new(&f->worker, &offsets, on_event, f);
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    lock_init(&f->lock, LOCK_RANK_HERDER);
    cond_init(&f->changed);
    kvs_init(&f->worker);
    kvs_set(&f->worker, "group.id", "g");
    kvs_init(&f->config);
    kvs_set(&f->config, "connector.class", "FakeSource");
    kvs_init(&f->task_config);
    memset(&fake_calls, 0, sizeof(fake_calls));
    begin(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 1; i <= 4; i++) {
        runner_stop(f->runner, i, 0);
    }
    runner_free(f->runner);
    assert_int_equal(atomic_load(&fake_calls.n_run), atomic_load(&fake_calls.n_free));
    kvs_fini(&f->worker);
    kvs_fini(&f->config);
    kvs_fini(&f->task_config);
    cond_fini(&f->changed);
    lock_fini(&f->lock);
    free(f);
    return 0;
}

static void start(struct fixture *f, uint64_t incarnation, bool paused)
{
    const struct task_spec spec = {
        .connector = "c",
        .incarnation = incarnation,
        .paused = paused,
        .connector_config = &f->config,
        .task_config = &f->task_config,
    };
    runner_start(f->runner, &spec);
}

/* Waits for the n-th event and checks what it is. */
static void assert_event(struct fixture *f, size_t n, uint64_t incarnation,
                         enum task_event_kind kind)
{
    uint64_t deadline_ms = clock_mono_ms() + 20000;
    lock_take(&f->lock);
    while (f->n_events < n && cond_wait_until(&f->changed, &f->lock, deadline_ms)) {
    }
    bool came = f->n_events >= n;
    struct seen seen = f->events[n - 1];
    lock_drop(&f->lock);
    assert_true(came);
    assert_int_equal(seen.kind, kind);
    assert_int_equal(seen.incarnation, incarnation);
}

static void test_start_and_stop(void **state)
{
    struct fixture *f = *state;
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_RUNNING);
    runner_stop(f->runner, 1, clock_mono_ms() + 1000);
    assert_event(f, 2, 1, TASK_EVENT_STOPPED);
}

static void test_kind_that_takes_no_configs_while_it_runs_declines_at_once(void **state)
{
    struct fixture *f = *state;
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_RUNNING);
    const struct runner_update update = { &f->config, &f->task_config, true, UINT64_MAX };
    runner_update(f->runner, 1, &update);
    assert_event(f, 2, 1, TASK_EVENT_DECLINED);
    runner_update(f->runner, 1, &update);
    assert_event(f, 3, 1, TASK_EVENT_DECLINED);
    runner_update(f->runner, 99, &update); /* unknown: nothing comes of it */
    runner_stop(f->runner, 1, clock_mono_ms() + 1000);
    assert_event(f, 4, 1, TASK_EVENT_STOPPED);
}

static void test_stop_twice_gives_one_event(void **state)
{
    struct fixture *f = *state;
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_RUNNING);
    runner_stop(f->runner, 1, clock_mono_ms() + 1000);
    runner_stop(f->runner, 1, clock_mono_ms());
    assert_event(f, 2, 1, TASK_EVENT_STOPPED);
    runner_stop(f->runner, 1, 0);
    runner_free(f->runner);
    assert_int_equal(f->n_events, 2);
    const struct offset_port offsets = { .arg = f };
    f->runner = runner_new(&f->worker, &offsets, on_event, f);
}

static void test_pause_and_resume(void **state)
{
    struct fixture *f = *state;
    start(f, 1, true);
    assert_event(f, 1, 1, TASK_EVENT_PAUSED);
    runner_resume(f->runner, 1);
    assert_event(f, 2, 1, TASK_EVENT_RUNNING);
    runner_pause(f->runner, 1);
    assert_event(f, 3, 1, TASK_EVENT_PAUSED);
}

static void test_failure_to_make_the_task(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "fail.new", "no good");
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_FAILED);
    assert_string_equal(f->events[0].trace, "no good");
    runner_stop(f->runner, 1, 0);
    assert_event(f, 2, 1, TASK_EVENT_STOPPED);
}

static void test_failure_of_the_run(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "fail.run", "broke");
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_RUNNING);
    assert_event(f, 2, 1, TASK_EVENT_FAILED);
    assert_string_equal(f->events[1].trace, "broke");
    assert_int_equal(f->events[1].err, ERR_IO);
    runner_stop(f->runner, 1, 0);
    assert_event(f, 3, 1, TASK_EVENT_STOPPED);
}

static void test_a_task_without_a_descriptor_fails_and_says_why(void **state)
{
    struct fixture *f = *state;
    rlim_t before = no_files_begin();
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_FAILED);
    no_files_end(before);
    assert_non_null(strstr(f->events[0].trace, "the task cannot start: no open file is left"));
    runner_stop(f->runner, 1, clock_mono_ms());
    assert_event(f, 2, 1, TASK_EVENT_STOPPED);
    start(f, 2, false);
    assert_event(f, 3, 2, TASK_EVENT_RUNNING);
}

/* What the core releases at once is still shown as failed. */
static void test_a_failed_task_shows_until_it_is_started_again(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "fail.run", "broke");
    start(f, 1, false);
    assert_event(f, 2, 1, TASK_EVENT_FAILED);
    runner_stop(f->runner, 1, 0);
    assert_event(f, 3, 1, TASK_EVENT_STOPPED);
    struct metric_scope *scope = metrics_task("c", 0);
    assert_true(metric_get(scope, METRIC_TASK_STATE, 2) > 0.5);
    assert_true(metric_get(metrics_worker(), METRIC_TASKS, 2) > 0.5);
    kvs_remove(&f->config, "fail.run");
    start(f, 2, false);
    assert_event(f, 4, 2, TASK_EVENT_RUNNING);
    assert_true(metric_get(scope, METRIC_TASK_STATE, 2) < 0.5);
    assert_true(metric_get(scope, METRIC_TASK_STATE, 0) > 0.5);
    assert_true(metric_get(metrics_worker(), METRIC_TASKS, 2) < 0.5);
    metrics_task_drop(scope);
}

static void test_unknown_class_fails_the_task(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "connector.class", "x.Y");
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_FAILED);
    assert_non_null(strstr(f->events[0].trace, "x.Y"));
}

static void test_task_that_ends_by_itself_is_stopped(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "end.now", "1");
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_STOPPED);
}

static void test_incarnations_do_not_mix(void **state)
{
    struct fixture *f = *state;
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_RUNNING);
    runner_stop(f->runner, 1, clock_mono_ms() + 1000);
    start(f, 2, false);
    runner_stop(f->runner, 99, 0);
    uint64_t deadline_ms = clock_mono_ms() + 20000;
    lock_take(&f->lock);
    while (f->n_events < 3 && cond_wait_until(&f->changed, &f->lock, deadline_ms)) {
    }
    size_t n_stopped = 0;
    for (size_t i = 1; i < f->n_events; i++) {
        bool first = f->events[i].incarnation == 1;
        assert_int_equal(f->events[i].kind, first ? TASK_EVENT_STOPPED : TASK_EVENT_RUNNING);
        n_stopped += first;
    }
    lock_drop(&f->lock);
    assert_int_equal(n_stopped, 1);
}

static void test_restart_is_counted_and_goes_on_counting(void **state)
{
    struct fixture *f = *state;
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_RUNNING);
    struct metric_scope *scope = metrics_task("c", 0);
    metric_add(scope, METRIC_RECORDS_IN, 0, 5);
    metrics_task_drop(scope);
    runner_stop(f->runner, 1, clock_mono_ms() + 1000);
    assert_event(f, 2, 1, TASK_EVENT_STOPPED);
    start(f, 2, false);
    assert_event(f, 3, 2, TASK_EVENT_RUNNING);
    scope = metrics_task("c", 0);
    assert_true(metric_get(scope, METRIC_TASK_RESTARTS, 0) > 0.5);
    assert_true(metric_get(scope, METRIC_RECORDS_IN, 0) > 4.5);
    metrics_task_drop(scope);
}

static void test_offsets_reach_the_port(void **state)
{
    struct fixture *f = *state;
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_RUNNING);
    lock_take(&f->lock);
    assert_string_equal(f->offset, "c {\"p\":1} {\"o\":2}");
    lock_drop(&f->lock);
}

static void count_in(const char *connector, int task, uint64_t n)
{
    struct metric_scope *scope = metrics_task(connector, task);
    metric_add(scope, METRIC_RECORDS_IN, 0, n);
    metrics_task_drop(scope);
}

static double counted_in(const char *connector, int task)
{
    struct metric_scope *scope = metrics_task(connector, task);
    double n = metric_get(scope, METRIC_RECORDS_IN, 0);
    metrics_task_drop(scope);
    return n;
}

static bool keeps_task_0(void *arg, const char *connector, int task)
{
    (void)arg;
    assert_string_equal(connector, "c");
    return task == 0;
}

static bool keeps_none(void *arg, const char *connector, int task)
{
    (void)arg;
    (void)connector;
    (void)task;
    return false;
}

static void start_number(struct fixture *f, int number, uint64_t incarnation)
{
    const struct task_spec spec = {
        .connector = "c",
        .task = number,
        .incarnation = incarnation,
        .connector_config = &f->config,
        .task_config = &f->task_config,
    };
    runner_start(f->runner, &spec);
}

/* Starts task 0 as incarnation 1 and 1 as 2, has them count something, and stops both. */
static void run_two(struct fixture *f)
{
    for (int task = 0; task < 2; task++) {
        uint64_t incarnation = (uint64_t)task + 1;
        size_t n = (size_t)task * 2;
        start_number(f, task, incarnation);
        assert_event(f, n + 1, incarnation, TASK_EVENT_RUNNING);
        count_in("c", task, 5);
        runner_stop(f->runner, incarnation, clock_mono_ms() + 1000);
        assert_event(f, n + 2, incarnation, TASK_EVENT_STOPPED);
    }
}

static void
test_the_metrics_of_a_task_that_has_ended_go_unless_it_may_be_started_again(void **state)
{
    struct fixture *f = *state;
    run_two(f);
    start(f, 3, false);
    assert_event(f, 5, 3, TASK_EVENT_RUNNING);
    runner_sweep(f->runner, keeps_none, NULL); /* none of those that run */
    assert_true(counted_in("c", 0) > 4.5);
    assert_true(counted_in("c", 1) < 0.5);
    runner_stop(f->runner, 3, clock_mono_ms() + 1000);
    assert_event(f, 6, 3, TASK_EVENT_STOPPED);
    runner_sweep(f->runner, keeps_task_0, NULL);
    assert_true(counted_in("c", 0) > 4.5);
    runner_sweep(f->runner, keeps_none, NULL);
    assert_true(counted_in("c", 0) < 0.5);
}

static void test_tasks_that_are_restarted_together_all_go_on_counting(void **state)
{
    struct fixture *f = *state;
    run_two(f);
    start_number(f, 0, 3);
    assert_event(f, 5, 3, TASK_EVENT_RUNNING);
    start_number(f, 1, 4);
    assert_event(f, 6, 4, TASK_EVENT_RUNNING);
    assert_true(counted_in("c", 0) > 4.5);
    assert_true(counted_in("c", 1) > 4.5);
}

static void test_retirement(void **state)
{
    struct fixture *f = *state;
    struct kvs tasks[2] = { { NULL, 0, 0 }, { NULL, 0, 0 } };
    runner_retire(f->runner, 3, "c", &f->config, tasks, 2);
    assert_event(f, 1, 3, RETIRE_EVENT_DONE);
    assert_int_equal(f->events[0].err, ERR_OK);
    kvs_set(&f->config, "fail.retire", "away");
    runner_retire(f->runner, 4, "c", &f->config, tasks, 2);
    assert_event(f, 2, 4, RETIRE_EVENT_DONE);
    assert_int_equal(f->events[1].err, ERR_UNAVAILABLE);
    assert_string_equal(f->events[1].trace, "away");
}

static void test_a_retirement_that_waits_gives_up_when_the_runner_ends(void **state)
{
    struct fixture *f = *state;
    struct kvs tasks[2] = { { NULL, 0, 0 }, { NULL, 0, 0 } };
    kvs_set(&f->config, "hang.retire", "yes");
    kvs_set(&f->config, "fail.retire", "stopped");
    runner_retire(f->runner, 3, "c", &f->config, tasks, 2);
    uint64_t start_ms = clock_mono_ms();
    runner_free(TAKE(f->runner));
    assert_true(clock_mono_ms() - start_ms < 30000);
    assert_event(f, 1, 3, RETIRE_EVENT_DONE);
    assert_int_equal(f->events[0].err, ERR_UNAVAILABLE);
    begin(f);
}

static void test_retirements_give_up_when_they_are_told_to_and_later_ones_do_not(void **state)
{
    struct fixture *f = *state;
    struct kvs tasks[2] = { { NULL, 0, 0 }, { NULL, 0, 0 } };
    CLEANUP(kvs_fini) struct kvs hangs;
    kvs_init(&hangs);
    kvs_copy(&hangs, &f->config);
    kvs_set(&hangs, "hang.retire", "yes");
    kvs_set(&hangs, "fail.retire", "stopped");
    kvs_set(&f->config, "ask.retire", "yes");
    runner_retire(f->runner, 1, "c", &hangs, tasks, 2);
    runner_end_retirements(f->runner);
    uint64_t start_ms = clock_mono_ms();
    assert_event(f, 1, 1, RETIRE_EVENT_DONE);
    assert_int_equal(f->events[0].err, ERR_UNAVAILABLE);
    assert_true(clock_mono_ms() - start_ms < 30000);
    runner_retire(f->runner, 2, "c", &f->config, tasks, 2);
    assert_event(f, 2, 2, RETIRE_EVENT_DONE);
    assert_int_equal(f->events[1].err, ERR_OK);
}

static void test_moves_of_the_state_machine(void **state)
{
    (void)state;
    assert_true(task_move_allowed(TASK_STATE_STARTING, TASK_STATE_RUNNING));
    assert_true(task_move_allowed(TASK_STATE_RUNNING, TASK_STATE_PAUSED));
    assert_true(task_move_allowed(TASK_STATE_PAUSED, TASK_STATE_RUNNING));
    assert_false(task_move_allowed(TASK_STATE_STOPPING, TASK_STATE_RUNNING));
    assert_false(task_move_allowed(TASK_STATE_FAILED, TASK_STATE_RUNNING));
    for (int to = 0; to < TASK_STATE_N; to++) {
        assert_false(task_move_allowed(TASK_STATE_STOPPED, (enum task_state)to));
        assert_false(task_move_allowed(TASK_STATE_FAILED, (enum task_state)to));
    }
}

/* A runner whose tasks may use files and the environment. */
static void with_providers(struct fixture *f)
{
    runner_free(f->runner);
    kvs_set(&f->worker, "config.providers", "dir,env,file");
    kvs_set(&f->worker, "config.providers.dir.class", "DirectoryConfigProvider");
    kvs_set(&f->worker, "config.providers.env.class", "EnvVarConfigProvider");
    kvs_set(&f->worker, "config.providers.file.class", "FileConfigProvider");
    const struct offset_port offsets = { .arg = f, .put = put_offset };
    f->runner = runner_new(&f->worker, &offsets, on_event, f);
    assert_int_equal(setenv("SLUICE_TEST_SECRET", "opensesame", 1), 0);
}

static void test_traces_show_the_placeholder_of_a_value(void **state)
{
    struct fixture *f = *state;
    with_providers(f);
    kvs_set(&f->config, "fail.run", "broker refused ${env:SLUICE_TEST_SECRET} and literal");
    kvs_set(&f->config, "some.password", "literal");
    start(f, 1, false);
    assert_event(f, 2, 1, TASK_EVENT_FAILED);
    assert_string_equal(f->events[1].trace,
                        "broker refused ${env:SLUICE_TEST_SECRET} and [hidden]");
}

static void test_a_task_whose_config_cannot_be_resolved_fails(void **state)
{
    struct fixture *f = *state;
    with_providers(f);
    kvs_set(&f->config, "some.password", "${env:path:NAME}");
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_FAILED);
    assert_string_equal(f->events[0].trace,
                        "Path is not supported for EnvVarConfigProvider, invalid value 'path'");
    assert_int_equal(atomic_load(&fake_calls.n_new), 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_new_values_of_a_file_are_told_unless_switched_off(void **state)
{
    struct fixture *f = *state;
    with_providers(f);
    char folder[] = "/tmp/sluice-runner-XXXXXX";
    assert_non_null(mkdtemp(folder));
    CLEANUP(free_charp) char *path = xasprintf("%s/pw", folder);
    CLEANUP(free_charp) char *value = xasprintf("${dir:%s:pw}", folder);
    write_file(path, "one");
    kvs_set(&f->config, "some.password", value);
    kvs_set(&f->config, "config.action.reload", "none");
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_RUNNING);
    kvs_remove(&f->config, "config.action.reload");
    start(f, 2, false);
    assert_event(f, 2, 2, TASK_EVENT_RUNNING);
    write_file(path, "two");
    assert_event(f, 3, 2, TASK_EVENT_CHANGED);
    runner_stop(f->runner, 1, clock_mono_ms() + 1000);
    assert_event(f, 4, 1, TASK_EVENT_STOPPED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_a_task_that_failed_for_want_of_a_file_is_told_when_it_can_be_read(void **state)
{
    struct fixture *f = *state;
    with_providers(f);
    char folder[] = "/tmp/sluice-runner-XXXXXX";
    assert_non_null(mkdtemp(folder));
    CLEANUP(free_charp) char *path = xasprintf("%s/a.properties", folder);
    CLEANUP(free_charp) char *fresh = xasprintf("%s/fresh", folder);
    CLEANUP(free_charp) char *value = xasprintf("${file:%s:pw}", path);
    /* The connector's config can be read, so only the task's has to be waited for. */
    kvs_set(&f->config, "some.password", "${env:SLUICE_TEST_SECRET}");
    kvs_set(&f->task_config, "other.password", value);
    kvs_set(&f->config, "config.action.reload", "none");
    start(f, 1, false);
    assert_event(f, 1, 1, TASK_EVENT_FAILED);
    kvs_remove(&f->config, "config.action.reload");
    start(f, 2, false);
    assert_event(f, 2, 2, TASK_EVENT_FAILED);
    assert_non_null(strstr(f->events[1].trace, "Could not read properties from file"));
    write_file(fresh, "pw=opensesame");
    assert_int_equal(rename(fresh, path), 0);
    assert_event(f, 3, 2, TASK_EVENT_CHANGED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

#define RUNS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS(test_start_and_stop),
        RUNS(test_kind_that_takes_no_configs_while_it_runs_declines_at_once),
        RUNS(test_stop_twice_gives_one_event),
        RUNS(test_pause_and_resume),
        RUNS(test_failure_to_make_the_task),
        RUNS(test_failure_of_the_run),
        RUNS(test_a_task_without_a_descriptor_fails_and_says_why),
        RUNS(test_a_failed_task_shows_until_it_is_started_again),
        RUNS(test_unknown_class_fails_the_task),
        RUNS(test_task_that_ends_by_itself_is_stopped),
        RUNS(test_incarnations_do_not_mix),
        RUNS(test_restart_is_counted_and_goes_on_counting),
        RUNS(test_offsets_reach_the_port),
        RUNS(test_the_metrics_of_a_task_that_has_ended_go_unless_it_may_be_started_again),
        RUNS(test_tasks_that_are_restarted_together_all_go_on_counting),
        RUNS(test_retirement),
        RUNS(test_traces_show_the_placeholder_of_a_value),
        RUNS(test_a_task_whose_config_cannot_be_resolved_fails),
        RUNS(test_new_values_of_a_file_are_told_unless_switched_off),
        RUNS(test_a_task_that_failed_for_want_of_a_file_is_told_when_it_can_be_read),
        RUNS(test_a_retirement_that_waits_gives_up_when_the_runner_ends),
        RUNS(test_retirements_give_up_when_they_are_told_to_and_later_ones_do_not),
        cmocka_unit_test(test_moves_of_the_state_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
