/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets: forms, ports, addresses.
 *
 * fakes: fake_cluster
 */
#include <unistd.h>

#include "client.h"
#include "rest/listener.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

static void test_port_0_takes_a_free_port(void **state UNUSED)
{
    struct listeners listeners;
    assert_int_equal(listeners_open("listeners", "http://127.0.0.1:0", &listeners, NULL), ERR_OK);
    assert_int_equal(listeners.n_items, 1);
    assert_in_range(listeners.items[0].port, 1, 65535);
    assert_string_equal(listeners.items[0].host, "127.0.0.1");
    (void)close(client_open(listeners.items[0].port));
    listeners_close(&listeners);
}

static void test_an_empty_host_means_all_interfaces(void **state UNUSED)
{
    struct listeners listeners;
    assert_int_equal(listeners_open("listeners", "HTTP://:0, http://localhost:0", &listeners, NULL),
                     ERR_OK);
    assert_int_equal(listeners.n_items, 2);
    assert_string_equal(listeners.items[0].host, "");
    (void)close(client_open(listeners.items[0].port));
    listeners_close(&listeners);
}

static void test_a_port_in_use_names_key_value_and_mend(void **state UNUSED)
{
    struct listeners first;
    struct listeners second;
    assert_int_equal(listeners_open("listeners", "http://127.0.0.1:0", &first, NULL), ERR_OK);
    CLEANUP(free_charp) char *text = xasprintf("http://127.0.0.1:%d", first.items[0].port);
    CLEANUP(free_charp)
    char *expected =
        xasprintf("Invalid value %s for configuration listeners: Address already in use: another "
                  "process listens there: stop it or give another port",
                  text);
    struct error error = { ERR_OK, "" };
    assert_int_equal(listeners_open("listeners", text, &second, &error), ERR_IO);
    assert_string_equal(error.text, expected);
    listeners_close(&first);
    assert_int_equal(listeners_open("listeners", text, &second, NULL), ERR_OK);
    listeners_close(&second);
}

static void test_all_interfaces_do_not_hide_a_port_in_use(void **state UNUSED)
{
    struct listeners first;
    struct listeners second;
    assert_int_equal(listeners_open("listeners", "http://:0", &first, NULL), ERR_OK);
    CLEANUP(free_charp) char *text = xasprintf("http://:%d", first.items[0].port);
    assert_int_equal(listeners_open("listeners", text, &second, NULL), ERR_IO);
    listeners_close(&first);
}

static void test_wrong_forms_are_refused(void **state UNUSED)
{
    static const char *const cases[] = {
        "",
        ",",
        "8083",
        "localhost:8083",
        "ftp://:8083",
        "https://:80833",
        "https:/h:1",
        "http://",
        "http://:",
        "http://:x",
        "http://:65536",
        "http://:-1",
        "http://:80x",
        "http://[::1:80",
        "http://h",
        "http://:0,http://:0,http://:0,http://:0,http://:0,http://:0,http://:0,http://:0,http://:0",
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct listeners listeners = { .n_items = 0 };
        struct error error = { ERR_OK, "" };
        if (listeners_open("listeners", cases[i], &listeners, &error) != ERR_INVALID) {
            fail_msg("'%s' was taken", cases[i]);
        }
        assert_non_null(strstr(error.text, "for configuration listeners: "));
    }
}

static void test_an_address_of_another_host_is_refused(void **state UNUSED)
{
    struct listeners listeners;
    struct error error = { ERR_OK, "" };
    assert_int_equal(listeners_open("listeners", "http://192.0.2.1:0", &listeners, &error), ERR_IO);
    assert_non_null(strstr(error.text, "give an address of this host"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_0_takes_a_free_port),
        cmocka_unit_test(test_an_empty_host_means_all_interfaces),
        cmocka_unit_test(test_a_port_in_use_names_key_value_and_mend),
        cmocka_unit_test(test_all_interfaces_do_not_hide_a_port_in_use),
        cmocka_unit_test(test_wrong_forms_are_refused),
        cmocka_unit_test(test_an_address_of_another_host_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
