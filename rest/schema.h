/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types of the REST interface's bodies, as rows, for the OpenAPI document. Pure. Thread: any.
 *
 * A type is written
 *   string integer number boolean any  as in JSON; scalar: a string, number or boolean
 *   text label                    a string, a scalar without control characters
 *   A|B|C                         one of these strings
 *   [T]  {T}                      a list of T, an object with values T
 *   Name                          an object of the table in schema.c, by its name
 *   T?                            T or null
 */
#pragma once

#include <cjson/cJSON.h>

/* schema_of returns the JSON schema of a type, owned; NULL when the text is no type. */
cJSON *schema_of(const char *type);
/* schema_components returns an object with the schemas of all named types, owned. */
cJSON *schema_components(void);
