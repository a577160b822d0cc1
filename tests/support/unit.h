/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with the headers that it needs in front of it, in the order that it needs them in. */
#pragma once

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */
