/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a folder say, and what is wrong with them. */
#include "coordinator/file_set.h"
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/json.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

static const struct file_check no_check = { NULL, NULL };

static void add(struct file_set *set, const char *file, const char *text)
{
    file_set_add(set, file, text, text ? strlen(text) : 0, "Permission denied");
}

/* A set of one file. */
static struct file_set *set_of(const char *file, const char *text)
{
    struct file_set *set = file_set_new();
    add(set, file, text);
    file_set_finish(set, &no_check);
    return set;
}

static void test_both_forms_are_read(void **state UNUSED)
{
    static const struct {
        const char *text;
        const char *connector;
    } cases[] = {
        { "{\"connector.class\":\"S\",\"tasks.max\":3}", "a" },
        { "{\"connector.class\":\"S\",\"tasks.max\":\"3\",\"name\":\"b\"}", "b" },
        { "{\"config\":{\"connector.class\":\"S\",\"tasks.max\":\"3\"}}", "a" },
        { "{\"name\":\"b\",\"config\":{\"connector.class\":\"S\",\"tasks.max\":\"3\"}}", "b" },
        { "{\"config\":{\"name\":\"b\",\"connector.class\":\"S\",\"tasks.max\":\"3\"}}", "b" },
        { "{\"name\":\"b\",\"config\":{\"name\":\"b\",\"connector.class\":\"S\",\"tasks.max\":3}}",
          "b" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct file_set *set = set_of("a.json", cases[i].text);
        const struct connector_file *file = file_set_find(set, cases[i].connector);
        assert_non_null(file);
        assert_null(file->error);
        assert_string_equal(kvs_get(&file->config, "name"), cases[i].connector);
        assert_string_equal(kvs_get(&file->config, "tasks.max"), "3");
        assert_int_equal(file->config.n_items, 3);
        assert_false(file->has_state || file->has_initial || file->adopt);
        file_set_unref(set);
    }
}

static void test_states_and_adoption_are_read(void **state UNUSED)
{
    struct file_set *set = set_of("a.json", "{\"config\":{},\"state\":\"paused\",\"adopt\":true,"
                                            "\"initial_state\":\"STOPPED\"}");
    const struct connector_file *file = file_set_find(set, "a");
    assert_null(file->error);
    assert_true(file->has_state && file->has_initial && file->adopt);
    assert_int_equal(file->state, TARGET_PAUSED);
    assert_int_equal(file->initial, TARGET_STOPPED);
    file_set_unref(set);
}

static void test_what_is_wrong_is_told_at_the_files_name(void **state UNUSED)
{
    static const struct {
        const char *text; /* NULL: unreadable */
        const char *told;
    } cases[] = {
        { NULL, "Permission denied" },
        { "", "JSON" },
        { "{\"a\":", "byte" },
        { "[]", "JSON object" },
        { "{\"a\":{\"b\":1}}", "a" },
        { "{\"config\":{},\"nmae\":\"b\"}", "'nmae' is not known" },
        { "{\"config\":{},\"name\":7}", "'name' must be a string" },
        { "{\"config\":{},\"state\":\"ON\"}", "RUNNING, PAUSED, STOPPED" },
        { "{\"config\":{},\"adopt\":\"yes\"}", "'adopt'" },
        { "{\"config\":{\"name\":\"b\"},\"name\":\"c\"}", "two different names" },
        { "{\"name\":\"b\\nc\"}", "control" },
        { "{\"name\":\"\"}", "empty" },
        { "{\"mqtt.password\":\"[hidden]\"}", "mqtt.password" },
        { "{\"uri\":\"tcp://u:[hidden]@h\"}", "mask" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct file_set *set = set_of("a.json", cases[i].text);
        const struct connector_file *file = file_set_find(set, "a");
        assert_non_null(file);
        assert_non_null(file->error);
        if (!strstr(file->error, cases[i].told)) {
            fail_msg("case %zu: \"%s\" not in \"%s\"", i, cases[i].told, file->error);
        }
        file_set_unref(set);
    }
}

/* The name is a key too. */
static void test_more_keys_than_workers_read_are_wrong(void **state UNUSED)
{
    for (int n = JSON_MAX_MEMBERS - 1; n <= JSON_MAX_MEMBERS; n++) {
        struct buf text;
        buf_init(&text);
        for (int i = 0; i < n; i++) {
            buf_printf(&text, "%s\"k%d\":\"v\"", i == 0 ? "{" : ",", i);
        }
        buf_add_char(&text, '}');
        struct file_set *set = set_of("a.json", buf_text(&text));
        const char *error = file_set_find(set, "a")->error;
        if (n < JSON_MAX_MEMBERS) {
            assert_null(error);
        } else {
            assert_non_null(error);
            assert_non_null(strstr(error, "4097 keys"));
        }
        file_set_unref(set);
        buf_fini(&text);
    }
}

static void test_a_name_in_two_files_is_wrong_in_both(void **state UNUSED)
{
    struct file_set *set = file_set_new();
    add(set, "a.json", "{\"x\":\"1\"}");
    add(set, "b.json", "{\"name\":\"a\",\"x\":\"2\"}");
    add(set, "c.json", "{\"x\":\"3\"}");
    file_set_finish(set, &no_check);
    assert_non_null(set->items[0].error);
    assert_non_null(set->items[1].error);
    assert_non_null(strstr(set->items[1].error, "a.json and b.json"));
    assert_null(set->items[2].error);
    file_set_unref(set);
}

static void test_the_digest_tells_names_bytes_and_marker_apart(void **state UNUSED)
{
    char digests[6][FILE_SET_DIGEST];
    for (int i = 0; i < 6; i++) {
        struct file_set *set = file_set_new();
        if (i == 5) {
            file_set_mark(set);
        }
        add(set, i == 1 ? "b.json" : "a.json", i == 2 ? "{ }" : i == 3 ? NULL : "{}");
        if (i == 4) {
            add(set, "c.json", "{}");
        }
        file_set_finish(set, &no_check);
        memcpy(digests[i], set->digest, sizeof(digests[i]));
        file_set_unref(set);
    }
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(digests[i], digests[j]);
        }
    }
    struct file_set *again = set_of("a.json", "{}");
    assert_string_equal(again->digest, digests[0]);
    file_set_unref(again);
}

