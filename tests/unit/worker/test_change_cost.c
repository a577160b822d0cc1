/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what changes of a config cost: by key, by prefix, and what is no change at all. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/change_cost.h"

static unsigned cost(const char *key, const char *before, const char *after)
{
    struct kvs old;
    struct kvs new;
    kvs_init(&old);
    kvs_set(&old, "connector.class", "MqttSource");
    kvs_set(&old, "mqtt.server.uri", "tcp://h");
    kvs_init(&new);
    kvs_copy(&new, &old);
    if (before) {
        kvs_set(&old, key, before);
    }
    if (after) {
        kvs_set(&new, key, after);
    }
    unsigned costs = change_costs(connector_find("MqttSource"), &old, &new);
    kvs_fini(&old);
    kvs_fini(&new);
    return costs;
}

static void test_each_key_costs_what_its_row_says(void **state UNUSED)
{
    assert_int_equal(cost("tasks.max", "1", "4"), CONFIG_COST_BIT(NOTHING));
    assert_int_equal(cost("kafka.topic", "a", "b"), CONFIG_COST_BIT(PIPELINE));
    assert_int_equal(cost("mqtt.topics", "a", "a,b"), CONFIG_COST_BIT(SUBSCRIPTIONS));
    assert_int_equal(cost("mqtt.password", "a", NULL), CONFIG_COST_BIT(RECONNECT));
    assert_int_equal(cost("name", "a", "b"), CONFIG_COST_BIT(RESTART));
}

static void test_keys_without_a_row_cost_what_their_prefix_says(void **state UNUSED)
{
    assert_int_equal(cost("producer.override.linger.ms", NULL, "5"), CONFIG_COST_BIT(PIPELINE));
    assert_int_equal(cost("transforms.x.type", "A", "B"), CONFIG_COST_BIT(PIPELINE));
    assert_int_equal(cost("nobody.knows.this", "A", NULL), CONFIG_COST_BIT(PIPELINE));
}

static void test_defaults_blanks_and_other_names_are_no_change(void **state UNUSED)
{
    assert_int_equal(cost("mqtt.qos", NULL, "1"), 0);
    assert_int_equal(cost("kafka.topic", " t ", "t"), 0);
    assert_int_equal(cost("x", "1", "1"), 0);
    struct kvs old;
    struct kvs new;
    kvs_init(&old);
    kvs_init(&new);
    kvs_set(&old, "mqtt.server.uri", "tcp://h");
    kvs_set(&new, "mqtt.server_uris", "tcp://h");
    assert_int_equal(change_costs(connector_find("MqttSource"), &old, &new), 0);
    kvs_fini(&old);
    kvs_fini(&new);
}

static void test_reference_lists_every_key_once_under_its_cost(void **state UNUSED)
{
    struct buf buf;
    buf_init(&buf);
    const struct connector_plugin *plugin = connector_find("MqttSource");
    change_costs_reference(&plugin->table, false, &buf);
    char *text = buf_take(&buf);
    for (size_t i = 0; i < plugin->table.n_rows; i++) {
        char cell[128];
        (void)snprintf(cell, sizeof(cell), "`%s`", plugin->table.rows[i].name);
        const char *found = strstr(text, cell);
        assert_non_null(found);
        assert_null(strstr(found + 1, cell));
    }
    /* A key of the source that was forgotten would cost a restart. */
    assert_null(strstr(text, config_cost_text(CONFIG_COST_RESTART)));
    free(text);
}

static void test_costs_have_names(void **state UNUSED)
{
    assert_string_equal(config_cost_name(CONFIG_COST_RECONNECT), "RECONNECT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_key_costs_what_its_row_says),
        cmocka_unit_test(test_keys_without_a_row_cost_what_their_prefix_says),
        cmocka_unit_test(test_defaults_blanks_and_other_names_are_no_change),
        cmocka_unit_test(test_reference_lists_every_key_once_under_its_cost),
        cmocka_unit_test(test_costs_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
