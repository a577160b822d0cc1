/* SPDX-License-Identifier: Apache-2.0 */
/* Watches processes of other workers. See watch.h. */
#include "coordinator/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"
#include "worker/base/thread.h"

/* A connection that is not made by then gets no answer. */
#define CONNECT_MS 3000
/* Pauses before a further try, growing. */
#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 15000
/* A connection that lasted so long was no accident. */
#define LASTING_MS 1000
/* The kernel asks the other side now and then whether it knows the connection. One that is made
 * again may be to a process that is dying: then the other side may have forgotten it without a
 * word, and what comes of it is to be known soon. No answer says nothing for long. */
#define ASK_S       30
#define ASK_AGAIN_S 1
#define ASK_TIMES   127

enum peer_state {
    PEER_WAITING, /* for its next try */
    PEER_CONNECTING,
    PEER_UP, /* connected and idle */
};

struct peer {
    char *instance;
    char *worker_id;
    enum peer_state state;
    bool reached; /* before: a refusal says something */
    bool refused; /* reported so */
    int fd;       /* -1: none */
    uint64_t since_ms;
    uint64_t next_ms; /* of the next try, or the end of this one; UINT64_MAX: none */
    uint64_t pause_ms;
    struct sockaddr_storage address; /* that was reached last */
    socklen_t address_size;          /* 0: none yet */
};

struct watch {
    watch_fn *on_change;
    void *arg;
    struct thread thread;
    int wake_fd;
    struct lock lock;
    bool stopping; /* under lock, as all up to the blank line */
    bool changed;
    struct peer *wanted; /* instance and worker_id only */
    size_t n_wanted;

    struct peer *peers; /* the thread's, as all below it */
    size_t n_peers;
};

static void peer_fini(struct peer *peer)
{
    if (peer->fd >= 0) {
        (void)close(peer->fd);
    }
    free(peer->instance);
    free(peer->worker_id);
}

static void peers_free(struct peer *peers, size_t n_peers)
{
    for (size_t i = 0; i < n_peers; i++) {
        peer_fini(&peers[i]);
    }
    free(peers);
}

/* ---- one peer ---- */

/* Looks the host up; only for the first connection, what was reached once is asked by number. */
static bool find_address(struct peer *peer)
{
    const char *colon = strrchr(peer->worker_id, ':');
    if (!colon) {
        return false;
    }
    bool bracketed = peer->worker_id[0] == '[';
    const char *from = peer->worker_id + (bracketed ? 1 : 0);
    size_t length = (size_t)(colon - from);
    length -= bracketed && length > 0 ? 1 : 0;
    CLEANUP(free_charp) char *host = xstrndup(from, length);
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0) {
        return false;
    }
    memcpy(&peer->address, found->ai_addr, found->ai_addrlen);
    peer->address_size = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static void wait_more(struct peer *peer, uint64_t now_ms)
{
    peer->pause_ms = peer->pause_ms ? peer->pause_ms * 2 : PAUSE_MIN_MS;
    peer->pause_ms = peer->pause_ms < PAUSE_MAX_MS ? peer->pause_ms : PAUSE_MAX_MS;
    peer->state = PEER_WAITING;
    peer->next_ms = now_ms + peer->pause_ms;
}

static void hang_up(struct peer *peer)
{
    (void)close(peer->fd);
    peer->fd = -1;
}

static void reached(struct watch *watch, struct peer *peer, uint64_t now_ms)
{
    peer->state = PEER_UP;
    peer->reached = true;
    peer->since_ms = now_ms;
    peer->next_ms = UINT64_MAX;
    if (peer->refused) {
        peer->refused = false;
        watch->on_change(watch->arg, peer->instance, false);
    }
}

/* The try has failed; only a refusal of a port that was open before tells anything. A connection
 * that was made and broken at once tells nothing either, and nothing is forgotten for it: the
 * kernel closes the sockets of a dead process one by one, its listener not before the others. */
