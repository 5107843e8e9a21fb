/*
 * committer.h - the thread that makes cuts visible: one snapshot per table with rows, of
 * several tables at once where the catalog offers that, then the watermarks of all tables. Before
 * the first cut it makes the tables that start now, and writes what of the watermarks is due.
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

#endif
