/* SPDX-License-Identifier: Apache-2.0 */
/* See trail.h. */
#include "worker/base/trail.h"

#include <stdio.h>

#include "worker/base/macros.h"

/* FNV-1a: the same everywhere and in every version, which a place needs to be. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)
#define DIGITS     16

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * HASH_PRIME;
    }
    /* An end, so that "a" "bc" and "ab" "c" differ. */
    return (hash ^ 0xFF) * HASH_PRIME;
}

uint64_t trail_domain(const char *kind, const char *name)
{
    return hash_text(hash_text(HASH_START, kind), name);
}

uint64_t trail_place(uint64_t domain, const char *topic)
{
    return hash_text(domain, topic);
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_place(const char *text, uint64_t *ret_place)
{
    uint64_t place = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        int value = digit_value(text[i]);
        if (value < 0) {
            return false;
        }
        place = place << 4 | (uint64_t)value;
    }
    *ret_place = place;
    return true;
}

void trail_parse(const char *text, size_t length, struct trail *ret_trail)
{
    struct trail trail = { .n_places = 0 };
    ret_trail->n_places = 0;
    if (length == 0 || (length + 1) % (DIGITS + 1) != 0 ||
        (length + 1) / (DIGITS + 1) > TRAIL_MAX) {
        return;
    }
    for (size_t at = 0; at < length; at += DIGITS + 1) {
        bool ends = at + DIGITS == length;
        if ((!ends && text[at + DIGITS] != ',') ||
            !parse_place(text + at, &trail.places[trail.n_places])) {
            return;
        }
        trail.n_places++;
    }
    *ret_trail = trail;
}

void trail_format(const struct trail *trail, char text[TRAIL_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text;
    for (size_t i = 0; i < trail->n_places; i++) {
        if (i > 0) {
            *at++ = ',';
        }
        for (int shift = 60; shift >= 0; shift -= 4) {
            *at++ = digits[trail->places[i] >> shift & 15];
        }
    }
    *at = '\0';
}

bool trail_goes_on(const struct trail *trail, uint64_t to)
{
    for (size_t i = 0; i < trail->n_places; i++) {
        if (trail->places[i] == to) {
            return false;
        }
    }
    return trail->n_places < TRAIL_MAX;
}

void trail_add(struct trail *trail, uint64_t place)
{
    if (trail->n_places < TRAIL_MAX) {
        trail->places[trail->n_places++] = place;
    }
}
