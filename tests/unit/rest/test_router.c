/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dispatch: what the router answers by itself, and the worker's start.
 *
 * fakes: fake_cluster
 */
#include "plugins.h"
#include "rest/router.h"
#include "served.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/macros.h"

static void test_unknown_paths_are_404(void **state)
{
    struct served *served = *state;
    static const char *const paths[] = { "/nix",
                                         "/connectors/a/nix",
                                         "/connectors/a/tasks-config",
                                         "/connectors/a/tasks/x/status",
                                         "/connectors/a/tasks/99999999999/status",
                                         "/connectors/a/tasks/0",
                                         "/a/b/c/d/e/f/g/h/i/j" };
    for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
        assert_int_equal(served_call(served, "GET", paths[i], NULL), 404);
        assert_error(served, 404, "HTTP 404 Not Found");
    }
}

static void test_wrong_methods_are_405_with_those_that_are_allowed(void **state)
{
    struct served *served = *state;
    static const char *const methods[] = { "DELETE", "TRACE", "PUT", "BREW", "get" };
    for (size_t i = 0; i < N_ELEMENTS(methods); i++) {
        assert_int_equal(served_call(served, methods[i], "/connectors", NULL), 405);
        assert_error(served, 405, "HTTP 405 Method Not Allowed");
        assert_string_equal(served_header(served, "Allow"), "POST,GET,HEAD,OPTIONS");
    }
    assert_int_equal(served_call(served, "GET", "/connectors/a/pause", NULL), 405);
    assert_string_equal(served_header(served, "Allow"), "PUT,OPTIONS");
}

static void test_options_lists_methods_as_text(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "OPTIONS", "/connectors/a/config", NULL), 200);
    assert_body(served, "PUT,PATCH,GET,HEAD,OPTIONS");
    assert_string_equal(served->response.content_type, "text/plain");
    assert_string_equal(served_header(served, "Allow"), "PUT,PATCH,GET,HEAD,OPTIONS");
    assert_int_equal(served_call(served, "OPTIONS", "/nix", NULL), 404);
}

static void test_head_is_answered_as_get(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "HEAD", "/connectors", NULL), 200);
    assert_body(served, "[]");
    assert_int_equal(served_call(served, "HEAD", "/connectors/a", NULL), 404);
    assert_int_equal(served_call(served, "HEAD", "/connectors/a/pause", NULL), 405);
}

static void test_media_types_are_checked_after_path_and_method(void **state)
{
    struct served *served = *state;
    served->request.content_type = "text/plain";
    served->request.accept = "text/html";
    assert_int_equal(served_call(served, "PUT", "/connectors/a/pause", NULL), 415);
    assert_error(served, 415, "HTTP 415 Unsupported Media Type");
    assert_int_equal(served_call(served, "PUT", "/connectors/a", NULL), 405);
    assert_int_equal(served_call(served, "PUT", "/nix", NULL), 404);
    served->request.content_type = NULL;
    assert_int_equal(served_call(served, "GET", "/connectors", NULL), 406);
    assert_error(served, 406, "HTTP 406 Not Acceptable");
    assert_int_equal(served_call(served, "GET", "/metrics", NULL), 200);
}

static void test_a_slash_at_the_end_is_tolerated_everywhere(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    static const char *const paths[] = { "/connectors/",          "/connectors/a/",
                                         "/connectors/a/config/", "/connectors/a/tasks/",
                                         "/connector-plugins/",   "/health/" };
    for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
        assert_int_equal(served_call(served, "GET", paths[i], NULL), 200);
    }
}

static void test_bad_targets_are_400(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "GET", "/connectors//a", NULL), 400);
    assert_error(served, 400, "Empty segment in the path of the request URI");
    assert_int_equal(served_call(served, "DELETE", "/connectors/%00", NULL), 400);
    assert_int_equal(served_call(served, "GET", "/connectors/%ff", NULL), 400);
}

