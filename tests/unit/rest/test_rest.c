/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface as main uses it: addresses, metrics, access log.
 *
 * fakes: fake_cluster
 */
#include <unistd.h>

#include "../../fakes/fake_cluster.h"
#include "client.h"
#include "rest/rest.h"
#include "tests/support/capture.h"
#include "tests/support/unit.h"
#include "worker/base/log.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"
#include "worker/http_client.h"

/* Starts REST with some properties beside the needed ones; key, value, ..., NULL. */
static enum err open_rest(struct rest **ret_rest, struct error *reterr, const char *const *pairs)
{
    struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "bootstrap.servers", "127.0.0.1:1");
    kvs_set(&props, "group.id", "unit");
    kvs_set(&props, "listeners", "http://127.0.0.1:0");
    for (; pairs && *pairs; pairs += 2) {
        kvs_set(&props, pairs[0], pairs[1]);
    }
    enum err err = rest_start(&props, ret_rest, reterr);
    kvs_fini(&props);
    return err;
}

static void test_health_is_starting_until_there_is_a_cluster(void **state UNUSED)
{
    struct rest *rest = NULL;
    assert_int_equal(open_rest(&rest, NULL, NULL), ERR_OK);
    struct reply reply = client_request(rest_port(rest), "GET", "/health", NULL);
    assert_int_equal(reply.code, 503);
    reply_fini(&reply);
    struct fake_log *log = fake_log_new();
    struct cluster *cluster = fake_cluster_new(log, rest_worker_id(rest), rest_url(rest));
    rest_set_cluster(rest, cluster);
    reply = client_request(rest_port(rest), "GET", "/health", NULL);
    assert_int_equal(reply.code, 200);
    reply_fini(&reply);
    rest_stop(rest);
    cluster_free(cluster);
    fake_log_free(log);
}

static void test_advertised_address_follows_listener_and_properties(void **state UNUSED)
{
    struct rest *rest = NULL;
    char expected[300];
    assert_int_equal(open_rest(&rest, NULL, NULL), ERR_OK);
    (void)snprintf(expected, sizeof(expected), "127.0.0.1:%d", rest_port(rest));
    assert_string_equal(rest_worker_id(rest), expected);
    (void)snprintf(expected, sizeof(expected), "http://127.0.0.1:%d", rest_port(rest));
    assert_string_equal(rest_url(rest), expected);
    rest_stop(rest);

    static const char *const given[] = { "rest.advertised.host.name", "worker.example",
                                         "rest.advertised.port", "1234", NULL };
    assert_int_equal(open_rest(&rest, NULL, given), ERR_OK);
    assert_string_equal(rest_worker_id(rest), "worker.example:1234");
    assert_string_equal(rest_url(rest), "http://worker.example:1234");
    rest_stop(rest);

    static const char *const ipv6[] = { "rest.advertised.host.name", "::1", "rest.advertised.port",
                                        "1234", NULL };
    assert_int_equal(open_rest(&rest, NULL, ipv6), ERR_OK);
    assert_string_equal(rest_url(rest), "http://[::1]:1234");
    rest_stop(rest);

    static const char *const all[] = { "listeners", "http://:0", NULL };
    char host[256];
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    assert_int_equal(open_rest(&rest, NULL, all), ERR_OK);
    assert_int_equal(strncmp(rest_worker_id(rest), host, strlen(host)), 0);
    rest_stop(rest);
}

static void test_an_unknown_advertised_listener_is_refused(void **state UNUSED)
{
    struct rest *rest = NULL;
    struct error error = { ERR_OK, "" };
    static const char *const given[] = { "rest.advertised.listener", "ftp", NULL };
    assert_int_equal(open_rest(&rest, &error, given), ERR_INVALID);
    assert_non_null(strstr(error.text, "rest.advertised.listener"));
}

static void test_requests_are_counted_and_measured(void **state UNUSED)
{
    struct rest *rest = NULL;
    assert_int_equal(open_rest(&rest, NULL, NULL), ERR_OK);
    double before = metric_get(metrics_worker(), METRIC_REST_REQUESTS, 3);
    struct reply reply = client_request(rest_port(rest), "GET", "/nix", NULL);
    assert_int_equal(reply.code, 404);
    reply_fini(&reply);
    assert_true(metric_get(metrics_worker(), METRIC_REST_REQUESTS, 3) == before + 1);
    reply = client_request(rest_port(rest), "GET", "/metrics", NULL);
    assert_non_null(strstr(reply.body, "sluice_rest_requests_total{code=\"4xx\"} "));
    assert_non_null(strstr(reply.text, "Content-Type: text/plain; version=0.0.4"));
    reply_fini(&reply);
    rest_stop(rest);
}

static void test_the_access_log_holds_no_secret_and_no_forged_line(void **state UNUSED)
{
    struct rest *rest = NULL;
    assert_int_equal(open_rest(&rest, NULL, NULL), ERR_OK);
    struct capture capture;
    capture_start(&capture);
    struct reply reply =
        client_request(rest_port(rest), "DELETE",
                       "/connectors/a%20code=200%22?token=opensesame&forward=false%20x", NULL);
    struct reply bad = client_request(rest_port(rest), "DELETE", "/connectors/%0aFORGED", NULL);
    CLEANUP(free_charp) char *text = capture_stop(&capture);
    assert_int_equal(reply.code, 404);
    assert_int_equal(bad.code, 400);
    assert_non_null(strstr(text, "REST-ACCESS client=127.0.0.1 user=- method=DELETE "
                                 "path=/connectors/a%20code%3D200%22?forward=false%20x code=404"));
    assert_null(strstr(text, "opensesame"));
    assert_null(strstr(text, "\nFORGED"));
    reply_fini(&reply);
    reply_fini(&bad);
    rest_stop(rest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_health_is_starting_until_there_is_a_cluster),
        cmocka_unit_test(test_advertised_address_follows_listener_and_properties),
        cmocka_unit_test(test_an_unknown_advertised_listener_is_refused),
        cmocka_unit_test(test_requests_are_counted_and_measured),
        cmocka_unit_test(test_the_access_log_holds_no_secret_and_no_forged_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
