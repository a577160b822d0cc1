/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers that a failing test can be run again with. Thread: the owner's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

/* random_init seeds from the environment variable TEST_SEED, else from the system, and prints
 * "seed <number>" on stdout. */
void random_init(struct random *random);
/* random_seed seeds with a given number and prints nothing. */
void random_seed(struct random *random, uint64_t seed);
/* random_next returns 64 random bits. */
uint64_t random_next(struct random *random);
/* random_below returns a number from 0 to n - 1; n at least 1. */
size_t random_below(struct random *random, size_t n);
