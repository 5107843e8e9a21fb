#include "base/bytes.h"

uint64_t bytes_lenenc(struct bytes_reader *r)
{
    uint8_t first = bytes_u8(r);

    if (first < 0xfb) {
        return first;
    }
    switch (first) {
    case 0xfc:
        return bytes_u16le(r);
    case 0xfd:
        return bytes_u24le(r);
    case 0xfe:
        return bytes_u64le(r);
    default:
        bytes_fail(r);
        return 0;
    }
}

struct span bytes_lenenc_span(struct bytes_reader *r)
{
    uint64_t len = bytes_lenenc(r);

    if (len > bytes_left(r)) {
        bytes_fail(r);
        return (struct span){NULL, 0};
    }
    return bytes_span(r, (size_t)len);
}

uint64_t bytes_varint(struct bytes_reader *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t b = bytes_u8(r);

        if (bytes_failed(r)) {
            return 0;
        }
        if (shift == 63 && b > 1) {
            break;
        }
        v |= (uint64_t)(b & 0x7f) << shift;
        if ((b & 0x80) == 0) {
            return v;
        }
    }
    bytes_fail(r);
    return 0;
}

int64_t bytes_zigzag(struct bytes_reader *r)
{
    uint64_t v = bytes_varint(r);

    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
