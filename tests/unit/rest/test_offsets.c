/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offsets of sources through REST: shown, changed when the connector rests, and what is refused.
 * Those of sinks are asked of Kafka: only what is decided before that is tested here.
 *
 * fakes: fake_cluster
 */
#include "plugins.h"
#include "rest/offset_body.h"
#include "served.h"
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/clock.h"
#include "worker/base/macros.h"

#define PATH "/connectors/a/offsets"

static void store(struct served *served, const char *key, const char *value)
{
    struct out_records records;
    out_records_init(&records);
    record_offset_by_key(&records, key, value);
    fake_log_add(served->log, &records);
}

/* A connector "a" that was stopped. */
static void make_stopped(struct served *served)
{
    served_create(served, "a");
    assert_int_equal(served_call(served, "PUT", "/connectors/a/stop", NULL), 204);
}

#define DONE(what)                                                                                 \
    "{\"message\":\"The Connect framework-managed offsets for this connector have been " what      \
    " successfully. However, if this connector manages offsets externally, they will need to be "  \
    "manually " what " in the system that the connector uses.\"}"

static void test_offsets_of_a_source_are_what_the_topic_holds(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    assert_int_equal(served_call(served, "GET", PATH, NULL), 200);
    assert_body(served, "{\"offsets\":[]}");
    store(served, "[\"a\",{\"file\":\"y\"}]", "{\"pos\":12345678901234567890}");
    store(served, "[\"a\",{\"file\":\"x\"}]", "{\"pos\":1}");
    store(served, "[\"b\",{\"file\":\"x\"}]", "{\"pos\":2}");
    assert_int_equal(served_call(served, "GET", PATH, NULL), 200);
    assert_body(served, "{\"offsets\":[{\"partition\":{\"file\":\"x\"},\"offset\":{\"pos\":1}},"
                        "{\"partition\":{\"file\":\"y\"},\"offset\":{\"pos\":"
                        "12345678901234567890}}]}");
    assert_int_equal(served_call(served, "GET", "/connectors/nix/offsets", NULL), 404);
    assert_error(served, 404, "Connector nix not found");
}

static void test_patch_changes_what_it_names_and_delete_all(void **state)
{
    struct served *served = *state;
    make_stopped(served);
    store(served, "[\"a\", {\"z\":1,\"b\":2}]", "{\"pos\":1}");
    store(served, "[\"a\",{\"p\":2}]", "{\"pos\":2}");
    assert_int_equal(served_call(served, "PATCH", PATH,
                                 "{\"offsets\":[{\"partition\":{\"b\":2,\"z\":1},\"offset\":null},"
                                 "{\"partition\":{\"p\":3},\"offset\":{\"pos\":3}}]}"),
                     200);
    assert_body(served, DONE("altered"));
    assert_int_equal(served_call(served, "GET", PATH, NULL), 200);
    assert_body(served, "{\"offsets\":[{\"partition\":{\"p\":2},\"offset\":{\"pos\":2}},"
                        "{\"partition\":{\"p\":3},\"offset\":{\"pos\":3}}]}");
    assert_int_equal(served_call(served, "DELETE", PATH, NULL), 200);
    assert_body(served, DONE("reset"));
    assert_int_equal(served_call(served, "GET", PATH, NULL), 200);
    assert_body(served, "{\"offsets\":[]}");
    assert_int_equal(served_call(served, "DELETE", PATH, NULL), 200);
}

static void test_of_two_entries_for_a_partition_the_last_counts(void **state)
{
    struct served *served = *state;
    make_stopped(served);
    assert_int_equal(
        served_call(served, "PATCH", PATH,
                    "{\"offsets\":[{\"partition\":{\"a\":1,\"b\":2},\"offset\":{\"o\":1}},"
                    "{\"partition\":{\"b\":2,\"a\":1},\"offset\":{\"o\":2.50}}]}"),
        200);
    assert_int_equal(served_call(served, "GET", PATH, NULL), 200);
    assert_body(served,
                "{\"offsets\":[{\"partition\":{\"a\":1,\"b\":2},\"offset\":{\"o\":2.50}}]}");
}