static void not_reached(struct watch *watch, struct peer *peer, int error, uint64_t now_ms)
{
    bool gone = peer->reached && !peer->refused && error == ECONNREFUSED;
    log_debug(NULL, "WATCH-UNREACHED", "worker_id=%s refused=%d errno=%d", peer->worker_id,
              gone ? 1 : 0, error);
    wait_more(peer, now_ms);
    if (gone) {
        peer->refused = true;
        watch->on_change(watch->arg, peer->instance, true);
    } else if (!peer->refused && error != ECONNRESET) {
        peer->reached = false;
        peer->address_size = 0; /* it may have another address by now */
    }
}

static void have_it_asked(int fd, bool again)
{
    const struct {
        int level, name, value;
    } options[] = {
        { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, again ? ASK_AGAIN_S : ASK_S },
        { IPPROTO_TCP, TCP_KEEPINTVL, again ? ASK_AGAIN_S : ASK_S },
        { IPPROTO_TCP, TCP_KEEPCNT, ASK_TIMES },
    };
    for (size_t i = 0; i < N_ELEMENTS(options); i++) {
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof(options[i].value));
    }
}

static void connect_to(struct watch *watch, struct peer *peer, uint64_t now_ms)
{
    peer->state = PEER_CONNECTING;
    if (peer->address_size == 0 && !find_address(peer)) {
        wait_more(peer, now_ms);
        return;
    }
    peer->fd = socket(peer->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (peer->fd < 0) {
        wait_more(peer, now_ms);
        return;
    }
    have_it_asked(peer->fd, peer->reached);
    peer->next_ms = now_ms + CONNECT_MS;
    if (connect(peer->fd, (const struct sockaddr *)&peer->address, peer->address_size) == 0) {
        reached(watch, peer, now_ms);
    } else if (errno != EINPROGRESS) {
        int error = errno;
        hang_up(peer);
        not_reached(watch, peer, error, now_ms);
    }
}

static void connected(struct watch *watch, struct peer *peer, uint64_t now_ms)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    if (error == 0) {
        reached(watch, peer, now_ms);
    } else {
        hang_up(peer);
        not_reached(watch, peer, error, now_ms);
    }
}

/* Something came on an idle connection: its end, or words that nobody asked for. */
static void heard(struct watch *watch, struct peer *peer, uint64_t now_ms)
{
    char ignored[512];
    ssize_t n = read(peer->fd, ignored, sizeof(ignored));
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) {
        return;
    }
    hang_up(peer);
    peer->pause_ms = now_ms - peer->since_ms >= LASTING_MS ? 0 : peer->pause_ms;
    if (peer->pause_ms > PAUSE_MIN_MS) {
        wait_more(peer, now_ms); /* it takes us and throws us out again and again */
        return;
    }
    peer->pause_ms = peer->pause_ms ? peer->pause_ms * 2 : PAUSE_MIN_MS;
    connect_to(watch, peer, now_ms);
}

static void due(struct watch *watch, struct peer *peer, uint64_t now_ms)
{
    if (peer->state == PEER_WAITING) {
        connect_to(watch, peer, now_ms);
    } else { /* no answer */
        hang_up(peer);
        not_reached(watch, peer, ETIMEDOUT, now_ms);
    }
}

/* ---- all of them ---- */

static struct peer *find_peer(struct peer *peers, size_t n_peers, const char *instance)
{
    for (size_t i = 0; i < n_peers; i++) {
        if (strcmp(peers[i].instance, instance) == 0) {
            return &peers[i];
        }
    }
    return NULL;
}

/* Takes what is wanted now; what was there keeps its connection. */
static void take_wanted(struct watch *watch, struct peer *wanted, size_t n_wanted)
{
    for (size_t i = 0; i < n_wanted; i++) {
        struct peer *old = find_peer(watch->peers, watch->n_peers, wanted[i].instance);
        if (old) {
            struct peer fresh = wanted[i];
            wanted[i] = *old;
            *old = fresh; /* freed below; it has no connection */
        }
    }
    peers_free(watch->peers, watch->n_peers);
    watch->peers = wanted;
    watch->n_peers = n_wanted;
}

/* False when the thread is to end. */
static bool take_orders(struct watch *watch)
{
    struct peer *wanted = NULL;
    size_t n_wanted = 0;
    lock_take(&watch->lock);
    bool stopping = watch->stopping;
    bool changed = watch->changed;
    if (changed) {
        wanted = TAKE(watch->wanted);
        n_wanted = watch->n_wanted;
        watch->n_wanted = 0;
        watch->changed = false;
    }
    lock_drop(&watch->lock);
    if (changed) {
        take_wanted(watch, wanted, n_wanted);
    }
    return !stopping;
}