static void test_a_folder_that_cannot_be_read_says_nothing(void **state UNUSED)
{
    struct file_set *set = file_set_new();
    add(set, "a.json", "{}");
    file_set_mark(set);
    file_set_fail(set, "Permission denied");
    file_set_finish(set, &no_check);
    assert_int_equal(set->n_items, 0);
    assert_false(set->complete);
    assert_string_equal(set->digest, "unreadable");
    file_set_unref(set);
}

static enum err check(void *arg, const struct kvs *config, struct error *reterr)
{
    ++*(int *)arg;
    const char *x = kvs_get(config, "x");
    return strcmp(x, "good") == 0
               ? ERR_OK
               : error_set(reterr, strcmp(x, "bad") == 0 ? ERR_INVALID : ERR_IO, "x is %s", x);
}

static void test_configs_are_checked_once_each_if_they_can_be_read(void **state UNUSED)
{
    int n = 0;
    const struct file_check checks = { check, &n };
    struct file_set *set = file_set_new();
    add(set, "a.json", "{\"x\":\"good\"}");
    add(set, "b.json", "{\"x\":\"bad\"}");
    add(set, "c.json", "{\"x\":\"away\"}");
    add(set, "d.json", "{");
    file_set_finish(set, &checks);
    assert_int_equal(n, 3);
    assert_null(set->items[0].error);
    assert_string_equal(set->items[1].error, "x is bad");
    assert_false(set->items[1].unreachable);
    assert_true(set->items[2].unreachable);
    struct file_set *other = file_set_new();
    add(other, "a.json", "{\"x\":\"good\"}");
    add(other, "b.json", "{\"x\":\"bad\"}");
    add(other, "c.json", "{\"x\":\"away\"}");
    add(other, "d.json", "{");
    file_set_finish(other, &no_check);
    assert_string_equal(set->digest, other->digest);
    assert_false(file_set_equal(set, other)); /* what is wrong is another thing */
    assert_true(file_set_equal(set, set));
    file_set_unref(set);
    file_set_unref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_forms_are_read),
        cmocka_unit_test(test_states_and_adoption_are_read),
        cmocka_unit_test(test_what_is_wrong_is_told_at_the_files_name),
        cmocka_unit_test(test_more_keys_than_workers_read_are_wrong),
        cmocka_unit_test(test_a_name_in_two_files_is_wrong_in_both),
        cmocka_unit_test(test_the_digest_tells_names_bytes_and_marker_apart),
        cmocka_unit_test(test_a_folder_that_cannot_be_read_says_nothing),
        cmocka_unit_test(test_configs_are_checked_once_each_if_they_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
