/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of loggers: levels go to children, names are kept and bounded, changes have a time. */
#include "tests/support/capture.h"
#include "tests/support/unit.h"
#include "worker/base/loggers.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

static int reset(void **state UNUSED)
{
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    return 0;
}

/* Sets a level and returns the changed names, joined by a space. Owned. */
static char *set(const char *name, const char *level, int64_t now_ms)
{
    int threshold = 0;
    struct logger_list changed;
    struct error error = { ERR_OK, "" };
    assert_true(logger_level_parse(level, &threshold));
    if (loggers_set(name, threshold, now_ms, &changed, &error) != ERR_OK) {
        fail_msg("%s", error.text);
    }
    char *text = xstrdup("");
    for (size_t i = 0; i < changed.n_items; i++) {
        char *longer = xasprintf("%s%s%s", text, i > 0 ? " " : "", changed.items[i].name);
        free(text);
        text = longer;
    }
    logger_list_fini(&changed);
    return text;
}

#define assert_changes(name, level, now_ms, expected)                                              \
    do {                                                                                           \
        CLEANUP(free_charp) char *changed_names = set((name), (level), (now_ms));                  \
        assert_string_equal(changed_names, (expected));                                            \
    } while (0)

static struct logger_info find(const char *name)
{
    struct logger_info info;
    assert_true(loggers_find(name, &info));
    return info;
}

static void test_all_loggers_are_listed_by_name_and_unchanged_at_the_start(void **state UNUSED)
{
    struct logger_list list;
    loggers_all(&list);
    assert_int_equal(list.n_items, LOGGER_N);
    for (size_t i = 0; i < list.n_items; i++) {
        assert_int_equal(list.items[i].threshold, LOG_INFO);
        assert_int_equal(list.items[i].modified_ms, 0);
        assert_true(i == 0 || strcmp(list.items[i - 1].name, list.items[i].name) < 0);
    }
    logger_list_fini(&list);
}

static void test_a_level_holds_for_the_children_only(void **state UNUSED)
{
    assert_changes("sluice.rest", "debug", 7, "sluice.rest sluice.rest.access");
    assert_true(log_passes(LOGGER_rest, LOG_DEBUG));
    assert_true(log_passes(LOGGER_rest_access, LOG_DEBUG));
    assert_false(log_passes(LOGGER_rest_access, LOG_TRACE));
    assert_false(log_passes(LOGGER_coordinator, LOG_DEBUG));
    assert_int_equal(find("sluice.rest").modified_ms, 7);
    assert_int_equal(find("sluice").modified_ms, 0);
}

static void test_a_name_is_no_parent_of_a_longer_word(void **state UNUSED)
{
    assert_changes("sluice.re", "DEBUG", 1, "sluice.re");
    assert_false(log_passes(LOGGER_rest, LOG_DEBUG));
}

static void test_the_same_level_again_changes_nothing(void **state UNUSED)
{
    assert_changes("librdkafka", "ERROR", 5, "librdkafka");
    assert_changes("librdkafka", "error", 9, "");
    assert_int_equal(find("librdkafka").modified_ms, 5);
}

static void test_root_is_everything_and_skips_what_has_the_level(void **state UNUSED)
{
    assert_changes("sluice.worker", "WARN", 1,
                   "sluice.worker sluice.worker.connectors sluice.worker.connectors.mqtt_sink "
                   "sluice.worker.connectors.mqtt_source sluice.worker.convert sluice.worker.kafka "
                   "sluice.worker.mqtt sluice.worker.providers sluice.worker.transform");
    assert_changes("ROOT", "WARN", 2,
                   "libmicrohttpd libmosquitto librdkafka root sluice sluice.coordinator "
                   "sluice.rest sluice.rest.access");
    assert_int_equal(find("root").threshold, LOG_WARN);
    assert_int_equal(find("sluice.worker").modified_ms, 1);
}

