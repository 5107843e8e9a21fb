/*
 * bytes.h - reading bytes from outside: a span, and a reader that cannot leave it.
 *
 * A read past the end returns zero (or an empty span) and makes the reader fail for good, so a run
 * of fixed fields needs one check. Check with bytes_failed() before a value steers a loop, a switch
 * or an allocation. This is the only place that does pointer arithmetic on input.
 *
 * Thread: any; a reader belongs to one.
 */
#ifndef CALVE_BASE_BYTES_H
#define CALVE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that belong to somebody else. data may be NULL when len is 0. */
struct span {
    const uint8_t *data;
    size_t len;
};

struct bytes_reader {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct span span_of(const void *data, size_t len)
{
    return (struct span){(const uint8_t *)data, len};
}

static inline struct span span_str(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool span_eq_str(struct span a, const char *text)
{
    return span_eq(a, span_str(text));
}

static inline void bytes_reader_init(struct bytes_reader *r, struct span in)
{
    static const uint8_t nothing[1] = {0};

    r->start = in.len == 0 ? nothing : in.data;
    r->at = r->start;
    r->end = r->start + in.len;
    r->failed = false;
}

static inline size_t bytes_left(const struct bytes_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* Bytes consumed since init. */
static inline size_t bytes_offset(const struct bytes_reader *r)
{
    return (size_t)(r->at - r->start);
}

static inline bool bytes_failed(const struct bytes_reader *r)
{
    return r->failed;
}

static inline void bytes_fail(struct bytes_reader *r)
{
    r->failed = true;
    r->at = r->end;
}

/* The next len bytes in place, valid as long as the input is; NULL (and failure) when there are
 * fewer. */
static inline const uint8_t *bytes_take(struct bytes_reader *r, size_t len)
{
    if (len > bytes_left(r)) {
        bytes_fail(r);
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += len;
    return p;
}

static inline void bytes_skip(struct bytes_reader *r, size_t len)
{
    (void)bytes_take(r, len);
}

static inline struct span bytes_span(struct bytes_reader *r, size_t len)
{
    const uint8_t *p = bytes_take(r, len);

    return p == NULL ? (struct span){NULL, 0} : (struct span){p, len};
}

/* Everything that is left. */
static inline struct span bytes_rest(struct bytes_reader *r)
{
    return bytes_span(r, bytes_left(r));
}

/* A reader over the next len bytes; it has failed already when there are fewer. */
static inline struct bytes_reader bytes_sub(struct bytes_reader *r, size_t len)
{
    struct bytes_reader sub;
    struct span s = bytes_span(r, len);

    bytes_reader_init(&sub, s);
    if (r->failed) {
        bytes_fail(&sub);
    }
    return sub;
}

static inline uint8_t bytes_u8(struct bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 1);

    return p == NULL ? 0 : p[0];
}

/* Little-endian, width 1 to 8 bytes. */
static inline uint64_t bytes_uint_le(struct bytes_reader *r, size_t width)
{
    const uint8_t *p = bytes_take(r, width);
    uint64_t v = 0;

    if (p != NULL) {
        for (size_t i = width; i > 0; i--) {
            v = (v << 8) | p[i - 1];
        }
    }
    return v;
}

/* Big-endian, width 1 to 8 bytes. */
static inline uint64_t bytes_uint_be(struct bytes_reader *r, size_t width)
{
    const uint8_t *p = bytes_take(r, width);
    uint64_t v = 0;

    if (p != NULL) {
        for (size_t i = 0; i < width; i++) {
            v = (v << 8) | p[i];
        }
    }
    return v;
}

static inline uint16_t bytes_u16le(struct bytes_reader *r)
{
    return (uint16_t)bytes_uint_le(r, 2);
}

static inline uint32_t bytes_u24le(struct bytes_reader *r)
{
    return (uint32_t)bytes_uint_le(r, 3);
}

static inline uint32_t bytes_u32le(struct bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 4);
    uint32_t v = 0;

    if (p != NULL) {
        memcpy(&v, p, sizeof v);
    }
    return v;
}

static inline uint64_t bytes_u48le(struct bytes_reader *r)
{
    return bytes_uint_le(r, 6);
}

static inline uint64_t bytes_u64le(struct bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 8);
    uint64_t v = 0;

    if (p != NULL) {
        memcpy(&v, p, sizeof v);
    }
    return v;
}

/*
 * MySQL's length-encoded integer: one byte below 251, or 0xfc + 2, 0xfd + 3, 0xfe + 8 bytes.
 * 0xfb (NULL in result sets) and 0xff are failures here.
 */
uint64_t bytes_lenenc(struct bytes_reader *r);

/* A length-encoded string: lenenc length, then the bytes. */
struct span bytes_lenenc_span(struct bytes_reader *r);

/* LEB128, at most 10 bytes. */
uint64_t bytes_varint(struct bytes_reader *r);

/* LEB128 with zigzag. */
int64_t bytes_zigzag(struct bytes_reader *r);

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "calve runs on little-endian machines");

#endif
