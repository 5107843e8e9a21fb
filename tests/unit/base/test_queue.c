#include "base/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "test.h"

struct message {
    struct queue_link link;
    unsigned producer;
    unsigned number;
};

static struct message *message(unsigned producer, unsigned number)
{
    struct message *m = calloc(1, sizeof *m);

    if (m != NULL) {
        m->producer = producer;
        m->number = number;
    }
    return m;
}

static unsigned pop_number(struct queue *q)
{
    struct message *m = (struct message *)queue_pop(q);

    assert_non_null(m);
    unsigned number = m->number;

    free(m);
    return number;
}

TEST(test_queue__keeps_order_and_counts_bytes)
{
    struct queue *q = queue_new(1000);

    assert_non_null(q);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(queue_push(q, &message(0, i)->link, 10 + i));
    }
    assert_u64_eq(queue_bytes(q), 33);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(pop_number(q), i);
    }
    assert_u64_eq(queue_bytes(q), 0);
    queue_free(q);
    queue_free(NULL);
}

TEST(test_queue__drains_after_it_was_closed)
{
    struct queue *q = queue_new(1000);
    struct message *late = message(0, 9);

    assert_true(queue_push(q, &message(0, 0)->link, 1));
    assert_true(queue_push(q, &message(0, 1)->link, 1));
    queue_close(q);
    queue_close(q);
    /* The message stays the caller's. */
    assert_false(queue_push(q, &late->link, 1));
    free(late);
    assert_int_equal(pop_number(q), 0);
    assert_int_equal(pop_number(q), 1);
    assert_null(queue_pop(q));
    assert_null(queue_pop(q));
    assert_null(queue_pop_timed(q, 60000000));
    queue_free(q);
}

TEST(test_queue__lets_one_message_pass_the_cap)
{
    struct queue *q = queue_new(10);

    assert_true(queue_push(q, &message(0, 0)->link, 9));
    assert_true(queue_push(q, &message(0, 1)->link, 1000000));
    assert_u64_eq(queue_bytes(q), 1000009);
    assert_int_equal(pop_number(q), 0);
    assert_int_equal(pop_number(q), 1);
    queue_free(q);
    /* A cap of nothing still lets one through at a time. */
    q = queue_new(0);
    assert_true(queue_push(q, &message(0, 2)->link, 5));
    assert_int_equal(pop_number(q), 2);
    queue_free(q);
}

TEST(test_queue__waits_no_longer_than_told)
{
    struct queue *q = queue_new(10);
    struct clock clock = clock_system();
    int64_t start_us = clock_mono_us(&clock);

    assert_null(queue_pop_timed(q, 30000));
    int64_t took_us = clock_mono_us(&clock) - start_us;

    assert_true(took_us >= 29000);
    assert_true(took_us < 5000000);
    assert_null(queue_pop_timed(q, 0));
    assert_null(queue_pop_timed(q, -5));
    assert_true(queue_push(q, &message(0, 0)->link, 1));
    struct queue_link *m = queue_pop_timed(q, 0);

    assert_non_null(m);
    free(m);
    queue_free(q);
}

/* A thread that waits in push or pop; what came of it. */
struct waiter {
    struct queue *q;
    struct message *push;
    bool timed;
    _Atomic bool started;
    bool pushed;
    struct queue_link *popped;
};

static void *wait_in_push(void *arg)
{
    struct waiter *w = arg;

    atomic_store(&w->started, true);
    w->pushed = queue_push(w->q, &w->push->link, 1);
    return NULL;
}

static void *wait_in_pop(void *arg)
{
    struct waiter *w = arg;

    atomic_store(&w->started, true);
    w->popped = w->timed ? queue_pop_timed(w->q, 60000000) : queue_pop(w->q);
    return NULL;
}

static void start(pthread_t *thread, void *(*body)(void *), struct waiter *w)
{
    struct clock clock = clock_system();

    assert_int_equal(pthread_create(thread, NULL, body, w), 0);
    while (!atomic_load(&w->started)) {
        clock_sleep_us(&clock, 100);
    }
    /* Long enough that it is most likely in its wait; the outcome is the same if it is not. */
    clock_sleep_us(&clock, 5000);
}

TEST(test_queue__push_waits_for_room)
{
    struct queue *q = queue_new(2);
    struct waiter w = {.q = q, .push = message(0, 2)};
    pthread_t thread;

    assert_true(queue_push(q, &message(0, 0)->link, 1));
    assert_true(queue_push(q, &message(0, 1)->link, 1));
    start(&thread, wait_in_push, &w);
    assert_u64_eq(queue_bytes(q), 2);
    assert_int_equal(pop_number(q), 0);
    (void)pthread_join(thread, NULL);
    assert_true(w.pushed);
    assert_int_equal(pop_number(q), 1);
    assert_int_equal(pop_number(q), 2);
    queue_free(q);
}

