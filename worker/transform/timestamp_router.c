/* SPDX-License-Identifier: Apache-2.0 */
/* TimestampRouter: a topic name with the record's time in it. */
#include "worker/base/date_format.h"
#include "worker/base/mem.h"
#include "worker/transform/kinds.h"

static const struct config_def rows[] = {
    { .name = "topic.format",
      .type = CONFIG_STRING,
      .default_value = "${topic}-${timestamp}",
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc =
          "The new name, in which ${topic} stands for the topic and ${timestamp} for the time." },
    { .name = "timestamp.format",
      .type = CONFIG_STRING,
      .default_value = "yyyyMMdd",
      .check = check_date_format,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "Pattern of java.text.SimpleDateFormat for the time, which is in UTC." },
};

struct timestamp_router {
    char *topic_format;
    struct date_format *date_format;
    struct buf topic;
    struct buf time;
};

static void close_router(void *state)
{
    struct timestamp_router *router = state;
    free(router->topic_format);
    date_format_free(router->date_format);
    buf_fini(&router->topic);
    buf_fini(&router->time);
    free(router);
}

static enum err open_router(const struct kvs *config, void **ret_state, struct error *reterr)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    CLEANUP(free_charp) char *pattern = config_text(&table, config, "timestamp.format");
    struct timestamp_router *router = xcalloc(1, sizeof(*router));
    buf_init(&router->topic);
    buf_init(&router->time);
    router->topic_format = config_text(&table, config, "topic.format");
    enum err err = date_format_new(pattern, &router->date_format, reterr);
    if (err != ERR_OK) {
        close_router(router);
        return err;
    }
    *ret_state = router;
    return ERR_OK;
}

static enum err apply(void *state, struct connect_record *record, struct value *target UNUSED,
                      struct error *reterr UNUSED)
{
    static const char topic[] = "${topic}";
    static const char timestamp[] = "${timestamp}";
    struct timestamp_router *router = state;
    buf_clear(&router->topic);
    buf_clear(&router->time);
    date_format_add(router->date_format, record->timestamp_ms, &router->time);
    for (const char *p = router->topic_format; *p;) {
        if (strncmp(p, topic, strlen(topic)) == 0) {
            buf_add_text(&router->topic, record->topic);
            p += strlen(topic);
        } else if (strncmp(p, timestamp, strlen(timestamp)) == 0) {
            buf_add_text(&router->topic, buf_text(&router->time));
            p += strlen(timestamp);
        } else {
            buf_add_char(&router->topic, *p++);
        }
    }
    record->topic = arena_strndup(record->arena, buf_text(&router->topic), router->topic.length);
    return ERR_OK;
}

const struct transform_kind timestamp_router_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_router,
    .close = close_router,
    .apply = apply,
};
