/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the judgement on reason codes. */
#include "tests/support/unit.h"
#include "worker/mqtt/reason.h"

static void test_credentials_are_refusals_in_both_versions(void **state)
{
    (void)state;
    assert_int_equal(mqtt_connack_verdict(0x86, true), MQTT_VERDICT_REFUSED);
    assert_int_equal(mqtt_connack_verdict(0x87, true), MQTT_VERDICT_REFUSED);
    assert_int_equal(mqtt_connack_verdict(4, false), MQTT_VERDICT_REFUSED);
    assert_int_equal(mqtt_connack_verdict(5, false), MQTT_VERDICT_REFUSED);
}

static void test_both_forms_of_an_unknown_version_are_seen(void **state)
{
    (void)state;
    assert_int_equal(mqtt_connack_verdict(1, true), MQTT_VERDICT_VERSION);
    assert_int_equal(mqtt_connack_verdict(0x84, true), MQTT_VERDICT_VERSION);
    assert_int_equal(mqtt_connack_verdict(1, false), MQTT_VERDICT_VERSION);
}

static void test_troubles_of_the_server_are_tried_again(void **state)
{
    (void)state;
    assert_int_equal(mqtt_connack_verdict(0x88, true), MQTT_VERDICT_RETRY);
    assert_int_equal(mqtt_connack_verdict(0x89, true), MQTT_VERDICT_RETRY);
    assert_int_equal(mqtt_connack_verdict(0xFE, true), MQTT_VERDICT_RETRY);
    assert_int_equal(mqtt_connack_verdict(3, false), MQTT_VERDICT_RETRY);
}

static void test_suback_codes(void **state)
{
    (void)state;
    assert_int_equal(mqtt_suback_verdict(0, true), MQTT_VERDICT_OK);
    assert_int_equal(mqtt_suback_verdict(1, true), MQTT_VERDICT_OK);
    assert_int_equal(mqtt_suback_verdict(2, false), MQTT_VERDICT_OK);
    assert_int_equal(mqtt_suback_verdict(0x87, true), MQTT_VERDICT_REFUSED);
    assert_int_equal(mqtt_suback_verdict(0x80, false), MQTT_VERDICT_REFUSED);
    assert_int_equal(mqtt_suback_verdict(0x91, true), MQTT_VERDICT_AGAIN);
    assert_int_equal(mqtt_suback_verdict(0x91, false), MQTT_VERDICT_AGAIN);
    assert_int_equal(mqtt_suback_verdict(0x9E, true), MQTT_VERDICT_NO_SHARE);
}

static void test_every_code_has_a_text(void **state)
{
    (void)state;
    for (int code = 0; code < 256; code++) {
        assert_non_null(mqtt_reason_text(code, true));
        assert_non_null(mqtt_reason_text(code, false));
    }
    assert_string_equal(mqtt_reason_text(0x8E, true), "session taken over");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credentials_are_refusals_in_both_versions),
        cmocka_unit_test(test_both_forms_of_an_unknown_version_are_seen),
        cmocka_unit_test(test_troubles_of_the_server_are_tried_again),
        cmocka_unit_test(test_suback_codes),
        cmocka_unit_test(test_every_code_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
