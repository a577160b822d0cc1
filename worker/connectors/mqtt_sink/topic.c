/* SPDX-License-Identifier: Apache-2.0 */
/* Topic templates. See topic.h. */
#include "worker/connectors/mqtt_sink/topic.h"

#include "worker/base/json.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"

/* Parts of a template; more make no sense. */
#define MAX_PARTS 64
#define TOPIC_MAX 65535
/* Longest name of a field, with its NUL. */
#define FIELD_MAX 256

enum part_kind {
    PART_TEXT,
    PART_TOPIC,
    PART_PARTITION,
    PART_KEY,
    PART_HEADER,
    PART_VALUE,
};

struct part {
    enum part_kind kind;
    char *text; /* the text, the header's name, the path of the field */
};

struct topic_template {
    struct part parts[MAX_PARTS];
    size_t n_parts;
};

static const struct {
    const char *name;
    enum part_kind kind;
    bool prefix; /* something follows */
} words[] = {
    { "topic", PART_TOPIC, false }, { "partition", PART_PARTITION, false },
    { "key", PART_KEY, false },     { "header.", PART_HEADER, true },
    { "value.", PART_VALUE, true },
};

/* ---- parsing ---- */

static enum err add_part(struct topic_template *template, enum part_kind kind, const char *text,
                         size_t length, struct error *reterr)
{
    if (template->n_parts == MAX_PARTS) {
        return error_set(reterr, ERR_INVALID, "a template has at most %d parts", MAX_PARTS);
    }
    template->parts[template->n_parts++] = (struct part){ kind, xstrndup(text, length) };
    return ERR_OK;
}

static enum err add_word(struct topic_template *template, const char *text, size_t length,
                         struct error *reterr)
{
    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        size_t size = strlen(words[i].name);
        if (length >= size && strncmp(text, words[i].name, size) == 0 &&
            (words[i].prefix ? length > size : length == size)) {
            return add_part(template, words[i].kind, text + size, length - size, reterr);
        }
    }
    return error_set(reterr, ERR_INVALID,
                     "{%.*s} is not known: use {topic}, {partition}, {key}, {header.<name>} or "
                     "{value.<field>}, and {{ for a brace",
                     (int)(length < 100 ? length : 100), text);
}

static enum err add_text(struct topic_template *template, struct buf *text, struct error *reterr)
{
    enum err err = ERR_OK;
    if (text->length > 0) {
        err = add_part(template, PART_TEXT, buf_text(text), text->length, reterr);
    }
    buf_clear(text);
    return err;
}

static enum err parse(struct topic_template *template, const char *at, struct buf *text,
                      struct error *reterr)
{
    while (*at) {
        if (at[0] == at[1] && (at[0] == '{' || at[0] == '}')) {
            buf_add_char(text, *at);
            at += 2;
            continue;
        }
        if (*at == '}') {
            return error_set(reterr, ERR_INVALID, "a } closes nothing; }} stands for a brace");
        }
        if (*at != '{') {
            buf_add_char(text, *at++);
            continue;
        }
        const char *end = strchr(at, '}');
        if (!end) {
            return error_set(reterr, ERR_INVALID, "a { is not closed; {{ stands for a brace");
        }
        enum err err = add_text(template, text, reterr);
        err = err ? err : add_word(template, at + 1, (size_t)(end - at - 1), reterr);
        if (err != ERR_OK) {
            return err;
        }
        at = end + 1;
    }
    return add_text(template, text, reterr);
}

/* MQTT 5, 4.7.1 and 4.7.3. */
static enum err check_name(const char *topic, size_t length, struct error *reterr)
{
    if (length == 0) {
        return error_set(reterr, ERR_INVALID, "the MQTT topic is empty");
    }
    if (length > TOPIC_MAX) {
        return error_set(reterr, ERR_INVALID, "the MQTT topic has %zu bytes, more than %d", length,
                         TOPIC_MAX);
    }
    if (memchr(topic, '\0', length)) {
        return error_set(reterr, ERR_INVALID, "the MQTT topic holds a NUL");
    }
    if (memchr(topic, '+', length) || memchr(topic, '#', length)) {
        return error_set(
            reterr, ERR_INVALID,
            "the MQTT topic %.200s holds a wildcard, + or #, which is for filters only", topic);
    }
    if (!utf8_valid(topic, length) || text_has_control(topic, length)) {
        return error_set(reterr, ERR_INVALID,
                         "the MQTT topic is no UTF-8 text without control "
                         "characters");
    }
    return ERR_OK;
}

