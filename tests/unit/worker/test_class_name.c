/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the names of plug-in classes. */
#include "tests/support/unit.h"
#include "worker/class_name.h"

static void test_full_simple_and_short_names_mean_the_class(void **state)
{
    (void)state;
    assert_true(class_name_is("a.b.CConverter", "a.b.CConverter", "Converter"));
    assert_true(class_name_is("a.b.CConverter", "CConverter", "Converter"));
    assert_true(class_name_is("a.b.CConverter", "C", "Converter"));
}

static void test_other_names_do_not(void **state)
{
    (void)state;
    assert_false(class_name_is("a.b.CConverter", "b.CConverter", "Converter"));
    assert_false(class_name_is("a.b.CConverter", "a.b.C", "Converter"));
    assert_false(class_name_is("a.b.CConverter", "", "Converter"));
    assert_false(class_name_is("a.b.CConverter", "c", "Converter"));
    assert_false(class_name_is("a.b.Converter", "", "Converter"));
    assert_false(class_name_is("MqttSource", "Mqtt", "Connector"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_simple_and_short_names_mean_the_class),
        cmocka_unit_test(test_other_names_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
