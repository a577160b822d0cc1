/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of transform chains. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/kvs.h"
#include "worker/transform.h"

static int set_up(void **state)
{
    struct kvs *config = test_calloc(1, sizeof(*config));
    kvs_init(config);
    *state = config;
    return 0;
}

static int tear_down(void **state)
{
    kvs_fini(*state);
    test_free(*state);
    return 0;
}

static void test_empty_chain_keeps_the_record_as_it_is(void **state)
{
    struct transform_chain *chain = NULL;
    assert_int_equal(transform_chain_open(*state, &chain, NULL), ERR_OK);
    struct connect_record record = { .topic = "t" };
    bool keep = false;
    assert_int_equal(transform_chain_apply(chain, &record, &keep, NULL), ERR_OK);
    assert_true(keep);
    assert_string_equal(record.topic, "t");
    transform_chain_close(chain);
}

static void test_unknown_class_is_named_with_its_alias(void **state)
{
    struct transform_chain *chain = NULL;
    struct error error = { ERR_OK, "" };
    kvs_set(*state, "transforms", "a");
    kvs_set(*state, "transforms.a.type", "x.Y");
    assert_int_equal(transform_chain_open(*state, &chain, &error), ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "transforms.a.type"));
    assert_non_null(strstr(error.text, "x.Y"));
}

static void test_alias_without_a_class_is_an_error(void **state)
{
    struct transform_chain *chain = NULL;
    struct error error = { ERR_OK, "" };
    kvs_set(*state, "transforms", "a");
    assert_int_equal(transform_chain_open(*state, &chain, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "transforms.a.type"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty_chain_keeps_the_record_as_it_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_class_is_named_with_its_alias, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_alias_without_a_class_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
