/*
 * table_commit.h - files and checkpoint of tables, into the lake.
 *
 * Thread: the caller holds run->catalog_mutex.
 */
#ifndef CALVE_PIPELINE_TABLE_COMMIT_H
#define CALVE_PIPELINE_TABLE_COMMIT_H

#include "pipeline/checkpoint.h"
#include "pipeline/followed_table.h"
#include "pipeline/run.h"
#include "pipeline/watermarks.h"

#define TABLE_COMMITS_MAX (CATALOG_TOGETHER_MAX - 1) /* and the watermarks */

/*
 * The checkpoint that follows table->commit.expected at a place; deinit it unless it was
 * committed.
 */
MUST_USE enum err_code checkpoint_next(const struct run *run, const struct followed_table *table,
                                       const struct log_place *at, int64_t time_us, bool with_rows,
                                       struct checkpoint *out, struct err *e);

struct table_commit {
    struct followed_table *table;
    struct data_file_list *files; /* NULL: none */
    struct checkpoint next;       /* taken over as table->commit.expected once it is committed */
};

/* Rows of watermarks that move once tables are committed. */
struct rows_commit {
    struct watermarks *watermarks;
    struct watermarks_move move;
};

/*
 * At most TABLE_COMMITS_MAX, and the rows behind them; rows may be NULL. What they write goes to
 * the store at once; in one transaction where the catalog offers that, else one after another. Some
 * may be committed when others fail.
 *
 * Errors: ERR_FENCED when another process has moved a table's checkpoint.
 */
MUST_USE enum err_code table_commit_all(struct run *run, struct table_commit *tables,
                                        uint32_t count, struct rows_commit *rows, struct err *e);

/* One table; as struct table_commit and table_commit_all(). */
MUST_USE enum err_code table_commit_one(struct run *run, struct followed_table *table,
                                        struct data_file_list *files, struct checkpoint *next,
                                        struct rows_commit *rows, struct err *e);

#endif
