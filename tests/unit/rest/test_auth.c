/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Basic authentication: who is let in, what is remembered, what a changed file changes, and how
 * many guesses a CPU pays for.
 *
 * fakes: fake_cluster
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rest/auth.h"
#include "tests/support/unit.h"
#include "worker/base/base64.h"
#include "worker/base/buf.h"
#include "worker/base/clock.h"
#include "worker/base/kvs.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"

/* Of "x"; they take about 1, 3 and 50 milliseconds. */
#define QUICK  "$2b$04$./PNdY/G7JW3N2nMcomLwu8FuPXHEyqLqvtstiuXbhawGxsLQwy8e"
#define MEDIUM "$2b$06$Zs.WW9Rab5VTTCZf368DWe8oCXSJrN4DAt4uaed13COjwDdj7cN3O"
#define SLOW   "$2b$10$MXNCjjDJnzhJJu3Zft7qBuI5Gwcnz/6lvbT1x3xBbDZuYuAHZbJwO"
/* user:x, user:wrong, ann:x, nobody:x */
#define USER_X     "Basic dXNlcjp4"
#define USER_WRONG "Basic dXNlcjp3cm9uZw=="
#define ANN_X      "Basic YW5uOng="
#define NOBODY_X   "Basic bm9ib2R5Ong="

struct fixture {
    char path[64];
    struct kvs props;
    struct auth *auth;
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
    (void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/sluice-auth-XXXXXX");
    int fd = mkstemp(fixture->path);
    if (fd < 0) {
        return -1;
    }
    (void)close(fd);
    kvs_init(&fixture->props);
    kvs_set(&fixture->props, "rest.auth.type", "basic");
    kvs_set(&fixture->props, "rest.auth.password.file", fixture->path);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    auth_free(fixture->auth);
    kvs_fini(&fixture->props);
    (void)unlink(fixture->path);
    free(fixture);
    return 0;
}

static void begin(struct fixture *fixture, const char *text)
{
    write_file(fixture, text);
    assert_int_equal(auth_new(&fixture->props, 128, &fixture->auth, NULL), ERR_OK);
    assert_non_null(fixture->auth);
}

static enum auth_verdict ask(struct fixture *fixture, const char *authorization)
{
    struct auth_user user;
    return auth_check(fixture->auth, authorization, "client", true, &user);
}

static void test_right_credentials_are_granted_with_their_role(void **state)
{
    struct fixture *fixture = *state;
    struct auth_user user;
    begin(fixture, "user:" QUICK ":read-only\nann:" QUICK "\n");
    assert_int_equal(auth_check(fixture->auth, USER_X, "c", true, &user), AUTH_GRANTED);
    assert_string_equal(user.name, "user");
    assert_int_equal(user.role, AUTH_READ_ONLY);
    assert_string_equal(user.hash, "");
    assert_int_equal(auth_check(fixture->auth, ANN_X, "c", true, &user), AUTH_GRANTED);
    assert_int_equal(user.role, AUTH_ADMIN);
    assert_int_equal(ask(fixture, "basic  dXNlcjp4"), AUTH_GRANTED);
}

static void test_anything_else_is_denied(void **state)
{
    struct fixture *fixture = *state;
    static const char *const cases[] = {
        NULL,
        "",
        "Basic",
        "Basic ",
        USER_WRONG,
        NOBODY_X,
        "Bearer dXNlcjp4",
        "Basic dXNlcg==",        /* no colon */
        "Basic dXNlcjp4AA==",    /* user:x and a NUL */
        "Basic dXNlcjp4\n",      /* not base64 */
        "Basic dXNlcjp4dXNlcjp", /* cut off */
        "Basic OjpY",            /* an empty user */
        "dXNlcjp4",
    };
    begin(fixture, "user:" QUICK "\n");
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        if (ask(fixture, cases[i]) != AUTH_DENIED) {
            fail_msg("'%s' was let in", cases[i]);
        }
    }
    char huge[20000];
    memset(huge, 'A', sizeof(huge));
    memcpy(huge, "Basic ", 6);
    huge[sizeof(huge) - 1] = '\0';
    assert_int_equal(ask(fixture, huge), AUTH_DENIED);
}

static void test_what_is_known_needs_no_hash(void **state)
{
    struct fixture *fixture = *state;
    struct auth_user user;
    begin(fixture, "user:" QUICK "\n");
    assert_int_equal(auth_check(fixture->auth, USER_X, "c", false, &user), AUTH_UNKNOWN);
    assert_int_equal(auth_check(fixture->auth, USER_WRONG, "c", false, &user), AUTH_UNKNOWN);
    assert_int_equal(ask(fixture, USER_X), AUTH_GRANTED);
    assert_int_equal(ask(fixture, USER_WRONG), AUTH_DENIED);
    assert_int_equal(auth_check(fixture->auth, USER_X, "c", false, &user), AUTH_GRANTED);
    assert_int_equal(auth_check(fixture->auth, USER_WRONG, "c", false, &user), AUTH_DENIED);
}

