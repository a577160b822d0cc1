/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that sees PCRE2. Patterns are translated first: Java's \uXXXX becomes \x{XXXX}, and
 * what both dialects accept with another meaning is refused, because a router or allow-list that
 * silently matches something else is worse than an error at the key.
 *
 * Limits: the number of backtracking steps, their memory, the nesting of parentheses, the length of
 * the pattern. The compiled code, and the context that carries the limits, are only read.
 */
#include "worker/base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "worker/base/macros.h"
#include "worker/base/mem.h"

#define MATCH_STEPS   1000000u /* some 20 ms */
#define MATCH_DEPTH   50000u
#define MATCH_HEAP    8192u /* KiB */
#define NESTED_PARENS 100u

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    uint32_t n_groups;
};

/* The translation of a pattern. */
struct translation {
    const char *pattern;
    size_t at; /* what of the pattern is done */
    struct buf out;
    const char *refused; /* why the pattern is no good, NULL while it is */
};

static bool read_hex4(const char *text, unsigned *ret_value)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        char c = text[i];
        bool digit = c >= '0' && c <= '9';
        bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!digit && !letter) {
            return false;
        }
        value = value * 16 + (unsigned)(digit ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    *ret_value = value;
    return true;
}

/* \uXXXX, or two of them that are a pair of surrogates. */
static void translate_unicode(struct translation *t)
{
    const char *text = t->pattern + t->at;
    unsigned code;
    if (!read_hex4(text + 2, &code)) {
        t->refused = "\\u needs four hexadecimal digits";
        return;
    }
    t->at += 6;
    unsigned low;
    bool high = code >= 0xD800 && code <= 0xDBFF;
    if (high && text[6] == '\\' && text[7] == 'u' && read_hex4(text + 8, &low) && low >= 0xDC00 &&
        low <= 0xDFFF) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        t->at += 6;
    }
    buf_printf(&t->out, "\\x{%X}", code);
}

static void translate_quoted(struct translation *t)
{
    const char *text = t->pattern + t->at;
    const char *end = strstr(text, "\\E");
    size_t length = end ? (size_t)(end - text) + 2 : strlen(text);
    buf_add(&t->out, text, length);
    t->at += length;
}

static void translate_escape(struct translation *t)
{
    const char *text = t->pattern + t->at;
    if (text[1] == 'u') {
        translate_unicode(t);
    } else if (text[1] == 'Q') {
        translate_quoted(t);
    } else {
        size_t length = text[1] ? 2 : 1;
        buf_add(&t->out, text, length);
        t->at += length;
    }
}

/* A class up to its end. Java nests classes and intersects them; PCRE2 takes [ and && as
 * characters. */
static void translate_class(struct translation *t)
{
    const char *pattern = t->pattern;
    size_t start = t->at;
    buf_add_char(&t->out, pattern[t->at++]);
    if (pattern[t->at] == '^') {
        buf_add_char(&t->out, pattern[t->at++]);
    }
    if (pattern[t->at] == ']') {
        t->refused = "an empty character class, or one with an unescaped ]";
    }
    while (!t->refused && pattern[t->at] && pattern[t->at] != ']') {
        if (pattern[t->at] == '\\') {
            translate_escape(t);
            continue;
        }
        if (pattern[t->at] == '[') {
            t->refused = "nested character classes are not supported, write \\[ for the character";
        } else if (strncmp(pattern + t->at, "&&", 2) == 0) {
            t->refused = "intersections of character classes are not supported";
        } else {
            buf_add_char(&t->out, pattern[t->at++]);
        }
    }
    if (!t->refused && !pattern[t->at]) {
        t->at = start;
        t->refused = "unclosed character class";
    }
}

/* What follows a parenthesis and means something in one of the dialects only, or different
 * things. */
static void check_group(struct translation *t)
{
    const char *text = t->pattern + t->at + 1;
    if (*text == '*') {
        t->refused = "nothing to repeat behind the parenthesis";
        return;
    }
    if (*text != '?') {
        return;
    }
    size_t flags = strspn(text + 1, "imsxdUuJn-");
    bool inline_flags = text[1 + flags] == ')' || text[1 + flags] == ':';
    for (size_t i = 0; inline_flags && i < flags; i++) {
        if (!strchr("imsx-", text[1 + i])) {
            t->refused = "of the inline flags only i, m, s and x are supported";
        }
    }
}

