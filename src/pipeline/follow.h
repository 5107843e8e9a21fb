/*
 * follow.h - the source thread: reads the binlog, tracks transactions and DDL, routes rows events
 * to the lanes and decides where cuts fall. The only thread that knows positions.
 *
 * A cut falls on a transaction end. When the connection breaks, rows since the last cut are
 * discarded and reading starts again there (or right at the last transaction end, when no
 * transaction was open).
 *
 * Rows of a prepared XA transaction are held until it ends. So are those of transactions that may
 * be rolled back in part, once the source has shown that it logs such.
 */
#ifndef CALVE_PIPELINE_FOLLOW_H
#define CALVE_PIPELINE_FOLLOW_H

#include "pipeline/lane.h"
#include "pipeline/log_place.h"
#include "pipeline/run.h"

/*
 * A table that came to a name which the globs choose: following ends in front of the statement, at
 * `position`, for the table to be taken in.
 */
struct follow_join {
    bool wanted;
    bool has_rows; /* that are not in the log behind `position`, or how it looks nobody knows */
    char *schema;
    char *name;
    char source[SOURCE_BYTES]; /* whose position that is */
    struct binlog_position position;
    uint32_t log_created_s;
    bool anonymous;               /* the set does not tell all before it */
    struct gtid_set *gtids;       /* NULL: the source has none */
    struct binlog_position until; /* where the run ends; file "" when not by position */
};

void follow_join_deinit(struct follow_join *j);

struct follow_options {
    struct run *run;
    struct followed_table *const *tables;
    uint32_t table_count;
    struct lane *const *lanes;
    unsigned lane_count;
    bool icase;         /* the server compares table names without case */
    const char *source; /* whose position `start` is; "": the tables stand on several servers */
    struct binlog_position start;
    uint32_t start_created_s;           /* when its file was begun; 0: not known */
    const struct gtid_set *start_gtids; /* NULL: by position; not owned */
    const char *prepared_note;          /* of earlier runs: see prepared.h; NULL: none; not kept */
    const struct gtid_set *known_gtids; /* what any table has; NULL: by position; not owned */
    bool start_anonymous; /* some tables have transactions that the sets do not tell */
    bool start_inside;    /* the position may lie inside of a transaction */
    const char *replica_uuid;
    bool until_moves;         /* the end was asked for as "current": it may come somewhat later */
    const char *schema_note;  /* WATERMARK_NOTE_SCHEMA; NULL: there is none */
    struct follow_join *join; /* filled when the run of it ends for a new table; the caller's */
};

struct follow;

/* Prepares; the thread starts with follow_run. */
MUST_USE enum err_code follow_new(const struct follow_options *options, struct follow **out,
                                  struct err *e);

/*
 * Learns what definitions held at the start; once, before follow_run. Asks the source. *note is a
 * WATERMARK_NOTE_SCHEMA to be written before any table is committed, or NULL; free() it.
 */
MUST_USE enum err_code follow_schema_open(struct follow *f, char **note, struct err *e);

/*
 * Follows until the run's `until`, a stop request or a failure; makes the final cut before a
 * graceful end. Thread: the source thread.
 */
MUST_USE enum err_code follow_run(struct follow *f, struct err *e);

/* Makes a blocked read end soon. Thread: any. */
void follow_interrupt(struct follow *f);

void follow_free(struct follow *f);

#endif