/* What stands in every topic that comes out. */
static enum err check_parts(const struct topic_template *template, struct error *reterr)
{
    for (size_t i = 0; i < template->n_parts; i++) {
        const struct part *part = &template->parts[i];
        if (part->kind == PART_TEXT) {
            enum err err = check_name(part->text, strlen(part->text), reterr);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    return template->n_parts > 0 ? ERR_OK : check_name("", 0, reterr);
}

enum err topic_template_new(const char *text, struct topic_template **ret_template,
                            struct error *reterr)
{
    struct topic_template *template = xcalloc(1, sizeof(*template));
    struct buf plain;
    buf_init(&plain);
    enum err err = parse(template, text, &plain, reterr);
    buf_fini(&plain);
    err = err ? err : check_parts(template, reterr);
    if (err != ERR_OK) {
        topic_template_free(template);
        return err;
    }
    *ret_template = template;
    return ERR_OK;
}

void topic_template_free(struct topic_template *template)
{
    for (size_t i = 0; template && i < template->n_parts; i++) {
        free(template->parts[i].text);
    }
    free(template);
}

/* ---- making ---- */

static enum err add_value(const struct value *value, const char *what, struct buf *out,
                          struct error *reterr)
{
    switch (value->type) {
    case VALUE_NULL:
        return error_set(reterr, ERR_INVALID, "the MQTT topic needs %s, which is null", what);
    case VALUE_ARRAY:
    case VALUE_MAP:
    case VALUE_STRUCT:
        return error_set(reterr, ERR_INVALID, "the MQTT topic needs %s, which is no plain value",
                         what);
    case VALUE_BOOLEAN:
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_STRING:
    case VALUE_BYTES:
    case VALUE_DATE:
    case VALUE_DECIMAL:
        break;
    }
    value_add_text(value, out);
    return ERR_OK;
}

static enum err add_header(const struct connect_record *record, const char *name, struct buf *out,
                           struct error *reterr)
{
    char what[160];
    (void)snprintf(what, sizeof(what), "the header %.120s", name);
    for (size_t i = record->n_headers; i > 0; i--) {
        if (strcmp(record->headers[i - 1].name, name) == 0) {
            return add_value(&record->headers[i - 1].value, what, out, reterr);
        }
    }
    return error_set(reterr, ERR_INVALID, "the MQTT topic needs %s, which the record does not have",
                     what);
}

static enum err add_json(const cJSON *item, const char *path, struct buf *out, struct error *reterr)
{
    if (cJSON_IsString(item)) {
        buf_add_text(out, item->valuestring);
    } else if (cJSON_IsBool(item)) {
        buf_add_text(out, cJSON_IsTrue(item) ? "true" : "false");
    } else if (cJSON_IsNumber(item)) {
        CLEANUP(free_charp) char *text = json_print(item);
        buf_add_text(out, text);
    } else {
        return error_set(reterr, ERR_INVALID,
                         "the MQTT topic needs the field %.200s, which is not there or no plain "
                         "value",
                         path);
    }
    return ERR_OK;
}

/* Takes the next name off a path; false if it is too long for any field that counts. */
static bool next_name(const char **path, char *name, size_t size)
{
    size_t length = strcspn(*path, ".");
    if (length >= size) {
        return false;
    }
    memcpy(name, *path, length);
    name[length] = '\0';
    *path += length + ((*path)[length] == '.');
    return true;
}

static enum err add_json_field(const struct value *value, const char *path, struct buf *out,
                               struct error *reterr)
{
    char name[FIELD_MAX];
    CLEANUP(json_delete) cJSON *json = NULL;
    enum err err = json_parse(value->as.bytes.data, value->as.bytes.length, &json, reterr);
    if (err != ERR_OK) {
        return error_prefix(reterr, ERR_INVALID, "the MQTT topic needs a field of a JSON value");
    }
    const cJSON *item = json;
    for (const char *rest = path; item && *rest;) {
        item = next_name(&rest, name, sizeof(name)) ? cJSON_GetObjectItemCaseSensitive(item, name)
                                                    : NULL;
    }
    return add_json(item, path, out, reterr);
}

static enum err add_field(const struct value *value, const char *path, struct buf *out,
                          struct error *reterr)
{
    char name[FIELD_MAX];
    char what[160];
    if (value->type == VALUE_BYTES || value->type == VALUE_STRING) {
        return add_json_field(value, path, out, reterr);
    }
    for (const char *rest = path; value && *rest;) {
        value = next_name(&rest, name, sizeof(name)) ? value_field(value, name) : NULL;
    }
    if (!value) {
        return add_json(NULL, path, out, reterr);
    }
    (void)snprintf(what, sizeof(what), "the field %.120s", path);
    return add_value(value, what, out, reterr);
}

static enum err add(const struct part *part, const struct connect_record *record, struct buf *out,
                    struct error *reterr)
{
    switch (part->kind) {
    case PART_TEXT:
        buf_add_text(out, part->text);
        return ERR_OK;
    case PART_TOPIC:
        buf_add_text(out, record->topic);
        return ERR_OK;
    case PART_PARTITION:
        buf_printf(out, "%d", (int)record->partition);
        return ERR_OK;
    case PART_KEY:
        return add_value(&record->key, "the key", out, reterr);
    case PART_HEADER:
        return add_header(record, part->text, out, reterr);
    case PART_VALUE:
        return add_field(&record->value, part->text, out, reterr);
    }
    return ERR_OK;
}

enum err topic_template_make(const struct topic_template *template,
                             const struct connect_record *record, struct buf *out,
                             struct error *reterr)
{
    size_t start = out->length;
    for (size_t i = 0; i < template->n_parts; i++) {
        enum err err = add(&template->parts[i], record, out, reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    return check_name(buf_text(out) + start, out->length - start, reterr);
}
