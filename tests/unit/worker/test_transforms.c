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

#define ROOM "org.apache.kafka.connect.transforms."

/* A chain of two: a route for the topics that the predicate takes, and a filter for the rest. */
static void set_chain(struct kvs *config)
{
    kvs_set(config, "transforms", "route, drop");
    kvs_set(config, "transforms.route.type", "RegexRouter");
    kvs_set(config, "transforms.route.regex", "(.*)-raw");
    kvs_set(config, "transforms.route.replacement", "$1");
    kvs_set(config, "transforms.route.predicate", "raw");
    kvs_set(config, "transforms.drop.type", ROOM "Filter");
    kvs_set(config, "transforms.drop.predicate", "raw");
    kvs_set(config, "transforms.drop.negate", "true");
    kvs_set(config, "predicates", "raw");
    kvs_set(config, "predicates.raw.type", "TopicNameMatches");
    kvs_set(config, "predicates.raw.pattern", "a.*");
}

static void test_predicates_say_which_records_a_transform_takes(void **state)
{
    struct transform_chain *chain = NULL;
    struct arena arena;
    arena_init(&arena);
    set_chain(*state);
    assert_int_equal(transform_chain_open(*state, &chain, NULL), ERR_OK);
    struct connect_record record = { .topic = "a-raw", .arena = &arena };
    bool keep = false;
    assert_int_equal(transform_chain_apply(chain, &record, &keep, NULL), ERR_OK);
    assert_true(keep);
    assert_string_equal(record.topic, "a");
    record.topic = "b-raw";
    assert_int_equal(transform_chain_apply(chain, &record, &keep, NULL), ERR_OK);
    assert_false(keep);
    assert_string_equal(record.topic, "b-raw");
    assert_string_equal(transform_chain_class(chain), ROOM "Filter");
    transform_chain_close(chain);
    arena_fini(&arena);
}

static void test_predicate_that_is_not_listed_is_an_error_at_start(void **state)
{
    struct transform_chain *chain = NULL;
    struct error error = { ERR_OK, "" };
    set_chain(*state);
    kvs_set(*state, "predicates", "other");
    assert_int_equal(transform_chain_open(*state, &chain, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "Unknown configuration 'predicates.raw.type'"));
}

static void test_names_of_classes_are_those_that_connect_knows(void **state)
{
    (void)state;
    assert_non_null(transform_find(ROOM "HoistField$Value"));
    assert_non_null(transform_find(ROOM "HoistField$Key"));
    assert_null(transform_find("HoistField$Value"));
    assert_null(transform_find(ROOM "HoistField"));
    assert_non_null(transform_find("RegexRouter"));
    assert_non_null(predicate_find("HasHeaderKey"));
    assert_null(predicate_find(ROOM "HasHeaderKey"));
    size_t n = 0;
    for (const struct transform_plugin *p = transform_plugins(); p->class_name; p++) {
        assert_true(n == 0 || strcmp(p[-1].class_name, p->class_name) < 0);
        n++;
    }
    assert_int_equal(n, 26);
}

static void test_headers_have_a_bound(void **state)
{
    struct transform_chain *chain = NULL;
    struct error error = { ERR_OK, "" };
    kvs_set(*state, "transforms", "a");
    kvs_set(*state, "transforms.a.type", "InsertHeader");
    kvs_set(*state, "transforms.a.header", "h");
    kvs_set(*state, "transforms.a.value.literal", "1");
    assert_int_equal(transform_chain_open(*state, &chain, NULL), ERR_OK);
    struct connect_record record = { .topic = "t", .n_headers = RECORD_MAX_HEADERS - 1 };
    bool keep = false;
    assert_int_equal(transform_chain_apply(chain, &record, &keep, NULL), ERR_OK);
    assert_int_equal(transform_chain_apply(chain, &record, &keep, &error), ERR_TOO_LARGE);
    assert_non_null(strstr(error.text, "32 headers"));
    transform_chain_close(chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty_chain_keeps_the_record_as_it_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_class_is_named_with_its_alias, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_alias_without_a_class_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_predicates_say_which_records_a_transform_takes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_predicate_that_is_not_listed_is_an_error_at_start,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_of_classes_are_those_that_connect_knows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_headers_have_a_bound, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
