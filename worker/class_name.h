/* SPDX-License-Identifier: Apache-2.0 */
/* Names of plug-in classes as Kafka Connect accepts them. Thread: any. */
#pragma once

#include <stdbool.h>

/* class_name_is tells whether `given` means the class `full`: the full name, the simple name
 * (behind the last dot), or the simple name without `suffix` ("Converter", say). */
bool class_name_is(const char *full, const char *given, const char *suffix);
