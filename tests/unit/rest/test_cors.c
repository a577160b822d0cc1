/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which origins get which headers.
 *
 * fakes: fake_cluster
 */
#include <string.h>

#include "rest/cors.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"

/* One question to a configuration; the answer's headers joined as "Name=value;". */
struct question {
    const char *origins;
    const char *methods;
    const char *method;
    const char *origin;
    const char *wanted_method;
    bool preflight;
    const char *headers;
};

#define VARY "Vary=Origin;"
#define MORE                                                                                       \
    "Access-Control-Allow-Headers=Content-Type,Authorization,Accept,Origin,X-Requested-With;"
#define MAXA "Access-Control-Max-Age=60;"

static void check(const struct question *question, size_t number)
{
    struct cors cors;
    struct http_response response;
    struct buf headers;
    struct http_request request = {
        .method = question->method,
        .origin = question->origin,
        .wanted_method = question->wanted_method,
    };
    buf_init(&headers);
    http_response_init(&response);
    cors_init(&cors, question->origins, question->methods);
    bool preflight = cors_apply(&cors, &request, &response);
    for (size_t i = 0; i < response.n_headers; i++) {
        buf_printf(&headers, "%s=%s;", response.headers[i].name, response.headers[i].value);
    }
    if (preflight != question->preflight || strcmp(buf_text(&headers), question->headers) != 0) {
        fail_msg("question %zu: preflight %d, %s", number, preflight, buf_text(&headers));
    }
    cors_fini(&cors);
    http_response_fini(&response);
    buf_fini(&headers);
}

static void test_headers_follow_origin_and_method(void **state UNUSED)
{
    static const struct question questions[] = {
        { NULL, NULL, "GET", "http://a", NULL, false, "" },
        { "", "", "OPTIONS", "http://a", "PUT", false, "" },
        { "http://a", "", "GET", NULL, NULL, false, VARY },
        { "http://a", "", "GET", "http://b", NULL, false, VARY },
        { "http://a", "", "OPTIONS", "http://b", "GET", false, VARY },
        { "http://a", "", "GET", "http://a", NULL, false,
          VARY "Access-Control-Allow-Origin=http://a;" },
        { "http://a", "", "GET", "http://A", NULL, false, VARY },
        { "http://b, http://a", "", "GET", "http://a", NULL, false,
          VARY "Access-Control-Allow-Origin=http://a;" },
        { "*", "", "GET", "http://a", NULL, false, VARY "Access-Control-Allow-Origin=*;" },
        { "https://*.example.com", "", "GET", "https://x.example.com", NULL, false,
          VARY "Access-Control-Allow-Origin=https://x.example.com;" },
        { "https://*.example.com", "", "GET", "https://xexample.com", NULL, false, VARY },
        { "https://*.example.com", "", "GET", "https://x.example.com.evil", NULL, false, VARY },
        { "http://[ab]", "", "GET", "http://a", NULL, false, VARY },
        { "http://a?", "", "GET", "http://ab", NULL, false, VARY },
        { "http://a", "", "OPTIONS", "http://a", NULL, false,
          VARY "Access-Control-Allow-Origin=http://a;" },
        { "http://a", "", "OPTIONS", "http://a", "GET", true,
          VARY "Access-Control-Allow-Origin=http://a;" MAXA
               "Access-Control-Allow-Methods=GET,POST,HEAD;" MORE },
        { "*", "GET, PUT,DELETE", "OPTIONS", "null", "PUT", true,
          VARY "Access-Control-Allow-Origin=*;" MAXA
               "Access-Control-Allow-Methods=GET,PUT,DELETE;" MORE },
        { "http://a", "", "PUT", "http://a", "GET", false,
          VARY "Access-Control-Allow-Origin=http://a;" },
    };
    for (size_t i = 0; i < N_ELEMENTS(questions); i++) {
        check(&questions[i], i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_follow_origin_and_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
