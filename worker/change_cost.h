/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new config of a connector costs its running tasks, by the rows of its keys. Pure. Thread:
 * any.
 */
#pragma once

#include "worker/base/buf.h"
#include "worker/connector.h"

/* change_costs compares two configs of a connector, defaults and other names of a key understood,
 * and returns the costs of all keys that differ in effect as a set of CONFIG_COST_BIT; 0 when none
 * does. A key without a row counts by its prefix, or as PIPELINE when it has none that is known. */
unsigned change_costs(const struct connector_plugin *plugin, const struct kvs *before,
                      const struct kvs *after);
/* change_costs_reference appends a Markdown table of costs and keys to buf: those of a table, and
 * with prefixes also those that stand for keys without a row. */
void change_costs_reference(const struct config_table *table, bool prefixes, struct buf *buf);
