/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the division of a connector into tasks and of the parsed settings. */
#include <string.h>
#include <time.h>

#include "tests/support/unit.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_source/settings.h"

struct fixture {
    struct kvs config;
    struct kvs *tasks;
    size_t n_tasks;
    struct kvs *before;
    size_t n_before;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    kvs_init(&f->config);
    kvs_set(&f->config, "mqtt.server.uri", "tcp://b");
    kvs_set(&f->config, "mqtt.topics", "a,b,c,d,e");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    kvs_fini(&f->config);
    connector_configs_free(f->tasks, f->n_tasks);
    connector_configs_free(f->before, f->n_before);
    free(f);
    return 0;
}

static void divide(struct fixture *f)
{
    const struct connector_facts facts = { .name = "c/1", .group_id = "g" };
    connector_configs_free(f->before, f->n_before);
    f->before = f->tasks;
    f->n_before = f->n_tasks;
    assert_int_equal(mqtt_source_task_configs(&facts, &f->config, f->before, f->n_before, &f->tasks,
                                              &f->n_tasks, NULL),
                     ERR_OK);
}

static void assert_sessions(struct fixture *f, size_t task, const char *numbers)
{
    assert_string_equal(kvs_get(&f->tasks[task], MQTT_TASK_SESSIONS), numbers);
}

static void read_task(struct fixture *f, size_t task, struct source_settings *settings)
{
    assert_int_equal(source_settings_read("c/1", &f->config, &f->tasks[task], settings, NULL),
                     ERR_OK);
}

static void test_one_session_for_each_task_by_default(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "tasks.max", "3");
    divide(f);
    assert_int_equal(f->n_tasks, 3);
    assert_sessions(f, 0, "0");
    assert_sessions(f, 2, "2");
    assert_string_equal(kvs_get(&f->tasks[0], MQTT_TASK_TOTAL), "3");
}

static void test_sessions_are_dealt_out_in_turn(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "tasks.max", "2");
    kvs_set(&f->config, "mqtt.sessions", "5");
    divide(f);
    assert_int_equal(f->n_tasks, 2);
    assert_sessions(f, 0, "0,2,4");
    assert_sessions(f, 1, "1,3");
}

static void test_fewer_tasks_keep_all_sessions(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "tasks.max", "4");
    divide(f);
    kvs_set(&f->config, "tasks.max", "2");
    divide(f);
    assert_int_equal(f->n_tasks, 2);
    assert_sessions(f, 0, "0,2");
    assert_sessions(f, 1, "1,3");
    kvs_set(&f->config, "tasks.max", "1");
    divide(f);
    assert_sessions(f, 0, "0,1,2,3");
}

static void assert_retiring(const struct fixture *f, const char *ids)
{
    const char *text = kvs_get(&f->tasks[0], MQTT_TASK_RETIRING);
    assert_string_equal(text ? text : "", ids);
    for (size_t i = 1; i < f->n_tasks; i++) {
        assert_null(kvs_get(&f->tasks[i], MQTT_TASK_RETIRING));
    }
}

static void test_lowering_the_sessions_retires_those_beyond(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.sessions", "4");
    divide(f);
    assert_retiring(f, "");
    kvs_set(&f->config, "mqtt.sessions", "2");
    divide(f);
    assert_sessions(f, 0, "0,1");
    assert_retiring(f, "[\"sluice-g-c/1-2\",\"sluice-g-c/1-3\"]");
    /* Another change on the way forgets none, and one that is wanted again stays. */
    kvs_set(&f->config, "mqtt.sessions", "3");
    divide(f);
    assert_sessions(f, 0, "0,1,2");
    assert_retiring(f, "[\"sluice-g-c/1-3\"]");
    struct source_settings settings;
    read_task(f, 0, &settings);
    assert_int_equal(settings.retiring.n_items, 1);
    assert_string_equal(settings.retiring.items[0], "sluice-g-c/1-3");
    source_settings_fini(&settings);
}

static void test_lowering_the_sessions_keeps_them_where_that_is_asked_for(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.sessions", "4");
    divide(f);
    kvs_set(&f->config, "mqtt.sessions", "2");
    kvs_set(&f->config, "mqtt.sessions.retire", "never");
    divide(f);
    assert_sessions(f, 0, "0,1,2,3");
    assert_retiring(f, "");
}

