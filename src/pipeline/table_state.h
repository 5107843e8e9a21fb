/*
 * table_state.h - where a table stands in the lake when a run starts: whether it is there, how far
 * it is, whether it was copied.
 *
 * The position of a table is the later of its checkpoint (in its own metadata) and its watermark
 * row; both are read anew at each start, nothing else is (docs/delivery.md).
 *
 * Thread: the runner's, before threads start; table_state_create also a copy's.
 */
#ifndef CALVE_PIPELINE_TABLE_STATE_H
#define CALVE_PIPELINE_TABLE_STATE_H

#include "pipeline/followed_table.h"
#include "pipeline/run.h"
#include "pipeline/watermarks.h"

/*
 * Fills table->commit and the place in table->source; a table without a position has an empty file
 * name there. Caller holds run->catalog_mutex.
 *
 * Errors: ERR_CONFIG  the Iceberg table has rows but no position, or is no changelog
 *         ERR_SOURCE  its position is one of another server, and there is no GTID set
 *         ERR_CORRUPT its checkpoint cannot be read
 */
MUST_USE enum err_code table_state_load(struct run *run, const struct watermarks *watermarks,
                                        struct followed_table *table, struct err *e);

/* Creates the Iceberg table unless it is there; first: the checkpoint that it has then, NULL for
 * none. Caller holds run->catalog_mutex. */
MUST_USE enum err_code table_state_create(struct run *run, struct followed_table *table,
                                          const struct checkpoint *first, struct err *e);

/*
 * A table starts at the place of its checkpoint, commit.expected: it is made if that is due, and
 * its row is due from then on. Caller holds run->catalog_mutex. Thread: also the committer's.
 */
MUST_USE enum err_code table_start(struct run *run, struct watermarks *watermarks,
                                   struct followed_table *table, struct err *e);

/*
 * Whether the watermark row lags the checkpoint: a run ended between the two commits. Errors:
 * ERR_CORRUPT a GTID set that cannot be read.
 */
MUST_USE enum err_code table_state_watermark_lags(const struct watermarks *watermarks,
                                                  const struct followed_table *table, bool *out,
                                                  struct err *e);

#endif
