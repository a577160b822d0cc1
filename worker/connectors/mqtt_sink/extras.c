/* SPDX-License-Identifier: Apache-2.0 */
/* See extras.h. */
#include "worker/connectors/mqtt_sink/extras.h"

#include "worker/base/mem.h"
#include "worker/base/utf8.h"

#define TEXT_MAX 65535

/* The headers of one record on their way to properties. Texts are gathered by their place, as the
 * buffer moves while it grows. */
struct gathering {
    struct sink_item *item;
    struct buf text;
    size_t names[RECORD_MAX_HEADERS];
    size_t values[RECORD_MAX_HEADERS];
    size_t n_user;
    size_t content_type; /* 0: none; the buffer starts with a NUL */
    size_t response_topic;
    size_t correlation;
    size_t correlation_length;
};

/* ---- single headers ---- */

/* A header's value as text, or as it is for bytes; returns its place. */
static size_t add_value(struct gathering *gathering, const struct value *value)
{
    size_t at = gathering->text.length;
    value_add_text(value, &gathering->text);
    buf_add_char(&gathering->text, '\0');
    return at;
}

static bool is_text(const char *text, size_t length)
{
    return length <= TEXT_MAX && !memchr(text, '\0', length) && utf8_valid(text, length);
}

static enum err bad(const struct connect_header *header, const char *wanted, struct error *reterr)
{
    return error_set(reterr, ERR_INVALID, "the header %.200s must be %s", header->name, wanted);
}

static enum err read_number(struct gathering *gathering, const struct connect_header *header,
                            int64_t max, int64_t *ret_number, const char *wanted,
                            struct error *reterr)
{
    size_t at = add_value(gathering, &header->value);
    int64_t number = -1;
    bool good = config_parse_whole(gathering->text.data + at, &number);
    if (!good || number < 0 || number > max) {
        return bad(header, wanted, reterr);
    }
    *ret_number = number;
    return ERR_OK;
}

static enum err set_expiry(struct gathering *gathering, const struct connect_header *header,
                           struct error *reterr)
{
    int64_t number = 0;
    enum err err = read_number(gathering, header, UINT32_MAX, &number,
                               "a number of seconds from 0 to 4294967295", reterr);
    gathering->item->publication.expiry_s = (uint32_t)number;
    return err;
}

static enum err set_qos(struct gathering *gathering, const struct connect_header *header,
                        struct error *reterr)
{
    int64_t number = 0;
    enum err err = read_number(gathering, header, 2, &number, "0, 1 or 2", reterr);
    gathering->item->publication.qos = (int)number;
    return err;
}

static enum err set_retained(struct gathering *gathering, const struct connect_header *header,
                             struct error *reterr)
{
    size_t at = add_value(gathering, &header->value);
    return config_parse_bool(gathering->text.data + at, &gathering->item->publication.retained)
               ? ERR_OK
               : bad(header, "true or false", reterr);
}

static enum err set_text(struct gathering *gathering, const struct connect_header *header,
                         size_t *place, struct error *reterr)
{
    size_t at = add_value(gathering, &header->value);
    size_t length = gathering->text.length - at - 1;
    if (!is_text(gathering->text.data + at, length)) {
        return bad(header, "UTF-8 text of at most 65535 bytes", reterr);
    }
    *place = at;
    return ERR_OK;
}

static enum err set_content_type(struct gathering *gathering, const struct connect_header *header,
                                 struct error *reterr)
{
    return set_text(gathering, header, &gathering->content_type, reterr);
}

static enum err set_response_topic(struct gathering *gathering, const struct connect_header *header,
                                   struct error *reterr)
{
    enum err err = set_text(gathering, header, &gathering->response_topic, reterr);
    const char *topic = gathering->text.data + gathering->response_topic;
    return err == ERR_OK && strpbrk(topic, "+#") ? bad(header, "a topic without wildcards", reterr)
                                                 : err;
}

static enum err set_correlation(struct gathering *gathering, const struct connect_header *header,
                                struct error *reterr)
{
    size_t at = add_value(gathering, &header->value);
    size_t length = gathering->text.length - at - 1;
    if (length > TEXT_MAX) {
        return bad(header, "at most 65535 bytes", reterr);
    }
    gathering->correlation = at;
    gathering->correlation_length = length;
    return ERR_OK;
}

static const struct {
    const char *name;
    enum err (*set)(struct gathering *gathering, const struct connect_header *header,
                    struct error *reterr);
} meanings[] = {
    { "mqtt.message.expiry.seconds", set_expiry },
    { "mqtt.content.type", set_content_type },
    { "mqtt.response.topic", set_response_topic },
    { "mqtt.correlation.data", set_correlation },
    { "mqtt.publish.qos", set_qos },
    { "mqtt.publish.retained", set_retained },
};

