/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of validation: each error text is Kafka Connect's, to the letter. */
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/config_def.h"
#include "worker/base/config_result.h"
#include "worker/base/mem.h"

static const char *const modes[] = { "shared", "exclusive", "auto", NULL };
static const char *const old_names[] = { "old.count", "older.count", NULL };

static enum err check_word(const char *value, struct error *reterr)
{
    if (strchr(value, '/')) {
        return error_set(reterr, ERR_INVALID, "must not contain '/'");
    }
    return ERR_OK;
}

static const struct config_def rows[] = {
    { .name = "name", .type = CONFIG_STRING, .required = true, .non_empty = true, .doc = "d" },
    { .name = "tasks.max",
      .type = CONFIG_INT,
      .default_value = "1",
      .has_min = true,
      .min = 1,
      .doc = "d" },
    { .name = "port",
      .type = CONFIG_INT,
      .has_min = true,
      .min = 0,
      .has_max = true,
      .max = 65535,
      .doc = "d" },
    { .name = "short", .type = CONFIG_SHORT, .doc = "d" },
    { .name = "long", .type = CONFIG_LONG, .has_max = true, .max = INT64_MAX - 1, .doc = "d" },
    { .name = "ratio",
      .type = CONFIG_DOUBLE,
      .has_min = true,
      .min = 0,
      .has_max = true,
      .max = 1,
      .doc = "d" },
    { .name = "on", .type = CONFIG_BOOLEAN, .default_value = "false", .doc = "d" },
    { .name = "mode", .type = CONFIG_STRING, .values = modes, .default_value = "auto", .doc = "d" },
    { .name = "case",
      .type = CONFIG_STRING,
      .values = modes,
      .compare = CONFIG_ANY_CASE,
      .doc = "d" },
    { .name = "filters", .type = CONFIG_LIST, .non_empty = true, .default_value = "#", .doc = "d" },
    { .name = "secret",
      .type = CONFIG_PASSWORD,
      .check = check_word,
      .non_empty = true,
      .doc = "d" },
    { .name = "word", .type = CONFIG_STRING, .check = check_word, .doc = "d" },
    { .name = "count",
      .type = CONFIG_INT,
      .aliases = old_names,
      .has_min = true,
      .min = 1,
      .default_value = "5",
      .doc = "d" },
};
static const struct config_table table = CONFIG_TABLE(rows);

/* Validates the pairs and returns the errors of all keys as "key> text" lines, owned. */
static char *errors_of(const char *const *pairs, struct config_result *result)
{
    struct kvs config;
    kvs_init(&config);
    for (; *pairs; pairs += 2) {
        kvs_set(&config, pairs[0], pairs[1]);
    }
    config_result_init(result);
    config_validate(&table, &config, result);
    kvs_fini(&config);
    struct buf text;
    buf_init(&text);
    for (size_t i = 0; i < result->n_values; i++) {
        for (size_t j = 0; j < result->values[i].n_errors; j++) {
            buf_printf(&text, "%s> %s\n", result->values[i].name, result->values[i].errors[j]);
        }
    }
    return buf_take(&text);
}

/* Checks one key of a config that is right otherwise; expected is the errors, a line each. */
static void assert_errors(const char *key, const char *value, const char *expected)
{
    struct config_result result;
    CLEANUP(free_charp)
    char *errors = errors_of((const char *const[]){ "name", "n", key, value, NULL }, &result);
    assert_string_equal(errors, expected);
    config_result_fini(&result);
}

static void assert_value(const char *key, const char *value, const char *expected)
{
    struct config_result result;
    CLEANUP(free_charp)
    char *errors = errors_of((const char *const[]){ "name", "n", key, value, NULL }, &result);
    assert_string_equal(errors, "");
    assert_string_equal(config_result_find(&result, key)->value, expected);
    config_result_fini(&result);
}

static void test_validate_required_and_missing(void **state UNUSED)
{
    struct config_result result;
    CLEANUP(free_charp) char *errors = errors_of((const char *const[]){ NULL }, &result);
    assert_string_equal(
        errors, "name> Missing required configuration \"name\" which has no default value.\n");
    assert_int_equal(config_result_errors(&result), 1);
    assert_null(config_result_find(&result, "name")->value);
    config_result_fini(&result);
}

