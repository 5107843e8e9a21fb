/*
 * data_file.h - a data file as a manifest describes it.
 *
 * Spec: Apache Iceberg table spec, "Manifests", struct data_file.
 *
 * Owns:   a data file made by iceberg_data_file_new owns all it points to, in its own arena.
 * Thread: one at a time; moves by queue.
 */
#ifndef CALVE_ICEBERG_DATA_FILE_H
#define CALVE_ICEBERG_DATA_FILE_H

#include "base/arena.h"
#include "iceberg/schema.h"
#include "parquet/writer.h"

struct iceberg_column_metrics {
    int32_t field_id;
    /* -1 in the four below: not known (a manifest of another writer may lack any of them). */
    int64_t column_bytes;
    int64_t value_count;
    int64_t null_count;
    int64_t nan_count; /* -1 also: not a floating-point column */
    bool has_lower;
    bool has_upper;
    struct span lower; /* single-value serialization, Appendix D; truncate(16) applied */
    struct span upper;
};

struct iceberg_data_file {
    const char *path; /* full location */
    bool has_day;     /* partition value is not null */
    int32_t day;      /* days since the epoch, for a by_day spec */
    int64_t record_count;
    int64_t file_bytes;
    struct iceberg_column_metrics *columns;
    uint32_t column_count;
    int64_t *split_offsets;
    uint32_t split_count;
    struct arena arena;
};

/*
 * Takes the metrics of a finished Parquet file over, bounds truncated as mode truncate(16) says:
 * strings to 16 code points, binary to 16 bytes, uppers incremented, others exact. NULL when there
 * is no memory.
 */
struct iceberg_data_file *iceberg_data_file_new(const char *path, bool has_day, int32_t day,
                                                const struct parquet_file_info *info);
struct iceberg_data_file *iceberg_data_file_copy(const struct iceberg_data_file *from);
void iceberg_data_file_free(struct iceberg_data_file *f); /* NULL is fine */

#endif
