#include "parquet/page_reader.h"

#include "codec/crc32.h"

#define WINDOW_BYTES     ((size_t)256 << 10)
#define HEADER_BYTES_MAX ((size_t)64 << 10)
/* Memory that is kept from one chunk to the next. */
#define KEEP_BYTES ((size_t)4 << 20)

void page_reader_deinit(struct page_reader *r)
{
    zstd_decoder_free(r->zstd);
    buf_deinit(&r->window);
    buf_deinit(&r->body);
    r->zstd = NULL;
}

void page_reader_start(struct page_reader *r, const struct parquet_chunk *chunk)
{
    r->codec = chunk->codec;
    r->at = (uint64_t)parquet_chunk_start(chunk);
    r->end = r->at + (uint64_t)chunk->compressed_bytes;
    r->window_at = 0;
    buf_shrink(&r->window, KEEP_BYTES);
    buf_shrink(&r->body, KEEP_BYTES);
}

static size_t in_window(const struct page_reader *r)
{
    return r->window.len - r->window_at;
}

static uint64_t left_in_chunk(const struct page_reader *r)
{
    return r->end - r->at + in_window(r);
}

/* Makes the window hold the next `want` bytes, which the chunk must have. */
static enum err_code fill(struct page_reader *r, size_t want, struct err *e)
{
    size_t have = in_window(r);

    if (have >= want) {
        return ERR_OK;
    }
    size_t more = want - have > WINDOW_BYTES ? want - have : WINDOW_BYTES;

    if (more > r->end - r->at) {
        more = (size_t)(r->end - r->at);
    }
    if (have > 0) {
        memmove(r->window.data, r->window.data + r->window_at, have);
    }
    r->window.len = have;
    r->window_at = 0;
    uint8_t *p = buf_reserve(&r->window, more);

    if (p == NULL) {
        return buf_check(&r->window, e, "Parquet page");
    }
    ERR_TRY(byte_source_read(&r->source, r->at, p, more, e));
    r->window.len += more;
    r->at += more;
    return ERR_OK;
}

static enum err_code read_header(struct page_reader *r, struct parquet_page_header *out,
                                 struct err *e)
{
    uint64_t left = left_in_chunk(r);
    struct bytes_reader in;

    ERR_TRY(fill(r, left < HEADER_BYTES_MAX ? (size_t)left : HEADER_BYTES_MAX, e));
    bytes_reader_init(&in, span_of(r->window.data + r->window_at, in_window(r)));
    ERR_TRY(parquet_page_header_parse(&in, out, e));
    r->window_at += bytes_offset(&in);
    return ERR_OK;
}

/* The stored bytes of the page behind the header. */
static enum err_code read_stored(struct page_reader *r, const struct parquet_page_header *h,
                                 struct span *out, struct err *e)
{
    size_t bytes = (size_t)h->compressed_bytes;

    if (bytes > left_in_chunk(r)) {
        return err_set(e, ERR_CORRUPT, "Parquet page of %zu bytes in a column chunk that has %llu",
                       bytes, (unsigned long long)left_in_chunk(r));
    }
    /* zstd and deflate may enlarge what they cannot compress, but only a little. */
    if (bytes > r->page_bytes_max + r->page_bytes_max / 16 + 1024 ||
        (size_t)h->uncompressed_bytes > r->page_bytes_max) {
        return err_set(e, ERR_LIMIT, "Parquet page of %d bytes is larger than the limit of %zu",
                       h->uncompressed_bytes, r->page_bytes_max);
    }
    ERR_TRY(fill(r, bytes, e));
    *out = span_of(r->window.data + r->window_at, bytes);
    r->window_at += bytes;
    if (h->has_crc && crc32_update(0, *out) != h->crc) {
        return err_set(e, ERR_CORRUPT, "Parquet page: the checksum does not match");
    }
    return ERR_OK;
}

static enum err_code decompress(struct page_reader *r, struct span stored, struct err *e)
{
    switch (r->codec) {
    case PARQUET_WIRE_ZSTD:
        if (r->zstd == NULL) {
            r->zstd = zstd_decoder_new();
        }
        return r->zstd == NULL ? err_nomem(e) : zstd_decompress(r->zstd, stored, &r->body, e);
    case PARQUET_WIRE_GZIP:
        return gzip_decompress(stored, &r->body, e);
    default:
        return err_set(e, ERR_UNSUPPORTED,
                       "Parquet: compressed with %s, calve reads zstd, gzip and uncompressed",
                       parquet_codec_name(r->codec));
    }
}

/* Exactly `bytes` of content, in place or in r->body. */
static enum err_code unpack(struct page_reader *r, struct span stored, size_t bytes, bool packed,
                            struct span *out, struct err *e)
{
    if (!packed || r->codec == PARQUET_WIRE_UNCOMPRESSED) {
        *out = stored;
    } else if (stored.len == 0) {
        *out = stored; /* some writers store nothing for no values */
    } else {
        buf_reset(&r->body);
        /* 0 would mean the default ceiling. */
        r->body.cap_max = bytes == 0 ? 1 : bytes;
        enum err_code rc = decompress(r, stored, e);

        if (rc == ERR_LIMIT && r->body.failed == ERR_LIMIT) {
            return err_set(e, ERR_CORRUPT, "Parquet page: more than the %zu bytes it tells of",
                           bytes);
        }
        ERR_TRY(rc);
        *out = buf_span(&r->body);
    }
    if (out->len != bytes) {
        return err_set(e, ERR_CORRUPT, "Parquet page: %zu bytes instead of %zu", out->len, bytes);
    }
    return ERR_OK;
}

static enum err_code open_page(struct page_reader *r, struct span stored, struct page *out,
                               struct err *e)
{
    const struct parquet_page_header *h = &out->header;
    struct bytes_reader in;

    bytes_reader_init(&in, stored);
    out->levels = (struct span){NULL, 0};
    if (h->type == PARQUET_DATA_PAGE_V2) {
        bytes_skip(&in, (size_t)h->rep_bytes);
        out->levels = bytes_span(&in, (size_t)h->def_bytes);
        if (bytes_failed(&in) || bytes_offset(&in) > (size_t)h->uncompressed_bytes) {
            return err_set(e, ERR_CORRUPT, "Parquet page: levels longer than the page");
        }
    }
    size_t bytes = (size_t)h->uncompressed_bytes - bytes_offset(&in);

    return unpack(r, bytes_rest(&in), bytes, h->is_compressed, &out->values, e);
}

enum err_code page_reader_next(struct page_reader *r, struct page *out, struct err *e)
{
    struct span stored;

    if (left_in_chunk(r) == 0) {
        return err_set(e, ERR_NOT_FOUND, "Parquet: no more pages");
    }
    out->offset = r->at - in_window(r);
    enum err_code rc = read_header(r, &out->header, e);

    if (rc == ERR_OK) {
        rc = read_stored(r, &out->header, &stored, e);
    }
    if (rc == ERR_OK) {
        rc = open_page(r, stored, out, e);
    }
    return rc == ERR_OK ? ERR_OK
                        : err_wrap(e, "page at byte %llu", (unsigned long long)out->offset);
}
