/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever bytes come as a pattern and, behind a bar, as a time: they are refused, or a time is
 * written that reads again. */
#include "tests/support/fuzz.h"
#include "tests/support/unit.h"
#include "worker/base/date_format.h"
#include "worker/base/mem.h"

static void one(const char *bytes, size_t length)
{
    const char *bar = length > 0 ? memchr(bytes, '|', length) : NULL;
    size_t n = bar ? (size_t)(bar - bytes) : length;
    CLEANUP(free_charp) char *pattern = xstrndup(bytes, n);
    struct date_format *format = NULL;
    struct error error = { ERR_OK, "" };
    if (date_format_new(pattern, &format, &error) != ERR_OK) {
        assert_true(error.text[0] != '\0');
        return;
    }
    int64_t ms = 1577836800123;
    if (bar) {
        (void)date_format_parse(format, bar + 1, length - n - 1, &ms);
    }
    struct buf text;
    buf_init(&text);
    date_format_add(format, ms, &text);
    int64_t again = 0;
    (void)date_format_parse(format, buf_text(&text), text.length, &again);
    buf_fini(&text);
    date_format_free(format);
}

static void test_any_pattern_is_refused_or_writes_times(void **state UNUSED)
{
    fuzz_run("date_format", one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_pattern_is_refused_or_writes_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
