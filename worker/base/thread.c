/* SPDX-License-Identifier: Apache-2.0 */
/* Named threads that leave signals to main. See thread.h. */
#include "worker/base/thread.h"

#include <signal.h>

#include "worker/base/macros.h"

/* Task threads hold their buffers on the heap: a small stack keeps hundreds of them cheap. */
#define THREAD_STACK_SIZE ((size_t)512 * 1024)

void thread_start(struct thread *thread, const char *name, void *(*body)(void *), void *arg)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    pthread_attr_t attr;
    ASSERT(pthread_attr_init(&attr) == 0);
#ifndef SLUICE_SANITIZED
    ASSERT(pthread_attr_setstacksize(&attr, THREAD_STACK_SIZE) == 0);
#endif
    ASSERT(pthread_create(&thread->id, &attr, body, arg) == 0);
    (void)pthread_attr_destroy(&attr);
    char shown[16];
    (void)snprintf(shown, sizeof(shown), "%s", name);
    (void)pthread_setname_np(thread->id, shown);
    thread->running = true;
    ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

void thread_detach(struct thread *thread)
{
    if (thread->running) {
        ASSERT(pthread_detach(thread->id) == 0);
        thread->running = false;
    }
}

void thread_join(struct thread *thread)
{
    if (thread->running) {
        ASSERT(pthread_join(thread->id, NULL) == 0);
        thread->running = false;
    }
}
