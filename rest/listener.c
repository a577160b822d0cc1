/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets. See listener.h. */
#include "rest/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/base/config_def.h"

#define BACKLOG 256

static enum err bad_form(const char *key, const char *entry, struct error *reterr)
{
    return error_set(reterr, ERR_INVALID,
                     "Invalid value %s for configuration %s: expected http://host:port or "
                     "https://host:port with a port from 0 to 65535; an empty host means all "
                     "interfaces",
                     entry, key);
}

/* Splits "http://host:port"; an IPv6 address stands in brackets. */
static enum err parse(const char *key, const char *entry, struct listener *ret_listener,
                      struct error *reterr)
{
    bool tls = strncasecmp(entry, "https://", 8) == 0;
    if (!tls && strncasecmp(entry, "http://", 7) != 0) {
        return bad_form(key, entry, reterr);
    }
    const char *host = entry + (tls ? 8 : 7);
    bool brackets = host[0] == '[';
    host += brackets;
    size_t length = strcspn(host, brackets ? "]" : ":");
    const char *colon = host + length + (brackets && host[length] == ']');
    char *end = NULL;
    long port = *colon == ':' ? strtol(colon + 1, &end, 10) : -1;
    if (!end || end == colon + 1 || *end != '\0' || port < 0 || port > 65535 ||
        length >= sizeof(ret_listener->host)) {
        return bad_form(key, entry, reterr);
    }
    *ret_listener = (struct listener){ .fd = -1, .tls = tls, .port = (int)port };
    (void)snprintf(ret_listener->host, sizeof(ret_listener->host), "%.*s", (int)length, host);
    return ERR_OK;
}

static int open_one(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->ai_protocol);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    int off = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    char service[16] = "0";
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
        getnameinfo((struct sockaddr *)&address, length, NULL, 0, service, sizeof(service),
                    NI_NUMERICSERV) != 0) {
        return 0;
    }
    return (int)strtol(service, NULL, 10);
}

/* The first address that takes the socket; IPv6 first for all interfaces, as it serves both. */
static int open_any(const struct addrinfo *list, bool all)
{
    int fd = -1;
    int first_error = 0;
    for (int pass = all ? 0 : 1; pass < 2 && fd < 0; pass++) {
        for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
            bool wanted = pass == 1 || a->ai_family == AF_INET6;
            fd = wanted ? open_one(a) : -1;
            first_error = fd < 0 && wanted && first_error == 0 ? errno : first_error;
        }
        /* In use is in use: the other family would only hide it. */
        if (fd < 0 && first_error == EADDRINUSE) {
            break;
        }
    }
    if (fd < 0) {
        errno = first_error;
    }
    return fd;
}

static enum err listener_open(struct listener *listener, const char *key, const char *entry,
                              struct error *reterr)
{
    char service[16];
    (void)snprintf(service, sizeof(service), "%d", listener->port);
    bool all = listener->host[0] == '\0';
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(all ? NULL : listener->host, service, &hints, &list);
    if (rc != 0) {
        return error_set(
            reterr, ERR_IO,
            "Invalid value %s for configuration %s: %s: give a name or address of this "
            "host",
            entry, key, gai_strerror(rc));
    }
    int fd = open_any(list, all);
    int saved = errno;
    freeaddrinfo(list);
    if (fd < 0) {
        const char *mend = saved == EADDRINUSE
                               ? "another process listens there: stop it or give another port"
                               : "give an address of this host and a port that is allowed";
        return error_set(reterr, ERR_IO, "Invalid value %s for configuration %s: %s: %s", entry,
                         key, strerror(saved), mend);
    }
    listener->fd = fd;
    listener->port = bound_port(fd);
    return ERR_OK;
}

static enum err parse_all(const char *key, const char *text, const struct config_list *entries,
                          struct listeners *ret_listeners, struct error *reterr)
{
    struct listeners listeners = { .n_items = entries->n_items };
    if (entries->n_items == 0 || entries->n_items > LISTENERS_MAX) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %s for configuration %s: expected 1 to %d entries", text,
                         key, LISTENERS_MAX);
    }
    for (size_t i = 0; i < entries->n_items; i++) {
        enum err err = parse(key, entries->items[i], &listeners.items[i], reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    *ret_listeners = listeners;
    return ERR_OK;
}

enum err listeners_parse(const char *key, const char *text, struct listeners *ret_listeners,
                         struct error *reterr)
{
    struct config_list entries;
    config_list_split(text, &entries);
    enum err err = parse_all(key, text, &entries, ret_listeners, reterr);
    config_list_fini(&entries);
    return err;
}

bool listeners_have_tls(const struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->n_items; i++) {
        if (listeners->items[i].tls) {
            return true;
        }
    }
    return false;
}

enum err listeners_open(const char *key, const char *text, struct listeners *ret_listeners,
                        struct error *reterr)
{
    struct listeners listeners = { .n_items = 0 };
    struct config_list entries;
    config_list_split(text, &entries);
    enum err err = parse_all(key, text, &entries, &listeners, reterr);
    for (size_t i = 0; i < entries.n_items && err == ERR_OK; i++) {
        err = listener_open(&listeners.items[i], key, entries.items[i], reterr);
    }
    config_list_fini(&entries);
    if (err != ERR_OK) {
        listeners_close(&listeners);
        return err;
    }
    *ret_listeners = listeners;
    return ERR_OK;
}

void listeners_close(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->n_items; i++) {
        if (listeners->items[i].fd >= 0) {
            (void)close(listeners->items[i].fd);
            listeners->items[i].fd = -1;
        }
    }
}
