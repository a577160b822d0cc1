/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the allocation helpers, of TAKE and of reference counts. */
#include <stdatomic.h>

#include "tests/support/aborts.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"
#include "worker/base/ref.h"
#include "worker/base/thread.h"

static void test_xmemdup_copies_nul_bytes_and_ends_with_one(void **state UNUSED)
{
    CLEANUP(free_charp) char *copy = xmemdup("a\0b", 3);
    assert_memory_equal(copy, "a\0b\0", 4);
    CLEANUP(free_charp) char *nothing = xmemdup(NULL, 0);
    assert_string_equal(nothing, "");
}

static void test_xstrndup_stops_at_the_length_or_the_nul(void **state UNUSED)
{
    CLEANUP(free_charp) char *cut = xstrndup("abcdef", 3);
    assert_string_equal(cut, "abc");
    CLEANUP(free_charp) char *whole = xstrndup("ab", 10);
    assert_string_equal(whole, "ab");
    CLEANUP(free_charp) char *made = xasprintf("%s/%d", "topic", 7);
    assert_string_equal(made, "topic/7");
}

static void test_xcalloc_zeroes_and_takes_sizes_of_zero(void **state UNUSED)
{
    CLEANUP(free_charp) char *zeroes = xcalloc(10, 3);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(zeroes[i], 0);
    }
    CLEANUP(free_charp) char *nothing = xcalloc(0, 0);
    assert_non_null(nothing);
    CLEANUP(free_charp) char *still = xmalloc(0);
    assert_non_null(still);
    still = xrealloc(still, 0);
    assert_non_null(still);
}

static void allocate_beyond_all_memory(void *arg)
{
    size_t size = *(size_t *)arg;
    free(xmalloc(size));
}

static void test_xmalloc_aborts_when_memory_is_out(void **state UNUSED)
{
#ifdef SLUICE_SANITIZED
    skip(); /* the sanitizer stops the process in its own way */
#endif
    size_t size = SIZE_MAX / 4;
    assert_true(aborts(allocate_beyond_all_memory, &size));
    size = 1;
    assert_false(aborts(allocate_beyond_all_memory, &size));
}

static void test_take_leaves_null_behind(void **state UNUSED)
{
    CLEANUP(free_charp) char *from = xstrdup("text");
    char *was = from;
    CLEANUP(free_charp) char *to = TAKE(from);
    assert_null(from);
    assert_ptr_equal(to, was);
    free_charp(&to);
    assert_null(to);
}

static void test_ref_drop_is_true_for_the_last_only(void **state UNUSED)
{
    struct ref ref;
    ref_init(&ref);
    ref_take(&ref);
    assert_false(ref_drop(&ref));
    assert_true(ref_drop(&ref));
}

struct shared {
    struct ref ref;
    atomic_uint n_last;
};

static void *drop_main(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 1000; i++) {
        ref_take(&shared->ref);
        shared->n_last += ref_drop(&shared->ref);
    }
    shared->n_last += ref_drop(&shared->ref);
    return NULL;
}

static void test_ref_drop_of_many_threads_has_one_last(void **state UNUSED)
{
    struct shared shared = { .n_last = 0 };
    struct thread threads[4];
    ref_init(&shared.ref);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        ref_take(&shared.ref);
        thread_start(&threads[i], "drop", drop_main, &shared);
    }
    unsigned n_last = ref_drop(&shared.ref);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        thread_join(&threads[i]);
    }
    assert_int_equal(n_last + shared.n_last, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xmemdup_copies_nul_bytes_and_ends_with_one),
        cmocka_unit_test(test_xstrndup_stops_at_the_length_or_the_nul),
        cmocka_unit_test(test_xcalloc_zeroes_and_takes_sizes_of_zero),
        cmocka_unit_test(test_xmalloc_aborts_when_memory_is_out),
        cmocka_unit_test(test_take_leaves_null_behind),
        cmocka_unit_test(test_ref_drop_is_true_for_the_last_only),
        cmocka_unit_test(test_ref_drop_of_many_threads_has_one_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
