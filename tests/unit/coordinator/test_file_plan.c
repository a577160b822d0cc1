/* SPDX-License-Identifier: Apache-2.0 */
/* What is done so that connectors are as their files say: tables of what is there and wanted. */
#include "coordinator/cluster.h"
#include "coordinator/file_plan.h"
#include "tests/support/unit.h"
#include "tests/unit/coordinator/fold.h"
#include "worker/base/buf.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

static const struct file_check no_check = { NULL, NULL };

struct fixture {
    struct config_state *state;
    struct snapshot *snapshot;
    struct file_set *set;
    int64_t next_offset;
};

static void fold(struct fixture *f, const char *key, const char *value)
{
    enum log_topic topic = strncmp(key, "files-", 6) == 0 ? LOG_TOPIC_STATUS : LOG_TOPIC_CONFIG;
    (void)fold_record(f->state, &f->next_offset, topic, key, value);
    snapshot_unref(f->snapshot);
    f->snapshot = config_state_snapshot(f->state);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->state = config_state_new();
    config_state_caught_up(f->state);
    f->snapshot = config_state_snapshot(f->state);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    snapshot_unref(f->snapshot);
    config_state_free(f->state);
    file_set_unref(f->set);
    free(f);
    return 0;
}

#define MAX_FILES 4

/* What a test's files are: name, text, ... */
static void give(struct fixture *f, const char *const files[2 * MAX_FILES])
{
    file_set_unref(f->set);
    f->set = file_set_new();
    for (size_t i = 0; i < 2 * MAX_FILES && files[i]; i += 2) {
        if (strcmp(files[i], FILE_SET_MARKER) == 0) {
            file_set_mark(f->set);
        } else {
            file_set_add(f->set, files[i], files[i + 1], strlen(files[i + 1]), NULL);
        }
    }
    file_set_finish(f->set, &no_check);
}

/* The plan as text: "create a, delete b". */
static char *plan_text(const struct fixture *f, bool may_delete, bool prune)
{
    static const char *const names[] = { "create", "update", "state", "mark", "delete", "release" };
    struct file_plan_options options = { .prune = prune, .may_delete = may_delete };
    struct file_plan plan;
    struct buf text;
    buf_init(&text);
    file_plan_make(f->snapshot, f->set, &options, &plan);
    for (size_t i = 0; i < plan.n_actions; i++) {
        buf_printf(&text, "%s%s %s", i > 0 ? ", " : "", names[plan.actions[i].kind],
                   plan.actions[i].connector);
    }
    file_plan_fini(&plan);
    return buf_take(&text);
}

/* Carries out what is planned, into the state. */
static void carry_out(struct fixture *f)
{
    struct file_plan_options options = { .prune = true, .may_delete = true };
    struct file_plan plan;
    struct out_records records;
    out_records_init(&records);
    file_plan_make(f->snapshot, f->set, &options, &plan);
    for (size_t i = 0; i < plan.n_actions; i++) {
        assert_int_equal(file_plan_records(f->snapshot, &plan.actions[i], 7, "7", &records),
                         ERR_OK);
    }
    for (size_t i = 0; i < records.n_items; i++) {
        fold(f, records.items[i].key, records.items[i].value);
    }
    file_plan_fini(&plan);
    out_records_fini(&records);
}

#define A_X    "{\"properties\":{\"name\":\"a\",\"x\":\"1\"}}"
#define MARK_A "{\"managed-by\":\"file\",\"file\":\"a.json\"}"

