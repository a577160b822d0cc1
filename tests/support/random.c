/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded random numbers (splitmix64). See random.h. */
#include "tests/support/random.h"

#include <sys/random.h>

#include "worker/base/macros.h"

void random_seed(struct random *random, uint64_t seed)
{
    random->state = seed;
}

void random_init(struct random *random)
{
    uint32_t seed = 0;
    const char *given = getenv("TEST_SEED");
    if (given) {
        seed = (uint32_t)strtoul(given, NULL, 10);
    } else {
        ASSERT(getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
    }
    printf("seed %u\n", seed);
    (void)fflush(stdout);
    random_seed(random, seed);
}

uint64_t random_next(struct random *random)
{
    random->state += 0x9E3779B97F4A7C15U;
    uint64_t z = random->state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

size_t random_below(struct random *random, size_t n)
{
    return (size_t)(random_next(random) % n);
}
