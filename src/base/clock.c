#include "base/clock.h"

#include <errno.h>
#include <time.h>

static int64_t now_us(clockid_t id)
{
    struct timespec ts;

    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t system_wall_us(void *ctx)
{
    (void)ctx;
    return now_us(CLOCK_REALTIME);
}

static int64_t system_mono_us(void *ctx)
{
    (void)ctx;
    return now_us(CLOCK_MONOTONIC);
}

static void system_sleep_us(void *ctx, int64_t us)
{
    struct timespec left = {.tv_sec = us / 1000000, .tv_nsec = (us % 1000000) * 1000};

    (void)ctx;
    while (us > 0 && nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

struct clock clock_system(void)
{
    static const struct clock_ops ops = {system_wall_us, system_mono_us, system_sleep_us};

    return (struct clock){&ops, NULL};
}
