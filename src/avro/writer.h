/*
 * writer.h - Avro object container files.
 *
 * The schema goes out byte for byte as given, so that field-id, element-id and logicalType survive.
 * The caller encodes each record with the avro_put functions into w->block and ends it with
 * avro_writer_end_record(). Blocks are cut at 64 KiB, between records.
 *
 * Spec: Apache Avro 1.11, "Object Container Files", "Binary Encoding".
 * Thread: one at a time.
 */
#ifndef CALVE_AVRO_WRITER_H
#define CALVE_AVRO_WRITER_H

#include "base/buf.h"
#include "base/rand.h"

enum avro_codec { AVRO_CODEC_DEFLATE, AVRO_CODEC_NULL };

struct avro_meta {
    const char *key;
    const char *value;
};

struct avro_writer {
    struct buf *out;
    struct buf block;
    uint64_t block_records;
    enum avro_codec codec;
    uint8_t sync[16];
};

/*
 * Writes the header to out, which is not owned and is checked by the calls below. w is the caller's
 * memory; deinit it in any case. Nothing that is passed has to outlive the call but out.
 */
void avro_writer_init(struct avro_writer *w, struct buf *out, const char *schema,
                      const struct avro_meta *meta, uint32_t meta_count, enum avro_codec codec,
                      struct rand *rand);
void avro_writer_deinit(struct avro_writer *w);

/*
 * A record is complete in w->block. Errors: ERR_NOMEM, ERR_LIMIT. After a failure every later call
 * fails too: a file never lacks a block in its middle.
 */
MUST_USE enum err_code avro_writer_end_record(struct avro_writer *w, struct err *e);

/* Writes the last block. Errors: as avro_writer_end_record(). */
MUST_USE enum err_code avro_writer_finish(struct avro_writer *w, struct err *e);

/* int and long have one encoding, and so have bytes and string. */
static inline void avro_put_long(struct buf *b, int64_t v)
{
    buf_zigzag(b, v);
}

static inline void avro_put_int(struct buf *b, int32_t v)
{
    buf_zigzag(b, v);
}

static inline void avro_put_bool(struct buf *b, bool v)
{
    buf_u8(b, v ? 1 : 0);
}

static inline void avro_put_bytes(struct buf *b, struct span v)
{
    buf_zigzag(b, (int64_t)v.len);
    buf_append_span(b, v);
}

static inline void avro_put_string(struct buf *b, const char *text)
{
    avro_put_bytes(b, span_str(text));
}

/* As many bytes as the schema's size says. */
static inline void avro_put_fixed(struct buf *b, struct span v)
{
    buf_append_span(b, v);
}

static inline void avro_put_float(struct buf *b, float v)
{
    buf_append(b, &v, sizeof v);
}

static inline void avro_put_double(struct buf *b, double v)
{
    buf_append(b, &v, sizeof v);
}

/* Which branch of a union follows, counted from 0 in the schema's order. A null has no bytes of its
 * own. */
static inline void avro_put_union(struct buf *b, uint32_t branch)
{
    buf_zigzag(b, (int64_t)branch);
}

/* An array (or map) of count elements: start, the elements (or keys and values), end. */
static inline void avro_put_array_start(struct buf *b, uint64_t count)
{
    if (count > 0) {
        buf_zigzag(b, (int64_t)count);
    }
}

static inline void avro_put_array_end(struct buf *b)
{
    buf_u8(b, 0);
}

#endif
