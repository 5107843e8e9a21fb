/*
 * parquet_files.h - files in memory, columns of values that can be told from their row number.
 */
#ifndef CALVE_TEST_PARQUET_FILES_H
#define CALVE_TEST_PARQUET_FILES_H

#include <stdlib.h>

#include "parquet/reader.h"
#include "parquet/writer.h"
#include "test.h"

static enum err_code sink_write(void *ctx, struct span bytes, struct err *e)
{
    struct buf *file = ctx;

    buf_append_span(file, bytes);
    return buf_check(file, e, "file");
}

static inline struct byte_sink memory_sink(struct buf *file)
{
    return (struct byte_sink){sink_write, file};
}

static enum err_code source_read(void *ctx, uint64_t offset, uint8_t *out, size_t len,
                                 struct err *e)
{
    const struct span *file = ctx;

    if (offset > file->len || len > file->len - offset) {
        return err_set(e, ERR_IO, "read of %zu bytes at %llu outside of %zu", len,
                       (unsigned long long)offset, file->len);
    }
    memcpy(out, file->data + offset, len);
    return ERR_OK;
}

/* *file must outlive the source. */
static inline struct byte_source memory_source(struct span *file)
{
    return (struct byte_source){.size_bytes = file->len, .read_at = source_read, .ctx = file};
}

static inline void column_deinit(struct column *c)
{
    buf_deinit(&c->values);
    buf_deinit(&c->offsets);
    buf_deinit(&c->validity);
}

enum nulls { NULLS_NONE, NULLS_SOME, NULLS_ALL };

/* How a test's column is filled. */
struct filling {
    enum nulls nulls;
    uint32_t distinct; /* values repeat after so many */
};

static inline bool filled_at(const struct filling *f, uint64_t row)
{
    return f->nulls == NULLS_NONE || (f->nulls == NULLS_SOME && row % 3 != 1);
}

/* The value of a row, PLAIN without length prefix; returns its length. */
static inline size_t value_of(const struct parquet_column_spec *spec, const struct filling *f,
                              uint64_t row, uint8_t *out)
{
    uint64_t n = row % f->distinct;
    int64_t i64 = (int64_t)(n * 0x9e3779b97f4a7c15u);
    int32_t i32 = (int32_t)(n * 0x9e3779b1u);
    double f64 = ((double)n - 3) * 1.5;
    float f32 = (float)f64;

    switch (spec->kind) {
    case COLUMN_KIND_BOOL:
        out[0] = n % 2 == 1;
        return 1;
    case COLUMN_KIND_INT32:
        memcpy(out, &i32, 4);
        return 4;
    case COLUMN_KIND_INT64:
        memcpy(out, &i64, 8);
        return 8;
    case COLUMN_KIND_FLOAT:
        memcpy(out, &f32, 4);
        return 4;
    case COLUMN_KIND_DOUBLE:
        memcpy(out, &f64, 8);
        return 8;
    case COLUMN_KIND_BYTES:
        return n == 5 ? 0 : (size_t)sprintf((char *)out, "value %llu", (unsigned long long)n);
    case COLUMN_KIND_FIXED:
        break;
    }
    for (uint32_t i = 0; i < spec->fixed_bytes; i++) {
        out[i] = (uint8_t)((uint64_t)i64 >> i % 8 * 8);
    }
    return spec->fixed_bytes;
}

static inline void put_value(struct column *c, struct span v)
{
    if (c->kind == COLUMN_KIND_BYTES) {
        column_put_bytes(c, v);
    } else {
        buf_append_span(&c->values, v);
        c->value_count++;
    }
}

static inline struct column_batch *new_batch(const struct parquet_column_spec *specs, uint32_t n)
{
    enum column_kind kinds[32];

    for (uint32_t i = 0; i < n; i++) {
        kinds[i] = specs[i].kind;
    }
    struct column_batch *b = column_batch_new(kinds, n);

    for (uint32_t i = 0; b != NULL && i < n; i++) {
        b->columns[i].fixed_bytes = specs[i].fixed_bytes;
    }
    return b;
}

/* Rows first .. first + rows - 1 of every column. */
static inline void fill_batch(struct column_batch *b, const struct parquet_column_spec *specs,
                              const struct filling *fillings, uint64_t first, uint32_t rows)
{
    uint8_t value[64];

    column_batch_reset(b);
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t i = 0; i < b->column_count; i++) {
            bool has = specs[i].required || filled_at(&fillings[i], first + row);

            column_put_validity(&b->columns[i], row, has);
            if (has) {
                size_t len = value_of(&specs[i], &fillings[i], first + row, value);

                put_value(&b->columns[i], span_of(value, len));
            }
        }
        b->row_count++;
    }
}

/* Value i of a dense column, PLAIN without length prefix. */
static inline struct span column_value(const struct column *c, uint32_t i)
{
    static const size_t widths[] = {1, 4, 8, 4, 8, 0, 0};
    size_t width = c->kind == COLUMN_KIND_FIXED ? c->fixed_bytes : widths[c->kind];

    return c->kind == COLUMN_KIND_BYTES ? column_bytes_at(c, i)
                                        : span_of(c->values.data + i * width, width);
}

/* One column of every kind and annotation. */
static const struct parquet_column_spec all_specs[] = {
    {.name = "b", .field_id = 1, .kind = COLUMN_KIND_BOOL},
    {.name = "i", .field_id = 2, .kind = COLUMN_KIND_INT32},
    {.name = "date", .field_id = 3, .kind = COLUMN_KIND_INT32, .logical = PARQUET_LOGICAL_DATE},
    {.name = "l", .field_id = 4, .kind = COLUMN_KIND_INT64},
    {.name = "ts",
     .field_id = 5,
     .kind = COLUMN_KIND_INT64,
     .logical = PARQUET_LOGICAL_TIMESTAMP_US},
    {.name = "tz",
     .field_id = 6,
     .kind = COLUMN_KIND_INT64,
     .logical = PARQUET_LOGICAL_TIMESTAMPTZ_US},
    {.name = "f", .field_id = 7, .kind = COLUMN_KIND_FLOAT},
    {.name = "d", .field_id = 8, .kind = COLUMN_KIND_DOUBLE},
    {.name = "s", .field_id = 9, .kind = COLUMN_KIND_BYTES, .logical = PARQUET_LOGICAL_STRING},
    {.name = "bin", .field_id = 10, .kind = COLUMN_KIND_BYTES},
    {.name = "u",
     .field_id = 11,
     .kind = COLUMN_KIND_FIXED,
     .fixed_bytes = 16,
     .logical = PARQUET_LOGICAL_UUID},
    {.name = "dec",
     .field_id = 12,
     .kind = COLUMN_KIND_FIXED,
     .fixed_bytes = 13,
     .logical = PARQUET_LOGICAL_DECIMAL,
     .precision = 30,
     .scale = 4},
    {.name = "dec9",
     .field_id = 13,
     .kind = COLUMN_KIND_INT32,
     .logical = PARQUET_LOGICAL_DECIMAL,
     .precision = 9,
     .scale = 2},
    {.name = "time", .field_id = 14, .kind = COLUMN_KIND_INT64, .logical = PARQUET_LOGICAL_TIME_US},
    {.name = "fix", .field_id = 15, .kind = COLUMN_KIND_FIXED, .fixed_bytes = 3},
};

#define ALL_SPECS ((uint32_t)(sizeof all_specs / sizeof all_specs[0]))

#endif
