/*
 * changelog.h - the two tables calve writes: a source table's changelog and the watermarks.
 *
 * Their columns, ids and partitioning are a contract with existing users (docs/types.md).
 * Thread: any (constants).
 */
#ifndef CALVE_PIPELINE_CHANGELOG_H
#define CALVE_PIPELINE_CHANGELOG_H

#include "iceberg/schema.h"
#include "model/column_batch.h"

enum changelog_column {
    CHANGELOG_EVENT_TYPE,
    CHANGELOG_TIMESTAMP,
    CHANGELOG_LOG_FILE,
    CHANGELOG_LOG_POSITION,
    CHANGELOG_PAYLOAD,
    CHANGELOG_COLUMNS,
};

#define WATERMARKS_NAMESPACE "cdc_metadata"
#define WATERMARKS_TABLE     "watermarks"

enum watermarks_column {
    WATERMARKS_CONNECTION_NAME,
    WATERMARKS_SERVER_ID,
    WATERMARKS_SCHEMA,
    WATERMARKS_TABLE_NAME,
    WATERMARKS_LOG_FILE,
    WATERMARKS_LOG_POSITION,
    WATERMARKS_BACKFILL_COMPLETE,
    WATERMARKS_UPDATED_AT,
    WATERMARKS_COLUMNS,
};

const struct iceberg_schema *changelog_schema(void);
struct iceberg_partition changelog_partition(void);
const struct iceberg_schema *watermarks_schema(void);

/* The Parquet columns of a schema; out has room for schema->field_count. */
void changelog_parquet_columns(const struct iceberg_schema *schema,
                               struct parquet_column_spec *out);

/* An empty batch for a schema's rows; NULL when there is no memory. */
struct column_batch *changelog_batch_new(const struct iceberg_schema *schema);

#endif
