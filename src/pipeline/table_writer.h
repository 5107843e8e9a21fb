/*
 * table_writer.h - batches of one table into Parquet files, one open file per partition day.
 *
 * Files appear under <location>/data and belong to nobody until a commit names them. Row groups go
 * to the store as they fill, so a transaction of any size needs bounded memory.
 *
 * Thread: one at a time.
 */
#ifndef CALVE_PIPELINE_TABLE_WRITER_H
#define CALVE_PIPELINE_TABLE_WRITER_H

#include "base/rand.h"
#include "iceberg/data_file.h"
#include "model/column_batch.h"
#include "storage/store.h"

struct table_writer_options {
    struct store *store;
    const char *location; /* table location; copied */
    const struct iceberg_schema *schema;
    bool by_day;
    int zstd_level;
    struct zstd_encoder *encoder; /* of this thread, not owned; NULL: each file has its own */
    size_t row_group_bytes;
    uint64_t target_file_bytes;
    uint64_t seed; /* for file names */
};

struct table_writer;

/* Files of a cut, in the order they were finished. */
struct data_file_list {
    struct iceberg_data_file **files;
    uint32_t count;
    uint32_t capacity;
};

void data_file_list_deinit(struct data_file_list *l); /* frees the files too */

MUST_USE enum err_code table_writer_new(const struct table_writer_options *options,
                                        struct table_writer **out, struct err *e);

/* Abandons what is open, removes what was finished and not taken. NULL is fine. */
void table_writer_free(struct table_writer *w);

/* Appends a batch whose rows all lie on `day`. */
MUST_USE enum err_code table_writer_write(struct table_writer *w, int32_t day,
                                          const struct column_batch *batch, struct err *e);

/* Bytes that open files hold in memory: open row groups, and what the store keeps of them. */
uint64_t table_writer_buffered(const struct table_writer *w);

/* Finishes the open files and keeps them for the next take: gives memory back before a cut. */
MUST_USE enum err_code table_writer_spill(struct table_writer *w, struct err *e);

/* Finishes everything and appends the files to out, which owns them from then on. */
MUST_USE enum err_code table_writer_take(struct table_writer *w, struct data_file_list *out,
                                         struct err *e);

/* Drops all rows since the last take. */
MUST_USE enum err_code table_writer_discard(struct table_writer *w, struct err *e);

#endif
