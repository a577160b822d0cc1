/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C11 threads on top of POSIX threads, for builds with the thread sanitizer only. The packaged
 * librdkafka calls the C library's thrd_, mtx_ and cnd_ functions, which the sanitizer does not
 * intercept: it then knows neither the threads nor the locks and crashes or reports races that are
 * none. These definitions in the executable come before the C library's, and what they call is
 * intercepted. The types are the C library's own; the assertions below say what is relied on.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t), "a mutex fits");
_Static_assert(_Alignof(mtx_t) >= _Alignof(pthread_mutex_t), "a mutex is aligned");
_Static_assert(sizeof(cnd_t) >= sizeof(pthread_cond_t), "a condition fits");
_Static_assert(_Alignof(cnd_t) >= _Alignof(pthread_cond_t), "a condition is aligned");
_Static_assert(sizeof(once_flag) == sizeof(pthread_once_t), "a once flag fits");
_Static_assert(sizeof(tss_t) == sizeof(pthread_key_t), "a key fits");
_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "a thread id fits");

static int result(int rc)
{
    switch (rc) {
    case 0:
        return thrd_success;
    case ENOMEM:
        return thrd_nomem;
    case ETIMEDOUT:
        return thrd_timedout;
    case EBUSY:
        return thrd_busy;
    default:
        return thrd_error;
    }
}

/*
 * What the sanitizer is told at start. librdkafka counts references by atomics, which it does not
 * see in a library that is not instrumented: calls that librdkafka makes itself (free, rwlocks) are
 * left out. Its mutexes and threads come through this file and stay visible, and so do races of our
 * own callbacks. libmosquitto 2.0.11 unlocks a mutex twice when a connection ends.
 *
 * What the rwlocks order is then not seen either. The writes of making and ending a mutex or
 * condition would look unordered with its use by another thread, so they are not recorded.
 */
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
__attribute__((weak)) const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librdkafka.so\n"
           "mutex:libmosquitto.so\n";
}

struct start {
    thrd_start_t body;
    void *arg;
};

static void *run(void *arg)
{
    struct start start = *(struct start *)arg;
    free(arg);
    return (void *)(intptr_t)start.body(start.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t body, void *arg)
{
    struct start *start = malloc(sizeof(*start));
    if (!start) {
        return thrd_nomem;
    }
    *start = (struct start){ body, arg };
    int rc = pthread_create(thread, NULL, run, start);
    if (rc != 0) {
        free(start);
    }
    return result(rc);
}

int thrd_join(thrd_t thread, int *ret_code)
{
    void *value = NULL;
    int rc = pthread_join(thread, &value);
    if (rc == 0 && ret_code) {
        *ret_code = (int)(intptr_t)value;
    }
    return result(rc);
}

int thrd_detach(thrd_t thread)
{
    return result(pthread_detach(thread));
}

thrd_t thrd_current(void)
{
    return pthread_self();
}

int thrd_equal(thrd_t a, thrd_t b)
{
    return pthread_equal(a, b);
}

void thrd_yield(void)
{
    (void)sched_yield();
}

_Noreturn void thrd_exit(int code)
{
    pthread_exit((void *)(intptr_t)code);
}

int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attr;
    if (pthread_mutexattr_init(&attr) != 0) {
        return thrd_error;
    }
    if (type & mtx_recursive) {
        (void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    }
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    int rc = pthread_mutex_init((pthread_mutex_t *)mutex, &attr);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    (void)pthread_mutexattr_destroy(&attr);
    return result(rc);
}

void mtx_destroy(mtx_t *mutex)
{
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    (void)pthread_mutex_destroy((pthread_mutex_t *)mutex);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}

int mtx_lock(mtx_t *mutex)
{
    return result(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_trylock(mtx_t *mutex)
{
    return result(pthread_mutex_trylock((pthread_mutex_t *)mutex));
}

int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict deadline)
{
    return result(pthread_mutex_timedlock((pthread_mutex_t *)mutex, deadline));
}

int mtx_unlock(mtx_t *mutex)
{
    return result(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

int cnd_init(cnd_t *cond)
{
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    int rc = pthread_cond_init((pthread_cond_t *)cond, NULL);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    return result(rc);
}

void cnd_destroy(cnd_t *cond)
{
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    (void)pthread_cond_destroy((pthread_cond_t *)cond);
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}

int cnd_signal(cnd_t *cond)
{
    return result(pthread_cond_signal((pthread_cond_t *)cond));
}

int cnd_broadcast(cnd_t *cond)
{
    return result(pthread_cond_broadcast((pthread_cond_t *)cond));
}

int cnd_wait(cnd_t *cond, mtx_t *mutex)
{
    return result(pthread_cond_wait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
                  const struct timespec *restrict deadline)
{
    return result(
        pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, deadline));
}

int tss_create(tss_t *key, tss_dtor_t destructor)
{
    return result(pthread_key_create(key, destructor));
}

void tss_delete(tss_t key)
{
    (void)pthread_key_delete(key);
}

void *tss_get(tss_t key)
{
    return pthread_getspecific(key);
}

int tss_set(tss_t key, void *value)
{
    return result(pthread_setspecific(key, value));
}

void call_once(once_flag *flag, void (*body)(void))
{
    (void)pthread_once((pthread_once_t *)flag, body);
}
