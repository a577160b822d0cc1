/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the socket seam: calls to read, write and getaddrinfo as libmosquitto makes them. */
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "worker/mqtt/seam.h"

struct fixture {
    struct seam *seam;
    int ours;
    int peer;
};

static int set_up(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    fixture->ours = pair[0];
    fixture->peer = pair[1];
    fixture->seam = seam_new();
    seam_attach(fixture->seam, fixture->ours, true);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    (void)seam_leave();
    seam_free(fixture->seam);
    close(fixture->ours);
    close(fixture->peer);
    test_free(fixture);
    return 0;
}

static void test_outside_the_library_nothing_is_gathered(void **state)
{
    struct fixture *fixture = *state;
    char byte = 0;
    assert_int_equal(write(fixture->ours, "x", 1), 1);
    assert_int_equal(read(fixture->peer, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(seam_calls(fixture->seam), 0);
}

#ifndef SLUICE_SANITIZED

static void test_small_reads_cost_one_system_call(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(write(fixture->peer, "abcdef", 6), 6);
    char bytes[8] = "";
    seam_enter(fixture->seam);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(read(fixture->ours, bytes + i, 1), 1);
    }
    (void)seam_leave();
    assert_string_equal(bytes, "abcdef");
    assert_int_equal(seam_calls(fixture->seam), 1);
    assert_int_equal(seam_buffered(fixture->seam), 0);
}

static void test_bytes_read_ahead_are_known_of(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(write(fixture->peer, "abc", 3), 3);
    char byte = 0;
    seam_enter(fixture->seam);
    assert_int_equal(read(fixture->ours, &byte, 1), 1);
    (void)seam_leave();
    assert_int_equal(seam_buffered(fixture->seam), 2);
}

static void test_writes_stay_until_flushed_and_keep_their_order(void **state)
{
    struct fixture *fixture = *state;
    char bytes[8] = "";
    seam_enter(fixture->seam);
    assert_int_equal(write(fixture->ours, "ab", 2), 2);
    assert_int_equal(write(fixture->ours, "cd", 2), 2);
    (void)seam_leave();
    assert_int_equal(read(fixture->peer, bytes, sizeof(bytes)), -1);
    assert_true(seam_pending(fixture->seam));
    assert_true(seam_flush(fixture->seam));
    assert_int_equal(read(fixture->peer, bytes, sizeof(bytes)), 4);
    assert_memory_equal(bytes, "abcd", 4);
    assert_int_equal(seam_calls(fixture->seam), 1);
}

static void test_what_is_gathered_is_gone_after_detach(void **state)
{
    struct fixture *fixture = *state;
    char byte = 0;
    seam_enter(fixture->seam);
    assert_int_equal(write(fixture->ours, "ab", 2), 2);
    (void)seam_leave();
    seam_detach(fixture->seam);
    close(fixture->ours);
    fixture->ours = -1;
    assert_int_equal(read(fixture->peer, &byte, 1), 0);
}

static void test_a_socket_that_is_full_keeps_the_rest_pending(void **state)
{
    struct fixture *fixture = *state;
    char block[4096];
    memset(block, 'x', sizeof(block));
    size_t sent = 0;
    /* Fill the socket itself first. */
    for (ssize_t n = write(fixture->ours, block, sizeof(block)); n > 0;
         n = write(fixture->ours, block, sizeof(block))) {
        sent += (size_t)n;
    }
    seam_enter(fixture->seam);
    assert_int_equal(write(fixture->ours, "tail", 4), 4);
    (void)seam_leave();
    assert_true(seam_flush(fixture->seam));
    assert_true(seam_pending(fixture->seam));
    size_t got = 0;
    while (seam_pending(fixture->seam)) {
        ssize_t n = read(fixture->peer, block, sizeof(block));
        assert_true(n > 0);
        got += (size_t)n;
        assert_true(seam_flush(fixture->seam));
    }
    for (ssize_t n = read(fixture->peer, block, sizeof(block)); n > 0;
         n = read(fixture->peer, block, sizeof(block))) {
        got += (size_t)n;
    }
    assert_int_equal(got, sent + 4);
}

static void test_the_end_of_the_stream_is_seen(void **state)
{
    struct fixture *fixture = *state;
    char byte = 0;
    close(fixture->peer);
    fixture->peer = -1;
    seam_enter(fixture->seam);
    assert_int_equal(read(fixture->ours, &byte, 1), 0);
    (void)seam_leave();
}

static void test_known_host_is_answered_with_its_address(void **state)
{
    struct fixture *fixture = *state;
    struct addrinfo *list = NULL;
    seam_resolve(fixture->seam, "broker.invalid", "127.0.0.9");
    seam_enter(fixture->seam);
    int code = getaddrinfo("broker.invalid", NULL, NULL, &list);
    (void)seam_leave();
    assert_int_equal(code, 0);
    char text[64];
    assert_int_equal(
        getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST),
        0);
    assert_string_equal(text, "127.0.0.9");
    freeaddrinfo(list);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_outside_the_library_nothing_is_gathered, set_up,
                                        tear_down),
#ifndef SLUICE_SANITIZED
        cmocka_unit_test_setup_teardown(test_small_reads_cost_one_system_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_read_ahead_are_known_of, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writes_stay_until_flushed_and_keep_their_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_gathered_is_gone_after_detach, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_socket_that_is_full_keeps_the_rest_pending, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_end_of_the_stream_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_known_host_is_answered_with_its_address, set_up,
                                        tear_down),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
