#include "torture.h"

#include <stddef.h>

static unsigned long countdown;
static bool hit;

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

bool torture_hit(void)
{
    return hit;
}

static bool fails(void)
{
    if (countdown != 0 && --countdown == 0) {
        hit = true;
        return true;
    }
    return false;
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