static void translate(struct translation *t)
{
    while (!t->refused && t->pattern[t->at]) {
        char c = t->pattern[t->at];
        if (c == '\\') {
            translate_escape(t);
            continue;
        }
        if (c == '[') {
            translate_class(t);
        } else if (c == '(') {
            check_group(t);
        }
        if (!t->refused) {
            buf_add_char(&t->out, t->pattern[t->at++]);
        }
    }
}

static enum err bad_pattern(const char *pattern, size_t position, const char *reason,
                            struct error *reterr)
{
    return error_set(reterr, ERR_INVALID, "Invalid regular expression at position %zu (%s): %s",
                     position, reason, pattern);
}

/* Where an offset of the translated text lies in the pattern: exact but behind \uXXXX. */
static size_t position_of(const struct translation *t, size_t offset)
{
    size_t grown = t->out.length > t->at ? t->out.length - t->at : 0;
    return offset > t->at ? offset - grown : offset;
}

static enum err compile(const struct translation *t, struct regex *regex, struct error *reterr)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    ASSERT(context);
    pcre2_set_newline(context, PCRE2_NEWLINE_ANY);
    pcre2_set_parens_nest_limit(context, NESTED_PARENS);
    int code;
    size_t offset;
    regex->code = pcre2_compile((const unsigned char *)buf_text(&t->out), t->out.length,
                                PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &offset, context);
    pcre2_compile_context_free(context);
    if (!regex->code) {
        unsigned char reason[256];
        pcre2_get_error_message(code, reason, sizeof(reason));
        return bad_pattern(t->pattern, position_of(t, offset), (const char *)reason, reterr);
    }
    pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &regex->n_groups);
    regex->limits = pcre2_match_context_create(NULL);
    ASSERT(regex->limits);
    pcre2_set_match_limit(regex->limits, MATCH_STEPS);
    pcre2_set_depth_limit(regex->limits, MATCH_DEPTH);
    pcre2_set_heap_limit(regex->limits, MATCH_HEAP);
    return ERR_OK;
}

enum err regex_new(const char *pattern, struct regex **ret_regex, struct error *reterr)
{
    if (strlen(pattern) > REGEX_PATTERN_LIMIT) {
        return error_set(reterr, ERR_INVALID, "Invalid regular expression: longer than %d bytes",
                         REGEX_PATTERN_LIMIT);
    }
    CLEANUP(regex_freep) struct regex *regex = xcalloc(1, sizeof(*regex));
    struct translation t = { .pattern = pattern };
    buf_init(&t.out);
    translate(&t);
    enum err err =
        t.refused ? bad_pattern(pattern, t.at, t.refused, reterr) : compile(&t, regex, reterr);
    buf_fini(&t.out);
    if (!err) {
        *ret_regex = TAKE(regex);
    }
    return err;
}

void regex_free(struct regex *regex)
{
    if (!regex) {
        return;
    }
    pcre2_match_context_free(regex->limits);
    pcre2_code_free(regex->code);
    free(regex);
}

void regex_freep(struct regex **place)
{
    regex_free(*place);
}

/* Matches with the options; what was found is in data. */
static enum err match(const struct regex *regex, const char *text, size_t length, uint32_t options,
                      pcre2_match_data *data, struct error *reterr)
{
    int n = pcre2_match(regex->code, (const unsigned char *)text, length, 0, options, data,
                        regex->limits);
    if (n >= 0) {
        return ERR_OK;
    }
    if (n == PCRE2_ERROR_NOMATCH) {
        return ERR_NOT_FOUND;
    }
    unsigned char reason[256];
    pcre2_get_error_message(n, reason, sizeof(reason));
    return error_set(reterr, ERR_INVALID, "The regular expression cannot be tried on the text: %s",
                     (const char *)reason);
}

static pcre2_match_data *new_data(const struct regex *regex)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(regex->code, NULL);
    ASSERT(data);
    return data;
}

enum err regex_matches(const struct regex *regex, const char *text, size_t length,
                       bool *ret_matches, struct error *reterr)
{
    pcre2_match_data *data = new_data(regex);
    enum err err = match(regex, text, length, PCRE2_ANCHORED | PCRE2_ENDANCHORED, data, reterr);
    pcre2_match_data_free(data);
    if (err && err != ERR_NOT_FOUND) {
        return err;
    }
    *ret_matches = err == ERR_OK;
    return ERR_OK;
}

