/* SPDX-License-Identifier: Apache-2.0 */
/* See kcql.h. */
#include "worker/connectors/kcql.h"

#include <ctype.h>
#include <strings.h>

#include "worker/base/mem.h"

/* A word, a name in backticks or a text in quotes, without those; n 0 and not quoted: the end. */
struct token {
    const char *text;
    size_t n;
    bool quoted;
};

struct reader {
    const char *at;
    enum connector_type type;
};

static enum err next(struct reader *reader, struct token *ret_token, struct error *reterr)
{
    while (isspace((unsigned char)*reader->at)) {
        reader->at++;
    }
    char first = *reader->at;
    struct token token = { .text = reader->at };
    if (first == '`' || first == '\'') {
        token.quoted = true;
        token.text++;
        const char *end = strchr(token.text, first);
        if (!end) {
            return error_set(reterr, ERR_INVALID, "a name or text has no closing %c", first);
        }
        token.n = (size_t)(end - token.text);
        reader->at = end + 1;
    } else {
        token.n = strcspn(token.text, " \t\r\n;=(),'`");
        token.n += token.n == 0 && first != '\0';
        reader->at += token.n;
    }
    *ret_token = token;
    return ERR_OK;
}

static bool is(const struct token *token, const char *word)
{
    return !token->quoted && token->n == strlen(word) &&
           strncasecmp(token->text, word, token->n) == 0;
}

static bool ends(const struct token *token)
{
    return is(token, "") || is(token, ";");
}

static enum err expect(struct reader *reader, const char *word, struct error *reterr)
{
    struct token token;
    enum err err = next(reader, &token, reterr);
    if (err == ERR_OK && !is(&token, word)) {
        return error_set(reterr, ERR_INVALID,
                         "'%.*s' stands where '%s' must: INSERT INTO <target> SELECT * FROM "
                         "<source>",
                         (int)(token.n < 60 ? token.n : 60), token.text, word);
    }
    return err;
}

static enum err read_name(struct reader *reader, char **ret_name, struct error *reterr)
{
    struct token token;
    enum err err = next(reader, &token, reterr);
    if (err != ERR_OK) {
        return err;
    }
    if (token.n == 0 || is(&token, ";")) {
        return error_set(reterr, ERR_INVALID, "a name is missing");
    }
    *ret_name = xstrndup(token.text, token.n);
    return ERR_OK;
}

/* Behind PROPERTIES: ('key'='value', ...); only the one of a sink's target is known. */
static enum err read_properties(struct reader *reader, bool *ret_field, struct error *reterr)
{
    enum err err = expect(reader, "(", reterr);
    struct token token = { NULL, 0, false };
    while (err == ERR_OK && !is(&token, ")")) {
        CLEANUP(free_charp) char *key = NULL;
        CLEANUP(free_charp) char *value = NULL;
        err = read_name(reader, &key, reterr);
        err = err ? err : expect(reader, "=", reterr);
        err = err ? err : read_name(reader, &value, reterr);
        err = err ? err : next(reader, &token, reterr);
        if (err != ERR_OK) {
            return err;
        }
        if (reader->type != CONNECTOR_SINK || strcasecmp(key, "mqtt.target.from.field") != 0) {
            return error_set(reterr, ERR_INVALID, "the property %.60s is not known here", key);
        }
        if (!is(&token, ")") && !is(&token, ",")) {
            return error_set(reterr, ERR_INVALID, "PROPERTIES has no closing parenthesis");
        }
        *ret_field = strcasecmp(value, "true") == 0;
    }
    return err;
}

/* What may stand behind a statement, and what to write instead of what may not. */
static const struct {
    const char *word;
    const char *mend;
} others[] = {
    { "WITHKEY", "set transforms, as ValueToKey" },
    { "KEYDELIMITER", "set transforms, as ValueToKey" },
    { "WITHREGEX", "set transforms, as RegexRouter" },
    { "WITHCONVERTER", "set value.converter" },
    { "WITHTARGET", "set mqtt.topic, which takes {value.<field>}" },
};

