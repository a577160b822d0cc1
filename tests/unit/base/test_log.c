/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of log lines in both formats: nothing from outside leaves its line or its member. */
#include "tests/support/capture.h"
#include "tests/support/random.h"
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/clock.h"
#include "worker/base/json.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"
#include "worker/base/utf8.h"

#define TIME_LENGTH strlen("2026-01-31T12:00:00.123Z")

/* The one line that log_write makes of an event with ctx and the formatted pairs. Owned. */
static char *line_of(enum log_format format, const struct log_ctx *ctx, const char *pairs)
{
    struct capture capture;
    log_setup(LOG_INFO, format);
    capture_start(&capture);
    log_warn(ctx, "TEST-EVENT", "%s", pairs);
    char *line = capture_stop(&capture);
    size_t length = strlen(line);
    assert_true(length > 0 && line[length - 1] == '\n');
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
    assert_true(utf8_valid(line, length));
    return line;
}

static void assert_text(const struct log_ctx *ctx, const char *pairs, const char *expected)
{
    CLEANUP(free_charp) char *line = line_of(LOG_FORMAT_TEXT, ctx, pairs);
    assert_string_equal(line + TIME_LENGTH, expected);
}

/* Parses the line, strictly, and compares the members behind time. */
static void assert_json(const struct log_ctx *ctx, const char *pairs, const char *expected)
{
    CLEANUP(free_charp) char *line = line_of(LOG_FORMAT_JSON, ctx, pairs);
    CLEANUP(json_delete) cJSON *object = NULL;
    struct error error;
    if (json_parse(line, strlen(line), &object, &error) != ERR_OK) {
        fail_msg("%s: %s", line, error.text);
    }
    assert_string_equal(object->child->string, "time");
    assert_int_equal(strlen(object->child->valuestring), TIME_LENGTH);
    cJSON_DeleteItemFromObject(object, "time");
    CLEANUP(free_charp) char *rest = json_print(object);
    assert_string_equal(rest, expected);
}

static void test_log_text_line_has_time_level_event_and_pairs(void **state UNUSED)
{
    struct log_ctx ctx = { "connector=a task=0" };
    CLEANUP(free_charp) char *line = line_of(LOG_FORMAT_TEXT, &ctx, "topic=t err=\"not found\"");
    assert_int_equal(line[4], '-');
    assert_int_equal(line[TIME_LENGTH - 1], 'Z');
    assert_string_equal(line + TIME_LENGTH,
                        " WARN  TEST-EVENT connector=a task=0 topic=t err=\"not found\"\n");
    assert_text(NULL, "", " WARN  TEST-EVENT\n");
    ctx.text[0] = '\0';
    assert_text(&ctx, "a=1", " WARN  TEST-EVENT a=1\n");
}

static void test_log_json_line_has_a_member_for_each_pair(void **state UNUSED)
{
    struct log_ctx ctx = { "connector=a task=0" };
    assert_json(&ctx, "topic=t err=\"not found\" empty=\"\" n=",
                "{\"level\":\"WARN\",\"event\":\"TEST-EVENT\",\"connector\":\"a\",\"task\":\"0\","
                "\"topic\":\"t\",\"err\":\"not found\",\"empty\":\"\",\"n\":\"\"}");
    assert_json(NULL, "", "{\"level\":\"WARN\",\"event\":\"TEST-EVENT\"}");
    assert_json(NULL, "a=1 free words x=2",
                "{\"level\":\"WARN\",\"event\":\"TEST-EVENT\",\"a\":\"1\",\"message\":\"free words "
                "x=2\"}");
}

static void test_log_values_with_line_ends_do_not_forge_a_line(void **state UNUSED)
{
    static const char forged[] = "topic=\"x\n2026-01-01T00:00:00.000Z ERROR FAKE\r\x1b[31m\x7f\"";
    assert_text(NULL, forged,
                " WARN  TEST-EVENT topic=\"x\\n2026-01-01T00:00:00.000Z ERROR "
                "FAKE\\x0d\\x1b[31m\\x7f\"\n");
    assert_json(NULL, forged,
                "{\"level\":\"WARN\",\"event\":\"TEST-EVENT\",\"topic\":\"x\\n2026-01-01T00:00:"
                "00.000Z ERROR FAKE\\r\\u001b[31m\x7f\"}");
}

static void test_log_unicode_line_ends_and_terminal_codes_are_escaped(void **state UNUSED)
{
    assert_text(NULL, "a=\xC2\x85\xC2\x9B\xE2\x80\xA8\xE2\x80\xA9 b=\xC2\xA0\xE2\x80\xAA\xC3\xA9",
                " WARN  TEST-EVENT a=\\xc2\\x85\\xc2\\x9b\\xe2\\x80\\xa8\\xe2\\x80\\xa9 "
                "b=\xC2\xA0\xE2\x80\xAA\xC3\xA9\n");
}

