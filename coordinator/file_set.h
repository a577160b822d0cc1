/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connectors that a folder of files asks for (connectors.dir): what the files say, as one
 * immutable set. A file is bad when it says nothing that can be used; what it said before then
 * stays in force. Pure. Thread: any for a set that is finished.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/config_state.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"
#include "worker/base/ref.h"

#define FILE_SET_MAX_FILES ((size_t)1000)
#define FILE_SET_MAX_FILE  ((size_t)256 * 1024)
#define FILE_SET_MAX_BYTES ((size_t)16 * 1024 * 1024)
/* A file of this name says that the folder is all there: only then no file at all means that no
 * connector is wanted. */
#define FILE_SET_MARKER ".complete"
#define FILE_SET_ENDING ".json"
#define FILE_SET_DIGEST 33

struct connector_file {
    char *file;        /* its name in the folder */
    char *connector;   /* the name of the connector; of a bad file, the one that its name gives */
    struct kvs config; /* with `name` */
    bool has_state;    /* the state is to be kept as the file says */
    enum target_state state;
    bool has_initial; /* the state to be made in */
    enum target_state initial;
    bool adopt;       /* a connector of this name that was not made from a file is taken over */
    char *error;      /* what is wrong; NULL: nothing */
    bool unreachable; /* the error may go without a change of the file */
};

struct file_set {
    struct ref ref;
    char *error;                  /* why the folder could not be read; NULL: it was */
    bool complete;                /* the marker is there */
    char digest[FILE_SET_DIGEST]; /* equal for equal files; "unreadable" for a folder that is not */
    struct connector_file *items; /* sorted by connector, then file */
    size_t n_items;
    size_t size;
    uint64_t hashes[2]; /* while it is made */
};

/* file_set_new makes an empty set; files are added in the order of their names, then it is
 * finished. file_set_ref and file_set_unref take NULL. */
struct file_set *file_set_new(void);
struct file_set *file_set_ref(struct file_set *set);
void file_set_unref(struct file_set *set);

/* Checks the config of a connector. ERR_INVALID: it can never run; ERR_IO: something that it
 * refers to cannot be looked up now. reterr says what is wrong, without secrets. */
typedef enum err file_check_fn(void *arg, const struct kvs *config, struct error *reterr);
struct file_check {
    file_check_fn *check; /* NULL: nothing is checked */
    void *arg;
};

/* file_set_add adds a file with its bytes; text NULL: it could not be read, as `error` says. */
void file_set_add(struct file_set *set, const char *file, const char *text, size_t length,
                  const char *error);
/* file_set_mark notes that the marker is there; file_set_fail that the folder cannot be read, which
 * leaves nothing else of the set. */
void file_set_mark(struct file_set *set);
void file_set_fail(struct file_set *set, const char *error);
/* file_set_finish checks the configs, finds names that several files have, sorts, and makes the
 * digest. */
void file_set_finish(struct file_set *set, const struct file_check *check);

/* file_set_find returns the first file of a connector, NULL if none has its name. */
const struct connector_file *file_set_find(const struct file_set *set, const char *connector);
/* file_set_equal tells whether two sets say the same, also about what is wrong. */
bool file_set_equal(const struct file_set *a, const struct file_set *b);
