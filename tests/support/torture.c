#include "torture.h"

#include <stdatomic.h>
#include <stddef.h>

/* Atomic, for code under test that has threads. */
static _Atomic unsigned long countdown;
static _Atomic bool hit;
static _Thread_local bool spared;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

void torture_fail_at(unsigned long nth)
{
    countdown = nth;
    if (nth != 0) {
        hit = false;
    }
}

void torture_spare_thread(void)
{
    spared = true;
}

bool torture_hit(void)
{
    return hit;
}

static bool fails(void)
{
    unsigned long left = spared ? 0 : countdown;

    while (left != 0 && !atomic_compare_exchange_weak(&countdown, &left, left - 1)) {
    }
    if (left != 1) {
        return false;
    }
    hit = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}
