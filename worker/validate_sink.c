/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of sink connectors: which topics, which dead letter queue, which group. See validate.h. */
#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/base/regex.h"
#include "worker/validate.h"

static char *text_of(const struct validation *v, const char *key)
{
    char *text = config_text(connector_common_table(CONNECTOR_SINK), v->config, key);
    return text ? text : xstrdup("");
}

static void topics_error(const struct validation *v, const char *text)
{
    static const char *const keys[] = { "topics", "topics.regex" };
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        config_value_error(validate_entry(v, keys[i]), "%s", text);
    }
}

static void join(const struct config_list *list, struct buf *out)
{
    for (size_t i = 0; i < list->n_items; i++) {
        buf_printf(out, "%s%s", i == 0 ? "" : ", ", list->items[i]);
    }
}

static void check_dlq_list(const struct validation *v, const char *dlq,
                           const struct config_list *topics)
{
    struct buf text;
    buf_init(&text);
    join(topics, &text);
    for (size_t i = 0; i < topics->n_items; i++) {
        if (strcmp(topics->items[i], dlq) == 0) {
            config_value_error(validate_entry(v, "topics"),
                               "The DLQ topic '%s' may not be included in the list of topics "
                               "('topics=[%s]') consumed by the connector",
                               dlq, buf_text(&text));
            break;
        }
    }
    buf_fini(&text);
}

static void check_pattern(const struct validation *v, const char *text, const char *dlq)
{
    struct error error = { ERR_OK, "" };
    CLEANUP(regex_freep) struct regex *pattern = NULL;
    bool matches = false;
    if (regex_new(text, &pattern, &error) != ERR_OK) {
        config_value_error(validate_entry(v, "topics.regex"),
                           "Invalid value %s for configuration topics.regex: %s", text, error.text);
    } else if (dlq[0] && regex_matches(pattern, dlq, strlen(dlq), &matches, &error) == ERR_OK &&
               matches) {
        config_value_error(validate_entry(v, "topics.regex"),
                           "The DLQ topic '%s' may not be matched by the regex for the topics "
                           "('topics.regex=%s') consumed by the connector",
                           dlq, text);
    }
}

static void check_topics(const struct validation *v)
{
    CLEANUP(free_charp) char *names = text_of(v, "topics");
    CLEANUP(free_charp) char *pattern = text_of(v, "topics.regex");
    CLEANUP(free_charp) char *dlq = text_of(v, "errors.deadletterqueue.topic.name");
    struct config_list topics;
    config_list_split(names, &topics);
    if (topics.n_items == 0 && pattern[0] == '\0') {
        topics_error(v, "Must configure one of topics or topics.regex");
    } else if (topics.n_items > 0 && pattern[0] != '\0') {
        topics_error(v,
                     "topics and topics.regex are mutually exclusive options, but both are set.");
    } else if (pattern[0] != '\0') {
        check_pattern(v, pattern, dlq);
    } else if (dlq[0]) {
        check_dlq_list(v, dlq, &topics);
    }
    config_list_fini(&topics);
}

/* A sink that joined the workers' group would break the cluster. */
static void check_group(const struct validation *v)
{
    const char *workers = kvs_get(v->worker_props, "group.id");
    const char *name = kvs_get(v->config, "name");
    const char *given = kvs_get(v->config, "consumer.override.group.id");
    if (!workers) {
        return;
    }
    if (given && strcmp(given, workers) == 0) {
        config_value_error(validate_entry(v, "consumer.override.group.id"),
                           "Consumer group %s conflicts with Connect worker group %s", given,
                           workers);
    } else if (!given && name && strncmp(workers, "connect-", 8) == 0 &&
               strcmp(workers + 8, name) == 0) {
        config_value_error(validate_entry(v, "name"),
                           "Consumer group for sink connector named %s conflicts with Connect "
                           "worker group %s",
                           name, workers);
    }
}

void validate_sink_keys(const struct validation *v)
{
    check_topics(v);
    check_group(v);
}
