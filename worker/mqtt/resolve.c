/* SPDX-License-Identifier: Apache-2.0 */
/* Host names to addresses. See resolve.h. */
#include "worker/mqtt/resolve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/base/mem.h"
#include "worker/base/open_files.h"
#include "worker/base/ref.h"

struct resolve {
    struct ref ref; /* the asker and the thread */
    char *host;
    int event_fd; /* -1: none; then it is answered from the start */
    atomic_bool done;
    struct resolve_answer answer; /* written before done */
    int code;
    int event_errno; /* why there is no event_fd; 0: none is needed */
};

static void add_address(struct resolve_answer *answer, const struct addrinfo *info)
{
    char *place = answer->address[answer->n_addresses];
    int code = getnameinfo(info->ai_addr, info->ai_addrlen, place, sizeof(answer->address[0]), NULL,
                           0, NI_NUMERICHOST);
    answer->n_addresses += code == 0;
}

static int look_up(const char *host, int flags, struct resolve_answer *answer)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    hints.ai_flags = flags;
    struct addrinfo *list = NULL;
    int code = getaddrinfo(host, NULL, &hints, &list);
    if (code != 0) {
        return code;
    }
    for (struct addrinfo *info = list; info && answer->n_addresses < RESOLVE_MAX;
         info = info->ai_next) {
        add_address(answer, info);
    }
    freeaddrinfo(list);
    return 0;
}

static void finish(struct resolve *resolve, int code)
{
    resolve->code = code;
    atomic_store(&resolve->done, true);
    uint64_t one = 1;
    (void)!write(resolve->event_fd, &one, sizeof(one));
}

static void *resolve_main(void *arg)
{
    struct resolve *resolve = arg;
    finish(resolve, look_up(resolve->host, 0, &resolve->answer));
    resolve_drop(resolve);
    return NULL;
}

/* The thread takes no signals: they are main's. */
static bool start_thread(struct resolve *resolve)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0) {
        return false;
    }
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigset_t all;
    sigset_t old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_t id;
    int code = pthread_create(&id, &attr, resolve_main, resolve);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attr);
    return code == 0;
}

struct resolve *resolve_start(const char *host)
{
    struct resolve *resolve = xcalloc(1, sizeof(*resolve));
    ref_init(&resolve->ref);
    resolve->host = xstrdup(host);
    resolve->event_fd = -1;
    if (look_up(host, AI_NUMERICHOST, &resolve->answer) == 0) {
        finish(resolve, 0);
        return resolve;
    }
    resolve->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (resolve->event_fd < 0) {
        resolve->event_errno = errno;
        finish(resolve, EAI_SYSTEM);
        return resolve;
    }
    ref_take(&resolve->ref);
    if (!start_thread(resolve)) {
        finish(resolve, EAI_AGAIN);
        resolve_drop(resolve);
    }
    return resolve;
}

/* Always readable, for all questions that were answered at once. Made at the first of them and
 * never closed: those that come when no descriptor is left need it most. -1: even that one could
 * not be made. */
static int answered_fd(void)
{
    static atomic_int shared = -1;
    int fd = atomic_load(&shared);
    if (fd >= 0) {
        return fd;
    }
    int made = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made >= 0 && !atomic_compare_exchange_strong(&shared, &fd, made)) {
        (void)close(made);
        return fd;
    }
    return made;
}

int resolve_fd(const struct resolve *resolve)
{
    return resolve->event_fd >= 0 ? resolve->event_fd : answered_fd();
}

bool resolve_done(const struct resolve *resolve)
{
    return atomic_load(&resolve->done);
}

enum err resolve_answer(struct resolve *resolve, struct resolve_answer *ret_answer,
                        struct error *reterr)
{
    if (resolve->event_errno != 0) {
        char what[300];
        (void)snprintf(what, sizeof(what), "host %.256s cannot be looked up", resolve->host);
        return open_files_error(reterr, what, resolve->event_errno);
    }
    if (resolve->code != 0 || resolve->answer.n_addresses == 0) {
        return error_set(reterr, ERR_NOT_FOUND, "host %s: %s", resolve->host,
                         resolve->code ? gai_strerror(resolve->code) : "it has no address");
    }
    *ret_answer = resolve->answer;
    return ERR_OK;
}

void resolve_drop(struct resolve *resolve)
{
    if (resolve && ref_drop(&resolve->ref)) {
        if (resolve->event_fd >= 0) {
            close(resolve->event_fd);
        }
        free(resolve->host);
        free(resolve);
    }
}
