/* SPDX-License-Identifier: Apache-2.0 */
/* One connection by libmosquitto. See link.h. */
#include "worker/mqtt/link.h"

#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/base/clock.h"
#include "worker/base/file_kind.h"
#include "worker/base/lock.h"
#include "worker/base/mem.h"
#include "worker/mqtt/filter.h"
#include "worker/mqtt/frame_guard.h"
#include "worker/mqtt/link_internal.h"
#include "worker/mqtt/reason.h"
#include "worker/mqtt/seam.h"

/* Packets that the library may have on their way; the limits that hold are kept by the callers. */
#define SEND_MAXIMUM 65535
/* How long a broker may take to close a connection after our DISCONNECT. */
#define GOODBYE_LINGER_MS 100

static pthread_once_t once = PTHREAD_ONCE_INIT;
/* libmosquitto sets up TLS in an unguarded static the first time. */
static struct lock tls_lock;

static void setup(void)
{
    (void)mosquitto_lib_init();
    lock_init(&tls_lock, LOCK_RANK_RUNNER);
}

void link_lib_init(void)
{
    (void)pthread_once(&once, setup);
}

/* ---- callbacks of the library ---- */

static void handle_connect(struct mosquitto *mosq, void *arg, int code, int flags,
                           const mosquitto_property *properties)
{
    struct link *link = arg;
    link->n_packets++;
    /* A line for each packet costs as much as the packet. */
    if (link->handlers.on_published && !log_enabled(LOG_DEBUG)) {
        mosquitto_log_callback_set(mosq, NULL);
    }
    struct link_connack connack = link_connack_read(link->options, code, flags, properties);
    struct seam *seam = seam_leave();
    link->handlers.on_connack(link->handlers.arg, &connack);
    seam_enter(seam);
}

/* Two texts of each user property are copied to be looked at, so only where there are any. */
static void read_trail(const mosquitto_property *properties, struct trail *ret_trail)
{
    bool skip = false;
    char *name = NULL;
    char *value = NULL;
    const mosquitto_property *at = properties;
    while ((at = mosquitto_property_read_string_pair(at, MQTT_PROP_USER_PROPERTY, &name, &value,
                                                     skip)) != NULL) {
        if (strcmp(name, TRAIL_PROPERTY) == 0) {
            trail_parse(value, strlen(value), ret_trail);
        }
        free(name);
        free(value);
        skip = true;
    }
}

static void handle_message(struct mosquitto *mosq, void *arg,
                           const struct mosquitto_message *message,
                           const mosquitto_property *properties)
{
    (void)mosq;
    struct link *link = arg;
    link->n_packets++;
    struct mqtt_message own = {
        .topic = message->topic,
        .payload = message->payload ? message->payload : "",
        .length = (size_t)message->payloadlen,
        .id = (uint16_t)message->mid,
        .qos = message->qos,
        .retained = message->retain,
        .duplicate = link->duplicate,
    };
    if (frame_guard_stands_in(own.payload, own.length, &own.oversize)) {
        own.payload = "";
        own.length = 0;
    }
    if (properties) {
        read_trail(properties, &own.trail);
    }
    struct seam *seam = seam_leave();
    link->handlers.on_message(link->handlers.arg, &own);
    seam_enter(seam);
}

static void handle_subscribe(struct mosquitto *mosq, void *arg, int id, int n_codes,
                             const int *codes, const mosquitto_property *properties)
{
    (void)mosq;
    (void)properties;
    struct link *link = arg;
    link->n_packets++;
    struct seam *seam = seam_leave();
    link->handlers.on_suback(link->handlers.arg, id, codes, n_codes);
    seam_enter(seam);
}

/* The library of this version keeps the codes of an UNSUBACK to itself. */
static void handle_unsubscribe(struct mosquitto *mosq, void *arg, int id,
                               const mosquitto_property *properties)
{
    (void)mosq;
    (void)properties;
    struct link *link = arg;
    link->n_packets++;
    struct seam *seam = seam_leave();
    link->handlers.on_unsuback(link->handlers.arg, id);
    seam_enter(seam);
}

