/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loggers through REST: bodies, codes and texts, and what goes to the whole cluster.
 *
 * fakes: fake_cluster
 */
#include "coordinator/config_loggers.h"
#include "served.h"
#include "tests/support/capture.h"
#include "tests/support/unit.h"
#include "worker/base/loggers.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

static int setup(void **state)
{
    log_setup(LOG_WARN, LOG_FORMAT_TEXT);
    return served_setup(state);
}

static void test_all_and_single_loggers_are_shown(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "GET", "/admin/loggers/", NULL), 200);
    cJSON *list = served_json(served);
    assert_int_equal(cJSON_GetArraySize(list), LOGGER_N);
    assert_string_equal(list->child->string, "libmicrohttpd");
    cJSON_Delete(list);
    assert_int_equal(served_call(served, "GET", "/admin/loggers/sluice.rest", NULL), 200);
    assert_body(served, "{\"level\":\"WARN\",\"last_modified\":null}");
    assert_int_equal(served_call(served, "GET", "/admin/loggers/nix", NULL), 404);
    assert_error(served, 404, "Logger nix not found.");
}

static void test_a_level_of_this_worker_names_what_changed(void **state)
{
    struct served *served = *state;
    const char *path = "/admin/loggers/sluice.rest";
    assert_int_equal(served_call(served, "PUT", path, "{\"level\":\"debug\"}"), 200);
    assert_body(served, "[\"sluice.rest\",\"sluice.rest.access\"]");
    assert_int_equal(served_call(served, "PUT", path, "{\"level\":\"DEBUG\",\"x\":1}"), 200);
    assert_body(served, "[]");
    assert_int_equal(served_call(served, "GET", path, NULL), 200);
    cJSON *level = served_json(served);
    assert_string_equal(cJSON_GetObjectItem(level, "level")->valuestring, "DEBUG");
    assert_true(cJSON_GetObjectItem(level, "last_modified")->valuedouble > 1.6e12);
    cJSON_Delete(level);
    assert_int_equal(
        served_call(served, "PUT", "/admin/loggers/a%2Fb?scope=worker", "{\"level\":\"OFF\"}"),
        200);
    assert_body(served, "[\"a/b\"]");
}

static void test_an_unknown_scope_is_this_worker_and_is_warned_about(void **state)
{
    struct served *served = *state;
    struct capture capture;
    capture_start(&capture);
    int code =
        served_call(served, "PUT", "/admin/loggers/root?scope=moon", "{\"level\":\"ERROR\"}");
    CLEANUP(free_charp) char *lines = capture_stop(&capture);
    assert_int_equal(code, 200);
    assert_non_null(strstr(lines, "LOGGER-SCOPE-UNKNOWN scope=\"moon\""));
}

static void test_a_level_of_the_cluster_is_a_record(void **state)
{
    struct served *served = *state;
    /* Whoever is asked writes it, also while nobody leads. */
    fake_cluster_leader(served->cluster, NULL, false);
    assert_int_equal(
        served_call(served, "PUT", "/admin/loggers/org.foo?scope=cluster", "{\"level\":\"info\"}"),
        204);
    assert_null(served->response.body);
    struct snapshot *snapshot = cluster_snapshot(served->cluster);
    const struct cluster_level *level = cluster_levels_find(snapshot->levels, "org.foo");
    assert_non_null(level);
    assert_int_equal(level->threshold, LOG_INFO);
    snapshot_unref(snapshot);
}

static void test_wrong_levels_and_names_are_refused(void **state)
{
    struct served *served = *state;
    static const char missing[] = "Desired 'level' parameter was not specified in request.";
    static const struct {
        const char *body;
        int code;
        const char *text;
    } cases[] = {
        { "{}", 400, missing },
        { "{\"level\":null}", 400, missing },
        { "{\"level\":\"\"}", 400, "Illegal null or empty Level name." },
        { "{\"level\":\"LOUD\"}", 404, "invalid log level 'LOUD'." },
        { "{\"level\":7}", 404, "invalid log level '7'." },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        assert_int_equal(served_call(served, "PUT", "/admin/loggers/root", cases[i].body),
                         cases[i].code);
        assert_error(served, cases[i].code, cases[i].text);
    }
    assert_int_equal(served_call(served, "PUT", "/admin/loggers/root", "[]"), 400);
    assert_int_equal(served_call(served, "PUT", "/admin/loggers/root", NULL), 400);
    char path[320] = "/admin/loggers/";
    memset(path + strlen(path), 'x', LOGGER_MAX_NAME + 1);
    assert_int_equal(served_call(served, "PUT", path, "{\"level\":\"INFO\"}"), 400);
    assert_int_equal(served_call(served, "DELETE", "/admin/loggers/root", NULL), 405);
}

static void test_a_worker_that_starts_shows_its_loggers(void **state)
{
    struct served *served = *state;
    atomic_store(&served->env.cluster, NULL);
    assert_int_equal(served_call(served, "GET", "/admin/loggers", NULL), 200);
    assert_int_equal(served_call(served, "PUT", "/admin/loggers/root", "{\"level\":\"INFO\"}"),
                     404);
    atomic_store(&served->env.cluster, served->cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_and_single_loggers_are_shown, setup,
                                        served_teardown),
        cmocka_unit_test_setup_teardown(test_a_level_of_this_worker_names_what_changed, setup,
                                        served_teardown),
        cmocka_unit_test_setup_teardown(test_an_unknown_scope_is_this_worker_and_is_warned_about,
                                        setup, served_teardown),
        cmocka_unit_test_setup_teardown(test_a_level_of_the_cluster_is_a_record, setup,
                                        served_teardown),
        cmocka_unit_test_setup_teardown(test_wrong_levels_and_names_are_refused, setup,
                                        served_teardown),
        cmocka_unit_test_setup_teardown(test_a_worker_that_starts_shows_its_loggers, setup,
                                        served_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
