/* SPDX-License-Identifier: Apache-2.0 */
/* The generated references: configuration keys and metrics as Markdown, made from the tables that
 * the program itself works with. Pure. */
#pragma once

#include "worker/base/buf.h"

/* reference_configuration appends the keys of the worker, of every connector kind and of what they
 * share. reference_metrics appends the metrics. */
void reference_configuration(struct buf *buf);
void reference_metrics(struct buf *buf);
