/* SPDX-License-Identifier: Apache-2.0 */
/* Task configs are computed from looked-up values and stored with placeholders. */
#include "coordinator/expand.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"
#include "worker/connector.h"

struct fixture {
    struct providers *providers;
    struct connector_state connector;
    struct kvs *configs;
    size_t n;
    struct error error;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "config.providers", "env,file");
    kvs_set(&props, "config.providers.env.class", "EnvVarConfigProvider");
    kvs_set(&props, "config.providers.file.class", "FileConfigProvider");
    assert_int_equal(providers_new(&props, &f->providers, &f->error), ERR_OK);
    kvs_fini(&props);
    f->connector.name = xstrdup("c");
    f->connector.has_config = true;
    kvs_init(&f->connector.config);
    kvs_set(&f->connector.config, "connector.class", "MqttSource");
    kvs_set(&f->connector.config, "mqtt.server.uri", "tcp://h");
    kvs_set(&f->connector.config, "mqtt.topics", "a");
    assert_int_equal(setenv("SLUICE_TEST_N", "3", 1), 0);
    assert_int_equal(setenv("SLUICE_TEST_ID", "site-berlin-", 1), 0);
    assert_int_equal(setenv("SLUICE_TEST_PW", "opensesame", 1), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    connector_configs_free(f->configs, f->n);
    providers_free(f->providers);
    kvs_fini(&f->connector.config);
    free(f->connector.name);
    free(f);
    return 0;
}

static enum err expand(struct fixture *f)
{
    const struct expand_facts facts = { "g", 6 };
    return expand_task_configs(f->providers, &facts, &f->connector, &f->configs, &f->n, &f->error);
}

static void test_numbers_are_looked_up_to_compute_with(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->connector.config, "tasks.max", "${env:SLUICE_TEST_N}");
    kvs_set(&f->connector.config, "mqtt.password", "${env:SLUICE_TEST_PW}");
    assert_int_equal(expand(f), ERR_OK);
    assert_int_equal(f->n, 3);
    assert_string_equal(kvs_get(&f->configs[0], "mqtt.task.sessions.total"), "3");
    assert_string_equal(kvs_get(&f->configs[2], "mqtt.task.sessions"), "2");
    assert_non_null(kvs_get(&f->configs[0], "task.class"));
}

static void test_after_a_stop_there_are_not_fewer_sessions_than_before(void **state)
{
    struct fixture *f = *state;
    struct kvs last;
    kvs_init(&last);
    kvs_set(&last, "mqtt.task.sessions.total", "5");
    f->connector.last_task = &last;
    kvs_set(&f->connector.config, "tasks.max", "2");
    assert_int_equal(expand(f), ERR_OK);
    assert_int_equal(f->n, 2);
    assert_string_equal(kvs_get(&f->configs[0], "mqtt.task.sessions.total"), "5");
    assert_string_equal(kvs_get(&f->configs[0], "mqtt.task.sessions"), "0,2,4");
    kvs_fini(&last);
}

static void test_text_is_stored_as_its_placeholder(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->connector.config, "tasks.max", "2");
    kvs_set(&f->connector.config, "mqtt.client.id.prefix", "x-${env:SLUICE_TEST_ID}");
    assert_int_equal(expand(f), ERR_OK);
    assert_int_equal(f->n, 2);
    for (size_t i = 0; i < f->n; i++) {
        assert_string_equal(kvs_get(&f->configs[i], "mqtt.task.client.id.prefix"),
                            "x-${env:SLUICE_TEST_ID}");
        for (size_t k = 0; k < f->configs[i].n_items; k++) {
            assert_null(strstr(f->configs[i].items[k].value, "site-berlin"));
        }
    }
}

/* A value that only happens to be part of a name is no reason to tie the name to the value. */
static void test_names_that_merely_contain_a_value_stay(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(setenv("SLUICE_TEST_ID", "sluice", 1), 0);
    kvs_set(&f->connector.config, "kafka.topic", "${env:SLUICE_TEST_ID}");
    assert_int_equal(expand(f), ERR_OK);
    assert_string_equal(kvs_get(&f->configs[0], "mqtt.task.client.id.prefix"), "sluice-g-");
}

/* A prefix that ends with the line end of a secret's file would be another one when it is put
 * together from the placeholder. */
static void test_what_cannot_be_stored_as_a_placeholder_fails_without_showing_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(setenv("SLUICE_TEST_ID", "site-berlin-\n", 1), 0);
    kvs_set(&f->connector.config, "mqtt.client.id.prefix", "${env:SLUICE_TEST_ID}");
    assert_int_equal(expand(f), ERR_CONFLICT);
    assert_non_null(strstr(f->error.text, "white space"));
    assert_null(strstr(f->error.text, "berlin"));
}

static void test_a_file_that_cannot_be_read_fails_with_connects_text(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->connector.config, "mqtt.password", "${file:/no/such/file:pw}");
    assert_int_equal(expand(f), ERR_IO);
    assert_string_equal(f->error.text, "Could not read properties from file /no/such/file");
}

static void test_an_unknown_class_is_named(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->connector.config, "connector.class", "no.such.Class");
    assert_int_equal(expand(f), ERR_NOT_FOUND);
    assert_non_null(strstr(f->error.text, "no.such.Class"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define EXPANDS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        EXPANDS(test_numbers_are_looked_up_to_compute_with),
        EXPANDS(test_after_a_stop_there_are_not_fewer_sessions_than_before),
        EXPANDS(test_text_is_stored_as_its_placeholder),
        EXPANDS(test_names_that_merely_contain_a_value_stay),
        EXPANDS(test_what_cannot_be_stored_as_a_placeholder_fails_without_showing_it),
        EXPANDS(test_a_file_that_cannot_be_read_fails_with_connects_text),
        EXPANDS(test_an_unknown_class_is_named),
#undef EXPANDS
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
