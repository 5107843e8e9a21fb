/*
 * byte_sink.h - where an encoder puts its bytes: a file, an upload, a buffer.
 *
 * Thread: as the object behind it.
 */
#ifndef CALVE_BASE_BYTE_SINK_H
#define CALVE_BASE_BYTE_SINK_H

#include "base/bytes.h"
#include "base/err.h"

struct byte_sink {
    /* Takes all bytes or fails; called in order. The bytes stay the caller's. */
    enum err_code (*write)(void *ctx, struct span bytes, struct err *e);
    void *ctx;
};

MUST_USE static inline enum err_code byte_sink_write(const struct byte_sink *s, struct span bytes,
                                                     struct err *e)
{
    return s->write(s->ctx, bytes, e);
}

/* Random access to the bytes of a stored object, for readers of footers. */
struct byte_source {
    uint64_t size_bytes;
    /* Reads exactly len bytes at offset into out or fails. */
    enum err_code (*read_at)(void *ctx, uint64_t offset, uint8_t *out, size_t len, struct err *e);
    void *ctx;
};

MUST_USE static inline enum err_code byte_source_read(const struct byte_source *s, uint64_t offset,
                                                      uint8_t *out, size_t len, struct err *e)
{
    return s->read_at(s->ctx, offset, out, len, e);
}

#endif
