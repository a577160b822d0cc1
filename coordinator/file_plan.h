/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be done so that the connectors are those that the files ask for: wanted x stored x
 * made from files -> actions. Pure.
 *
 * A connector that was made from a file bears a mark in the config topic. Only marked ones are
 * changed or deleted; one that is there without a mark is a conflict, unless its file adopts it. A
 * bad file stands for what it said before: nothing of it is changed or deleted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/config_files.h"
#include "coordinator/config_state.h"
#include "coordinator/file_set.h"
#include "coordinator/membership.h"
#include "coordinator/records.h"
#include "worker/base/err.h"

/* What becomes of a file. */
enum file_verdict {
    FILE_APPLIED,
    FILE_PENDING, /* something is to be done */
    FILE_INVALID,
    FILE_CONFLICT /* a connector of that name is there that no file has made */
};

enum file_action_kind {
    FILE_CREATE,
    FILE_UPDATE, /* the config is not what the file says */
    FILE_STATE,  /* the target state is not */
    FILE_MARK,   /* only the mark is wrong */
    FILE_DELETE,
    FILE_RELEASE /* take the mark away */
};

struct file_action {
    enum file_action_kind kind;
    const char *connector;             /* of the file, or of the snapshot */
    const struct connector_file *file; /* NULL for FILE_DELETE and FILE_RELEASE */
};

/* Borrows from the set and the snapshot that it was made of. */
struct file_plan {
    enum file_verdict *verdicts; /* of the set's items */
    struct file_action *actions;
    size_t n_actions;
    size_t size;
};

struct file_plan_options {
    bool prune;      /* a connector whose file is gone is deleted, not only released */
    bool may_delete; /* what would be deleted has been unwanted for long enough */
};

/* file_plan_make fills ret_plan; release it with file_plan_fini. Deletions that may not be yet are
 * left out; file_plan_leaving counts the marked connectors that no file asks for any more. */
void file_plan_make(const struct snapshot *snapshot, const struct file_set *set,
                    const struct file_plan_options *options, struct file_plan *ret_plan);
void file_plan_fini(struct file_plan *plan);
size_t file_plan_leaving(const struct snapshot *snapshot, const struct file_set *set);
/* file_plan_records adds the records of one action to `records`. now_wall_ms and id as in
 * change_plan. Errors: as change_plan's, which cannot be for actions of the same snapshot. */
enum err file_plan_records(const struct snapshot *snapshot, const struct file_action *action,
                           int64_t now_wall_ms, const char *id,
                           struct out_records *records) MUST_CHECK;

/* file_sets_agree tells whether all members of the group that have said which files they have say
 * the same as `own`, the newest digest of this instance. Otherwise ret_other is the worker that
 * differs, borrowed. */
bool file_sets_agree(const struct files_notices *notices, const struct membership *members,
                     const struct files_notice *own, const char **ret_other);

/* file_refuses tells whether a client's change of a connector is up to its file: then the text
 * names it. set may be NULL. */
struct cluster_request;
bool file_refuses(const struct snapshot *snapshot, const struct file_set *set,
                  const struct cluster_request *request, struct error *reterr);
/* file_release takes the mark of its file from a connector whose config a client changes, where
 * files are not read any more: it would let a folder that is read later delete the connector. */
void file_release(const struct snapshot *snapshot, const struct cluster_request *request,
                  struct out_records *records);
