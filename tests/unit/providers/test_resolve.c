/* SPDX-License-Identifier: Apache-2.0 */
/* What placeholders stand for, provider by provider, as Kafka Connect has it. */
#include <sys/stat.h>

#include "folder.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"
#include "worker/providers/provider.h"
#include "worker/providers/providers.h"

struct fixture {
    struct folder folder;
    struct kvs props;
    struct providers *providers;
};

static void make_providers(struct fixture *fixture)
{
    struct error error;
    providers_free(fixture->providers);
    if (providers_new(&fixture->props, &fixture->providers, &error) != ERR_OK) {
        fail_msg("%s", error.text);
    }
}

static int setup(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    folder_make(&fixture->folder);
    folder_sub(&fixture->folder, "in");
    folder_write(&fixture->folder, "in/a.properties",
                 "user=anna\npassword = open\\u0073esame\ncol:on\\:key=c\nempty=\n"
                 "again=${env:SLUICE_TEST_A}\n");
    folder_write(&fixture->folder, "in/token", "first line\nsecond\n");
    folder_write(&fixture->folder, "out.properties", "password=outside\n");
    kvs_init(&fixture->props);
    kvs_set(&fixture->props, "config.providers", " file, dir ,env");
    kvs_set(&fixture->props, "config.providers.file.class",
            "org.apache.kafka.common.config.provider.FileConfigProvider");
    kvs_set(&fixture->props, "config.providers.dir.class", "DirectoryConfigProvider");
    kvs_set(&fixture->props, "config.providers.env.class", "EnvVarConfigProvider");
    kvs_set(&fixture->props, "config.providers.env.param.allowlist.pattern", "SLUICE_TEST_[AB]");
    CLEANUP(free_charp) char *in = folder_path(&fixture->folder, "in");
    kvs_set(&fixture->props, "config.providers.file.param.allowed.paths", in);
    kvs_set(&fixture->props, "config.providers.dir.param.allowed.paths", in);
    make_providers(fixture);
    assert_int_equal(setenv("SLUICE_TEST_A", "from the environment", 1), 0);
    assert_int_equal(setenv("SLUICE_TEST_C", "not allowed", 1), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    providers_free(fixture->providers);
    kvs_fini(&fixture->props);
    folder_remove(&fixture->folder);
    free(fixture);
    return 0;
}

/* A text with @ for the folder. Owned. */
static char *with_folder(const struct fixture *fixture, const char *text)
{
    struct buf out;
    buf_init(&out);
    buf_add_text(&out, "");
    for (const char *p = text; *p; p++) {
        if (*p == '@') {
            buf_add_text(&out, fixture->folder.path);
        } else {
            buf_add_char(&out, *p);
        }
    }
    return buf_take(&out);
}

static enum err resolve(const struct fixture *fixture, const char *value,
                        struct resolution *ret_resolution, struct error *reterr)
{
    struct kvs config;
    kvs_init(&config);
    CLEANUP(free_charp) char *text = with_folder(fixture, value);
    kvs_set(&config, "key", text);
    enum err err = providers_resolve(fixture->providers, &config, ret_resolution, reterr);
    kvs_fini(&config);
    return err;
}

static void assert_resolved(const struct fixture *fixture, const char *value, const char *expected)
{
    struct resolution resolution;
    struct error error = { ERR_OK, "" };
    if (resolve(fixture, value, &resolution, &error) != ERR_OK) {
        fail_msg("%s: %s", value, error.text);
    }
    CLEANUP(free_charp) char *text = with_folder(fixture, expected);
    assert_string_equal(kvs_get(&resolution.config, "key"), text);
    resolution_fini(&resolution);
}

static void assert_refused(const struct fixture *fixture, const char *value, enum err code,
                           const char *expected)
{
    struct resolution resolution;
    struct error error = { ERR_OK, "" };
    assert_int_equal(resolve(fixture, value, &resolution, &error), code);
    CLEANUP(free_charp) char *text = with_folder(fixture, expected);
    assert_string_equal(error.text, text);
}

static void test_values_of_each_provider(void **state)
{
    static const char *const cases[][2] = {
        { "${file:@/in/a.properties:user}", "anna" },
        { "${file:@/in/a.properties:password}", "opensesame" },
        { "${file:@/in/a.properties:empty}", "" },
        { "${dir:@/in:token}", "first line\nsecond\n" },
        { "${dir:@/in/:token}", "first line\nsecond\n" },
        { "${env:SLUICE_TEST_A}", "from the environment" },
        { "${env::SLUICE_TEST_A}", "from the environment" },
        { "u=${file:@/in/a.properties:user};p=${file:@/in/a.properties:password}!",
          "u=anna;p=opensesame!" },
        { "${file:@/in/a.properties:user}${file:@/in/a.properties:user}", "annaanna" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        assert_resolved(*state, cases[i][0], cases[i][1]);
    }
}

static void test_what_cannot_be_looked_up_stays_as_it_is_written(void **state)
{
    static const char *const texts[] = {
        "${file:@/in/a.properties:none}",
        "${vault:secret/x:key}",
        "${file:user}",
        "${env:SLUICE_TEST_B}",
        "${env:SLUICE_TEST_C}",
        "${dir:@/in:none}",
        "${dir:@/in:../out.properties}",
        "${dir:@/in:in}",
        "${dir:@/in/token:x}",
        "${dir:@/none:x}",
        "${dir::token}",
        "${file:@/out.properties:password}",
        "${file:@/in/../out.properties:password}",
        "${dir:@:out.properties}",
        "${nothing}",
        "${file:@/in/a.properties:user",
        "$file:@/in/a.properties:user}",
        "${File:@/in/a.properties:user}",
        "${ file:@/in/a.properties:user}",
        "${}",
        "${:}",
        "plain",
        "",
    };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        assert_resolved(*state, texts[i], texts[i]);
    }
}

/* KAFKA: "resolved once": what is looked up is no template. */
static void test_nothing_is_resolved_in_what_was_looked_up(void **state)
{
    assert_resolved(*state, "${file:@/in/a.properties:again}", "${env:SLUICE_TEST_A}");
    assert_resolved(*state, "${${env:SLUICE_TEST_A}:x}", "${${env:SLUICE_TEST_A}:x}");
}

static void test_what_cannot_be_read_is_an_error_in_connects_words(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(free_charp) char *fifo = folder_path(&fixture->folder, "in/fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    folder_write_bytes(&fixture->folder, "in/latin1", "a=\xE4\n", 5);
    folder_write(&fixture->folder, "in/escape", "a=\\u12\n");
    static const char *const names[] = { "none", "fifo", "latin1", "escape", "" };
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        CLEANUP(free_charp) char *value = xasprintf("${file:@/in/%s:a}", names[i]);
        CLEANUP(free_charp)
        char *text = xasprintf("Could not read properties from file @/in/%s", names[i]);
        assert_refused(fixture, value, ERR_IO, text);
    }
    assert_refused(fixture, "${dir:@/in:latin1}", ERR_IO,
                   "Could not read file @/in/latin1 for property latin1");
    assert_resolved(fixture, "${dir:@/in:fifo}", "${dir:@/in:fifo}");
    assert_refused(fixture, "${env:x:SLUICE_TEST_A}", ERR_IO,
                   "Path is not supported for EnvVarConfigProvider, invalid value 'x'");
}

static void test_a_worker_without_providers_copies(void **state)
{
    struct fixture *fixture = *state;
    kvs_remove(&fixture->props, "config.providers");
    make_providers(fixture);
    assert_resolved(fixture, "${file:@/in/a.properties:user}", "${file:@/in/a.properties:user}");
    providers_free(TAKE(fixture->providers));
    assert_resolved(fixture, "${env:SLUICE_TEST_A}", "${env:SLUICE_TEST_A}");
}

static void test_without_a_list_every_path_and_variable_is_allowed(void **state)
{
    struct fixture *fixture = *state;
    kvs_remove(&fixture->props, "config.providers.file.param.allowed.paths");
    kvs_remove(&fixture->props, "config.providers.env.param.allowlist.pattern");
    make_providers(fixture);
    assert_resolved(fixture, "${file:@/out.properties:password}", "outside");
    assert_resolved(fixture, "${env:SLUICE_TEST_C}", "not allowed");
    assert_refused(fixture, "${file:/proc/self/environ:PATH}", ERR_IO,
                   "Could not read properties from file /proc/self/environ");
}

/* Names of things are not looked up, whatever they look like. */
static void test_keys_that_name_other_things_are_left_alone(void **state)
{
    struct fixture *fixture = *state;
    static const char *const keys[] = { "name",
                                        "connector.class",
                                        "transforms",
                                        "predicates",
                                        "topic.creation.groups",
                                        "config.providers",
                                        "config.providers.file.class" };
    struct kvs config;
    kvs_init(&config);
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        kvs_set(&config, keys[i], "${env:SLUICE_TEST_A}");
        assert_false(providers_takes(keys[i]));
    }
    kvs_set(&config, "transforms.a.type", "${env:SLUICE_TEST_A}");
    kvs_set(&config, "null", NULL);
    struct resolution resolution;
    struct error error;
    assert_int_equal(providers_resolve(fixture->providers, &config, &resolution, &error), ERR_OK);
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        assert_string_equal(kvs_get(&resolution.config, keys[i]), "${env:SLUICE_TEST_A}");
    }
    assert_string_equal(kvs_get(&resolution.config, "transforms.a.type"), "from the environment");
    assert_true(kvs_has(&resolution.config, "null"));
    assert_null(kvs_get(&resolution.config, "null"));
    resolution_fini(&resolution);
    kvs_fini(&config);
}

