/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the watch, on ports of this machine. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "coordinator/watch.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/macros.h"

#define PATIENCE_MS 10000

/* So many connections that were made are broken before the watch looks at them. */
static atomic_uint n_to_break;
static sem_t asked; /* once for each connection that it looks at */

/* Instead of libc's. */
int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    long rc = syscall(SYS_getsockopt, fd, level, name, value, size);
    if (level == SOL_SOCKET && name == SO_ERROR) {
        if (atomic_load(&n_to_break) > 0) {
            memcpy(value, &(int){ ECONNRESET }, sizeof(int));
            atomic_fetch_sub(&n_to_break, 1);
        }
        (void)sem_post(&asked);
    }
    return (int)rc;
}

/* So often the watch waited, and so often until its time was over. */
static atomic_uint n_waits;
static atomic_uint n_waited_out;

/* Instead of libc's. */
int poll(struct pollfd *fds, nfds_t n_fds, int timeout_ms)
{
    const struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
    int n = ppoll(fds, n_fds, timeout_ms < 0 ? NULL : &timeout, NULL);
    atomic_fetch_add(&n_waits, 1);
    atomic_fetch_add(&n_waited_out, n == 0 ? 1 : 0);
    return n;
}

/* What the watch has said last. */
struct word {
    struct lock lock;
    struct cond changed;
    unsigned n_refused;
    unsigned n_waited_out; /* before it said so */
    unsigned n_answers;
};

static void on_change(void *arg, const char *instance, bool refused)
{
    struct word *word = arg;
    bool mine = strcmp(instance, "i1") == 0;
    lock_take(&word->lock);
    word->n_refused += refused && mine ? 1 : 0;
    word->n_waited_out = atomic_load(&n_waited_out);
    word->n_answers += refused || !mine ? 0 : 1;
    cond_broadcast(&word->changed);
    lock_drop(&word->lock);
}

static void wait_for(struct word *word, const unsigned *counter)
{
    uint64_t deadline = clock_mono_ms() + PATIENCE_MS;
    lock_take(&word->lock);
    while (*counter == 0) {
        assert_true(cond_wait_until(&word->changed, &word->lock, deadline));
    }
    lock_drop(&word->lock);
}

