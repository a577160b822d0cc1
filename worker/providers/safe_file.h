/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads files whose paths come from a connector's config, that is from anybody who may use REST. It
 * never blocks on a pipe or device, and it checks what it has open, not what a path once led to.
 */
#pragma once

#include "worker/base/buf.h"
#include "worker/base/config_def.h"
#include "worker/base/err.h"

#define SAFE_FILE_MAX ((size_t)1024 * 1024)

/* safe_file_read reads a regular file of at most SAFE_FILE_MAX bytes of UTF-8 without NUL into
 * ret_content (initialised; the caller wipes it). `allowed` are folders or files that the file must
 * be or lie in once all links are followed; none: every path. ERR_UNAUTHORIZED: not allowed, also
 * for what does not exist outside; ERR_NOT_FOUND: nothing there; ERR_UNSUPPORTED: no regular file;
 * ERR_IO: cannot be read, is too large or no UTF-8. The text is the reason without the path.
 * Thread: any. */
enum err safe_file_read(const struct config_list *allowed, const char *path,
                        struct buf *ret_content, struct error *reterr) MUST_CHECK;
/* safe_file_allowed tells whether an existing file or folder at path may be read, links followed;
 * ERR_UNAUTHORIZED, ERR_NOT_FOUND or ERR_IO as above. ret_folder tells whether it is a folder. */
enum err safe_file_allowed(const struct config_list *allowed, const char *path, bool *ret_folder,
                           struct error *reterr) MUST_CHECK;
