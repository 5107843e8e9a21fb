#include "base/rand.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

__extension__ typedef unsigned __int128 u128;

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void rand_seed(struct rand *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        r->state[i] = splitmix(&seed);
    }
}

void rand_init(struct rand *r)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_REALTIME, &ts);
        seed = ((uint64_t)ts.tv_sec << 32) ^ (uint64_t)ts.tv_nsec ^ ((uint64_t)getpid() << 16);
    }
    rand_seed(r, seed);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t rand_u64(struct rand *r)
{
    uint64_t *s = r->state;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t rand_below(struct rand *r, uint64_t below)
{
    return below == 0 ? 0 : (uint64_t)(((u128)rand_u64(r) * below) >> 64);
}

void rand_uuid(struct rand *r, char out[UUID_TEXT_BYTES])
{
    uint64_t hi = (rand_u64(r) & ~(uint64_t)0xf000) | 0x4000;
    uint64_t lo = (rand_u64(r) & ~((uint64_t)3 << 62)) | ((uint64_t)2 << 62);

    (void)snprintf(out, UUID_TEXT_BYTES, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(hi >> 32),
                   (unsigned)(hi >> 16) & 0xffff, (unsigned)hi & 0xffff, (unsigned)(lo >> 48),
                   (unsigned long long)(lo & 0xffffffffffff));
}
