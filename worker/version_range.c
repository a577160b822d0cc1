/* SPDX-License-Identifier: Apache-2.0 */
/* Maven's version ranges. See version_range.h. */
#include "worker/version_range.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "worker/base/buf.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

/* A part of a version: a number, a qualifier, or (length 0) nothing any more. */
struct part {
    const char *text;
    size_t length;
    bool number;
};

/* Takes the next part off a version: parts end at '.', '-', and between digits and letters. */
static struct part next_part(const char **p)
{
    *p += strspn(*p, ".-_");
    struct part part = { .text = *p, .number = isdigit((unsigned char)**p) };
    while (**p && !strchr(".-_", **p) && (isdigit((unsigned char)**p) != 0) == part.number) {
        (*p)++;
    }
    part.length = (size_t)(*p - part.text);
    return part;
}

static int sign(long number)
{
    return (number > 0) - (number < 0);
}

/* Numbers of any length. */
static int compare_numbers(struct part a, struct part b)
{
    while (a.length > 0 && *a.text == '0') {
        a.text++;
        a.length--;
    }
    while (b.length > 0 && *b.text == '0') {
        b.text++;
        b.length--;
    }
    if (a.length != b.length) {
        return a.length > b.length ? 1 : -1;
    }
    return sign(memcmp(a.text, b.text, a.length));
}

/* Known qualifiers by age; a release is RELEASE, anything unknown is younger than all of them. */
enum {
    RELEASE = 5,
    UNKNOWN = 7
};

static int rank_of(struct part part)
{
    static const struct {
        const char *name;
        int rank;
    } ranks[] = {
        { "alpha", 0 },     { "a", 0 },        { "beta", 1 },        { "b", 1 },
        { "milestone", 2 }, { "m", 2 },        { "rc", 3 },          { "cr", 3 },
        { "snapshot", 4 },  { "ga", RELEASE }, { "final", RELEASE }, { "release", RELEASE },
        { "sp", 6 },
    };
    if (part.length == 0) {
        return RELEASE;
    }
    for (size_t i = 0; i < N_ELEMENTS(ranks); i++) {
        if (strlen(ranks[i].name) == part.length &&
            strncasecmp(ranks[i].name, part.text, part.length) == 0) {
            return ranks[i].rank;
        }
    }
    return UNKNOWN;
}

static int compare_parts(struct part a, struct part b)
{
    bool numbers = (a.number || a.length == 0) && (b.number || b.length == 0);
    if (numbers) {
        return compare_numbers(a, b);
    }
    if (a.number || b.number) {
        return a.number ? 1 : -1;
    }
    int ranks = rank_of(a) - rank_of(b);
    if (ranks != 0 || rank_of(a) != UNKNOWN) {
        return sign(ranks);
    }
    size_t shorter = a.length < b.length ? a.length : b.length;
    int texts = strncasecmp(a.text, b.text, shorter);
    return texts != 0 ? sign(texts) : sign((long)a.length - (long)b.length);
}

static bool is_zero(struct part part)
{
    return part.number && strspn(part.text, "0") >= part.length;
}

/* The next part of one version beside `other`, the part of the other: a zero before a qualifier is
 * no part of its own, 1.0-rc is 1-rc. */
static struct part part_beside(struct part part, const char **p, struct part other)
{
    while (is_zero(part) && !other.number && other.length > 0) {
        part = next_part(p);
    }
    return part;
}

int version_compare(const char *one, const char *other)
{
    const char *p = one;
    const char *q = other;
    while (*p || *q) {
        struct part a = next_part(&p);
        struct part b = next_part(&q);
        a = part_beside(a, &p, b);
        b = part_beside(b, &q, a);
        int compared = compare_parts(a, b);
        if (compared != 0) {
            return compared;
        }
    }
    return 0;
}

/* One range while it is read. Bounds are owned, NULL: none. */
struct range {
    char *lower;
    char *upper;
    bool lower_in;
    bool upper_in;
};

static void range_fini(struct range *range)
{
    free(range->lower);
    free(range->upper);
}

static char *trimmed(const char *text, size_t length)
{
    while (length > 0 && (unsigned char)*text <= ' ') {
        text++;
        length--;
    }
    while (length > 0 && (unsigned char)text[length - 1] <= ' ') {
        length--;
    }
    return xstrndup(text, length);
}

static char *bound(const char *text, size_t length)
{
    char *found = trimmed(text, length);
    if (found[0] == '\0') {
        free(found);
        return NULL;
    }
    return found;
}

static enum err check_order(const struct range *range, const char *text, size_t length,
                            struct error *reterr)
{
    if (!range->lower || !range->upper) {
        return ERR_OK;
    }
    int order = version_compare(range->upper, range->lower);
    if (order < 0 || (order == 0 && !(range->lower_in && range->upper_in))) {
        return error_set(reterr, ERR_INVALID, "Range defies version ordering: %.*s",
                         (int)(length < 200 ? length : 200), text);
    }
    return ERR_OK;
}

