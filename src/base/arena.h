/*
 * arena.h - memory that is given back all at once.
 *
 * Name arenas by lifetime: scratch, batch, schema. Each has a cap; reaching it makes arena_alloc()
 * return NULL, which the caller reports as ERR_LIMIT or ERR_NOMEM by arena_fail().
 *
 * Thread: one at a time.
 */
#ifndef CALVE_BASE_ARENA_H
#define CALVE_BASE_ARENA_H

#include "base/bytes.h"
#include "base/err.h"

struct arena_block;

struct arena {
    struct arena_block *head;
    size_t used;    /* bytes handed out since the last reset */
    size_t cap_max; /* 0 means 1 GiB */
    bool over_cap;  /* the last failure was the cap, not the system */
};

void arena_init(struct arena *a, size_t cap_max);
void arena_deinit(struct arena *a);

/* Gives everything back and keeps one block for the next round. */
void arena_reset(struct arena *a);

/* count * size bytes, zeroed, aligned for any type; NULL on overflow, cap or lack of memory. */
void *arena_alloc(struct arena *a, size_t count, size_t size);

/* A copy with a terminating NUL; NULL as arena_alloc. */
char *arena_strdup(struct arena *a, const char *text);
char *arena_strndup(struct arena *a, const void *text, size_t len);

/* Turns a NULL of arena_alloc into an error. */
enum err_code arena_fail(const struct arena *a, struct err *e, const char *what);

#endif
