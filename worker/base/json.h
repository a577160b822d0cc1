/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON on top of cJSON: bounded parsing of input from outside, and flat string maps as Kafka
 * Connect's configs are. Thread: any; values belong to their owner.
 */
#pragma once

#include <cjson/cJSON.h>

#include "worker/base/err.h"
#include "worker/base/kvs.h"

/* Of an object that becomes a flat map. */
#define JSON_MAX_MEMBERS 4096

/* json_parse reads length bytes (at most 8 MiB) that hold exactly one JSON value: nothing but white
 * space may follow, nesting is at most 64 deep, strings are well-formed UTF-8 without NUL, object
 * keys occur once, numbers are at most 63 characters long and keep their text (in valuestring).
 * ret_value is owned: cJSON_Delete. Errors: ERR_INVALID with a text that says what is wrong and,
 * but for UTF-8 and keys, at which byte; ERR_TOO_LARGE. */
enum err json_parse(const char *text, size_t length, cJSON **ret_value,
                    struct error *reterr) MUST_CHECK;
/* json_to_kvs adds the members of an object to kvs as Connect does: strings as they are, numbers
 * and booleans as they are written, null as null. Errors: ERR_INVALID for objects and lists as
 * values (naming the key) and for more than JSON_MAX_MEMBERS members; json_to_kvs_most: more than
 * `most`. */
enum err json_to_kvs(const cJSON *object, struct kvs *kvs, struct error *reterr) MUST_CHECK;
enum err json_to_kvs_most(const cJSON *object, int most, struct kvs *kvs,
                          struct error *reterr) MUST_CHECK;
/* json_from_kvs returns a new owned object with the members of kvs. */
cJSON *json_from_kvs(const struct kvs *kvs);
/* json_print returns the owned compact text of value. */
char *json_print(const cJSON *value);
/* json_print_exact does the same with every number that was parsed as it was written. */
char *json_print_exact(const cJSON *value);
/* json_sort puts the members of objects in the order of their names, at every depth. */
void json_sort(cJSON *value);
/* json_string returns the string member `key` of object, NULL if absent or no string. Borrowed. */
const char *json_string(const cJSON *object, const char *key);
/* json_bool returns the boolean member `key`, or `fallback` when absent or no boolean. */
bool json_bool(const cJSON *object, const char *key, bool fallback);
/* json_int returns the integer member `key`, or `fallback` when absent, no number, not integral or
 * beyond 2^53. */
long long json_int(const cJSON *object, const char *key, long long fallback);

/* json_delete is for CLEANUP(json_delete) cJSON *x. */
void json_delete(cJSON **place);
