/*
 * rand.h - randomness through a handle: ids, jitter. A test seeds it.
 *
 * Not for secrets. Thread: one at a time.
 */
#ifndef CALVE_BASE_RAND_H
#define CALVE_BASE_RAND_H

#include <stdint.h>

#define UUID_TEXT_BYTES 37u /* 36 characters and a NUL */

struct rand {
    uint64_t state[4]; /* xoshiro256** */
};

void rand_seed(struct rand *r, uint64_t seed);

/* Seeds from the operating system. */
void rand_init(struct rand *r);

uint64_t rand_u64(struct rand *r);

/* 0 <= result < below; 0 when below is 0. */
uint64_t rand_below(struct rand *r, uint64_t below);

/* A random (version 4) UUID in lower-case text. */
void rand_uuid(struct rand *r, char out[UUID_TEXT_BYTES]);

#endif