static const struct {
    const char *records[6]; /* key, value, ... */
    const char *files[2 * MAX_FILES];
    bool may_delete;
    bool keeps; /* connectors.dir.prune is false */
    const char *plan;
} plan_cases[] = {
    /* nothing there */
    { { NULL }, { "a.json", "{\"x\":\"1\"}" }, true, false, "create a" },
    { { NULL }, { "a.json", "{\"x\":" }, true, false, "" },
    { { NULL }, { NULL }, true, false, "" },
    /* there, and made by a file */
    { { "connector-a", A_X, "managed-a", MARK_A }, { "a.json", "{\"x\":\"1\"}" }, true, false, "" },
    { { "connector-a", A_X, "managed-a", MARK_A },
      { "a.json", "{\"x\":\"2\"}" },
      false,
      false,
      "update a" },
    { { "connector-a", A_X, "managed-a", MARK_A },
      { "b.json", "{\"name\":\"a\",\"x\":\"1\"}" },
      true,
      false,
      "mark a" },
    { { "connector-a", A_X, "managed-a", MARK_A },
      { "a.json", "{\"config\":{\"x\":\"1\"},\"state\":\"STOPPED\"}" },
      true,
      false,
      "state a" },
    { { "connector-a", A_X, "managed-a", MARK_A },
      { "a.json", "{\"config\":{\"x\":\"1\"},\"initial_state\":\"STOPPED\"}" },
      true,
      false,
      "" },
    /* there, and nobody's */
    { { "connector-a", A_X }, { "a.json", "{\"x\":\"1\"}" }, true, false, "" },
    { { "connector-a", A_X },
      { "a.json", "{\"config\":{\"x\":\"1\"},\"adopt\":true}" },
      true,
      false,
      "mark a" },
    { { "connector-a", A_X },
      { "a.json", "{\"config\":{\"x\":\"2\"},\"adopt\":true}" },
      true,
      false,
      "update a" },
    { { "connector-a", A_X }, { "b.json", "{}" }, true, false, "create b" },
    { { "connector-a", A_X }, { FILE_SET_MARKER, "" }, true, false, "" },
    /* its file is gone */
    { { "connector-a", A_X, "managed-a", MARK_A }, { "b.json", "{" }, true, false, "delete a" },
    { { "connector-a", A_X, "managed-a", MARK_A }, { "b.json", "{" }, false, false, "" },
    { { "connector-a", A_X, "managed-a", MARK_A }, { "b.json", "{" }, true, true, "release a" },
    { { "connector-a", A_X, "managed-a", MARK_A },
      { FILE_SET_MARKER, "" },
      true,
      false,
      "delete a" },
    /* the folder is empty, perhaps not there yet */
    { { "connector-a", A_X, "managed-a", MARK_A }, { NULL }, true, false, "" },
    /* its file is bad */
    { { "connector-a", A_X, "managed-a", MARK_A }, { "a.json", "{" }, true, false, "" },
    { { "connector-z", "{\"properties\":{\"name\":\"z\"}}", "managed-z", MARK_A },
      { "a.json", "{" },
      true,
      false,
      "" },
    /* somebody has deleted it past its file */
    { { "managed-a", MARK_A }, { "a.json", "{\"x\":\"1\"}" }, true, false, "create a" },
    { { "managed-a", MARK_A }, { "b.json", "{" }, true, false, "release a" },
};

static void test_the_plan_follows_what_is_there_and_wanted(void **state UNUSED)
{
    for (size_t i = 0; i < N_ELEMENTS(plan_cases); i++) {
        void *made = NULL;
        assert_int_equal(setup(&made), 0);
        struct fixture *f = made;
        for (size_t r = 0; r < N_ELEMENTS(plan_cases[i].records) && plan_cases[i].records[r];
             r += 2) {
            fold(f, plan_cases[i].records[r], plan_cases[i].records[r + 1]);
        }
        give(f, plan_cases[i].files);
        CLEANUP(free_charp)
        char *text = plan_text(f, plan_cases[i].may_delete, !plan_cases[i].keeps);
        if (strcmp(text, plan_cases[i].plan) != 0) {
            fail_msg("case %zu: \"%s\" in place of \"%s\"", i, text, plan_cases[i].plan);
        }
        /* What is planned, done, leaves nothing to be done. */
        carry_out(f);
        CLEANUP(free_charp) char *rest = plan_text(f, true, true);
        assert_string_equal(rest, "");
        assert_int_equal(teardown(&made), 0);
    }
}

static void test_a_folder_that_cannot_be_read_deletes_nothing(void **state)
{
    struct fixture *f = *state;
    fold(f, "connector-a", A_X);
    fold(f, "managed-a", MARK_A);
    f->set = file_set_new();
    file_set_mark(f->set);
    file_set_fail(f->set, "Input/output error");
    file_set_finish(f->set, &no_check);
    CLEANUP(free_charp) char *text = plan_text(f, true, true);
    assert_string_equal(text, "");
    assert_int_equal(file_plan_leaving(f->snapshot, f->set), 0);
}

static void test_what_is_made_has_config_state_and_mark(void **state)
{
    struct fixture *f = *state;
    static const char *const files[2 * MAX_FILES] = {
        "f.json", "{\"name\":\"a\",\"config\":{\"x\":\"1\"},\"state\":\"PAUSED\"}", NULL
    };
    give(f, files);
    carry_out(f);
    const struct connector_state *a = snapshot_find(f->snapshot, "a");
    assert_string_equal(kvs_get(&a->config, "x"), "1");
    assert_int_equal(a->target, TARGET_PAUSED);
    assert_string_equal(managed_file(a->managed), "f.json");
}

