/*
 * footer.h - reading a Parquet file's footer: schema, row groups, chunks, key-value metadata.
 *
 * Spec: apache/parquet-format parquet.thrift, FileMetaData.
 * Thread: any.
 */
#ifndef CALVE_PARQUET_FOOTER_H
#define CALVE_PARQUET_FOOTER_H

#include "base/arena.h"
#include "parquet/reader.h"

struct parquet_meta {
    struct parquet_reader_column *columns;
    uint32_t column_count;
    struct parquet_row_group *groups; /* an array; `next` is not used */
    uint32_t group_count;
    struct parquet_key_value *metadata;
    uint32_t metadata_count;
    const char *created_by; /* NULL when it is not there */
    int64_t row_count;
};

/*
 * Parses the Thrift bytes of a footer. What *out points to is in arena, bounds are in `footer`.
 * Every chunk lies between the leading magic and data_end, and no two overlap; a chunk has as many
 * values as its row group has rows.
 *
 * Errors: ERR_CORRUPT; ERR_UNSUPPORTED nested columns, encryption, chunks in other files;
 * ERR_LIMIT and ERR_NOMEM of the arena.
 */
MUST_USE enum err_code parquet_footer_parse(struct span footer, uint64_t data_end,
                                            struct arena *arena, struct parquet_meta *out,
                                            struct err *e);

#endif
