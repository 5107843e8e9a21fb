/*
 * format.h - Parquet's numbers, and the structures of pages and footers as Thrift writes them.
 *
 * Spec: apache/parquet-format parquet.thrift.
 * Thread: any.
 */
#ifndef CALVE_PARQUET_FORMAT_H
#define CALVE_PARQUET_FORMAT_H

#include "base/arena.h"
#include "base/buf.h"
#include "parquet/writer.h"

enum parquet_type {
    PARQUET_BOOLEAN = 0,
    PARQUET_INT32 = 1,
    PARQUET_INT64 = 2,
    PARQUET_INT96 = 3,
    PARQUET_FLOAT = 4,
    PARQUET_DOUBLE = 5,
    PARQUET_BYTE_ARRAY = 6,
    PARQUET_FIXED_LEN_BYTE_ARRAY = 7,
};

enum parquet_encoding {
    PARQUET_PLAIN = 0,
    PARQUET_PLAIN_DICTIONARY = 2,
    PARQUET_RLE = 3,
    PARQUET_RLE_DICTIONARY = 8,
};

enum parquet_page_type {
    PARQUET_DATA_PAGE = 0,
    PARQUET_DICTIONARY_PAGE = 2,
    PARQUET_DATA_PAGE_V2 = 3,
};

enum { PARQUET_WIRE_UNCOMPRESSED = 0, PARQUET_WIRE_GZIP = 2, PARQUET_WIRE_ZSTD = 6 };

enum parquet_type parquet_type_of(enum column_kind kind);

struct parquet_page_header {
    int32_t type;
    int32_t uncompressed_bytes;
    int32_t compressed_bytes;
    bool has_crc;
    uint32_t crc;
    int32_t value_count;
    int32_t encoding;
    /* DATA_PAGE_V2 only */
    int32_t null_count;
    int32_t def_bytes;
    int32_t rep_bytes;
    bool is_compressed;
};

void parquet_page_header_print(const struct parquet_page_header *h, struct buf *out);
/* Leaves the reader behind the header. Errors: ERR_CORRUPT. */
MUST_USE enum err_code parquet_page_header_parse(struct bytes_reader *in,
                                                 struct parquet_page_header *out, struct err *e);

/* A bound of a chunk or page: absent, or PLAIN bytes without length prefix. */
struct parquet_bound {
    bool exact;
    struct span bytes;
};

/* A column chunk as the footer describes it. */
struct parquet_chunk {
    uint32_t data_page_count;       /* all data pages */
    uint32_t dictionary_page_count; /* of them, RLE_DICTIONARY; the rest is PLAIN */
    bool has_dictionary;
    int64_t value_count;
    int64_t uncompressed_bytes;
    int64_t compressed_bytes;
    int64_t data_page_offset;
    int64_t dictionary_page_offset; /* when has_dictionary */
    int64_t null_count;
    int64_t nan_count;
    bool has_bounds;
    struct parquet_bound min;
    struct parquet_bound max;
    int64_t byte_array_bytes; /* BYTE_ARRAY: sum of the values' lengths */
    int64_t column_index_offset;
    int32_t column_index_bytes; /* 0: none */
    int64_t offset_index_offset;
    int32_t offset_index_bytes;
};

struct parquet_row_group {
    struct parquet_row_group *next;
    struct parquet_chunk *chunks;
    int64_t row_count;
    int64_t file_offset;
};

struct parquet_footer {
    const struct parquet_column_spec *columns;
    uint32_t column_count;
    const struct parquet_key_value *metadata;
    uint32_t metadata_count;
    enum parquet_codec codec;
    int64_t row_count;
    const struct parquet_row_group *row_groups;
    uint32_t row_group_count;
};

void parquet_footer_print(const struct parquet_footer *f, struct buf *out);

#endif
