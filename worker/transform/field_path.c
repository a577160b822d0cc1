/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of fields. See field_path.h. */
#include "worker/transform/field_path.h"

#include "worker/base/mem.h"

#define PURPOSE "nested field access"

const char *const field_path_versions[] = { "V1", "V2", NULL };

static void add_step(struct field_path *path, const char *text, size_t length)
{
    path->steps = xrealloc(path->steps, (path->n_steps + 1) * sizeof(*path->steps));
    path->steps[path->n_steps++] = xstrndup(text, length);
}

/* The backtick that ends a name: one with a dot or the end behind it, and no backslash before it.
 */
static const char *closing(const char *at)
{
    for (at = strchr(at, '`'); at; at = strchr(at + 1, '`')) {
        if (at[-1] != '\\' && (at[1] == '.' || at[1] == '\0')) {
            return at;
        }
    }
    return NULL;
}

/* A name in backticks: a backslash before a backtick that would end it goes away. */
static void add_quoted(struct field_path *path, const char *from, const char *to)
{
    struct buf name;
    buf_init(&name);
    for (const char *c = from; c < to; c++) {
        bool escape = c[0] == '\\' && c[1] == '`' && c[2] == '.' && c + 2 < to;
        if (!escape) {
            buf_add_char(&name, *c);
        }
    }
    add_step(path, buf_text(&name), name.length);
    buf_fini(&name);
}

static enum err add_steps(struct field_path *path, const char *text, struct error *reterr)
{
    const char *at = text;
    while (*at) {
        const char *end = at[0] == '`' ? closing(at + 1) : strchrnul(at, '.');
        if (!end) {
            return error_set(reterr, ERR_INVALID,
                             "Incomplete backtick pair in path: [%s], consider adding a backslash "
                             "before backtick at position %d to escape it",
                             text, (int)(at - text));
        }
        if (at[0] == '`') {
            add_quoted(path, at + 1, end);
            end++;
        } else {
            add_step(path, at, (size_t)(end - at));
        }
        at = *end ? end + 1 : end;
    }
    if (at > text && at[-1] == '.') {
        add_step(path, "", 0);
    }
    return ERR_OK;
}

enum err field_path_init(struct field_path *path, const char *text, bool nested,
                         struct error *reterr)
{
    *path = (struct field_path){ .steps = NULL };
    enum err err = nested ? add_steps(path, text, reterr) : ERR_OK;
    if (err != ERR_OK) {
        field_path_fini(path);
        return err;
    }
    if (path->n_steps == 0) {
        add_step(path, text, strlen(text));
    }
    return ERR_OK;
}

void field_path_fini(struct field_path *path)
{
    for (size_t i = 0; i < path->n_steps; i++) {
        free(path->steps[i]);
    }
    free(path->steps);
    *path = (struct field_path){ .steps = NULL };
}

const struct schema *field_path_schema(const struct field_path *path, const struct schema *schema)
{
    for (size_t i = 0; i < path->n_steps && schema; i++) {
        int at = schema->type == SCHEMA_STRUCT ? schema_find(schema, path->steps[i]) : -1;
        schema = at < 0 ? NULL : schema->fields[at].schema;
    }
    return schema;
}

static const struct value *step_into(const struct value *value, const char *name, bool plain)
{
    if (value->type == VALUE_STRUCT) {
        int at = schema_find(value->schema, name);
        return at < 0 ? NULL : value_or_default(value, (size_t)at, plain);
    }
    return value_field(value, name);
}

enum err field_path_value(const struct field_path *path, const struct value *value, bool plain,
                          struct value *ret_value, struct error *reterr)
{
    const struct value *current = value;
    bool typed = value->type == VALUE_STRUCT;
    for (size_t i = 0; i < path->n_steps && current && current->type != VALUE_NULL; i++) {
        enum err err = typed ? require_struct(current, PURPOSE, reterr)
                             : require_map(current, PURPOSE, reterr);
        if (err != ERR_OK) {
            return err;
        }
        current = step_into(current, path->steps[i], plain);
    }
    *ret_value = current ? *current : null_value();
    return ERR_OK;
}
