/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans the changes that clients ask for: checks them against a snapshot and gives the records to
 * be written, in one transaction. Pure.
 */
#pragma once

#include <stdint.h>

#include "coordinator/cluster.h"
#include "coordinator/config_state.h"
#include "coordinator/records.h"
#include "worker/base/err.h"

/* change_plan adds the records that make the change to ret_records (initialised, empty) and sets
 * ret_created if the change makes a new connector. now_wall_ms stands in a retirement's record,
 * id makes it unique. Errors, with Connect's texts: ERR_EXISTS, ERR_NOT_FOUND, ERR_CONFLICT. */
enum err change_plan(const struct snapshot *snapshot, const struct cluster_request *request,
                     int64_t now_wall_ms, const char *id, struct out_records *ret_records,
                     bool *ret_created, struct error *reterr) MUST_CHECK;

/* connector_at_rest tells whether a connector is STOPPED and, as far as statuses say, no worker has
 * a thread of its tasks any more: only then its offsets may be changed. */
bool connector_at_rest(const struct connector_state *connector);

/* cluster_request_copy returns an owned copy of a request and of what it points to;
 * cluster_request_free releases it. */
struct cluster_request *cluster_request_copy(const struct cluster_request *request);
void cluster_request_free(struct cluster_request *request);
