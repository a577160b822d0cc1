/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The REST interface of a worker: Kafka Connect's, served on `listeners`. It listens before the
 * cluster is there, so that /health answers from the first moment, and is given the cluster once
 * that exists. Order of a worker's life: rest_start, cluster_start (with rest_worker_id and
 * rest_url), rest_set_cluster, serve, cluster_drain, rest_stop, cluster_free.
 */
#pragma once

#include "coordinator/cluster.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"

struct rest;

/* rest_check checks the REST keys of a worker's properties without opening anything. ERR_INVALID
 * with one line that names key, value and mend. Thread: any. */
enum err rest_check(const struct kvs *props, struct error *reterr) MUST_CHECK;

/* rest_start opens the listening sockets and answers requests on threads of its own: /health with
 * 503 "starting", what needs the cluster with 404, until rest_set_cluster. props are the worker's
 * properties, validated; copied. ret_rest is owned.
 * Errors: ERR_INVALID and ERR_IO with one line that names `listeners`, the value and the mend (a
 * port in use, an address that is not this host's, a scheme that is not known). Thread: main. */
enum err rest_start(const struct kvs *props, struct rest **ret_rest,
                    struct error *reterr) MUST_CHECK;

/* rest_port returns the advertised port: rest.advertised.port, else that of the first listener as
 * bound (port 0 in `listeners` means any free one). rest_url returns the advertised URL,
 * "http://host:port" or https; rest_worker_id "host:port". Both are borrowed until rest_stop.
 * Thread: any.
 */
int rest_port(const struct rest *rest);
const char *rest_url(const struct rest *rest);
const char *rest_worker_id(const struct rest *rest);

/* rest_check_connector checks the config of a connector that did not come by REST as a create does;
 * a file_check_fn with rest as its argument. Thread: any, until rest_stop. */
enum err rest_check_connector(void *rest, const struct kvs *config,
                              struct error *reterr) MUST_CHECK;

/* rest_set_cluster hands over the cluster, which must outlive rest_stop. Once. Thread: main. */
void rest_set_cluster(struct rest *rest, struct cluster *cluster);

/* rest_stop accepts no more connections, lets requests that run come to their end (those that wait
 * for a leader are answered with 500 at once), joins all threads and frees rest; NULL is fine.
 * Thread: main. */
void rest_stop(struct rest *rest);
