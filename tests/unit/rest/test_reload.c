/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of users and certificates that changed while no file could be opened: what is read in the
 * end is what is there. The clock is the test's.
 *
 * fakes: fake_cluster
 */
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rest/auth.h"
#include "rest/tls.h"
#include "tests/support/no_files.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/base/whole_file.h"

/* A key that is used nowhere else, and its certificate. */
static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgr3K7Y0Yg8uIrIw/K\n"
                          "8dAKQ75eKSSCQ1CpZVpz7Jl+x+ahRANCAAQ0qq1WMFhQYuR2DGoHeKuUrOlNF/kq\n"
                          "oX22zVWzmYLWU3ThKHhug5+DJonB9QxanpaLQ2XkTbqVXuNR598O0Uuo\n"
                          "-----END PRIVATE KEY-----\n"
                          "-----BEGIN CERTIFICATE-----\n"
                          "MIIBdjCCARugAwIBAgIUVqDakTTZ0nkmCZncZcVMLh88AIowCgYIKoZIzj0EAwIw\n"
                          "DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjMwNDI1MDZaGA8yMTI2MTAzMDA0MjUw\n"
                          "NlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDSq\n"
                          "rVYwWFBi5HYMagd4q5Ss6U0X+SqhfbbNVbOZgtZTdOEoeG6Dn4MmicH1DFqelotD\n"
                          "ZeRNupVe41Hn3w7RS6ijUzBRMB0GA1UdDgQWBBTw0MTV729/Lc5M97zDr4RTuwiF\n"
                          "kzAfBgNVHSMEGDAWgBTw0MTV729/Lc5M97zDr4RTuwiFkzAPBgNVHRMBAf8EBTAD\n"
                          "AQH/MAoGCCqGSM49BAMCA0kAMEYCIQD2LUgKoEM34yop1eyPA74je4vs9oHRjJJO\n"
                          "qaiPTIFFZAIhANdOuH1GokzP8jKngci69cW9xtEnRXDlE+drnz8AHe7T\n"
                          "-----END CERTIFICATE-----\n";
/* Of "x"; user:x and ann:x are who asks. */
#define HASH   "$2b$04$./PNdY/G7JW3N2nMcomLwu8FuPXHEyqLqvtstiuXbhawGxsLQwy8e"
#define USER_X "Basic dXNlcjp4"
#define ANN_X  "Basic YW5uOng="

/* ---- in the place of worker/base/clock.c ---- */

static uint64_t clock_ms = 1000000;

uint64_t clock_mono_ms(void)
{
    return clock_ms;
}

uint64_t clock_mono_us(void)
{
    return clock_ms * 1000;
}

int64_t clock_wall_ms(void)
{
    return (int64_t)clock_ms;
}

void clock_format_iso(int64_t wall_ms, char *text, size_t size)
{
    (void)snprintf(text, size, "%lld", (long long)wall_ms);
}

/* ---- the fixture ---- */

struct fixture {
    char path[64];
    struct kvs props;
};

/* Replaces the file as editors and Kubernetes do. */
static void write_file(const struct fixture *fixture, const char *text)
{
    char temporary[80];
    (void)snprintf(temporary, sizeof(temporary), "%s.new", fixture->path);
    FILE *file = fopen(temporary, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(temporary, fixture->path), 0);
}

static int setup(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    (void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/sluice-reload-XXXXXX");
    int fd = mkstemp(fixture->path);
    if (fd < 0) {
        return -1;
    }
    (void)close(fd);
    kvs_init(&fixture->props);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    kvs_fini(&fixture->props);
    (void)unlink(fixture->path);
    free(fixture);
    return 0;
}

/* ---- the tests ---- */

static enum auth_verdict ask(struct auth *auth, const char *authorization)
{
    struct auth_user user;
    return auth_check(auth, authorization, "client", true, &user);
}

static void test_users_that_could_not_be_read_are_read_after_a_pause(void **state)
{
    struct fixture *fixture = *state;
    struct auth *auth = NULL;
    write_file(fixture, "user:" HASH "\n");
    kvs_set(&fixture->props, "rest.auth.type", "basic");
    kvs_set(&fixture->props, "rest.auth.password.file", fixture->path);
    assert_int_equal(auth_new(&fixture->props, 128, &auth, NULL), ERR_OK);
    assert_int_equal(ask(auth, USER_X), AUTH_GRANTED);
    write_file(fixture, "ann:" HASH "\n");
    rlim_t before = no_files_begin();
    assert_int_equal(ask(auth, USER_X), AUTH_GRANTED);
    no_files_end(before);
    clock_ms += FILE_AGAIN_MS - 1;
    assert_int_equal(ask(auth, USER_X), AUTH_GRANTED);
    clock_ms++;
    assert_int_equal(ask(auth, USER_X), AUTH_DENIED);
    assert_int_equal(ask(auth, ANN_X), AUTH_GRANTED);
    auth_free(auth);
}

static struct tls_identity *begin_session(struct tls *tls)
{
    gnutls_session_t session;
    assert_int_equal(gnutls_init(&session, GNUTLS_SERVER), 0);
    struct tls_identity *identity = tls_begin(tls, session);
    gnutls_deinit(session);
    return identity;
}

static void test_certificates_that_could_not_be_read_are_read_after_a_pause(void **state)
{
    struct fixture *fixture = *state;
    struct tls *tls = NULL;
    struct error error = { ERR_OK, "" };
    write_file(fixture, pem);
    kvs_set(&fixture->props, "ssl.keystore.type", "PEM");
    kvs_set(&fixture->props, "ssl.keystore.location", fixture->path);
    if (tls_new(&fixture->props, TLS_LISTENERS, &tls, &error) != ERR_OK) {
        fail_msg("%s", error.text);
    }
    /* Each is held, so that the next one lies elsewhere. */
    struct tls_identity *first = begin_session(tls);
    write_file(fixture, pem);
    rlim_t before = no_files_begin();
    struct tls_identity *second = begin_session(tls);
    no_files_end(before);
    clock_ms += FILE_AGAIN_MS - 1;
    struct tls_identity *third = begin_session(tls);
    clock_ms++;
    struct tls_identity *fourth = begin_session(tls);
    clock_ms += FILE_AGAIN_MS;
    struct tls_identity *fifth = begin_session(tls);
    assert_ptr_equal(second, first);
    assert_ptr_equal(third, first);
    assert_ptr_not_equal(fourth, first);
    assert_ptr_equal(fifth, fourth);
    tls_end(first);
    tls_end(second);
    tls_end(third);
    tls_end(fourth);
    tls_end(fifth);
    tls_free(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_users_that_could_not_be_read_are_read_after_a_pause,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_certificates_that_could_not_be_read_are_read_after_a_pause, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