static void test_refusals_of_the_protocol_layer_have_the_error_body(void **state)
{
    struct served *served = *state;
    static const int codes[] = { 400, 413, 414, 431, 503 };
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        served->request.refused = codes[i];
        assert_int_equal(served_call(served, "GET", "/connectors", NULL), codes[i]);
        cJSON *body = served_json(served);
        assert_int_equal(cJSON_GetObjectItem(body, "error_code")->valueint, codes[i]);
        cJSON_Delete(body);
        assert_true(served->response.close);
    }
    assert_string_equal(served_header(served, "Retry-After"), "1");
}

static void test_probes_are_answered_when_too_many_connections_are_open(void **state)
{
    struct served *served = *state;
    served->request.refused = 503;
    assert_int_equal(served_call(served, "GET", "/health", NULL), 200);
    assert_true(served->response.close);
    assert_int_equal(served_call(served, "GET", "/metrics", NULL), 200);
    assert_int_equal(served_call(served, "GET", "/", NULL), 503);
}

static void test_writes_beyond_those_that_wait_already_are_503(void **state)
{
    struct served *served = *state;
    const char *body = "{\"name\":\"a\",\"config\":{\"connector.class\":\"" TEST_SOURCE
                       "\",\"url\":\"u\",\"password\":\"opensesame\"}}";
    atomic_store(&served->env.n_leader_calls, served->env.max_leader_calls);
    assert_int_equal(served_call(served, "POST", "/connectors", body), 503);
    assert_string_equal(served_header(served, "Retry-After"), "1");
    assert_int_equal(served_call(served, "GET", "/connectors", NULL), 200);
    assert_int_equal(atomic_load(&served->env.n_leader_calls), served->env.max_leader_calls);
    atomic_store(&served->env.n_leader_calls, served->env.max_leader_calls - 1);
    assert_int_equal(served_call(served, "POST", "/connectors", body), 201);
}

static void test_every_wait_for_kafka_counts_as_one_for_the_leader(void **state)
{
    struct served *served = *state;
    const char *level = "{\"level\":\"INFO\"}";
    served_create(served, "a");
    atomic_store(&served->env.n_leader_calls, served->env.max_leader_calls);
    assert_int_equal(served_call(served, "PUT", "/admin/loggers/x?scope=cluster", level), 503);
    assert_string_equal(served_header(served, "Retry-After"), "1");
    assert_int_equal(served_call(served, "PUT", "/connectors/a/topics/reset", NULL), 503);
    /* What is done here waits for nobody. */
    assert_int_equal(served_call(served, "PUT", "/admin/loggers/x", level), 200);
    assert_int_equal(served_call(served, "GET", "/connectors/a/offsets", NULL), 200);
    assert_int_equal(atomic_load(&served->env.n_leader_calls), served->env.max_leader_calls);
    atomic_store(&served->env.n_leader_calls, 0);
    assert_int_equal(served_call(served, "PUT", "/admin/loggers/x?scope=cluster", level), 204);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/topics/reset", NULL), 202);
    assert_int_equal(atomic_load(&served->env.n_leader_calls), 0);
}

static void test_a_request_that_waited_too_long_for_a_thread_is_503(void **state)
{
    struct served *served = *state;
    served->request.start_us = clock_mono_us() - served->env.request_timeout_ms * 1000 - 1000;
    assert_int_equal(served_call(served, "GET", "/connectors?expand=status", NULL), 503);
    assert_string_equal(served_header(served, "Retry-After"), "1");
    served->request.start_us += 60000000;
    assert_int_equal(served_call(served, "GET", "/connectors?expand=status", NULL), 200);
}

static void test_what_may_block_is_put_off(void **state)
{
    struct served *served = *state;
    static const struct {
        const char *method;
        const char *target;
        bool answered;
    } cases[] = {
        { "GET", "/connectors", true },
        { "GET", "/connectors/a/status", true },
        { "GET", "/health", true },
        { "GET", "/metrics", true },
        { "GET", "/nowhere", true },
        { "DELETE", "/connectors", true },
        { "OPTIONS", "/connectors", true },
        { "GET", "/connectors?expand=status", false },
        { "POST", "/connectors", false },
        { "DELETE", "/connectors/a", false },
        { "PUT", "/connector-plugins/a/config/validate", false },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct http_response response;
        struct http_request request = { .method = cases[i].method,
                                        .target = cases[i].target,
                                        .body = "" };
        http_response_init(&response);
        if (router_serve(&served->env, &request, &response) != cases[i].answered) {
            fail_msg("%s %s", cases[i].method, cases[i].target);
        }
        http_response_fini(&response);
        request.refused = 503;
        assert_true(router_serve(&served->env, &request, &response));
        http_response_fini(&response);
    }
}

