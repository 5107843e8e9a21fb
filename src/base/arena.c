#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define BLOCK_BYTES_MIN 4096u

struct arena_block {
    struct arena_block *next;
    size_t len;
    size_t cap;
    alignas(max_align_t) uint8_t data[];
};

static size_t ceiling(const struct arena *a)
{
    return a->cap_max == 0 ? (size_t)1 << 30 : a->cap_max;
}

void arena_init(struct arena *a, size_t cap_max)
{
    *a = (struct arena){.cap_max = cap_max};
}

void arena_deinit(struct arena *a)
{
    for (struct arena_block *b = a->head; b != NULL;) {
        struct arena_block *next = b->next;

        free(b);
        b = next;
    }
    *a = (struct arena){.cap_max = a->cap_max};
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = a->head;

    if (keep != NULL) {
        for (struct arena_block *b = keep->next; b != NULL;) {
            struct arena_block *next = b->next;

            free(b);
            b = next;
        }
        keep->next = NULL;
        keep->len = 0;
    }
    a->used = 0;
    a->over_cap = false;
}

void *arena_alloc(struct arena *a, size_t count, size_t size)
{
    size_t bytes;

    a->over_cap = false;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > ceiling(a) ||
        ceiling(a) - bytes < a->used) {
        a->over_cap = true;
        return NULL;
    }
    size_t align = alignof(max_align_t);
    size_t need = (bytes + align - 1) & ~(align - 1);

    if (a->head == NULL || a->head->cap - a->head->len < need) {
        size_t cap = a->head == NULL ? BLOCK_BYTES_MIN : a->head->cap * 2;

        if (cap > (size_t)1 << 20) {
            cap = (size_t)1 << 20;
        }
        if (cap < need) {
            cap = need;
        }
        struct arena_block *b = malloc(sizeof *b + cap);

        if (b == NULL) {
            return NULL;
        }
        b->next = a->head;
        b->len = 0;
        b->cap = cap;
        a->head = b;
    }
    void *p = a->head->data + a->head->len;

    a->head->len += need;
    a->used += need;
    memset(p, 0, need);
    return p;
}

char *arena_strndup(struct arena *a, const void *text, size_t len)
{
    char *p = arena_alloc(a, len + 1, 1);

    if (p != NULL && len > 0) {
        memcpy(p, text, len);
    }
    return p;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return arena_strndup(a, text, strlen(text));
}

enum err_code arena_fail(const struct arena *a, struct err *e, const char *what)
{
    if (a->over_cap) {
        return err_set(e, ERR_LIMIT, "%s needs more than its limit of %zu bytes", what, ceiling(a));
    }
    return err_set(e, ERR_NOMEM, "%s: out of memory", what);
}
