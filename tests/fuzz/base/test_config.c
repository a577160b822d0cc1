/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever values come: validation lists each row once, and what it lets pass can be read. */
#include "tests/support/fuzz.h"
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/config_def.h"
#include "worker/base/config_result.h"
#include "worker/base/mem.h"

static const char *const colours[] = { "red", "green", NULL };
static const char *const aliases[] = { "i2", NULL };

static enum err check_short(const char *value, struct error *reterr)
{
    return strlen(value) > 20 ? error_set(reterr, ERR_INVALID, "too long: %s", value) : ERR_OK;
}

static const struct config_def rows[] = {
    { .name = "i",
      .type = CONFIG_INT,
      .default_value = "5",
      .has_min = true,
      .min = -10,
      .has_max = true,
      .max = 1000,
      .aliases = aliases,
      .doc = "d" },
    { .name = "h", .type = CONFIG_SHORT, .doc = "d" },
    { .name = "l", .type = CONFIG_LONG, .has_min = true, .min = 0, .doc = "d" },
    { .name = "d",
      .type = CONFIG_DOUBLE,
      .has_max = true,
      .max = 1,
      .default_value = "0.5",
      .doc = "d" },
    { .name = "b", .type = CONFIG_BOOLEAN, .default_value = "true", .doc = "d" },
    { .name = "s", .type = CONFIG_STRING, .required = true, .check = check_short, .doc = "d" },
    { .name = "e",
      .type = CONFIG_STRING,
      .values = colours,
      .compare = CONFIG_ANY_CASE,
      .doc = "d" },
    { .name = "v", .type = CONFIG_LIST, .non_empty = true, .default_value = "a", .doc = "d" },
    { .name = "p", .type = CONFIG_PASSWORD, .check = check_short, .doc = "d" },
};
static const struct config_table table = CONFIG_TABLE(rows);

/* Lines "key=value" of the bytes; "key" alone is a null. */
static void fill(struct kvs *config, const char *bytes, size_t length)
{
    CLEANUP(free_charp) char *text = xmemdup(bytes, length);
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        char *value = strchr(line, '=');
        if (value) {
            *value++ = '\0';
        }
        kvs_set(config, line, value);
    }
}

static void check_values(const struct kvs *config, struct config_result *result)
{
    if (config_result_find(result, "i")->n_errors == 0) {
        assert_in_range(config_int(&table, config, "i") + 10, 0, 1010);
    }
    if (config_result_find(result, "l")->n_errors == 0) {
        assert_true(config_int(&table, config, "l") >= 0);
    }
    if (config_result_find(result, "d")->n_errors == 0) {
        assert_true(config_double(&table, config, "d") <= 1.0);
    }
    struct config_list list;
    config_list(&table, config, "v", &list);
    for (size_t i = 0; i < list.n_items; i++) {
        assert_null(strchr(list.items[i], ','));
    }
    config_list_fini(&list);
}

static void one(const char *bytes, size_t length)
{
    struct kvs config;
    struct config_result result;
    kvs_init(&config);
    config_result_init(&result);
    fill(&config, bytes, length);
    config_validate(&table, &config, &result);
    assert_int_equal(result.n_values, N_ELEMENTS(rows));
    for (size_t i = 0; i < result.n_values; i++) {
        const struct config_value *value = &result.values[i];
        assert_true(value->n_errors <= 3);
        for (size_t j = 0; j < value->n_errors; j++) {
            assert_true(strlen(value->errors[j]) > 20);
        }
    }
    check_values(&config, &result);
    config_result_fini(&result);
    kvs_fini(&config);
}

static void test_config_of_any_values_is_judged_and_readable(void **state UNUSED)
{
    fuzz_run("config", one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_of_any_values_is_judged_and_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