/* Reads "[a,b)" or "[a]" of the given length, brackets included. */
static enum err read_range(const char *text, size_t length, struct range *range,
                           struct error *reterr)
{
    range->lower_in = text[0] == '[';
    range->upper_in = text[length - 1] == ']';
    const char *inner = text + 1;
    size_t inner_length = length - 2;
    const char *comma = memchr(inner, ',', inner_length);
    if (comma) {
        range->lower = bound(inner, (size_t)(comma - inner));
        range->upper = bound(comma + 1, inner_length - (size_t)(comma - inner) - 1);
        return check_order(range, text, length, reterr);
    }
    if (!range->lower_in || !range->upper_in) {
        return error_set(reterr, ERR_INVALID, "Single version must be surrounded by []: %.*s",
                         (int)(length < 200 ? length : 200), text);
    }
    range->lower = trimmed(inner, inner_length);
    range->upper = xstrdup(range->lower);
    return ERR_OK;
}

static bool contains(const struct range *range, const char *version)
{
    int low = range->lower ? version_compare(version, range->lower) : 1;
    int high = range->upper ? version_compare(version, range->upper) : -1;
    return (low > 0 || (low == 0 && range->lower_in)) &&
           (high < 0 || (high == 0 && range->upper_in));
}

static void print_range(const struct range *range, struct buf *out)
{
    buf_printf(out, "%s%c%s,%s%c", out->length > 0 ? "," : "", range->lower_in ? '[' : '(',
               range->lower ? range->lower : "", range->upper ? range->upper : "",
               range->upper_in ? ']' : ')');
}

/* What is known after some ranges of a text. */
struct reading {
    const char *version;
    bool matches;
    struct buf shown;
    char *last_upper; /* owned; the upper bound of the range before, NULL: none */
};

/* Takes one range in; they must come in order. */
static enum err take_range(struct reading *reading, const char *text, size_t length,
                           const char *whole, struct error *reterr)
{
    struct range range = { .lower = NULL };
    enum err err = read_range(text, length, &range, reterr);
    bool overlaps = err == ERR_OK && reading->last_upper &&
                    (!range.lower || version_compare(range.lower, reading->last_upper) < 0);
    if (overlaps) {
        err = error_set(reterr, ERR_INVALID, "Ranges overlap: %.200s", whole);
    }
    if (err == ERR_OK) {
        reading->matches = reading->matches || contains(&range, reading->version);
        print_range(&range, &reading->shown);
        free(reading->last_upper);
        reading->last_upper = TAKE(range.upper);
    }
    range_fini(&range);
    return err;
}

static const char *skip_blanks(const char *p)
{
    while (*p && (unsigned char)*p <= ' ') {
        p++;
    }
    return p;
}

static enum err read_ranges(struct reading *reading, const char *text, struct error *reterr)
{
    const char *p = text;
    while (*p == '[' || *p == '(') {
        size_t length = strcspn(p, ")]") + 1;
        if (p[length - 1] == '\0') {
            return error_set(reterr, ERR_INVALID, "Unbounded range: %.200s", text);
        }
        enum err err = take_range(reading, p, length, text, reterr);
        if (err != ERR_OK) {
            return err;
        }
        p = skip_blanks(p + length);
        if (*p == ',') {
            p = skip_blanks(p + 1);
        }
    }
    if (*p != '\0') {
        return error_set(reterr, ERR_INVALID,
                         "Only fully-qualified sets allowed in multiple set scenario: %.200s",
                         text);
    }
    return ERR_OK;
}

enum err version_range_match(const char *text, const char *version, bool *ret_matches,
                             char **ret_range, struct error *reterr)
{
    if (strcmp(text, "latest") == 0) {
        *ret_matches = true;
        *ret_range = NULL;
        return ERR_OK;
    }
    CLEANUP(free_charp) char *bare = trimmed(text, strlen(text));
    bool enclosed = bare[0] == '[' || bare[0] == '(';
    CLEANUP(free_charp) char *spec = enclosed ? xstrdup(bare) : xasprintf("[%s]", bare);
    struct reading reading = { .version = version };
    buf_init(&reading.shown);
    enum err err = read_ranges(&reading, spec, reterr);
    if (err == ERR_OK) {
        *ret_matches = reading.matches;
        *ret_range = xstrdup(buf_text(&reading.shown));
    }
    buf_fini(&reading.shown);
    free(reading.last_upper);
    return err;
}

char *version_mismatch(const char *class_name, const char *range, const char *version)
{
    return xasprintf("Plugin %s not found that matches the version range %s, available versions: "
                     "[%s]",
                     class_name, range ? range : "latest", version);
}
