/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that secrets are taken out of texts and of the log. */
#include "tests/support/capture.h"
#include "tests/support/unit.h"
#include "worker/base/log.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/base/redact.h"
#include "worker/base/thread.h"

static void assert_applied(const struct redactions *set, const char *text, const char *expected)
{
    CLEANUP(free_charp) char *out = redactions_apply(set, text);
    assert_string_equal(out, expected);
}

static void test_redactions_apply_replaces_each_secret_by_what_stands_for_it(void **state UNUSED)
{
    struct redactions set;
    redactions_init(&set);
    assert_applied(&set, "nothing", "nothing");
    redactions_add(&set, "opensesame", "${file:/x:pw}");
    redactions_add(&set, "opensesame2", SECRET_MASK);
    redactions_add(&set, " \tpadded\n", SECRET_MASK);
    redactions_add(&set, "", SECRET_MASK);
    redactions_add(&set, "  ", SECRET_MASK);
    redactions_add(&set, "opensesame", "again");
    assert_int_equal(set.n_items, 3);
    assert_applied(&set, "opensesame", "${file:/x:pw}");
    assert_applied(&set, "xopensesame2y opensesameopensesame",
                   "x[hidden]y ${file:/x:pw}${file:/x:pw}");
    assert_applied(&set, "a padded b", "a [hidden] b");
    assert_applied(&set, "opensesam", "opensesam");
    assert_applied(&set, "", "");
    redactions_fini(&set);
}

static void test_redactions_apply_replaces_short_secrets_as_words_only(void **state UNUSED)
{
    struct redactions set;
    redactions_init(&set);
    redactions_add(&set, "pw", SECRET_MASK);
    redactions_add(&set, "0", SECRET_MASK);
    assert_applied(&set, "pw", "[hidden]");
    assert_applied(&set, "value pw, 'pw' 0: pwd 10", "value [hidden], '[hidden]' [hidden]: pwd 10");
    redactions_fini(&set);
}

static void assert_parts(const char *text, const char *secret, const char *expected)
{
    CLEANUP(free_charp) char *out = redact_parts(text, secret);
    assert_string_equal(out, expected);
}

static void test_a_secret_that_was_cut_at_the_end_is_found(void **state UNUSED)
{
    struct redactions set;
    redactions_init(&set);
    redactions_add(&set, "opensesame", SECRET_MASK);
    CLEANUP(free_charp) char *cut = redactions_apply_cut(&set, "pw=opense");
    assert_string_equal(cut, "pw=[hidden]");
    CLEANUP(free_charp) char *least = redactions_apply_cut(&set, "pw=open");
    assert_string_equal(least, "pw=[hidden]");
    CLEANUP(free_charp) char *less = redactions_apply_cut(&set, "pw=ope");
    assert_string_equal(less, "pw=ope");
    CLEANUP(free_charp) char *inside = redactions_apply_cut(&set, "opens a door");
    assert_string_equal(inside, "opens a door");
    CLEANUP(free_charp) char *whole = redactions_apply(&set, "pw=opense");
    assert_string_equal(whole, "pw=opense");
    redact_publish(&set);
    CLEANUP(free_charp) char *line = redact_log("pw=opense");
    assert_string_equal(line, "pw=[hidden]");
    redact_withdraw(&set);
    redactions_fini(&set);
}

static void test_a_set_with_too_many_bytes_masks_whole_texts(void **state UNUSED)
{
    CLEANUP(free_charp) char *longest = xcalloc(1, REDACT_MAX_BYTES + 1);
    memset(longest, 'x', REDACT_MAX_BYTES);
    struct redactions set;
    redactions_init(&set);
    redactions_add(&set, longest, SECRET_MASK);
    assert_int_equal(set.n_items, 0);
    CLEANUP(free_charp) char *text = redactions_apply(&set, "anything");
    assert_string_equal(text, SECRET_MASK);
    redactions_fini(&set);
}

static void test_redact_parts_finds_pieces_of_a_value(void **state UNUSED)
{
    assert_parts("'alpha' is no topic", "alpha, beta", "'[hidden]' is no topic");
    assert_parts("host eta: and beta", "alpha,beta", "host eta: and [hidden]");
    assert_parts("abc is bad", "abc", "[hidden] is bad");
    assert_parts("Not a number of type INT", "x1y2", "Not a number of type INT");
    assert_parts("", "x", "");
    assert_parts("text", "", "text");
}

static char *logged(const char *text)
{
    struct capture capture;
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    capture_start(&capture);
    log_warn(NULL, "TEST", "value=\"%s\"", text);
    return capture_stop(&capture);
}

static bool log_shows(const char *text)
{
    CLEANUP(free_charp) char *line = logged(text);
    return strstr(line, text) != NULL;
}

static void test_published_secrets_stay_out_of_the_log_until_withdrawn(void **state UNUSED)
{
    struct redactions one;
    struct redactions two;
    redactions_init(&one);
    redactions_init(&two);
    redactions_add(&one, "opensesame", SECRET_MASK);
    redactions_add(&one, "abc", SECRET_MASK);
    redactions_add(&two, "opensesame", SECRET_MASK);
    redactions_add(&two, "other\"secret", SECRET_MASK);
    assert_null(redact_log("opensesame"));
    redact_publish(&one);
    redact_publish(&two);
    assert_false(log_shows("opensesame"));
    assert_false(log_shows("other\"secret"));
    assert_true(log_shows("abc"));
    assert_true(log_shows("harmless"));
    redact_withdraw(&one);
    assert_false(log_shows("opensesame"));
    redact_withdraw(&two);
    assert_true(log_shows("opensesame"));
    redactions_fini(&one);
    redactions_fini(&two);
}

static void *publish_often(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        redact_publish(arg);
        CLEANUP(free_charp) char *text = redact_log("x opensesame y");
        if (!text || strcmp(text, "x [hidden] y") != 0) {
            return arg;
        }
        redact_withdraw(arg);
    }
    return NULL;
}

static void *publish_main(void *arg)
{
    struct redactions set;
    redactions_init(&set);
    redactions_add(&set, "opensesame", SECRET_MASK);
    bool *ret_failed = arg;
    *ret_failed = publish_often(&set) != NULL;
    redactions_fini(&set);
    return NULL;
}

static void test_publishing_from_several_threads_keeps_the_count(void **state UNUSED)
{
    struct thread threads[4];
    bool failed[4];
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        thread_start(&threads[i], "publish", publish_main, &failed[i]);
    }
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        thread_join(&threads[i]);
        assert_false(failed[i]);
    }
    assert_null(redact_log("opensesame"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redactions_apply_replaces_each_secret_by_what_stands_for_it),
        cmocka_unit_test(test_redactions_apply_replaces_short_secrets_as_words_only),
        cmocka_unit_test(test_a_secret_that_was_cut_at_the_end_is_found),
        cmocka_unit_test(test_a_set_with_too_many_bytes_masks_whole_texts),
        cmocka_unit_test(test_redact_parts_finds_pieces_of_a_value),
        cmocka_unit_test(test_published_secrets_stay_out_of_the_log_until_withdrawn),
        cmocka_unit_test(test_publishing_from_several_threads_keeps_the_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
