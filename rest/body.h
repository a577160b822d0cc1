/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request bodies: the checks of routes that take one. What they read is kept in the call; what is
 * wrong is answered with 400. Thread: the request's.
 */
#pragma once

#include "rest/call.h"
#include "worker/base/err.h"

/* body_object reads the body as a JSON object into call->json. Errors: ERR_INVALID, answered. */
enum err body_object(struct call *call);
/* body_kind names the JSON type of a value, as in "from Array value". */
const char *body_kind(const cJSON *value);
/* body_config reads a flat object of texts into call->config (numbers and booleans become texts,
 * null stays null); may be called again. Errors: ERR_INVALID, answered. */
enum err body_config(struct call *call);
/* body_create reads {"name", "config", "initial_state"}: call->body_name, name (trimmed), config,
 * target_state. Errors: ERR_INVALID, answered. */
enum err body_create(struct call *call);
