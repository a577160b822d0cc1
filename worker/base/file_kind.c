/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path is opened with O_PATH: that follows links and touches nothing, so neither a pipe without a
 * writer nor a device can hold the asker up. See file_kind.h.
 */
#include "worker/base/file_kind.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "worker/base/macros.h"

#ifndef CONFIGFS_MAGIC
#define CONFIGFS_MAGIC 0x62656570
#endif

bool file_kind_is_view(int fd)
{
    static const long kinds[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC,    DEBUGFS_MAGIC,      TRACEFS_MAGIC,
        SECURITYFS_MAGIC, SELINUX_MAGIC,  CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
        BINFMTFS_MAGIC,   PSTOREFS_MAGIC, BPF_FS_MAGIC,       CONFIGFS_MAGIC,
    };
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0) {
        return true;
    }
    for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
        if ((unsigned long)fs.f_type == (unsigned long)kinds[i]) {
            return true;
        }
    }
    return false;
}

static enum err judge(int fd, bool folders, struct error *reterr)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return error_set(reterr, ERR_INVALID, "%s", strerror(errno));
    }
    bool folder = folders && S_ISDIR(info.st_mode);
    if ((!S_ISREG(info.st_mode) && !folder) || file_kind_is_view(fd)) {
        return error_set(reterr, ERR_INVALID, "it is no regular file%s",
                         folders ? " or folder" : "");
    }
    if (!folder && info.st_size > FILE_KIND_MAX) {
        return error_set(reterr, ERR_INVALID, "it is larger than %lld bytes", FILE_KIND_MAX);
    }
    return ERR_OK;
}

enum err file_kind_check(const char *path, bool folders, struct error *reterr)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return error_set(reterr, ERR_INVALID, "%s", strerror(errno));
    }
    enum err err = judge(fd, folders, reterr);
    (void)close(fd);
    if (err == ERR_OK && access(path, R_OK) != 0) {
        err = error_set(reterr, ERR_INVALID, "%s", strerror(errno));
    }
    return err;
}