static void handle_publish(struct mosquitto *mosq, void *arg, int id, int code,
                           const mosquitto_property *properties)
{
    (void)mosq;
    (void)properties;
    struct link *link = arg;
    link->n_packets++;
    struct seam *seam = seam_leave();
    link->handlers.on_published(link->handlers.arg, id, code);
    seam_enter(seam);
}

/* The library passes its own error codes here too; those of a DISCONNECT begin at 0x80. */
static void handle_disconnect(struct mosquitto *mosq, void *arg, int code,
                              const mosquitto_property *properties)
{
    (void)mosq;
    (void)properties;
    struct link *link = arg;
    if (code >= 0x80) {
        link->reason = code;
    }
}

/* The only place where the library shows the DUP flag is its debug line
 * "Client <id> received PUBLISH (d<dup>, q<qos>, ...". The id is ours and may hold anything, so it
 * is stepped over by its length. */
static bool read_packet_line(struct link *link, const char *line)
{
    static const char start[] = "Client ";
    static const char received[] = " received ";
    static const char publish[] = "PUBLISH (d";
    size_t id_length = strlen(link->options->client_id);
    if (strncmp(line, start, strlen(start)) != 0 ||
        strncmp(line + strlen(start), link->options->client_id, id_length) != 0) {
        return false;
    }
    const char *rest = line + strlen(start) + id_length;
    if (strncmp(rest, received, strlen(received)) == 0) {
        link->n_packets++;
        rest += strlen(received);
        if (strncmp(rest, publish, strlen(publish)) == 0) {
            link->duplicate = rest[strlen(publish)] == '1';
        }
    }
    return true;
}

static void handle_log(struct mosquitto *mosq, void *arg, int level, const char *line)
{
    (void)mosq;
    struct link *link = arg;
    bool packet = level == MOSQ_LOG_DEBUG && read_packet_line(link, line);
    if (level == MOSQ_LOG_ERR) {
        (void)snprintf(link->lib_error, sizeof(link->lib_error), "%s", line);
    }
    enum log_level own = packet ? LOG_TRACE : LOG_DEBUG;
    if (log_passes(LOGGER_libmosquitto, own)) {
        struct seam *seam = seam_leave();
        log_write(own, link->options->log, "MQTT-LIB", "line=\"%s\"", line);
        seam_enter(seam);
    }
}

static int give_key_password(char *place, int size, int writing, void *arg)
{
    (void)writing;
    const struct link *link = mosquitto_userdata(arg);
    const char *password = link->options->tls.key_password;
    int length = password ? (int)strlen(password) : 0;
    if (length >= size) {
        return 0;
    }
    memcpy(place, password ? password : "", (size_t)length + 1);
    return length;
}

/* ---- making the connection ---- */

/* The library opens what it is told to, and would wait at a pipe for ever. */
static enum err check_file(const char *path, struct error *reterr)
{
    struct error why;
    if (path && file_kind_check(path, false, &why) != ERR_OK) {
        return error_set(reterr, ERR_INVALID, "cannot read the TLS file %s: %s", path, why.text);
    }
    return ERR_OK;
}

