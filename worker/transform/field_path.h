/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of fields inside fields (KIP-821). Thread: the chain's. */
#pragma once

#include "worker/transform/util.h"

/* The row of `field.syntax.version`; see field_path_versions. */
#define FIELD_SYNTAX_KEY "field.syntax.version"
extern const char *const field_path_versions[];

struct field_path {
    char **steps;
    size_t n_steps; /* at least one */
};

/* field_path_init reads a path: one name in version 1, names with dots between them in version 2,
 * where a name in backticks may hold dots. ERR_INVALID: a backtick without its end. */
enum err field_path_init(struct field_path *path, const char *text, bool nested,
                         struct error *reterr) MUST_CHECK;
void field_path_fini(struct field_path *path);
/* field_path_schema returns the schema of the field that the path leads to, NULL if there is none.
 */
const struct schema *field_path_schema(const struct field_path *path, const struct schema *schema);
/* field_path_value sets ret_value to what the path leads to in a struct or map, null if there is
 * none; plain: without the defaults of schemas. ERR_INVALID: a step leads into something else. */
enum err field_path_value(const struct field_path *path, const struct value *value, bool plain,
                          struct value *ret_value, struct error *reterr) MUST_CHECK;
