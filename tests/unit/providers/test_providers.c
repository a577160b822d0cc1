/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker's properties may say about config providers. */
#include "folder.h"
#include "tests/support/capture.h"
#include "tests/support/unit.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/providers/providers.h"

static void set_all(struct kvs *props, const char *const (*pairs)[2], size_t n)
{
    kvs_init(props);
    for (size_t i = 0; i < n; i++) {
        kvs_set(props, pairs[i][0], pairs[i][1]);
    }
}

/* Checks properties; the log lines are in ret_log, owned. */
static enum err check(const struct kvs *props, struct error *reterr, char **ret_log)
{
    struct capture capture;
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    capture_start(&capture);
    enum err err = providers_check(props, reterr);
    *ret_log = capture_stop(&capture);
    return err;
}

static void assert_refused(const char *const (*pairs)[2], size_t n, const char *expected)
{
    struct kvs props;
    set_all(&props, pairs, n);
    struct error error = { ERR_OK, "" };
    char *log = NULL;
    assert_int_equal(check(&props, &error, &log), ERR_INVALID);
    if (!strstr(error.text, expected)) {
        fail_msg("%s", error.text);
    }
    free(log);
    kvs_fini(&props);
}

static void test_what_is_wrong_is_named_with_its_mend(void **state UNUSED)
{
    static const char *const no_class[][2] = { { "config.providers", "file" } };
    static const char *const unknown[][2] = { { "config.providers", "vault" },
                                              { "config.providers.vault.class", "x.Vault" } };
    static const char *const relative[][2] = {
        { "config.providers", "file" },
        { "config.providers.file.class", "FileConfigProvider" },
        { "config.providers.file.param.allowed.paths", "/tmp,secrets" },
    };
    static const char *const gone[][2] = {
        { "config.providers", "file" },
        { "config.providers.file.class", "FileConfigProvider" },
        { "config.providers.file.param.allowed.paths", "/tmp, /no/such/place" },
    };
    static const char *const pattern[][2] = {
        { "config.providers", "env" },
        { "config.providers.env.class", "EnvVarConfigProvider" },
        { "config.providers.env.param.allowlist.pattern", "A(" },
    };
    assert_refused(no_class, N_ELEMENTS(no_class),
                   "Missing required configuration \"config.providers.file.class\"");
    assert_refused(unknown, N_ELEMENTS(unknown),
                   "Invalid value x.Vault for configuration config.providers.vault.class: Class "
                   "x.Vault could not be found. Use FileConfigProvider,");
    assert_refused(relative, N_ELEMENTS(relative), "Path secrets is not absolute");
    assert_refused(gone, N_ELEMENTS(gone), "Path /no/such/place does not exist");
    assert_refused(pattern, N_ELEMENTS(pattern), "param.allowlist.pattern: Invalid regular");
}

static void test_providers_that_read_everything_are_warned_of(void **state UNUSED)
{
    static const char *const open[][2] = {
        { "config.providers", "f,d,e" },
        { "config.providers.f.class", " FileConfigProvider " },
        { "config.providers.d.class", "DirectoryConfigProvider" },
        { "config.providers.e.class", "EnvVarConfigProvider" },
    };
    struct kvs props;
    set_all(&props, open, N_ELEMENTS(open));
    struct error error;
    char *log = NULL;
    assert_int_equal(check(&props, &error, &log), ERR_OK);
    assert_non_null(strstr(log, "config.providers.f.param.allowed.paths"));
    assert_non_null(strstr(log, "config.providers.d.param.allowed.paths"));
    assert_non_null(strstr(log, "config.providers.e.param.allowlist.pattern"));
    free(log);
    kvs_set(&props, "config.providers.f.param.allowed.paths", "/tmp");
    kvs_set(&props, "config.providers.d.param.allowed.paths", "/tmp");
    kvs_set(&props, "config.providers.e.param.allowlist.pattern", "X.*");
    assert_int_equal(check(&props, &error, &log), ERR_OK);
    assert_string_equal(log, "");
    free(log);
    kvs_fini(&props);
}

static void test_a_name_twice_is_one_provider(void **state UNUSED)
{
    static const char *const twice[][2] = {
        { "config.providers", "env,,env" },
        { "config.providers.env.class", "EnvVarConfigProvider" },
    };
    struct kvs props;
    set_all(&props, twice, N_ELEMENTS(twice));
    struct error error;
    CLEANUP(providers_freep) struct providers *providers = NULL;
    assert_int_equal(providers_new(&props, &providers, &error), ERR_OK);
    assert_true(providers_refers(providers, "x${env:A}"));
    assert_true(providers_refers(providers, "${no:A}${env:A}"));
    assert_false(providers_refers(providers, "${no:A}"));
    assert_false(providers_refers(providers, NULL));
    assert_false(providers_refers(NULL, "${env:A}"));
    kvs_fini(&props);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_wrong_is_named_with_its_mend),
        cmocka_unit_test(test_providers_that_read_everything_are_warned_of),
        cmocka_unit_test(test_a_name_twice_is_one_provider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
