/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the converter table, and what converters share. */
#pragma once

#include "worker/convert.h"

extern const struct converter_plugin boolean_converter;
extern const struct converter_plugin byte_array_converter;
extern const struct converter_plugin double_converter;
extern const struct converter_plugin float_converter;
extern const struct converter_plugin integer_converter;
extern const struct converter_plugin json_converter;
extern const struct converter_plugin long_converter;
extern const struct converter_plugin short_converter;
extern const struct converter_plugin simple_header_converter;
extern const struct converter_plugin string_converter;

/* What `converter.type` may be. */
extern const char *const converter_types[];
/* The key that Connect's converters have in common; nobody sets it, as the place in which a
 * converter is used says it. */
#define CONVERTER_TYPE_ROW                                                                         \
    {                                                                                              \
        .name = "converter.type", .type = CONFIG_STRING, .required = true,                         \
        .values = converter_types, .importance = CONFIG_LOW, .order = -1,                          \
        .doc = "What the converter is used for; set by the worker."                                \
    }