static void test_a_changed_file_counts_at_once(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "user:" QUICK "\n");
    assert_int_equal(ask(fixture, USER_X), AUTH_GRANTED);
    assert_int_equal(ask(fixture, ANN_X), AUTH_DENIED);
    write_file(fixture, "ann:" QUICK "\n");
    assert_int_equal(ask(fixture, USER_X), AUTH_DENIED);
    assert_int_equal(ask(fixture, ANN_X), AUTH_GRANTED);
}

static void test_a_file_that_cannot_be_used_leaves_the_old_users(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "user:" QUICK "\n");
    assert_int_equal(ask(fixture, USER_X), AUTH_GRANTED);
    write_file(fixture, "user:plain\n");
    assert_int_equal(ask(fixture, USER_X), AUTH_GRANTED);
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(ask(fixture, USER_X), AUTH_GRANTED);
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_int_equal(ask(fixture, USER_X), AUTH_GRANTED);
    assert_int_equal(ask(fixture, ANN_X), AUTH_DENIED);
    write_file(fixture, "ann:" QUICK "\n");
    assert_int_equal(ask(fixture, ANN_X), AUTH_GRANTED);
    assert_int_equal(ask(fixture, USER_X), AUTH_DENIED);
}

static uint64_t time_of(struct fixture *fixture, const char *authorization)
{
    uint64_t start = clock_mono_us();
    assert_int_equal(ask(fixture, authorization), AUTH_DENIED);
    return clock_mono_us() - start;
}

static void test_an_unknown_user_costs_a_hash_too(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, "user:" SLOW "\n");
    /* A hash of this cost takes tens of milliseconds on any machine, a look-up microseconds. */
    assert_true(time_of(fixture, NOBODY_X) > 5000);
}

struct guesser {
    struct fixture *fixture;
    struct thread thread;
    unsigned seed;
    unsigned n_busy;
    unsigned n_granted;
};

/* "user:x" and three letters that stand for n, in base64. */
static void make_guess(unsigned n, char text[20])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = ('a' + n % 26) << 16 | ('a' + n / 26 % 26) << 8 | ('a' + n / 676 % 26);
    (void)snprintf(text, 20, "%s%c%c%c%c", USER_X, digits[bits >> 18 & 63], digits[bits >> 12 & 63],
                   digits[bits >> 6 & 63], digits[bits & 63]);
}

/* Sends a password that nobody sent before. */
static void *guess(void *arg)
{
    struct guesser *guesser = arg;
    char text[20];
    make_guess(guesser->seed, text);
    enum auth_verdict verdict = ask(guesser->fixture, text);
    guesser->n_busy += verdict == AUTH_BUSY;
    guesser->n_granted += verdict == AUTH_GRANTED;
    return NULL;
}

static void test_guessing_is_bounded_and_hurts_nobody_who_is_known(void **state)
{
    struct fixture *fixture = *state;
    struct guesser guessers[80];
    begin(fixture, "user:" MEDIUM "\n");
    assert_int_equal(ask(fixture, USER_X), AUTH_GRANTED);
    unsigned n_busy = 0;
    for (unsigned i = 0; i < N_ELEMENTS(guessers); i++) {
        guessers[i] = (struct guesser){ .fixture = fixture, .seed = i };
        thread_start(&guessers[i].thread, "guesser", guess, &guessers[i]);
    }
    for (unsigned i = 0; i < 100; i++) {
        struct auth_user user;
        assert_int_equal(auth_check(fixture->auth, USER_X, "client", false, &user), AUTH_GRANTED);
        assert_int_equal(ask(fixture, USER_X), AUTH_GRANTED);
    }
    for (unsigned i = 0; i < N_ELEMENTS(guessers); i++) {
        thread_join(&guessers[i].thread);
        n_busy += guessers[i].n_busy;
        assert_int_equal(guessers[i].n_granted, 0);
    }
    assert_true(n_busy > 0);
}

/* Guesses from one address until it is told to stop. */
struct stranger {
    struct thread thread;
    struct fixture *fixture;
    atomic_bool *stop;
    unsigned seed;
};

static void *keep_guessing(void *arg)
{
    struct stranger *stranger = arg;
    for (unsigned n = stranger->seed; !atomic_load(stranger->stop); n += 100) {
        char text[20];
        struct auth_user user;
        make_guess(n, text);
        (void)auth_check(stranger->fixture->auth, text, "10.0.0.1", true, &user);
        (void)sched_yield();
    }
    return NULL;
}

