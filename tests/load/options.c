/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Option parsing for sluice-load. Owned by the main thread. Promises that every rejected command
 * line gets one line naming the option, what was wrong with it and what to write instead.
 */
#include "tests/load/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/util.h"

static void print_default(const struct option_row *row)
{
    if (row->kind == OPTION_NUMBER) {
        const uint64_t *value = row->target;
        printf(" [%" PRIu64 "]", *value);
    } else if (row->kind == OPTION_STRING) {
        const char *const *value = row->target;
        if (*value != NULL) {
            printf(" [%s]", *value);
        }
    }
}

static void print_help(const struct option_table *table)
{
    printf("usage: sluice-load %s [options]\n\n%s\n\noptions:\n", table->command, table->summary);
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct option_row *row = &table->rows[i];
        static const char *const words[] = { " TEXT", " N", "" };
        char left[64];
        (void)snprintf(left, sizeof(left), "%s%s", row->name, words[row->kind]);
        printf("  %-30s %s", left, row->doc);
        print_default(row);
        printf("%s\n", row->required ? " (required)" : "");
    }
    printf("  %-30s %s\n", "--help", "show this text");
}

static const struct option_row *find_row(const struct option_table *table, const char *arg,
                                         size_t len)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        const char *name = table->rows[i].name;
        if (strlen(name) == len && strncmp(name, arg, len) == 0) {
            return &table->rows[i];
        }
    }
    return NULL;
}

static bool set_number(const struct option_row *row, const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    bool bad = text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0;
    if (bad || value < row->min || value > row->max) {
        complain("%s %s: give a whole number from %" PRIu64 " to %" PRIu64 "\n", row->name, text,
                 row->min, row->max);
        return false;
    }
    uint64_t *target = row->target;
    *target = value;
    return true;
}

static bool set_value(const struct option_row *row, const char *text)
{
    if (row->kind == OPTION_NUMBER) {
        return set_number(row, text);
    }
    if (text[0] == '\0') {
        complain("%s is empty: give a value\n", row->name);
        return false;
    }
    const char **target = row->target;
    *target = text;
    return true;
}

static bool check_required(const struct option_table *table)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct option_row *row = &table->rows[i];
        const char *const *value = row->target;
        if (row->required && *value == NULL) {
            complain("%s: %s is missing: %s\n", table->command, row->name, row->doc);
            return false;
        }
    }
    return true;
}

/* Takes one option at argv[*i], moves *i past its value. */
static bool take_option(const struct option_table *table, int argc, char **argv, int *i)
{
    const char *arg = argv[*i];
    const char *equals = strchr(arg, '=');
    size_t len = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
    const struct option_row *row = find_row(table, arg, len);
    if (row == NULL) {
        complain("%s: unknown option %s: see sluice-load %s --help\n", table->command, arg,
                 table->command);
        return false;
    }
    if (row->kind == OPTION_FLAG) {
        if (equals != NULL) {
            complain("%s takes no value: leave out %s\n", row->name, equals);
            return false;
        }
        bool *flag = row->target;
        *flag = true;
        return true;
    }
    if (equals != NULL) {
        return set_value(row, equals + 1);
    }
    if (*i + 1 >= argc) {
        complain("%s needs a value: %s\n", row->name, row->doc);
        return false;
    }
    *i += 1;
    return set_value(row, argv[*i]);
}

bool options_parse(const struct option_table *table, int argc, char **argv, int *ret_exit)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help(table);
            *ret_exit = LOAD_OK;
            return false;
        }
    }
    bool good = true;
    for (int i = 0; good && i < argc; i++) {
        good = take_option(table, argc, argv, &i);
    }
    if (good && check_required(table)) {
        return true;
    }
    *ret_exit = LOAD_ERROR;
    return false;
}

bool option_one_of(const char *name, const char *value, const char *words)
{
    size_t len = strlen(value);
    for (const char *at = words; *at != '\0';) {
        size_t word = strcspn(at, " ");
        if (word == len && strncmp(at, value, len) == 0) {
            return true;
        }
        at += word + strspn(at + word, " ");
    }
    complain("%s %s: use one of: %s\n", name, value, words);
    return false;
}