static void test_log_bytes_that_are_no_utf8_are_shown_in_hex(void **state UNUSED)
{
    assert_text(NULL, "a=\xFF\xC3 b=1", " WARN  TEST-EVENT a=\\xff\\xc3 b=1\n");
    assert_json(NULL, "a=\xFF\xC3 b=1",
                "{\"level\":\"WARN\",\"event\":\"TEST-EVENT\",\"a\":\"\\\\xff\\\\xc3\",\"b\":"
                "\"1\"}");
}

static void test_log_json_pairs_from_outside_take_no_true_members_place(void **state UNUSED)
{
    struct log_ctx ctx = { "connector=a" };
    assert_json(&ctx, "topic=\"x\" level=ERROR event=\"FAKE\" connector=b connector=c",
                "{\"level\":\"WARN\",\"event\":\"TEST-EVENT\",\"connector\":\"a\",\"topic\":\"x\","
                "\"level_\":\"ERROR\",\"event_\":\"FAKE\",\"connector_\":\"b\",\"connector__\":"
                "\"c\"}");
    assert_json(NULL, "time=x", "{\"level\":\"WARN\",\"event\":\"TEST-EVENT\",\"time_\":\"x\"}");
}

static void test_log_json_quotes_and_backslashes_are_escaped(void **state UNUSED)
{
    assert_json(NULL, "a=\"x\\\" b=\"y\"z\" c\"=\"",
                "{\"level\":\"WARN\",\"event\":\"TEST-EVENT\",\"a\":\"x\\\\\",\"b\":\"y\\\"z\","
                "\"c\\\"\":\"\\\"\"}");
    assert_json(NULL, "a=\"open",
                "{\"level\":\"WARN\",\"event\":\"TEST-EVENT\",\"a\":\"\\\"open\"}");
}

static void test_log_json_with_many_pairs_is_bounded(void **state UNUSED)
{
    struct buf pairs;
    buf_init(&pairs);
    for (int i = 0; i < 1000; i++) {
        buf_add_text(&pairs, "a=1 ");
    }
    CLEANUP(free_charp) char *line = line_of(LOG_FORMAT_JSON, NULL, buf_text(&pairs));
    CLEANUP(json_delete) cJSON *object = NULL;
    assert_int_equal(json_parse(line, strlen(line), &object, NULL), ERR_OK);
    assert_int_equal(cJSON_GetArraySize(object), 3 + 32 + 1);
    assert_non_null(json_string(object, "message"));
    buf_fini(&pairs);
}

static void test_log_long_messages_are_cut(void **state UNUSED)
{
    struct buf pairs;
    buf_init(&pairs);
    buf_add_text(&pairs, "aaa=");
    for (int i = 0; i < 10000; i++) {
        buf_add_text(&pairs, "\xE2\x82\xAC");
    }
    CLEANUP(free_charp) char *text = line_of(LOG_FORMAT_TEXT, NULL, buf_text(&pairs));
    assert_in_range(strlen(text), 8000, 8400);
    CLEANUP(free_charp) char *line = line_of(LOG_FORMAT_JSON, NULL, buf_text(&pairs));
    CLEANUP(json_delete) cJSON *object = NULL;
    assert_int_equal(json_parse(line, strlen(line), &object, NULL), ERR_OK);
    buf_fini(&pairs);
}

static void test_log_json_lines_of_random_bytes_always_parse(void **state UNUSED)
{
    static const char pieces[] = "\"\"\"\\\\  ==== \n\t\r,:{}[]abclevel\x01\x1F\x7F\xC2\x85\xC3\xA9"
                                 "\xE2\x80\xA8\xFF\xF0\x9F\x98\x80";
    struct random random;
    random_init(&random);
    for (int round = 0; round < 3000; round++) {
        char pairs[120];
        size_t length = random_below(&random, sizeof(pairs));
        for (size_t i = 0; i < length; i++) {
            pairs[i] = random_below(&random, 4) == 0
                           ? (char)(1 + random_below(&random, 255))
                           : pieces[random_below(&random, sizeof(pieces) - 1)];
        }
        pairs[length] = '\0';
        CLEANUP(free_charp) char *text = line_of(LOG_FORMAT_TEXT, NULL, pairs);
        assert_non_null(strstr(text, " WARN  TEST-EVENT"));
        CLEANUP(free_charp) char *line = line_of(LOG_FORMAT_JSON, NULL, pairs);
        CLEANUP(json_delete) cJSON *object = NULL;
        struct error error;
        if (json_parse(line, strlen(line), &object, &error) != ERR_OK) {
            fail_msg("%s: %s", line, error.text);
        }
        assert_string_equal(json_string(object, "level"), "WARN");
        assert_string_equal(json_string(object, "event"), "TEST-EVENT");
    }
}