static void test_a_resolution_tells_secrets_files_and_what_is_missing(void **state)
{
    struct fixture *fixture = *state;
    struct resolution resolution;
    struct error error;
    assert_int_equal(resolve(fixture,
                             "${file:@/in/a.properties:password} ${dir:@/in:token} ${dir:@/in:none}"
                             " ${env:SLUICE_TEST_B} ${vault:x} ${file:@/out.properties:password}",
                             &resolution, &error),
                     ERR_OK);
    assert_int_equal(resolution.n_missing, 3);
    assert_int_equal(resolution.files.n_items, 3);
    CLEANUP(free_charp) char *path = folder_path(&fixture->folder, "in/a.properties");
    assert_string_equal(resolution.files.items[0], path);
    CLEANUP(free_charp) char *shown = redactions_apply(&resolution.secrets, "<opensesame>");
    CLEANUP(free_charp) char *expected = xasprintf("<${file:%s:password}>", path);
    assert_string_equal(shown, expected);
    resolution_fini(&resolution);
}

static void test_the_bounds_of_a_config_hold(void **state)
{
    struct fixture *fixture = *state;
    char *big = xcalloc(PROVIDERS_MAX_VALUE + 2, 1);
    memset(big, 'x', PROVIDERS_MAX_VALUE);
    folder_write(&fixture->folder, "in/big", big);
    struct resolution resolution;
    struct error error;
    assert_int_equal(resolve(fixture, "${dir:@/in:big}", &resolution, &error), ERR_OK);
    resolution_fini(&resolution);
    assert_int_equal(resolve(fixture, "${dir:@/in:big}${dir:@/in:token}", &resolution, &error),
                     ERR_INVALID);
    assert_non_null(strstr(error.text, "configuration key"));
    free(big);
    struct kvs config;
    kvs_init(&config);
    CLEANUP(free_charp) char *value = with_folder(fixture, "${dir:@/in:big}");
    for (int i = 0; i < 5; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "key%d", i);
        kvs_set(&config, key, value);
    }
    assert_int_equal(providers_resolve(fixture->providers, &config, &resolution, &error),
                     ERR_INVALID);
    kvs_fini(&config);
}

