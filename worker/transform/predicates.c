/* SPDX-License-Identifier: Apache-2.0 */
/* The predicates: when a transform is applied. See worker/transform.h. */
#include <string.h>

#include "worker/base/mem.h"
#include "worker/base/regex.h"
#include "worker/class_name.h"
#include "worker/transform.h"
#include "worker/transform/patterns.h"

#define ROOM "org.apache.kafka.connect.transforms.predicates."

/* ---- HasHeaderKey ---- */

static const struct config_def header_rows[] = {
    { .name = "name",
      .type = CONFIG_STRING,
      .required = true,
      .non_empty = true,
      .importance = CONFIG_MEDIUM,
      .order = -1,
      .doc = "Name of the header that a record must have." },
};

static enum err open_header(const struct kvs *config, void **ret_state, struct error *reterr UNUSED)
{
    static const struct config_table table = CONFIG_TABLE(header_rows);
    *ret_state = config_text(&table, config, "name");
    return ERR_OK;
}

static enum err has_header(void *state, const struct connect_record *record, bool *ret_true,
                           struct error *reterr UNUSED)
{
    *ret_true = false;
    for (size_t i = 0; i < record->n_headers; i++) {
        *ret_true = *ret_true || strcmp(record->headers[i].name, state) == 0;
    }
    return ERR_OK;
}

/* ---- RecordIsTombstone ---- */

static enum err is_tombstone(void *state UNUSED, const struct connect_record *record,
                             bool *ret_true, struct error *reterr UNUSED)
{
    *ret_true = record->value.type == VALUE_NULL;
    return ERR_OK;
}

/* ---- TopicNameMatches ---- */

static const struct config_def topic_rows[] = {
    { .name = "pattern",
      .type = CONFIG_STRING,
      .required = true,
      .non_empty = true,
      .check = check_regex,
      .importance = CONFIG_MEDIUM,
      .order = -1,
      .doc = "Java regular expression that the whole name of the record's topic must match." },
};

static enum err open_topic(const struct kvs *config, void **ret_state, struct error *reterr)
{
    static const struct config_table table = CONFIG_TABLE(topic_rows);
    CLEANUP(free_charp) char *pattern = config_text(&table, config, "pattern");
    struct regex *regex = NULL;
    enum err err = regex_new(pattern, &regex, reterr);
    *ret_state = regex;
    return err;
}

static void close_topic(void *state)
{
    regex_free(state);
}

static enum err topic_matches(void *state, const struct connect_record *record, bool *ret_true,
                              struct error *reterr)
{
    return regex_matches(state, record->topic, strlen(record->topic), ret_true, reterr);
}

/* ---- list ---- */

static const struct predicate_plugin plugins[] = {
    { .class_name = ROOM "HasHeaderKey",
      .table = CONFIG_TABLE(header_rows),
      .open = open_header,
      .close = free,
      .test = has_header },
    { .class_name = ROOM "RecordIsTombstone", .test = is_tombstone },
    { .class_name = ROOM "TopicNameMatches",
      .table = CONFIG_TABLE(topic_rows),
      .open = open_topic,
      .close = close_topic,
      .test = topic_matches },
    { .class_name = NULL },
};

const struct predicate_plugin *predicate_plugins(void)
{
    return plugins;
}

const struct predicate_plugin *predicate_find(const char *class_name)
{
    for (const struct predicate_plugin *plugin = plugins; plugin->class_name; plugin++) {
        if (class_name_is(plugin->class_name, class_name, "Predicate")) {
            return plugin;
        }
    }
    return NULL;
}
