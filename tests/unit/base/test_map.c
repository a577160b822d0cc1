/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the hash map. Its seed differs in each process, so every run probes other places. */
#include "tests/support/random.h"
#include "tests/support/unit.h"
#include "worker/base/map.h"
#include "worker/base/mem.h"

static int marks[4096];

static void test_map_empty_has_nothing(void **state UNUSED)
{
    struct map map;
    map_init(&map);
    assert_null(map_get(&map, "a"));
    assert_null(map_remove(&map, "a"));
    MAP_FOREACH(&map, entry) {
        fail_msg("entry %s in an empty map", entry->key);
    }
    map_fini(&map);
    map_fini(&map);
}

static void test_map_set_returns_what_it_replaces(void **state UNUSED)
{
    struct map map;
    map_init(&map);
    char key[] = "key";
    assert_null(map_set(&map, key, &marks[0]));
    key[0] = 'x';
    assert_ptr_equal(map_set(&map, "key", &marks[1]), &marks[0]);
    assert_ptr_equal(map_get(&map, "key"), &marks[1]);
    assert_int_equal(map.n_entries, 1);
    assert_ptr_equal(map_remove(&map, "key"), &marks[1]);
    assert_null(map_get(&map, "key"));
    assert_int_equal(map.n_entries, 0);
    map_fini(&map);
}

/* A map of 16 places with 7 keys: over 200 sets of keys some always share a place. */
static void test_map_remove_keeps_the_keys_that_probed_past_it(void **state UNUSED)
{
    size_t n_shifted = 0;
    struct random random;
    random_init(&random);
    for (int round = 0; round < 200; round++) {
        struct map map;
        map_init(&map);
        char keys[7][24];
        for (int i = 0; i < 7; i++) {
            (void)snprintf(keys[i], sizeof(keys[i]), "%d%lx", i, (long)(random_next(&random) >> 8));
            (void)map_set(&map, keys[i], &marks[i]);
        }
        struct map_entry before[16];
        assert_int_equal(map.size, 16);
        memcpy(before, map.entries, sizeof(before));
        for (int gone = 0; gone < 7; gone++) {
            assert_ptr_equal(map_remove(&map, keys[gone]), &marks[gone]);
            for (int i = 0; i < 7; i++) {
                assert_ptr_equal(map_get(&map, keys[i]), i <= gone ? NULL : &marks[i]);
            }
            for (int i = 0; i < 16; i++) {
                n_shifted += map.entries[i].key && map.entries[i].key != before[i].key;
            }
        }
        map_fini(&map);
    }
    assert_true(n_shifted > 0);
}

static void check_against_model(const struct map *map, void *const *model, size_t n)
{
    size_t n_present = 0;
    char key[32];
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(key, sizeof(key), "topic/%zu", i);
        assert_ptr_equal(map_get(map, key), model[i]);
        n_present += model[i] != NULL;
    }
    assert_int_equal(map->n_entries, n_present);
    size_t n_walked = 0;
    MAP_FOREACH(map, entry) {
        size_t i = strtoul(entry->key + strlen("topic/"), NULL, 10);
        assert_ptr_equal(entry->value, model[i]);
        n_walked++;
    }
    assert_int_equal(n_walked, n_present);
}

static void test_map_random_operations_match_a_model(void **state UNUSED)
{
    enum {
        N_KEYS = 300
    };
    void *model[N_KEYS] = { NULL };
    struct random random;
    random_init(&random);
    struct map map;
    map_init(&map);
    for (int op = 0; op < 60000; op++) {
        size_t i = random_below(&random, N_KEYS);
        char key[32];
        (void)snprintf(key, sizeof(key), "topic/%zu", i);
        /* Phases of growth and of decay. */
        bool set = random_below(&random, 10) < ((op / 6000) % 2 == 0 ? 7U : 2U);
        void *value = set ? &marks[random_below(&random, N_ELEMENTS(marks))] : NULL;
        void *old = set ? map_set(&map, key, value) : map_remove(&map, key);
        assert_ptr_equal(old, model[i]);
        model[i] = value;
        if (op % 500 == 0) {
            check_against_model(&map, model, N_KEYS);
        }
    }
    check_against_model(&map, model, N_KEYS);
    map_fini(&map);
}

static void test_map_grows_with_at_most_half_its_places_taken(void **state UNUSED)
{
    struct map map;
    map_init(&map);
    char key[32];
    for (size_t i = 0; i < N_ELEMENTS(marks); i++) {
        (void)snprintf(key, sizeof(key), "%zu", i);
        assert_null(map_set(&map, key, &marks[i]));
        assert_true(map.n_entries * 2 <= map.size);
    }
    map_fini(&map);
}

static void test_map_takes_empty_long_and_binary_keys(void **state UNUSED)
{
    struct map map;
    map_init(&map);
    CLEANUP(free_charp) char *longest = xmalloc(10241);
    memset(longest, 'a', 10240);
    longest[10240] = '\0';
    (void)map_set(&map, "", &marks[1]);
    (void)map_set(&map, longest, &marks[2]);
    (void)map_set(&map, "\xFF\x01", &marks[3]);
    assert_ptr_equal(map_get(&map, ""), &marks[1]);
    assert_ptr_equal(map_get(&map, longest), &marks[2]);
    assert_ptr_equal(map_get(&map, "\xFF\x01"), &marks[3]);
    longest[10239] = 'b';
    assert_null(map_get(&map, longest));
    map_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_empty_has_nothing),
        cmocka_unit_test(test_map_set_returns_what_it_replaces),
        cmocka_unit_test(test_map_remove_keeps_the_keys_that_probed_past_it),
        cmocka_unit_test(test_map_random_operations_match_a_model),
        cmocka_unit_test(test_map_grows_with_at_most_half_its_places_taken),
        cmocka_unit_test(test_map_takes_empty_long_and_binary_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