/* A body of the largest size costs no more than reading it. */
static void test_many_entries_are_quick_and_too_many_refused(void **state)
{
    struct served *served = *state;
    struct buf body;
    make_stopped(served);
    buf_init(&body);
    buf_add_text(&body, "{\"offsets\":[");
    for (int i = 0; i < OFFSET_BODY_MAX; i++) {
        buf_printf(&body, "%s{\"partition\":{\"p\":%d},\"offset\":{\"o\":1}}", i ? "," : "", i);
    }
    size_t length = body.length;
    buf_add_text(&body, "]}");
    uint64_t start_ms = clock_mono_ms();
    assert_int_equal(served_call(served, "PATCH", PATH, buf_text(&body)), 200);
    assert_int_equal(served_call(served, "DELETE", PATH, NULL), 200);
    assert_true(clock_mono_ms() - start_ms < 5000);
    body.length = length;
    buf_add_text(&body, ",{\"partition\":{\"p\":-1}}]}");
    assert_int_equal(served_call(served, "PATCH", PATH, buf_text(&body)), 400);
    assert_error(served, 400, "'offsets' has 4097 entries: send at most 4096 at once");
    buf_fini(&body);
}

static void test_a_connector_that_is_not_stopped_keeps_its_offsets(void **state)
{
    struct served *served = *state;
    static const char text[] =
        "Connectors must be in the STOPPED state before their offsets can be modified. This can be "
        "done for the specified connector by issuing a 'PUT' request to the '/connectors/a/stop' "
        "endpoint";
    static const char edit[] = "{\"offsets\":[{\"partition\":{\"p\":1},\"offset\":null}]}";
    served_create(served, "a");
    assert_int_equal(served_call(served, "PATCH", PATH, edit), 400);
    assert_error(served, 400, text);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/pause", NULL), 202);
    assert_int_equal(served_call(served, "DELETE", PATH, NULL), 400);
    assert_error(served, 400, text);
    assert_int_equal(served_call(served, "PATCH", "/connectors/b/offsets", edit), 404);
    assert_error(served, 404, "Connector b not found");
    assert_int_equal(served_call(served, "DELETE", "/connectors/b/offsets", NULL), 404);
}

static void test_tasks_that_do_not_end_are_named(void **state)
{
    struct served *served = *state;
    make_stopped(served);
    served_status(served, "a", 0, STATE_RUNNING, NULL);
    assert_int_equal(served_call(served, "DELETE", PATH, NULL), 500);
    assert_non_null(strstr(served->response.body,
                           "Failed to reset consumer group offsets for connector a either because "
                           "its tasks haven't stopped completely yet or the connector was resumed "
                           "before the request to reset its offsets could be successfully"));
    served_status(served, "a", 0, STATE_UNASSIGNED, NULL);
    assert_int_equal(served_call(served, "DELETE", PATH, NULL), 200);
}

static void test_a_start_between_look_and_write_is_noticed(void **state)
{
    struct served *served = *state;
    make_stopped(served);
    store(served, "[\"a\",{\"p\":2}]", "{\"pos\":2}");
    fake_cluster_fail(served->cluster, ERR_CONFLICT, 3);
    assert_int_equal(served_call(served, "DELETE", PATH, NULL), 200);
}

static void test_wrong_bodies_are_refused_in_connects_words(void **state)
{
    struct served *served = *state;
    static const char needed[] =
        "Partitions / offsets need to be provided for an alter offsets request";
    static const struct {
        const char *body;
        const char *text;
    } cases[] = {
        { "[]", "Cannot deserialize value" },
        { "{}", needed },
        { "{\"offsets\":null}", needed },
        { "{\"offsets\":[]}", needed },
        { "{\"key\":[]}", "Unrecognized field" },
        { "{\"offsets\":{}}", "Cannot deserialize value" },
        { "{\"offsets\":[123]}", "Cannot construct instance" },
        { "{\"offsets\":[{\"key\":\"val\"}]}", "Unrecognized field" },
        { "{\"offsets\":[{\"partition\":[]}]}", "Cannot deserialize value" },
        { "{\"offsets\":[{\"partition\":{\"p\":1},\"offset\":3}]}", "Cannot construct instance" },
        { "{\"offsets\":[{}]}", "cannot be null or missing" },
        { "{\"offsets\":[{\"partition\":{\"p\":{}}}]}", "only contain primitive types" },
        { "{\"offsets\":[{\"partition\":{\"p\":1},\"offset\":{\"o\":[1]}}]}",
          "field o contains Array" },
    };
    make_stopped(served);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        assert_int_equal(served_call(served, "PATCH", PATH, cases[i].body), 400);
        if (!strstr(served->response.body, cases[i].text)) {
            fail_msg("%s: %s", cases[i].body, served->response.body);
        }
    }
    assert_int_equal(served_call(served, "PATCH", PATH, NULL), 400);
}

