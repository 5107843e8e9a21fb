/*
 * writer.h - column batches in, one Parquet file out, with the metrics Iceberg wants.
 *
 * Profile `compat`: data pages V1, PLAIN and RLE_DICTIONARY, RLE levels, zstd, page CRC, column and
 * offset index, encoding statistics, field ids, TYPE_ORDER. Flat columns only. One batch becomes
 * one page of each column. A row group is closed when its uncompressed bytes reach
 * row_group_bytes_max (or its pages 32,767); its compressed pages are held in memory until then,
 * nothing else is.
 *
 * Spec: Apache Parquet format 2.x (parquet.thrift); Apache Iceberg, Appendix A "Parquet".
 * Thread: one at a time.
 */
#ifndef CALVE_PARQUET_WRITER_H
#define CALVE_PARQUET_WRITER_H

#include "base/byte_sink.h"
#include "codec/compress.h"
#include "model/column_batch.h"

enum parquet_logical {
    PARQUET_LOGICAL_NONE,
    PARQUET_LOGICAL_STRING,
    PARQUET_LOGICAL_DATE,
    PARQUET_LOGICAL_TIME_US,
    PARQUET_LOGICAL_TIMESTAMP_US,   /* without zone */
    PARQUET_LOGICAL_TIMESTAMPTZ_US, /* UTC */
    PARQUET_LOGICAL_DECIMAL,        /* on INT32, INT64 or FIXED */
    PARQUET_LOGICAL_UUID,           /* on FIXED 16 */
};

enum parquet_codec { PARQUET_CODEC_ZSTD, PARQUET_CODEC_NONE };

struct parquet_column_spec {
    const char *name;
    int32_t field_id;
    bool required;
    enum column_kind kind;
    uint32_t fixed_bytes; /* FIXED */
    enum parquet_logical logical;
    uint8_t precision;  /* DECIMAL */
    uint8_t scale;      /* DECIMAL */
    bool no_dictionary; /* the caller knows that values hardly repeat */
};

struct parquet_key_value {
    const char *key;
    const char *value;
};

struct parquet_writer_options {
    const struct parquet_column_spec *columns; /* copied */
    uint32_t column_count;
    const struct parquet_key_value *metadata; /* copied; for Iceberg: iceberg.schema */
    uint32_t metadata_count;
    enum parquet_codec codec;
    int zstd_level; /* 0 means 1 */
    struct zstd_encoder
        *encoder; /* shared with other writers of this thread, not owned; NULL: own one */
    size_t row_group_bytes_max; /* uncompressed; 0 means 64 MiB */
};

/* What a column holds over the whole file. */
struct parquet_column_metrics {
    int32_t field_id;
    enum column_kind kind;
    enum parquet_logical logical;
    uint64_t compressed_bytes; /* all its chunks, headers and dictionary pages included */
    uint64_t value_count;      /* rows: nulls and NaN included */
    uint64_t null_count;
    uint64_t nan_count; /* FLOAT and DOUBLE */
    bool has_bounds;    /* false when all values are null or NaN */
    /*
     * Exact least and greatest value, PLAIN bytes without length prefix; of BYTES values longer
     * than PARQUET_METRIC_BYTES_MAX their first so many bytes (whole code points of a text).
     */
    struct span lower;
    struct span upper;
};

#define PARQUET_METRIC_BYTES_MAX 16384u

struct parquet_file_info {
    uint64_t row_count;
    uint64_t file_bytes;
    struct parquet_column_metrics *columns;
    uint32_t column_count;
    int64_t *split_offsets; /* start of each row group, ascending */
    uint32_t split_count;
    struct arena *arena; /* holds all of the above */
};

void parquet_file_info_deinit(struct parquet_file_info *info);

struct parquet_writer;

/* sink must outlive the writer; it gets the magic at once. */
MUST_USE enum err_code parquet_writer_open(const struct parquet_writer_options *options,
                                           struct byte_sink sink, struct parquet_writer **out,
                                           struct err *e);

/*
 * Takes the rows of a batch; the batch stays the caller's. After an error the file is lost: free
 * the writer. Errors: ERR_LIMIT, ERR_NOMEM, the sink's; ERR_CORRUPT a batch that is not as the
 * columns say.
 */
MUST_USE enum err_code parquet_writer_write(struct parquet_writer *w,
                                            const struct column_batch *batch, struct err *e);

/* Rows and compressed bytes so far (bytes of open pages included), to decide when to roll a file.
 */
uint64_t parquet_writer_rows(const struct parquet_writer *w);
uint64_t parquet_writer_bytes(const struct parquet_writer *w);

/* Bytes of memory that the open row group's pages and dictionaries hold now. */
uint64_t parquet_writer_buffered(const struct parquet_writer *w);

/* Writes what is buffered and the footer; fills *out (deinit it). The writer is still to be freed.
 */
MUST_USE enum err_code parquet_writer_finish(struct parquet_writer *w,
                                             struct parquet_file_info *out, struct err *e);

/* NULL is fine. Without finish before, the sink is left with half a file. */
void parquet_writer_free(struct parquet_writer *w);

#endif