static int wait_ms(const struct watch *watch)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < watch->n_peers; i++) {
        next = watch->peers[i].next_ms < next ? watch->peers[i].next_ms : next;
    }
    uint64_t now = clock_mono_ms();
    if (next == UINT64_MAX) {
        return -1;
    }
    return next > now ? (int)(next - now) : 0;
}

static void wait_for_events(struct watch *watch, struct pollfd *fds)
{
    fds[0] = (struct pollfd){ .fd = watch->wake_fd, .events = POLLIN };
    for (size_t i = 0; i < watch->n_peers; i++) {
        bool up = watch->peers[i].state == PEER_UP;
        fds[i + 1] =
            (struct pollfd){ .fd = watch->peers[i].fd, .events = (short)(up ? POLLIN : POLLOUT) };
    }
    if (poll(fds, watch->n_peers + 1, wait_ms(watch)) < 0) {
        memset(fds, 0, (watch->n_peers + 1) * sizeof(*fds));
    }
    if (fds[0].revents) {
        eventfd_t ignored;
        (void)eventfd_read(watch->wake_fd, &ignored);
    }
}

/* Who sees fewer than three, or all others, has a network that keeps workers apart. */
static void count_up(const struct watch *watch)
{
    size_t n_up = 0;
    for (size_t i = 0; i < watch->n_peers; i++) {
        n_up += watch->peers[i].state == PEER_UP ? 1 : 0;
    }
    metric_set(metrics_worker(), METRIC_CLUSTER_WATCHED, 0, (double)n_up);
}

static void *watch_main(void *arg)
{
    struct watch *watch = arg;
    while (take_orders(watch)) {
        count_up(watch);
        struct pollfd *fds = xcalloc(watch->n_peers + 1, sizeof(*fds));
        wait_for_events(watch, fds);
        uint64_t now = clock_mono_ms();
        for (size_t i = 0; i < watch->n_peers; i++) {
            struct peer *peer = &watch->peers[i];
            if (fds[i + 1].revents && peer->state == PEER_UP) {
                heard(watch, peer, now);
            } else if (fds[i + 1].revents) {
                connected(watch, peer, now);
            } else if (now >= peer->next_ms) {
                due(watch, peer, now);
            }
        }
        free(fds);
    }
    return NULL;
}

struct watch *watch_start(watch_fn *on_change, void *arg)
{
    struct watch *watch = xcalloc(1, sizeof(*watch));
    watch->on_change = on_change;
    watch->arg = arg;
    watch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(watch->wake_fd >= 0);
    lock_init(&watch->lock, LOCK_RANK_HERDER);
    thread_start(&watch->thread, "watch", watch_main, watch);
    return watch;
}

void watch_set(struct watch *watch, const struct watch_target *targets, size_t n_targets)
{
    struct peer *wanted = xcalloc(n_targets + 1, sizeof(*wanted));
    for (size_t i = 0; i < n_targets; i++) {
        wanted[i] = (struct peer){
            .instance = xstrdup(targets[i].instance),
            .worker_id = xstrdup(targets[i].worker_id),
            .fd = -1,
        };
    }
    lock_take(&watch->lock);
    struct peer *old = watch->wanted;
    size_t n_old = watch->n_wanted;
    watch->wanted = wanted;
    watch->n_wanted = n_targets;
    watch->changed = true;
    lock_drop(&watch->lock);
    peers_free(old, n_old);
    (void)eventfd_write(watch->wake_fd, 1);
}

void watch_stop(struct watch *watch)
{
    if (!watch) {
        return;
    }
    lock_take(&watch->lock);
    watch->stopping = true;
    lock_drop(&watch->lock);
    (void)eventfd_write(watch->wake_fd, 1);
    thread_join(&watch->thread);
    peers_free(watch->peers, watch->n_peers);
    peers_free(watch->wanted, watch->n_wanted);
    (void)close(watch->wake_fd);
    lock_fini(&watch->lock);
    free(watch);
}