static void test_validate_number_that_does_not_parse(void **state UNUSED)
{
    assert_errors("tasks.max", "x",
                  "tasks.max> Invalid value x for configuration tasks.max: Not a number of type "
                  "INT\ntasks.max> Invalid value null for configuration tasks.max: Value must be "
                  "non-null\n");
    assert_errors("short", "1x",
                  "short> Invalid value 1x for configuration short: Not a number of type SHORT\n");
    assert_errors("short", "32768",
                  "short> Invalid value 32768 for configuration short: Not a number of type "
                  "SHORT\n");
    assert_errors("port", "2147483648",
                  "port> Invalid value 2147483648 for configuration port: Not a number of type "
                  "INT\n");
}

static void test_validate_refuses_texts_that_only_start_as_numbers(void **state UNUSED)
{
    static const char *const texts[] = {
        "",    "1.0", "1e3", "0x10", "1 2", "1_000",
        "--1", "+",   "1,0", "NaN",  "one", "99999999999999999999"
    };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        struct buf expected;
        buf_init(&expected);
        buf_printf(&expected,
                   "short> Invalid value %s for configuration short: Not a number of type "
                   "SHORT\n",
                   texts[i]);
        assert_errors("short", texts[i], buf_text(&expected));
        buf_fini(&expected);
    }
}

static void test_validate_long_and_double(void **state UNUSED)
{
    assert_value("long", "9223372036854775806", "9223372036854775806");
    assert_value("long", "-9223372036854775808", "-9223372036854775808");
    assert_errors("long", "9223372036854775807",
                  "long> Invalid value 9223372036854775807 for configuration long: Value must be "
                  "no more than 9223372036854775806\n");
    assert_errors("long", "9223372036854775808",
                  "long> Invalid value 9223372036854775808 for configuration long: Not a number "
                  "of type LONG\n");
    assert_value("ratio", "0.25", "0.25");
    assert_value("ratio", "1e-3", "1e-3");
    assert_errors("ratio", "1.5",
                  "ratio> Invalid value 1.5 for configuration ratio: Value must be no more than "
                  "1\n");
    assert_errors("ratio", "-0.1",
                  "ratio> Invalid value -0.1 for configuration ratio: Value must be at least 0\n");
    static const char *const texts[] = { "nan", "inf", "-infinity", "1.5x", "1e999" };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        struct config_result result;
        CLEANUP(free_charp)
        char *errors =
            errors_of((const char *const[]){ "name", "n", "ratio", texts[i], NULL }, &result);
        assert_non_null(strstr(errors, "Not a number of type DOUBLE\n"));
        config_result_fini(&result);
    }
}

static void test_validate_out_of_range(void **state UNUSED)
{
    assert_errors("tasks.max", "0",
                  "tasks.max> Invalid value 0 for configuration tasks.max: Value must be at least "
                  "1\n");
    assert_errors("tasks.max", "-1",
                  "tasks.max> Invalid value -1 for configuration tasks.max: Value must be at least "
                  "1\n");
    assert_errors("port", "65536",
                  "port> Invalid value 65536 for configuration port: Value must be no more than "
                  "65535\n");
    assert_value("port", "65535", "65535");
    assert_value("port", "0", "0");
    assert_value("tasks.max", "1000000000", "1000000000");
}

static void test_validate_boolean(void **state UNUSED)
{
    assert_errors("on", "yes",
                  "on> Invalid value yes for configuration on: Expected value to be either true or "
                  "false\n");
    assert_errors("on", "",
                  "on> Invalid value  for configuration on: Expected value to be either "
                  "true or false\n");
    assert_value("on", "TRUE", "true");
    assert_value("on", " False ", "false");
}

static void test_validate_value_not_in_the_enum(void **state UNUSED)
{
    assert_errors("mode", "Shared",
                  "mode> Invalid value Shared for configuration mode: String must be one of: "
                  "shared, exclusive, auto\n");
    assert_errors("case", "x",
                  "case> Invalid value x for configuration case: String must be one of (case "
                  "insensitive): shared, exclusive, auto\n");
    assert_value("case", "SHARED", "SHARED");
}

