/* SPDX-License-Identifier: Apache-2.0 */
/*
 * response.http.headers.config: entries, quotes, dates, and what is refused.
 *
 * fakes: fake_cluster
 */
#include <string.h>

#include "rest/extra_headers.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"

static const char *value_of(const struct http_response *response, const char *name, size_t nth)
{
    for (size_t i = 0; i < response->n_headers; i++) {
        if (strcmp(response->headers[i].name, name) == 0 && nth-- == 0) {
            return response->headers[i].value;
        }
    }
    return NULL;
}

static void test_entries_become_headers(void **state UNUSED)
{
    static const char text[] =
        " add X-A: 1, ADD x-a:2,set Cache-Control:no-cache,"
        "\"set Cache-Control: no-store, max-age=0\", add Location: http://a:1/b, "
        "setDate Expires: 31540000000, addDate Last-Seen:-1000, \"set X-Q: a \\\"b\\\"\" , set "
        "X-E:";
    struct extra_headers headers;
    struct error error = { ERR_OK, "" };
    if (extra_headers_parse(text, &headers, &error) != ERR_OK) {
        fail_msg("%s", error.text);
    }
    struct http_response response;
    http_response_init(&response);
    extra_headers_apply(&headers, 1000, &response);
    assert_string_equal(value_of(&response, "X-A", 0), "1");
    assert_string_equal(value_of(&response, "x-a", 0), "2");
    assert_string_equal(value_of(&response, "Cache-Control", 0), "no-store, max-age=0");
    assert_null(value_of(&response, "Cache-Control", 1));
    assert_string_equal(value_of(&response, "Location", 0), "http://a:1/b");
    assert_string_equal(value_of(&response, "Expires", 0), "Fri, 01 Jan 1971 01:06:41 GMT");
    assert_string_equal(value_of(&response, "Last-Seen", 0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(value_of(&response, "X-Q", 0), "a \"b\"");
    assert_string_equal(value_of(&response, "X-E", 0), "");
    http_response_fini(&response);
    extra_headers_fini(&headers);
}

static void test_nothing_is_no_header(void **state UNUSED)
{
    static const char *const cases[] = { "", "  " };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct extra_headers headers;
        assert_int_equal(extra_headers_parse(cases[i], &headers, NULL), ERR_OK);
        assert_int_equal(headers.n_items, 0);
        extra_headers_fini(&headers);
    }
}

static void test_wrong_entries_name_key_value_and_mend(void **state UNUSED)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        { "put X: y", "unknown action" },
        { "X: y", "no action" },
        { "set", "no action" },
        { "set X", "no action" },
        { "set : y", "must be a token" },
        { "set X Y: z", "must be a token" },
        { "set X(: z", "must be a token" },
        { "set X: a\nb", "control character" },
        { "setDate X: tomorrow", "number of milliseconds" },
        { "setDate X: 99999999999999999", "number of milliseconds" },
        { "\"set X: y", "quote is not closed" },
        { "set X: y,", "an empty entry" },
        { "set X: y,,set Z: y", "an empty entry" },
        { "set Content-Length: 3", "made by the server" },
        { "add transfer-encoding: chunked", "made by the server" },
        { "add connection: close", "made by the server" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct extra_headers headers;
        struct error error = { ERR_OK, "" };
        if (extra_headers_parse(cases[i].text, &headers, &error) != ERR_INVALID) {
            fail_msg("'%s' was taken", cases[i].text);
        }
        if (!strstr(error.text, cases[i].why) ||
            !strstr(error.text, "for configuration response.http.headers.config: ") ||
            !strstr(error.text, "[header name]:[header value]")) {
            fail_msg("'%s' says: %s", cases[i].text, error.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_become_headers),
        cmocka_unit_test(test_nothing_is_no_header),
        cmocka_unit_test(test_wrong_entries_name_key_value_and_mend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
