/*
 * retry.h - how long to wait before the next try: doubling, capped, with full jitter.
 *
 * Thread: one at a time.
 */
#ifndef CALVE_BASE_RETRY_H
#define CALVE_BASE_RETRY_H

#include "base/rand.h"

#include <stdint.h>

struct retry {
    int64_t min_us;
    int64_t max_us;
    unsigned tries; /* so far */
};

/* The wait before the next try, between min_us and the current ceiling; counts the try. A max_us
 * below min_us counts as min_us. */
static inline int64_t retry_next_us(struct retry *r, struct rand *rand)
{
    int64_t ceiling_us = r->min_us;

    for (unsigned i = 0; i < r->tries && ceiling_us < r->max_us; i++) {
        ceiling_us *= 2;
    }
    if (ceiling_us > r->max_us) {
        ceiling_us = r->max_us;
    }
    if (ceiling_us < r->min_us) {
        ceiling_us = r->min_us;
    }
    r->tries++;
    return r->min_us + (int64_t)rand_below(rand, (uint64_t)(ceiling_us - r->min_us) + 1);
}

static inline void retry_reset(struct retry *r)
{
    r->tries = 0;
}

#endif
