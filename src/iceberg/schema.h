/*
 * schema.h - an Iceberg table's columns and partition spec, as calve creates them.
 *
 * Spec: Apache Iceberg table spec, "Schemas and Data Types", "Partitioning".
 * Thread: any (read only).
 */
#ifndef CALVE_ICEBERG_SCHEMA_H
#define CALVE_ICEBERG_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "parquet/writer.h"

enum iceberg_type {
    ICEBERG_TYPE_BOOLEAN,
    ICEBERG_TYPE_INT,
    ICEBERG_TYPE_LONG,
    ICEBERG_TYPE_FLOAT,
    ICEBERG_TYPE_DOUBLE,
    ICEBERG_TYPE_DECIMAL,
    ICEBERG_TYPE_DATE,
    ICEBERG_TYPE_TIME,
    ICEBERG_TYPE_TIMESTAMP,
    ICEBERG_TYPE_TIMESTAMPTZ,
    ICEBERG_TYPE_STRING,
    ICEBERG_TYPE_UUID,
    ICEBERG_TYPE_FIXED,
    ICEBERG_TYPE_BINARY,
};

struct iceberg_field {
    int32_t id;
    const char *name;
    enum iceberg_type type;
    bool required;
    uint8_t precision; /* DECIMAL */
    uint8_t scale;     /* DECIMAL */
    uint32_t length;   /* FIXED */
};

struct iceberg_schema {
    int32_t schema_id;
    const struct iceberg_field *fields;
    uint32_t field_count;
    const int32_t *identifier_ids; /* may be NULL */
    uint32_t identifier_count;
};

/* At most one partition field: day(column), or none. */
struct iceberg_partition {
    bool by_day;
    int32_t source_id;
    int32_t field_id; /* 1000 */
    const char *name; /* "date" */
};

/* The schema as Iceberg JSON (with schema-id), malloc'd; NULL when there is no memory. */
char *iceberg_schema_json(const struct iceberg_schema *schema);

/* Parquet column of an Iceberg field. */
struct parquet_column_spec iceberg_field_parquet(const struct iceberg_field *field);

/* Days since 1970-01-01 of a timestamp in microseconds; floors below the epoch. */
int32_t iceberg_day_of_us(int64_t us);

#endif
