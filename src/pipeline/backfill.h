/*
 * backfill.h - the copy of a whole table: the low watermark, every row as a `backfill` event, one
 * commit.
 *
 * Nothing of a copy is visible before the commit that holds all of it together with the position
 * that following starts from; a copy that was killed starts over. Two threads share the work of one
 * table: the caller's reads and makes payloads, another encodes and writes files.
 *
 * Thread: backfill_table on any number of threads, each with a table of its own.
 */
#ifndef CALVE_PIPELINE_BACKFILL_H
#define CALVE_PIPELINE_BACKFILL_H

#include "pipeline/committer.h"
#include "pipeline/run.h"
#include "pipeline/watermarks.h"

struct backfill_options {
    struct run *run;
    struct watermarks *watermarks; /* by whoever holds run->catalog_mutex */
    size_t memory_bytes;           /* for rows on their way */
};

/*
 * Copies the table and commits copy, checkpoint and watermark. A table that has a position already
 * keeps it. Reads the definition anew into table->source.def.
 *
 * Errors: ERR_SOURCE and ERR_IO of the connection (retryable ones are tried again from the start of
 *         the table), ERR_FENCED, the store's; ERR_CANCELLED when the run is to stop.
 */
MUST_USE enum err_code backfill_table(const struct backfill_options *options,
                                      struct followed_table *table, struct err *e);

#endif
