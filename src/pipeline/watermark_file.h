/*
 * watermark_file.h - rows of cdc_metadata.watermarks from and to Parquet files.
 *
 * Thread: one at a time.
 */
#ifndef CALVE_PIPELINE_WATERMARK_FILE_H
#define CALVE_PIPELINE_WATERMARK_FILE_H

#include "iceberg/data_file.h"
#include "pipeline/watermarks.h"
#include "storage/store.h"

/* Owns its rows and their texts. A zeroed struct is empty. */
struct watermark_rows {
    struct watermark *items;
    uint32_t count;
    uint32_t capacity;
};

void watermark_rows_deinit(struct watermark_rows *r);

/* Appends a row; its texts are copied. */
MUST_USE enum err_code watermark_rows_add(struct watermark_rows *r, const struct watermark *row,
                                          struct err *e);

/*
 * Appends the rows of a file, calve's or another writer's. Errors: ERR_CORRUPT names the file; a
 * required column that is missing or null is one.
 */
MUST_USE enum err_code watermark_file_read(struct store *store, const char *location,
                                           struct watermark_rows *out, struct err *e);

/* Writes all rows into one new file under <location>/data. */
MUST_USE enum err_code watermark_file_write(struct store *store, const char *location,
                                            int zstd_level, uint64_t seed,
                                            const struct watermark_rows *rows,
                                            struct iceberg_data_file **out, struct err *e);

#endif
