/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the arena. */
#include <stdint.h>
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/arena.h"

static void test_memory_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    char *one = arena_alloc(&arena, 3);
    char *two = arena_alloc(&arena, 100000);
    char *three = arena_alloc(&arena, 5);
    assert_int_equal((uintptr_t)one % 16, 0);
    assert_int_equal((uintptr_t)two % 16, 0);
    memset(one, 1, 3);
    memset(two, 2, 100000);
    assert_int_equal(three[4], 0);
    assert_int_equal(one[2], 1);
    assert_string_equal(arena_strndup(&arena, "hello", 4), "hell");
    arena_fini(&arena);
}

static void test_reset_hands_the_same_memory_out_again_as_zeros(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    arena_reset(&arena);
    assert_null(arena.blocks);
    char *before = arena_alloc(&arena, 10);
    memset(before, 7, 10);
    (void)arena_alloc(&arena, 1000000);
    arena_reset(&arena);
    char *after = arena_alloc(&arena, 10);
    assert_ptr_equal(before, after);
    assert_int_equal(after[9], 0);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(test_reset_hands_the_same_memory_out_again_as_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
