/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /cluster.
 *
 * fakes: fake_cluster
 */
#include "coordinator/config_entry.h"
#include "coordinator/config_workers.h"
#include "plugins.h"
#include "served.h"
#include "tests/support/unit.h"
#include "worker/base/json.h"

/* Places two tasks of "c", of which the worker reports rates. */
static void place(struct served *served)
{
    static const struct seat seats[] = { { 2, MOVE_PLACED, { 0, 0 } },
                                         { -1, MOVE_PLACED, { 0, 0 } } };
    served_create(served, "c");
    served_tasks(served, "c", 2);
    served_status(served, "c", 0, STATE_RUNNING, NULL);
    struct out_records records;
    out_records_init(&records);
    record_placement(&records, "c", seats, N_ELEMENTS(seats));
    struct worker_note *note = worker_note_new("worker:8083", "1-a");
    worker_note_rate(note, "c", 0, 250);
    record_worker(&records, "worker:8083", note);
    worker_note_unref(note);
    fake_log_add(served->log, &records);
}

static const cJSON *at(const cJSON *object, const char *list, int i)
{
    return cJSON_GetArrayItem(cJSON_GetObjectItem(object, list), i);
}

static void expect_number(const cJSON *object, const char *key, double value)
{
    const cJSON *item = cJSON_GetObjectItem(object, key);
    assert_true(cJSON_IsNumber(item) && item->valuedouble >= value && item->valuedouble <= value);
}

static void expect_text(const cJSON *object, const char *key, const char *text)
{
    const cJSON *item = cJSON_GetObjectItem(object, key);
    assert_true(text ? cJSON_IsString(item) : cJSON_IsNull(item));
    if (text) {
        assert_string_equal(item->valuestring, text);
    }
}

static void test_workers_placement_and_moves_are_shown(void **state)
{
    struct served *served = *state;
    place(served);
    const char *me = cluster_worker_id(served->cluster);
    assert_int_equal(served_call(served, "GET", "/cluster", NULL), 200);
    CLEANUP(json_delete) cJSON *body = served_json(served);
    expect_text(body, "leader", me);
    expect_number(body, "generation", 7);
    expect_number(body, "slots", 4);
    const cJSON *worker = at(body, "workers", 0);
    expect_text(worker, "worker_id", me);
    expect_text(worker, "state", "UP");
    expect_number(worker, "tasks", 1);
    expect_number(worker, "load", 1);
    expect_number(worker, "rate", 250);
    const cJSON *connector = at(body, "placement", 0);
    expect_text(connector, "connector", "c");
    expect_text(at(connector, "tasks", 0), "worker_id", me);
    expect_text(at(connector, "tasks", 0), "reason", "placed");
    expect_text(at(connector, "tasks", 1), "worker_id", NULL);
    expect_text(at(connector, "tasks", 1), "slot", NULL);
    expect_text(at(body, "moves", 0), "to", me);
    expect_text(at(body, "moves", 0), "from", NULL);
    expect_number(at(body, "moves", 0), "time", 1700000000000);
}

static void test_an_unknown_group_is_said_to_be_so(void **state)
{
    struct served *served = *state;
    fake_cluster_leader(served->cluster, NULL, false);
    assert_int_equal(served_call(served, "GET", "/cluster", NULL), 503);
    assert_error(served, 503, "Who is in the cluster is not known yet");
}

static void test_a_stopped_connector_sits_nowhere(void **state)
{
    struct served *served = *state;
    place(served);
    assert_int_equal(served_call(served, "PUT", "/connectors/c/stop", NULL), 204);
    assert_int_equal(served_call(served, "GET", "/cluster", NULL), 200);
    CLEANUP(json_delete) cJSON *body = served_json(served);
    assert_null(at(body, "placement", 0));
    expect_number(at(body, "workers", 0), "tasks", 0);
}

int main(void)
{
#define REST_TEST(name) cmocka_unit_test_setup_teardown(name, served_setup, served_teardown)
    const struct CMUnitTest tests[] = {
        REST_TEST(test_workers_placement_and_moves_are_shown),
        REST_TEST(test_an_unknown_group_is_said_to_be_so),
        REST_TEST(test_a_stopped_connector_sits_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
