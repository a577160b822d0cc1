/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loop protection: the places that a message has been to, as it carries them along in a header or
 * user property. A place is a topic of a Kafka cluster or MQTT broker. A connector that is about
 * to bring a message to a place where it has been passes it over. Thread: any, no state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest trail; a message that has been to more places goes in a circle whose topics grow. */
#define TRAIL_MAX 8
/* Room for a trail as text, with its NUL. */
#define TRAIL_TEXT (TRAIL_MAX * 17)

#define TRAIL_HEADER   "sluice.via"
#define TRAIL_PROPERTY "sluice-via"

struct trail {
    uint64_t places[TRAIL_MAX];
    size_t n_places;
};

/* trail_domain returns the start of the places of a broker or cluster: kind and name go in. */
uint64_t trail_domain(const char *kind, const char *name);
/* trail_place returns a topic's place in a domain. */
uint64_t trail_place(uint64_t domain, const char *topic);
/* trail_parse reads what trail_format wrote; what is no trail gives an empty one. */
void trail_parse(const char *text, size_t length, struct trail *ret_trail);
/* trail_format writes a trail: its places in hexadecimal, separated by commas. */
void trail_format(const struct trail *trail, char text[TRAIL_TEXT]);
/* trail_goes_on tells whether a message with this trail may go to `to`: it has not been there and
 * the trail is not full. */
bool trail_goes_on(const struct trail *trail, uint64_t to);
/* trail_add appends a place; a full trail stays as it is. */
void trail_add(struct trail *trail, uint64_t place);
