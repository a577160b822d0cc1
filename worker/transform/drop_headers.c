/* SPDX-License-Identifier: Apache-2.0 */
/* DropHeaders: headers of these names go. */
#include "worker/base/mem.h"
#include "worker/transform/kinds.h"
#include "worker/transform/util.h"

static const struct config_def rows[] = {
    FILLED_LIST_ROW("headers", "Names of the headers to remove."),
};

static void close_drop(void *state)
{
    config_list_fini(state);
    free(state);
}

static enum err open_drop(const struct kvs *config, void **ret_state, struct error *reterr UNUSED)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    struct config_list *names = xmalloc(sizeof(*names));
    config_list(&table, config, "headers", names);
    *ret_state = names;
    return ERR_OK;
}

static enum err apply(void *state, struct connect_record *record, struct value *target UNUSED,
                      struct error *reterr UNUSED)
{
    size_t n = 0;
    for (size_t i = 0; i < record->n_headers; i++) {
        if (!list_has(state, record->headers[i].name)) {
            record->headers[n++] = record->headers[i];
        }
    }
    record->n_headers = n;
    return ERR_OK;
}

const struct transform_kind drop_headers_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_drop,
    .close = close_drop,
    .apply = apply,
};
