/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the op queue: bounds, eventfd, deadlines, and several senders. */
#include <poll.h>
#include <stdatomic.h>

#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/base/queue.h"
#include "worker/base/thread.h"

struct op {
    struct list link;
    unsigned sender;
    unsigned number;
};

static bool readable(const struct queue *queue)
{
    struct pollfd poll_fd = { .fd = queue_fd(queue), .events = POLLIN };
    return poll(&poll_fd, 1, 0) == 1;
}

static unsigned pop_number(struct queue *queue, uint64_t deadline_ms)
{
    struct list *node = queue_pop(queue, deadline_ms);
    assert_non_null(node);
    return CONTAINER_OF(node, struct op, link)->number;
}

static void test_queue_pop_is_first_in_first_out(void **state UNUSED)
{
    struct queue queue;
    struct op ops[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
    queue_init(&queue, 0, false);
    assert_int_equal(queue_fd(&queue), -1);
    assert_null(queue_pop(&queue, 0));
    for (int i = 0; i < 3; i++) {
        assert_true(queue_push(&queue, &ops[i].link));
    }
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(pop_number(&queue, 0), i);
    }
    assert_null(queue_pop(&queue, 0));
    queue_fini(&queue);
}

static void test_queue_push_refuses_when_full_and_takes_again_after_pop(void **state UNUSED)
{
    struct queue queue;
    struct op ops[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
    queue_init(&queue, 2, false);
    assert_true(queue_push(&queue, &ops[0].link));
    assert_true(queue_push(&queue, &ops[1].link));
    assert_false(queue_push(&queue, &ops[2].link));
    assert_int_equal(pop_number(&queue, 0), 1);
    assert_true(queue_push(&queue, &ops[2].link));
    assert_int_equal(pop_number(&queue, 0), 2);
    assert_int_equal(pop_number(&queue, 0), 3);
    queue_fini(&queue);
}

static void test_queue_eventfd_is_readable_exactly_while_ops_wait(void **state UNUSED)
{
    struct queue queue;
    struct op ops[2] = { { .number = 1 }, { .number = 2 } };
    queue_init(&queue, 1, true);
    for (int round = 0; round < 3; round++) {
        assert_false(readable(&queue));
        assert_true(queue_push(&queue, &ops[0].link));
        assert_true(readable(&queue));
        assert_false(queue_push(&queue, &ops[1].link));
        assert_true(readable(&queue));
        assert_int_equal(pop_number(&queue, 0), 1);
        assert_false(readable(&queue));
        assert_null(queue_pop(&queue, 0));
        assert_false(readable(&queue));
    }
    queue_fini(&queue);
}

static void test_queue_eventfd_stays_readable_until_the_last_op_is_out(void **state UNUSED)
{
    struct queue queue;
    struct op ops[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
    queue_init(&queue, 0, true);
    for (int i = 0; i < 3; i++) {
        assert_true(queue_push(&queue, &ops[i].link));
    }
    for (unsigned i = 1; i <= 3; i++) {
        assert_true(readable(&queue));
        assert_int_equal(pop_number(&queue, 0), i);
    }
    assert_false(readable(&queue));
    queue_fini(&queue);
}

static void test_queue_close_refuses_pushes_and_keeps_what_is_in(void **state UNUSED)
{
    struct queue queue;
    struct op ops[2] = { { .number = 1 }, { .number = 2 } };
    queue_init(&queue, 0, true);
    assert_true(queue_push(&queue, &ops[0].link));
    queue_close(&queue);
    queue_close(&queue);
    assert_false(queue_push(&queue, &ops[1].link));
    assert_int_equal(pop_number(&queue, UINT64_MAX), 1);
    assert_null(queue_pop(&queue, UINT64_MAX));
    assert_true(readable(&queue));
    queue_fini(&queue);
}

static void test_queue_pop_returns_at_its_deadline(void **state UNUSED)
{
    struct queue queue;
    queue_init(&queue, 0, false);
    uint64_t deadline = clock_mono_ms() + 30;
    assert_null(queue_pop(&queue, deadline));
    assert_true(clock_mono_ms() >= deadline);
    assert_null(queue_pop(&queue, 1));
    queue_fini(&queue);
}

static void test_queue_pop_takes_a_waiting_op_when_the_deadline_has_passed(void **state UNUSED)
{
    struct queue queue;
    struct op op = { .number = 7 };
    queue_init(&queue, 0, false);
    assert_true(queue_push(&queue, &op.link));
    assert_int_equal(pop_number(&queue, 1), 7);
    queue_fini(&queue);
}

static void *close_main(void *arg)
{
    queue_close(arg);
    return NULL;
}

static void test_queue_close_wakes_a_receiver_that_waits_for_ever(void **state UNUSED)
{
    struct queue queue;
    struct thread thread;
    queue_init(&queue, 0, false);
    thread_start(&thread, "closer", close_main, &queue);
    assert_null(queue_pop(&queue, UINT64_MAX));
    thread_join(&thread);
    queue_fini(&queue);
}

enum {
    N_SENDERS = 4,
    N_OPS = 5000,
    BOUND = 64
};

struct sender {
    struct queue *queue;
    struct thread thread;
    unsigned id;
    struct op *ops;
    atomic_uint n_refused;
};

/* The bound makes pushes fail now and then; the sender tries again. */
static void *sender_main(void *arg)
{
    struct sender *sender = arg;
    for (unsigned i = 0; i < N_OPS; i++) {
        sender->ops[i] = (struct op){ .sender = sender->id, .number = i };
        while (!queue_push(sender->queue, &sender->ops[i].link)) {
            sender->n_refused++;
        }
    }
    return NULL;
}

static void test_queue_keeps_each_senders_order_and_loses_nothing(void **state UNUSED)
{
    struct queue queue;
    struct sender senders[N_SENDERS];
    unsigned next[N_SENDERS] = { 0 };
    queue_init(&queue, BOUND, true);
    for (unsigned i = 0; i < N_SENDERS; i++) {
        senders[i] = (struct sender){ .queue = &queue, .id = i };
        senders[i].ops = xcalloc(N_OPS, sizeof(struct op));
        thread_start(&senders[i].thread, "sender", sender_main, &senders[i]);
    }
    unsigned n_disordered = 0;
    unsigned n_unseen = 0;
    for (unsigned n = 0; n < N_SENDERS * N_OPS; n++) {
        /* Either way of waiting must see every op. */
        struct list *node = NULL;
        if (n % 2 == 0) {
            struct pollfd poll_fd = { .fd = queue_fd(&queue), .events = POLLIN };
            n_unseen += poll(&poll_fd, 1, 30000) != 1;
            node = queue_pop(&queue, 0);
        } else {
            node = queue_pop(&queue, clock_mono_ms() + 30000);
        }
        if (!node) {
            n_unseen++;
            break;
        }
        struct op *op = CONTAINER_OF(node, struct op, link);
        n_disordered += op->number != next[op->sender]++;
    }
    for (unsigned i = 0; i < N_SENDERS; i++) {
        thread_join(&senders[i].thread);
        free(senders[i].ops);
    }
    assert_int_equal(n_unseen, 0);
    assert_int_equal(n_disordered, 0);
    assert_false(readable(&queue));
    queue_fini(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_pop_is_first_in_first_out),
        cmocka_unit_test(test_queue_push_refuses_when_full_and_takes_again_after_pop),
        cmocka_unit_test(test_queue_eventfd_is_readable_exactly_while_ops_wait),
        cmocka_unit_test(test_queue_eventfd_stays_readable_until_the_last_op_is_out),
        cmocka_unit_test(test_queue_close_refuses_pushes_and_keeps_what_is_in),
        cmocka_unit_test(test_queue_pop_returns_at_its_deadline),
        cmocka_unit_test(test_queue_pop_takes_a_waiting_op_when_the_deadline_has_passed),
        cmocka_unit_test(test_queue_close_wakes_a_receiver_that_waits_for_ever),
        cmocka_unit_test(test_queue_keeps_each_senders_order_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
