/*
 * reader.h - columns out of a Parquet file: what calve wrote, and small files of other writers.
 *
 * Reads flat schemas, data pages V1 and V2, PLAIN, dictionary and RLE encodings (DELTA ones are
 * ERR_UNSUPPORTED), uncompressed, zstd and gzip. Page checksums are verified where they are there.
 *
 * Spec: Apache Parquet format 2.x (parquet.thrift).
 * Owns:   a reader owns its footer; the byte_source must outlive it. Thread: one at a time.
 */
#ifndef CALVE_PARQUET_READER_H
#define CALVE_PARQUET_READER_H

#include "base/byte_sink.h"
#include "model/column_batch.h"
#include "parquet/format.h"

struct parquet_reader;

/* A leaf column of the schema; texts live as long as the reader. */
struct parquet_reader_column {
    const char *name;
    bool has_field_id;
    int32_t field_id;
    bool required;
    enum parquet_type type;
    uint32_t type_bytes;          /* FIXED_LEN_BYTE_ARRAY */
    enum parquet_logical logical; /* NONE also where calve has no name for it: the plain value */
    uint8_t precision;            /* DECIMAL */
    uint8_t scale;
};

/* Errors: ERR_CORRUPT says what is wrong and where; ERR_UNSUPPORTED nested or encrypted. */
MUST_USE enum err_code parquet_reader_open(const struct byte_source *source,
                                           struct parquet_reader **out, struct err *e);
void parquet_reader_free(struct parquet_reader *r); /* NULL is fine */

uint64_t parquet_reader_rows(const struct parquet_reader *r);
const struct parquet_reader_column *parquet_reader_columns(const struct parquet_reader *r,
                                                           uint32_t *count);
uint32_t parquet_reader_row_group_count(const struct parquet_reader *r);
uint64_t parquet_reader_row_group_rows(const struct parquet_reader *r, uint32_t row_group);

/* A chunk as the footer describes it, bounds and offsets included; lives as long as the reader. */
const struct parquet_chunk *parquet_reader_chunk(const struct parquet_reader *r, uint32_t row_group,
                                                 uint32_t column);

/* The file's key-value metadata; NULL when the key is not there. */
const char *parquet_reader_metadata(const struct parquet_reader *r, const char *key);
const struct parquet_key_value *parquet_reader_key_values(const struct parquet_reader *r,
                                                          uint32_t *count);

/* The program that wrote the file; NULL when it does not tell. */
const char *parquet_reader_created_by(const struct parquet_reader *r);

/*
 * The values of one column chunk: dense non-null values in out->values, one validity byte a row in
 * out->validity (empty when no row is null), as column_batch.h lays them out. out must be zeroed or
 * from an earlier call; deinit its three buffers. None of them, and no page, is larger than
 * bytes_max (ERR_LIMIT); besides, one page and the chunk's dictionary are held.
 *
 * Errors: ERR_CORRUPT, ERR_UNSUPPORTED, ERR_LIMIT, ERR_NOMEM, the source's.
 */
MUST_USE enum err_code parquet_reader_read(struct parquet_reader *r, uint32_t row_group,
                                           uint32_t column, size_t bytes_max, struct column *out,
                                           struct err *e);

#endif
