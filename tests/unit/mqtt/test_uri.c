/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of broker addresses. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/mqtt/uri.h"

static void assert_parses(const char *text, const char *host, int port, bool tls)
{
    struct mqtt_uri uri;
    struct error error = { ERR_OK, "" };
    assert_int_equal(mqtt_uri_parse(text, &uri, &error), ERR_OK);
    assert_string_equal(uri.host, host);
    assert_int_equal(uri.port, port);
    assert_int_equal(uri.tls, tls);
    mqtt_uri_fini(&uri);
}

static void assert_refused(const char *text, const char *reason)
{
    struct mqtt_uri uri;
    struct error error = { ERR_OK, "" };
    assert_int_equal(mqtt_uri_parse(text, &uri, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, reason));
}

static void test_all_schemes_are_read(void **state)
{
    (void)state;
    assert_parses("tcp://broker:1884", "broker", 1884, false);
    assert_parses("mqtt://broker", "broker", 1883, false);
    assert_parses("ssl://broker", "broker", 8883, true);
    assert_parses("tls://broker", "broker", 8883, true);
    assert_parses("MQTTS://broker:443/", "broker", 443, true);
    assert_parses("10.0.0.1:1883", "10.0.0.1", 1883, false);
    assert_parses("broker", "broker", 1883, false);
}

static void test_ipv6_addresses_stand_in_brackets(void **state)
{
    (void)state;
    assert_parses("tcp://[::1]:1885", "::1", 1885, false);
    assert_parses("ssl://[fe80::1]", "fe80::1", 8883, true);
    assert_refused("tcp://[::1:1885", "bracket");
    assert_refused("tcp://[nonsense]", "IPv6");
    assert_refused("tcp://[::1]x", "nothing may follow");
}

static void test_websockets_are_refused_with_the_reason(void **state)
{
    (void)state;
    assert_refused("ws://broker", "websockets");
    assert_refused("wss://broker:443/mqtt", "websockets");
}

static void test_ports_out_of_range_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = { "tcp://b:0",     "tcp://b:65536", "tcp://b:-1",
                                         "tcp://b:",      "tcp://b:12a",   "tcp://b:999999",
                                         "tcp://b:1883x", "tcp://b:0x10" };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        assert_refused(texts[i], "port");
    }
}

static void test_other_forms_are_refused(void **state)
{
    (void)state;
    assert_refused("http://broker", "scheme");
    assert_refused("tcp://", "missing");
    assert_refused("tcp://b/topic", "nothing may follow");
    assert_refused("tcp://two words", "host name");
}

static void test_a_password_in_the_address_is_refused_and_not_repeated(void **state)
{
    (void)state;
    struct mqtt_uri uri;
    struct error error = { ERR_OK, "" };
    assert_int_equal(mqtt_uri_parse("tcp://user@broker:1883", &uri, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "mqtt.username"));
    assert_null(strstr(error.text, "user@"));
}

static void test_list_names_the_bad_entry(void **state)
{
    (void)state;
    struct mqtt_uris uris;
    struct error error = { ERR_OK, "" };
    assert_int_equal(mqtt_uris_parse("tcp://a:1, ssl://b", &uris, &error), ERR_OK);
    assert_int_equal(uris.n_items, 2);
    assert_string_equal(uris.items[1].host, "b");
    mqtt_uris_fini(&uris);
    assert_int_equal(mqtt_uris_parse("tcp://a:1,tcp://b:0", &uris, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "tcp://b:0"));
    assert_int_equal(mqtt_uris_parse("", &uris, &error), ERR_INVALID);
    assert_int_equal(mqtt_uris_parse("tcp://a,,tcp://b", &uris, &error), ERR_INVALID);
}

static void test_format_writes_what_parses_again(void **state)
{
    (void)state;
    static const char *const texts[] = { "mqtt://b:1883", "mqtts://[::1]:8883" };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        struct mqtt_uri uri;
        char text[300];
        assert_int_equal(mqtt_uri_parse(texts[i], &uri, NULL), ERR_OK);
        mqtt_uri_format(&uri, text, sizeof(text));
        assert_string_equal(text, texts[i]);
        mqtt_uri_fini(&uri);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_schemes_are_read),
        cmocka_unit_test(test_ipv6_addresses_stand_in_brackets),
        cmocka_unit_test(test_websockets_are_refused_with_the_reason),
        cmocka_unit_test(test_ports_out_of_range_are_refused),
        cmocka_unit_test(test_other_forms_are_refused),
        cmocka_unit_test(test_a_password_in_the_address_is_refused_and_not_repeated),
        cmocka_unit_test(test_list_names_the_bad_entry),
        cmocka_unit_test(test_format_writes_what_parses_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
