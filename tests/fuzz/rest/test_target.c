/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the request line names: it is refused with a text, or its parts survive being written
 * and read again. */
#include "rest/target.h"
#include "tests/support/fuzz.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"

static void write_target(const struct target *target, struct buf *text)
{
    for (size_t i = 0; i < target->n_segments; i++) {
        buf_add_char(text, '/');
        percent_encode(text, target->segments[i]);
    }
    if (target->n_segments == 0) {
        buf_add_char(text, '/');
    }
    for (size_t i = 0; i < target->n_query; i++) {
        buf_add_char(text, i == 0 ? '?' : '&');
        percent_encode(text, target->query[i].name);
        buf_add_char(text, '=');
        percent_encode(text, target->query[i].value);
    }
}

static void assert_part(const char *part, bool may_have_control)
{
    assert_true(utf8_valid(part, strlen(part)));
    assert_true(may_have_control || !text_has_control(part, strlen(part)));
}

static void check_again(const struct target *target)
{
    struct target again;
    struct buf text;
    buf_init(&text);
    write_target(target, &text);
    if (target_parse(buf_text(&text), &again, NULL) != ERR_OK) {
        fail_msg("written as %s it is refused", buf_text(&text));
    }
    assert_int_equal(again.n_segments, target->n_segments);
    assert_int_equal(again.n_query, target->n_query);
    for (size_t i = 0; i < target->n_segments; i++) {
        assert_part(target->segments[i], target->has_control);
        assert_string_equal(again.segments[i], target->segments[i]);
    }
    for (size_t i = 0; i < target->n_query; i++) {
        assert_part(target->query[i].name, false);
        assert_part(target->query[i].value, false);
        assert_string_equal(again.query[i].name, target->query[i].name);
        assert_string_equal(again.query[i].value, target->query[i].value);
    }
    target_fini(&again);
    buf_fini(&text);
}

static void one(const char *bytes, size_t length)
{
    CLEANUP(free_charp) char *text = xstrndup(bytes, length);
    struct target target;
    struct error error = { ERR_OK, "" };
    if (target_parse(text, &target, &error) != ERR_OK) {
        assert_true(error.text[0] != '\0');
        assert_true(utf8_valid(error.text, strlen(error.text)));
        return;
    }
    check_again(&target);
    target_fini(&target);
}

static void test_targets_of_any_bytes_are_refused_or_survive(void **state UNUSED)
{
    fuzz_run("target", one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets_of_any_bytes_are_refused_or_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