/* Listens on a port of its own (0) or a given one; returns the socket. */
static int listen_on(uint16_t *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(*port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    socklen_t size = sizeof(address);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int take_connection(int listener)
{
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    return fd;
}

static struct watch *watch_port(struct word *word, uint16_t port)
{
    *word = (struct word){ .n_refused = 0 };
    lock_init(&word->lock, LOCK_RANK_LOG);
    cond_init(&word->changed);
    char id[32];
    (void)snprintf(id, sizeof(id), "127.0.0.1:%u", port);
    struct watch *watch = watch_start(on_change, word);
    const struct watch_target target = { "i1", id };
    watch_set(watch, &target, 1);
    return watch;
}

static void word_fini(struct word *word)
{
    cond_fini(&word->changed);
    lock_fini(&word->lock);
}

static void test_a_port_that_is_gone_is_told_at_once_and_its_return_too(void **state UNUSED)
{
    uint16_t port = 0;
    int listener = listen_on(&port);
    struct word word;
    struct watch *watch = watch_port(&word, port);
    int fd = take_connection(listener);
    unsigned before = atomic_load(&n_waits);
    unsigned waited_out = atomic_load(&n_waited_out);
    (void)close(listener);
    (void)close(fd);
    wait_for(&word, &word.n_refused);
    /* It was told by what it heard, not by looking again some time later. */
    assert_true(atomic_load(&n_waits) > before);
    assert_int_equal(word.n_waited_out, waited_out);
    assert_int_equal(word.n_answers, 0);
    listener = listen_on(&port);
    wait_for(&word, &word.n_answers);
    watch_stop(watch);
    assert_int_equal(word.n_refused, 1);
    (void)close(listener);
    word_fini(&word);
}

static void test_a_port_is_gone_too_when_its_listener_outlived_the_connection(void **state UNUSED)
{
    assert_int_equal(sem_init(&asked, 0, 0), 0);
    uint16_t port = 0;
    int listener = listen_on(&port);
    struct word word;
    struct watch *watch = watch_port(&word, port);
    int fd = take_connection(listener);
    assert_int_equal(sem_wait(&asked), 0);
    atomic_store(&n_to_break, 2);
    (void)close(fd);
    assert_int_equal(sem_wait(&asked), 0);
    assert_int_equal(sem_wait(&asked), 0);
    (void)close(listener);
    wait_for(&word, &word.n_refused);
    watch_stop(watch);
    word_fini(&word);
}

/* Ends it here without a word to the other side. */
static bool forget(int fd)
{
    bool may = setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &(int){ 1 }, sizeof(int)) == 0;
    (void)close(fd);
    return may;
}

static void test_a_port_is_gone_too_when_a_dying_process_forgot_the_connection(void **state UNUSED)
{
    uint16_t port = 0;
    int listener = listen_on(&port);
    struct word word;
    struct watch *watch = watch_port(&word, port);
    (void)close(take_connection(listener));
    bool forgotten = forget(take_connection(listener));
    (void)close(listener);
    if (forgotten) {
        wait_for(&word, &word.n_refused);
    }
    watch_stop(watch);
    word_fini(&word);
    if (!forgotten) {
        print_message("only root may do that to a connection\n");
        skip();
    }
}

static void test_a_connection_that_ends_while_the_port_is_open_says_nothing(void **state UNUSED)
{
    uint16_t port = 0;
    int listener = listen_on(&port);
    struct word word;
    struct watch *watch = watch_port(&word, port);
    (void)close(take_connection(listener));
    (void)close(take_connection(listener)); /* it came again */
    int fd = take_connection(listener);     /* and again, after a pause */
    watch_stop(watch);
    assert_int_equal(word.n_refused + word.n_answers, 0);
    (void)close(fd);
    (void)close(listener);
    word_fini(&word);
}

static void test_a_port_that_was_never_open_says_nothing(void **state UNUSED)
{
    uint16_t port = 0;
    int listener = listen_on(&port);
    (void)close(listener);
    struct word word;
    struct watch *watch = watch_port(&word, port);
    listener = listen_on(&port); /* it may have been refused before this, or not */
    int fd = take_connection(listener);
    watch_stop(watch);
    assert_int_equal(word.n_refused + word.n_answers, 0);
    (void)close(fd);
    (void)close(listener);
    word_fini(&word);
}

static void test_a_target_that_stays_keeps_its_connection(void **state UNUSED)
{
    uint16_t port = 0;
    int listener = listen_on(&port);
    struct word word;
    struct watch *watch = watch_port(&word, port);
    int fd = take_connection(listener);
    char id[32];
    (void)snprintf(id, sizeof(id), "127.0.0.1:%u", port);
    const struct watch_target targets[] = { { "i2", "[::1]:1" }, { "i1", id } };
    watch_set(watch, targets, 2);
    watch_set(watch, NULL, 0);
    char byte;
    assert_int_equal(read(fd, &byte, 1), 0); /* only now it ends */
    watch_stop(watch);
    assert_int_equal(word.n_refused, 0);
    (void)close(fd);
    (void)close(listener);
    word_fini(&word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_port_that_is_gone_is_told_at_once_and_its_return_too),
        cmocka_unit_test(test_a_port_is_gone_too_when_its_listener_outlived_the_connection),
        cmocka_unit_test(test_a_port_is_gone_too_when_a_dying_process_forgot_the_connection),
        cmocka_unit_test(test_a_connection_that_ends_while_the_port_is_open_says_nothing),
        cmocka_unit_test(test_a_port_that_was_never_open_says_nothing),
        cmocka_unit_test(test_a_target_that_stays_keeps_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
