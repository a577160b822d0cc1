/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of patterns. See patterns.h. */
#include "worker/transform/patterns.h"

#include "worker/base/regex.h"

enum err check_regex(const char *value, struct error *reterr)
{
    struct regex *regex = NULL;
    enum err err = regex_new(value, &regex, reterr);
    if (err != ERR_OK) {
        return error_prefix(reterr, err, "Invalid regex");
    }
    regex_free(regex);
    return ERR_OK;
}
