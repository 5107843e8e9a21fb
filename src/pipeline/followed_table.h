/*
 * followed_table.h - one source table that is being followed, cut into the parts of its threads.
 *
 * The struct is built before the threads start; afterwards each part is touched by its own thread
 * only.
 */
#ifndef CALVE_PIPELINE_FOLLOWED_TABLE_H
#define CALVE_PIPELINE_FOLLOWED_TABLE_H

#include "catalog/catalog.h"
#include "model/table_def.h"
#include "mysql/row_image.h"
#include "pipeline/checkpoint.h"
#include "pipeline/row_sink.h"
#include "pipeline/table_writer.h"

/* Open batches of one table; more days than this at once are rare. */
#define OPEN_BATCHES_MAX 4u

/* How the rows of one table map become payloads. Made by the source thread, read-only afterwards.
 */
struct table_plan {
    struct table_plan *next;
    struct row_plan *rows;
    struct json_sink *sink;
    const struct table_def *def; /* what the plan was checked against */
    struct buf map_body;         /* table map body after its table id */
};

struct open_batch {
    int32_t day;
    struct column_batch *batch;
    uint64_t last_use;
};

struct followed_table {
    /* Fixed after the start. */
    char *schema;
    char *name;
    char *full_name; /* "schema.name" */
    struct table_ident ident;
    char *location;
    unsigned lane;

    /* Source thread. */
    struct {
        const struct table_def *def; /* as of the position of the stream; NULL: the source has no
                                        such table there */
        bool assumed; /* def is the server's of now: what it was there nobody knows */
        bool joined;  /* def is in the schema of the stream */
        struct binlog_position adopted_to; /* def is the server's of there, and was accepted before;
                                              file "": it was not */
        const struct table_def *noted_def; /* as of the schema note's latest state; NULL: none */
        bool changed_since;                /* the start: what it was there is the schema note's */
        bool begins_later;                 /* its changelog: behind the start, by a copy */
        const struct table_def *cut_def;   /* these three as of the last cut */
        bool cut_assumed;
        bool cut_joined;
        struct table_plan *plans;
        struct table_plan *plan;         /* of the latest table map */
        struct binlog_position position; /* events up to here are in the table already */
        char server[SOURCE_BYTES];       /* whose position it is; "": that of the source */
        uint32_t log_created_s;          /* of the position's file; 0: not known */
        struct gtid_set *gtids; /* transactions in the table already; NULL: go by position */
        bool anonymous;         /* the set does not tell all that is in the table */
        bool foreign;           /* the position is none of the server that is read */
        bool level;             /* has what the stream's start has: there is nothing to skip */
        bool caught_up;         /* nothing is left to skip */
        bool inside;            /* the position may lie inside of a transaction: others wrote it */
        struct buf passed_map;  /* inside: the table map that was passed last */
        uint64_t skip_serial;   /* the transaction that skip_this was decided for */
        bool skip_this;
        bool touched;       /* by the statement that is being looked at */
        bool misfit;        /* the latest table map does not fit `def`: no plan */
        bool none_prepared; /* it began in this run, when no XA transaction was prepared */
        bool transactional; /* its engine takes rows back */
    } source;

    /* Decoding thread of the lane. */
    struct {
        struct open_batch batches[OPEN_BATCHES_MAX];
        uint32_t batch_count;
        uint64_t uses;
    } decode;

    /* Encoding thread of the lane. */
    struct table_writer *writer;

    /* Committer (and the runner before the threads start). */
    struct {
        struct checkpoint expected; /* what we last read or wrote; ordinal 0: none yet */
        bool exists;                /* in the catalog */
        bool made;                  /* by this run: an old watermark says nothing */
        bool start_due;             /* to be made with `expected`, before the first cut */
        bool vanished;              /* from the source, while the run was starting */
        bool backfill_complete;
        bool outrun;     /* by another program: the checkpoint's definition is of before that */
        bool stale_mark; /* the watermark is of a table that was dropped */
        bool ahead;      /* at the start it had transactions that cuts may not have: source.gtids */
        const struct table_def *def; /* of the next checkpoint; NULL: gone or not known */
        bool gone;                   /* of the next checkpoint */
    } commit;

    /* Definitions read while running live here; by the runner, later by the source thread. */
    struct arena arena;
};

MUST_USE enum err_code followed_table_new(const char *schema, const char *name,
                                          const char *location, struct followed_table **out,
                                          struct err *e);
void followed_table_free(struct followed_table *t);

/* Whether the table has a place to follow from. Thread: source, or the runner before it. */
static inline bool followed_table_has_position(const struct followed_table *t)
{
    return t->source.position.file[0] != '\0' || t->source.gtids != NULL;
}

/*
 * The plan for a table map: an earlier one when the same body came before under the same
 * definition. Thread: source. Errors: as row_plan_new.
 */
MUST_USE enum err_code followed_table_plan(struct followed_table *t, struct span map_event_body,
                                           struct err *e);

#endif
