#include "base/queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct queue {
    size_t cap_bytes;
    pthread_cond_t can_push;
    pthread_cond_t can_pop;
    pthread_mutex_t mutex; /* guards the fields below */
    struct queue_link *head;
    struct queue_link *tail;
    size_t bytes;
    bool closed;
};

struct queue *queue_new(size_t cap_bytes)
{
    struct queue *q = calloc(1, sizeof *q);

    if (q == NULL) {
        return NULL;
    }
    pthread_condattr_t attr;

    q->cap_bytes = cap_bytes == 0 ? 1 : cap_bytes;
    (void)pthread_mutex_init(&q->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&q->can_push, &attr);
    (void)pthread_cond_init(&q->can_pop, &attr);
    (void)pthread_condattr_destroy(&attr);
    return q;
}

void queue_free(struct queue *q)
{
    if (q != NULL) {
        (void)pthread_cond_destroy(&q->can_push);
        (void)pthread_cond_destroy(&q->can_pop);
        (void)pthread_mutex_destroy(&q->mutex);
        free(q);
    }
}

bool queue_push(struct queue *q, struct queue_link *msg, size_t bytes)
{
    (void)pthread_mutex_lock(&q->mutex);
    while (!q->closed && q->bytes >= q->cap_bytes) {
        (void)pthread_cond_wait(&q->can_push, &q->mutex);
    }
    bool open = !q->closed;

    if (open) {
        msg->next = NULL;
        msg->bytes = bytes;
        if (q->tail == NULL) {
            q->head = msg;
        } else {
            q->tail->next = msg;
        }
        q->tail = msg;
        q->bytes += bytes;
        (void)pthread_cond_signal(&q->can_pop);
    }
    (void)pthread_mutex_unlock(&q->mutex);
    return open;
}

static struct queue_link *take_head(struct queue *q)
{
    struct queue_link *msg = q->head;

    if (msg != NULL) {
        q->head = msg->next;
        if (q->head == NULL) {
            q->tail = NULL;
        }
        q->bytes -= msg->bytes;
        (void)pthread_cond_broadcast(&q->can_push);
    }
    return msg;
}

struct queue_link *queue_pop(struct queue *q)
{
    (void)pthread_mutex_lock(&q->mutex);
    while (q->head == NULL && !q->closed) {
        (void)pthread_cond_wait(&q->can_pop, &q->mutex);
    }
    struct queue_link *msg = take_head(q);

    (void)pthread_mutex_unlock(&q->mutex);
    return msg;
}

struct queue_link *queue_pop_timed(struct queue *q, int64_t timeout_us)
{
    struct timespec until;

    timeout_us = timeout_us < 0 ? 0 : timeout_us;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + timeout_us % 1000000 * 1000;
    until.tv_sec += (time_t)(timeout_us / 1000000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);

    (void)pthread_mutex_lock(&q->mutex);
    while (q->head == NULL && !q->closed) {
        if (pthread_cond_timedwait(&q->can_pop, &q->mutex, &until) != 0) {
            break;
        }
    }
    struct queue_link *msg = take_head(q);

    (void)pthread_mutex_unlock(&q->mutex);
    return msg;
}

void queue_close(struct queue *q)
{
    (void)pthread_mutex_lock(&q->mutex);
    q->closed = true;
    (void)pthread_cond_broadcast(&q->can_push);
    (void)pthread_cond_broadcast(&q->can_pop);
    (void)pthread_mutex_unlock(&q->mutex);
}

size_t queue_bytes(struct queue *q)
{
    (void)pthread_mutex_lock(&q->mutex);
    size_t bytes = q->bytes;

    (void)pthread_mutex_unlock(&q->mutex);
    return bytes;
}
