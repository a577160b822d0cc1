/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that the leader has to carry out: runs them here when this worker leads, else sends
 * them to the leader and hands its answer on. One hop at most. Thread: the request's; blocks.
 */
#pragma once

#include "rest/call.h"

/* In answers to another worker: the position that the snapshot must have to show the change, and
 * that nothing was done because this worker does not lead. */
#define FORWARD_POSITION_HEADER "X-Sluice-Position"
#define FORWARD_REFUSED         "not-leader"

/* forward_or_lead answers the call of a leader route, at the latest at its deadline. While nobody
 * leads, or the one who does cannot be reached, it waits. An exchange that broke after it can have
 * reached the leader is answered with 500, never repeated. After a forwarded change it waits until
 * this worker's snapshot shows it. When too many such requests are under way, the answer is 503 at
 * once. */
void forward_or_lead(struct call *call);

/* forward_take_place counts a request that may wait for Kafka until its deadline without being a
 * leader route, as forward_or_lead counts the others: together they leave some threads to those
 * that only read. False: too many wait already, which is answered with 503; otherwise
 * forward_give_place follows. */
bool forward_take_place(struct call *call);
void forward_give_place(struct call *call);

/* forward_change has the leader's part done: cluster_change, and the answers for its errors.
 * Returns ERR_OK (ret_reply is set, the answer is the caller's), ERR_NOT_LEADER and ERR_CONFLICT
 * (nothing was done, no answer set), or another code with the answer set. */
enum err forward_change(struct call *call, const struct cluster_request *request,
                        struct cluster_reply *ret_reply);
