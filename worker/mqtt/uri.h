/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of MQTT brokers as users write them. Pure. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/base/err.h"

struct mqtt_uri {
    char *host; /* without the brackets of an IPv6 address */
    int port;
    bool tls;
};

struct mqtt_uris {
    struct mqtt_uri *items;
    size_t n_items;
};

/* mqtt_uri_parse reads tcp://, mqtt://, ssl://, tls://, mqtts:// or no scheme, then a host or
 * [IPv6], then an optional :port (1883, with TLS 8883) and an optional "/". Errors: ERR_INVALID;
 * the text is a reason that quotes the entry. Release with mqtt_uri_fini. */
enum err mqtt_uri_parse(const char *text, struct mqtt_uri *ret_uri,
                        struct error *reterr) MUST_CHECK;
void mqtt_uri_fini(struct mqtt_uri *uri);
/* mqtt_uris_parse reads a list separated by commas; at least one entry, none of them empty. */
enum err mqtt_uris_parse(const char *text, struct mqtt_uris *ret_uris,
                         struct error *reterr) MUST_CHECK;
void mqtt_uris_fini(struct mqtt_uris *uris);
/* mqtt_uris_text returns the list as owned text of such entries, joined by ","; mqtt_uris_meet
 * tells whether two lists have an address in common. */
char *mqtt_uris_text(const struct mqtt_uris *uris);
bool mqtt_uris_meet(const struct mqtt_uris *a, const struct mqtt_uris *b);
/* mqtt_uri_format writes "mqtt://host:port" or "mqtts://..." for logs. */
void mqtt_uri_format(const struct mqtt_uri *uri, char *text, size_t size);
