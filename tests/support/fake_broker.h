/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An MQTT broker that does only what a test says: it listens on loopback and reads and writes
 * single packets. Everything happens on the test's own thread, in turn with the session under test,
 * which never blocks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum packet_type {
    PACKET_NONE = 0,
    PACKET_CONNECT = 1,
    PACKET_PUBACK = 4,
    PACKET_SUBSCRIBE = 8,
    PACKET_UNSUBSCRIBE = 10,
    PACKET_PINGREQ = 12,
    PACKET_DISCONNECT = 14,
    PACKET_CLOSED = 100, /* the client closed the connection */
};

struct fake_broker {
    int listen_fd;
    int port;
    int fd; /* the accepted connection, -1: none */
    unsigned char in[1 << 20];
    size_t n_in;
    /* the packet that was read last */
    unsigned char flags;
    unsigned char body[65536];
    size_t n_body;
};

void broker_open(struct fake_broker *broker);
void broker_close(struct fake_broker *broker);
/* broker_hang_up closes the accepted connection. */
void broker_hang_up(struct fake_broker *broker);
/* broker_accept takes a waiting connection; false if there is none now. */
bool broker_accept(struct fake_broker *broker);
/* broker_next reads the next whole packet that has come; PACKET_NONE if none has. */
enum packet_type broker_next(struct fake_broker *broker);
/* broker_id returns the packet id at the start of the last packet's body. */
uint16_t broker_id(const struct fake_broker *broker);

void broker_send(struct fake_broker *broker, const void *bytes, size_t n);
/* broker_connack answers a CONNECT; properties are n encoded bytes (MQTT 5); v5 false: 3.1.1. */
void broker_connack(struct fake_broker *broker, bool v5, bool present, int code,
                    const void *properties, size_t n);
void broker_suback(struct fake_broker *broker, bool v5, uint16_t id, int code);
/* broker_unsuback answers an MQTT 5 UNSUBSCRIBE of one filter. */
void broker_unsuback(struct fake_broker *broker, uint16_t id);
/* broker_publish sends a QoS 1 PUBLISH; payload of n bytes. */
void broker_publish(struct fake_broker *broker, bool v5, uint16_t id, bool duplicate,
                    const char *topic, const void *payload, size_t n);
/* broker_disconnect sends an MQTT 5 DISCONNECT with a reason. */
void broker_disconnect(struct fake_broker *broker, int reason);