TEST(test_queue__close_wakes_who_waits)
{
    struct queue *full = queue_new(1);
    struct queue *empty = queue_new(1);
    struct waiter push = {.q = full, .push = message(0, 1)};
    struct waiter pop = {.q = empty};
    struct waiter timed = {.q = empty, .timed = true};
    pthread_t threads[3];

    assert_true(queue_push(full, &message(0, 0)->link, 1));
    start(&threads[0], wait_in_push, &push);
    start(&threads[1], wait_in_pop, &pop);
    start(&threads[2], wait_in_pop, &timed);
    queue_close(full);
    queue_close(empty);
    for (int i = 0; i < 3; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    assert_false(push.pushed);
    free(push.push);
    assert_null(pop.popped);
    assert_null(timed.popped);
    assert_int_equal(pop_number(full), 0);
    queue_free(full);
    queue_free(empty);
}

TEST(test_queue__push_wakes_a_timed_pop)
{
    struct queue *q = queue_new(1);
    struct waiter w = {.q = q, .timed = true};
    pthread_t thread;

    start(&thread, wait_in_pop, &w);
    assert_true(queue_push(q, &message(0, 7)->link, 1));
    (void)pthread_join(thread, NULL);
    assert_non_null(w.popped);
    assert_int_equal(((struct message *)w.popped)->number, 7);
    free(w.popped);
    queue_free(q);
}

enum { PRODUCERS = 2, CONSUMERS = 2, MESSAGES = 5000, CAP_BYTES = 500, MESSAGE_BYTES_MAX = 64 };

struct party {
    struct queue *q;
    unsigned number;
    unsigned count;        /* consumers: messages popped */
    unsigned out_of_order; /* consumers: messages of one producer that came back to front */
    size_t most_bytes;
    uint8_t *seen; /* [PRODUCERS * MESSAGES], one writer per cell */
};

static void *produce(void *arg)
{
    struct party *p = arg;

    for (unsigned i = 0; i < MESSAGES; i++) {
        struct message *m = message(p->number, i);

        if (m == NULL || !queue_push(p->q, &m->link, i % MESSAGE_BYTES_MAX + 1)) {
            free(m);
            return NULL;
        }
        p->count++;
    }
    return NULL;
}

static void *consume(void *arg)
{
    struct party *p = arg;
    unsigned next[PRODUCERS] = {0};
    struct queue_link *link;

    while ((link = p->count % 3 == 0 ? queue_pop(p->q) : queue_pop_timed(p->q, 60000000)) != NULL) {
        struct message *m = (struct message *)link;
        size_t bytes = queue_bytes(p->q);

        p->most_bytes = bytes > p->most_bytes ? bytes : p->most_bytes;
        p->out_of_order += m->number < next[m->producer] ? 1 : 0;
        next[m->producer] = m->number + 1;
        p->seen[m->producer * MESSAGES + m->number]++;
        p->count++;
        free(m);
    }
    return NULL;
}

TEST(test_queue__hands_each_message_to_one_of_many_threads)
{
    struct queue *q = queue_new(CAP_BYTES);
    uint8_t *seen = calloc(PRODUCERS * MESSAGES, 1);
    struct party parties[PRODUCERS + CONSUMERS];
    pthread_t threads[PRODUCERS + CONSUMERS];
    unsigned popped = 0;

    assert_non_null(q);
    assert_non_null(seen);
    for (unsigned i = 0; i < PRODUCERS + CONSUMERS; i++) {
        parties[i] = (struct party){.q = q, .number = i, .seen = seen};
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < PRODUCERS ? produce : consume, &parties[i]), 0);
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(parties[i].count, MESSAGES);
    }
    queue_close(q);
    for (unsigned i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++) {
        (void)pthread_join(threads[i], NULL);
        popped += parties[i].count;
        assert_int_equal(parties[i].out_of_order, 0);
        assert_true(parties[i].most_bytes < CAP_BYTES + MESSAGE_BYTES_MAX);
    }
    assert_int_equal(popped, PRODUCERS * MESSAGES);
    for (size_t i = 0; i < PRODUCERS * MESSAGES; i++) {
        assert_int_equal(seen[i], 1);
    }
    assert_u64_eq(queue_bytes(q), 0);
    free(seen);
    queue_free(q);
}

TEST(test_queue__survives_lack_of_memory)
{
    torture_fail_at(1);
    struct queue *q = queue_new(1);

    torture_fail_at(0);
    assert_null(q);
}

TEST_MAIN(test_case(test_queue__keeps_order_and_counts_bytes),
          test_case(test_queue__drains_after_it_was_closed),
          test_case(test_queue__lets_one_message_pass_the_cap),
          test_case(test_queue__waits_no_longer_than_told),
          test_case(test_queue__push_waits_for_room), test_case(test_queue__close_wakes_who_waits),
          test_case(test_queue__push_wakes_a_timed_pop),
          test_case(test_queue__hands_each_message_to_one_of_many_threads),
          test_case(test_queue__survives_lack_of_memory))
