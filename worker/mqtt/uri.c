/* SPDX-License-Identifier: Apache-2.0 */
/* Parser of broker addresses. See uri.h. */
#include "worker/mqtt/uri.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#include "worker/base/buf.h"
#include "worker/base/config_def.h"
#include "worker/base/mem.h"

static const struct {
    const char *name;
    bool tls;
    const char *refusal; /* NULL: accepted */
} schemes[] = {
    { "tcp", false, NULL },
    { "mqtt", false, NULL },
    { "ssl", true, NULL },
    { "tls", true, NULL },
    { "mqtts", true, NULL },
    { "ws", false, "MQTT over websockets is not supported, use tcp:// or ssl://" },
    { "wss", false, "MQTT over websockets is not supported, use tcp:// or ssl://" },
};

static enum err bad(struct error *reterr, const char *text, const char *reason)
{
    return error_set(reterr, ERR_INVALID, "%.300s: %s", text, reason);
}

/* Takes the scheme off; *rest moves behind "://". */
static enum err take_scheme(const char *text, const char **rest, bool *ret_tls,
                            struct error *reterr)
{
    const char *mark = strstr(text, "://");
    *ret_tls = false;
    *rest = text;
    if (!mark) {
        return ERR_OK;
    }
    size_t length = (size_t)(mark - text);
    for (size_t i = 0; i < N_ELEMENTS(schemes); i++) {
        if (strlen(schemes[i].name) != length || strncasecmp(schemes[i].name, text, length) != 0) {
            continue;
        }
        if (schemes[i].refusal) {
            return bad(reterr, text, schemes[i].refusal);
        }
        *ret_tls = schemes[i].tls;
        *rest = mark + 3;
        return ERR_OK;
    }
    return bad(reterr, text, "unknown scheme, use tcp, mqtt, ssl or mqtts");
}

static bool valid_name(const char *host)
{
    size_t length = strlen(host);
    if (length == 0 || length > 253) {
        return false;
    }
    for (const char *p = host; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("-._", *p)) {
            return false;
        }
    }
    return true;
}

static enum err parse_port(const char *text, const char *digits, int *ret_port,
                           struct error *reterr)
{
    size_t length = strspn(digits, "0123456789");
    if (length == 0 || length > 5 ||
        (digits[length] != '\0' && strcmp(digits + length, "/") != 0)) {
        return bad(reterr, text, "the port must be a number from 1 to 65535");
    }
    long port = strtol(digits, NULL, 10);
    if (port < 1 || port > 65535) {
        return bad(reterr, text, "the port must be a number from 1 to 65535");
    }
    *ret_port = (int)port;
    return ERR_OK;
}

/* Reads "[address]"; *rest moves behind the bracket. */
static enum err take_ipv6(const char *text, const char **rest, char **ret_host,
                          struct error *reterr)
{
    const char *end = strchr(*rest, ']');
    if (!end) {
        return bad(reterr, text, "the bracket of the IPv6 address is not closed");
    }
    CLEANUP(free_charp) char *host = xstrndup(*rest + 1, (size_t)(end - *rest - 1));
    struct in6_addr address;
    if (inet_pton(AF_INET6, host, &address) != 1) {
        return bad(reterr, text, "not an IPv6 address between the brackets");
    }
    *rest = end + 1;
    *ret_host = TAKE(host);
    return ERR_OK;
}

static enum err take_host(const char *text, const char **rest, char **ret_host,
                          struct error *reterr)
{
    if (**rest == '[') {
        return take_ipv6(text, rest, ret_host, reterr);
    }
    size_t length = strcspn(*rest, ":/");
    CLEANUP(free_charp) char *host = xstrndup(*rest, length);
    if (strchr(host, '@')) {
        return bad(reterr, "mqtt.server.uri",
                   "user and password belong into mqtt.username and mqtt.password");
    }
    if (!valid_name(host)) {
        return bad(reterr, text, host[0] ? "not a valid host name" : "the host name is missing");
    }
    *rest += length;
    *ret_host = TAKE(host);
    return ERR_OK;
}

enum err mqtt_uri_parse(const char *text, struct mqtt_uri *ret_uri, struct error *reterr)
{
    const char *rest = NULL;
    bool tls = false;
    enum err err = take_scheme(text, &rest, &tls, reterr);
    if (err != ERR_OK) {
        return err;
    }
    CLEANUP(free_charp) char *host = NULL;
    err = take_host(text, &rest, &host, reterr);
    if (err != ERR_OK) {
        return err;
    }
    int port = tls ? 8883 : 1883;
    if (*rest == ':') {
        err = parse_port(text, rest + 1, &port, reterr);
        if (err != ERR_OK) {
            return err;
        }
    } else if (*rest != '\0' && strcmp(rest, "/") != 0) {
        return bad(reterr, text, "nothing may follow the host and port");
    }
    *ret_uri = (struct mqtt_uri){ TAKE(host), port, tls };
    return ERR_OK;
}

void mqtt_uri_fini(struct mqtt_uri *uri)
{
    free(uri->host);
    uri->host = NULL;
}

enum err mqtt_uris_parse(const char *text, struct mqtt_uris *ret_uris, struct error *reterr)
{
    struct config_list list;
    config_list_split(text, &list);
    struct mqtt_uris uris = { NULL, 0 };
    enum err err = ERR_OK;
    if (list.n_items == 0) {
        err = error_set(reterr, ERR_INVALID, "at least one broker address is needed");
    }
    uris.items = xcalloc(list.n_items + 1, sizeof(*uris.items));
    for (size_t i = 0; i < list.n_items && err == ERR_OK; i++) {
        err = mqtt_uri_parse(list.items[i], &uris.items[i], reterr);
        uris.n_items += err == ERR_OK;
    }
    config_list_fini(&list);
    if (err != ERR_OK) {
        mqtt_uris_fini(&uris);
        return err;
    }
    *ret_uris = uris;
    return ERR_OK;
}

void mqtt_uris_fini(struct mqtt_uris *uris)
{
    for (size_t i = 0; i < uris->n_items; i++) {
        mqtt_uri_fini(&uris->items[i]);
    }
    free(uris->items);
    *uris = (struct mqtt_uris){ NULL, 0 };
}

void mqtt_uri_format(const struct mqtt_uri *uri, char *text, size_t size)
{
    bool ipv6 = strchr(uri->host, ':') != NULL;
    (void)snprintf(text, size, "%s://%s%s%s:%d", uri->tls ? "mqtts" : "mqtt", ipv6 ? "[" : "",
                   uri->host, ipv6 ? "]" : "", uri->port);
}

char *mqtt_uris_text(const struct mqtt_uris *uris)
{
    struct buf text;
    buf_init(&text);
    for (size_t i = 0; i < uris->n_items; i++) {
        char entry[300];
        mqtt_uri_format(&uris->items[i], entry, sizeof(entry));
        buf_printf(&text, "%s%s", i == 0 ? "" : ",", entry);
    }
    return buf_take(&text);
}

bool mqtt_uris_meet(const struct mqtt_uris *a, const struct mqtt_uris *b)
{
    for (size_t i = 0; i < a->n_items; i++) {
        for (size_t k = 0; k < b->n_items; k++) {
            if (a->items[i].port == b->items[k].port &&
                strcasecmp(a->items[i].host, b->items[k].host) == 0) {
                return true;
            }
        }
    }
    return false;
}
