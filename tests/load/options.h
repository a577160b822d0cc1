/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command line options of sluice-load as table rows: the parser, the checks and --help all read the
 * same table. Used by the main thread only, before any work starts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_STRING, /* target: const char * */
    OPTION_NUMBER, /* target: uint64_t, between min and max */
    OPTION_FLAG    /* target: bool, set to true */
};

struct option_row {
    const char *name; /* with the leading dashes */
    enum option_kind kind;
    void *target; /* holds the default when parsing starts */
    uint64_t min;
    uint64_t max;
    bool required; /* strings only: must not stay NULL */
    const char *doc;
};

struct option_table {
    const char *command;
    const char *summary;
    const struct option_row *rows;
    size_t n_rows;
};

/*
 * options_parse: reads argv[0..argc) (without program and command name) into the targets of the
 * table. Accepts "--name value" and "--name=value". Strings are borrowed from argv. True: go on.
 * False: *ret_exit is the exit code to end with; help, or a line that names the option and the
 * mend, has been printed.
 */
bool options_parse(const struct option_table *table, int argc, char **argv, int *ret_exit);

/*
 * option_one_of: whether value is one of the words of a space separated list; if not, prints the
 * line that names the option and the allowed words.
 */
bool option_one_of(const char *name, const char *value, const char *words);
