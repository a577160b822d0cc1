/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of when a new config goes over. Readers and configs are stand-ins that are as quiet, or as
 * different, as a test says. */
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/change_cost.h"
#include "worker/connectors/mqtt_source/mqtt_source.h"
#include "worker/connectors/mqtt_source/source_task.h"

struct reader {
    int k;
    bool quiet;
    bool at_rest;
    bool freed;
    unsigned n_adopted;
};

static struct task_update update;
static bool pending;
static bool taken;
static unsigned costs;
static struct setup *next_setup;
const struct connector_plugin mqtt_source_plugin;

unsigned change_costs(const struct connector_plugin *plugin UNUSED, const struct kvs *before UNUSED,
                      const struct kvs *after UNUSED)
{
    return costs;
}

enum task_wanted task_wanted(const struct task_control *control UNUSED)
{
    return TASK_WANTED_RUN;
}

const struct task_update *task_update_pending(struct task_control *control UNUSED)
{
    return pending ? &update : NULL;
}

void task_update_answer(struct task_control *control UNUSED, bool answer)
{
    pending = false;
    taken = answer;
}

enum err setup_new(const struct task_context *context UNUSED, bool with_pipeline UNUSED,
                   struct setup **ret_setup, struct error *reterr UNUSED)
{
    *ret_setup = next_setup;
    return ERR_OK;
}

void setup_free(struct setup *setup UNUSED)
{
}

void setup_keep_pipeline(struct setup *setup UNUSED, struct setup *before UNUSED)
{
}

void source_settings_warn(const struct kvs *config UNUSED, const struct log_ctx *log UNUSED)
{
}

void source_task_parts(struct source_task *task UNUSED, struct reader_parts *ret_parts)
{
    *ret_parts = (struct reader_parts){ .context = NULL };
}

void source_task_add_reader(struct source_task *task UNUSED, int k UNUSED)
{
    fail();
}

void source_task_add_leavers(struct source_task *task UNUSED)
{
}

void reader_adopt(struct reader *reader, const struct reader_parts *parts UNUSED, bool anew UNUSED)
{
    assert_true(reader->quiet);
    reader->n_adopted++;
}

bool reader_at_rest(const struct reader *reader)
{
    return reader->at_rest;
}

bool reader_quiet(const struct reader *reader)
{
    return reader->quiet;
}

int reader_session(const struct reader *reader)
{
    return reader->k;
}

const char *reader_leaving(const struct reader *reader UNUSED)
{
    return NULL;
}

void reader_free(struct reader *reader)
{
    reader->freed = true;
}

static void test_reader_that_gets_messages_while_another_one_closes_is_waited_for(void **state)
{
    (void)state;
    struct kvs config;
    kvs_init(&config);
    char prefix[] = "p";
    int sessions[] = { 0 };
    const struct task_context context = { .connector_config = &config, .task_config = &config };
    struct setup before = { .context = context, .settings = { .prefix = prefix } };
    struct setup after = before;
    after.settings.sessions = sessions;
    after.settings.n_sessions = 1;
    struct reader stays = { .k = 0, .quiet = true };
    struct reader leaves = { .k = 1, .quiet = true };
    struct reader *readers[] = { &stays, &leaves };
    struct pollfd polls[4];
    struct source_task task = {
        .context = &context, .setup = &before, .readers = readers, .n_readers = 2, .polls = polls
    };
    update = (struct task_update){ .connector_config = &config,
                                   .task_config = &config,
                                   .deadline_ms = clock_mono_ms() + 60000 };
    pending = true;
    costs = CONFIG_COST_BIT(PIPELINE);
    next_setup = &after;
    assert_true(live_step(&task, false));
    assert_int_equal(live_wish(&task, &stays), READER_HOLD);
    assert_int_equal(live_wish(&task, &leaves), READER_REST);
    stays.quiet = false;
    leaves.at_rest = true;
    assert_false(live_step(&task, false));
    assert_true(pending);
    assert_false(leaves.freed);
    stays.quiet = true;
    assert_true(live_step(&task, false));
    assert_true(taken);
    assert_int_equal(stays.n_adopted, 1);
    assert_true(leaves.freed);
    assert_int_equal(live_wish(&task, &stays), READER_RUN);
    kvs_fini(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_that_gets_messages_while_another_one_closes_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
