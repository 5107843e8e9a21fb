/*
 * fake_clock.h - a clock that stands still until a test moves it; sleeping moves it.
 *
 *   struct fake_clock time = {.wall_us = 1700000000000000};
 *   struct clock clock = fake_clock(&time);
 *
 * Thread: any.
 */
#ifndef CALVE_FAKE_CLOCK_H
#define CALVE_FAKE_CLOCK_H

#include <stdatomic.h>

#include "base/clock.h"

struct fake_clock {
    _Atomic int64_t wall_us;
    _Atomic int64_t mono_us;
    _Atomic int64_t slept_us; /* by clock_sleep_us, in total */
};

/* A handle on it; time must outlive the handle. */
struct clock fake_clock(struct fake_clock *time);

/* Both clocks go on. */
void fake_clock_advance(struct fake_clock *time, int64_t us);

#endif
