/* SPDX-License-Identifier: Apache-2.0 */
/* RegexRouter: another topic name, made by a regular expression of Java's. */
#include "worker/base/mem.h"
#include "worker/base/regex.h"
#include "worker/transform/kinds.h"
#include "worker/transform/patterns.h"

static const struct config_def rows[] = {
    { .name = "regex",
      .type = CONFIG_STRING,
      .required = true,
      .check = check_regex,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "Java regular expression; a topic whose whole name matches is replaced." },
    { .name = "replacement",
      .type = CONFIG_STRING,
      .required = true,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "The new name, in which $1 stands for the first group." },
};

struct regex_router {
    struct regex *regex;
    char *replacement;
    struct buf topic;
};

static void close_router(void *state)
{
    struct regex_router *router = state;
    regex_free(router->regex);
    free(router->replacement);
    buf_fini(&router->topic);
    free(router);
}

static enum err open_router(const struct kvs *config, void **ret_state, struct error *reterr)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    CLEANUP(free_charp) char *pattern = config_text(&table, config, "regex");
    struct regex_router *router = xcalloc(1, sizeof(*router));
    buf_init(&router->topic);
    router->replacement = config_text(&table, config, "replacement");
    enum err err = regex_new(pattern, &router->regex, reterr);
    err = err ? err : regex_check_replacement(router->regex, router->replacement, reterr);
    if (err != ERR_OK) {
        close_router(router);
        return err;
    }
    *ret_state = router;
    return ERR_OK;
}

static enum err apply(void *state, struct connect_record *record, struct value *target UNUSED,
                      struct error *reterr)
{
    struct regex_router *router = state;
    bool matched = false;
    buf_clear(&router->topic);
    enum err err = regex_replace(router->regex, record->topic, router->replacement, &matched,
                                 &router->topic, reterr);
    if (err == ERR_OK && matched) {
        record->topic =
            arena_strndup(record->arena, buf_text(&router->topic), router->topic.length);
    }
    return err;
}

const struct transform_kind regex_router_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_router,
    .close = close_router,
    .apply = apply,
};
