/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a connection's TLS settings: only what is a file is opened. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/mqtt/link.h"

static enum err open_with(const struct mqtt_tls *tls, struct error *reterr)
{
    const struct mqtt_options options = {
        .client_id = "unit",
        .keepalive_s = 60,
        .receive_maximum = 10,
        .tls = *tls,
    };
    const struct link_target target = { "localhost", "127.0.0.1", 1, true, true };
    const struct link_handlers handlers = { .arg = NULL };
    struct link *link = NULL;
    enum err err = link_open(&options, &target, &handlers, &link, reterr);
    link_close(link);
    return err;
}

static void expect(const struct mqtt_tls *tls, const char *path, const char *why)
{
    struct error error = { ERR_OK, "" };
    enum err err = open_with(tls, &error);
    CLEANUP(free_charp) char *text = xasprintf("cannot read the TLS file %s: %s", path, why);
    if (err != ERR_INVALID || strcmp(error.text, text) != 0) {
        fail_msg("%s: %s %s", path, err_name(err), error.text);
    }
}

/* The library would wait at the pipe, and the thread with it. */
static void test_a_path_to_no_file_is_refused_at_once(void **state UNUSED)
{
    char folder[] = "/tmp/sluice-link-XXXXXX";
    assert_non_null(mkdtemp(folder));
    CLEANUP(free_charp) char *fifo = xasprintf("%s/fifo", folder);
    CLEANUP(free_charp) char *good = xasprintf("%s/good", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    FILE *file = fopen(good, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    (void)alarm(60);
    const char *const paths[] = { fifo, "/dev/zero", "/proc/self/environ", folder, "/not/there" };
    for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
        const char *why =
            i == N_ELEMENTS(paths) - 1 ? "No such file or directory" : "it is no regular file";
        expect(&(struct mqtt_tls){ .ca = paths[i] }, paths[i], why);
        expect(&(struct mqtt_tls){ .cert = paths[i], .key = good }, paths[i], why);
        expect(&(struct mqtt_tls){ .cert = good, .key = paths[i] }, paths[i], why);
    }
    (void)unlink(fifo);
    (void)unlink(good);
    (void)rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_path_to_no_file_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
