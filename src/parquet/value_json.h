/*
 * value_json.h - a Parquet value as JSON, for people who look into files.
 *
 * Texts are strings, dates and times ISO 8601 strings, decimals and UUIDs strings; binaries (and
 * texts that are not UTF-8) base64; NaN and infinities the strings "NaN", "Infinity", "-Infinity".
 *
 * Thread: any.
 */
#ifndef CALVE_PARQUET_VALUE_JSON_H
#define CALVE_PARQUET_VALUE_JSON_H

#include "parquet/reader.h"

/* Value: PLAIN bytes without length prefix, as in struct column and in a chunk's bounds. */
void parquet_put_value(const struct parquet_reader_column *c, struct span value, struct buf *out);

/* "timestamptz", "decimal(10,2)", "fixed[16]", "int": a column's type as Iceberg names it. */
void parquet_put_type(const struct parquet_reader_column *c, struct buf *out);

#endif
