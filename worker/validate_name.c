/* SPDX-License-Identifier: Apache-2.0 */
/* Names of connectors and of dead letter queues. See validate.h. */
#include "worker/base/utf8.h"
#include "worker/kafka/producer.h"
#include "worker/validate.h"

/* A name must fit, percent-encoded and with the rest of a path behind it, into the 8 KiB of a URI
 * that the REST server takes. */
#define NAME_LIMIT 7168

/* Adds the codes of the control characters in name to out, separated by ", ": those that Java's
 * Character.isISOControl knows, U+0000 to U+001F and U+007F to U+009F. */
static void list_controls(const char *name, struct buf *out)
{
    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        unsigned char next = (unsigned char)p[1];
        bool c1 = c == 0xC2 && next >= 0x80 && next <= 0x9F;
        if (c1 || c < 0x20 || c == 0x7F) {
            buf_printf(out, "%s%u", out->length > 0 ? ", " : "", c1 ? next : c);
        }
    }
}

static enum err check_controls(const char *name, struct error *reterr)
{
    struct buf codes;
    buf_init(&codes);
    list_controls(name, &codes);
    enum err err = ERR_OK;
    if (codes.length > 0) {
        err = error_set(reterr, ERR_INVALID,
                        "String may not contain control sequences but had the following ASCII "
                        "chars: %s",
                        buf_text(&codes));
    }
    buf_fini(&codes);
    return err;
}

static size_t encoded_length(const char *name)
{
    size_t length = 0;
    for (const char *p = name; *p; p++) {
        char c = *p;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~", c) != NULL;
        length += plain ? 1 : 3;
    }
    return length;
}

enum err validate_name(const char *name, struct error *reterr)
{
    if (name[0] == '\0') {
        return error_set(reterr, ERR_INVALID, "String may not be empty");
    }
    if (encoded_length(name) > NAME_LIMIT) {
        return error_set(reterr, ERR_INVALID,
                         "the name is too long: percent-encoded it must fit into %d characters",
                         NAME_LIMIT);
    }
    enum err err = check_controls(name, reterr);
    if (err != ERR_OK) {
        return err;
    }
    if (!utf8_valid(name, strlen(name))) {
        return error_set(reterr, ERR_INVALID, "the name is not valid UTF-8");
    }
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return error_set(reterr, ERR_INVALID,
                         "the name must not be . or .., which no URL path can hold");
    }
    return ERR_OK;
}

enum err validate_dlq_topic(const char *name, struct error *reterr)
{
    if (name[0] == '\0' || kafka_topic_legal(name)) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID,
                     "a Kafka topic name has 1 to 249 characters of a-z, A-Z, 0-9, '.', '_' and "
                     "'-' and is not . or ..");
}
