/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files that are read whole and read again when they change. Only regular files, so that
 * neither a pipe nor a device can hold the reader up. Thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/buf.h"
#include "worker/base/err.h"

/* A version that could not be read, be it for want of descriptors or because its disk was away, is
 * tried again after so long: no later change tells that it can be. */
#define FILE_AGAIN_MS 10000U

/* What tells two versions of a file apart; all zero: there is no such file. */
struct file_stamp {
    uint64_t device;
    uint64_t inode;
    int64_t size;
    int64_t modified_ns;
    int64_t changed_ns;
};

/* file_stamp_of looks at path, links followed. */
struct file_stamp file_stamp_of(const char *path);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

/* whole_file_read adds the content of path, at most max bytes, to content; ret_stamp (may be NULL)
 * is of the version that was read. Errors: ERR_IO with the reason alone ("No such file or
 * directory", "is no regular file", "has more than 10 bytes"). */
enum err whole_file_read(const char *path, size_t max, struct buf *content,
                         struct file_stamp *ret_stamp, struct error *reterr) MUST_CHECK;
/* text_wipep is for CLEANUP(text_wipep) char *secret: overwrites, then frees. */
void text_wipep(char **place);
