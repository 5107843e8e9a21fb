#include "codec/compress.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define ZSTD_WINDOW_LOG_MAX 27
#define ZSTD_LEVEL_DEFAULT  1
#define PIECE_BYTES         ((size_t)128 << 10)

/* A block of 4 bytes can stand for 128 KiB: a frame that claims more than this per byte is lying.
 */
#define ZSTD_RATIO_MAX ((uint64_t)128 << 10)

/* Two bits can stand for 258 bytes: content that is larger than this per byte is a lie. */
#define DEFLATE_RATIO_MAX 1032u

struct zstd_encoder {
    ZSTD_CCtx *ctx;
};

struct zstd_decoder {
    ZSTD_DCtx *ctx;
    ZSTD_inBuffer in;
    size_t pending; /* what the last call of zstd wants: 0 at the end of a frame */
};

static size_t room_left(const struct buf *out)
{
    size_t ceiling = out->cap_max == 0 ? BUF_CAP_MAX_DEFAULT : out->cap_max;

    return out->len < ceiling ? ceiling - out->len : 0;
}

/* Room in out for as much of `wanted` as its ceiling leaves, at least one byte; NULL on failure. */
static uint8_t *reserve_up_to(struct buf *out, size_t *wanted)
{
    size_t left = room_left(out);

    if (*wanted > left) {
        *wanted = left;
    }
    if (*wanted == 0) {
        *wanted = 1;
    }
    return buf_reserve(out, *wanted);
}

/* The content does not fit under out's ceiling. */
static enum err_code too_large(struct buf *out, struct err *e, const char *what)
{
    out->failed = ERR_LIMIT;
    return buf_check(out, e, what);
}

struct zstd_encoder *zstd_encoder_new(int level)
{
    struct zstd_encoder *z = calloc(1, sizeof *z);

    if (z == NULL) {
        return NULL;
    }
    z->ctx = ZSTD_createCCtx();
    if (z->ctx == NULL ||
        ZSTD_isError(ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_compressionLevel,
                                            level == 0 ? ZSTD_LEVEL_DEFAULT : level))) {
        zstd_encoder_free(z);
        return NULL;
    }
    return z;
}

void zstd_encoder_free(struct zstd_encoder *z)
{
    if (z != NULL) {
        (void)ZSTD_freeCCtx(z->ctx);
        free(z);
    }
}

enum err_code zstd_compress(struct zstd_encoder *z, struct span in, struct buf *out, struct err *e)
{
    size_t room = ZSTD_compressBound(in.len);
    uint8_t *p = reserve_up_to(out, &room);

    if (p == NULL) {
        return buf_check(out, e, "compressed data");
    }
    size_t n = ZSTD_compress2(z->ctx, p, room, in.data, in.len);

    if (ZSTD_isError(n)) {
        return ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall
                   ? too_large(out, e, "compressed data")
                   : err_set(e, ERR_NOMEM, "zstd: %s", ZSTD_getErrorName(n));
    }
    out->len += n;
    return ERR_OK;
}

struct zstd_decoder *zstd_decoder_new(void)
{
    struct zstd_decoder *z = calloc(1, sizeof *z);

    if (z == NULL) {
        return NULL;
    }
    z->ctx = ZSTD_createDCtx();
    if (z->ctx == NULL ||
        ZSTD_isError(ZSTD_DCtx_setParameter(z->ctx, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX))) {
        zstd_decoder_free(z);
        return NULL;
    }
    return z;
}

void zstd_decoder_free(struct zstd_decoder *z)
{
    if (z != NULL) {
        (void)ZSTD_freeDCtx(z->ctx);
        free(z);
    }
}

static enum err_code decode_error(size_t result, struct err *e)
{
    ZSTD_ErrorCode why = ZSTD_getErrorCode(result);

    if (why == ZSTD_error_memory_allocation) {
        return err_nomem(e);
    }
    return err_set(e, why == ZSTD_error_frameParameter_windowTooLarge ? ERR_LIMIT : ERR_CORRUPT,
                   "zstd: %s", ZSTD_getErrorName(result));
}

