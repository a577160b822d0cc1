/* SPDX-License-Identifier: Apache-2.0 */
/* Routes on a cluster in memory. See served.h. */
#include "served.h"

#include "conform.h"
#include "plugins.h"
#include "rest/router.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"

int served_setup(void **state)
{
    struct served *served = xcalloc(1, sizeof(*served));
    struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "bootstrap.servers", "127.0.0.1:1");
    kvs_set(&props, "group.id", "unit");
    kvs_set(&props, "rest.request.timeout.ms", "2000");
    if (env_init(&served->env, &props, NULL) != ERR_OK) {
        return -1;
    }
    kvs_fini(&props);
    (void)snprintf(served->env.url, sizeof(served->env.url), "http://worker:8083");
    served->log = fake_log_new();
    served->cluster = fake_cluster_new(served->log, "worker:8083", served->env.url);
    fake_cluster_leader(served->cluster, NULL, true);
    atomic_store(&served->env.cluster, served->cluster);
    http_response_init(&served->response);
    *state = served;
    return 0;
}

int served_teardown(void **state)
{
    struct served *served = *state;
    http_response_fini(&served->response);
    env_fini(&served->env);
    cluster_free(served->cluster);
    fake_log_free(served->log);
    free(served);
    return 0;
}

int served_call(struct served *served, const char *method, const char *target, const char *body)
{
    http_response_fini(&served->response);
    struct http_request request = served->request;
    request.method = method;
    request.target = target;
    request.may_block = true;
    request.start_us = request.start_us ? request.start_us : clock_mono_us();
    request.body = body ? body : "";
    request.body_length = body ? strlen(body) : 0;
    assert_true(router_serve(&served->env, &request, &served->response));
    conform_answer(method, target, &served->response);
    return served->response.code;
}

cJSON *served_json(const struct served *served)
{
    assert_non_null(served->response.body);
    assert_string_equal(served->response.content_type, "application/json");
    cJSON *json = cJSON_Parse(served->response.body);
    assert_non_null(json);
    return json;
}

const char *served_header(const struct served *served, const char *name)
{
    for (size_t i = 0; i < served->response.n_headers; i++) {
        if (strcmp(served->response.headers[i].name, name) == 0) {
            return served->response.headers[i].value;
        }
    }
    return NULL;
}

void served_create(struct served *served, const char *name)
{
    CLEANUP(free_charp)
    char *body = xasprintf("{\"name\":\"%s\",\"config\":{\"connector.class\":\"" TEST_SOURCE
                           "\",\"url\":\"u\",\"password\":\"opensesame\"}}",
                           name);
    assert_int_equal(served_call(served, "POST", "/connectors", body), 201);
}

void served_tasks(struct served *served, const char *name, size_t n)
{
    struct kvs configs[16];
    assert_true(n <= N_ELEMENTS(configs));
    for (size_t i = 0; i < n; i++) {
        kvs_init(&configs[i]);
        kvs_set(&configs[i], "task.class", TEST_SOURCE);
        kvs_set(&configs[i], "password", "opensesame");
    }
    struct out_records records;
    out_records_init(&records);
    record_tasks(&records, name, configs, n, 0, 0);
    fake_log_add(served->log, &records);
    for (size_t i = 0; i < n; i++) {
        kvs_fini(&configs[i]);
    }
}

void served_status(struct served *served, const char *name, int task, enum run_state state,
                   const char *trace)
{
    struct status_fields fields = {
        .state = state,
        .worker_id = "worker:8083",
        .trace = trace,
        .generation = 1,
    };
    struct out_records records;
    out_records_init(&records);
    record_status(&records, name, task, &fields);
    fake_log_add(served->log, &records);
}
