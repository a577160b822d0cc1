/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the sink's topic templates. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/connectors/mqtt_sink/topic.h"

/* The topic of a record; NULL if there is none. The caller frees. */
static char *make(const char *text, const struct connect_record *record, struct error *error)
{
    struct topic_template *template = NULL;
    struct buf out;
    buf_init(&out);
    assert_int_equal(topic_template_new(text, &template, error), ERR_OK);
    enum err err = topic_template_make(template, record, &out, error);
    topic_template_free(template);
    if (err != ERR_OK) {
        assert_int_equal(err, ERR_INVALID);
        buf_fini(&out);
        return NULL;
    }
    return buf_take(&out);
}

static struct connect_record sample(void)
{
    struct connect_record record = { .topic = "t.1", .partition = 3 };
    record.key = value_text("k/1", 3);
    static const char json[] = "{\"a\":{\"b\":7},\"s\":\"x\"}";
    record.value = value_bytes(json, strlen(json));
    record.headers[0] = (struct connect_header){ "h", value_text("first", 5) };
    record.headers[1] = (struct connect_header){ "h", value_text("last", 4) };
    record.n_headers = 2;
    return record;
}

static void test_parts_are_put_in(void **state)
{
    (void)state;
    static const struct {
        const char *template;
        const char *topic;
    } rows[] = {
        { "{topic}", "t.1" },       { "a/b", "a/b" },         { "x/{partition}/y", "x/3/y" },
        { "{key}", "k/1" },         { "{header.h}", "last" }, { "{value.a.b}/{value.s}", "7/x" },
        { "{{{topic}}}", "{t.1}" },
    };
    struct connect_record record = sample();
    struct error error;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        char *topic = make(rows[i].template, &record, &error);
        assert_non_null(topic);
        assert_string_equal(topic, rows[i].topic);
        free(topic);
    }
}

static void test_a_record_that_lacks_a_part_has_no_topic(void **state)
{
    (void)state;
    static const char *const templates[] = { "{header.none}", "{value.none}", "{value.a}" };
    struct connect_record record = sample();
    struct error error;
    for (size_t i = 0; i < N_ELEMENTS(templates); i++) {
        assert_null(make(templates[i], &record, &error));
    }
    record.key = (struct value){ .type = VALUE_NULL };
    assert_null(make("{key}", &record, &error));
    record.value = value_bytes("no json", 7);
    assert_null(make("{value.a}", &record, &error));
}

static void test_what_is_no_topic_name_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        size_t length;
    } keys[] = {
        { "a/+/b", 5 }, { "#", 1 }, { "", 0 }, { "a\0b", 3 }, { "\xff", 1 }, { "a\n", 2 }
    };
    struct connect_record record = sample();
    struct error error;
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        record.key = value_bytes(keys[i].key, keys[i].length);
        assert_null(make("{key}", &record, &error));
    }
    static char longest[65536];
    memset(longest, 'a', sizeof(longest));
    record.key = value_bytes(longest, 65535);
    char *topic = make("{key}", &record, &error);
    assert_non_null(topic);
    free(topic);
    record.key = value_bytes(longest, 65536);
    assert_null(make("{key}", &record, &error));
}

static void test_bad_templates_are_refused(void **state)
{
    (void)state;
    static const char *const templates[] = { "",    "a/#",       "+/a",      "{nothing}", "{topic",
                                             "a}b", "{header.}", "{value.}", "{topics}" };
    for (size_t i = 0; i < N_ELEMENTS(templates); i++) {
        struct topic_template *template = NULL;
        struct error error = { ERR_OK, "" };
        assert_int_equal(topic_template_new(templates[i], &template, &error), ERR_INVALID);
        assert_true(error.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_put_in),
        cmocka_unit_test(test_a_record_that_lacks_a_part_has_no_topic),
        cmocka_unit_test(test_what_is_no_topic_name_is_refused),
        cmocka_unit_test(test_bad_templates_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