static enum err set_tls(struct link *link, struct error *reterr)
{
    const struct mqtt_tls *tls = &link->options->tls;
    const char *const files[] = { tls->ca, tls->cert, tls->key };
    for (size_t i = 0; i < N_ELEMENTS(files); i++) {
        enum err err = check_file(files[i], reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    int code = MOSQ_ERR_SUCCESS;
    if (tls->ca || tls->cert) {
        const char *folder = tls->ca ? NULL : "/etc/ssl/certs";
        code =
            mosquitto_tls_set(link->mosq, tls->ca, folder, tls->cert, tls->key, give_key_password);
    } else {
        code = mosquitto_int_option(link->mosq, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    }
    /* 0 and 1 are OpenSSL's SSL_VERIFY_NONE and SSL_VERIFY_PEER. */
    code = code ? code : mosquitto_tls_opts_set(link->mosq, tls->insecure ? 0 : 1, NULL, NULL);
    code = code ? code : mosquitto_tls_insecure_set(link->mosq, tls->insecure);
    if (code == MOSQ_ERR_SUCCESS && tls->alpn) {
        code = mosquitto_string_option(link->mosq, MOSQ_OPT_TLS_ALPN, tls->alpn);
    }
    return code == MOSQ_ERR_SUCCESS
               ? ERR_OK
               : error_set(reterr, ERR_INVALID, "TLS settings: %s", mosquitto_strerror(code));
}

static enum err configure(struct link *link, struct error *reterr)
{
    const struct mqtt_options *options = link->options;
    struct mosquitto *mosq = link->mosq;
    mosquitto_log_callback_set(mosq, handle_log);
    mosquitto_connect_v5_callback_set(mosq, handle_connect);
    mosquitto_message_v5_callback_set(mosq, handle_message);
    mosquitto_subscribe_v5_callback_set(mosq, handle_subscribe);
    mosquitto_unsubscribe_v5_callback_set(mosq, handle_unsubscribe);
    mosquitto_disconnect_v5_callback_set(mosq, handle_disconnect);
    if (link->handlers.on_published) {
        mosquitto_publish_v5_callback_set(mosq, handle_publish);
    }
    /* Without this each PUBACK would leave as soon as it is made. */
    int code = mosquitto_threaded_set(mosq, true);
    code = code ? code
                : mosquitto_int_option(mosq, MOSQ_OPT_PROTOCOL_VERSION,
                                       link->v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    code = code ? code : mosquitto_int_option(mosq, MOSQ_OPT_TCP_NODELAY, 1);
    code = code ? code
                : mosquitto_int_option(mosq, MOSQ_OPT_RECEIVE_MAXIMUM, options->receive_maximum);
    code = code ? code : mosquitto_int_option(mosq, MOSQ_OPT_SEND_MAXIMUM, SEND_MAXIMUM);
    if (code == MOSQ_ERR_SUCCESS && options->username) {
        code = mosquitto_username_pw_set(mosq, options->username, options->password);
    }
    if (code != MOSQ_ERR_SUCCESS) {
        return error_set(reterr, ERR_INVALID, "MQTT settings: %s", mosquitto_strerror(code));
    }
    return link->tls ? set_tls(link, reterr) : ERR_OK;
}

/* The call that does not block takes no properties, but it sends those of an earlier call that
 * does: one with an impossible address, which comes back at once. */
static int store_properties(struct link *link)
{
    mosquitto_property *properties = NULL;
    uint32_t expiry = link->options->clean ? 0 : link->options->expiry_s;
    int code = mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, expiry);
    if (code == MOSQ_ERR_SUCCESS) {
        (void)mosquitto_connect_bind_v5(link->mosq, "", 0, link->options->keepalive_s, NULL,
                                        properties);
    }
    mosquitto_property_free_all(&properties);
    return code;
}

static enum err start(struct link *link, const struct link_target *target, struct error *reterr)
{
    int code = MOSQ_ERR_SUCCESS;
    seam_resolve(link->seam, target->host, target->address);
    seam_enter(link->seam);
    if (link->v5) {
        code = store_properties(link);
    }
    if (code == MOSQ_ERR_SUCCESS) {
        code =
            mosquitto_connect_bind_async(link->mosq, target->tls ? target->host : target->address,
                                         target->port, link->options->keepalive_s, NULL);
    }
    int saved = errno;
    (void)seam_leave();
    seam_resolve(link->seam, NULL, NULL);
    if (code == MOSQ_ERR_SUCCESS) {
        return ERR_OK;
    }
    if (code == MOSQ_ERR_TLS || code == MOSQ_ERR_INVAL) {
        return error_set(reterr, ERR_INVALID, "%s %s", mosquitto_strerror(code), link->lib_error);
    }
    return error_set(reterr, ERR_IO, "%s",
                     code == MOSQ_ERR_ERRNO ? strerror(saved) : mosquitto_strerror(code));
}

static enum err start_tls(struct link *link, const struct link_target *target, struct error *reterr)
{
    lock_take(&tls_lock);
    enum err err = start(link, target, reterr);
    lock_drop(&tls_lock);
    return err;
}

enum err link_open(const struct mqtt_options *options, const struct link_target *target,
                   const struct link_handlers *handlers, struct link **ret_link,
                   struct error *reterr)
{
    link_lib_init();
    struct link *link = xcalloc(1, sizeof(*link));
    link->options = options;
    link->handlers = *handlers;
    link->v5 = target->v5;
    link->tls = target->tls;
    link->wrote_all = true;
    link->seam = seam_new();
    link->mosq = mosquitto_new(options->client_id, options->clean, link);
    enum err err = ERR_OK;
    if (!link->mosq) {
        err =
            error_set(reterr, ERR_INVALID, "client id %s: %s", options->client_id, strerror(errno));
    }
    err = err ? err : configure(link, reterr);
    if (err == ERR_OK) {
        err = target->tls ? start_tls(link, target, reterr) : start(link, target, reterr);
    }
    if (err != ERR_OK) {
        link_close(link);
        return err;
    }
    seam_attach(link->seam, mosquitto_socket(link->mosq), !target->tls);
    if (options->max_packet > 0) {
        seam_guard(link->seam, options->max_packet, target->v5);
    }
    *ret_link = link;
    return ERR_OK;
}

void link_close(struct link *link)
{
    if (!link) {
        return;
    }
    /* Before the library gets at it: what was gathered must not leave any more. */
    seam_detach(link->seam);
    if (link->mosq) {
        mosquitto_destroy(link->mosq);
    }
    seam_free(link->seam);
    free(link);
}

/* ---- life of the connection ---- */

/* The library has no text for every code of its own. */
static const char *code_text(int code, int saved)
{
    switch (code) {
    case MOSQ_ERR_SUCCESS:
        return "the connection was closed";
    case MOSQ_ERR_ERRNO:
        return strerror(saved);
    case MOSQ_ERR_MALFORMED_PACKET:
        return "a malformed packet came";
    default:
        return mosquitto_strerror(code);
    }
}

/* Judges what a library call returned. */
static enum link_end judge(struct link *link, int code)
{
    int saved = errno;
    bool open = mosquitto_socket(link->mosq) >= 0;
    if (code == MOSQ_ERR_SUCCESS && open) {
        return LINK_OPEN;
    }
    seam_detach(link->seam);
    /* Which of the two it is for a packet that ends too early depends on the library's version. */
    link->garbled = code == MOSQ_ERR_PROTOCOL || code == MOSQ_ERR_MALFORMED_PACKET;
    if (link->reason) {
        (void)snprintf(link->text, sizeof(link->text), "the broker disconnected: %s (0x%02X)",
                       mqtt_reason_text(link->reason, true), (unsigned)link->reason);
    } else if (link->said_goodbye) {
        return LINK_ENDED;
    } else {
        (void)snprintf(link->text, sizeof(link->text), "%s%s%s", code_text(code, saved),
                       link->lib_error[0] ? ": " : "", link->lib_error);
    }
    return LINK_LOST;
}

int link_fd(const struct link *link)
{
    return mosquitto_socket(link->mosq);
}

enum link_end link_write(struct link *link)
{
    if (seam_pending(link->seam) && !seam_flush(link->seam)) {
        return judge(link, MOSQ_ERR_CONN_LOST);
    }
    if (seam_pending(link->seam)) {
        return LINK_OPEN;
    }
    seam_enter(link->seam);
    int code = mosquitto_loop_write(link->mosq, 1);
    (void)seam_leave();
    enum link_end end = judge(link, code);
    if (end == LINK_OPEN && !seam_flush(link->seam)) {
        return judge(link, MOSQ_ERR_CONN_LOST);
    }
    if (end == LINK_OPEN) {
        link->wrote_all = !mosquitto_want_write(link->mosq);
    }
    return end;
}

enum link_end link_read(struct link *link, bool *ret_progress)
{
    unsigned before = link->n_packets;
    seam_enter(link->seam);
    int code = mosquitto_loop_read(link->mosq, 1);
    (void)seam_leave();
    /* The library writes no whole line for a very long client id, so packets alone do not tell. */
    *ret_progress = link->n_packets != before || seam_buffered(link->seam) > 0;
    return judge(link, code);
}

/* In its handshake the library takes a closed socket for one that is not ready yet, for ever. */
static bool at_end(const struct link *link)
{
    char byte = 0;
    return recv(link_fd(link), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

enum link_end link_established(struct link *link)
{
    return link->tls ? link_greet(link) : link_write(link);
}

enum link_end link_greet(struct link *link)
{
    bool progress = false;
    bool ends = link->tls && at_end(link);
    enum link_end end = link_read(link, &progress);
    if (end == LINK_OPEN && ends && !progress) {
        return judge(link, MOSQ_ERR_CONN_LOST);
    }
    /* The CONNECT leaves here when the handshake is done. */
    return end == LINK_OPEN && !progress ? link_write(link) : end;
}

enum link_end link_misc(struct link *link)
{
    seam_enter(link->seam);
    int code = mosquitto_loop_misc(link->mosq);
    (void)seam_leave();
    return judge(link, code);
}

bool link_wants_write(const struct link *link)
{
    return seam_pending(link->seam) || mosquitto_want_write(link->mosq);
}

bool link_blocked(const struct link *link)
{
    return seam_pending(link->seam) || !link->wrote_all;
}

size_t link_buffered(const struct link *link)
{
    return seam_buffered(link->seam);
}

int link_subscribe(struct link *link, char *const *filters, int n_filters)
{
    /* Retained messages come for a new subscription only, not again after each reconnect. */
    int options = link->v5 ? MQTT_SUB_OPT_SEND_RETAIN_NEW : 0;
    int id = 0;
    seam_enter(link->seam);
    int code = mosquitto_subscribe_multiple(link->mosq, &id, n_filters, filters, link->options->qos,
                                            options, NULL);
    (void)seam_leave();
    return code == MOSQ_ERR_SUCCESS ? id : 0;
}

int link_unsubscribe(struct link *link, char *const *filters, int n_filters)
{
    int id = 0;
    seam_enter(link->seam);
    int code = mosquitto_unsubscribe_multiple(link->mosq, &id, n_filters, filters, NULL);
    (void)seam_leave();
    return code == MOSQ_ERR_SUCCESS ? id : 0;
}

bool link_filter_matches(const char *filter, const char *topic)
{
    const char *plain = filter;
    if (mqtt_filter_is_shared(filter)) {
        const char *group = strchr(filter, '/') + 1;
        const char *slash = strchr(group, '/');
        plain = slash ? slash + 1 : filter;
    }
    bool matches = false;
    return mosquitto_topic_matches_sub(plain, topic, &matches) == MOSQ_ERR_SUCCESS && matches;
}

/* Ends our side of a connection and takes what still comes, until the broker closes it too. A
 * socket that is closed with unread bytes is reset, and a reset makes the broker's host throw away
 * what it has not handed to the broker: our last PUBACKs. */
static void linger(int fd)
{
    uint64_t until_ms = clock_mono_ms() + GOODBYE_LINGER_MS;
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    char rest[16384];
    ssize_t n = 1;
    (void)shutdown(fd, SHUT_WR);
    for (uint64_t now = clock_mono_ms(); n > 0 && now < until_ms; now = clock_mono_ms()) {
        if (poll(&poll_fd, 1, (int)(until_ms - now)) > 0) {
            n = recv(fd, rest, sizeof(rest), MSG_DONTWAIT);
        }
    }
    (void)close(fd);
}

enum link_end link_goodbye(struct link *link)
{
    /* The library closes the socket right behind the DISCONNECT, so this one is not gathered, and
     * the connection is kept open by a second descriptor. */
    int kept = fcntl(link_fd(link), F_DUPFD_CLOEXEC, 0);
    seam_attach(link->seam, link_fd(link), false);
    link->said_goodbye = true;
    (void)mosquitto_disconnect_v5(link->mosq, 0, NULL);
    enum link_end end = judge(link, mosquitto_loop_write(link->mosq, 1));
    if (kept >= 0) {
        linger(kept);
    }
    return end;
}

int link_reason(const struct link *link)
{
    return link->reason;
}

bool link_garbled(const struct link *link)
{
    return link->garbled;
}

const char *link_text(const struct link *link)
{
    return link->text;
}
