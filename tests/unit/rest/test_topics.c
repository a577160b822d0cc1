/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics that connectors use, and Connect's endpoints that are refused.
 *
 * fakes: fake_cluster
 */
#include "plugins.h"
#include "served.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"

static void use(struct served *served, const char *name, const char *topic)
{
    struct out_records records;
    out_records_init(&records);
    record_topic_use(&records, name, 0, topic, 1);
    fake_log_add(served->log, &records);
}

static void test_topics_of_a_connector_are_listed_by_name(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    assert_int_equal(served_call(served, "GET", "/connectors/a/topics", NULL), 200);
    assert_body(served, "{\"a\":{\"topics\":[]}}");
    use(served, "a", "t2");
    use(served, "a", "t1");
    use(served, "b", "t3");
    assert_int_equal(served_call(served, "GET", "/connectors/a/topics/", NULL), 200);
    assert_body(served, "{\"a\":{\"topics\":[\"t1\",\"t2\"]}}");
}

static void test_an_unknown_connector_has_no_topics(void **state)
{
    struct served *served = *state;
    use(served, "gone", "t");
    assert_int_equal(served_call(served, "GET", "/connectors/gone/topics", NULL), 200);
    assert_body(served, "{\"gone\":{\"topics\":[]}}");
    assert_int_equal(served_call(served, "PUT", "/connectors/nix/topics/reset", NULL), 202);
}

static void test_reset_forgets_the_topics_of_one_connector(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    served_create(served, "b");
    use(served, "a", "t1");
    use(served, "a", "t2");
    use(served, "b", "t1");
    /* Without a leader, too: whoever is asked writes. */
    fake_cluster_leader(served->cluster, NULL, false);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/topics/reset", NULL), 202);
    assert_null(served->response.body);
    assert_int_equal(served_call(served, "GET", "/connectors/a/topics", NULL), 200);
    assert_body(served, "{\"a\":{\"topics\":[]}}");
    assert_int_equal(served_call(served, "GET", "/connectors/b/topics", NULL), 200);
    assert_body(served, "{\"b\":{\"topics\":[\"t1\"]}}");
}

static void test_a_reset_that_kafka_does_not_take_times_out(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    use(served, "a", "t");
    fake_cluster_lag(served->cluster, false);
    assert_int_equal(served_call(served, "GET", "/connectors/a/topics", NULL), 200);
    fake_cluster_lag(served->cluster, true);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/topics/reset", NULL), 500);
    assert_error(served, 500, "Request timed out");
    fake_cluster_fail(served->cluster, ERR_CLOSED, 1);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/topics/reset", NULL), 500);
    assert_error(served, 500, "Worker is shutting down");
}

static void test_tracking_that_is_off_is_403(void **state)
{
    struct served *served = *state;
    kvs_set(&served->env.props, "topic.tracking.allow.reset", "false");
    assert_int_equal(served_call(served, "GET", "/connectors/a/topics", NULL), 200);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/topics/reset", NULL), 403);
    assert_error(served, 403, "Topic tracking reset is disabled.");
    kvs_set(&served->env.props, "topic.tracking.enable", "false");
    assert_int_equal(served_call(served, "GET", "/connectors/a/topics", NULL), 403);
    assert_error(served, 403, "Topic tracking is disabled.");
    assert_int_equal(served_call(served, "PUT", "/connectors/a/topics/reset", NULL), 403);
    assert_error(served, 403, "Topic tracking is disabled.");
}

static void test_outsiders_of_connect_are_refused(void **state)
{
    struct served *served = *state;
    static const char text[] = "Internal request missing required signature";
    assert_int_equal(served_call(served, "POST", "/connectors/a/tasks", "[]"), 400);
    assert_error(served, 400, text);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/fence", NULL), 400);
    assert_error(served, 400, text);
    assert_int_equal(served_call(served, "OPTIONS", "/connectors/a/tasks", NULL), 200);
    assert_string_equal(served_header(served, "Allow"), "POST,GET,HEAD,OPTIONS");
    assert_int_equal(served_call(served, "GET", "/connectors/a/tasks-config", NULL), 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_topics_of_a_connector_are_listed_by_name, served_setup,
                                        served_teardown),
        cmocka_unit_test_setup_teardown(test_an_unknown_connector_has_no_topics, served_setup,
                                        served_teardown),
        cmocka_unit_test_setup_teardown(test_reset_forgets_the_topics_of_one_connector,
                                        served_setup, served_teardown),
        cmocka_unit_test_setup_teardown(test_a_reset_that_kafka_does_not_take_times_out,
                                        served_setup, served_teardown),
        cmocka_unit_test_setup_teardown(test_tracking_that_is_off_is_403, served_setup,
                                        served_teardown),
        cmocka_unit_test_setup_teardown(test_outsiders_of_connect_are_refused, served_setup,
                                        served_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
