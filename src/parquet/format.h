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
#include "codec/thrift_compact.h"
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

/* Bytes of a value; 0 for BYTE_ARRAY, 1 for BOOLEAN (as in statistics). */
size_t parquet_type_bytes(enum parquet_type type, uint32_t fixed_bytes);

/* "zstd", "delta_binary_packed", "boolean"; "unknown" for numbers that have no name. */
const char *parquet_codec_name(int32_t codec);
const char *parquet_encoding_name(int32_t encoding);
const char *parquet_type_name(enum parquet_type type);

/* The integer fields 1 to 15 of a Thrift struct; those not seen are 0. */
struct parquet_ints {
    int64_t v[16];
    uint32_t seen; /* bit n: field n was there */
};

static inline bool parquet_has_int(const struct parquet_ints *ints, int id)
{
    return (ints->seen >> id & 1) != 0;
}

/* Reads the field when it is one of those; false leaves it to the caller. */
bool parquet_take_int(struct thrift_reader *r, const struct thrift_field *f,
                      struct parquet_ints *out);
/* A whole struct of which only integers matter. */
void parquet_read_ints(struct thrift_reader *r, struct parquet_ints *out);

struct parquet_page_header {
    int32_t type;
    int32_t uncompressed_bytes;
    int32_t compressed_bytes;
    bool has_crc;
    uint32_t crc;
    int32_t value_count;
    int32_t encoding;
    int32_t def_encoding; /* DATA_PAGE: RLE, or what calve does not read */
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

/* A column chunk as the footer describes it; what a reader does not find there is 0. */
struct parquet_chunk {
    int32_t codec;                  /* as on the wire */
    uint32_t encodings;             /* bit n: encoding n */
    uint32_t data_page_count;       /* all data pages */
    uint32_t dictionary_page_count; /* of them, those with a dictionary's ids */
    bool has_dictionary;
    int64_t value_count;
    int64_t uncompressed_bytes;
    int64_t compressed_bytes;
    int64_t data_page_offset;
    int64_t dictionary_page_offset; /* when has_dictionary */
    bool has_null_count;
    int64_t null_count;
    int64_t nan_count;
    bool has_bounds; /* both or none */
    struct parquet_bound min;
    struct parquet_bound max;
    int64_t byte_array_bytes; /* BYTE_ARRAY: sum of the values' lengths */
    int64_t column_index_offset;
    int32_t column_index_bytes; /* 0: none */
    int64_t offset_index_offset;
    int32_t offset_index_bytes;
};

/* Where the chunk's first page starts. */
int64_t parquet_chunk_start(const struct parquet_chunk *chunk);

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
    int64_t row_count;
    const struct parquet_row_group *row_groups;
    uint32_t row_group_count;
};

void parquet_footer_print(const struct parquet_footer *f, struct buf *out);

#endif
