/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types guessed from header texts, as Connect does it: by tokens, which end at an unescaped
 * : , { } [ ] or ". What does not fit to its last character is a string. See header_text.h.
 */
#include <ctype.h>
#include <math.h>

#include "worker/base/date_format.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"
#include "worker/convert/header_text.h"
#include "worker/value_number.h"

#define MAX_DEPTH 32
/* Elements of a list or map for which there is room at first; a power of two. */
#define FIRST_ROOM 8

struct parser {
    const char *text;
    size_t length;
    size_t at;
    struct arena *arena;
    int depth;
};

/* A piece of the text. */
struct token {
    const char *data;
    size_t length;
};

static bool parse_embedded(struct parser *parser, struct value *ret_value);

/* ---- tokens ---- */

static struct token trimmed(struct token token)
{
    while (token.length > 0 && (unsigned char)token.data[0] <= ' ') {
        token.data++;
        token.length--;
    }
    while (token.length > 0 && (unsigned char)token.data[token.length - 1] <= ' ') {
        token.length--;
    }
    return token;
}

static struct token next_token(struct parser *parser)
{
    size_t start = parser->at;
    bool escaped = false;
    while (parser->at < parser->length) {
        char c = parser->text[parser->at];
        if (!escaped && memchr(":,{}[]\"", c, 7)) {
            parser->at += parser->at == start;
            break;
        }
        escaped = c == '\\' && !escaped;
        parser->at++;
    }
    return (struct token){ parser->text + start, parser->at - start };
}

/* Takes the next token that is not blank if it is that text. */
static bool consume(struct parser *parser, const char *text)
{
    size_t start = parser->at;
    struct token token = { NULL, 0 };
    do {
        token = trimmed(next_token(parser));
    } while (token.length == 0 && parser->at < parser->length);
    if (token.length == strlen(text) && memcmp(token.data, text, token.length) == 0) {
        return true;
    }
    parser->at = start;
    return false;
}

static bool ends(const struct parser *parser)
{
    struct token rest = { parser->text + parser->at, parser->length - parser->at };
    return trimmed(rest).length == 0;
}

/* ---- dates and numbers ---- */

/* By the length of the text, as Connect chooses. */
static bool parse_time(struct token token, struct value *ret_value)
{
    static const struct {
        size_t length;
        const char *pattern;
        enum schema_logical logical;
    } forms[] = {
        { 13, "HH:mm:ss.SSS'Z'", LOGICAL_TIME },
        { 24, "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", LOGICAL_TIMESTAMP },
        { 10, "yyyy-MM-dd", LOGICAL_DATE },
    };
    for (size_t i = 0; i < N_ELEMENTS(forms); i++) {
        int64_t ms = 0;
        struct date_format *format = NULL;
        if (token.length != forms[i].length ||
            date_format_new(forms[i].pattern, &format, NULL) != ERR_OK) {
            continue;
        }
        bool good = date_format_parse(format, token.data, token.length, &ms);
        date_format_free(format);
        if (good) {
            *ret_value = value_whole(VALUE_DATE, ms);
            ret_value->schema = schema_time(forms[i].logical, false);
            return true;
        }
    }
    return false;
}

static bool whole_of(const struct decimal *decimal, int64_t *ret_number)
{
    struct buf text;
    buf_init(&text);
    struct decimal plain = *decimal;
    bool whole = plain.scale <= 0 && plain.scale >= -18;
    plain.scale = 0;
    decimal_add_text(&plain, &text);
    size_t length = text.length;
    for (int32_t i = decimal->scale; whole && i < 0; i++) {
        buf_add_char(&text, '0');
        length++;
    }
    /* 1.00 is whole too. */
    size_t zeros = decimal->scale > 0 && decimal->scale < 40 ? (size_t)decimal->scale : 0;
    if (zeros > 0 && length > zeros && strspn(buf_text(&text) + length - zeros, "0") >= zeros) {
        whole = true;
        length -= zeros;
    }
    whole = whole && java_whole(buf_text(&text), length, VALUE_INT64, ret_number);
    buf_fini(&text);
    return whole;
}

static struct value smallest(int64_t number)
{
    static const struct {
        int64_t min;
        int64_t max;
        enum value_type type;
        enum schema_type schema;
    } sizes[] = {
        { INT8_MIN, INT8_MAX, VALUE_INT8, SCHEMA_INT8 },
        { INT16_MIN, INT16_MAX, VALUE_INT16, SCHEMA_INT16 },
        { INT32_MIN, INT32_MAX, VALUE_INT32, SCHEMA_INT32 },
        { INT64_MIN, INT64_MAX, VALUE_INT64, SCHEMA_INT64 },
    };
    size_t i = 0;
    while (number < sizes[i].min || number > sizes[i].max) {
        i++;
    }
    struct value value = value_whole(sizes[i].type, number);
    value.schema = schema_plain(sizes[i].schema, false);
    return value;
}

