/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of configuration rows: look-up, parsed values and the reference table. */
#include "tests/support/aborts.h"
#include "tests/support/unit.h"
#include "worker/base/config_def.h"
#include "worker/base/mem.h"

static const char *const aliases[] = { "old.key", "older.key", NULL };
static const char *const colours[] = { "red", "green", NULL };

static const struct config_def rows[] = {
    { .name = "key",
      .type = CONFIG_INT,
      .default_value = "7",
      .aliases = aliases,
      .has_min = true,
      .min = 1,
      .has_max = true,
      .max = 9,
      .importance = CONFIG_HIGH,
      .doc = "Either a|b." },
    { .name = "text", .type = CONFIG_STRING, .required = true, .doc = "A text." },
    { .name = "list", .type = CONFIG_LIST, .default_value = "x | y, z", .doc = "A list." },
    { .name = "flag", .type = CONFIG_BOOLEAN, .default_value = "true", .doc = "A flag." },
    { .name = "part", .type = CONFIG_DOUBLE, .has_min = true, .min = 0, .doc = "A part." },
    { .name = "colour", .type = CONFIG_STRING, .values = colours, .doc = "A colour." },
    { .name = "most", .type = CONFIG_LONG, .has_max = true, .max = 5, .doc = "Most." },
};
static const struct config_table table = CONFIG_TABLE(rows);

static void fill(struct kvs *config, const char *const *pairs)
{
    kvs_init(config);
    for (; *pairs; pairs += 2) {
        kvs_set(config, pairs[0], pairs[1]);
    }
}

static void test_config_find_knows_names_and_aliases(void **state UNUSED)
{
    assert_ptr_equal(config_find(&table, "key"), &rows[0]);
    assert_ptr_equal(config_find(&table, "older.key"), &rows[0]);
    assert_ptr_equal(config_find(&table, "most"), &rows[N_ELEMENTS(rows) - 1]);
    assert_null(config_find(&table, "Key"));
    assert_null(config_find(&table, ""));
}

static void assert_text(const char *const *pairs, const char *key, const char *expected)
{
    struct kvs config;
    fill(&config, pairs);
    CLEANUP(free_charp) char *text = config_text(&table, &config, key);
    kvs_fini(&config);
    if (!expected) {
        assert_null(text);
        return;
    }
    assert_string_equal(text, expected);
}

static void test_config_text_prefers_name_then_aliases_then_default(void **state UNUSED)
{
    assert_text((const char *const[]){ "key", " 3 ", "old.key", "4", NULL }, "key", "3");
    assert_text((const char *const[]){ "older.key", "5", "old.key", "4", NULL }, "key", "4");
    assert_text((const char *const[]){ "older.key", "5", NULL }, "key", "5");
    assert_text((const char *const[]){ "key", "", NULL }, "key", "");
    assert_text((const char *const[]){ NULL }, "key", "7");
    assert_text((const char *const[]){ NULL }, "text", NULL);
}

static void ask_for_unknown_key(void *arg UNUSED)
{
    struct kvs config;
    kvs_init(&config);
    free(config_text(&table, &config, "no.such.row"));
}

static void test_config_text_of_a_key_without_row_aborts(void **state UNUSED)
{
    assert_true(aborts(ask_for_unknown_key, NULL));
}

static void test_config_numbers_and_flags_are_parsed(void **state UNUSED)
{
    struct kvs config;
    fill(&config, (const char *const[]){ "key", " -12 ", "flag", "FALSE", "part", "2.5", NULL });
    assert_int_equal(config_int(&table, &config, "key"), -12);
    assert_false(config_bool(&table, &config, "flag"));
    assert_true(config_double(&table, &config, "part") == 2.5);
    kvs_fini(&config);
}

static void test_config_values_fall_back_to_the_default(void **state UNUSED)
{
    static const char *const wrong[] = { "", "x", "12x", "99999999999999999999" };
    for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
        struct kvs config;
        fill(&config,
             (const char *const[]){ "key", wrong[i], "flag", wrong[i], "most", wrong[i], NULL });
        assert_int_equal(config_int(&table, &config, "key"), 7);
        assert_true(config_bool(&table, &config, "flag"));
        assert_int_equal(config_int(&table, &config, "most"), 0);
        kvs_fini(&config);
    }
    struct kvs config;
    fill(&config, (const char *const[]){ "part", "x", NULL });
    assert_true(config_double(&table, &config, "part") == 0.0);
    assert_int_equal(config_int(&table, &config, "most"), 0);
    assert_false(config_bool(&table, &config, "colour"));
    kvs_fini(&config);
}

