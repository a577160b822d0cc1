/* SPDX-License-Identifier: Apache-2.0 */
/* Captures stderr in a memory file, which takes any amount. See capture.h. */
#include "tests/support/capture.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/base/buf.h"

void capture_start(struct capture *capture)
{
    (void)fflush(stderr);
    capture->saved_fd = dup(STDERR_FILENO);
    capture->file_fd = memfd_create("stderr", MFD_CLOEXEC);
    ASSERT(capture->saved_fd >= 0 && capture->file_fd >= 0);
    ASSERT(fcntl(capture->file_fd, F_SETFL, O_APPEND) == 0);
    ASSERT(dup2(capture->file_fd, STDERR_FILENO) == STDERR_FILENO);
}

char *capture_stop(struct capture *capture)
{
    (void)fflush(stderr);
    ASSERT(dup2(capture->saved_fd, STDERR_FILENO) == STDERR_FILENO);
    (void)close(capture->saved_fd);
    struct buf text;
    buf_init(&text);
    char block[4096];
    ssize_t n = 0;
    off_t at = 0;
    while ((n = pread(capture->file_fd, block, sizeof(block), at)) > 0) {
        buf_add(&text, block, (size_t)n);
        at += n;
    }
    (void)close(capture->file_fd);
    return buf_take(&text);
}
