/* SPDX-License-Identifier: Apache-2.0 */
/* InsertHeader: a header with a fixed value, whose type follows from its text. */
#include "worker/base/mem.h"
#include "worker/convert/header_text.h"
#include "worker/transform/kinds.h"
#include "worker/transform/util.h"

static const struct config_def rows[] = {
    { .name = "header",
      .type = CONFIG_STRING,
      .required = true,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "Name of the header." },
    { .name = "value.literal",
      .type = CONFIG_STRING,
      .required = true,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "The value as text, e.g. 5, true, word, [1,2]." },
};

struct insert_header {
    char *name;
    char *literal;
    struct arena arena; /* of the value */
    struct value value;
};

static void close_insert(void *state)
{
    struct insert_header *insert = state;
    free(insert->name);
    free(insert->literal);
    arena_fini(&insert->arena);
    free(insert);
}

static enum err open_insert(const struct kvs *config, void **ret_state, struct error *reterr UNUSED)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    struct insert_header *insert = xcalloc(1, sizeof(*insert));
    arena_init(&insert->arena);
    insert->name = config_text(&table, config, "header");
    insert->literal = config_text(&table, config, "value.literal");
    header_text_parse(insert->literal, strlen(insert->literal), &insert->arena, &insert->value);
    *ret_state = insert;
    return ERR_OK;
}

static enum err apply(void *state, struct connect_record *record, struct value *target UNUSED,
                      struct error *reterr)
{
    const struct insert_header *insert = state;
    return add_header(record, insert->name, &insert->value, reterr);
}

const struct transform_kind insert_header_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_insert,
    .close = close_insert,
    .apply = apply,
};
