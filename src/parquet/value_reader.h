/*
 * value_reader.h - the pages of a column chunk as a column: levels, PLAIN values, dictionary ids.
 *
 * Spec: apache/parquet-format Encodings.md.
 * Thread: one at a time.
 */
#ifndef CALVE_PARQUET_VALUE_READER_H
#define CALVE_PARQUET_VALUE_READER_H

#include "model/column_batch.h"
#include "parquet/page_reader.h"
#include "parquet/reader.h"

struct value_reader {
    const struct parquet_reader_column *column;
    struct column *out;
    uint64_t rows_left;
    uint64_t rows_read;
    uint64_t nulls;

    bool has_dictionary;
    uint32_t dictionary_count;
    struct buf dictionary; /* PLAIN */
    struct buf starts;     /* BYTES: uint32_t, where each entry's length starts, and the end */
    struct buf ids;        /* uint32_t: levels, then ids, of one page */
};

void value_reader_deinit(struct value_reader *v);

/* out is emptied and gets the kind of the column; its buffers hold at most bytes_max each. */
MUST_USE enum err_code value_reader_start(struct value_reader *v,
                                          const struct parquet_reader_column *column, uint64_t rows,
                                          size_t bytes_max, struct column *out, struct err *e);

/* Takes a page of any type; one that is neither data nor dictionary is stepped over. */
MUST_USE enum err_code value_reader_page(struct value_reader *v, const struct page *page,
                                         struct err *e);

#endif
