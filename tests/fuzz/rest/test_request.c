/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever a request says, as method, target and body of any bytes: the answer is well-formed, bad
 * input is never an error of the server's, and what can be created can be read and deleted again.
 * An input is a line "METHOD TARGET", then the body.
 *
 * fakes: fake_cluster
 */
#include "../../fakes/fake_cluster.h"
#include "rest/router.h"
#include "tests/support/fuzz.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"

/* After so many requests everything starts anew: the log in memory only grows. */
#define ROUND 100

static struct world {
    struct fake_log *log;
    struct cluster *cluster;
    struct env env;
    unsigned n_requests;
} world;

static void world_end(void)
{
    env_fini(&world.env);
    cluster_free(world.cluster);
    fake_log_free(world.log);
    world.log = NULL;
}

static int ask(const char *method, const char *target, const char *body, size_t length)
{
    struct http_request request = {
        .method = method,
        .target = target,
        .body = body,
        .body_length = length,
        .may_block = true,
        .start_us = clock_mono_us(),
    };
    struct http_response response;
    http_response_init(&response);
    assert_true(router_serve(&world.env, &request, &response));
    assert_in_range(response.code, 200, 599);
    /* 503 and 500 are for a worker that cannot serve; this one can. */
    if (response.code >= 500) {
        fail_msg("%s %s: %d %s", method, target, response.code, response.body);
    }
    if (response.body) {
        assert_true(utf8_valid(response.body, response.body_length));
    }
    if (response.code >= 400) {
        cJSON *json = cJSON_Parse(response.body);
        assert_non_null(json);
        assert_int_equal(cJSON_GetObjectItem(json, "error_code")->valueint, response.code);
        cJSON_Delete(json);
    }
    int code = response.code;
    http_response_fini(&response);
    return code;
}

static void world_begin(void)
{
    static const char kept[] =
        "{\"name\":\"kept\",\"config\":{\"connector.class\":\"MqttSource\","
        "\"mqtt.server.uri\":\"mqtt://h\",\"mqtt.topics\":\"a\",\"kafka.topic\":\"t\","
        "\"mqtt.username\":\"u\",\"mqtt.password\":\"opensesame\"}}";
    struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "bootstrap.servers", "127.0.0.1:1");
    kvs_set(&props, "group.id", "fuzz");
    kvs_set(&props, "rest.request.timeout.ms", "2000");
    assert_int_equal(env_init(&world.env, &props, NULL), ERR_OK);
    kvs_fini(&props);
    world.log = fake_log_new();
    world.cluster = fake_cluster_new(world.log, "worker:8083", "http://worker:8083");
    fake_cluster_leader(world.cluster, NULL, true);
    atomic_store(&world.env.cluster, world.cluster);
    world.n_requests = 0;
    assert_int_equal(ask("POST", "/connectors", kept, strlen(kept)), 201);
}

/* Every connector that there is can be read, and all but the one that stays can be deleted. */
static void check_connectors(void)
{
    struct snapshot *snapshot = cluster_snapshot(world.cluster);
    for (size_t i = 0; i < snapshot->n_connectors; i++) {
        const struct connector_state *connector = snapshot->connectors[i];
        struct buf target;
        buf_init(&target);
        buf_add_text(&target, "/connectors/");
        percent_encode(&target, connector->name);
        if (connector->has_config) {
            assert_int_equal(ask("GET", buf_text(&target), "", 0), 200);
            assert_int_equal(ask("DELETE", buf_text(&target), "", 0), 204);
            assert_int_equal(ask("GET", buf_text(&target), "", 0), 404);
        }
        buf_fini(&target);
    }
    snapshot_unref(snapshot);
}

static void one(const char *bytes, size_t length)
{
    if (world.log && world.n_requests++ >= ROUND) {
        check_connectors();
        world_end();
    }
    if (!world.log) {
        world_begin();
    }
    const char *end = memchr(bytes, '\n', length);
    size_t line = end ? (size_t)(end - bytes) : length;
    CLEANUP(free_charp) char *method = xstrndup(bytes, line);
    char *target = strchr(method, ' ');
    if (!target) {
        return;
    }
    *target++ = '\0';
    const char *body = end ? end + 1 : bytes + length;
    size_t body_length = (size_t)(bytes + length - body);
    /* As http hands it over: followed by a NUL. */
    CLEANUP(free_charp) char *copy = xmalloc(body_length + 1);
    memcpy(copy, body, body_length);
    copy[body_length] = '\0';
    (void)ask(method, target, copy, body_length);
}

static void test_requests_of_any_bytes_are_answered(void **state UNUSED)
{
    fuzz_run("request", one);
    check_connectors();
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_of_any_bytes_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