static void test_admin_routes_are_served_where_they_belong(void **state)
{
    struct served *served = *state;
    static const struct {
        enum admin_mode mode;
        enum http_side side; /* of the listener */
        int loggers;
        int connectors;
    } cases[] = {
        { ADMIN_EVERYWHERE, HTTP_REST, 200, 200 },   { ADMIN_NOWHERE, HTTP_REST, 404, 200 },
        { ADMIN_SEPARATE, HTTP_REST, 404, 200 },     { ADMIN_SEPARATE, HTTP_ADMIN, 200, 404 },
        { ADMIN_EVERYWHERE, HTTP_PROBES, 404, 404 }, { ADMIN_SEPARATE, HTTP_PROBES, 404, 404 },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        served->env.admin = cases[i].mode;
        served->request.side = cases[i].side;
        assert_int_equal(served_call(served, "GET", "/admin/loggers", NULL), cases[i].loggers);
        assert_int_equal(served_call(served, "GET", "/connectors", NULL), cases[i].connectors);
    }
}

static void test_a_starting_worker_answers_health_and_404(void **state)
{
    struct served *served = *state;
    atomic_store(&served->env.cluster, NULL);
    assert_int_equal(served_call(served, "GET", "/health", NULL), 503);
    assert_body(served, "{\"status\":\"starting\",\"message\":\"Worker is still starting up.\"}");
    assert_int_equal(served_call(served, "GET", "/connectors", NULL), 404);
    assert_string_equal(served_header(served, "Retry-After"), "1");
    assert_int_equal(served_call(served, "GET", "/connector-plugins", NULL), 200);
    assert_int_equal(served_call(served, "GET", "/", NULL), 200);
}

static void test_a_worker_that_has_not_read_its_topics_shows_no_empty_list(void **state)
{
    struct served *served = *state;
    fake_cluster_unread(served->cluster);
    fake_cluster_phase(served->cluster, CLUSTER_STARTING, "reading");
    assert_int_equal(served_call(served, "GET", "/connectors", NULL), 404);
    assert_int_equal(served_call(served, "GET", "/connectors/a/status", NULL), 404);
    assert_int_equal(served_call(served, "DELETE", "/connectors/a", NULL), 404);
    assert_int_equal(fake_cluster_changes(served->cluster), 0);
}

static void test_health_follows_the_phase(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "GET", "/health", NULL), 200);
    assert_body(served, "{\"status\":\"healthy\",\"message\":\"Worker has completed startup and is "
                        "ready to handle requests.\"}");
    fake_cluster_phase(served->cluster, CLUSTER_STARTING, "ensuring membership in the cluster");
    assert_int_equal(served_call(served, "GET", "/health", NULL), 503);
    assert_body(served, "{\"status\":\"starting\",\"message\":\"Worker is still starting up. The "
                        "worker is currently ensuring membership in the cluster, which began at "
                        "2023-11-14T22:13:20.000Z.\"}");
    fake_cluster_phase(served->cluster, CLUSTER_UNHEALTHY, "");
    assert_int_equal(served_call(served, "GET", "/health", NULL), 500);
    assert_body(served, "{\"status\":\"unhealthy\",\"message\":\"Worker was unable to handle this "
                        "request and may be unable to handle other requests.\"}");
    fake_cluster_phase(served->cluster, CLUSTER_DRAINING, "");
    assert_int_equal(served_call(served, "GET", "/health", NULL), 503);
}

