/* SPDX-License-Identifier: Apache-2.0 */
/* What date_format.c compiles and date_parse.c reads by. */
#pragma once

#include "worker/base/date_format.h"

struct date_part {
    char letter;  /* 0: a text */
    size_t width; /* how many letters */
    char *text;
};

struct date_format {
    struct date_part *parts;
    size_t n_parts;
};

/* English names, from January and from Sunday. */
extern const char *const date_months[12];
extern const char *const date_days[7];
