/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Media types of requests.
 *
 * fakes: fake_cluster
 */
#include "rest/media.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"

static void test_content_types(void **state UNUSED)
{
    assert_true(media_is_json(NULL));
    assert_true(media_is_json("application/json"));
    assert_true(media_is_json("APPLICATION/JSON ; charset=utf-8"));
    assert_false(media_is_json("text/plain"));
    assert_false(media_is_json("application/merge-patch+json"));
    assert_false(media_is_json("application/jsonx"));
    assert_false(media_is_json(""));
}

static void test_accept(void **state UNUSED)
{
    static const char *const yes[] = { "",
                                       " ",
                                       "*/*",
                                       "application/json",
                                       "application/*",
                                       "text/html, application/json;q=0.5",
                                       "text/html,*/*;q=0.1",
                                       "application/json; charset=utf-8" };
    static const char *const no[] = {
        "text/html",  "application/xml,text/*",       "application/json;q=0",
        "*/*; q=0.0", "application/json;level=1;q=0", ","
    };
    assert_true(media_accepts_json(NULL));
    for (size_t i = 0; i < N_ELEMENTS(yes); i++) {
        if (!media_accepts_json(yes[i])) {
            fail_msg("'%s' was refused", yes[i]);
        }
    }
    for (size_t i = 0; i < N_ELEMENTS(no); i++) {
        if (media_accepts_json(no[i])) {
            fail_msg("'%s' was taken", no[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_accept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
