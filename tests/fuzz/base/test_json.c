/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever bytes come: JSON is refused with a text, or it is a value that survives printing. */
#include "tests/support/fuzz.h"
#include "tests/support/unit.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"

/* A flat object gives the same map when the map is written and read again. */
static void check_map(const cJSON *value)
{
    struct kvs kvs;
    struct kvs again;
    struct error error = { ERR_OK, "" };
    kvs_init(&kvs);
    kvs_init(&again);
    if (json_to_kvs(value, &kvs, &error) == ERR_OK) {
        CLEANUP(json_delete) cJSON *object = json_from_kvs(&kvs);
        CLEANUP(free_charp) char *text = json_print(object);
        CLEANUP(json_delete) cJSON *parsed = NULL;
        assert_int_equal(json_parse(text, strlen(text), &parsed, NULL), ERR_OK);
        assert_int_equal(json_to_kvs(parsed, &again, NULL), ERR_OK);
        assert_true(kvs_equal(&kvs, &again));
    } else {
        assert_true(error.text[0] != '\0');
    }
    kvs_fini(&kvs);
    kvs_fini(&again);
}

static void one(const char *bytes, size_t length)
{
    CLEANUP(json_delete) cJSON *value = NULL;
    struct error error = { ERR_OK, "" };
    if (json_parse(bytes, length, &value, &error) != ERR_OK) {
        assert_null(value);
        assert_true(error.text[0] != '\0');
        assert_true(utf8_valid(error.text, strlen(error.text)));
        return;
    }
    CLEANUP(free_charp) char *text = json_print(value);
    CLEANUP(json_delete) cJSON *again = NULL;
    if (json_parse(text, strlen(text), &again, &error) != ERR_OK) {
        fail_msg("%s: %s", text, error.text);
    }
    CLEANUP(free_charp) char *second = json_print(again);
    assert_string_equal(text, second);
    check_map(value);
}

static void test_json_of_any_bytes_is_refused_or_survives(void **state UNUSED)
{
    fuzz_run("json", one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_of_any_bytes_is_refused_or_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
