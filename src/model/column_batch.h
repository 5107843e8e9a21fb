/*
 * column_batch.h - rows as columns, on their way from a row sink to a Parquet writer.
 *
 * A batch becomes exactly one page in each column chunk, so its maker keeps it at or below
 * COLUMN_BATCH_ROWS_MAX rows and about COLUMN_BATCH_BYTES_TARGET bytes (a single larger value is
 * fine).
 *
 * Values are dense: only non-null values are stored. A column without nulls leaves `validity`
 * empty. A BYTES column is laid out as Parquet's PLAIN encoding wants it (u32le length, then the
 * bytes, value after value), so that a page is written without another copy; offsets[i] is where
 * value i's length starts, and offsets[value_count] the end.
 *
 * Owns:   all its buffers. Thread: belongs to one, moves by queue.
 */
#ifndef CALVE_MODEL_COLUMN_BATCH_H
#define CALVE_MODEL_COLUMN_BATCH_H

#include "base/buf.h"

#define COLUMN_BATCH_ROWS_MAX     20000u
#define COLUMN_BATCH_BYTES_TARGET ((size_t)1 << 20)

enum column_kind {
    COLUMN_KIND_BOOL,  /* one byte a value, 0 or 1 */
    COLUMN_KIND_INT32, /* int32_t */
    COLUMN_KIND_INT64, /* int64_t */
    COLUMN_KIND_FLOAT,
    COLUMN_KIND_DOUBLE,
    COLUMN_KIND_BYTES, /* see above */
    COLUMN_KIND_FIXED, /* fixed_bytes a value */
};

struct column {
    enum column_kind kind;
    uint32_t fixed_bytes; /* FIXED only */
    uint32_t value_count; /* non-null values */
    struct buf values;
    struct buf offsets;  /* BYTES: uint32_t[value_count + 1], the leading 0 included once a value is
                            there */
    struct buf validity; /* one byte a row, 1 = value, 0 = null; empty when no row is null */
};

struct column_batch {
    struct column *columns;
    uint32_t column_count;
    uint32_t row_count;
};

/* Columns are set up by the caller through kinds[]; NULL when there is no memory. */
struct column_batch *column_batch_new(const enum column_kind *kinds, uint32_t column_count);
void column_batch_free(struct column_batch *b);

/* Empty again, memory kept. */
void column_batch_reset(struct column_batch *b);

/* Bytes of values held. */
size_t column_batch_bytes(const struct column_batch *b);

/* First failed buffer's reason, or ERR_OK. */
MUST_USE enum err_code column_batch_check(const struct column_batch *b, struct err *e);

static inline void column_put_i64(struct column *c, int64_t v)
{
    buf_append(&c->values, &v, sizeof v);
    c->value_count++;
}

static inline void column_put_i32(struct column *c, int32_t v)
{
    buf_append(&c->values, &v, sizeof v);
    c->value_count++;
}

/* A whole BYTES value. */
void column_put_bytes(struct column *c, struct span v);

/*
 * A BYTES value written in place: begin, append to c->values, end. The bytes appended between the
 * two are the value; a value above 2^31 - 64 bytes makes the buffer fail with ERR_LIMIT.
 */
void column_begin_bytes(struct column *c);
void column_end_bytes(struct column *c);

/* Takes back a BYTES value that was begun and not ended. */
void column_abandon_bytes(struct column *c);

/* Value i of a BYTES column, in place. */
struct span column_bytes_at(const struct column *c, uint32_t i);

/* The next row has (or has not) a value in this column; rows is the batch's row_count before it. */
void column_put_validity(struct column *c, uint32_t rows, bool has_value);

#endif
