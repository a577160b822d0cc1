/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The password file: what is read, and what is refused with which line.
 *
 * fakes: fake_cluster
 */
#include <string.h>

#include "rest/auth_file.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

/* Of "x". */
#define BCRYPT   "$2b$04$./PNdY/G7JW3N2nMcomLwu8FuPXHEyqLqvtstiuXbhawGxsLQwy8e"
#define YESCRYPT "$y$j75$mQW.NWy5uT6jlnWtfErRp.$Pynp9paq443QzrN7a5yPh1GCpJUluTJI1CbPtAewxV1"

static void test_users_roles_and_comments_are_read(void **state UNUSED)
{
    static const char text[] = "# who may\n\n"
                               "ann:" BCRYPT "\n"
                               "bob:" YESCRYPT ":read-only\r\n"
                               "j\xC3\xBCrgen:" BCRYPT ":admin";
    struct auth_table table;
    assert_int_equal(auth_table_parse(text, strlen(text), &table, NULL), ERR_OK);
    assert_int_equal(table.n_users, 3);
    assert_int_equal(auth_table_find(&table, "ann")->role, AUTH_ADMIN);
    assert_string_equal(auth_table_find(&table, "ann")->hash, BCRYPT);
    assert_int_equal(auth_table_find(&table, "bob")->role, AUTH_READ_ONLY);
    assert_string_equal(auth_table_find(&table, "bob")->hash, YESCRYPT);
    assert_int_equal(auth_table_find(&table, "j\xC3\xBCrgen")->role, AUTH_ADMIN);
    assert_null(auth_table_find(&table, "an"));
    auth_table_fini(&table);
}

static void test_wrong_lines_are_named_and_show_no_hash(void **state UNUSED)
{
    static const struct {
        const char *line;
        const char *why;
    } cases[] = {
        { "ann", "expected user:hash" },
        { ":" BCRYPT, "expected user:hash" },
        { "a b:" BCRYPT, "expected user:hash" },
        { "a\x01:" BCRYPT, "expected user:hash" },
        { "0123456789012345678901234567890123456789012345678901234567890123:" BCRYPT,
          "expected user:hash" },
        { "ann:opensesame", "neither bcrypt" },
        { "ann:$apr1$abcdefgh$abcdefghijklmnopqrstuv", "neither bcrypt" },
        { "ann:{SHA}abcdefghijklmnopqrstuv", "neither bcrypt" },
        { "ann:", "neither bcrypt" },
        { "ann:$2b$04$short", "60 characters" },
        { "ann:$2b$31$./PNdY/G7JW3N2nMcomLwu8FuPXHEyqLqvtstiuXbhawGxsLQwy8e", "from 4 to 14" },
        { "ann:$2b$0x$./PNdY/G7JW3N2nMcomLwu8FuPXHEyqLqvtstiuXbhawGxsLQwy8e", "no bcrypt hash" },
        { "ann:$y$j75", "no yescrypt hash" },
        { "ann:$y$jFT$mQW.NWy5uT6jlnWtfErRp.$Pynp9paq443QzrN7a5yPh1GCpJUluTJI1CbPtAewxV1",
          "cost over 8" },
        { "ann:$2b$04$./PNdY/G7JW3N2nMcomLwu8FuPXHEyqLqvtstiuXbhawGxsLQw!8e", "no bcrypt hash" },
        { "ann:$2b$03$./PNdY/G7JW3N2nMcomLwu8FuPXHEyqLqvtstiuXbhawGxsLQwy8e", "from 4 to 14" },
        { "ann:$y$j75$a$b", "no yescrypt hash" },
        { "ann:" BCRYPT ":root", "the role is neither" },
        { "ann:" BCRYPT ":", "the role is neither" },
        { "bob:" BCRYPT, "has a line already" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CLEANUP(free_charp) char *text = xasprintf("bob:%s\n%s\n", BCRYPT, cases[i].line);
        struct auth_table table;
        struct error error = { ERR_OK, "" };
        if (auth_table_parse(text, strlen(text), &table, &error) != ERR_INVALID) {
            fail_msg("'%s' was taken", cases[i].line);
        }
        if (strncmp(error.text, "line 2: ", 8) != 0 || !strstr(error.text, cases[i].why) ||
            strstr(error.text, "PNdY") || strstr(error.text, "opensesame")) {
            fail_msg("'%s' says: %s", cases[i].line, error.text);
        }
    }
}

static void test_a_file_without_users_is_refused(void **state UNUSED)
{
    static const char *const cases[] = { "", "\n\n", "# ann:x\n" };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct auth_table table;
        struct error error = { ERR_OK, "" };
        assert_int_equal(auth_table_parse(cases[i], strlen(cases[i]), &table, &error), ERR_INVALID);
        assert_string_equal(error.text, "no user in it");
    }
    struct auth_table table;
    assert_int_equal(auth_table_parse("a\0b:c\n", 6, &table, NULL), ERR_INVALID);
}

static void test_passwords_match_their_hashes_only(void **state UNUSED)
{
    static const char *const hashes[] = { BCRYPT, YESCRYPT };
    char longest[PASSWORD_MAX + 2];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i < N_ELEMENTS(hashes); i++) {
        assert_true(password_matches("x", hashes[i]));
        assert_false(password_matches("X", hashes[i]));
        assert_false(password_matches("", hashes[i]));
        assert_false(password_matches(longest, hashes[i]));
    }
}

static void test_a_new_hash_is_usable_and_never_the_same(void **state UNUSED)
{
    char first[HASH_MAX + 1];
    char second[HASH_MAX + 1];
    const char *why = NULL;
    password_hash_make("opensesame", first);
    password_hash_make("opensesame", second);
    assert_true(password_hash_usable(first, &why));
    assert_string_not_equal(first, second);
    assert_true(password_matches("opensesame", first));
    assert_true(password_matches("opensesame", second));
    assert_false(password_matches("opensesam", second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users_roles_and_comments_are_read),
        cmocka_unit_test(test_wrong_lines_are_named_and_show_no_hash),
        cmocka_unit_test(test_a_file_without_users_is_refused),
        cmocka_unit_test(test_passwords_match_their_hashes_only),
        cmocka_unit_test(test_a_new_hash_is_usable_and_never_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
