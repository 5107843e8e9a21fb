#include "fake_clock.h"

static int64_t wall_us(void *ctx)
{
    struct fake_clock *time = ctx;

    return time->wall_us;
}

static int64_t mono_us(void *ctx)
{
    struct fake_clock *time = ctx;

    return time->mono_us;
}

static void sleep_us(void *ctx, int64_t us)
{
    struct fake_clock *time = ctx;

    atomic_fetch_add(&time->slept_us, us);
    fake_clock_advance(time, us);
}

struct clock fake_clock(struct fake_clock *time)
{
    static const struct clock_ops ops = {wall_us, mono_us, sleep_us};

    return (struct clock){&ops, time};
}

void fake_clock_advance(struct fake_clock *time, int64_t us)
{
    atomic_fetch_add(&time->wall_us, us);
    atomic_fetch_add(&time->mono_us, us);
}
