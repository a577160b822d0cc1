/* SPDX-License-Identifier: Apache-2.0 */
/* The framework's keys of every connector: names, types, defaults, groups, order, width and display
 * names are Kafka Connect's. One list of rows for both kinds, as the parts they share must not
 * differ. */
#include "worker/connector.h"
#include "worker/validate.h"

static const char *const reload_actions[] = { "none", "restart", NULL };
static const char *const tolerances[] = { "none", "all", NULL };
/* In the order and spelling in which Connect lists them. */
static const char *const exactly_once[] = { "REQUIRED", "REQUESTED", NULL };
static const char *const boundaries[] = { "INTERVAL", "POLL", "CONNECTOR", NULL };

/* clang-format off */
#define COMMON_ROWS \
    { .name = "name", \
      .type = CONFIG_STRING, \
      .required = true, \
      .check = validate_name, \
      .importance = CONFIG_HIGH, \
      .group = "Common", \
      .order = 1, \
      .width = CONFIG_WIDTH_MEDIUM, \
      .display_name = "Connector name", \
      .doc = "Name of the connector, unique in the cluster." }, \
    { .name = "connector.class", \
      .type = CONFIG_STRING, \
      .required = true, \
      .importance = CONFIG_HIGH, \
      .group = "Common", \
      .order = 2, \
      .width = CONFIG_WIDTH_LONG, \
      .display_name = "Connector class", \
      .doc = "Class of the connector: its full name, its simple name, or that without " \
             "the ending Connector." }, \
    { .name = "connector.plugin.version", \
      .type = CONFIG_STRING, \
      .cost = CONFIG_COST_NOTHING, \
      .importance = CONFIG_MEDIUM, \
      .group = "Common", \
      .order = 3, \
      .width = CONFIG_WIDTH_MEDIUM, \
      .display_name = "Connector version", \
      .doc = "Version of the connector class that must be there; empty or latest: " \
             "any." }, \
    { .name = "tasks.max", \
      .type = CONFIG_INT, \
      .default_value = "1", \
      .has_min = true, \
      .min = 1, \
      .has_max = true, \
      .max = CONNECTOR_TASKS_LIMIT, \
      .word = CONNECTOR_TASKS_AUTO, \
      .cost = CONFIG_COST_NOTHING, \
      .importance = CONFIG_HIGH, \
      .group = "Common", \
      .order = 4, \
      .width = CONFIG_WIDTH_SHORT, \
      .display_name = "Tasks max", \
      .doc = "Most tasks that this connector is divided into; auto: two for each worker, more and " \
             "fewer with their number." }, \
    { .name = "tasks.max.enforce", \
      .type = CONFIG_BOOLEAN, \
      .default_value = "true", \
      .cost = CONFIG_COST_NOTHING, \
      .importance = CONFIG_LOW, \
      .group = "Common", \
      .order = 5, \
      .width = CONFIG_WIDTH_SHORT, \
      .display_name = "Enforce tasks max", \
      .doc = "Accepted for compatibility: the limit always holds." }, \
    { .name = "key.converter", \
      .type = CONFIG_CLASS, \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_LOW, \
      .group = "Common", \
      .order = 6, \
      .width = CONFIG_WIDTH_SHORT, \
      .display_name = "Key converter class", \
      .doc = "Class that turns record keys into bytes; the worker's when not set." }, \
    { .name = "key.converter.plugin.version", \
      .type = CONFIG_STRING, \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_LOW, \
      .group = "Common", \
      .order = 7, \
      .width = CONFIG_WIDTH_SHORT, \
      .display_name = "Key converter version", \
      .doc = "Version of the key converter that must be there." }, \
    { .name = "value.converter", \
      .type = CONFIG_CLASS, \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_LOW, \
      .group = "Common", \
      .order = 8, \
      .width = CONFIG_WIDTH_SHORT, \
      .display_name = "Value converter class", \
      .doc = "Class that turns record values into bytes; the worker's when not set." }, \
    { .name = "value.converter.plugin.version", \
      .type = CONFIG_STRING, \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_LOW, \
      .group = "Common", \
      .order = 9, \
      .width = CONFIG_WIDTH_SHORT, \
      .display_name = "Value converter version", \
      .doc = "Version of the value converter that must be there." }, \
    { .name = "header.converter", \
      .type = CONFIG_CLASS, \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_LOW, \
      .group = "Common", \
      .order = 10, \
      .width = CONFIG_WIDTH_SHORT, \
      .display_name = "Header converter class", \
      .doc = "Class that turns header values into bytes; the worker's when not set." }, \
    { .name = "header.converter.plugin.version", \
      .type = CONFIG_STRING, \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_LOW, \
      .group = "Common", \
      .order = 11, \
      .width = CONFIG_WIDTH_SHORT, \
      .display_name = "Header converter version", \
      .doc = "Version of the header converter that must be there." }, \
    { .name = "transforms", \
      .type = CONFIG_LIST, \
      .default_value = "", \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_LOW, \
      .group = "Transforms", \
      .order = 12, \
      .width = CONFIG_WIDTH_LONG, \
      .display_name = "Transforms", \
      .doc = "Aliases of the transformations applied to each record, in order." }, \
    { .name = "predicates", \
      .type = CONFIG_LIST, \
      .default_value = "", \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_LOW, \
      .group = "Predicates", \
      .order = 13, \
      .width = CONFIG_WIDTH_LONG, \
      .display_name = "Predicates", \
      .doc = "Aliases of the predicates that transformations refer to." }, \
    { .name = "config.action.reload", \
      .type = CONFIG_STRING, \
      .default_value = "restart", \
      .values = reload_actions, \
      .cost = CONFIG_COST_NOTHING, \
      .importance = CONFIG_LOW, \
      .group = "Common", \
      .order = 14, \
      .width = CONFIG_WIDTH_MEDIUM, \
      .display_name = "Reload Action", \
      .doc = "`restart` restarts the tasks when a file behind a placeholder of a config provider " \
             "has new values; `none` leaves them with the old ones." }, \
    { .name = "errors.retry.timeout", \
      .type = CONFIG_LONG, \
      .default_value = "0", \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_MEDIUM, \
      .group = "Error Handling", \
      .order = 1, \
      .width = CONFIG_WIDTH_MEDIUM, \
      .display_name = "Retry Timeout for Errors", \
      .doc = "Milliseconds for which a failed operation is tried again; -1: for ever, " \
             "0: not at all." }, \
    { .name = "errors.retry.delay.max.ms", \
      .type = CONFIG_LONG, \
      .default_value = "60000", \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_MEDIUM, \
      .group = "Error Handling", \
      .order = 2, \
      .width = CONFIG_WIDTH_MEDIUM, \
      .display_name = "Maximum Delay Between Retries for Errors", \
      .doc = "Longest wait between two tries, in milliseconds." }, \
    { .name = "errors.tolerance", \
      .type = CONFIG_STRING, \
      .default_value = "none", \
      .values = tolerances, \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_MEDIUM, \
      .group = "Error Handling", \
      .order = 3, \
      .width = CONFIG_WIDTH_SHORT, \
      .display_name = "Error Tolerance", \
      .doc = "none: the first record that cannot be processed fails the task; all: " \
             "such records are skipped, or written to the dead letter queue." }, \
    { .name = "errors.log.enable", \
      .type = CONFIG_BOOLEAN, \
      .default_value = "false", \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_MEDIUM, \
      .group = "Error Handling", \
      .order = 4, \
      .width = CONFIG_WIDTH_SHORT, \
      .display_name = "Log Errors", \
      .doc = "Writes each tolerated error to the log." }, \
    { .name = "errors.log.include.messages", \
      .type = CONFIG_BOOLEAN, \
      .default_value = "false", \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_MEDIUM, \
      .group = "Error Handling", \
      .order = 5, \
      .width = CONFIG_WIDTH_SHORT, \
      .display_name = "Log Error Details", \
      .doc = "Adds the record's coordinates to those log lines." },

