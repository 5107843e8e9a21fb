/* make_binlog.h - binlog events and files made by hand, for tests. */
#ifndef CALVE_TEST_MAKE_BINLOG_H
#define CALVE_TEST_MAKE_BINLOG_H

#include "base/buf.h"
#include "codec/compress.h"
#include "codec/crc32.h"
#include "mysql/binlog_event.h"

struct made_event {
    uint8_t type;
    uint16_t flags;
    uint32_t log_pos;
    struct span body;
    bool crc; /* append a checksum */
};

static inline void make_event(struct buf *out, struct made_event ev)
{
    size_t start = out->len;
    uint32_t bytes = (uint32_t)(BINLOG_EVENT_HEADER_BYTES + ev.body.len + (ev.crc ? 4 : 0));

    buf_u32le(out, 1700000000);
    buf_u8(out, ev.type);
    buf_u32le(out, 7);
    buf_u32le(out, bytes);
    buf_u32le(out, ev.log_pos);
    buf_u16le(out, ev.flags);
    buf_append_span(out, ev.body);
    if (ev.crc) {
        buf_u32le(out, crc32_update(0, span_of(out->data + start, out->len - start)));
    }
}

/* A format description: its checksum is there even when it does not count. */
static inline void make_format(struct buf *out, uint8_t checksum, uint16_t flags, uint32_t log_pos)
{
    struct buf body = {0};
    size_t start = out->len;
    uint32_t bytes;

    buf_u16le(&body, 4);
    buf_zeros(&body, 50);
    buf_u32le(&body, 0);
    buf_u8(&body, BINLOG_EVENT_HEADER_BYTES);
    buf_zeros(&body, 41);
    buf_u8(&body, checksum);
    bytes = (uint32_t)(BINLOG_EVENT_HEADER_BYTES + body.len + 4);
    buf_u32le(out, 1700000000);
    buf_u8(out, BINLOG_EVENT_FORMAT_DESCRIPTION);
    buf_u32le(out, 7);
    buf_u32le(out, bytes);
    buf_u32le(out, log_pos);
    buf_u16le(out, flags);
    buf_append_span(out, buf_span(&body));
    if (checksum == 1) {
        /* The server computes it before it sets the flag of a file in use. */
        out->data[start + 17] &= (uint8_t)~BINLOG_FLAG_IN_USE;
        buf_u32le(out, crc32_update(0, span_of(out->data + start, out->len - start)));
        out->data[start + 17] = (uint8_t)flags;
    } else {
        buf_u32le(out, 0);
    }
    buf_deinit(&body);
}

#define FORMAT_BYTES (BINLOG_EVENT_HEADER_BYTES + 2u + 50u + 4u + 1u + 41u + 1u + 4u)

static inline void make_magic(struct buf *out)
{
    buf_append(out,
               "\xfe"
               "bin",
               4);
}

/* What MariaDB writes for a part of an event that it compresses. */
static inline void make_compressed(struct buf *out, struct span in, uint32_t says_bytes)
{
    uint32_t a = 1;
    uint32_t b = 0;
    unsigned length_bytes = says_bytes < 1u << 8    ? 1
                            : says_bytes < 1u << 16 ? 2
                            : says_bytes < 1u << 24 ? 3
                                                    : 4;

    buf_u8(out, (uint8_t)(0x80 | length_bytes));
    for (unsigned i = length_bytes; i > 0; i--) {
        buf_u8(out, (uint8_t)(says_bytes >> 8 * (i - 1)));
    }
    buf_append(out, "\x78\x9c", 2);
    if (deflate_compress(6, in, out, NULL) != ERR_OK) {
        out->failed = ERR_NOMEM;
    }
    for (size_t i = 0; i < in.len; i++) {
        a = (a + in.data[i]) % 65521;
        b = (b + a) % 65521;
    }
    for (int shift = 24; shift >= 0; shift -= 8) {
        buf_u8(out, (uint8_t)((b << 16 | a) >> shift));
    }
}

/* The body of one piece of a rows event that a MariaDB 12.3 cut. */
static inline void make_piece(struct buf *out, uint32_t total, uint32_t number,
                              uint64_t event_bytes, struct span piece)
{
    buf_u32le(out, total);
    buf_u32le(out, number);
    buf_u8(out, number == 1 ? 1 : 0);
    if (number == 1) {
        buf_u64le(out, event_bytes);
    }
    buf_append_span(out, piece);
}

#endif