static void test_off_silences_and_all_lets_everything_through(void **state UNUSED)
{
    free(set("root", "OFF", 1));
    for (int i = 0; i < LOGGER_N; i++) {
        assert_false(log_passes((enum logger)i, LOG_ERROR));
    }
    free(set("root", "FATAL", 1));
    assert_false(log_passes(LOGGER_rest, LOG_ERROR));
    free(set("root", "ALL", 1));
    assert_true(log_passes(LOGGER_rest, LOG_TRACE));
    assert_string_equal(logger_level_name(find("sluice").threshold), "ALL");
}

static void test_a_foreign_name_is_kept_and_inherits_until_it_is_set(void **state UNUSED)
{
    struct logger_info info;
    assert_false(loggers_find("org.apache.kafka", &info));
    assert_changes("org.apache.kafka", "INFO", 3, "org.apache.kafka");
    assert_changes("org.apache.kafka.clients", "TRACE", 4, "org.apache.kafka.clients");
    assert_changes("org.apache", "DEBUG", 5,
                   "org.apache org.apache.kafka org.apache.kafka.clients");
    assert_int_equal(find("org.apache.kafka.clients").threshold, LOG_DEBUG);
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    assert_false(loggers_find("org.apache", &info));
}

static void test_names_are_checked_and_bounded(void **state UNUSED)
{
    struct logger_list changed;
    struct error error = { ERR_OK, "" };
    char longest[LOGGER_MAX_NAME + 2];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    static const char *const bad[] = { "", "a\nb", "\xff" };
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        assert_int_equal(loggers_set(bad[i], LOG_INFO, 1, &changed, &error), ERR_INVALID);
    }
    assert_int_equal(loggers_set(longest, LOG_INFO, 1, &changed, &error), ERR_INVALID);
    assert_changes(longest + 1, "INFO", 1, longest + 1);
    for (int i = 1; i < LOGGERS_MAX_MORE; i++) {
        CLEANUP(free_charp) char *name = xasprintf("n%d", i);
        free(set(name, "INFO", 1));
    }
    assert_int_equal(loggers_set("one.more", LOG_INFO, 1, &changed, &error), ERR_TOO_LARGE);
    assert_changes("n1", "WARN", 1, "n1");
}

static void test_levels_have_connects_names(void **state UNUSED)
{
    int threshold = 0;
    for (int i = LOGGER_OFF; i <= LOGGER_ALL; i++) {
        assert_true(logger_level_parse(logger_level_name(i), &threshold));
        assert_int_equal(threshold, i);
    }
    assert_string_equal(logger_level_name(LOG_INFO), "INFO");
    assert_false(logger_level_parse("LOUD", &threshold));
    assert_false(logger_level_parse("", &threshold));
}

static void test_a_file_of_the_program_logs_by_its_own_logger(void **state UNUSED)
{
    struct capture capture;
    free(set("sluice", "WARN", 1));
    capture_start(&capture);
    log_info(NULL, "TEST-EVENT", "a=%d", 1);
    log_warn(NULL, "TEST-EVENT", "a=%d", 2);
    CLEANUP(free_charp) char *lines = capture_stop(&capture);
    assert_null(strstr(lines, "a=1"));
    assert_non_null(strstr(lines, "a=2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_loggers_are_listed_by_name_and_unchanged_at_the_start,
                               reset),
        cmocka_unit_test_setup(test_a_level_holds_for_the_children_only, reset),
        cmocka_unit_test_setup(test_a_name_is_no_parent_of_a_longer_word, reset),
        cmocka_unit_test_setup(test_the_same_level_again_changes_nothing, reset),
        cmocka_unit_test_setup(test_root_is_everything_and_skips_what_has_the_level, reset),
        cmocka_unit_test_setup(test_off_silences_and_all_lets_everything_through, reset),
        cmocka_unit_test_setup(test_a_foreign_name_is_kept_and_inherits_until_it_is_set, reset),
        cmocka_unit_test_setup(test_names_are_checked_and_bounded, reset),
        cmocka_unit_test_setup(test_levels_have_connects_names, reset),
        cmocka_unit_test_setup(test_a_file_of_the_program_logs_by_its_own_logger, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
