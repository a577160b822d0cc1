/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the rules by which a source connector makes topics. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/topic_creation.h"

struct fixture {
    struct kvs worker;
    struct kvs config;
    struct topic_creation *creation;
};

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    kvs_init(&f->worker);
    kvs_set(&f->worker, "bootstrap.servers", "127.0.0.1:1");
    kvs_set(&f->worker, "group.id", "g");
    kvs_init(&f->config);
    kvs_set(&f->config, "topic.creation.default.partitions", "3");
    kvs_set(&f->config, "topic.creation.default.replication.factor", "2");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    topic_creation_close(f->creation);
    kvs_fini(&f->worker);
    kvs_fini(&f->config);
    test_free(f);
    return 0;
}

static struct topic_rule rule_of(struct fixture *f, const char *topic)
{
    struct topic_rule rule = { NULL, 0, 0, NULL };
    if (!f->creation) {
        assert_int_equal(topic_creation_open(&f->worker, &f->config, &f->creation, NULL), ERR_OK);
        assert_non_null(f->creation);
    }
    assert_int_equal(topic_creation_rule(f->creation, topic, &rule, NULL), ERR_OK);
    return rule;
}

static void test_without_rules_nothing_is_made(void **state)
{
    struct fixture *f = *state;
    kvs_remove(&f->config, "topic.creation.default.partitions");
    kvs_remove(&f->config, "topic.creation.default.replication.factor");
    assert_int_equal(topic_creation_open(&f->worker, &f->config, &f->creation, NULL), ERR_OK);
    assert_null(f->creation);
    assert_int_equal(topic_creation_ensure(f->creation, "t", NULL, NULL), ERR_OK);
}

static void test_worker_can_forbid_it(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->worker, "topic.creation.enable", "false");
    assert_int_equal(topic_creation_open(&f->worker, &f->config, &f->creation, NULL), ERR_OK);
    assert_null(f->creation);
}

static void test_default_takes_what_no_group_takes(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "topic.creation.default.compression.type", "lz4");
    struct topic_rule rule = rule_of(f, "anything");
    assert_string_equal(rule.group, "default");
    assert_int_equal(rule.partitions, 3);
    assert_int_equal(rule.replication_factor, 2);
    assert_int_equal(rule.settings->n_items, 1);
    assert_string_equal(kvs_get(rule.settings, "compression.type"), "lz4");
}

static void test_first_group_that_includes_and_does_not_exclude_wins(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "topic.creation.groups", "logs, rest");
    kvs_set(&f->config, "topic.creation.logs.include", "log\\..*, trace");
    kvs_set(&f->config, "topic.creation.logs.exclude", "log\\.raw");
    kvs_set(&f->config, "topic.creation.logs.partitions", "9");
    kvs_set(&f->config, "topic.creation.logs.cleanup.policy", "compact");
    kvs_set(&f->config, "topic.creation.rest.include", "log.*");
    assert_string_equal(rule_of(f, "log.a").group, "logs");
    assert_string_equal(rule_of(f, "trace").group, "logs");
    assert_string_equal(rule_of(f, "tracer").group, "default");
    assert_string_equal(rule_of(f, "log.raw").group, "rest");
    assert_string_equal(kvs_get(rule_of(f, "log.a").settings, "cleanup.policy"), "compact");
    assert_int_equal(rule_of(f, "log.a").partitions, 9);
    /* What a group does not say, default says. */
    assert_int_equal(rule_of(f, "log.a").replication_factor, 2);
    assert_int_equal(rule_of(f, "log.raw").partitions, 3);
    assert_int_equal(rule_of(f, "log.raw").settings->n_items, 0);
}

static void test_pattern_that_is_none_is_named_with_its_key(void **state)
{
    struct fixture *f = *state;
    struct error error = { ERR_OK, "" };
    kvs_set(&f->config, "topic.creation.groups", "g");
    kvs_set(&f->config, "topic.creation.g.include", "a, (b");
    assert_int_equal(topic_creation_open(&f->worker, &f->config, &f->creation, &error),
                     ERR_INVALID);
    assert_non_null(strstr(error.text, "topic.creation.g.include"));
    assert_non_null(strstr(error.text, "(b"));
}

static void test_kafka_that_does_not_answer_is_not_asked_at_once_again(void **state)
{
    struct fixture *f = *state;
    struct error error = { ERR_OK, "" };
    (void)rule_of(f, "t");
    assert_int_equal(topic_creation_ensure(f->creation, "t", NULL, &error), ERR_TIMEOUT);
    uint64_t asked_ms = clock_mono_ms();
    for (int i = 0; i < 100; i++) {
        error.text[0] = '\0';
        uint64_t begin_ms = clock_mono_ms();
        assert_int_equal(topic_creation_ensure(f->creation, "t", NULL, &error), ERR_TIMEOUT);
        assert_true(error.text[0] != '\0');
        /* To ask takes three seconds; where the machine is slow the pause may be over by then. */
        if (clock_mono_ms() - begin_ms >= 3000) {
            assert_true(begin_ms - asked_ms >= 1500);
            asked_ms = clock_mono_ms();
        }
    }
}

static void test_group_of_a_key(void **state)
{
    (void)state;
    const char *name = NULL;
    assert_int_equal(topic_creation_group_of("topic.creation.ab.segment.ms", &name), 2);
    assert_string_equal(name, "segment.ms");
    assert_int_equal(topic_creation_group_of("topic.creation.groups", &name), 0);
    assert_int_equal(topic_creation_group_of("topic.creation..x", &name), 0);
    assert_int_equal(topic_creation_group_of("topic.creation.g.", &name), 0);
    assert_int_equal(topic_creation_group_of("topic.tracking.enable", &name), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_rules_nothing_is_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_worker_can_forbid_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_default_takes_what_no_group_takes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_first_group_that_includes_and_does_not_exclude_wins,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pattern_that_is_none_is_named_with_its_key, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_kafka_that_does_not_answer_is_not_asked_at_once_again,
                                        set_up, tear_down),
        cmocka_unit_test(test_group_of_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
