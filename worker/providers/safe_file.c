/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path is opened with O_PATH first: that follows links and touches nothing. Kind, file system and
 * real path are asked of the descriptor, and the descriptor is what is opened again for reading. So
 * no exchange of a link or file between check and use leads anywhere else.
 */
#include "worker/providers/safe_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/base/file_kind.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

/* Whether path is folder or lies in it. */
static bool lies_in(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] == '/') {
        length--;
    }
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The path without `.`, `..` and doubled slashes, by its text alone; NULL if it is relative. */
static char *normalised(const char *path)
{
    if (path[0] != '/') {
        return NULL;
    }
    struct buf out;
    buf_init(&out);
    for (const char *p = path; *p;) {
        p += strspn(p, "/");
        size_t length = strcspn(p, "/");
        bool up = length == 2 && strncmp(p, "..", 2) == 0;
        if (up) {
            while (out.length > 0 && out.data[--out.length] != '/') {
            }
        } else if (length > 0 && !(length == 1 && *p == '.')) {
            buf_add_char(&out, '/');
            buf_add(&out, p, length);
        }
        p += length;
    }
    if (out.data) {
        out.data[out.length] = '\0';
    }
    if (out.length == 0) {
        buf_add_char(&out, '/');
    }
    return buf_take(&out);
}

/* Of a path that leads nowhere its text has to decide. */
static bool text_allowed(const struct config_list *allowed, const char *path)
{
    CLEANUP(free_charp) char *plain = normalised(path);
    bool inside = allowed->n_items == 0;
    for (size_t i = 0; plain && !inside && i < allowed->n_items; i++) {
        CLEANUP(free_charp) char *folder = normalised(allowed->items[i]);
        inside = folder && lies_in(plain, folder);
    }
    return inside;
}

static enum err not_allowed(struct error *reterr)
{
    return error_set(reterr, ERR_UNAUTHORIZED, "it is not in allowed.paths");
}

/* Where a descriptor's file lies; false when that cannot be told. */
static bool real_path(int fd, char *path, size_t size)
{
    char link[64];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, size - 1);
    if (n <= 0 || (size_t)n >= size - 1) {
        return false;
    }
    path[n] = '\0';
    return path[0] == '/';
}

/* The allowed paths are resolved at each use: with rotating mounts their links change. */
static bool fd_allowed(const struct config_list *allowed, int fd)
{
    char path[PATH_MAX];
    if (allowed->n_items == 0) {
        return true;
    }
    if (!real_path(fd, path, sizeof(path))) {
        return false;
    }
    for (size_t i = 0; i < allowed->n_items; i++) {
        CLEANUP(free_charp) char *folder = realpath(allowed->items[i], NULL);
        if (folder && lies_in(path, folder)) {
            return true;
        }
    }
    return false;
}

/* Opens a path without touching what it leads to. */
static enum err open_place(const struct config_list *allowed, const char *path, int *ret_fd,
                           struct stat *ret_stat, struct error *reterr)
{
    CLEANUP(close_fd) int fd = open(path, O_PATH | O_CLOEXEC);
    int error = errno;
    if (fd < 0 && !text_allowed(allowed, path)) {
        return not_allowed(reterr);
    }
    if (fd < 0) {
        bool missing = error == ENOENT || error == ENOTDIR || error == ELOOP;
        return error_set(reterr, missing ? ERR_NOT_FOUND : ERR_IO, "%s", strerror(error));
    }
    if (!fd_allowed(allowed, fd)) {
        return not_allowed(reterr);
    }
    if (fstat(fd, ret_stat) != 0) {
        return error_set(reterr, ERR_IO, "%s", strerror(errno));
    }
    *ret_fd = fd;
    fd = -1;
    return ERR_OK;
}

static enum err read_all(int fd, struct buf *content, struct error *reterr)
{
    char *place = buf_reserve(content, SAFE_FILE_MAX + 1);
    size_t n = 0;
    while (n <= SAFE_FILE_MAX) {
        ssize_t got = read(fd, place + n, SAFE_FILE_MAX + 1 - n);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return error_set(reterr, ERR_IO, "%s", strerror(errno));
        }
        n += got > 0 ? (size_t)got : 0;
    }
    content->length = n;
    place[n] = '\0';
    if (n > SAFE_FILE_MAX) {
        return error_set(reterr, ERR_IO, "it is larger than 1 MiB");
    }
    if (!utf8_valid(place, n) || memchr(place, '\0', n)) {
        return error_set(reterr, ERR_IO, "it is no UTF-8 text");
    }
    return ERR_OK;
}

enum err safe_file_read(const struct config_list *allowed, const char *path,
                        struct buf *ret_content, struct error *reterr)
{
    CLEANUP(close_fd) int place = -1;
    struct stat stat;
    enum err err = open_place(allowed, path, &place, &stat, reterr);
    if (err != ERR_OK) {
        return err;
    }
    if (!S_ISREG(stat.st_mode) || file_kind_is_view(place)) {
        return error_set(reterr, ERR_UNSUPPORTED, "it is no regular file");
    }
    if (stat.st_size > (off_t)SAFE_FILE_MAX) {
        return error_set(reterr, ERR_IO, "it is larger than 1 MiB");
    }
    char link[64];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
    CLEANUP(close_fd) int fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        return error_set(reterr, ERR_IO, "%s", strerror(errno));
    }
    return read_all(fd, ret_content, reterr);
}

enum err safe_file_allowed(const struct config_list *allowed, const char *path, bool *ret_folder,
                           struct error *reterr)
{
    CLEANUP(close_fd) int place = -1;
    struct stat stat;
    enum err err = open_place(allowed, path, &place, &stat, reterr);
    if (err == ERR_OK) {
        *ret_folder = S_ISDIR(stat.st_mode);
    }
    return err;
}