static void test_log_levels_below_the_set_one_are_not_written(void **state UNUSED)
{
    struct capture capture;
    log_setup(LOG_WARN, LOG_FORMAT_TEXT);
    capture_start(&capture);
    log_error(NULL, "E", "a=%d", 1);
    log_warn(NULL, "W", "a=%d", 2);
    log_info(NULL, "I", "a=%d", 3);
    log_debug(NULL, "D", "a=%d", 4);
    CLEANUP(free_charp) char *text = capture_stop(&capture);
    assert_non_null(strstr(text, " ERROR E a=1\n"));
    assert_non_null(strstr(text, " WARN  W a=2\n"));
    assert_null(strstr(text, " I "));
    assert_null(strstr(text, " D "));
    assert_true(log_enabled(LOG_WARN));
    assert_false(log_enabled(LOG_INFO));
    log_setup(LOG_TRACE, LOG_FORMAT_TEXT);
    assert_true(log_enabled(LOG_TRACE));
}

static int n_evaluated;

static int evaluated(void)
{
    return ++n_evaluated;
}

static void test_log_arguments_of_unwritten_lines_are_not_evaluated(void **state UNUSED)
{
    log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
    log_debug(NULL, "D", "n=%d", evaluated());
    assert_int_equal(n_evaluated, 0);
}

static void test_log_level_parse_takes_any_case(void **state UNUSED)
{
    enum log_level level = LOG_INFO;
    assert_true(log_level_parse("error", &level));
    assert_int_equal(level, LOG_ERROR);
    assert_true(log_level_parse("Trace", &level));
    assert_int_equal(level, LOG_TRACE);
    assert_false(log_level_parse("", &level));
    assert_false(log_level_parse("WARNING", &level));
    assert_int_equal(level, LOG_TRACE);
}

static void test_log_limit_passes_once_per_interval_and_counts_the_rest(void **state UNUSED)
{
    struct log_limit limit = { 0 };
    unsigned n_suppressed = 99;
    assert_true(log_limit_pass(&limit, 3600000, &n_suppressed));
    assert_int_equal(n_suppressed, 0);
    for (int i = 0; i < 5; i++) {
        assert_false(log_limit_pass(&limit, 3600000, &n_suppressed));
    }
    limit.next_ms = clock_mono_ms(); /* the interval is over */
    assert_true(log_limit_pass(&limit, 3600000, &n_suppressed));
    assert_int_equal(n_suppressed, 5);
    assert_false(log_limit_pass(&limit, 3600000, &n_suppressed));
}

static struct log_limit shared_limit;
static atomic_uint n_passed;

static void *limit_main(void *arg UNUSED)
{
    for (int i = 0; i < 10000; i++) {
        unsigned n_suppressed = 0;
        n_passed += log_limit_pass(&shared_limit, 3600000, &n_suppressed);
    }
    return NULL;
}

static void test_log_limit_passes_one_of_many_threads(void **state UNUSED)
{
    struct thread threads[4];
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        thread_start(&threads[i], "limit", limit_main, NULL);
    }
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        thread_join(&threads[i]);
    }
    assert_int_equal(n_passed, 1);
    assert_int_equal(shared_limit.n_suppressed, 39999);
}

static void *write_main(void *arg)
{
    for (int i = 0; i < 500; i++) {
        log_info(arg, "LINE", "i=%d filler=%0200d", i, i);
    }
    return NULL;
}

static void test_log_lines_of_many_threads_stay_whole(void **state UNUSED)
{
    struct thread threads[4];
    struct capture capture;
    log_setup(LOG_INFO, LOG_FORMAT_JSON);
    capture_start(&capture);
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        thread_start(&threads[i], "write", write_main, NULL);
    }
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        thread_join(&threads[i]);
    }
    CLEANUP(free_charp) char *text = capture_stop(&capture);
    unsigned n_lines = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); rest; line = strsep(&rest, "\n")) {
        CLEANUP(json_delete) cJSON *object = NULL;
        assert_int_equal(json_parse(line, strlen(line), &object, NULL), ERR_OK);
        n_lines++;
    }
    assert_int_equal(n_lines, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_text_line_has_time_level_event_and_pairs),
        cmocka_unit_test(test_log_json_line_has_a_member_for_each_pair),
        cmocka_unit_test(test_log_values_with_line_ends_do_not_forge_a_line),
        cmocka_unit_test(test_log_unicode_line_ends_and_terminal_codes_are_escaped),
        cmocka_unit_test(test_log_bytes_that_are_no_utf8_are_shown_in_hex),
        cmocka_unit_test(test_log_json_pairs_from_outside_take_no_true_members_place),
        cmocka_unit_test(test_log_json_quotes_and_backslashes_are_escaped),
        cmocka_unit_test(test_log_json_with_many_pairs_is_bounded),
        cmocka_unit_test(test_log_long_messages_are_cut),
        cmocka_unit_test(test_log_json_lines_of_random_bytes_always_parse),
        cmocka_unit_test(test_log_levels_below_the_set_one_are_not_written),
        cmocka_unit_test(test_log_arguments_of_unwritten_lines_are_not_evaluated),
        cmocka_unit_test(test_log_level_parse_takes_any_case),
        cmocka_unit_test(test_log_limit_passes_once_per_interval_and_counts_the_rest),
        cmocka_unit_test(test_log_limit_passes_one_of_many_threads),
        cmocka_unit_test(test_log_lines_of_many_threads_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
