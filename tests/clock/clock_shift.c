/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a process (LD_PRELOAD), it sets the wall clock that this process sees, and lets it
 * be set again while the process runs, as a wrong NTP server or an administrator does it: the file
 * named by SLUICE_CLOCK_FILE holds the shift, eight bytes, seconds. Clocks that the kernel never
 * sets (monotonic, boot time, CPU time) are left alone, and so are waits: a deadline that was made
 * from the shifted clock is translated back, as the kernel translates those of the real one.
 *
 * Any thread may call any of it. The file is read through a mapping, so a look costs no system
 * call.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* Deadlines from here on are of the wall clock: no machine is up for thirty years. */
#define WALL_FROM_S 1000000000

static const volatile int64_t *shift_s;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_cnd_timedwait)(cnd_t *, mtx_t *, const struct timespec *);

__attribute__((constructor)) static void clock_shift_init(void)
{
    real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    /* The unversioned one is that of condition variables of long ago. */
    real_cond_timedwait =
        (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlvsym(
            RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    real_cnd_timedwait =
        (int (*)(cnd_t *, mtx_t *, const struct timespec *))dlsym(RTLD_NEXT, "cnd_timedwait");
    const char *path = getenv("SLUICE_CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED || !real_clock_gettime || !real_cond_timedwait) {
        abort();
    }
    close(file);
    shift_s = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
    if (!real_clock_gettime) {
        clock_shift_init();
    }
    int rc = real_clock_gettime(clock, ret_now);
    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        ret_now->tv_sec += *shift_s;
    }
    return rc;
}

int timespec_get(struct timespec *ret_now, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, ret_now) == 0 ? base : 0;
}

time_t time(time_t *ret_now)
{
    struct timespec now = { 0, 0 };
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_now) {
        *ret_now = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict ret_now, void *restrict zone)
{
    (void)zone;
    struct timespec now = { 0, 0 };
    clock_gettime(CLOCK_REALTIME, &now);
    ret_now->tv_sec = now.tv_sec;
    ret_now->tv_usec = now.tv_nsec / 1000;
    return 0;
}

static struct timespec unshifted(const struct timespec *deadline)
{
    struct timespec found = *deadline;
    if (found.tv_sec >= WALL_FROM_S) {
        found.tv_sec -= *shift_s;
    }
    return found;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline)
{
    struct timespec real = unshifted(deadline);
    return real_cond_timedwait(cond, mutex, &real);
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
                  const struct timespec *restrict deadline)
{
    struct timespec real = unshifted(deadline);
    return real_cnd_timedwait(cond, mutex, &real);
}
