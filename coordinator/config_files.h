/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the internal topics say about connectors that come from files: which ones do (records
 * `managed-<connector>` of the config topic), and which files each worker has (records
 * `files-<worker id>` of the status topic). Pure. Thread: as config_state.h.
 */
#pragma once

#include <stddef.h>

#include "worker/base/ref.h"

/* What one worker has said about its folder. */
struct files_notice {
    char *worker_id;
    char *instance; /* of the process that said so */
    char *digest;   /* of the files; see file_set.h */
};

/* Immutable. */
struct files_notices {
    struct ref ref;
    struct files_notice *items;
    size_t n_items;
};

/* files_notices_find returns what a worker has said, NULL: nothing; notices may be NULL. */
const struct files_notice *files_notices_find(const struct files_notices *notices,
                                              const char *worker_id);
/* files_notices_ref and files_notices_unref take NULL. Thread: any. */
struct files_notices *files_notices_ref(struct files_notices *notices);
void files_notices_unref(struct files_notices *notices);

/* managed_file returns the name of the file that a connector comes from, as its mark says. */
struct shared_kvs;
const char *managed_file(const struct shared_kvs *mark);

struct out_records;
/* record_managed marks a connector as made from a file; file NULL takes the mark away. */
void record_managed(struct out_records *out, const char *connector, const char *file);
/* record_files says which files a worker has; digest NULL: it is gone. */
void record_files(struct out_records *out, const struct files_notice *notice);
