/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validation of connector configs on behalf of requests: the rules are the worker's
 * (connector_validate), the answers are Connect's. Thread: the request's.
 */
#pragma once

#include "rest/call.h"
#include "worker/base/err.h"

struct config_result;

/* validation_name gives call->config its name if it has none. A name that is not call->name is
 * answered with 400: ERR_INVALID. */
enum err validation_name(struct call *call);
/* validation_run validates config into result (initialised). A missing or unknown class is answered
 * with 400 and gives an error, a file that a config provider cannot read with 500; errors of single
 * keys do not: they are in result, which shows neither secrets nor what placeholders stand for. */
enum err validation_run(struct call *call, const struct kvs *config, struct config_result *result);
/* validation_pass validates config as a create or update needs it: ERR_OK, or 400 with the list of
 * what is wrong is answered. lost_mask: key whose mask stands for no stored value, or NULL. */
enum err validation_pass(struct call *call, const struct kvs *config, const char *lost_mask);
/* validation_check is for configs that come from elsewhere: ERR_INVALID with all errors in one
 * text, without secrets; ERR_IO when a placeholder cannot be looked up now. Thread: any. */
enum err validation_check(const struct env *env, const struct kvs *config,
                          struct error *reterr) MUST_CHECK;
