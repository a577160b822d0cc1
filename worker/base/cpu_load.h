/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of the CPU that it may use the process has used lately. Looks are compared with one that
 * is 15 seconds old or older, so that frequent looks see no noise. Thread: the owner's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A look at the clocks. */
struct cpu_look {
    uint64_t wall_ns;
    uint64_t cpu_ns;
};

struct cpu_load {
    struct cpu_look base; /* compared with */
    struct cpu_look next; /* the base to be, when it is old enough */
};

/* cpu_load_init begins with a look as of now. */
void cpu_load_init(struct cpu_load *load);
/* cpu_look_now reads the clocks. cpu_limit returns how many CPUs the process may use: the limit of
 * its control group, else those that it may run on. It reads files; holds no lock. Thread: any. */
struct cpu_look cpu_look_now(void);
double cpu_limit(void);
/* cpu_load_ratio returns the share of `limit` CPUs that was used up to `now`. Pure. */
double cpu_load_ratio(struct cpu_load *load, struct cpu_look now, double limit);
/* cpu_quota_parse reads "<quota> <period>" as cpu.max has it, "max" or a quota below 1 meaning no
 * limit: the number of CPUs, or 0 for no limit or what is none. */
double cpu_quota_parse(const char *text);
