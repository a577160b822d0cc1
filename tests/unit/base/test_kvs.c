/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the ordered map of strings. */
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/kvs.h"
#include "worker/base/mem.h"

static void add(struct kvs *kvs, const char *const *pairs)
{
    for (; *pairs; pairs += 2) {
        kvs_set(kvs, pairs[0], pairs[1]);
    }
}

static void assert_keys(const struct kvs *kvs, const char *expected)
{
    struct buf keys;
    buf_init(&keys);
    for (size_t i = 0; i < kvs->n_items; i++) {
        buf_printf(&keys, "%s ", kvs->items[i].key);
    }
    assert_string_equal(buf_text(&keys), expected);
    buf_fini(&keys);
}

static void test_kvs_set_keeps_the_order_of_insertion(void **state UNUSED)
{
    struct kvs kvs;
    kvs_init(&kvs);
    add(&kvs, (const char *const[]){ "z", "1", "a", "2", "m", "3", "a", "4", NULL });
    assert_keys(&kvs, "z a m ");
    assert_string_equal(kvs_get(&kvs, "a"), "4");
    kvs_fini(&kvs);
    assert_int_equal(kvs.n_items, 0);
}

static void test_kvs_set_copies_what_it_is_given(void **state UNUSED)
{
    struct kvs kvs;
    kvs_init(&kvs);
    char key[] = "key";
    char value[] = "value";
    kvs_set(&kvs, key, value);
    key[0] = 'x';
    value[0] = 'x';
    assert_string_equal(kvs_get(&kvs, "key"), "value");
    kvs_fini(&kvs);
}

static void test_kvs_set_takes_a_value_of_its_own(void **state UNUSED)
{
    struct kvs kvs;
    kvs_init(&kvs);
    kvs_set(&kvs, "a", "long enough to notice");
    kvs_set(&kvs, "a", kvs_get(&kvs, "a"));
    kvs_set(&kvs, "b", kvs_get(&kvs, "a"));
    assert_string_equal(kvs_get(&kvs, "a"), "long enough to notice");
    assert_string_equal(kvs_get(&kvs, "b"), "long enough to notice");
    kvs_fini(&kvs);
}

static void test_kvs_get_tells_null_from_absent_by_has(void **state UNUSED)
{
    struct kvs kvs;
    kvs_init(&kvs);
    assert_null(kvs_get(&kvs, "a"));
    kvs_set(&kvs, "a", NULL);
    assert_null(kvs_get(&kvs, "a"));
    assert_true(kvs_has(&kvs, "a"));
    assert_false(kvs_has(&kvs, "A"));
    assert_false(kvs_has(&kvs, ""));
    kvs_set(&kvs, "", "empty key");
    assert_string_equal(kvs_get(&kvs, ""), "empty key");
    kvs_fini(&kvs);
}

static void test_kvs_remove_closes_the_gap(void **state UNUSED)
{
    struct kvs kvs;
    kvs_init(&kvs);
    add(&kvs, (const char *const[]){ "a", "1", "b", "2", "c", "3", "d", "4", NULL });
    kvs_remove(&kvs, "a");
    kvs_remove(&kvs, "c");
    kvs_remove(&kvs, "absent");
    assert_keys(&kvs, "b d ");
    kvs_remove(&kvs, "d");
    kvs_remove(&kvs, "b");
    kvs_remove(&kvs, "b");
    assert_int_equal(kvs.n_items, 0);
    kvs_set(&kvs, "e", "5");
    assert_keys(&kvs, "e ");
    kvs_fini(&kvs);
}

static void test_kvs_copy_overrides_and_adds(void **state UNUSED)
{
    struct kvs to;
    struct kvs from;
    kvs_init(&to);
    kvs_init(&from);
    add(&to, (const char *const[]){ "a", "1", "b", "2", NULL });
    add(&from, (const char *const[]){ "c", "30", "b", "20", NULL });
    kvs_copy(&to, &from);
    assert_keys(&to, "a b c ");
    assert_string_equal(kvs_get(&to, "b"), "20");
    kvs_fini(&from);
    assert_string_equal(kvs_get(&to, "c"), "30");
    kvs_fini(&to);
}

static void test_kvs_equal_ignores_order_but_not_nulls(void **state UNUSED)
{
    struct kvs a;
    struct kvs b;
    kvs_init(&a);
    kvs_init(&b);
    assert_true(kvs_equal(&a, &b));
    add(&a, (const char *const[]){ "x", "1", "y", "2", NULL });
    add(&b, (const char *const[]){ "y", "2", "x", "1", NULL });
    assert_true(kvs_equal(&a, &b));
    kvs_set(&b, "x", NULL);
    assert_false(kvs_equal(&a, &b));
    assert_false(kvs_equal(&b, &a));
    kvs_set(&a, "x", NULL);
    assert_true(kvs_equal(&a, &b));
    kvs_remove(&a, "x");
    kvs_set(&a, "z", NULL);
    assert_false(kvs_equal(&a, &b));
    kvs_fini(&a);
    kvs_fini(&b);
}

static void test_kvs_set_of_4096_keys_finds_each(void **state UNUSED)
{
    struct kvs kvs;
    kvs_init(&kvs);
    char key[32];
    for (int i = 0; i < 4096; i++) {
        (void)snprintf(key, sizeof(key), "key.%d", i);
        kvs_set(&kvs, key, key + 4);
    }
    assert_int_equal(kvs.n_items, 4096);
    for (int i = 0; i < 4096; i++) {
        (void)snprintf(key, sizeof(key), "key.%d", i);
        assert_string_equal(kvs_get(&kvs, key), key + 4);
    }
    kvs_fini(&kvs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kvs_set_keeps_the_order_of_insertion),
        cmocka_unit_test(test_kvs_set_copies_what_it_is_given),
        cmocka_unit_test(test_kvs_set_takes_a_value_of_its_own),
        cmocka_unit_test(test_kvs_get_tells_null_from_absent_by_has),
        cmocka_unit_test(test_kvs_remove_closes_the_gap),
        cmocka_unit_test(test_kvs_copy_overrides_and_adds),
        cmocka_unit_test(test_kvs_equal_ignores_order_but_not_nulls),
        cmocka_unit_test(test_kvs_set_of_4096_keys_finds_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
