/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands, statuses, and what happens when nobody leads.
 *
 * fakes: fake_cluster
 */
#include "plugins.h"
#include "served.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"

static enum target_state target_of(struct served *served, const char *name)
{
    struct snapshot *snapshot = cluster_snapshot(served->cluster);
    enum target_state target = snapshot_find(snapshot, name)->target;
    snapshot_unref(snapshot);
    return target;
}

static void test_pause_resume_stop_have_connects_codes_and_may_be_repeated(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(served_call(served, "PUT", "/connectors/a/pause", NULL), 202);
        assert_null(served->response.body);
        assert_int_equal(target_of(served, "a"), TARGET_PAUSED);
    }
    assert_int_equal(served_call(served, "PUT", "/connectors/a/stop", NULL), 204);
    assert_int_equal(target_of(served, "a"), TARGET_STOPPED);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/resume", "ignored"), 202);
    assert_int_equal(target_of(served, "a"), TARGET_STARTED);
}

static void make_partly_failed(struct served *served)
{
    served_create(served, "a");
    served_tasks(served, "a", 2);
    served_status(served, "a", -1, STATE_RUNNING, NULL);
    served_status(served, "a", 0, STATE_FAILED, "boom");
    served_status(served, "a", 1, STATE_RUNNING, NULL);
}

#define OWN(state)                                                                                 \
    "\"connector\":{\"state\":\"" state "\",\"worker_id\":\"worker:8083\",\"version\":\"1.2.3\"}"
#define TASK(id, state, more)                                                                      \
    "{\"id\":" id ",\"state\":\"" state                                                            \
    "\",\"worker_id\":\"worker:8083\",\"version\":\"1.2.3\"" more "}"
#define VIEW(own, task0, task1)                                                                    \
    "{\"name\":\"a\"," own ",\"tasks\":[" task0 "," task1 "],\"type\":\"source\"}"

static void test_status_shows_states_and_traces(void **state)
{
    struct served *served = *state;
    make_partly_failed(served);
    assert_int_equal(served_call(served, "GET", "/connectors/a/status", NULL), 200);
    assert_body(served, VIEW(OWN("RUNNING"), TASK("0", "FAILED", ",\"trace\":\"boom\""),
                             TASK("1", "RUNNING", "")));
    assert_int_equal(served_call(served, "GET", "/connectors/a/tasks/0/status", NULL), 200);
    assert_body(served, TASK("0", "FAILED", ",\"trace\":\"boom\""));
    assert_int_equal(served_call(served, "GET", "/connectors/a/tasks/2/status", NULL), 404);
    assert_int_equal(served_call(served, "GET", "/connectors/a/tasks/-1/status", NULL), 404);
    assert_error(served, 404, "No status found for task a--1");
}

static void test_tasks_show_their_configs(void **state)
{
    struct served *served = *state;
    make_partly_failed(served);
    assert_int_equal(served_call(served, "GET", "/connectors/a/tasks", NULL), 200);
    assert_body(served, "[{\"id\":{\"connector\":\"a\",\"task\":0},\"config\":{\"task.class\":"
                        "\"" TEST_SOURCE "\",\"password\":\"[hidden]\"}},{\"id\":{\"connector\":"
                        "\"a\",\"task\":1},\"config\":{\"task.class\":\"" TEST_SOURCE
                        "\",\"password\":\"[hidden]\"}}]");
}

static void test_plain_restart_is_204(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    assert_int_equal(served_call(served, "POST", "/connectors/a/restart", NULL), 204);
    assert_int_equal(
        served_call(served, "POST", "/connectors/a/restart?includeTasks=no&onlyFailed=x", NULL),
        204);
    assert_int_equal(served_call(served, "POST", "/connectors/a/restart?includeTasks=true", NULL),
                     404);
    assert_error(served, 404, "Status for connector a not found");
}

static void test_restart_with_flags_answers_the_plan(void **state)
{
    struct served *served = *state;
    make_partly_failed(served);
    static const struct {
        const char *query;
        const char *body;
    } cases[] = {
        { "includeTasks=true",
          VIEW(OWN("RESTARTING"), TASK("0", "RESTARTING", ",\"trace\":\"boom\""),
               TASK("1", "RESTARTING", "")) },
        { "includeTasks=true&onlyFailed=true",
          VIEW(OWN("RUNNING"), TASK("0", "RESTARTING", ",\"trace\":\"boom\""),
               TASK("1", "RUNNING", "")) },
        { "onlyFailed=TRUE", VIEW(OWN("RUNNING"), TASK("0", "FAILED", ",\"trace\":\"boom\""),
                                  TASK("1", "RUNNING", "")) },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        char target[100];
        (void)snprintf(target, sizeof(target), "/connectors/a/restart?%s", cases[i].query);
        assert_int_equal(served_call(served, "POST", target, NULL), 202);
        assert_body(served, cases[i].body);
    }
}