/* A sink of a class that is not here is one by its topics. */
static void test_edits_of_a_sink_are_read_as_connect_reads_them(void **state)
{
    struct served *served = *state;
    static const struct {
        const char *entry;
        const char *text;
    } cases[] = {
        { "{}", "The partition for a sink connector offset cannot be null or missing" },
        { "{\"partition\":{\"kafka_topic\":\"t\"}}",
          "The partition for a sink connector offset must contain the keys 'kafka_topic' and "
          "'kafka_partition'" },
        { "{\"partition\":{\"kafka_topic\":null,\"kafka_partition\":1}}",
          "Kafka topic names must be valid strings and may not be null" },
        { "{\"partition\":{\"kafka_topic\":\"a b\",\"kafka_partition\":1}}",
          "Kafka topic names must be valid strings and may not be null" },
        { "{\"partition\":{\"kafka_topic\":\"t\",\"kafka_partition\":null}}",
          "Kafka partitions must be valid numbers and may not be null" },
        { "{\"partition\":{\"kafka_topic\":\"t\",\"kafka_partition\":\"x\"}}",
          "Failed to parse the following Kafka partition value in the provided offsets: 'x'. "
          "Partition values for sink connectors need to be integers." },
        { "{\"partition\":{\"kafka_topic\":\"t\",\"kafka_partition\":0},\"offset\":{}}",
          "The offset for a sink connector should either be null or contain the key "
          "'kafka_offset'" },
        { "{\"partition\":{\"kafka_topic\":\"t\",\"kafka_partition\":0},"
          "\"offset\":{\"kafka_offset\":[1]}}",
          "Failed to parse the following Kafka offset value in the provided offsets: '[1]'. Offset "
          "values for sink connectors need to be integers." },
        { "{\"partition\":{\"kafka_topic\":\"t\",\"kafka_partition\":0},"
          "\"offset\":{\"kafka_offset\":-5}}",
          "Failed to modify offsets for sink connector a" },
    };
    struct kvs config;
    struct out_records records;
    kvs_init(&config);
    kvs_set(&config, "connector.class", "org.example.Unknown");
    kvs_set(&config, "topics", "t");
    out_records_init(&records);
    record_connector(&records, "a", &config);
    record_target(&records, "a", TARGET_STOPPED);
    fake_log_add(served->log, &records);
    kvs_fini(&config);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        char body[400];
        (void)snprintf(body, sizeof(body), "{\"offsets\":[%s]}", cases[i].entry);
        assert_int_equal(served_call(served, "PATCH", PATH, body), 400);
        assert_error(served, 400, cases[i].text);
    }
    /* Nobody answers at this address: the request ends in its time. */
    assert_int_equal(served_call(served, "GET", PATH, NULL), 500);
    assert_error(served, 500, "Failed to retrieve consumer group offsets for sink connector a");
    assert_int_equal(served_call(served, "DELETE", PATH, NULL), 500);
    assert_error(served, 500, "Failed to reset consumer group offsets for connector a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_offsets_of_a_source_are_what_the_topic_holds,
                                        served_setup, served_teardown),
        cmocka_unit_test_setup_teardown(test_patch_changes_what_it_names_and_delete_all,
                                        served_setup, served_teardown),
        cmocka_unit_test_setup_teardown(test_of_two_entries_for_a_partition_the_last_counts,
                                        served_setup, served_teardown),
        cmocka_unit_test_setup_teardown(test_many_entries_are_quick_and_too_many_refused,
                                        served_setup, served_teardown),
        cmocka_unit_test_setup_teardown(test_a_connector_that_is_not_stopped_keeps_its_offsets,
                                        served_setup, served_teardown),
        cmocka_unit_test_setup_teardown(test_tasks_that_do_not_end_are_named, served_setup,
                                        served_teardown),
        cmocka_unit_test_setup_teardown(test_a_start_between_look_and_write_is_noticed,
                                        served_setup, served_teardown),
        cmocka_unit_test_setup_teardown(test_wrong_bodies_are_refused_in_connects_words,
                                        served_setup, served_teardown),
        cmocka_unit_test_setup_teardown(test_edits_of_a_sink_are_read_as_connect_reads_them,
                                        served_setup, served_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
