/* SPDX-License-Identifier: Apache-2.0 */
/* Named threads with all signals blocked: only main handles signals. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct thread {
    pthread_t id;
    bool running;
};

/* thread_start runs body(arg) in a new thread named `name` (15 bytes are shown by tools). The
 * struct is the caller's and must outlive the thread. Aborts when the system has no threads left.
 */
void thread_start(struct thread *thread, const char *name, void *(*body)(void *), void *arg);
/* thread_detach lets a started thread end by itself: nobody joins it, and the struct may go. */
void thread_detach(struct thread *thread);
/* thread_join waits for the end of a started thread; does nothing if none runs. */
void thread_join(struct thread *thread);
