/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking a worker from outside: where it answers, and what counts as well.
 *
 * fakes: fake_cluster
 */
#include "../../fakes/fake_cluster.h"
#include "client.h"
#include "rest/rest.h"
#include "rest/self_check.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/http_client.h"

static void fill(struct kvs *props, const char *listeners)
{
    kvs_init(props);
    kvs_set(props, "bootstrap.servers", "127.0.0.1:1");
    kvs_set(props, "group.id", "unit");
    kvs_set(props, "listeners", listeners);
}

static void test_the_own_url_is_the_first_listener_as_this_machine_reaches_it(void **state UNUSED)
{
    static const char *const cases[][2] = {
        { "http://:8083", "http://127.0.0.1:8083/health/ready" },
        { "http://0.0.0.0:80,https://:81", "http://127.0.0.1:80/health/ready" },
        { "https://[::]:8443", "https://[::1]:8443/health/ready" },
        { "http://[fe80::1]:8083", "http://[fe80::1]:8083/health/ready" },
        { "https://10.0.0.7:8443, http://:8083", "https://10.0.0.7:8443/health/ready" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct kvs props;
        char url[512];
        fill(&props, cases[i][0]);
        assert_int_equal(self_check_url(&props, url, sizeof(url), NULL), ERR_OK);
        assert_string_equal(url, cases[i][1]);
        kvs_fini(&props);
    }
}

static void test_a_listener_whose_port_nobody_knows_cannot_be_asked(void **state UNUSED)
{
    struct kvs props;
    char url[512] = "as it was";
    struct error error = { ERR_OK, "" };
    fill(&props, "http://127.0.0.1:0");
    assert_int_equal(self_check_url(&props, url, sizeof(url), &error), ERR_INVALID);
    assert_string_equal(error.text, "listeners=http://127.0.0.1:0 leaves the port open: give the "
                                    "URL to ask");
    assert_string_equal(url, "as it was");
    kvs_fini(&props);
}

static void test_only_a_good_answer_is_good(void **state UNUSED)
{
    struct kvs props;
    struct rest *rest = NULL;
    fill(&props, "http://127.0.0.1:0");
    assert_int_equal(rest_start(&props, &rest, NULL), ERR_OK);
    CLEANUP(free_charp) char *own = xasprintf("http://127.0.0.1:%d", rest_port(rest));
    CLEANUP(free_charp) char *health = xasprintf("%s/health", own);
    CLEANUP(free_charp) char *nowhere = xasprintf("%s/nowhere", own);
    kvs_set(&props, "listeners", own);

    struct error error = { ERR_OK, "" };
    assert_int_equal(self_check(&props, NULL, &error), ERR_UNAVAILABLE);
    assert_non_null(strstr(error.text, "/health/ready answers 503: {"));
    struct fake_log *log = fake_log_new();
    struct cluster *cluster = fake_cluster_new(log, rest_worker_id(rest), rest_url(rest));
    rest_set_cluster(rest, cluster);
    assert_int_equal(self_check(&props, NULL, NULL), ERR_OK);
    assert_int_equal(self_check(&props, health, NULL), ERR_OK);
    assert_int_equal(self_check(&props, nowhere, &error), ERR_UNAVAILABLE);
    assert_non_null(strstr(error.text, "/nowhere answers 404: "));

    rest_stop(rest);
    cluster_free(cluster);
    fake_log_free(log);
    assert_int_equal(self_check(&props, NULL, &error), ERR_UNAVAILABLE);
    assert_non_null(strstr(error.text, "/health/ready does not answer: "));
    kvs_fini(&props);
}

static int setup(void **state UNUSED)
{
    http_client_setup();
    return 0;
}

static int teardown(void **state UNUSED)
{
    http_client_teardown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_own_url_is_the_first_listener_as_this_machine_reaches_it),
        cmocka_unit_test(test_a_listener_whose_port_nobody_knows_cannot_be_asked),
        cmocka_unit_test(test_only_a_good_answer_is_good),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