static void test_another_prefix_retires_all_under_the_old_one(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.sessions", "2");
    divide(f);
    kvs_set(&f->config, "mqtt.client.id.prefix", "p,");
    divide(f);
    assert_retiring(f, "[\"sluice-g-c/1-0\",\"sluice-g-c/1-1\"]");
    kvs_set(&f->config, "mqtt.client.id.prefix", "q-");
    divide(f);
    assert_retiring(f, "[\"sluice-g-c/1-0\",\"sluice-g-c/1-1\",\"p,c/1-0\",\"p,c/1-1\"]");
}

static size_t bytes_of(const struct fixture *f)
{
    size_t bytes = 0;
    for (size_t i = 0; i < f->n_tasks; i++) {
        for (size_t n = 0; n < f->tasks[i].n_items; n++) {
            bytes += strlen(f->tasks[i].items[n].key) + strlen(f->tasks[i].items[n].value);
        }
    }
    return bytes;
}

/* Three prefixes after another with the most sessions there can be: what is left over is written
 * once, and found in a time that grows with it and no faster (a second or two where everything is
 * slow; minutes where ids are compared pair by pair). */
static void test_many_sessions_and_tasks_are_divided_in_linear_time(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.sessions", "10000");
    kvs_set(&f->config, "tasks.max", "100");
    kvs_set(&f->config, "mqtt.client.id.prefix", "p");
    clock_t start = clock();
    divide(f);
    size_t first = bytes_of(f);
    kvs_set(&f->config, "mqtt.client.id.prefix", "q");
    divide(f);
    size_t second = bytes_of(f);
    assert_in_range(second - first, 10000 * 7, 10000 * 14);
    kvs_set(&f->config, "mqtt.client.id.prefix", "r");
    divide(f);
    assert_true(bytes_of(f) - second <= second);
    assert_true((clock() - start) / CLOCKS_PER_SEC < 20);
    struct source_settings settings;
    read_task(f, 0, &settings);
    assert_int_equal(settings.retiring.n_items, 20000); /* none is forgotten */
    source_settings_fini(&settings);
}

static void test_more_than_a_record_holds_is_refused_with_a_way_out(void **state)
{
    struct fixture *f = *state;
    const struct connector_facts facts = { .name = "c/1", .group_id = "g" };
    char prefix[101];
    memset(prefix, 'p', sizeof(prefix) - 1);
    prefix[sizeof(prefix) - 1] = '\0';
    kvs_set(&f->config, "mqtt.sessions", "10000");
    kvs_set(&f->config, "tasks.max", "5");
    kvs_set(&f->config, "mqtt.client.id.prefix", prefix);
    divide(f);
    kvs_set(&f->config, "mqtt.client.id.prefix", "q");
    struct kvs *configs = NULL;
    size_t n = 0;
    struct error error;
    assert_int_equal(
        mqtt_source_task_configs(&facts, &f->config, f->tasks, f->n_tasks, &configs, &n, &error),
        ERR_INVALID);
    assert_null(configs);
    assert_non_null(strstr(error.text, "mqtt.sessions=10000"));
    assert_non_null(strstr(error.text, "mqtt.sessions.retire=never"));
    kvs_set(&f->config, "mqtt.sessions.retire", "never");
    divide(f);
}

static void test_many_tasks_with_long_names_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct connector_facts facts = { .name = "c", .group_id = "g" };
    char prefix[2001];
    memset(prefix, 'p', sizeof(prefix) - 1);
    prefix[sizeof(prefix) - 1] = '\0';
    kvs_set(&f->config, "mqtt.client.id.prefix", prefix);
    kvs_set(&f->config, "mqtt.share.group", "g");
    kvs_set(&f->config, "tasks.max", "10000");
    struct kvs *configs = NULL;
    size_t n = 0;
    struct error error;
    assert_int_equal(mqtt_source_task_configs(&facts, &f->config, NULL, 0, &configs, &n, &error),
                     ERR_INVALID);
    assert_non_null(strstr(error.text, "tasks.max"));
    assert_non_null(strstr(error.text, "2001 bytes"));
    kvs_set(&f->config, "tasks.max", "8000");
    divide(f);
}

static void test_there_are_no_more_tasks_than_sessions(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "tasks.max", "8");
    kvs_set(&f->config, "mqtt.sessions", "3");
    divide(f);
    assert_int_equal(f->n_tasks, 3);
}

static void test_task_configs_hold_no_secret(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.username", "hush");
    kvs_set(&f->config, "mqtt.password", "hush");
    divide(f);
    for (size_t i = 0; i < f->tasks[0].n_items; i++) {
        assert_null(strstr(f->tasks[0].items[i].value, "hush"));
    }
}

