/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the clocks. */
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/macros.h"

static void assert_iso(int64_t wall_ms, const char *expected)
{
    char text[32];
    clock_format_iso(wall_ms, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void test_clock_format_iso_writes_utc_with_milliseconds(void **state UNUSED)
{
    assert_iso(0, "1970-01-01T00:00:00.000Z");
    assert_iso(1769860800123, "2026-01-31T12:00:00.123Z");
    assert_iso(951782399999, "2000-02-28T23:59:59.999Z");
}

static void test_clock_format_iso_takes_times_before_1970(void **state UNUSED)
{
    assert_iso(-1, "1969-12-31T23:59:59.999Z");
    assert_iso(-1000, "1969-12-31T23:59:59.000Z");
    assert_iso(-1001, "1969-12-31T23:59:58.999Z");
}

static void test_clock_format_iso_stays_in_its_room_for_any_time(void **state UNUSED)
{
    static const int64_t times[] = { INT64_MIN, INT64_MIN + 999, INT64_MAX, 253402300800000 };
    for (size_t i = 0; i < N_ELEMENTS(times); i++) {
        char text[33];
        memset(text, '#', sizeof(text));
        clock_format_iso(times[i], text, 32);
        assert_non_null(memchr(text, '\0', 32));
        assert_int_equal(text[32], '#');
    }
}

static void test_clock_mono_never_goes_back(void **state UNUSED)
{
    uint64_t last = clock_mono_us();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_mono_us();
        assert_true(now >= last);
        last = now;
    }
    uint64_t ms = clock_mono_ms();
    assert_true(ms >= last / 1000);
    assert_true(ms - last / 1000 < 60000);
}

static void test_clock_wall_is_in_milliseconds_since_1970(void **state UNUSED)
{
    int64_t before = (int64_t)time(NULL);
    int64_t wall = clock_wall_ms();
    int64_t after = (int64_t)time(NULL);
    assert_true(wall / 1000 >= before - 1);
    assert_true(wall / 1000 <= after + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_format_iso_writes_utc_with_milliseconds),
        cmocka_unit_test(test_clock_format_iso_takes_times_before_1970),
        cmocka_unit_test(test_clock_format_iso_stays_in_its_room_for_any_time),
        cmocka_unit_test(test_clock_mono_never_goes_back),
        cmocka_unit_test(test_clock_wall_is_in_milliseconds_since_1970),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
