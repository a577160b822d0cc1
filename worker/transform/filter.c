/* SPDX-License-Identifier: Apache-2.0 */
/* Filter: drops every record that reaches it; what it is for is its predicate. */
#include "worker/transform/kinds.h"

static enum err apply(void *state UNUSED, struct connect_record *record,
                      struct value *target UNUSED, struct error *reterr UNUSED)
{
    record->dropped = true;
    return ERR_OK;
}

const struct transform_kind filter_kind = { .apply = apply };