static void test_embedded_rows_stand_behind_their_prefix(void **state UNUSED)
{
    static const struct config_def row = {
        .name = "size", .type = CONFIG_INT, .default_value = "1", .has_min = true, .min = 1
    };
    static const struct {
        struct config_place place;
        const char *value;
        const char *error;
    } cases[] = {
        { { "a.b.", "Group", false }, "x", "Invalid value x for configuration a.b.size: Not a" },
        { { "a.b.", "Group", false }, "0", "Invalid value 0 for configuration size: Value must" },
        { { "a.b.", NULL, true }, "x", "Invalid value x for configuration size: Not a number" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct config_result result;
        struct kvs config;
        config_result_init(&result);
        kvs_init(&config);
        kvs_set(&config, "size", cases[i].value);
        const struct config_value *entry = config_embed(&row, &config, &cases[i].place, 7, &result);
        assert_string_equal(entry->def->name, "a.b.size");
        assert_string_equal(entry->def->display_name, "size");
        assert_int_equal(entry->def->order, cases[i].place.group ? 7 : 0);
        assert_int_equal(strncmp(entry->errors[0], cases[i].error, strlen(cases[i].error)), 0);
        kvs_fini(&config);
        config_result_fini(&result);
    }
}

static void test_validate_empty(void **state UNUSED)
{
    assert_errors("name", "",
                  "name> Invalid value  for configuration name: String must be non-empty\n");
    assert_errors("name", " \t ",
                  "name> Invalid value  for configuration name: String must be non-empty\n");
    assert_errors("filters", " ",
                  "filters> Invalid value [] for configuration filters: Empty list\n");
}

static void test_validate_null_is_an_error_and_not_the_default(void **state UNUSED)
{
    assert_errors("tasks.max", NULL,
                  "tasks.max> Invalid value null for configuration tasks.max: Value must be "
                  "non-null\ntasks.max> Null value can not be supplied as the configuration "
                  "value.\n");
    assert_errors("on", NULL, "on> Null value can not be supplied as the configuration value.\n");
    assert_errors("name", NULL,
                  "name> Null value can not be supplied as the configuration value.\n");
    assert_errors("mode", NULL,
                  "mode> Invalid value null for configuration mode: String must be one of: shared, "
                  "exclusive, auto\nmode> Null value can not be supplied as the configuration "
                  "value.\n");
    struct config_result result;
    CLEANUP(free_charp)
    char *errors = errors_of((const char *const[]){ "name", "n", "on", NULL, NULL }, &result);
    assert_true(errors[0] != '\0');
    assert_null(config_result_find(&result, "on")->value);
    config_result_fini(&result);
}

static void test_validate_null_under_an_alias_is_an_error_too(void **state UNUSED)
{
    assert_errors("old.count", NULL,
                  "count> Invalid value null for configuration count: Value must be non-null\n"
                  "count> Null value can not be supplied as the configuration value.\n");
    struct config_result result;
    CLEANUP(free_charp)
    char *errors = errors_of(
        (const char *const[]){ "name", "n", "count", NULL, "older.count", "3", NULL }, &result);
    assert_string_equal(errors, "");
    assert_string_equal(config_result_find(&result, "count")->value, "3");
    config_result_fini(&result);
}

static void test_validate_own_checks_follow_the_standard_words(void **state UNUSED)
{
    assert_errors("word", "a/b",
                  "word> Invalid value a/b for configuration word: must not contain '/'\n");
    assert_value("word", "ab", "ab");
}

static void test_validate_never_quotes_a_password(void **state UNUSED)
{
    assert_errors("secret", "pass/word",
                  "secret> Invalid value [hidden] for configuration secret: must not contain "
                  "'/'\n");
    assert_errors("secret", "",
                  "secret> Invalid value  for configuration secret: String must be non-empty\n");
}

static void test_validate_shows_values_trimmed_and_lists_with_plain_commas(void **state UNUSED)
{
    assert_value("name", "  a b\n", "a b");
    assert_value("tasks.max", " 7 ", "7");
    assert_value("filters", " a/# , b/+ ,c", "a/#,b/+,c");
    assert_value("filters", "a,,b", "a,,b");
}

static void test_validate_lists_each_row_once_with_its_default(void **state UNUSED)
{
    struct config_result result;
    CLEANUP(free_charp)
    char *errors = errors_of(
        (const char *const[]){ "name", "n", "unknown.key", "x", "other", NULL, NULL }, &result);
    assert_string_equal(errors, "");
    assert_int_equal(result.n_values, N_ELEMENTS(rows));
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        assert_string_equal(result.values[i].name, rows[i].name);
        assert_ptr_equal(result.values[i].def, &rows[i]);
    }
    assert_string_equal(config_result_find(&result, "tasks.max")->value, "1");
    assert_string_equal(config_result_find(&result, "mode")->value, "auto");
    assert_null(config_result_find(&result, "port")->value);
    assert_null(config_result_find(&result, "unknown.key"));
    config_result_fini(&result);
}

