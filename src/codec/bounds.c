#include "codec/bounds.h"

static bool is_tail(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

size_t bounds_prefix_points(struct span text, size_t max_points)
{
    size_t points = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (!is_tail(text.data[i]) && points++ == max_points) {
            return i;
        }
    }
    return text.len;
}

size_t bounds_prefix_bytes(struct span text, size_t max_bytes)
{
    if (text.len <= max_bytes) {
        return text.len;
    }
    size_t len = max_bytes;

    while (len > 0 && is_tail(text.data[len])) {
        len--;
    }
    return len;
}

static uint32_t decode_point(const uint8_t *p, size_t len)
{
    if (len == 1) {
        return p[0];
    }
    uint32_t v = p[0] & (len == 2 ? 0x1fu : len == 3 ? 0x0fu : 0x07u);

    for (size_t i = 1; i < len; i++) {
        v = v << 6 | (p[i] & 0x3f);
    }
    return v;
}

static void encode_point(struct buf *b, uint32_t v)
{
    if (v < 0x80) {
        buf_u8(b, (uint8_t)v);
    } else if (v < 0x800) {
        buf_u8(b, (uint8_t)(0xc0 | v >> 6));
        buf_u8(b, (uint8_t)(0x80 | (v & 0x3f)));
    } else if (v < 0x10000) {
        buf_u8(b, (uint8_t)(0xe0 | v >> 12));
        buf_u8(b, (uint8_t)(0x80 | (v >> 6 & 0x3f)));
        buf_u8(b, (uint8_t)(0x80 | (v & 0x3f)));
    } else {
        buf_u8(b, (uint8_t)(0xf0 | v >> 18));
        buf_u8(b, (uint8_t)(0x80 | (v >> 12 & 0x3f)));
        buf_u8(b, (uint8_t)(0x80 | (v >> 6 & 0x3f)));
        buf_u8(b, (uint8_t)(0x80 | (v & 0x3f)));
    }
}

bool bounds_increment_text(struct buf *b, size_t start)
{
    while (b->len > start) {
        size_t at = b->len - 1;

        while (at > start && is_tail(b->data[at])) {
            at--;
        }
        uint32_t v = decode_point(b->data + at, b->len - at);

        b->len = at;
        if (v < 0x10ffff) {
            encode_point(b, v == 0xd7ff ? 0xe000 : v + 1);
            return b->failed == ERR_OK;
        }
    }
    return false;
}

bool bounds_increment_bytes(struct buf *b, size_t start)
{
    while (b->len > start) {
        if (b->data[b->len - 1] < 0xff) {
            b->data[b->len - 1]++;
            return true;
        }
        b->len--;
    }
    return false;
}
