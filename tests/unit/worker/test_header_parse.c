/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of header texts whose lists and maps would be costly: what a text takes in memory is
 * bounded by its length. The arena is compiled in, so that its blocks can be counted. */
#include "tests/support/unit.h"
#include "worker/base/arena.c"
#include "worker/convert/header_text.h"

#define TEXT_LENGTH ((size_t)64 * 1024)
/* An empty list is three characters long and costs a value and a schema. */
#define BYTES_PER_CHARACTER 256

struct fixture {
    struct arena arena;
    char *text;
    struct value value;
};

static int set_up(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    arena_init(&fixture->arena);
    fixture->text = test_calloc(1, TEXT_LENGTH + 1);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    arena_fini(&fixture->arena);
    test_free(fixture->text);
    test_free(fixture);
    return 0;
}

static size_t arena_bytes(const struct arena *arena)
{
    size_t n = 0;
    for (const struct arena_block *block = arena->blocks; block; block = block->next) {
        n += block->size;
    }
    return n;
}

/* Parses first, then as many times piece as there is room for, then last; returns that number. */
static size_t parse(struct fixture *fixture, const char *first, const char *piece, const char *last)
{
    size_t room = TEXT_LENGTH - strlen(first) - strlen(last);
    size_t n = room / strlen(piece);
    char *at = stpcpy(fixture->text, first);
    for (size_t i = 0; i < n; i++) {
        at = stpcpy(at, piece);
    }
    at = stpcpy(at, last);
    size_t length = (size_t)(at - fixture->text);
    header_text_parse(fixture->text, length, &fixture->arena, &fixture->value);
    assert_in_range(arena_bytes(&fixture->arena), 0, BYTES_PER_CHARACTER * TEXT_LENGTH);
    return n;
}

static void test_many_empty_lists_cost_what_their_text_is_long(void **state)
{
    struct fixture *fixture = *state;
    size_t n = parse(fixture, "[", "[],", "[]]");
    assert_int_equal(fixture->value.type, VALUE_ARRAY);
    assert_int_equal(fixture->value.as.array.n_items, n + 1);
    for (size_t i = 0; i <= n; i++) {
        assert_int_equal(fixture->value.as.array.items[i].type, VALUE_ARRAY);
        assert_int_equal(fixture->value.as.array.items[i].as.array.n_items, 0);
    }
}

static void test_many_empty_maps_cost_what_their_text_is_long(void **state)
{
    struct fixture *fixture = *state;
    size_t n = parse(fixture, "[", "{},", "{}]");
    assert_int_equal(fixture->value.type, VALUE_ARRAY);
    assert_int_equal(fixture->value.as.array.n_items, n + 1);
    assert_int_equal(fixture->value.as.array.items[n].type, VALUE_MAP);
}

static void test_many_entries_keep_their_order_and_values(void **state)
{
    struct fixture *fixture = *state;
    size_t n = parse(fixture, "{", "\"a\":[1],", "\"b\":[2]}");
    assert_int_equal(fixture->value.type, VALUE_MAP);
    assert_int_equal(fixture->value.as.map.n_entries, n + 1);
    const struct value_entry *last = &fixture->value.as.map.entries[n];
    assert_memory_equal(last->key.as.bytes.data, "b", 1);
    assert_int_equal(last->value.as.array.items[0].as.number, 2);
}

static void test_deep_nesting_is_a_string_and_costs_little(void **state)
{
    struct fixture *fixture = *state;
    (void)parse(fixture, "", "[", "");
    assert_int_equal(fixture->value.type, VALUE_STRING);
    (void)parse(fixture, "", "{\"a\":", "");
    assert_int_equal(fixture->value.type, VALUE_STRING);
}

static void test_the_deepest_lists_again_and_again_cost_what_their_text_is_long(void **state)
{
    struct fixture *fixture = *state;
    size_t n = parse(fixture, "[", "[[[[[[[[[[]]]]]]]]]],", "[]]");
    assert_int_equal(fixture->value.type, VALUE_ARRAY);
    assert_int_equal(fixture->value.as.array.n_items, n + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_empty_lists_cost_what_their_text_is_long, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_many_empty_maps_cost_what_their_text_is_long, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_many_entries_keep_their_order_and_values, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_deep_nesting_is_a_string_and_costs_little, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_the_deepest_lists_again_and_again_cost_what_their_text_is_long, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
