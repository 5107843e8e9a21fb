/*
 * queue.h - a bounded first-in, first-out queue of messages between threads, counted in bytes.
 *
 * A push waits while the queue holds cap_bytes or more; one message may pass the cap, so that a
 * message larger than the cap still gets through. After queue_close() pushes fail and pops drain
 * what is left.
 *
 * Owns:   nothing but its list; a message belongs to whoever popped it.
 * Thread: any, several at each end.
 */
#ifndef CALVE_BASE_QUEUE_H
#define CALVE_BASE_QUEUE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct queue;

/* Embed it in a message as the first member. */
struct queue_link {
    struct queue_link *next;
    size_t bytes;
};

/* NULL when there is no memory. */
struct queue *queue_new(size_t cap_bytes);

/* The queue must be empty, or its messages are lost. NULL is fine. */
void queue_free(struct queue *q);

/* False (and the message is still the caller's) when the queue is closed. */
MUST_USE bool queue_push(struct queue *q, struct queue_link *msg, size_t bytes);

/* The oldest message; waits for one. NULL when the queue is closed and empty. */
struct queue_link *queue_pop(struct queue *q);

/* As queue_pop, and NULL too when nothing came in timeout_us. */
struct queue_link *queue_pop_timed(struct queue *q, int64_t timeout_us);

/* Wakes everybody. Idempotent. */
void queue_close(struct queue *q);

/* Bytes waiting now. */
size_t queue_bytes(struct queue *q);

#endif