#define DEAD_LETTER_ROWS \
    { .name = "errors.deadletterqueue.topic.name", \
      .type = CONFIG_STRING, \
      .default_value = "", \
      .check = validate_dlq_topic, \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_MEDIUM, \
      .group = "Error Handling", \
      .order = 6, \
      .width = CONFIG_WIDTH_MEDIUM, \
      .display_name = "Dead Letter Queue Topic Name", \
      .doc = "Kafka topic for records that cannot be processed; empty: none." }, \
    { .name = "errors.deadletterqueue.topic.replication.factor", \
      .type = CONFIG_SHORT, \
      .default_value = "3", \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_MEDIUM, \
      .group = "Error Handling", \
      .order = 7, \
      .width = CONFIG_WIDTH_MEDIUM, \
      .display_name = "Dead Letter Queue Topic Replication Factor", \
      .doc = "Replication factor with which that topic is created when it is missing." }, \
    { .name = "errors.deadletterqueue.context.headers.enable", \
      .type = CONFIG_BOOLEAN, \
      .default_value = "false", \
      .cost = CONFIG_COST_PIPELINE, \
      .importance = CONFIG_MEDIUM, \
      .group = "Error Handling", \
      .order = 8, \
      .width = CONFIG_WIDTH_MEDIUM, \
      .display_name = "Enable Error Context Headers", \
      .doc = "Adds headers that say what went wrong to those records." },
