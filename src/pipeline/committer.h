/*
 * committer.h - the thread that makes cuts visible: one snapshot per table with rows, then the
 * watermarks of all tables.
 *
 * Thread: start and join by the runner; the rest runs in the committer's own thread.
 */
#ifndef CALVE_PIPELINE_COMMITTER_H
#define CALVE_PIPELINE_COMMITTER_H

#include "base/queue.h"
#include "pipeline/cut.h"
#include "pipeline/run.h"
#include "pipeline/watermarks.h"

struct committer_options {
    struct run *run;
    struct followed_table *const *tables;
    uint32_t table_count;
    unsigned lane_count;
    struct watermarks *watermarks;
    struct queue *parts; /* struct cut_part; closed by the runner after the lanes have ended */
};

struct committer;

MUST_USE enum err_code committer_start(const struct committer_options *options,
                                       struct committer **out, struct err *e);
void committer_join(struct committer *c); /* waits and frees */

/*
 * Commits files and checkpoint of one table; also used by backfill. `next` is taken over on success
 * as table->commit.expected. Caller holds run->catalog_mutex.
 *
 * Errors: ERR_FENCED when another process has moved the table's checkpoint.
 */
MUST_USE enum err_code commit_table(struct run *run, struct followed_table *table,
                                    struct data_file_list *files, struct checkpoint *next,
                                    struct err *e);

/*
 * The checkpoint that follows table->commit.expected at a place; deinit it unless it was
 * committed.
 */
MUST_USE enum err_code checkpoint_next(const struct run *run, const struct followed_table *table,
                                       const struct log_place *at, int64_t time_us, bool with_rows,
                                       struct checkpoint *out, struct err *e);

#endif