static void test_names_follow_from_group_and_connector(void **state)
{
    struct fixture *f = *state;
    divide(f);
    struct source_settings settings;
    read_task(f, 0, &settings);
    char *id = source_settings_client_id(&settings, 0);
    assert_string_equal(id, "sluice-g-c/1-0");
    assert_string_equal(settings.shared.items[0], "$share/g-c%2F1/a");
    free(id);
    source_settings_fini(&settings);
}

static void test_names_that_are_given_hold(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.client.id.prefix", "p-");
    kvs_set(&f->config, "mqtt.share.group", "s");
    divide(f);
    struct source_settings settings;
    read_task(f, 0, &settings);
    char *id = source_settings_client_id(&settings, 3);
    assert_string_equal(id, "p-c/1-3");
    assert_string_equal(settings.shared.items[4], "$share/s/e");
    free(id);
    source_settings_fini(&settings);
}

static void test_exclusive_filters_belong_to_one_session_each(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.sessions", "3");
    divide(f);
    struct source_settings settings;
    read_task(f, 0, &settings);
    size_t n = 0;
    for (int k = 0; k < 3; k++) {
        struct config_list own;
        source_settings_own_filters(&settings, k, &own);
        n += own.n_items;
        assert_string_equal(own.items[0], settings.filters.items[k]);
        config_list_fini(&own);
    }
    assert_int_equal(n, 5);
    source_settings_fini(&settings);
}

static void test_safe_settings_are_the_defaults(void **state)
{
    struct fixture *f = *state;
    divide(f);
    struct source_settings settings;
    read_task(f, 0, &settings);
    assert_int_equal(settings.options.qos, 1);
    assert_false(settings.options.clean);
    assert_int_equal(settings.connection.max_retry_ms, 0);
    assert_false(settings.options.tls.insecure);
    assert_false(settings.errors.tolerate);
    assert_true(settings.options.expiry_s >= 3600);
    source_settings_fini(&settings);
}

static void test_qos_2_is_subscribed_at_1(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.qos", "2");
    divide(f);
    struct source_settings settings;
    read_task(f, 0, &settings);
    assert_int_equal(settings.options.qos, 1);
    source_settings_fini(&settings);
}

static void test_smallest_of_the_bounds_is_the_window(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.receive.maximum", "500");
    kvs_set(&f->config, "records.buffer.queue.max.batch.size", "300");
    divide(f);
    struct source_settings settings;
    read_task(f, 0, &settings);
    assert_int_equal(settings.window, 300);
    assert_int_equal(settings.options.receive_maximum, 300);
    source_settings_fini(&settings);
}

static void test_one_pem_file_may_hold_certificate_and_key(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.ssl.key.store.path", "/x/both.pem");
    divide(f);
    struct source_settings settings;
    read_task(f, 0, &settings);
    assert_string_equal(settings.options.tls.cert, "/x/both.pem");
    assert_string_equal(settings.options.tls.key, "/x/both.pem");
    source_settings_fini(&settings);
}

static void test_task_config_of_something_else_is_refused(void **state)
{
    struct fixture *f = *state;
    struct kvs other;
    kvs_init(&other);
    struct source_settings settings;
    struct error error = { ERR_OK, "" };
    assert_int_equal(source_settings_read("c", &f->config, &other, &settings, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, MQTT_TASK_SESSIONS));
}

#define DIVIDES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIVIDES(test_one_session_for_each_task_by_default),
        DIVIDES(test_sessions_are_dealt_out_in_turn),
        DIVIDES(test_fewer_tasks_keep_all_sessions),
        DIVIDES(test_lowering_the_sessions_retires_those_beyond),
        DIVIDES(test_lowering_the_sessions_keeps_them_where_that_is_asked_for),
        DIVIDES(test_another_prefix_retires_all_under_the_old_one),
        DIVIDES(test_many_sessions_and_tasks_are_divided_in_linear_time),
        DIVIDES(test_more_than_a_record_holds_is_refused_with_a_way_out),
        DIVIDES(test_many_tasks_with_long_names_are_refused),
        DIVIDES(test_there_are_no_more_tasks_than_sessions),
        DIVIDES(test_task_configs_hold_no_secret),
        DIVIDES(test_names_follow_from_group_and_connector),
        DIVIDES(test_names_that_are_given_hold),
        DIVIDES(test_exclusive_filters_belong_to_one_session_each),
        DIVIDES(test_safe_settings_are_the_defaults),
        DIVIDES(test_qos_2_is_subscribed_at_1),
        DIVIDES(test_smallest_of_the_bounds_is_the_window),
        DIVIDES(test_one_pem_file_may_hold_certificate_and_key),
        DIVIDES(test_task_config_of_something_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