/* More guesses than may wait at once; users who were never seen before come from elsewhere. */
static void test_a_first_login_comes_through_a_flood_of_guesses(void **state)
{
    struct fixture *fixture = *state;
    struct stranger strangers[6];
    struct auth_user user;
    atomic_bool stop = false;
    unsigned n_granted = 0;
    struct buf file;
    buf_init(&file);
    for (char c = 'a'; c <= 't'; c++) {
        buf_printf(&file, "%c:" MEDIUM "\n", c);
    }
    write_file(fixture, buf_text(&file));
    buf_fini(&file);
    assert_int_equal(auth_new(&fixture->props, 16, &fixture->auth, NULL), ERR_OK);
    for (unsigned i = 0; i < N_ELEMENTS(strangers); i++) {
        strangers[i] = (struct stranger){ .fixture = fixture, .stop = &stop, .seed = i };
        thread_start(&strangers[i].thread, "stranger", keep_guessing, &strangers[i]);
    }
    for (char c = 'a'; c <= 't'; c++) {
        const char plain[] = { c, ':', 'x' };
        struct buf sent;
        buf_init(&sent);
        buf_add_text(&sent, "Basic ");
        base64_add(&sent, plain, sizeof(plain));
        n_granted +=
            auth_check(fixture->auth, buf_text(&sent), "10.0.0.2", true, &user) == AUTH_GRANTED;
        buf_fini(&sent);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < N_ELEMENTS(strangers); i++) {
        thread_join(&strangers[i].thread);
    }
    assert_int_equal(n_granted, 20);
}

static void test_a_changed_file_forgets_only_whose_line_has_changed(void **state)
{
    struct fixture *fixture = *state;
    struct auth_user user;
    begin(fixture, "user:" QUICK "\nann:" QUICK "\n");
    assert_int_equal(ask(fixture, USER_X), AUTH_GRANTED);
    assert_int_equal(ask(fixture, ANN_X), AUTH_GRANTED);
    write_file(fixture, "more:" QUICK "\nuser:" QUICK ":read-only\nann:" MEDIUM "\n");
    assert_int_equal(auth_check(fixture->auth, USER_X, "c", false, &user), AUTH_GRANTED);
    assert_int_equal(user.role, AUTH_READ_ONLY);
    assert_int_equal(auth_check(fixture->auth, ANN_X, "c", false, &user), AUTH_UNKNOWN);
    write_file(fixture, "more:" QUICK "\n");
    assert_int_equal(auth_check(fixture->auth, USER_X, "c", false, &user), AUTH_UNKNOWN);
    assert_int_equal(ask(fixture, USER_X), AUTH_DENIED);
}

static void test_open_paths_are_those_of_the_property(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->props, "rest.auth.open.paths", "/health, /metrics");
    begin(fixture, "user:" QUICK "\n");
    assert_true(auth_is_open(fixture->auth, "/health"));
    assert_true(auth_is_open(fixture->auth, "/metrics"));
    assert_false(auth_is_open(fixture->auth, "/"));
    assert_false(auth_is_open(fixture->auth, "/connectors"));
}

static void test_wrong_properties_name_key_and_mend(void **state)
{
    struct fixture *fixture = *state;
    struct error error = { ERR_OK, "" };
    struct auth *auth = NULL;
    write_file(fixture, "user:plain\n");
    assert_int_equal(auth_new(&fixture->props, 128, &auth, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "for configuration rest.auth.password.file: line 1: "));
    assert_non_null(strstr(error.text, fixture->path));
    kvs_set(&fixture->props, "rest.auth.password.file", "/dev/zero");
    assert_int_equal(auth_new(&fixture->props, 128, &auth, &error), ERR_IO);
    assert_non_null(strstr(error.text, "is no regular file"));
    kvs_remove(&fixture->props, "rest.auth.password.file");
    assert_int_equal(auth_new(&fixture->props, 128, &auth, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "rest.auth.password.file"));
    kvs_set(&fixture->props, "rest.auth.password.file", fixture->path);
    kvs_set(&fixture->props, "rest.auth.type", "none");
    assert_int_equal(auth_check_props(&fixture->props, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "set rest.auth.type=basic"));
    kvs_remove(&fixture->props, "rest.auth.password.file");
    assert_int_equal(auth_new(&fixture->props, 128, &auth, NULL), ERR_OK);
    assert_null(auth);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_right_credentials_are_granted_with_their_role),
        TEST(test_anything_else_is_denied),
        TEST(test_what_is_known_needs_no_hash),
        TEST(test_a_changed_file_counts_at_once),
        TEST(test_a_file_that_cannot_be_used_leaves_the_old_users),
        TEST(test_an_unknown_user_costs_a_hash_too),
        TEST(test_guessing_is_bounded_and_hurts_nobody_who_is_known),
        TEST(test_a_first_login_comes_through_a_flood_of_guesses),
        TEST(test_a_changed_file_forgets_only_whose_line_has_changed),
        TEST(test_open_paths_are_those_of_the_property),
        TEST(test_wrong_properties_name_key_and_mend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