static const struct schema *decimal_schema(struct arena *arena, int32_t scale)
{
    CLEANUP(free_charp) char *text = xasprintf("%d", (int)scale);
    struct schema_parameter *parameter = arena_alloc(arena, sizeof(*parameter));
    *parameter = (struct schema_parameter){ "scale", arena_strndup(arena, text, strlen(text)) };
    struct schema *schema = arena_alloc(arena, sizeof(*schema));
    *schema = (struct schema){
        .type = SCHEMA_BYTES,
        .name = "org.apache.kafka.connect.data.Decimal",
        .has_version = true,
        .version = 1,
        .parameters = parameter,
        .n_parameters = 1,
    };
    return schema;
}

static bool parse_number(struct parser *parser, struct token token, struct value *ret_value)
{
    struct decimal *decimal = arena_alloc(parser->arena, sizeof(*decimal));
    int64_t whole = 0;
    if (!decimal_parse(token.data, token.length, parser->arena, decimal)) {
        return false;
    }
    if (whole_of(decimal, &whole)) {
        *ret_value = smallest(whole);
        return true;
    }
    struct value exact = { .type = VALUE_DECIMAL, .as.decimal = decimal };
    struct value small = java_narrow(&exact, VALUE_FLOAT32);
    struct value large = java_narrow(&exact, VALUE_FLOAT64);
    if (isfinite(small.as.real) && decimal->scale != 0) {
        *ret_value = small;
        ret_value->schema = schema_plain(SCHEMA_FLOAT32, false);
    } else if (isfinite(large.as.real) && decimal->scale != 0) {
        *ret_value = large;
        ret_value->schema = schema_plain(SCHEMA_FLOAT64, false);
    } else {
        *ret_value = exact;
        ret_value->schema = decimal_schema(parser->arena, decimal->scale);
    }
    return true;
}

/* A token that is no bracket: a time, which colons cut in five, or a number. */
static bool parse_plain(struct parser *parser, struct value *ret_value)
{
    struct token token = trimmed(next_token(parser));
    size_t behind = parser->at;
    if (token.length == 0) {
        return false;
    }
    bool digit = isdigit((unsigned char)token.data[0]);
    if (digit) {
        for (int i = 0; i < 4; i++) {
            (void)next_token(parser);
        }
        struct token five = { token.data, (size_t)(parser->text + parser->at - token.data) };
        if (parse_time(five, ret_value)) {
            return true;
        }
        parser->at = behind;
        if (parse_time(token, ret_value)) {
            return true;
        }
    }
    return (digit || token.data[0] == '+' || token.data[0] == '-') &&
           parse_number(parser, token, ret_value);
}

/* ---- lists and maps ---- */

/* The schema that holds both, by Connect's rules; NULL if there is none. */
static const struct schema *common_schema(const struct schema *previous,
                                          const struct schema *latest)
{
    if (!latest || !previous) {
        return latest ? latest : previous;
    }
    if (previous->type == latest->type) {
        return latest;
    }
    if (previous->type > SCHEMA_FLOAT64 || latest->type > SCHEMA_FLOAT64) {
        return NULL;
    }
    return previous->type > latest->type ? previous : latest;
}

/* Brings a value to the common schema of its list or map. */
static bool align(const struct schema *schema, struct value *value)
{
    enum schema_type type = SCHEMA_STRUCT;
    if (!schema) {
        return true;
    }
    if (value->type == VALUE_NULL) {
        return false;
    }
    if (value->schema == schema || !value_schema_type(value, &type) || type == schema->type) {
        return value->type != VALUE_DATE || schema_logical(schema) != LOGICAL_NONE;
    }
    if (type > SCHEMA_FLOAT64 || schema->type > SCHEMA_FLOAT64) {
        return false;
    }
    *value = java_narrow(value, VALUE_INT8 + (enum value_type)(schema->type - SCHEMA_INT8));
    return true;
}

static struct schema *new_schema(struct arena *arena, enum schema_type type)
{
    struct schema *schema = arena_alloc(arena, sizeof(*schema));
    schema->type = type;
    return schema;
}

/* Takes one element, and the comma behind it unless the list ends. */
static bool parse_element(struct parser *parser, const char *end, struct value *ret_value)
{
    if (consume(parser, ",") || !parse_embedded(parser, ret_value)) {
        return false;
    }
    size_t start = parser->at;
    if (consume(parser, end)) {
        parser->at = start;
        return true;
    }
    return consume(parser, ",");
}

/* Makes room for one more than n elements. They lie outside the arena until their number is known:
 * only what a text really holds may cost memory there. */
static void *with_room(void *elements, size_t n, size_t size)
{
    bool full = n == 0 || (n >= FIRST_ROOM && (n & (n - 1)) == 0);
    return full ? xrealloc(elements, (n == 0 ? FIRST_ROOM : 2 * n) * size) : elements;
}

static bool collect_items(struct parser *parser, struct value **items, size_t *n,
                          const struct schema **common)
{
    while (!consume(parser, "]")) {
        *items = with_room(*items, *n, sizeof(**items));
        struct value *item = &(*items)[*n];
        if (parser->at >= parser->length || !parse_element(parser, "]", item)) {
            return false;
        }
        *common = common_schema(*common, item->schema);
        ++*n;
    }
    for (size_t i = 0; i < *n; i++) {
        if (!align(*common, &(*items)[i])) {
            return false;
        }
    }
    return true;
}

