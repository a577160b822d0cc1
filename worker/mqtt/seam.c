/* SPDX-License-Identifier: Apache-2.0 */
/* read, write, SSL_read and getaddrinfo between libmosquitto and the system. See seam.h. */
#include "worker/mqtt/seam.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "worker/base/mem.h"
#include "worker/mqtt/frame_guard.h"

#define READ_SIZE  65536
#define WRITE_SIZE 65536

struct seam {
    int fd; /* -1: none */
    bool gather;
    struct frame_guard *guard; /* NULL: packets of any size pass */
    const char *host;
    const char *address;
    char *in; /* READ_SIZE bytes while attached */
    size_t in_start;
    size_t in_end;
    char *out; /* WRITE_SIZE bytes while attached */
    size_t out_start;
    size_t out_end;
    size_t n_calls;
};

struct seam *seam_new(void)
{
    struct seam *seam = xcalloc(1, sizeof(*seam));
    seam->fd = -1;
    return seam;
}

void seam_free(struct seam *seam)
{
    if (seam) {
        seam_detach(seam);
        free(seam);
    }
}

void seam_attach(struct seam *seam, int fd, bool gather)
{
    seam_detach(seam);
    seam->fd = fd;
#ifndef SLUICE_SANITIZED
    seam->gather = gather;
    if (gather) {
        seam->in = xmalloc(READ_SIZE);
        seam->out = xmalloc(WRITE_SIZE);
    }
#else
    (void)gather;
#endif
}

void seam_guard(struct seam *seam, size_t limit, bool v5)
{
#ifndef SLUICE_SANITIZED
    frame_guard_free(seam->guard);
    seam->guard = frame_guard_new(limit, v5);
#else
    (void)seam;
    (void)limit;
    (void)v5;
#endif
}

void seam_detach(struct seam *seam)
{
    frame_guard_free(TAKE(seam->guard));
    seam->fd = -1;
    seam->gather = false;
    free(TAKE(seam->in));
    free(TAKE(seam->out));
    seam->in_start = seam->in_end = 0;
    seam->out_start = seam->out_end = 0;
}

void seam_resolve(struct seam *seam, const char *host, const char *address)
{
    seam->host = host;
    seam->address = address;
}

size_t seam_buffered(const struct seam *seam)
{
    return seam->in_end - seam->in_start + (seam->guard ? frame_guard_ready(seam->guard) : 0);
}

bool seam_pending(const struct seam *seam)
{
    return seam->out_end > seam->out_start;
}

size_t seam_calls(const struct seam *seam)
{
    return seam->n_calls;
}

bool seam_flush(struct seam *seam)
{
    while (seam_pending(seam)) {
        seam->n_calls++;
        ssize_t n = send(seam->fd, seam->out + seam->out_start, seam->out_end - seam->out_start,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN || errno == EWOULDBLOCK;
        }
        seam->out_start += (size_t)n;
    }
    seam->out_start = seam->out_end = 0;
    return true;
}

#ifdef SLUICE_SANITIZED

void seam_enter(struct seam *seam)
{
    (void)seam;
}

struct seam *seam_leave(void)
{
    return NULL;
}

#else

/* The seam of the library call that this thread is in. */
static _Thread_local struct seam *entered;

typedef ssize_t read_fn(int, void *, size_t);
typedef ssize_t write_fn(int, const void *, size_t);
typedef int ssl_read_fn(void *, void *, int);
typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static read_fn *real_read;
static write_fn *real_write;
static ssl_read_fn *real_ssl_read;
static getaddrinfo_fn *real_getaddrinfo;

/* unistd.h is left out: with fortified builds it defines read as an inline function. */
ssize_t read(int fd, void *buffer, size_t size);
ssize_t write(int fd, const void *buffer, size_t size);
/* OpenSSL's; its header would be needed for the type of the first argument only. */
int SSL_read(void *ssl, void *buffer, int size);

/* Object pointers and function pointers are converted as dlsym's manual page says. */
__attribute__((constructor)) static void find_real(void)
{
    *(void **)&real_read = dlsym(RTLD_NEXT, "read");
    *(void **)&real_write = dlsym(RTLD_NEXT, "write");
    *(void **)&real_ssl_read = dlsym(RTLD_NEXT, "SSL_read");
    *(void **)&real_getaddrinfo = dlsym(RTLD_NEXT, "getaddrinfo");
}

void seam_enter(struct seam *seam)
{
    entered = seam;
}

struct seam *seam_leave(void)
{
    struct seam *seam = entered;
    entered = NULL;
    return seam;
}

static ssize_t gathered_read(void *arg, void *buffer, size_t size)
{
    struct seam *seam = arg;
    if (seam->in_start == seam->in_end) {
        seam->n_calls++;
        /* What is larger than the buffer goes where it belongs at once. */
        if (size >= READ_SIZE) {
            return real_read(seam->fd, buffer, size);
        }
        ssize_t n = real_read(seam->fd, seam->in, READ_SIZE);
        if (n <= 0) {
            return n;
        }
        seam->in_start = 0;
        seam->in_end = (size_t)n;
    }
    size_t buffered = seam->in_end - seam->in_start;
    size_t n = buffered < size ? buffered : size;
    memcpy(buffer, seam->in + seam->in_start, n);
    seam->in_start += n;
    return (ssize_t)n;
}

static ssize_t gathered_write(struct seam *seam, const void *buffer, size_t size)
{
    if (seam->out_end == WRITE_SIZE && !seam_flush(seam)) {
        return -1;
    }
    size_t room = WRITE_SIZE - seam->out_end;
    if (room == 0) {
        errno = EAGAIN;
        return -1;
    }
    size_t n = size < room ? size : room;
    memcpy(seam->out + seam->out_end, buffer, n);
    seam->out_end += n;
    return (ssize_t)n;
}

ssize_t read(int fd, void *buffer, size_t size)
{
    if (!real_read) {
        find_real();
    }
    struct seam *seam = entered;
    if (seam && seam->gather && fd == seam->fd) {
        return seam->guard ? frame_guard_read(seam->guard, buffer, size, gathered_read, seam)
                           : gathered_read(seam, buffer, size);
    }
    return real_read(fd, buffer, size);
}

ssize_t write(int fd, const void *buffer, size_t size)
{
    if (!real_write) {
        find_real();
    }
    struct seam *seam = entered;
    if (seam && seam->gather && fd == seam->fd) {
        return gathered_write(seam, buffer, size);
    }
    /* The library wakes a loop of its own, which does not exist here, with a byte for each packet
     * that it queues. */
    if (seam && seam->gather && size == 1) {
        return 1;
    }
    return real_write(fd, buffer, size);
}

static ssize_t decrypted_read(void *ssl, void *buffer, size_t size)
{
    return real_ssl_read(ssl, buffer, size < INT_MAX ? (int)size : INT_MAX);
}

int SSL_read(void *ssl, void *buffer, int size)
{
    if (!real_ssl_read) {
        find_real();
    }
    struct seam *seam = entered;
    if (seam && seam->guard && !seam->gather && size > 0) {
        return (int)frame_guard_read(seam->guard, buffer, (size_t)size, decrypted_read, ssl);
    }
    return real_ssl_read(ssl, buffer, size);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    if (!real_getaddrinfo) {
        find_real();
    }
    struct seam *seam = entered;
    if (seam && seam->host && node && strcmp(node, seam->host) == 0) {
        node = seam->address;
    }
    return real_getaddrinfo(node, service, hints, result);
}

#endif
