/*
 * page_reader.h - the pages of one column chunk, one after another: read, verified, decompressed.
 *
 * Spec: apache/parquet-format README.md, "Data Pages", "Checksumming".
 * Thread: one at a time.
 */
#ifndef CALVE_PARQUET_PAGE_READER_H
#define CALVE_PARQUET_PAGE_READER_H

#include "base/byte_sink.h"
#include "codec/compress.h"
#include "parquet/format.h"

struct page_reader {
    /* Set by the owner. */
    struct byte_source source;
    size_t page_bytes_max; /* of an uncompressed page */

    /* The chunk. */
    int32_t codec;
    uint64_t at;  /* file offset of the next byte that is not in the window */
    uint64_t end; /* of the chunk */

    /* Kept for the next chunk. */
    struct zstd_decoder *zstd;
    struct buf window; /* bytes of the file; the next page starts at window_at */
    size_t window_at;
    struct buf body;
};

struct page {
    struct parquet_page_header header;
    uint64_t offset;    /* in the file, of the header */
    struct span levels; /* V2: definition levels; V1: nothing, they are in front of the values */
    struct span values;
};

void page_reader_deinit(struct page_reader *r);

void page_reader_start(struct page_reader *r, const struct parquet_chunk *chunk);

/*
 * The next page; its spans live until the next call. Errors: ERR_NOT_FOUND at the chunk's end;
 * ERR_CORRUPT a header that lies, a wrong checksum; ERR_UNSUPPORTED a codec; ERR_LIMIT a page above
 * page_bytes_max; ERR_NOMEM; the source's.
 */
MUST_USE enum err_code page_reader_next(struct page_reader *r, struct page *out, struct err *e);

#endif