enum err_code zstd_decoder_start(struct zstd_decoder *z, struct span in, struct err *e)
{
    size_t rc = ZSTD_DCtx_reset(z->ctx, ZSTD_reset_session_only);

    if (ZSTD_isError(rc)) {
        return decode_error(rc, e);
    }
    z->in = (ZSTD_inBuffer){in.data, in.len, 0};
    z->pending = 0;
    return ERR_OK;
}

enum err_code zstd_decoder_read(struct zstd_decoder *z, size_t max_bytes, struct buf *out,
                                bool *done, struct err *e)
{
    uint8_t nothing[1];
    uint8_t *p = max_bytes == 0 ? nothing : buf_reserve(out, max_bytes);

    *done = false;
    if (p == NULL) {
        return buf_check(out, e, "decompressed data");
    }
    ZSTD_outBuffer to = {p, max_bytes, 0};

    while (z->pending != 0 || z->in.pos < z->in.size) {
        size_t in_before = z->in.pos;
        size_t out_before = to.pos;

        z->pending = ZSTD_decompressStream(z->ctx, &to, &z->in);
        if (ZSTD_isError(z->pending)) {
            return decode_error(z->pending, e);
        }
        if (z->in.pos == in_before && to.pos == out_before) {
            if (to.pos == to.size) {
                break; /* more to come, or nothing but the end of the frame: the next call tells */
            }
            return err_set(e, ERR_CORRUPT, "zstd: the data ends inside a frame");
        }
    }
    out->len += to.pos;
    *done = z->pending == 0 && z->in.pos == z->in.size;
    return ERR_OK;
}

/* One frame that tells its size, as nearly all do. False: not one, or not as it says. */
static bool decompress_one_frame(struct zstd_decoder *z, struct span in, struct buf *out)
{
    unsigned long long size = ZSTD_getFrameContentSize(in.data, in.len);

    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size == 0 ||
        size > room_left(out) || size / ZSTD_RATIO_MAX > in.len ||
        ZSTD_findFrameCompressedSize(in.data, in.len) != in.len) {
        return false;
    }
    uint8_t *p = buf_reserve(out, (size_t)size);

    if (p == NULL) {
        return false;
    }
    size_t n = ZSTD_decompressDCtx(z->ctx, p, (size_t)size, in.data, in.len);

    if (ZSTD_isError(n)) {
        return false;
    }
    out->len += n;
    return true;
}

enum err_code zstd_decompress(struct zstd_decoder *z, struct span in, struct buf *out,
                              struct err *e)
{
    bool done = false;

    ERR_TRY(buf_check(out, e, "decompressed data"));
    if (decompress_one_frame(z, in, out)) {
        return ERR_OK;
    }
    ERR_TRY(zstd_decoder_start(z, in, e));
    while (!done) {
        /* A full buffer is fine when nothing but the end of the frame is left. */
        size_t room = room_left(out) < PIECE_BYTES ? room_left(out) : PIECE_BYTES;

        ERR_TRY(zstd_decoder_read(z, room, out, &done, e));
        if (!done && room == 0) {
            return too_large(out, e, "decompressed data");
        }
    }
    return ERR_OK;
}

enum err_code deflate_compress(int level, struct span in, struct buf *out, struct err *e)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);

    if (c == NULL) {
        return err_nomem(e);
    }
    size_t room = libdeflate_deflate_compress_bound(c, in.len);
    uint8_t *p = reserve_up_to(out, &room);
    size_t n = p == NULL ? 0 : libdeflate_deflate_compress(c, in.data, in.len, p, room);

    libdeflate_free_compressor(c);
    if (p == NULL) {
        return buf_check(out, e, "deflated data");
    }
    if (n == 0) {
        return too_large(out, e, "deflated data");
    }
    out->len += n;
    return ERR_OK;
}

/* One stream of either kind; *used tells how much of the input it was. */
static enum libdeflate_result inflate_into(struct libdeflate_decompressor *d, struct span in,
                                           bool gzip, uint8_t *p, size_t room, size_t *used,
                                           size_t *made)
{
    return gzip ? libdeflate_gzip_decompress_ex(d, in.data, in.len, p, room, used, made)
                : libdeflate_deflate_decompress_ex(d, in.data, in.len, p, room, used, made);
}

