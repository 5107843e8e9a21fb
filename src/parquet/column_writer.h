/*
 * column_writer.h - one column: pages of the open row group, statistics, metrics over the whole
 * file.
 *
 * Thread: as its writer.
 */
#ifndef CALVE_PARQUET_COLUMN_WRITER_H
#define CALVE_PARQUET_COLUMN_WRITER_H

#include "codec/compress.h"
#include "parquet/dictionary.h"
#include "parquet/format.h"

/* Least and greatest value so far, exact. */
struct column_range {
    bool known;
    struct buf min;
    struct buf max;
};

struct column_writer {
    struct parquet_column_spec spec;
    enum parquet_codec codec;
    struct zstd_encoder *encoder; /* not owned */

    /* The open row group. */
    struct buf pages;        /* data pages, headers included */
    struct buf index;        /* struct page_entry of each page */
    struct buf index_bounds; /* bytes that page entries point into */
    struct dictionary dictionary;
    bool use_dictionary;
    uint32_t dictionary_pages;
    uint32_t page_count;
    struct parquet_chunk chunk; /* counts; offsets come at the end */
    struct column_range range;
    bool all_pages_known; /* each page of values has bounds: a column index can be written */

    /* The file. */
    struct parquet_column_metrics metrics; /* counts; bounds come from file_range */
    struct column_range file_range;
    unsigned skip_dictionary; /* row groups left in which no dictionary is tried */

    /* Reused for each page. */
    struct buf ids;
    struct buf body;
    struct buf packed;
};

void column_writer_init(struct column_writer *w, const struct parquet_column_spec *spec,
                        enum parquet_codec codec, struct zstd_encoder *encoder);
void column_writer_deinit(struct column_writer *w);

/* Adds one page. first_row counts in the row group. */
MUST_USE enum err_code column_writer_page(struct column_writer *w, const struct column *c,
                                          uint32_t rows, int64_t first_row, struct err *e);

/*
 * Ends the row group: *dictionary gets the dictionary page (or nothing), w->chunk is complete for a
 * chunk that starts at file offset `at`; the index structures are appended to column_index and
 * offset_index (w->chunk's index lengths are set, the offsets are relative to those buffers).
 * Bounds in w->chunk point into arena.
 */
MUST_USE enum err_code column_writer_end_group(struct column_writer *w, int64_t at,
                                               struct buf *dictionary, struct buf *column_index,
                                               struct buf *offset_index, struct arena *arena,
                                               struct err *e);

/* Makes ready for the next row group. */
void column_writer_next_group(struct column_writer *w);

#endif
