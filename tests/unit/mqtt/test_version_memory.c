/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what is remembered of brokers. */
#include "tests/support/unit.h"
#include "worker/mqtt/version_memory.h"

static void test_unknown_broker_leaves_the_choice(void **state)
{
    (void)state;
    assert_int_equal(version_memory_get("mqtt://nobody:1", 0), MQTT_VERSION_AUTO);
}

static void test_version_5_stays(void **state)
{
    (void)state;
    version_memory_set("mqtt://five:1", MQTT_VERSION_5, 1000);
    assert_int_equal(version_memory_get("mqtt://five:1", 100000000), MQTT_VERSION_5);
}

static void test_a_fallback_is_forgotten_so_that_5_is_tried_again(void **state)
{
    (void)state;
    version_memory_set("mqtt://old:1", MQTT_VERSION_311, 1000);
    assert_int_equal(version_memory_get("mqtt://old:1", 2000), MQTT_VERSION_311);
    assert_int_equal(version_memory_get("mqtt://old:1", 1000 + 600001), MQTT_VERSION_AUTO);
    version_memory_set("mqtt://old:1", MQTT_VERSION_5, 700000);
    assert_int_equal(version_memory_get("mqtt://old:1", 700001), MQTT_VERSION_5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_broker_leaves_the_choice),
        cmocka_unit_test(test_version_5_stays),
        cmocka_unit_test(test_a_fallback_is_forgotten_so_that_5_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
