/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a broker: the wrapper around libmosquitto that a session makes anew for each
 * attempt. It never blocks and never reconnects by itself. Whatever libmosquitto wants to send
 * stays queued until link_write. Thread: the session's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/mqtt/publication.h"
#include "worker/mqtt/session.h"

struct link;

/* What a CONNACK said. */
struct link_connack {
    int code;
    bool session_present;
    bool shared_available;
    bool wildcard_available;
    bool subscribe_gives_back; /* a repeated SUBSCRIBE to a shared filter makes the broker send
                                  again what is unacknowledged: Artemis */
    bool expiry_lowered;       /* the session lives shorter than was asked for: expiry_s */
    uint32_t expiry_s;
    int keepalive_s; /* the one that holds */
    struct mqtt_limits limits;
};

/* Called within link_read only. */
struct link_handlers {
    void *arg;
    void (*on_connack)(void *arg, const struct link_connack *connack);
    /* message->delivered is not set here. */
    void (*on_message)(void *arg, const struct mqtt_message *message);
    void (*on_suback)(void *arg, int id, const int *codes, int n_codes);
    void (*on_unsuback)(void *arg, int id);
    /* A publication with packet id `id` is done: acknowledged with this reason code, or at QoS 0
     * written. May also be called within link_write. NULL: nothing is published. */
    void (*on_published)(void *arg, int id, int code);
};

struct link_target {
    const char *host;    /* as the user wrote it: name for TLS */
    const char *address; /* numeric */
    int port;
    bool tls;
    bool v5;
};

enum link_end {
    LINK_OPEN,       /* still usable */
    LINK_LOST,       /* closed by the broker, or broken */
    LINK_ENDED,      /* our DISCONNECT went out */
    LINK_BAD_CONFIG, /* cannot even be tried: a TLS file that cannot be read, for instance */
};

/* link_open starts to connect. ERR_INVALID: bad configuration; ERR_IO: cannot be reached. */
enum err link_open(const struct mqtt_options *options, const struct link_target *target,
                   const struct link_handlers *handlers, struct link **ret_link,
                   struct error *reterr) MUST_CHECK;
/* link_close closes the socket without sending anything that is queued. Takes NULL. */
void link_close(struct link *link);

/* link_fd returns the socket, -1 once it is closed. */
int link_fd(const struct link *link);
/* link_established begins the MQTT part once the TCP connection stands: sends CONNECT. */
enum link_end link_established(struct link *link);
/* link_greet goes on with TLS handshake and CONNECT while no CONNACK came; reads at most one packet
 * in plain connections. */
enum link_end link_greet(struct link *link);
/* link_read reads at most one packet, or all of one TLS record; ret_progress false: nothing came.
 */
enum link_end link_read(struct link *link, bool *ret_progress);
/* link_write sends everything that is queued, as far as the socket takes it. */
enum link_end link_write(struct link *link);
/* link_misc queues a PINGREQ when it is time. */
enum link_end link_misc(struct link *link);
/* link_wants_write tells whether something is queued; link_blocked whether the socket did not take
 * all of the last link_write. */
bool link_wants_write(const struct link *link);
bool link_blocked(const struct link *link);
/* link_buffered returns the bytes read ahead of the library. */
size_t link_buffered(const struct link *link);
/* link_subscribe and link_unsubscribe queue one packet; its id is returned, 0 if it could not be
 * queued. */
int link_subscribe(struct link *link, char *const *filters, int n_filters);
int link_unsubscribe(struct link *link, char *const *filters, int n_filters);
/* link_watch queues a SUBSCRIBE of one topic at QoS 0. */
void link_watch(struct link *link, const char *topic);
/* link_filter_matches tells whether a subscription to filter, shared or not, takes topic. */
bool link_filter_matches(const char *filter, const char *topic);
/* link_publish queues a PUBLISH and tells its packet id; what it is given is copied. Limits of the
 * broker are the caller's to keep. ERR_INVALID: the library does not take it. */
enum err link_publish(struct link *link, const struct mqtt_publication *publication, int *ret_id,
                      struct error *reterr) MUST_CHECK;
/* link_goodbye sends DISCONNECT; only when nothing else is queued or blocked. */
enum link_end link_goodbye(struct link *link);
/* link_reason returns the reason code of the broker's DISCONNECT, 0 if none came. */
int link_reason(const struct link *link);
/* link_garbled tells whether the link ended because what came is no packet of its MQTT version. */
bool link_garbled(const struct link *link);
/* link_text returns why the link ended, for people. */
const char *link_text(const struct link *link);
/* link_lib_init prepares libmosquitto once for the process. Thread: any. */
void link_lib_init(void);