/* Sanitizers make each step some thirty times as slow. */
#ifdef SLUICE_SANITIZED
#define N_FLOOD 10000
#else
#define N_FLOOD 100000
#endif

/* Very many of them in one value: known, unknown and unclosed ones. */
static void test_floods_of_placeholders_end_soon(void **state)
{
    static const struct {
        const char *piece;
        enum err expected;
    } cases[] = {
        { "${env:SLUICE_TEST_A}", ERR_INVALID },
        { "${file:@/in/none:a}", ERR_INVALID },
        { "${no:such:thing}", ERR_OK },
        { "${nothing}", ERR_OK },
        { "${", ERR_OK },
        { "${:", ERR_OK },
        { "${env:", ERR_OK },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct buf flood;
        buf_init(&flood);
        for (int n = 0; n < N_FLOOD; n++) {
            buf_add_text(&flood, cases[i].piece);
        }
        struct resolution resolution;
        struct error error;
        clock_t start = clock(); /* of the processor: others may be busy */
        enum err err = resolve(*state, buf_text(&flood), &resolution, &error);
        assert_int_equal(err, cases[i].expected);
        assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
        if (err == ERR_OK) {
            resolution_fini(&resolution);
        }
        buf_add_char(&flood, '}');
        err = resolve(*state, buf_text(&flood), &resolution, &error);
        if (err == ERR_OK) {
            resolution_fini(&resolution);
        }
        assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
        buf_fini(&flood);
    }
}

static void test_placeholder_next_reads_as_the_expression_does(void **state UNUSED)
{
    struct placeholder found;
    const char *text = "a${b ${c:d:e:f}g";
    assert_true(placeholder_next(text, &found));
    assert_ptr_equal(found.start, text + 1);
    assert_ptr_equal(found.end, text + 15);
    assert_int_equal(found.provider_length, 5);
    assert_memory_equal(found.provider, "b ${c", 5);
    assert_int_equal(found.path_length, 1);
    assert_int_equal(found.key_length, 3);
    assert_memory_equal(found.key, "e:f", 3);
    assert_false(placeholder_next(found.end, &found));
    assert_true(placeholder_next("${x}${a:b}", &found));
    assert_int_equal(found.provider_length, 1);
    assert_memory_equal(found.provider, "a", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        WITH_FOLDER(test_values_of_each_provider),
        WITH_FOLDER(test_what_cannot_be_looked_up_stays_as_it_is_written),
        WITH_FOLDER(test_nothing_is_resolved_in_what_was_looked_up),
        WITH_FOLDER(test_what_cannot_be_read_is_an_error_in_connects_words),
        WITH_FOLDER(test_a_worker_without_providers_copies),
        WITH_FOLDER(test_without_a_list_every_path_and_variable_is_allowed),
        WITH_FOLDER(test_keys_that_name_other_things_are_left_alone),
        WITH_FOLDER(test_a_resolution_tells_secrets_files_and_what_is_missing),
        WITH_FOLDER(test_the_bounds_of_a_config_hold),
        WITH_FOLDER(test_floods_of_placeholders_end_soon),
#undef WITH_FOLDER
        cmocka_unit_test(test_placeholder_next_reads_as_the_expression_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
