/* SPDX-License-Identifier: Apache-2.0 */
/* Corpus replay and mutation. See fuzz.h. */
#include "tests/support/fuzz.h"

#include <dirent.h>

#include "tests/support/random.h"
#include "worker/base/buf.h"
#include "worker/base/mem.h"

#define MAX_SEEDS      256
#define DEFAULT_ROUNDS 100000
#define MAX_MUTANT     4096

struct corpus {
    struct buf seeds[MAX_SEEDS];
    size_t n_seeds;
};

static void read_seed(struct buf *seed, const char *folder, const char *name)
{
    CLEANUP(free_charp) char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    ASSERT(file != NULL);
    char block[4096];
    size_t n = 0;
    buf_init(seed);
    while ((n = fread(block, 1, sizeof(block), file)) > 0) {
        buf_add(seed, block, n);
    }
    (void)fclose(file);
}

static void read_corpus(struct corpus *corpus, const char *name)
{
    CLEANUP(free_charp) char *folder = xasprintf("tests/fuzz/corpus/%s", name);
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, NULL, alphasort);
    ASSERT(n > 0);
    corpus->n_seeds = 0;
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.' && corpus->n_seeds < MAX_SEEDS) {
            read_seed(&corpus->seeds[corpus->n_seeds++], folder, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free((void *)entries);
    ASSERT(corpus->n_seeds > 0);
}

static void run_one(void (*one)(const char *bytes, size_t length), const struct buf *input)
{
    char *exact = malloc(input->length > 0 ? input->length : 1);
    ASSERT(exact != NULL);
    if (input->length > 0) {
        memcpy(exact, input->data, input->length);
    }
    one(exact, input->length);
    free(exact);
}

/* Replaces `gone` bytes at `at` by others. */
static void splice(struct buf *text, size_t at, size_t gone, const char *bytes, size_t length)
{
    struct buf result;
    buf_init(&result);
    buf_add(&result, text->data, at);
    buf_add(&result, bytes, length);
    buf_add(&result, text->data + at + gone, text->length - at - gone);
    buf_fini(text);
    *text = result;
}

static void mutate(struct random *random, const struct corpus *corpus, struct buf *text)
{
    static const char *const tokens[] = { "\\", "\"", "\\u",  "0000", "\\uD83D", "\n",
                                          "\r", "=",  "{",    "}",    "[",       "]",
                                          ",",  ":",  "1e9",  "-",    "null",    "true",
                                          "#",  " ",  "\xC3", "!",    "\t",      "0" };
    (void)buf_reserve(text, 1);
    size_t at = random_below(random, text->length + 1);
    size_t left = text->length - at;
    const struct buf *other = &corpus->seeds[random_below(random, corpus->n_seeds)];
    size_t from = random_below(random, other->length + 1);
    const char *token = tokens[random_below(random, N_ELEMENTS(tokens))];
    char byte = (char)random_next(random);
    switch (random_below(random, 6)) {
    case 0:
        splice(text, at, left > 0, &byte, 1);
        break;
    case 1:
        splice(text, at, random_below(random, left + 1), "", 0);
        break;
    case 2:
        splice(text, at, random_below(random, 2) * left, other->data + from, other->length - from);
        break;
    case 3:
        splice(text, at, random_below(random, left + 1) % 5, "", 0);
        break;
    default:
        splice(text, at, 0, token, strlen(token));
        break;
    }
}

void fuzz_run(const char *name, void (*one)(const char *bytes, size_t length))
{
    static struct corpus corpus;
    struct random random;
    const char *given = getenv("FUZZ_ROUNDS");
    unsigned long n_rounds = given ? strtoul(given, NULL, 10) : DEFAULT_ROUNDS;
    random_init(&random);
    read_corpus(&corpus, name);
    for (size_t i = 0; i < corpus.n_seeds; i++) {
        run_one(one, &corpus.seeds[i]);
    }
    for (unsigned long round = 0; round < n_rounds; round++) {
        const struct buf *seed = &corpus.seeds[random_below(&random, corpus.n_seeds)];
        struct buf text;
        buf_init(&text);
        buf_add(&text, seed->data, seed->length);
        for (size_t n = 1 + random_below(&random, 6); n > 0; n--) {
            mutate(&random, &corpus, &text);
        }
        if (text.length <= MAX_MUTANT) {
            run_one(one, &text);
        }
        buf_fini(&text);
    }
    for (size_t i = 0; i < corpus.n_seeds; i++) {
        buf_fini(&corpus.seeds[i]);
    }
}
