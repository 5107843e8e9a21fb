/*
 * clock.h - time through a handle, so that a test can hold it still.
 *
 * Thread: any.
 */
#ifndef CALVE_BASE_CLOCK_H
#define CALVE_BASE_CLOCK_H

#include <stdint.h>

struct clock_ops {
    int64_t (*wall_us)(void *ctx); /* microseconds since the epoch, UTC */
    int64_t (*mono_us)(void *ctx); /* microseconds that never go back */
    void (*sleep_us)(void *ctx, int64_t us);
};

struct clock {
    const struct clock_ops *ops;
    void *ctx;
};

/* The machine's clocks. */
struct clock clock_system(void);

static inline int64_t clock_wall_us(const struct clock *c)
{
    return c->ops->wall_us(c->ctx);
}

static inline int64_t clock_mono_us(const struct clock *c)
{
    return c->ops->mono_us(c->ctx);
}

static inline void clock_sleep_us(const struct clock *c, int64_t us)
{
    c->ops->sleep_us(c->ctx, us);
}

#endif
