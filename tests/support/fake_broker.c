/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted broker. See fake_broker.h. */
#include "tests/support/fake_broker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/unit.h"

void broker_open(struct fake_broker *broker)
{
    broker->fd = -1;
    broker->n_in = 0;
    broker->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(broker->listen_fd >= 0);
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    assert_int_equal(bind(broker->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(broker->listen_fd, 8), 0);
    assert_int_equal(getsockname(broker->listen_fd, (struct sockaddr *)&address, &size), 0);
    broker->port = ntohs(address.sin_port);
}

void broker_hang_up(struct fake_broker *broker)
{
    if (broker->fd >= 0) {
        close(broker->fd);
    }
    broker->fd = -1;
    broker->n_in = 0;
}

void broker_close(struct fake_broker *broker)
{
    broker_hang_up(broker);
    close(broker->listen_fd);
}

bool broker_accept(struct fake_broker *broker)
{
    int fd = accept4(broker->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    broker_hang_up(broker);
    broker->fd = fd;
    return true;
}

/* Length of the first whole packet in the buffer and of its header; 0 if it is not whole. */
static size_t whole_packet(const struct fake_broker *broker, size_t *ret_header)
{
    size_t length = 0;
    size_t factor = 1;
    for (size_t i = 1; i < broker->n_in && i < 5; i++) {
        length += (broker->in[i] & 127U) * factor;
        factor *= 128;
        if (broker->in[i] < 128) {
            *ret_header = i + 1;
            return i + 1 + length <= broker->n_in ? i + 1 + length : 0;
        }
    }
    return 0;
}

enum packet_type broker_next(struct fake_broker *broker)
{
    if (broker->fd < 0) {
        return PACKET_NONE;
    }
    ssize_t n = recv(broker->fd, broker->in + broker->n_in, sizeof(broker->in) - broker->n_in, 0);
    broker->n_in += n > 0 ? (size_t)n : 0;
    size_t header = 0;
    size_t length = whole_packet(broker, &header);
    if (length == 0) {
        return n == 0 ? PACKET_CLOSED : PACKET_NONE;
    }
    enum packet_type type = (enum packet_type)(broker->in[0] >> 4);
    broker->flags = broker->in[0] & 15;
    broker->n_body = length - header;
    assert_true(broker->n_body <= sizeof(broker->body));
    memcpy(broker->body, broker->in + header, broker->n_body);
    memmove(broker->in, broker->in + length, broker->n_in - length);
    broker->n_in -= length;
    return type;
}

uint16_t broker_id(const struct fake_broker *broker)
{
    return (uint16_t)(broker->body[0] << 8 | broker->body[1]);
}

void broker_send(struct fake_broker *broker, const void *bytes, size_t n)
{
    assert_int_equal(send(broker->fd, bytes, n, MSG_NOSIGNAL), n);
}

void broker_connack(struct fake_broker *broker, bool v5, bool present, int code,
                    const void *properties, size_t n)
{
    unsigned char packet[128] = { 0x20, (unsigned char)(v5 ? 3 + n : 2), present,
                                  (unsigned char)code, (unsigned char)n };
    if (n > 0) {
        memcpy(packet + 5, properties, n);
    }
    broker_send(broker, packet, v5 ? 5 + n : 4);
}

void broker_suback(struct fake_broker *broker, bool v5, uint16_t id, int code)
{
    unsigned char five[] = {
        0x90, 4, (unsigned char)(id >> 8), (unsigned char)id, 0, (unsigned char)code
    };
    unsigned char four[] = { 0x90, 3, (unsigned char)(id >> 8), (unsigned char)id,
                             (unsigned char)code };
    broker_send(broker, v5 ? five : four, v5 ? sizeof(five) : sizeof(four));
}

void broker_unsuback(struct fake_broker *broker, uint16_t id)
{
    unsigned char packet[] = { 0xb0, 4, (unsigned char)(id >> 8), (unsigned char)id, 0, 0 };
    broker_send(broker, packet, sizeof(packet));
}

void broker_publish(struct fake_broker *broker, bool v5, uint16_t id, bool duplicate,
                    const char *topic, const void *payload, size_t n)
{
    unsigned char head[512];
    size_t topic_length = strlen(topic);
    size_t left = 2 + topic_length + 2 + (v5 ? 1 : 0) + n;
    size_t at = 0;
    head[at++] = (unsigned char)(0x32 | (duplicate ? 8 : 0));
    do {
        unsigned char digit = (unsigned char)(left % 128);
        left /= 128;
        head[at++] = (unsigned char)(digit | (left > 0 ? 128 : 0));
    } while (left > 0);
    head[at++] = (unsigned char)(topic_length >> 8);
    head[at++] = (unsigned char)topic_length;
    memcpy(head + at, topic, topic_length);
    at += topic_length;
    head[at++] = (unsigned char)(id >> 8);
    head[at++] = (unsigned char)id;
    if (v5) {
        head[at++] = 0;
    }
    broker_send(broker, head, at);
    if (n > 0) {
        broker_send(broker, payload, n);
    }
}

void broker_disconnect(struct fake_broker *broker, int reason)
{
    unsigned char packet[] = { 0xE0, 2, (unsigned char)reason, 0 };
    broker_send(broker, packet, sizeof(packet));
}
