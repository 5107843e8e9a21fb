#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

static size_t ceiling(const struct buf *b)
{
    return b->cap_max == 0 ? BUF_CAP_MAX_DEFAULT : b->cap_max;
}

void buf_init(struct buf *b, size_t cap_max)
{
    *b = (struct buf){.cap_max = cap_max};
}

void buf_deinit(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.cap_max = b->cap_max};
}

void buf_shrink(struct buf *b, size_t keep_bytes)
{
    buf_reset(b);
    if (b->cap > keep_bytes) {
        free(b->data);
        b->data = NULL;
        b->cap = 0;
    }
}

enum err_code buf_check(const struct buf *b, struct err *e, const char *what)
{
    if (b->failed == ERR_LIMIT) {
        return err_set(e, ERR_LIMIT, "%s is larger than its limit of %zu bytes", what, ceiling(b));
    }
    if (b->failed != ERR_OK) {
        return err_set(e, b->failed, "%s: out of memory", what);
    }
    return ERR_OK;
}

bool buf_grow(struct buf *b, size_t more)
{
    size_t max = ceiling(b);

    if (b->len > max || more > max - b->len) {
        b->failed = ERR_LIMIT;
        return false;
    }
    size_t need = b->len + more;
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < need) {
        cap = cap > max / 2 ? max : cap * 2;
    }
    if (cap > max) {
        cap = max;
    }
    uint8_t *data = realloc(b->data, cap);
    if (data == NULL) {
        b->failed = ERR_NOMEM;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_zeros(struct buf *b, size_t len)
{
    if (len == 0) {
        return;
    }
    uint8_t *p = buf_reserve(b, len);

    if (p != NULL) {
        memset(p, 0, len);
        b->len += len;
    }
}

void buf_varint(struct buf *b, uint64_t v)
{
    uint8_t *p = buf_reserve(b, 10);

    if (p == NULL) {
        return;
    }
    size_t n = 0;
    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    b->len += n;
}

void buf_zigzag(struct buf *b, int64_t v)
{
    buf_varint(b, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

void buf_lenenc(struct buf *b, uint64_t v)
{
    if (v < 0xfb) {
        buf_u8(b, (uint8_t)v);
    } else if (v <= 0xffff) {
        buf_u8(b, 0xfc);
        buf_u16le(b, (uint16_t)v);
    } else if (v <= 0xffffff) {
        buf_u8(b, 0xfd);
        buf_append(b, &v, 3);
    } else {
        buf_u8(b, 0xfe);
        buf_u64le(b, v);
    }
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_list again;

    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len >= 0) {
        uint8_t *p = buf_reserve(b, (size_t)len + 1);

        if (p != NULL) {
            (void)vsnprintf((char *)p, (size_t)len + 1, fmt, again);
            b->len += (size_t)len;
        }
    } else {
        b->failed = ERR_NOMEM;
    }
    va_end(again);
}

const char *buf_cstr(struct buf *b)
{
    uint8_t *p = buf_reserve(b, 1);

    if (p == NULL) {
        return NULL;
    }
    *p = '\0';
    return (const char *)b->data;
}

uint8_t *buf_take(struct buf *b, size_t *len)
{
    uint8_t *data = b->data;

    *len = b->len;
    *b = (struct buf){.cap_max = b->cap_max};
    return data;
}

char *buf_take_text(struct buf *b)
{
    size_t len;

    if (buf_cstr(b) == NULL) {
        buf_deinit(b);
        return NULL;
    }
    return (char *)buf_take(b, &len);
}
