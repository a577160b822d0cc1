/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the limit on packets: what passes, what is replaced, in whatever pieces it comes. */
#include <errno.h>
#include <string.h>

#include "tests/support/random.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"
#include "worker/mqtt/frame_guard.h"

#define LIMIT 1000

static struct random chance;

/* A stream that comes in pieces of at most `piece` bytes, with a pause (EAGAIN) between them. */
struct stream {
    unsigned char bytes[1 << 20];
    size_t n;
    size_t at;
    size_t piece; /* 0: of random size */
    bool pause;
};

static ssize_t take(void *arg, void *buffer, size_t size)
{
    struct stream *stream = arg;
    stream->pause = !stream->pause;
    if (stream->pause || stream->at == stream->n) {
        errno = EAGAIN;
        return -1;
    }
    size_t most = stream->piece ? stream->piece : 1 + random_below(&chance, 3000);
    size_t n = stream->n - stream->at;
    n = n < size ? n : size;
    n = n < most ? n : most;
    memcpy(buffer, stream->bytes + stream->at, n);
    stream->at += n;
    return (ssize_t)n;
}

static void add(struct stream *stream, const void *bytes, size_t n)
{
    assert_true(stream->n + n <= sizeof(stream->bytes));
    if (n > 0) {
        memcpy(stream->bytes + stream->n, bytes, n);
    }
    stream->n += n;
}

/* Adds a packet with this first byte and a body of n bytes that begins with `start`. */
static void add_packet(struct stream *stream, unsigned char first, const void *start,
                       size_t n_start, size_t n)
{
    unsigned char head[5] = { first };
    size_t n_head = 1;
    size_t left = n;
    do {
        head[n_head++] = (unsigned char)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        left >>= 7;
    } while (left > 0);
    add(stream, head, n_head);
    add(stream, start, n_start);
    for (size_t i = n_start; i < n; i++) {
        add(stream, "x", 1);
    }
}

/* Reads all that passes, as the library does: a few bytes here, many there. */
static size_t read_all(struct frame_guard *guard, struct stream *stream, unsigned char *out,
                       size_t size)
{
    size_t n = 0;
    for (unsigned idle = 0; idle < 8;) {
        size_t most = 1 + random_below(&chance, 5000);
        ssize_t got =
            frame_guard_read(guard, out + n, most < size - n ? most : size - n, take, stream);
        if (got > 0) {
            n += (size_t)got;
        }
        idle = got > 0 || stream->at < stream->n ? 0 : idle + 1;
        assert_true(got > 0 || errno == EAGAIN);
    }
    return n;
}

static void test_packets_within_the_limit_pass_untouched(void **state UNUSED)
{
    static unsigned char out[1 << 20];
    struct stream *stream = xcalloc(1, sizeof(*stream));
    for (size_t i = 0; i < 300; i++) {
        add_packet(stream, 0x32, "\0\1a\0\1", 5, 5 + random_below(&chance, LIMIT - 4));
        add_packet(stream, 0xd0, NULL, 0, 0);
    }
    for (size_t piece = 0; piece < 3; piece++) {
        struct frame_guard *guard = frame_guard_new(LIMIT, true);
        stream->at = 0;
        stream->piece = piece;
        assert_int_equal(read_all(guard, stream, out, sizeof(out)), stream->n);
        assert_memory_equal(out, stream->bytes, stream->n);
        assert_int_equal(frame_guard_ready(guard), 0);
        frame_guard_free(guard);
    }
    free(stream);
}

static void replace(bool v5, unsigned char first, size_t piece)
{
    static unsigned char out[4096];
    struct stream *stream = xcalloc(1, sizeof(*stream));
    struct frame_guard *guard = frame_guard_new(LIMIT, v5);
    stream->piece = piece;
    bool id = first & 6;
    add_packet(stream, 0x32, "\0\1a\0\1", 5, 9);
    add_packet(stream, first, "\0\3a/b\x12\x34", id ? 7 : 5, 300000);
    add_packet(stream, 0x32, "\0\1a\0\2", 5, LIMIT);
    size_t n = read_all(guard, stream, out, sizeof(out));
    /* The first one, the stand-in, the last one. */
    size_t body = (id ? 7U : 5U) + (v5 ? 1U : 0U) + 24U;
    assert_int_equal(n, 11 + 2 + body + 3 + LIMIT);
    const unsigned char *stand_in = out + 11;
    assert_int_equal(stand_in[0], first);
    assert_int_equal(stand_in[1], body);
    assert_memory_equal(stand_in + 2, "\0\3a/b\x12\x34", id ? 7 : 5);
    uint64_t size = 0;
    assert_true(frame_guard_stands_in(stand_in + 2 + body - 24, 24, &size));
    assert_int_equal(size, 300000);
    assert_memory_equal(stand_in + 2 + body, "\x32\xe8\x07\0\1a\0\2", 8);
    frame_guard_free(guard);
    free(stream);
}

static void test_a_publish_beyond_it_is_replaced_and_the_next_one_passes(void **state UNUSED)
{
    for (size_t piece = 0; piece < 4; piece++) {
        replace(true, 0x32, piece);
        replace(true, 0x3b, piece); /* DUP, retained */
        replace(true, 0x30, piece); /* QoS 0: no packet id */
        replace(false, 0x34, piece);
    }
}

static void test_any_other_packet_beyond_it_becomes_nonsense(void **state UNUSED)
{
    static const struct {
        unsigned char first;
        const char *start;
    } packets[] = { { 0x90, "\0\1" }, { 0xe0, "\0\1" }, { 0x32, "\xff\xff" } };
    for (size_t i = 0; i < N_ELEMENTS(packets); i++) {
        struct stream *stream = xcalloc(1, sizeof(*stream));
        struct frame_guard *guard = frame_guard_new(LIMIT, true);
        unsigned char out[16];
        add_packet(stream, packets[i].first, packets[i].start, 2, LIMIT + 1);
        ssize_t n = -1;
        while (n <= 0) {
            n = frame_guard_read(guard, out, 2, take, stream);
        }
        assert_int_equal(n, 2);
        assert_memory_equal(out, "\x10\0", 2);
        frame_guard_free(guard);
        free(stream);
    }
}

static void test_what_is_no_header_passes_for_the_library_to_judge(void **state UNUSED)
{
    unsigned char out[64];
    struct stream *stream = xcalloc(1, sizeof(*stream));
    struct frame_guard *guard = frame_guard_new(LIMIT, true);
    add(stream, "\x32\xff\xff\xff\xff\xffHTTP", 10);
    assert_int_equal(read_all(guard, stream, out, sizeof(out)), 10);
    assert_memory_equal(out, stream->bytes, 10);
    frame_guard_free(guard);
    free(stream);
}

static void test_no_other_payload_stands_in(void **state UNUSED)
{
    char zero[24] = "";
    uint64_t size = 0;
    assert_false(frame_guard_stands_in(zero, sizeof(zero), &size));
    assert_false(frame_guard_stands_in("", 0, &size));
}

int main(void)
{
    random_init(&chance);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets_within_the_limit_pass_untouched),
        cmocka_unit_test(test_a_publish_beyond_it_is_replaced_and_the_next_one_passes),
        cmocka_unit_test(test_any_other_packet_beyond_it_becomes_nonsense),
        cmocka_unit_test(test_what_is_no_header_passes_for_the_library_to_judge),
        cmocka_unit_test(test_no_other_payload_stands_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
