/* SPDX-License-Identifier: Apache-2.0 */
/* Names of plug-in classes. See class_name.h. */
#include "worker/class_name.h"

#include <string.h>

bool class_name_is(const char *full, const char *given, const char *suffix)
{
    if (strcmp(full, given) == 0) {
        return true;
    }
    /* As in Connect, classes within classes have their full name only. */
    if (strchr(full, '$')) {
        return false;
    }
    const char *dot = strrchr(full, '.');
    const char *simple = dot ? dot + 1 : full;
    if (strcmp(simple, given) == 0) {
        return true;
    }
    size_t length = strlen(simple);
    size_t tail = strlen(suffix);
    if (length <= tail || strcmp(simple + length - tail, suffix) != 0) {
        return false;
    }
    return strlen(given) == length - tail && strncmp(simple, given, length - tail) == 0;
}