static void test_workers_agree_when_all_that_speak_say_the_same(void **state)
{
    struct fixture *f = *state;
    static char me[] = "h:1", mine[] = "1-a", digest[] = "x";
    const struct files_notice own = { me, mine, digest };
    struct group_member members[3] = { { .n_slots = 0 } };
    (void)snprintf(members[0].client_id, sizeof(members[0].client_id), "http://h:1#1-a");
    (void)snprintf(members[1].client_id, sizeof(members[1].client_id), "http://h:2#1-b");
    (void)snprintf(members[2].client_id, sizeof(members[2].client_id), "http://h:3#1-c");
    struct membership membership;
    membership_init(&membership);
    membership_set(&membership, members, 3);
    static const struct {
        const char *key;
        const char *value;
        const char *other; /* NULL: they agree */
    } steps[] = {
        { "files-h:1", "{\"instance\":\"1-a\",\"digest\":\"old\"}", NULL }, /* our own, late */
        { "files-h:2", "{\"instance\":\"1-b\",\"digest\":\"x\"}", NULL },
        { "files-h:4", "{\"instance\":\"1-d\",\"digest\":\"y\"}", NULL }, /* not in the group */
        { "files-h:3", "{\"instance\":\"0-z\",\"digest\":\"y\"}", NULL }, /* an earlier life */
        { "files-h:3", "{\"instance\":\"1-c\",\"digest\":\"y\"}", "h:3" },
        { "files-h:3", "{\"instance\":\"1-c\",\"digest\":\"unreadable\"}", "h:3" },
        { "files-h:3", "{\"instance\":\"1-c\",\"digest\":\"x\"}", NULL },
    };
    for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
        const char *other = NULL;
        fold(f, steps[i].key, steps[i].value);
        bool agree = file_sets_agree(f->snapshot->notices, &membership, &own, &other);
        assert_int_equal(agree, steps[i].other == NULL);
        if (other || steps[i].other) {
            assert_string_equal(other, steps[i].other);
        }
    }
    membership_fini(&membership);
}

static void test_changes_of_what_a_file_says_are_refused(void **state)
{
    struct fixture *f = *state;
    fold(f, "connector-a", A_X);
    fold(f, "managed-a", MARK_A);
    fold(f, "connector-free", A_X);
    fold(f, "connector-orphan", A_X);
    fold(f, "managed-orphan", "{\"file\":\"gone.json\"}");
    static const char *const files[2 * MAX_FILES] = {
        "a.json",    "{\"config\":{\"x\":\"1\"},\"state\":\"RUNNING\"}",
        "free.json", "{\"x\":\"1\"}",
        "soon.json", "{\"x\":\"1\"}",
    };
    give(f, files);
    static const struct {
        const char *name;
        enum cluster_change change;
        const char *file; /* NULL: allowed */
    } cases[] = {
        { "a", CHANGE_PUT_CONFIG, "a.json" },
        { "a", CHANGE_DELETE, "a.json" },
        { "a", CHANGE_TARGET, "a.json" },
        { "a", CHANGE_CREATE, "a.json" },
        { "a", CHANGE_RESTART, NULL },
        { "a", CHANGE_RESTART_TASK, NULL },
        { "a", CHANGE_OFFSETS, NULL },
        { "free", CHANGE_PUT_CONFIG, NULL },
        { "free", CHANGE_DELETE, NULL },
        { "orphan", CHANGE_DELETE, "gone.json" },
        { "orphan", CHANGE_TARGET, NULL },
        { "soon", CHANGE_CREATE, "soon.json" },
        { "soon", CHANGE_PUT_CONFIG, "soon.json" },
        { "soon", CHANGE_DELETE, NULL },
        { "else", CHANGE_CREATE, NULL },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct cluster_request request = { .change = cases[i].change, .name = cases[i].name };
        struct error error = { ERR_OK, "" };
        bool refused = file_refuses(f->snapshot, f->set, &request, &error);
        assert_int_equal(refused, cases[i].file != NULL);
        if (refused) {
            assert_int_equal(error.code, ERR_MANAGED);
            assert_non_null(strstr(error.text, cases[i].file));
            /* A file that is gone cannot be changed there. */
            bool gone = strcmp(cases[i].file, "gone.json") == 0;
            assert_int_equal(strstr(error.text, "not there any more") != NULL, gone);
            assert_int_equal(strstr(error.text, FILE_SET_MARKER) != NULL, gone);
        }
    }
    struct cluster_request request = { .change = CHANGE_DELETE, .name = "a" };
    assert_true(file_refuses(f->snapshot, NULL, &request, NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_plan_follows_what_is_there_and_wanted),
        TEST(test_a_folder_that_cannot_be_read_deletes_nothing),
        TEST(test_what_is_made_has_config_state_and_mark),
        TEST(test_workers_agree_when_all_that_speak_say_the_same),
        TEST(test_changes_of_what_a_file_says_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