/* clang-format on */

static const struct config_def source_rows[] = {
    COMMON_ROWS DEAD_LETTER_ROWS{
        .name = "topic.creation.groups",
        .type = CONFIG_LIST,
        .default_value = "",
        .cost = CONFIG_COST_PIPELINE,
        .importance = CONFIG_LOW,
        .group = "Topic Creation",
        .order = 1,
        .width = CONFIG_WIDTH_LONG,
        .display_name = "Topic Creation Groups",
        .doc = "Groups of settings for topics that are created, besides default." },
    { .name = "exactly.once.support",
      .type = CONFIG_STRING,
      .default_value = "requested",
      .values = exactly_once,
      .compare = CONFIG_ANY_CASE,
      .importance = CONFIG_MEDIUM,
      .group = "Exactly Once Support",
      .order = 2,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "Exactly once support",
      .doc = "requested: at least once is good enough; required is refused, because "
             "MQTT cannot give it." },
    { .name = "transaction.boundary",
      .type = CONFIG_STRING,
      .default_value = "poll",
      .values = boundaries,
      .compare = CONFIG_ANY_CASE,
      .importance = CONFIG_MEDIUM,
      .group = "Exactly Once Support",
      .order = 3,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "Transaction Boundary",
      .doc = "Accepted for compatibility: there are no transactions." },
    { .name = "transaction.boundary.interval.ms",
      .type = CONFIG_LONG,
      .has_min = true,
      .min = 0,
      .importance = CONFIG_LOW,
      .group = "Exactly Once Support",
      .order = 4,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "Transaction boundary interval",
      .doc = "Accepted for compatibility: there are no transactions." },
    { .name = "offsets.storage.topic",
      .type = CONFIG_STRING,
      .non_empty = true,
      .importance = CONFIG_LOW,
      .group = "offsets.topic",
      .order = 1,
      .width = CONFIG_WIDTH_LONG,
      .display_name = "Offsets topic",
      .doc = "Accepted for compatibility: offsets are kept in the worker's offset "
             "topic." },
};

static const struct config_def sink_rows[] = {
    COMMON_ROWS{ .name = "topics",
                 .type = CONFIG_LIST,
                 .default_value = "",
                 .importance = CONFIG_HIGH,
                 .group = "Common",
                 .order = 4,
                 .width = CONFIG_WIDTH_LONG,
                 .display_name = "Topics",
                 .doc = "Kafka topics to read." },
    { .name = "topics.regex",
      .type = CONFIG_STRING,
      .default_value = "",
      .importance = CONFIG_HIGH,
      .group = "Common",
      .order = 4,
      .width = CONFIG_WIDTH_LONG,
      .display_name = "Topics regex",
      .doc = "Java regular expression of the Kafka topics to read, instead of topics." },
    DEAD_LETTER_ROWS
};

const struct config_table *connector_common_table(enum connector_type type)
{
    static const struct config_table source = CONFIG_TABLE(source_rows);
    static const struct config_table sink = CONFIG_TABLE(sink_rows);
    return type == CONNECTOR_SOURCE ? &source : &sink;
}