static enum err refuse_clause(const struct token *token, struct error *reterr)
{
    for (size_t i = 0; i < N_ELEMENTS(others); i++) {
        if (is(token, others[i].word)) {
            return error_set(reterr, ERR_INVALID, "%s is not read here: leave it out, and %s",
                             others[i].word, others[i].mend);
        }
    }
    return error_set(reterr, ERR_INVALID, "'%.*s' is not read here: leave it out",
                     (int)(token->n < 60 ? token->n : 60), token->text);
}

/* Bytes as they are is what happens without a word about converters. */
static enum err check_converter(struct reader *reader, const struct token *word,
                                struct error *reterr)
{
    static const char plain[] = "BytesConverter";
    CLEANUP(free_charp) char *name = NULL;
    enum err err = expect(reader, "=", reterr);
    err = err ? err : read_name(reader, &name, reterr);
    if (err != ERR_OK) {
        return err;
    }
    size_t n = strlen(name);
    bool same = n >= sizeof(plain) - 1 && strcmp(name + n - (sizeof(plain) - 1), plain) == 0;
    return same ? ERR_OK : refuse_clause(word, reterr);
}

static enum err read_clauses(struct reader *reader, bool *ret_field, struct error *reterr)
{
    struct token token;
    enum err err = next(reader, &token, reterr);
    while (err == ERR_OK && !ends(&token)) {
        if (is(&token, "PROPERTIES")) {
            err = read_properties(reader, ret_field, reterr);
        } else if (is(&token, "WITHCONVERTER")) {
            err = check_converter(reader, &token, reterr);
        } else {
            err = refuse_clause(&token, reterr);
        }
        err = err ? err : next(reader, &token, reterr);
    }
    return err;
}

/* Takes what the statement says if its target is that of those before it. */
static enum err add(struct kcql *kcql, char **source, char **target, bool field,
                    struct error *reterr)
{
    if (strchr(*source, ',')) {
        return error_set(reterr, ERR_INVALID, "a comma in '%.60s'", *source);
    }
    if (kcql->target && (strcmp(kcql->target, *target) != 0 || kcql->target_is_field != field)) {
        return error_set(reterr, ERR_INVALID,
                         "statements have different targets: make a connector for each");
    }
    if (!kcql->target) {
        kcql->target = TAKE(*target);
        kcql->target_is_field = field;
    }
    size_t n = kcql->sources.n_items + 1;
    kcql->sources.items = xrealloc(kcql->sources.items, n * sizeof(char *));
    kcql->sources.items[kcql->sources.n_items++] = TAKE(*source);
    return ERR_OK;
}

static enum err read_statement(struct reader *reader, struct kcql *kcql, struct error *reterr)
{
    static const char *const words[] = { "SELECT", "*", "FROM" };
    CLEANUP(free_charp) char *target = NULL;
    CLEANUP(free_charp) char *source = NULL;
    bool field = false;
    enum err err = expect(reader, "INSERT", reterr);
    err = err ? err : expect(reader, "INTO", reterr);
    err = err ? err : read_name(reader, &target, reterr);
    for (size_t i = 0; i < N_ELEMENTS(words) && err == ERR_OK; i++) {
        err = expect(reader, words[i], reterr);
    }
    err = err ? err : read_name(reader, &source, reterr);
    err = err ? err : read_clauses(reader, &field, reterr);
    return err ? err : add(kcql, &source, &target, field, reterr);
}

/* Whether there is another statement: a semicolon may end the last one. */
static bool more(struct reader *reader)
{
    reader->at += strspn(reader->at, " \t\r\n;");
    return *reader->at != '\0';
}

enum err kcql_parse(enum connector_type type, const char *text, struct kcql *ret_kcql,
                    struct error *reterr)
{
    struct kcql kcql = { .target = NULL };
    struct reader reader = { text, type };
    if (!more(&reader)) {
        return error_set(reterr, ERR_INVALID, "there is no statement");
    }
    enum err err = ERR_OK;
    while (err == ERR_OK && more(&reader)) {
        err = read_statement(&reader, &kcql, reterr);
    }
    if (err != ERR_OK) {
        kcql_fini(&kcql);
        return err;
    }
    *ret_kcql = kcql;
    return ERR_OK;
}

void kcql_fini(struct kcql *kcql)
{
    config_list_fini(&kcql->sources);
    free(kcql->target);
    *kcql = (struct kcql){ .target = NULL };
}
