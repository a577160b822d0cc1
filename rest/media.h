/* SPDX-License-Identifier: Apache-2.0 */
/* Media types in Content-Type and Accept. Pure. Thread: any. */
#pragma once

#include <stdbool.h>

/* media_is_json tells whether a Content-Type is JSON's; an absent one (NULL) is. */
bool media_is_json(const char *content_type);
/* media_accepts_json tells whether an Accept header lets JSON through; an absent or empty one does.
 */
bool media_accepts_json(const char *accept);
