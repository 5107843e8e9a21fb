/*
 * runner_int.h - the runner's state, shared by runner.c (the order of things), runner_tables.c
 * (which tables, where they stand), runner_copy.c (backfill workers) and runner_follow.c (threads
 * that follow).
 */
#ifndef CALVE_PIPELINE_RUNNER_INT_H
#define CALVE_PIPELINE_RUNNER_INT_H

#include "pipeline/follow.h"
#include "pipeline/runner.h"
#include "pipeline/sweeper.h"
#include "pipeline/watermarks.h"

struct runner {
    struct run run;
    struct run_options options; /* what run.options points to: `until` becomes a position here */
    struct watermarks *watermarks;
    struct sweeper *sweeper; /* NULL: none has started */
    struct followed_table **tables;
    uint32_t table_count;
    uint32_t table_capacity;
    bool icase; /* the server compares table names without case */
    char replica_uuid[UUID_TEXT_BYTES];
    bool until_moves;        /* `until` was "current" at first */
    struct follow_join join; /* what the last following ended for */
};

/* Connects and finds the chosen tables with their definitions. */
MUST_USE enum err_code runner_find_tables(struct runner *r, struct err *e);

/* Warns of tables whose rows change without the binlog. Errors: the server's. */
MUST_USE enum err_code runner_warn_of_cascades(struct runner *r, struct mysql_conn *conn,
                                               struct err *e);

/* Reads where each table stands and brings watermark rows level with checkpoints. */
MUST_USE enum err_code runner_load_states(struct runner *r, struct err *e);

/* Copies the tables that are to be copied. ERR_OK also when the run was asked to stop. */
MUST_USE enum err_code runner_copy(struct runner *r, struct err *e);

/* Gives tables without a position the one that `from` names. */
MUST_USE enum err_code runner_start_new_tables(struct runner *r, struct err *e);

/* A table starts at a place: what of it is not committed at once is due, and the committer's. */
MUST_USE enum err_code runner_commit_start(struct runner *r, struct followed_table *t,
                                           const struct log_place *at, const struct gtid_set *gtids,
                                           struct err *e);

/* Appends a table; it has no definition yet. */
MUST_USE enum err_code runner_add_table(struct runner *r, const char *schema, const char *name,
                                        struct err *e);

/*
 * Whether the run may go on without a table that was dropped as it was to be copied: no glob names
 * it. It is then left out by the next call of runner_leave_vanished.
 */
bool runner_may_vanish(struct runner *r, struct followed_table *t, const struct err *why);
void runner_leave_vanished(struct runner *r);

/* ERR_SOURCE when no table is left. */
MUST_USE enum err_code runner_check_any(const struct runner *r, struct err *e);

/* NULL: none of this name. */
struct followed_table *runner_find_table(const struct runner *r, const char *schema,
                                         const char *name);

/* Takes in the table that following ended for. */
MUST_USE enum err_code runner_join(struct runner *r, struct err *e);

/* Follows until the end of the run, or until r->join is wanted. */
MUST_USE enum err_code runner_follow(struct runner *r, struct err *e);

/* Waits a little, looks at stop requests and shows progress. False when the run is ending. */
bool runner_poll(struct runner *r);

/* Starts what on_fail is to wake; NULL ends it. */
void runner_on_fail(struct runner *r, void (*on_fail)(void *ctx), void *ctx);

#endif
