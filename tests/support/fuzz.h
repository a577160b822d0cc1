/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a function over a corpus and over random changes of it. Thread: the test's own. */
#pragma once

#include <stddef.h>

/* fuzz_run calls one(bytes, length) for each file of tests/fuzz/corpus/<name>/ (the working
 * directory is the project's), then for random changes of them: as many as the environment
 * variable FUZZ_ROUNDS says, else a few seconds' worth. Prints the seed (TEST_SEED repeats it).
 * The bytes lie in a block of exactly their length. Aborts if the corpus is empty. */
void fuzz_run(const char *name, void (*one)(const char *bytes, size_t length));
