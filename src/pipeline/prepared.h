/*
 * prepared.h - the prepared XA transactions that a source has, as far as it was read.
 *
 * A transaction enters when its PREPARE was read, with the rows it holds of followed tables, and
 * ends with its COMMIT or ROLLBACK. It is in the note that goes to the lake with each cut from the
 * cut after its PREPARE until all its tables are past its COMMIT, so that a start which knows
 * nothing else reads the PREPARE again. What a cut has not seen yet is taken back by a rewind to
 * that cut, so ended transactions stay until then.
 *
 * Note:
 * {"version":1,"source":..,"tables":[[schema,name],..],"open":[{"xid":"X'..',X'..',1","file":..,
 *        "pos":..,"gtid":..,"before":..,"tables":[[schema,name],..],"done":{"file":..,"pos":..,"gtid":..}},..]}
 * `tables` at the top are those that were followed: of others nobody knows whether they have rows.
 *
 * Owns:   its transactions and their rows.
 * Thread: source (and before it starts, the runner's).
 */
#ifndef CALVE_PIPELINE_PREPARED_H
#define CALVE_PIPELINE_PREPARED_H

#include "mysql/xid.h"
#include "pipeline/held_rows.h"

#define PREPARED_GTID_BYTES 112u

struct prepared_place {
    struct binlog_position position; /* file "" when not known */
    char gtid[PREPARED_GTID_BYTES];  /* "" when there is none */
};

enum prepared_state {
    PREPARED_OPEN,
    PREPARED_COMMITTED, /* since the last cut */
    PREPARED_USELESS,   /* since the last cut rolled back, or found to be in all tables */
    PREPARED_LEFT,      /* committed before the last cut; out of the next note */
    PREPARED_OWED,      /* the same, to tables that this run does not follow */
};

struct prepared {
    struct prepared *next; /* in the order of the log */
    struct prepared *chain;
    struct xid xid;
    enum prepared_state state;
    struct prepared_place start; /* where its group starts, and the group's own GTID */
    struct prepared_place done;  /* end and GTID of the group that commits it */
    char *before;                /* MariaDB: the GTID position at its start; else NULL */
    struct held_rows *rows;      /* NULL: none of followed tables, or awaited */
    bool awaited;                /* known from the note; its PREPARE is to be read again */
    bool at_cut;                 /* it was open at the last cut */
    uint32_t *tables;            /* indexes of names: have rows that are not in the lake */
    uint32_t table_count;
};

struct prepared_list;

/* Tables and source outlive it; source is whose positions it is given, and may change: see below.
 */
MUST_USE enum err_code prepared_list_new(struct followed_table *const *tables, uint32_t table_count,
                                         const char *source, struct prepared_list **out,
                                         struct err *e);
void prepared_list_free(struct prepared_list *l);

/*
 * Takes a note of an earlier run; NULL is none. Transactions that a table of this run lacks become
 * awaited. Errors: ERR_CORRUPT.
 */
MUST_USE enum err_code prepared_list_read(struct prepared_list *l, const char *note, struct err *e);

/*
 * Moves a place to start from so that all awaited PREPAREs are read again. *gtids is NULL when
 * going by position. Errors: ERR_SOURCE that is not possible.
 */
MUST_USE enum err_code prepared_list_move_start(const struct prepared_list *l,
                                                struct binlog_position *position,
                                                struct gtid_set **gtids, struct err *e);

/* The source is going to be another server: positions so far say nothing about its log. */
void prepared_list_leave_source(struct prepared_list *l);

/* The oldest awaited one, or NULL. */
const struct prepared *prepared_list_awaited(const struct prepared_list *l);

/* How many are open. */
uint32_t prepared_list_open(const struct prepared_list *l);

/* The open transaction of this name, or NULL. */
struct prepared *prepared_list_find(const struct prepared_list *l, const struct xid *xid);

/*
 * A PREPARE was read. An open one of the name is the same, read before, and gets the rows. Takes
 * rows over (also when it fails); NULL: none. before: see struct prepared, copied.
 */
MUST_USE enum err_code prepared_list_add(struct prepared_list *l, const struct xid *xid,
                                         const struct prepared_place *start, const char *before,
                                         struct held_rows *rows, struct err *e);

/* Whether a table has, or may have, rows in it that are not known: those could not be read again.
 */
bool prepared_lacks_rows(const struct prepared_list *l, const struct prepared *p,
                         const struct followed_table *t);

/* It ended at a place that the next cut has, and that with `everywhere` all tables of the run had.
 */
void prepared_list_end(struct prepared_list *l, struct prepared *p, bool committed, bool everywhere,
                       const struct prepared_place *done);

/* The note for a cut that is made now: "" when there is nothing to note. */
MUST_USE enum err_code prepared_list_note(const struct prepared_list *l, struct buf *out,
                                          struct err *e);

/* The cut was made. */
void prepared_list_cut(struct prepared_list *l);

/* Everything is as it was at the last cut. */
void prepared_list_rewind(struct prepared_list *l);

#endif
