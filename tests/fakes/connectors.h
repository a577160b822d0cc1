/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connector kind, "FakeSource", in the place of the list in worker/connectors.c. What its task
 * does follows from the config: fail.new and fail.run hold the text to fail with, end.now makes it
 * stop unasked; else it runs until it is asked to stop. Thread: any.
 */
#pragma once

#include <stdatomic.h>

#include "worker/connector.h"

extern const struct connector_plugin fake_plugin;

struct fake_calls {
    atomic_int n_new;
    atomic_int n_run;
    atomic_int n_free;
    atomic_int n_retire;
};

extern struct fake_calls fake_calls;