static void test_task_restart(void **state)
{
    struct served *served = *state;
    make_partly_failed(served);
    assert_int_equal(served_call(served, "POST", "/connectors/a/tasks/1/restart", NULL), 204);
    assert_int_equal(served_call(served, "POST", "/connectors/a/tasks/2/restart", NULL), 404);
    assert_error(served, 404, "Unknown task: a-2");
    assert_int_equal(served_call(served, "POST", "/connectors/a/tasks/x/restart", NULL), 404);
    assert_error(served, 404, "HTTP 404 Not Found");
}

static void test_failures_of_the_cluster_have_connects_answers(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    static const struct {
        enum err err;
        int code;
        const char *text;
    } cases[] = {
        { ERR_TIMEOUT, 500,
          "Request timed out. The worker is currently busy, which began at "
          "2023-11-14T22:13:20.000Z." },
        { ERR_CLOSED, 500, "Worker is shutting down" },
        { ERR_IO, 500,
          "Failed to write to config topic; this may be due to a transient error and the request "
          "can be safely retried" },
        { ERR_UNAUTHORIZED, 500, "fake failure" },
    };
    fake_cluster_phase(served->cluster, CLUSTER_READY, "busy");
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        fake_cluster_fail(served->cluster, cases[i].err, 1);
        assert_int_equal(served_call(served, "PUT", "/connectors/a/pause", NULL), cases[i].code);
        assert_error(served, cases[i].code, cases[i].text);
    }
    fake_cluster_phase(served->cluster, CLUSTER_READY, "");
    fake_cluster_fail(served->cluster, ERR_TIMEOUT, 1);
    assert_int_equal(served_call(served, "DELETE", "/connectors/a", NULL), 500);
    assert_error(served, 500, "Request timed out");
}

static void test_without_a_leader_the_request_is_held_and_then_409(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    served->env.request_timeout_ms = 50;
    fake_cluster_leader(served->cluster, NULL, false);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/pause", NULL), 409);
    assert_error(served, 409,
                 "Cannot complete request momentarily due to no known leader URL, likely because a "
                 "rebalance was underway.");
    assert_int_equal(target_of(served, "a"), TARGET_STARTED);
    assert_int_equal(served_call(served, "POST", "/connectors", "{\"name\":\"b\",\"config\":{}}"),
                     400);
}

static void test_a_leader_that_has_just_lost_tries_again(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    fake_cluster_fail(served->cluster, ERR_NOT_LEADER, 2);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/pause", NULL), 202);
    assert_int_equal(target_of(served, "a"), TARGET_PAUSED);
    fake_cluster_fail(served->cluster, ERR_FENCED, 1);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/resume", NULL), 202);
    assert_int_equal(target_of(served, "a"), TARGET_STARTED);
}

static void test_a_forwarded_request_is_never_passed_on(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    fake_cluster_leader(served->cluster, "http://127.0.0.1:1", false);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/pause?forward=false", NULL), 409);
    assert_error(served, 409,
                 "Cannot complete request because of a conflicting operation (e.g. worker "
                 "rebalance)");
    assert_string_equal(served_header(served, "X-Sluice-Position"), "not-leader");
    assert_int_equal(target_of(served, "a"), TARGET_STARTED);
}

#define served_test(name) cmocka_unit_test_setup_teardown(name, served_setup, served_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        served_test(test_pause_resume_stop_have_connects_codes_and_may_be_repeated),
        served_test(test_status_shows_states_and_traces),
        served_test(test_tasks_show_their_configs),
        served_test(test_plain_restart_is_204),
        served_test(test_restart_with_flags_answers_the_plan),
        served_test(test_task_restart),
        served_test(test_failures_of_the_cluster_have_connects_answers),
        served_test(test_without_a_leader_the_request_is_held_and_then_409),
        served_test(test_a_leader_that_has_just_lost_tries_again),
        served_test(test_a_forwarded_request_is_never_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
