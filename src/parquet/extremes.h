/*
 * extremes.h - the least and the greatest value of a column, in Parquet's TYPE_ORDER.
 *
 * Numbers by value, texts, binaries and UUIDs by unsigned bytes, decimals by value. NaN is never a
 * bound; a least value of zero is -0.0, a greatest one +0.0, so that both zeros are within.
 *
 * Spec: apache/parquet-format parquet.thrift, ColumnOrder.
 * Thread: any.
 */
#ifndef CALVE_PARQUET_EXTREMES_H
#define CALVE_PARQUET_EXTREMES_H

#include "model/column_batch.h"
#include "parquet/writer.h"

struct extremes {
    bool known; /* false when there are no values, or only NaN */
    struct span min;
    struct span max;
    uint64_t nan_count;
    uint8_t scratch[16]; /* min and max of numbers point here: do not copy the struct */
};

/* The spans point into the column or into *out. */
void extremes_find(const struct parquet_column_spec *spec, const struct column *c,
                   struct extremes *out);

/* Below, at or above 0 as a is less than, equal to or greater than b. Not for NaN. */
int extremes_compare(const struct parquet_column_spec *spec, struct span a, struct span b);

#endif
