/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenAPI 3.1 document of the REST interface, made from the tables of routes and of types, so
 * that it cannot say anything else than they do. Pure. Thread: any.
 */
#pragma once

#include <cjson/cJSON.h>

#include "worker/base/buf.h"

/* openapi_document returns the document, owned. */
cJSON *openapi_document(void);
/* openapi_print appends the document as text for people. */
void openapi_print(struct buf *buf);