static void test_validate_shows_long_values_whole(void **state UNUSED)
{
    char *digits = xmalloc(100001);
    memset(digits, '9', 100000);
    digits[100000] = '\0';
    struct config_result result;
    CLEANUP(free_charp)
    char *errors = errors_of((const char *const[]){ "name", "n", "short", digits, NULL }, &result);
    assert_true(strlen(errors) > 100000);
    config_result_fini(&result);
    free(digits);
}

static void test_validate_of_4096_keys_looks_only_at_its_rows(void **state UNUSED)
{
    struct kvs config;
    kvs_init(&config);
    char key[32];
    for (int i = 0; i < 4095; i++) {
        (void)snprintf(key, sizeof(key), "unknown.%d", i);
        kvs_set(&config, key, "x");
    }
    kvs_set(&config, "name", "last");
    struct config_result result;
    config_result_init(&result);
    config_validate(&table, &config, &result);
    assert_int_equal(result.n_values, N_ELEMENTS(rows));
    assert_int_equal(config_result_errors(&result), 0);
    assert_string_equal(config_result_find(&result, "name")->value, "last");
    config_result_fini(&result);
    kvs_fini(&config);
}

static void test_config_result_add_keeps_the_first_entry_of_a_key(void **state UNUSED)
{
    struct config_result result;
    config_result_init(&result);
    struct config_value *value = config_result_add(&result, "a", NULL, "1");
    config_value_error(value, "wrong: %d", 1);
    config_value_error(value, "again");
    config_value_recommend(value, "x");
    config_value_recommend(value, "y");
    value = config_result_add(&result, "a", &rows[0], "2");
    assert_string_equal(value->value, "1");
    assert_null(value->def);
    assert_int_equal(value->n_errors, 2);
    assert_string_equal(value->errors[0], "wrong: 1");
    assert_int_equal(value->n_recommended, 2);
    assert_string_equal(value->recommended[1], "y");
    for (int i = 0; i < 200; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%d", i);
        (void)config_result_add(&result, key, NULL, NULL);
    }
    assert_int_equal(result.n_values, 201);
    assert_int_equal(config_result_errors(&result), 2);
    config_result_fini(&result);
    config_result_fini(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validate_required_and_missing),
        cmocka_unit_test(test_validate_number_that_does_not_parse),
        cmocka_unit_test(test_validate_refuses_texts_that_only_start_as_numbers),
        cmocka_unit_test(test_validate_long_and_double),
        cmocka_unit_test(test_validate_out_of_range),
        cmocka_unit_test(test_validate_boolean),
        cmocka_unit_test(test_validate_value_not_in_the_enum),
        cmocka_unit_test(test_embedded_rows_stand_behind_their_prefix),
        cmocka_unit_test(test_validate_empty),
        cmocka_unit_test(test_validate_null_is_an_error_and_not_the_default),
        cmocka_unit_test(test_validate_null_under_an_alias_is_an_error_too),
        cmocka_unit_test(test_validate_own_checks_follow_the_standard_words),
        cmocka_unit_test(test_validate_never_quotes_a_password),
        cmocka_unit_test(test_validate_shows_values_trimmed_and_lists_with_plain_commas),
        cmocka_unit_test(test_validate_lists_each_row_once_with_its_default),
        cmocka_unit_test(test_validate_shows_long_values_whole),
        cmocka_unit_test(test_validate_of_4096_keys_looks_only_at_its_rows),
        cmocka_unit_test(test_config_result_add_keeps_the_first_entry_of_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