/* Headers of this product and of Connect itself mean nothing to readers of the broker. */
static bool is_ours(const char *name)
{
    static const char *const starts[] = { "mqtt.", "sluice.", "__connect." };
    for (size_t i = 0; i < N_ELEMENTS(starts); i++) {
        if (strncmp(name, starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* A user property is text; a header that is none stays behind. */
static void add_user(struct gathering *gathering, const struct connect_header *header)
{
    size_t start = gathering->text.length;
    buf_add(&gathering->text, header->name, strlen(header->name) + 1);
    size_t at = add_value(gathering, &header->value);
    if (!is_text(header->name, strlen(header->name)) ||
        !is_text(gathering->text.data + at, gathering->text.length - at - 1)) {
        gathering->text.length = start;
        return;
    }
    gathering->names[gathering->n_user] = start;
    gathering->values[gathering->n_user++] = at;
}

static enum err gather(const struct sink_settings *settings, const struct connect_record *record,
                       struct gathering *gathering, struct error *reterr)
{
    buf_add_char(&gathering->text, '\0');
    for (size_t i = 0; i < record->n_headers; i++) {
        const struct connect_header *header = &record->headers[i];
        enum err err = ERR_OK;
        for (size_t k = 0; k < N_ELEMENTS(meanings); k++) {
            if (strcmp(meanings[k].name, header->name) == 0) {
                err = meanings[k].set(gathering, header, reterr);
            }
        }
        if (err != ERR_OK) {
            return err;
        }
        if (settings->user_properties && !is_ours(header->name) &&
            header->value.type != VALUE_NULL) {
            add_user(gathering, header);
        }
    }
    return ERR_OK;
}

/* ---- all together ---- */

/* Texts and user properties in one block, which the item owns. */
static void settle(const struct gathering *gathering, size_t n_extra, struct sink_item *item)
{
    struct mqtt_publication *publication = &item->publication;
    size_t n_user = gathering->n_user + n_extra;
    struct mqtt_user_property *user = xmalloc(n_user * sizeof(*user) + gathering->text.length + 1);
    char *text = (char *)(user + n_user);
    memcpy(text, gathering->text.data, gathering->text.length);
    for (size_t i = 0; i < gathering->n_user; i++) {
        user[i] =
            (struct mqtt_user_property){ text + gathering->names[i], text + gathering->values[i] };
    }
    if (gathering->content_type) {
        publication->content_type = text + gathering->content_type;
    }
    if (gathering->response_topic) {
        publication->response_topic = text + gathering->response_topic;
    }
    if (gathering->correlation) {
        publication->correlation = text + gathering->correlation;
        publication->correlation_length = (uint16_t)gathering->correlation_length;
    }
    item->extras = user;
    publication->user = user;
    publication->n_user = gathering->n_user;
}

/* False: the message has been where it would go. */
static bool add_trail(const struct loop_guard *guard, struct sink_item *item)
{
    struct mqtt_publication *publication = &item->publication;
    struct trail trail = { .n_places = 0 };
    struct record_bytes bytes;
    if (item->has_headers && kafka_fetched_header(&item->fetched, TRAIL_HEADER, &bytes)) {
        trail_parse(bytes.data, bytes.length, &trail);
    }
    if (!trail_goes_on(&trail, trail_place(guard->mqtt, publication->topic))) {
        return false;
    }
    trail_add(&trail, trail_place(guard->kafka, item->fetched.partition->topic));
    trail_format(&trail, item->trail);
    item->trail_property = (struct mqtt_user_property){ TRAIL_PROPERTY, item->trail };
    if (item->extras) {
        item->extras[publication->n_user++] = item->trail_property;
    } else {
        publication->user = &item->trail_property;
        publication->n_user = 1;
    }
    return true;
}

enum err extras_add(const struct sink_settings *settings, const struct connect_record *record,
                    struct sink_item *item, bool *ret_keep, struct error *reterr)
{
    struct mqtt_publication *publication = &item->publication;
    publication->qos = settings->qos;
    publication->retained = settings->retained;
    publication->expiry_s = settings->expiry_s;
    publication->content_type = settings->content_type;
    *ret_keep = true;
    if (record->n_headers > 0) {
        struct gathering gathering = { .item = item };
        buf_init(&gathering.text);
        enum err err = gather(settings, record, &gathering, reterr);
        /* More than the NUL at the start. */
        if (err == ERR_OK && gathering.text.length > 1) {
            settle(&gathering, 1, item);
        }
        buf_fini(&gathering.text);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (settings->loop.on) {
        *ret_keep = add_trail(&settings->loop, item);
    }
    return ERR_OK;
}
