/* SPDX-License-Identifier: Apache-2.0 */
/* Small files read whole. See whole_file.h. */
#include "worker/base/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static struct file_stamp stamp_from(const struct stat *info)
{
    return (struct file_stamp){
        .device = (uint64_t)info->st_dev,
        .inode = (uint64_t)info->st_ino,
        .size = (int64_t)info->st_size,
        .modified_ns = nanoseconds(&info->st_mtim),
        .changed_ns = nanoseconds(&info->st_ctim),
    };
}

struct file_stamp file_stamp_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? stamp_from(&info) : (struct file_stamp){ .size = 0 };
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

/* One byte more than allowed tells that the file is too long, or grew while it was read. */
static enum err read_all(int fd, size_t max, struct buf *content, struct error *reterr)
{
    char *place = buf_reserve(content, max + 1);
    size_t n = 0;
    while (n <= max) {
        ssize_t got = read(fd, place + n, max + 1 - n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_set(reterr, ERR_IO, "%s", strerror(errno));
        }
        if (got == 0) {
            break;
        }
        n += (size_t)got;
    }
    if (n > max) {
        return error_set(reterr, ERR_IO, "has more than %zu bytes", max);
    }
    content->length += n;
    place[n] = '\0';
    return ERR_OK;
}

enum err whole_file_read(const char *path, size_t max, struct buf *content,
                         struct file_stamp *ret_stamp, struct error *reterr)
{
    /* Without O_NONBLOCK the open itself would wait for the other end of a pipe. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return error_set(reterr, ERR_IO, "%s", strerror(errno));
    }
    struct stat info;
    enum err err = ERR_OK;
    if (fstat(fd, &info) != 0) {
        err = error_set(reterr, ERR_IO, "%s", strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        err = error_set(reterr, ERR_IO, "is no regular file");
    } else {
        err = read_all(fd, max, content, reterr);
    }
    (void)close(fd);
    if (err == ERR_OK && ret_stamp) {
        *ret_stamp = stamp_from(&info);
    }
    return err;
}

void text_wipep(char **place)
{
    if (*place) {
        explicit_bzero(*place, strlen(*place));
    }
    free(*place);
}