static void test_probes_follow_loop_and_phase(void **state)
{
    struct served *served = *state;
    static const struct {
        enum cluster_phase phase;
        int ready;
    } cases[] = {
        { CLUSTER_STARTING, 503 },
        { CLUSTER_READY, 200 },
        { CLUSTER_UNHEALTHY, 503 },
        { CLUSTER_DRAINING, 503 },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        fake_cluster_phase(served->cluster, cases[i].phase, "secret of the house");
        assert_int_equal(served_call(served, "GET", "/health/ready", NULL), cases[i].ready);
        assert_null(strstr(served->response.body, "secret"));
        assert_int_equal(served_call(served, "GET", "/health/startup", NULL), 200);
        assert_int_equal(served_call(served, "GET", "/health/live", NULL), 200);
    }
    fake_cluster_hang(served->cluster);
    assert_int_equal(served_call(served, "GET", "/health/live", NULL), 503);
    assert_body(served, "{\"status\":\"down\",\"message\":\"The worker's loop hangs.\"}");
    atomic_store(&served->env.cluster, NULL);
    assert_int_equal(served_call(served, "GET", "/health/startup", NULL), 503);
    assert_int_equal(served_call(served, "GET", "/health/live", NULL), 200);
    assert_int_equal(served_call(served, "GET", "/health/ready", NULL), 503);
}

static void test_probes_are_served_on_every_listener_and_in_overload(void **state)
{
    struct served *served = *state;
    static const char *const probes[] = { "/health/startup", "/health/live", "/health/ready" };
    for (size_t i = 0; i < N_ELEMENTS(probes); i++) {
        for (int side = HTTP_REST; side <= HTTP_PROBES; side++) {
            served->env.admin = ADMIN_SEPARATE;
            served->request.side = (enum http_side)side;
            served->request.refused = side == HTTP_ADMIN ? 0 : 503;
            assert_int_equal(served_call(served, "GET", probes[i], NULL), 200);
            served->request.refused = 0;
        }
    }
    assert_int_equal(served_call(served, "GET", "/health", NULL), 404);
    assert_int_equal(served_call(served, "GET", "/metrics", NULL), 404);
    served->request.side = HTTP_ADMIN;
    assert_int_equal(served_call(served, "GET", "/health", NULL), 404); /* as in Connect */
}

static void test_root_reports_a_kafka_version(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "GET", "/", NULL), 200);
    assert_body(served, "{\"version\":\"4.1.1\",\"commit\":\"sluice-" SLUICE_VERSION
                        "\",\"kafka_cluster_id\":\"fake-kafka-id\"}");
}

/* Clients see these rows as OPTIONS answers and in documents: none may be left out by mistake. */
static void test_every_route_has_what_a_route_needs(void **state UNUSED)
{
    size_t n = 0;
    for (const struct route_table *const *table = routes_all(); *table; table++) {
        for (size_t i = 0; i < (*table)->n_rows; i++, n++) {
            const struct route *route = &(*table)->rows[i];
            assert_non_null(route->method);
            assert_int_equal(route->pattern[0], '/');
            assert_non_null(route->handler);
            assert_non_null(route->doc);
        }
    }
    assert_in_range(n, 20, 100);
}

#define served_test(name) cmocka_unit_test_setup_teardown(name, served_setup, served_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        served_test(test_unknown_paths_are_404),
        served_test(test_wrong_methods_are_405_with_those_that_are_allowed),
        served_test(test_options_lists_methods_as_text),
        served_test(test_head_is_answered_as_get),
        served_test(test_media_types_are_checked_after_path_and_method),
        served_test(test_a_slash_at_the_end_is_tolerated_everywhere),
        served_test(test_bad_targets_are_400),
        served_test(test_refusals_of_the_protocol_layer_have_the_error_body),
        served_test(test_probes_are_answered_when_too_many_connections_are_open),
        served_test(test_writes_beyond_those_that_wait_already_are_503),
        served_test(test_every_wait_for_kafka_counts_as_one_for_the_leader),
        served_test(test_a_request_that_waited_too_long_for_a_thread_is_503),
        served_test(test_what_may_block_is_put_off),
        served_test(test_admin_routes_are_served_where_they_belong),
        served_test(test_a_starting_worker_answers_health_and_404),
        served_test(test_a_worker_that_has_not_read_its_topics_shows_no_empty_list),
        served_test(test_health_follows_the_phase),
        served_test(test_probes_follow_loop_and_phase),
        served_test(test_probes_are_served_on_every_listener_and_in_overload),
        served_test(test_root_reports_a_kafka_version),
        cmocka_unit_test(test_every_route_has_what_a_route_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
