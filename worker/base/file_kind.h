/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a path leads to, before a library opens it that would wait at a pipe or device for ever.
 * Nothing is opened for reading. Thread: any.
 */
#pragma once

#include <stdbool.h>

#include "worker/base/err.h"

/* file_kind_is_view tells whether a descriptor's file belongs to the kernel's views of itself
 * (procfs, sysfs and the like): such files look regular and are none. True also when that cannot be
 * told. */
bool file_kind_is_view(int fd);
/* file_kind_check tells whether path, links followed, is a regular file that may be read and is no
 * larger than FILE_KIND_MAX, or, if `folders`, a folder. Errors: ERR_INVALID with the reason alone
 * ("No such file or directory", "it is no regular file"). */
#define FILE_KIND_MAX (16LL * 1024 * 1024)
enum err file_kind_check(const char *path, bool folders, struct error *reterr) MUST_CHECK;