/* The size of the output is not known: tries again with more room up to the buffer's ceiling. */
static enum err_code inflate_one(struct libdeflate_decompressor *d, struct span in, bool gzip,
                                 struct buf *out, size_t *used, struct err *e)
{
    size_t wanted = in.len * 4 + 1024;

    for (;;) {
        size_t room = wanted;
        size_t made = 0;
        uint8_t *p = reserve_up_to(out, &room);

        if (p == NULL) {
            return buf_check(out, e, "inflated data");
        }
        bool all = room < wanted;

        switch (inflate_into(d, in, gzip, p, room, used, &made)) {
        case LIBDEFLATE_SUCCESS:
            out->len += made;
            return ERR_OK;
        case LIBDEFLATE_INSUFFICIENT_SPACE:
            if (all) {
                return too_large(out, e, "inflated data");
            }
            wanted *= 4;
            break;
        case LIBDEFLATE_BAD_DATA:
        case LIBDEFLATE_SHORT_OUTPUT:
            return err_set(e, ERR_CORRUPT, "deflate: bad data");
        }
    }
}

enum err_code deflate_decompress(struct span in, struct buf *out, struct err *e)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    size_t used = 0;

    if (d == NULL) {
        return err_nomem(e);
    }
    /* What follows the stream is ignored: Python's Avro leaves three bytes of zlib's checksum
     * there. */
    enum err_code rc = inflate_one(d, in, false, out, &used, e);

    libdeflate_free_decompressor(d);
    return rc;
}

/* One stream that is all of `in` and holds exactly content_bytes. */
static enum err_code inflate_exactly(struct span in, bool zlib, size_t content_bytes,
                                     struct buf *out, struct err *e)
{
    const char *name = zlib ? "zlib" : "deflate";

    if (content_bytes / DEFLATE_RATIO_MAX > in.len) {
        return err_set(e, ERR_CORRUPT, "%s: %zu bytes cannot hold %zu", name, in.len,
                       content_bytes);
    }
    uint8_t *p = buf_reserve(out, content_bytes == 0 ? 1 : content_bytes);
    struct libdeflate_decompressor *d = p == NULL ? NULL : libdeflate_alloc_decompressor();
    size_t used = 0;
    size_t made = 0;

    if (p == NULL) {
        return buf_check(out, e, "decompressed data");
    }
    if (d == NULL) {
        return err_nomem(e);
    }
    enum libdeflate_result rc =
        zlib ? libdeflate_zlib_decompress_ex(d, in.data, in.len, p, content_bytes, &used, &made)
             : libdeflate_deflate_decompress_ex(d, in.data, in.len, p, content_bytes, &used, &made);

    libdeflate_free_decompressor(d);
    if (rc != LIBDEFLATE_SUCCESS || made != content_bytes || used != in.len) {
        return err_set(e, ERR_CORRUPT, "%s: %zu bytes are no stream of %zu", name, in.len,
                       content_bytes);
    }
    out->len += made;
    return ERR_OK;
}

enum err_code zlib_decompress(struct span in, size_t content_bytes, struct buf *out, struct err *e)
{
    return inflate_exactly(in, true, content_bytes, out, e);
}

enum err_code deflate_decompress_exactly(struct span in, size_t content_bytes, struct buf *out,
                                         struct err *e)
{
    return inflate_exactly(in, false, content_bytes, out, e);
}

enum err_code gzip_decompress(struct span in, struct buf *out, struct err *e)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    struct bytes_reader r;
    enum err_code rc = ERR_OK;

    if (d == NULL) {
        return err_nomem(e);
    }
    /* A gzip file is one member after another. */
    bytes_reader_init(&r, in);
    do {
        struct bytes_reader rest = r;
        size_t used = 0;

        rc = inflate_one(d, bytes_rest(&rest), true, out, &used, e);
        bytes_skip(&r, used);
    } while (rc == ERR_OK && bytes_left(&r) > 0);
    libdeflate_free_decompressor(d);
    return rc;
}
