/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A validation works with what placeholders stand for; its result is shown to whoever asked. This
 * takes the looked-up values, and pieces of secrets that an error quotes, out of it again. Pure.
 * Thread: any.
 */
#pragma once

#include "worker/base/config_def.h"
#include "worker/base/config_result.h"
#include "worker/base/kvs.h"
#include "worker/providers/providers.h"

/* hide_result rewrites the result of validating `resolution` so that values are shown as config has
 * them, with placeholders, and no error text holds a looked-up value or a secret. */
void hide_result(const struct kvs *config, const struct resolution *resolution,
                 struct config_result *result);
