/*
 * lane.h - a pair of threads that turn rows events into Parquet files: one decodes, one encodes.
 *
 * A table belongs to one lane, so its rows keep their order. The source thread pushes slabs; at a
 * cut the lane finishes its files and hands them to the committer's queue.
 *
 *   source -> [slab queue] -> decoder -> [batch queue] -> encoder -> [committer's queue]
 */
#ifndef CALVE_PIPELINE_LANE_H
#define CALVE_PIPELINE_LANE_H

#include "base/queue.h"
#include "pipeline/cut.h"
#include "pipeline/run.h"

/*
 * Rows events of a slab share a log file. Each is a slab_entry followed by the event's body. An
 * entry without a plan is a mark: one row of the changelog that says what a statement did to the
 * table. Its body is the event type's name, a NUL, and the payload.
 */
struct slab_entry {
    struct followed_table *table;
    const struct table_plan *plan;
    uint64_t log_position;
    uint32_t timestamp_s;
    uint32_t body_bytes;
    uint8_t event_type;
};

enum slab_kind {
    SLAB_ROWS,
    SLAB_CUT,     /* everything before it belongs to the cut */
    SLAB_DISCARD, /* drop all rows since the last cut */
};

struct slab {
    struct queue_link link;
    enum slab_kind kind;
    struct buf bytes;
    char log_file[BINLOG_FILE_BYTES];
    struct cut *cut; /* not owned */
};

void slab_free(struct slab *s);

struct lane_options {
    struct run *run;
    struct followed_table *const *tables; /* all followed tables; a lane takes its own */
    uint32_t table_count;
    unsigned number;
    size_t memory_bytes;     /* for queues and open row groups */
    struct queue *committer; /* gets a cut_part for every cut */
};

struct lane;

/* Starts the threads. */
MUST_USE enum err_code lane_start(const struct lane_options *options, struct lane **out,
                                  struct err *e);

/* Hands a slab over; false (and the slab is freed) when the run has failed. Thread: source. */
MUST_USE bool lane_push(struct lane *l, struct slab *s);

/* Lets the threads drain and end; after a failure they drop what they hold. Thread: any. */
void lane_close(struct lane *l);

/* Wakes the threads after a failure. Thread: any. */
void lane_abort(struct lane *l);

/* Waits for the threads and frees the lane. */
void lane_join(struct lane *l);

#endif
