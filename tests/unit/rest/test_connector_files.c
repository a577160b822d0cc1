/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /connector-files, and what shows that a connector comes from a file.
 *
 * fakes: fake_cluster
 */
#include "coordinator/config_files.h"
#include "served.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

static const struct file_check no_check = { NULL, NULL };

/* What the state is, and a part of what is said about it. */
static void expect(struct served *served, const char *state, const char *message)
{
    assert_int_equal(served_call(served, "GET", "/connector-files", NULL), 200);
    cJSON *body = served_json(served);
    assert_string_equal(cJSON_GetObjectItem(body, "state")->valuestring, state);
    assert_non_null(strstr(cJSON_GetObjectItem(body, "message")->valuestring, message));
    cJSON_Delete(body);
}

static void mark(struct served *served, const char *connector, const char *file)
{
    struct out_records records;
    out_records_init(&records);
    record_managed(&records, connector, file);
    fake_log_add(served->log, &records);
}

static void test_it_is_off_unless_asked_for(void **state)
{
    expect(*state, "off", "connectors.dir is not set");
}

static void test_states_of_folder_and_files_are_told(void **state)
{
    struct served *served = *state;
    struct cluster_files files = { .enabled = true, .folder = "/etc/files" };
    fake_cluster_files(served->cluster, &files);
    expect(served, "unreadable", "not yet");
    files.set = file_set_new();
    file_set_fail(files.set, "Permission denied");
    file_set_finish(files.set, &no_check);
    fake_cluster_files(served->cluster, &files);
    expect(served, "unreadable", "Permission denied");
    file_set_unref(files.set);

    files.set = file_set_new();
    static const char text[] = "{\"connector.class\":\"MqttSource\"}";
    file_set_add(files.set, "a.json", text, strlen(text), NULL);
    file_set_add(files.set, "b.json", "{", 1, NULL);
    file_set_finish(files.set, &no_check);
    fake_cluster_files(served->cluster, &files);
    expect(served, "waiting", "not known yet");
    (void)snprintf(files.other, sizeof(files.other), "other:1");
    fake_cluster_files(served->cluster, &files);
    expect(served, "waiting", "other:1 has other ones");
    files.agreed = true;
    fake_cluster_files(served->cluster, &files);
    served_create(served, "a");
    served_create(served, "old");
    mark(served, "old", "old.json");
    expect(served, "pending", "not yet");
    assert_non_null(strstr(served->response.body, "{\"file\":\"a.json\",\"connector\":\"a\","
                                                  "\"state\":\"conflict\""));
    assert_non_null(strstr(served->response.body, "{\"file\":\"b.json\",\"connector\":\"b\","
                                                  "\"state\":\"invalid\",\"message\":"));
    assert_non_null(strstr(served->response.body, "\"leaving\":[\"old\"]"));
    fake_cluster_files(served->cluster, &(struct cluster_files){ .enabled = false });
    file_set_unref(files.set);
}

static void test_a_connector_of_a_file_says_so(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    assert_int_equal(served_call(served, "GET", "/connectors/a", NULL), 200);
    assert_null(served_header(served, "X-Sluice-Managed-By"));
    mark(served, "a", "a.json");
    assert_int_equal(served_call(served, "GET", "/connectors/a", NULL), 200);
    assert_string_equal(served_header(served, "X-Sluice-Managed-By"), "file");
}

static void test_a_refusal_names_the_file_and_is_no_reason_to_try_again(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    fake_cluster_fail(served->cluster, ERR_MANAGED, 1);
    assert_int_equal(served_call(served, "DELETE", "/connectors/a", NULL), 409);
    assert_int_equal(served_call(served, "DELETE", "/connectors/a", NULL), 204);
}

#define served_test(name) cmocka_unit_test_setup_teardown(name, served_setup, served_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        served_test(test_it_is_off_unless_asked_for),
        served_test(test_states_of_folder_and_files_are_told),
        served_test(test_a_connector_of_a_file_says_so),
        served_test(test_a_refusal_names_the_file_and_is_no_reason_to_try_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