static void test_config_parse_writes_only_on_success(void **state UNUSED)
{
    int64_t whole = 42;
    double real = 4.5;
    bool truth = true;
    assert_false(config_parse_whole("4x", &whole));
    assert_false(config_parse_whole(NULL, &whole));
    assert_false(config_parse_double("4.5x", &real));
    assert_false(config_parse_double("inf", &real));
    assert_false(config_parse_bool("no", &truth));
    assert_int_equal(whole, 42);
    assert_true(real == 4.5);
    assert_true(truth);
    assert_true(config_parse_whole("-9223372036854775808", &whole));
    assert_true(whole == INT64_MIN);
}

static void assert_split(const char *text, const char *expected)
{
    struct config_list list;
    config_list_split(text, &list);
    struct buf joined;
    buf_init(&joined);
    for (size_t i = 0; i < list.n_items; i++) {
        buf_printf(&joined, "[%s]", list.items[i]);
    }
    assert_string_equal(buf_text(&joined), expected);
    buf_fini(&joined);
    config_list_fini(&list);
    assert_int_equal(list.n_items, 0);
}

static void test_config_list_split_trims_items_and_keeps_empty_ones(void **state UNUSED)
{
    assert_split("a,b", "[a][b]");
    assert_split(" a , b c ,d ", "[a][b c][d]");
    assert_split("a,,b,", "[a][][b][]");
    assert_split("", "");
    assert_split(" \t ", "");
    assert_split(",", "[][]");
}

static void test_config_list_reads_the_default_and_null_as_empty(void **state UNUSED)
{
    struct kvs config;
    kvs_init(&config);
    struct config_list list;
    config_list(&table, &config, "list", &list);
    assert_int_equal(list.n_items, 2);
    assert_string_equal(list.items[0], "x | y");
    config_list_fini(&list);
    config_list(&table, &config, "text", &list);
    assert_int_equal(list.n_items, 0);
    config_list_fini(&list);
    kvs_fini(&config);
}

static void test_config_names_are_connects(void **state UNUSED)
{
    static const char *const types[] = { "BOOLEAN", "STRING", "INT",   "SHORT",   "LONG",
                                         "DOUBLE",  "LIST",   "CLASS", "PASSWORD" };
    for (size_t i = 0; i < N_ELEMENTS(types); i++) {
        assert_string_equal(config_type_name((enum config_type)i), types[i]);
    }
    assert_string_equal(config_importance_name(CONFIG_HIGH), "HIGH");
    assert_string_equal(config_importance_name(CONFIG_MEDIUM), "MEDIUM");
    assert_string_equal(config_importance_name(CONFIG_LOW), "LOW");
    assert_string_equal(config_width_name(CONFIG_WIDTH_NONE), "NONE");
    assert_string_equal(config_width_name(CONFIG_WIDTH_SHORT), "SHORT");
    assert_string_equal(config_width_name(CONFIG_WIDTH_MEDIUM), "MEDIUM");
    assert_string_equal(config_width_name(CONFIG_WIDTH_LONG), "LONG");
}

static void test_config_reference_is_a_markdown_table_of_all_rows(void **state UNUSED)
{
    struct buf text;
    buf_init(&text);
    config_reference(&table, &text);
    assert_string_equal(buf_text(&text),
                        "| key | type | default | allowed | meaning |\n"
                        "| --- | --- | --- | --- | --- |\n"
                        "| `key` | INT | `7` | 1 to 9 | Either a\\|b. Also: `old.key`, "
                        "`older.key` |\n"
                        "| `text` | STRING | required |  | A text. |\n"
                        "| `list` | LIST | `x \\| y, z` |  | A list. |\n"
                        "| `flag` | BOOLEAN | `true` |  | A flag. |\n"
                        "| `part` | DOUBLE |  | at least 0 | A part. |\n"
                        "| `colour` | STRING |  | `red`, `green` | A colour. |\n"
                        "| `most` | LONG |  | at most 5 | Most. |\n");
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_find_knows_names_and_aliases),
        cmocka_unit_test(test_config_text_prefers_name_then_aliases_then_default),
        cmocka_unit_test(test_config_text_of_a_key_without_row_aborts),
        cmocka_unit_test(test_config_numbers_and_flags_are_parsed),
        cmocka_unit_test(test_config_values_fall_back_to_the_default),
        cmocka_unit_test(test_config_parse_writes_only_on_success),
        cmocka_unit_test(test_config_list_split_trims_items_and_keeps_empty_ones),
        cmocka_unit_test(test_config_list_reads_the_default_and_null_as_empty),
        cmocka_unit_test(test_config_names_are_connects),
        cmocka_unit_test(test_config_reference_is_a_markdown_table_of_all_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
