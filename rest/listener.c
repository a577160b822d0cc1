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

static enum err bad_form(const char *entry, struct error *reterr)
{
    return error_set(reterr, ERR_INVALID,
                     "Invalid value %s for configuration listeners: expected http://host:port with "
                     "a port from 0 to 65535; an empty host means all interfaces",
                     entry);
}

/* Splits "http://host:port"; an IPv6 address stands in brackets. */
static enum err parse(const char *entry, struct listener *ret_listener, struct error *reterr)
{
    if (strncasecmp(entry, "https://", 8) == 0) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %s for configuration listeners: https is not supported "
                         "here: use http and put a TLS proxy in front",
                         entry);
    }
    if (strncasecmp(entry, "http://", 7) != 0) {
        return bad_form(entry, reterr);
    }
    const char *host = entry + 7;
    bool brackets = host[0] == '[';
    host += brackets;
    size_t length = strcspn(host, brackets ? "]" : ":");
    const char *colon = host + length + (brackets && host[length] == ']');
    char *end = NULL;
    long port = *colon == ':' ? strtol(colon + 1, &end, 10) : -1;
    if (!end || end == colon + 1 || *end != '\0' || port < 0 || port > 65535 ||
        length >= sizeof(ret_listener->host)) {
        return bad_form(entry, reterr);
    }
    *ret_listener = (struct listener){ .fd = -1, .port = (int)port };
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

static enum err listener_open(struct listener *listener, const char *entry, struct error *reterr)
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
        return error_set(reterr, ERR_IO,
                         "Invalid value %s for configuration listeners: %s: give a name or address "
                         "of this host",
                         entry, gai_strerror(rc));
    }
    int fd = open_any(list, all);
    int saved = errno;
    freeaddrinfo(list);
    if (fd < 0) {
        const char *mend = saved == EADDRINUSE
                               ? "another process listens there: stop it or give another port"
                               : "give an address of this host and a port that is allowed";
        return error_set(reterr, ERR_IO, "Invalid value %s for configuration listeners: %s: %s",
                         entry, strerror(saved), mend);
    }
    listener->fd = fd;
    listener->port = bound_port(fd);
    return ERR_OK;
}

/* Parses all entries; nothing is opened yet. */
static enum err parse_all(const char *text, const struct config_list *entries,
                          struct listeners *ret_listeners, struct error *reterr)
{
    struct listeners listeners = { .n_items = entries->n_items };
    if (entries->n_items == 0 || entries->n_items > HTTP_MAX_LISTENERS) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %s for configuration listeners: expected 1 to %d entries",
                         text, HTTP_MAX_LISTENERS);
    }
    for (size_t i = 0; i < entries->n_items; i++) {
        enum err err = parse(entries->items[i], &listeners.items[i], reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    *ret_listeners = listeners;
    return ERR_OK;
}

enum err listeners_check(const char *text, struct error *reterr)
{
    struct listeners listeners;
    struct config_list entries;
    config_list_split(text, &entries);
    enum err err = parse_all(text, &entries, &listeners, reterr);
    config_list_fini(&entries);
    return err;
}

enum err listeners_open(const char *text, struct listeners *ret_listeners, struct error *reterr)
{
    struct listeners listeners = { .n_items = 0 };
    struct config_list entries;
    config_list_split(text, &entries);
    enum err err = parse_all(text, &entries, &listeners, reterr);
    for (size_t i = 0; i < entries.n_items && err == ERR_OK; i++) {
        err = listener_open(&listeners.items[i], entries.items[i], reterr);
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
