/*
 * Object container file: "Obj" 1, file metadata as a map of bytes, 16 bytes of sync marker; then
 * blocks:
 *
 *   long records | long bytes | the records, compressed as one | sync marker
 */
#include "avro/writer.h"

#include <assert.h>

#include "codec/compress.h"

#define BLOCK_BYTES   ((size_t)64 << 10)
#define DEFLATE_LEVEL 6

static const char *codec_name(enum avro_codec codec)
{
    switch (codec) {
    case AVRO_CODEC_DEFLATE:
        return "deflate";
    case AVRO_CODEC_NULL:
        return "null";
    }
    return "null";
}

static void put_meta(struct buf *out, const char *key, const char *value)
{
    avro_put_string(out, key);
    avro_put_string(out, value);
}

void avro_writer_init(struct avro_writer *w, struct buf *out, const char *schema,
                      const struct avro_meta *meta, uint32_t meta_count, enum avro_codec codec,
                      struct rand *rand)
{
    *w = (struct avro_writer){.out = out, .codec = codec};
    for (size_t i = 0; i < sizeof w->sync; i += 8) {
        uint64_t r = rand_u64(rand);

        memcpy(w->sync + i, &r, sizeof r);
    }
    buf_append(out, "Obj\x01", 4);
    avro_put_array_start(out, (uint64_t)meta_count + 2);
    put_meta(out, "avro.schema", schema);
    put_meta(out, "avro.codec", codec_name(codec));
    for (uint32_t i = 0; i < meta_count; i++) {
        put_meta(out, meta[i].key, meta[i].value);
    }
    avro_put_array_end(out);
    buf_append(out, w->sync, sizeof w->sync);
}

void avro_writer_deinit(struct avro_writer *w)
{
    buf_deinit(&w->block);
}

static enum err_code put_block(struct avro_writer *w, struct err *e)
{
    struct buf packed = {0};
    struct span content = buf_span(&w->block);
    enum err_code rc = buf_check(&w->block, e, "Avro block");

    if (rc == ERR_OK && w->codec == AVRO_CODEC_DEFLATE) {
        rc = deflate_compress(DEFLATE_LEVEL, content, &packed, e);
        content = buf_span(&packed);
    }
    if (rc == ERR_OK) {
        avro_put_long(w->out, (int64_t)w->block_records);
        avro_put_bytes(w->out, content);
        buf_append(w->out, w->sync, sizeof w->sync);
        rc = buf_check(w->out, e, "Avro file");
    }
    buf_deinit(&packed);
    buf_reset(&w->block);
    w->block_records = 0;
    /* The records of this block are gone: nothing may make the file look whole again. */
    w->out->failed = rc;
    return rc;
}

enum err_code avro_writer_end_record(struct avro_writer *w, struct err *e)
{
    ERR_TRY(buf_check(w->out, e, "Avro file"));
    w->block_records++;
    return w->block.len >= BLOCK_BYTES || w->block.failed != ERR_OK ? put_block(w, e) : ERR_OK;
}

enum err_code avro_writer_finish(struct avro_writer *w, struct err *e)
{
    ERR_TRY(buf_check(w->out, e, "Avro file"));
    assert(w->block_records > 0 || w->block.len == 0); /* else a record was not ended */
    return w->block_records > 0 ? put_block(w, e) : ERR_OK;
}
