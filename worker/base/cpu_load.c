/* SPDX-License-Identifier: Apache-2.0 */
/* CPU of the process against what it may use. See cpu_load.h. */
#include "worker/base/cpu_load.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "worker/base/buf.h"
#include "worker/base/mem.h"
#include "worker/base/whole_file.h"

#define LOOK_NS ((uint64_t)15 * 1000 * 1000 * 1000)

static uint64_t nanoseconds(clockid_t id)
{
    struct timespec time = { 0, 0 };
    (void)clock_gettime(id, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

struct cpu_look cpu_look_now(void)
{
    return (struct cpu_look){ nanoseconds(CLOCK_MONOTONIC), nanoseconds(CLOCK_PROCESS_CPUTIME_ID) };
}

void cpu_load_init(struct cpu_load *load)
{
    load->base = cpu_look_now();
    load->next = load->base;
}

double cpu_quota_parse(const char *text)
{
    char *end = NULL;
    double quota = strtod(text, &end);
    if (end == text) {
        return 0;
    }
    double period = strtod(end, NULL);
    return quota >= 1 && period >= 1 ? quota / period : 0;
}

/* Small files of the kernel, one after the other with a blank between; false: one is not there. */
static double quota_of(const char *const files[2])
{
    struct buf text;
    buf_init(&text);
    enum err err = ERR_OK;
    for (int i = 0; i < 2 && files[i] && err == ERR_OK; i++) {
        err = whole_file_read(files[i], 256, &text, NULL, NULL);
        buf_add_char(&text, ' ');
    }
    double quota = err == ERR_OK ? cpu_quota_parse(buf_text(&text)) : 0;
    buf_fini(&text);
    return quota;
}

double cpu_limit(void)
{
    /* As a container sees its own group: of the second version, and of the first. */
    static const char *const groups[][2] = {
        { "/sys/fs/cgroup/cpu.max", NULL },
        { "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us" },
    };
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    double limit = n;
    for (size_t i = 0; i < N_ELEMENTS(groups); i++) {
        double quota = quota_of(groups[i]);
        limit = quota > 0 && quota < limit ? quota : limit;
    }
    return limit;
}

double cpu_load_ratio(struct cpu_load *load, struct cpu_look now, double limit)
{
    if (now.wall_ns >= load->next.wall_ns + LOOK_NS) {
        load->base = load->next;
        load->next = now;
    }
    if (now.wall_ns <= load->base.wall_ns || now.cpu_ns <= load->base.cpu_ns || limit <= 0) {
        return 0;
    }
    double used = (double)(now.cpu_ns - load->base.cpu_ns);
    return used / (double)(now.wall_ns - load->base.wall_ns) / limit;
}
