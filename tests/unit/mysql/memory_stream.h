/* memory_stream.h - streams over a made binlog file, and over made packets of a dump. */
#ifndef CALVE_TEST_MEMORY_STREAM_H
#define CALVE_TEST_MEMORY_STREAM_H

#include "make_binlog.h"
#include "mysql/binlog_stream_int.h"
#include "test.h"

/* ---- a stream over a file that is kept in memory ---- */

static inline enum err_code open_bytes(struct span bytes, struct binlog_stream **out, struct err *e)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    assert_u64_eq(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    rewind(file);
    return binlog_stream_from_file(file, "binlog.000007", out, e);
}

/* Reads to the end; returns how it ended and how many events came. */
static inline enum err_code read_all(struct span bytes, unsigned *events, struct err *e)
{
    struct binlog_stream *s = NULL;
    struct binlog_event ev;
    enum err_code rc = open_bytes(bytes, &s, e);

    *events = 0;
    while (rc == ERR_OK) {
        rc = binlog_stream_next(s, &ev, e);
        *events += rc == ERR_OK;
    }
    binlog_stream_close(s);
    return rc;
}

/* ---- a stream from a server: packets in memory ---- */

struct packets {
    struct buf bytes;
    size_t at;
    bool closed;
    bool interrupted;
    uint32_t cut; /* bytes that the packet has less than its event says */
};

static inline enum err_code next_packet(void *ctx, struct span *event, struct err *e)
{
    struct packets *p = ctx;
    uint32_t len;

    if (p->at == p->bytes.len) {
        return err_set_retryable(e, ERR_IO, "no packet left");
    }
    memcpy(&len, p->bytes.data + p->at + 9, sizeof len);
    *event = span_of(p->bytes.data + p->at, len - p->cut);
    p->at += len;
    return ERR_OK;
}

static inline void interrupt_packets(void *ctx)
{
    ((struct packets *)ctx)->interrupted = true;
}

static inline void close_packets(void *ctx)
{
    ((struct packets *)ctx)->closed = true;
}

/* checksum: as the client asked for, up to the first format description. */
static inline struct binlog_stream *open_packets_checksum(struct packets *p, const char *file,
                                                          uint64_t offset,
                                                          enum binlog_checksum checksum)
{
    struct binlog_source source = {
        .next = next_packet, .interrupt = interrupt_packets, .close = close_packets, .ctx = p};
    struct binlog_position at = {.offset = offset};
    struct binlog_stream *s = NULL;
    struct err e = {0};

    (void)snprintf(at.file, sizeof at.file, "%s", file);
    assert_ok(binlog_stream_new(&source, &at, checksum, &s, &e), &e);
    return s;
}

static inline struct binlog_stream *open_packets(struct packets *p, const char *file,
                                                 uint64_t offset)
{
    return open_packets_checksum(p, file, offset, BINLOG_CHECKSUM_CRC32);
}

static inline void close_stream(struct binlog_stream *s, struct packets *p)
{
    binlog_stream_close(s);
    assert_true(p->closed);
    buf_deinit(&p->bytes);
}

static inline void expect_end(struct binlog_stream *s, uint8_t type, const char *file,
                              uint64_t offset)
{
    struct binlog_event ev;
    struct err e = {0};

    assert_ok(binlog_stream_next(s, &ev, &e), &e);
    assert_u64_eq(ev.header.type, type);
    assert_string_equal(ev.end.file, file);
    assert_u64_eq(ev.end.offset, offset);
}

static inline void expect_failure(struct binlog_stream *s, enum err_code want)
{
    struct binlog_event ev;
    struct err e = {0};

    assert_err(binlog_stream_next(s, &ev, &e), want, &e);
}

static inline void put_rotate(struct packets *p, const char *file, uint64_t offset, uint16_t flags,
                              bool crc)
{
    struct buf body = {0};

    buf_u64le(&body, offset);
    buf_append_str(&body, file);
    make_event(&p->bytes, (struct made_event){.type = BINLOG_EVENT_ROTATE,
                                              .flags = flags,
                                              .log_pos = flags == 0 ? 999 : 0,
                                              .body = buf_span(&body),
                                              .crc = crc});
    buf_deinit(&body);
}

static inline void put_at(struct packets *p, uint8_t type, uint32_t log_pos, bool crc)
{
    make_event(&p->bytes, (struct made_event){.type = type,
                                              .log_pos = log_pos,
                                              .body = span_str("\1\2\3\4\5\6\7\10"),
                                              .crc = crc});
}

#define XID_BYTES 31u /* with checksum */

#endif