/* Reads `$1` at text: as many digits as still name a group. */
static enum err group_of_digits(const struct regex *regex, const char **text, uint32_t *ret_group,
                                struct error *reterr)
{
    uint32_t group = (uint32_t)(*(*text)++ - '0');
    if (group > regex->n_groups) {
        return error_set(reterr, ERR_INVALID, "No group %u", group);
    }
    while (**text >= '0' && **text <= '9') {
        uint32_t longer = group * 10 + (uint32_t)(**text - '0');
        if (longer > regex->n_groups) {
            break;
        }
        group = longer;
        (*text)++;
    }
    *ret_group = group;
    return ERR_OK;
}

/* Reads `{name}` at text. */
static enum err group_of_name(const struct regex *regex, const char **text, uint32_t *ret_group,
                              struct error *reterr)
{
    size_t length = strcspn(++*text, "}");
    if (!(*text)[length]) {
        return error_set(reterr, ERR_INVALID, "named capturing group is missing trailing '}'");
    }
    CLEANUP(free_charp) char *name = xstrndup(*text, length);
    int number = pcre2_substring_number_from_name(regex->code, (const unsigned char *)name);
    if (number < 0) {
        return error_set(reterr, ERR_INVALID, "No group with name {%s}", name);
    }
    *text += length + 1;
    *ret_group = (uint32_t)number;
    return ERR_OK;
}

/* What is found, for a replacement; both NULL: nothing, the replacement is only checked. */
struct found {
    const char *text;
    const size_t *spans; /* start and end of each group */
};

static void add_group(const struct found *found, uint32_t group, struct buf *out)
{
    if (!found->spans || found->spans[2 * group] == PCRE2_UNSET) {
        return;
    }
    size_t start = found->spans[2 * group];
    buf_add(out, found->text + start, found->spans[2 * group + 1] - start);
}

/* Matcher.appendReplacement. */
static enum err expand(const struct regex *regex, const char *replacement,
                       const struct found *found, struct buf *out, struct error *reterr)
{
    for (const char *c = replacement; *c;) {
        if (*c == '\\') {
            if (!c[1]) {
                return error_set(reterr, ERR_INVALID, "character to be escaped is missing");
            }
            buf_add_char(out, c[1]);
            c += 2;
            continue;
        }
        if (*c != '$') {
            buf_add_char(out, *c++);
            continue;
        }
        uint32_t group = 0;
        enum err err;
        c++;
        if (*c == '{') {
            err = group_of_name(regex, &c, &group, reterr);
        } else if (*c >= '0' && *c <= '9') {
            err = group_of_digits(regex, &c, &group, reterr);
        } else {
            err = error_set(reterr, ERR_INVALID, "Illegal group reference%s",
                            *c ? "" : ": group index is missing");
        }
        if (err) {
            return err;
        }
        add_group(found, group, out);
    }
    return ERR_OK;
}

enum err regex_check_replacement(const struct regex *regex, const char *replacement,
                                 struct error *reterr)
{
    struct buf out;
    buf_init(&out);
    enum err err = expand(regex, replacement, &(struct found){ 0 }, &out, reterr);
    buf_fini(&out);
    return err;
}

enum err regex_replace(const struct regex *regex, const char *text, const char *replacement,
                       bool *ret_matched, struct buf *out, struct error *reterr)
{
    size_t length = strlen(text);
    pcre2_match_data *data = new_data(regex);
    struct buf expanded;
    buf_init(&expanded);
    enum err err = match(regex, text, length, PCRE2_ANCHORED | PCRE2_ENDANCHORED, data, reterr);
    if (!err) {
        err = match(regex, text, length, 0, data, reterr);
    }
    if (!err) {
        struct found found = { .text = text, .spans = pcre2_get_ovector_pointer(data) };
        err = expand(regex, replacement, &found, &expanded, reterr);
    }
    if (!err) {
        const size_t *spans = pcre2_get_ovector_pointer(data);
        buf_add(out, text, spans[0]);
        buf_add(out, buf_text(&expanded), expanded.length);
        buf_add(out, text + spans[1], length - spans[1]);
    }
    buf_fini(&expanded);
    pcre2_match_data_free(data);
    if (err && err != ERR_NOT_FOUND) {
        return err;
    }
    *ret_matched = err == ERR_OK;
    return ERR_OK;
}
