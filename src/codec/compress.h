/*
 * compress.h - zstd, raw deflate, zlib and gzip; zstd with contexts that are reused.
 *
 * Thread: a context belongs to one.
 */
#ifndef CALVE_CODEC_COMPRESS_H
#define CALVE_CODEC_COMPRESS_H

#include "base/buf.h"

struct zstd_encoder;
struct zstd_decoder;

struct zstd_encoder *zstd_encoder_new(int level); /* NULL: no memory */
void zstd_encoder_free(struct zstd_encoder *z);

/* Appends one frame with its content size. Errors: ERR_NOMEM, ERR_LIMIT of out. */
MUST_USE enum err_code zstd_compress(struct zstd_encoder *z, struct span in, struct buf *out,
                                     struct err *e);

struct zstd_decoder *zstd_decoder_new(void);
void zstd_decoder_free(struct zstd_decoder *z);

/* Appends what all frames in `in` hold, up to out's cap. Errors: ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM.
 */
MUST_USE enum err_code zstd_decompress(struct zstd_decoder *z, struct span in, struct buf *out,
                                       struct err *e);

/*
 * The same in pieces, for content larger than memory should hold (transaction payloads): set the
 * input once, then each call appends up to max_bytes and sets *done at the end of the last frame.
 * The window is limited to 128 MiB.
 */
MUST_USE enum err_code zstd_decoder_start(struct zstd_decoder *z, struct span in, struct err *e);
MUST_USE enum err_code zstd_decoder_read(struct zstd_decoder *z, size_t max_bytes, struct buf *out,
                                         bool *done, struct err *e);

/* RFC 1951 without a header, level 1 to 12 (Avro's "deflate" codec). */
MUST_USE enum err_code deflate_compress(int level, struct span in, struct buf *out, struct err *e);
MUST_USE enum err_code deflate_decompress(struct span in, struct buf *out, struct err *e);

/*
 * One zlib stream (RFC 1950) that is all of `in` and holds exactly content_bytes, whose checksum is
 * verified. Errors: ERR_CORRUPT  also for a content_bytes that `in` is too short for
 *                   ERR_NOMEM, ERR_LIMIT of out
 */
MUST_USE enum err_code zlib_decompress(struct span in, size_t content_bytes, struct buf *out,
                                       struct err *e);
/* The same for a stream without header and checksum (RFC 1951). */
MUST_USE enum err_code deflate_decompress_exactly(struct span in, size_t content_bytes,
                                                  struct buf *out, struct err *e);

/* gzip, for reading metadata that others wrote compressed. */
MUST_USE enum err_code gzip_decompress(struct span in, struct buf *out, struct err *e);

#endif
