/*
 * buf.h - a growing byte buffer born with a ceiling.
 *
 * A write that would pass cap_max, or that gets no memory, does nothing and makes the buffer fail
 * for good, so an encoder writes without looking and asks once at the end with buf_check(). A
 * zeroed struct is an empty buffer with the default ceiling; buf_deinit() of it is safe.
 *
 * Owns:   its bytes. Pointers into it are valid until the next write.
 * Thread: one at a time.
 */
#ifndef CALVE_BASE_BUF_H
#define CALVE_BASE_BUF_H

#include "base/bytes.h"
#include "base/err.h"

#define BUF_CAP_MAX_DEFAULT ((size_t)1 << 30)

struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t cap_max; /* 0 means BUF_CAP_MAX_DEFAULT */
    enum err_code failed;
};

void buf_init(struct buf *b, size_t cap_max);
void buf_deinit(struct buf *b);

/* Empty again, failure forgotten, memory kept. */
static inline void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = ERR_OK;
}

/* Empty again, and memory above keep_bytes given back. */
void buf_shrink(struct buf *b, size_t keep_bytes);

static inline struct span buf_span(const struct buf *b)
{
    return (struct span){b->data, b->len};
}

/* ERR_OK, or the first failure of a write: ERR_NOMEM or ERR_LIMIT. `what` names the content. */
MUST_USE enum err_code buf_check(const struct buf *b, struct err *e, const char *what);

/* Slow path of buf_reserve. */
bool buf_grow(struct buf *b, size_t more);

/*
 * Room for `more` bytes after len; returns where to write, or NULL when the buffer has failed. The
 * caller then adds what it wrote to len.
 */
static inline uint8_t *buf_reserve(struct buf *b, size_t more)
{
    if (b->failed != ERR_OK || (b->cap - b->len < more && !buf_grow(b, more))) {
        return NULL;
    }
    return b->data + b->len;
}

static inline void buf_append(struct buf *b, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    uint8_t *p = buf_reserve(b, len);

    if (p != NULL) {
        memcpy(p, data, len);
        b->len += len;
    }
}

static inline void buf_append_span(struct buf *b, struct span s)
{
    buf_append(b, s.data, s.len);
}

static inline void buf_append_str(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

static inline void buf_u8(struct buf *b, uint8_t v)
{
    uint8_t *p = buf_reserve(b, 1);

    if (p != NULL) {
        *p = v;
        b->len++;
    }
}

static inline void buf_u16le(struct buf *b, uint16_t v)
{
    buf_append(b, &v, sizeof v);
}

static inline void buf_u32le(struct buf *b, uint32_t v)
{
    buf_append(b, &v, sizeof v);
}

static inline void buf_u64le(struct buf *b, uint64_t v)
{
    buf_append(b, &v, sizeof v);
}

void buf_zeros(struct buf *b, size_t len);
void buf_varint(struct buf *b, uint64_t v); /* LEB128 */
void buf_zigzag(struct buf *b, int64_t v);  /* LEB128 with zigzag */
void buf_lenenc(struct buf *b, uint64_t v); /* MySQL's length-encoded integer */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A terminating NUL that does not count in len; NULL when the buffer has failed. */
const char *buf_cstr(struct buf *b);

/* Hands the bytes over; free() them. The buffer is empty afterwards. */
uint8_t *buf_take(struct buf *b, size_t *len);
/* The same as a text; NULL when the buffer has failed, which frees what it holds. */
char *buf_take_text(struct buf *b);

#endif
