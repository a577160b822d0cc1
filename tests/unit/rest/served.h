/* SPDX-License-Identifier: Apache-2.0 */
/* The routes on a cluster in memory, without sockets: one worker that leads. */
#pragma once

#include <cjson/cJSON.h>

#include "../../fakes/fake_cluster.h"
#include "rest/env.h"
#include "rest/http.h"

struct served {
    struct fake_log *log;
    struct cluster *cluster;
    struct env env;
    struct http_request request; /* what the next request has beside method, target, body */
    struct http_response response;
};

/* For cmocka: *state becomes a struct served. */
int served_setup(void **state);
int served_teardown(void **state);

/* served_call sends a request and returns the code; the answer is in served->response until the
 * next call. body may be NULL. Fails the test if the OpenAPI document does not announce such an
 * answer. */
int served_call(struct served *served, const char *method, const char *target, const char *body);
/* served_json returns the last answer's body, owned. */
cJSON *served_json(const struct served *served);
/* served_header returns a header of the last answer, NULL if absent. */
const char *served_header(const struct served *served, const char *name);
/* served_create makes a connector of the source kind and fails the test if it cannot. */
void served_create(struct served *served, const char *name);
/* served_tasks gives a connector n tasks. */
void served_tasks(struct served *served, const char *name, size_t n);
/* served_status writes a status record of the connector (task -1) or a task. */
void served_status(struct served *served, const char *name, int task, enum run_state state,
                   const char *trace);

/* The last answer's body is exactly this text, or Connect's error body with this message. */
#define assert_body(served, text) assert_string_equal((served)->response.body, (text))
#define assert_error(served, code, text)                                                           \
    do {                                                                                           \
        cJSON *error_body = served_json(served);                                                   \
        assert_int_equal(cJSON_GetObjectItem(error_body, "error_code")->valueint, (code));         \
        assert_string_equal(cJSON_GetObjectItem(error_body, "message")->valuestring, (text));      \
        cJSON_Delete(error_body);                                                                  \
    } while (0)
