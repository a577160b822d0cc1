/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of transforms, one per file of this folder. */
#pragma once

#include "worker/transform.h"

extern const struct transform_kind cast_kind;
extern const struct transform_kind drop_headers_kind;
extern const struct transform_kind extract_field_kind;
extern const struct transform_kind filter_kind;
extern const struct transform_kind flatten_kind;
extern const struct transform_kind header_from_kind;
extern const struct transform_kind hoist_field_kind;
extern const struct transform_kind insert_field_kind;
extern const struct transform_kind insert_header_kind;
extern const struct transform_kind mask_field_kind;
extern const struct transform_kind regex_router_kind;
extern const struct transform_kind replace_field_kind;
extern const struct transform_kind set_schema_metadata_kind;
extern const struct transform_kind timestamp_converter_kind;
extern const struct transform_kind timestamp_router_kind;
extern const struct transform_kind value_to_key_kind;
