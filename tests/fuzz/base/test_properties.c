/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever bytes come: properties are refused with a line number, or are pairs that can be written
 * and read again. */
#include "tests/support/fuzz.h"
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/properties.h"
#include "worker/base/utf8.h"

/* Writes text as a properties file would hold it: every byte that means something is escaped. */
static void add_escaped(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        const char *named = *p == '\n'   ? "\\n"
                            : *p == '\r' ? "\\r"
                            : *p == '\t' ? "\\t"
                            : *p == '\f' ? "\\f"
                                         : NULL;
        if (named) {
            buf_add_text(out, named);
            continue;
        }
        if (strchr(" =:#!\\", *p)) {
            buf_add_char(out, '\\');
        }
        buf_add_char(out, *p);
    }
}

static void check_round_trip(const struct kvs *kvs)
{
    struct buf text;
    struct kvs again;
    buf_init(&text);
    kvs_init(&again);
    buf_add_char(&text, '\n'); /* a first key may start with the byte order mark's character */
    for (size_t i = 0; i < kvs->n_items; i++) {
        add_escaped(&text, kvs->items[i].key);
        buf_add_char(&text, '=');
        add_escaped(&text, kvs->items[i].value);
        buf_add_char(&text, '\n');
    }
    assert_int_equal(properties_parse(buf_text(&text), text.length, &again, NULL), ERR_OK);
    assert_true(kvs_equal(kvs, &again));
    kvs_fini(&again);
    buf_fini(&text);
}

static void one(const char *bytes, size_t length)
{
    struct kvs kvs;
    struct error error = { ERR_OK, "" };
    kvs_init(&kvs);
    enum err err = properties_parse(bytes, length, &kvs, &error);
    for (size_t i = 0; i < kvs.n_items; i++) {
        assert_true(utf8_valid(kvs.items[i].key, strlen(kvs.items[i].key)));
        assert_true(utf8_valid(kvs.items[i].value, strlen(kvs.items[i].value)));
    }
    if (err == ERR_OK) {
        check_round_trip(&kvs);
    } else {
        assert_memory_equal(error.text, "line ", 5);
    }
    kvs_fini(&kvs);
}

static void test_properties_of_any_bytes_are_refused_or_survive(void **state UNUSED)
{
    fuzz_run("properties", one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties_of_any_bytes_are_refused_or_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