static bool parse_list(struct parser *parser, struct value *ret_value)
{
    const struct schema *common = NULL;
    struct value *items = NULL;
    size_t n = 0;
    bool good = collect_items(parser, &items, &n, &common);
    if (good) {
        struct schema *schema = new_schema(parser->arena, SCHEMA_ARRAY);
        schema->items = common;
        *ret_value = (struct value){ .type = VALUE_ARRAY, .schema = schema };
        ret_value->as.array.items = arena_memdup(parser->arena, items, n * sizeof(*items));
        ret_value->as.array.n_items = n;
    }
    free(items);
    return good;
}

static bool parse_entry(struct parser *parser, struct value_entry *entry)
{
    if (consume(parser, ",") || !parse_embedded(parser, &entry->key) ||
        entry->key.type == VALUE_NULL || !consume(parser, ":") ||
        !parse_embedded(parser, &entry->value)) {
        return false;
    }
    (void)consume(parser, ",");
    return true;
}

static bool collect_entries(struct parser *parser, struct value_entry **entries, size_t *n,
                            struct schema *schema)
{
    while (!consume(parser, "}")) {
        *entries = with_room(*entries, *n, sizeof(**entries));
        struct value_entry *entry = &(*entries)[*n];
        if (parser->at >= parser->length || !parse_entry(parser, entry)) {
            return false;
        }
        schema->keys = common_schema(schema->keys, entry->key.schema);
        schema->items = common_schema(schema->items, entry->value.schema);
        ++*n;
    }
    for (size_t i = 0; i < *n; i++) {
        struct value_entry *entry = &(*entries)[i];
        if (!align(schema->keys, &entry->key) || !align(schema->items, &entry->value)) {
            return false;
        }
    }
    return true;
}

static bool parse_map(struct parser *parser, struct value *ret_value)
{
    struct schema *schema = new_schema(parser->arena, SCHEMA_MAP);
    struct value_entry *entries = NULL;
    size_t n = 0;
    bool good = collect_entries(parser, &entries, &n, schema);
    if (good) {
        struct value_entry *kept = NULL;
        *ret_value = value_map(parser->arena, n, &kept);
        if (n > 0) {
            memcpy(kept, entries, n * sizeof(*kept));
        }
        ret_value->as.map.n_entries = n;
        ret_value->schema = schema;
    }
    free(entries);
    return good;
}

/* ---- values ---- */

static bool parse_word(struct parser *parser, struct value *ret_value)
{
    if (consume(parser, "null")) {
        *ret_value = (struct value){ .type = VALUE_NULL };
        return true;
    }
    bool truth = consume(parser, "true");
    if (!truth && !consume(parser, "false")) {
        return false;
    }
    *ret_value = value_truth(truth);
    ret_value->schema = schema_plain(SCHEMA_BOOLEAN, false);
    return true;
}

static bool parse_quoted(struct parser *parser, struct value *ret_value)
{
    size_t start = parser->at;
    struct token token;
    do {
        token = next_token(parser);
        if (token.length == 0) {
            return false;
        }
    } while (token.length != 1 || token.data[0] != '"');
    struct token content = { parser->text + start, (size_t)(token.data - (parser->text + start)) };
    if (content.length > 0 && isdigit((unsigned char)content.data[0]) &&
        parse_time(content, ret_value)) {
        return true;
    }
    *ret_value = value_text(content.data, content.length);
    ret_value->schema = schema_plain(SCHEMA_STRING, false);
    return true;
}

static bool parse_any(struct parser *parser, struct value *ret_value)
{
    if (parser->depth >= MAX_DEPTH) {
        return false;
    }
    if (parse_word(parser, ret_value)) {
        return true;
    }
    if (consume(parser, "[")) {
        return parse_list(parser, ret_value);
    }
    if (consume(parser, "{")) {
        return parse_map(parser, ret_value);
    }
    return parse_plain(parser, ret_value);
}

static bool parse_embedded(struct parser *parser, struct value *ret_value)
{
    parser->depth++;
    bool good =
        consume(parser, "\"") ? parse_quoted(parser, ret_value) : parse_any(parser, ret_value);
    parser->depth--;
    return good;
}

void header_text_parse(const char *text, size_t length, struct arena *arena,
                       struct value *ret_value)
{
    struct parser parser = { .text = text, .length = length, .arena = arena };
    if (!utf8_valid(text, length)) {
        *ret_value = value_bytes(text, length);
        ret_value->schema = schema_plain(SCHEMA_BYTES, false);
        return;
    }
    struct value value;
    if (length > 0 && parse_any(&parser, &value) && ends(&parser)) {
        *ret_value = value;
        return;
    }
    *ret_value = value_text(text, length);
    ret_value->schema = schema_plain(SCHEMA_STRING, false);
}
