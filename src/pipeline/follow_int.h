/*
 * follow_int.h - the source thread's state, shared by follow.c (connection, cuts), follow_event.c
 * (what each event does), follow_rows.c, follow_statement.c, follow_hold.c (rows that wait for
 * their transaction's end) and follow_xa.c.
 */
#ifndef CALVE_PIPELINE_FOLLOW_INT_H
#define CALVE_PIPELINE_FOLLOW_INT_H

#include "mysql/schema.h"
#include "mysql/snapshot.h"
#include "mysql/statement.h"
#include "pipeline/follow.h"
#include "pipeline/prepared.h"
#include "pipeline/source_check.h"

#define TABLE_IDS_MAX        1024u
#define SQL_MODE_ANSI_QUOTES 0x4u

/* The latest table map of an id: whose rows they are, NULL for tables that nobody follows. */
struct table_id_slot {
    bool used;
    uint64_t id;
    struct followed_table *table;
};

/* Charsets of databases as of a place that the stream has not reached: follow_charsets.c. */
struct later_charset;
struct follow_charsets {
    struct low_watermark at;
    char source[SOURCE_BYTES]; /* whose position that is */
    struct later_charset *first;
};

struct follow {
    struct follow_options options;
    struct run *run;

    pthread_mutex_t mutex; /* guards stream, for follow_interrupt */
    struct binlog_stream *stream;
    bool interrupted;

    /* The transaction that is being read. */
    struct {
        bool open;   /* between its start and its end */
        bool begun;  /* a BEGIN was seen, or the GTID event says that there is none */
        bool routed; /* some of its rows went to a lane */
        bool xa;     /* it may end prepared; `xid` is its name */
        bool kept;   /* all of `held` waits for its end, however much that is */
        enum binlog_alter_phase phase; /* MariaDB says it here, for the statement that follows */
        struct gtid gtid;
        struct xid xid;
        uint64_t serial; /* counts transactions of this run */
        struct binlog_position start;
        struct held_rows *held; /* its rows, if they wait; else they go to the lanes */
    } txn;

    struct held_store *held;
    struct prepared_list *prepared;
    char *noted; /* the note of prepared transactions that the lake has, or is about to */
    /* The stream started in front of here for prepared rows: all else up to here is in all tables,
     * and the definitions are of here. File "": it did not. */
    struct binlog_position known_to;
    bool holds; /* the source writes transactions of which rows are taken back */
    struct binlog_position hold_to; /* all of those that start up to here are kept */
    bool rereads;                   /* going back to the last cut for that, not for trouble */

    char source[SOURCE_BYTES];      /* whose position `end` is; "": not known yet */
    struct gtid_set *executed;      /* up to `end`; NULL when the source has none */
    struct binlog_position end;     /* end of the last whole transaction */
    struct gtid_set *cut_gtids;     /* executed at the last cut */
    struct binlog_position cut_end; /* `end` at the last cut */
    bool end_is_exact;              /* `end` was read from the log, not taken from the lake */
    bool moved;                     /* something ended since the last cut */
    bool rows_since_cut;
    uint64_t rows_decoded_at_cut;
    uint64_t bytes_since_cut;
    int64_t cut_us;     /* monotonic time of the last cut */
    uint64_t cuts_sent; /* compares with the run's cuts_committed */

    char log_file[BINLOG_FILE_BYTES]; /* whose first event was read last */
    uint32_t log_created_s;           /* when it was begun; 0: not known */
    bool file_is_kept;                /* the source has the file of `end` still */
    bool by_position;                 /* the dump was asked for by position */
    bool wants_position;              /* the next dump has to be */
    struct binlog_position damaged; /* where the source's log could not be read; file "": nowhere */
    bool anonymous;                 /* transactions without GTIDs came after the last with one */
    bool behind;                    /* the last try found servers that lack what the lake has */
    int64_t refused_since_us;       /* monotonic: since then no server that answers will do; or 0 */

    unsigned events_unwatched; /* since the last look at the clock for it */
    int64_t purge_looked_us;   /* monotonic; 0: never */
    int64_t purge_warned_us;

    struct table_id_slot ids[TABLE_IDS_MAX]; /* hashed; full ones push on to the next */
    uint32_t id_count;
    bool statement_ended; /* by the rows event before */
    struct slab **slabs;  /* the open slab of each lane, or NULL */

    struct gtid_set *until_gtids;
    struct binlog_position until; /* file "" when not by position */
    struct gtid_set *until_noted; /* what the source had at `until`; NULL: not known */
    bool until_current;           /* `until` is where the next source's binlog ends */
    bool done;

    struct schema *schema; /* definitions as of the place of the stream */
    char *schema_state;    /* schema_note_state() as of the last note, or the start; NULL: none */
    struct binlog_position adopted_to; /* no cut falls before: accepted definitions are of there,
                                          and may prove wrong up to it; file "": anywhere */
    struct gtid_set *note_gtids;       /* of options.start, if that is the note's place */
    char *later_note; /* of a place that the stream has not reached: it stays; or NULL */
    struct follow_charsets charsets;
    uint32_t apart;    /* tables that have not joined */
    bool defs_changed; /* of followed tables, since the last cut */
    bool tainted;      /* a statement was applied by halves: no cut may follow */
    struct err last;   /* what the run ends for, once what came before is read again */
};

/* One event. f->done is set when the end that was asked for is reached. */
MUST_USE enum err_code follow_event(struct follow *f, const struct binlog_event *ev, struct err *e);

/* Whether the table has this event's transaction already, from before a restart. */
bool follow_is_in_table(struct follow *f, struct followed_table *t, const struct binlog_event *ev);

MUST_USE enum err_code follow_table_map(struct follow *f, const struct binlog_event *ev,
                                        struct err *e);
MUST_USE enum err_code follow_rows(struct follow *f, const struct binlog_event *ev, struct err *e);

/* The followed table of a name as the log has it; NULL when nobody follows it. */
struct followed_table *follow_find_table(const struct follow *f, struct span schema,
                                         struct span name);

/* One row that says what a statement did to the table. payload is JSON. */
MUST_USE enum err_code follow_put_mark(struct follow *f, struct followed_table *t,
                                       const struct binlog_event *ev, const char *event_type,
                                       struct span payload, struct err *e);

/* A table whose rows of now on are due: its definition counts from here. */
MUST_USE enum err_code follow_schema_join(struct follow *f, struct followed_table *t,
                                          struct err *e);

/*
 * Between transactions: tables whose place the stream has reached join it. A cut falls there, so
 * that no start can lie between the places that the schema note knows.
 */
MUST_USE enum err_code follow_schema_catch_up(struct follow *f, struct err *e);

/* Whether definitions or what they depend on changed since the last cut. */
bool follow_schema_changed(const struct follow *f);

/* Whether a glob may choose tables of the database. */
bool follow_keeps_database(const struct follow *f, const char *database);

/* Of all databases that the schema has no charset of. */
MUST_USE enum err_code follow_charsets_read(struct follow *f, struct mysql_conn *conn,
                                            struct err *e);
/* Between transactions: they count once their place is reached. */
MUST_USE enum err_code follow_charsets_take(struct follow *f, struct err *e);
void follow_charsets_deinit(struct follow *f);

/* What changed since the last cut goes with this one, and can be taken back no more. */
MUST_USE enum err_code follow_schema_cut(struct follow *f, struct cut *cut, struct err *e);

/* All definitions as of the last cut. */
void follow_schema_rewind(struct follow *f);

/* Whether f->end lies where definitions that were accepted may still prove wrong. */
bool follow_schema_is_open(const struct follow *f);
/* Accepted definitions count as they are from here on. */
void follow_schema_settle(struct follow *f);

/* A rows event of a followed table: to its lane, or to the rows that the transaction holds. */
MUST_USE enum err_code follow_put(struct follow *f, const char *file,
                                  const struct slab_entry *entry, struct span body, struct err *e);

/* To its lane in any case. */
MUST_USE enum err_code follow_route(struct follow *f, const char *file,
                                    const struct slab_entry *entry, struct span body,
                                    struct err *e);

/* A transaction starts with this event. */
MUST_USE enum err_code follow_begin(struct follow *f, const struct binlog_event *ev,
                                    const struct gtid *gtid, struct err *e);

/* It is over, or will be read again. */
void follow_forget(struct follow *f);

/*
 * The connection is gone, or `until` lies inside the open transaction: back to a transaction end,
 * which f->end then is.
 */
MUST_USE enum err_code follow_leave(struct follow *f, struct err *e);

/* It ends with this event, and its rows stand. */
MUST_USE enum err_code follow_commit(struct follow *f, const struct binlog_event *ev,
                                     struct err *e);

/* It ends with this event, and what engines can take back is taken back. */
MUST_USE enum err_code follow_rollback(struct follow *f, const struct binlog_event *ev,
                                       struct err *e);

/* SAVEPOINT x; ROLLBACK TO x. */
MUST_USE enum err_code follow_savepoint(struct follow *f, const struct binlog_query *q,
                                        struct err *e);
MUST_USE enum err_code follow_rollback_to(struct follow *f, const struct binlog_event *ev,
                                          const struct binlog_query *q, struct err *e);

/* Holds the rows of the open transaction until it ends. */
MUST_USE enum err_code follow_hold_all(struct follow *f, const char *file, struct err *e);

/*
 * Held rows whose transaction commits with `ev` go to the lanes. With `at_end` they take its place
 * in the log instead of their own.
 */
MUST_USE enum err_code follow_replay(struct follow *f, const struct held_rows *rows,
                                     const struct binlog_event *ev, bool at_end, struct err *e);

/* Stands in an entry for the plan of a table map that does not fit the table's definition. */
extern const struct table_plan follow_misfit;

/* XA START, or MariaDB's GTID event that stands for it. */
MUST_USE enum err_code follow_xa_begin(struct follow *f, const struct binlog_event *ev,
                                       const struct xid *xid, struct err *e);
MUST_USE enum err_code follow_xa_statement(struct follow *f, const struct binlog_event *ev,
                                           const struct binlog_query *q, struct err *e);
MUST_USE enum err_code follow_xa_prepare(struct follow *f, const struct binlog_event *ev,
                                         struct err *e);

/* Takes the note of an earlier run, and moves f->end and f->executed to where it needs. */
MUST_USE enum err_code follow_xa_start(struct follow *f, const char *note, struct err *e);

/* For a cut that is made now: NULL when the note is as it was. The cut takes it over. */
MUST_USE enum err_code follow_xa_note(struct follow *f, char **out, struct err *e);

/* Why a source cannot go on: also because of a prepared transaction that it cannot send again. */
void follow_xa_explain(const struct follow *f, struct err *e);

/* A statement that changes tables other than by rows. */
MUST_USE enum err_code follow_statement(struct follow *f, const struct binlog_event *ev,
                                        const struct binlog_query *q, enum statement_kind kind,
                                        struct err *e);

/*
 * Connects to the first server that can go on where the lake stands. Errors: as binlog_stream_open;
 * retryable also where a server may still get what it lacks.
 */
MUST_USE enum err_code follow_open(struct follow *f, struct err *e);
void follow_close(struct follow *f);

/* For each table, what of it has to be skipped and how, now that f->source is known. */
void follow_find_level_tables(struct follow *f);

/* After an event of that time: warns when the source may soon purge what is still to be read. */
void follow_watch_purge(struct follow *f, int64_t event_s);

int64_t follow_heartbeat_us(const struct run_options *o);

/* A format description: when the file was begun. Of f->end's file; 0 when that is not known. */
void follow_note_log(struct follow *f, const struct binlog_event *ev);
uint32_t follow_log_created(const struct follow *f);

/* Cuts at f->end. */
MUST_USE enum err_code follow_cut(struct follow *f, struct err *e);

/* Sends the open slabs off. */
MUST_USE enum err_code follow_send_slabs(struct follow *f, struct err *e);

/* Whether a transaction that has an event up to `end` ends behind `until`. */
bool follow_passes_until(const struct follow *f, const struct binlog_position *end);

/* A transaction has ended: counts it in, and cuts when it is time. One that passes `until` stays
 * open: the run ends before it. */
MUST_USE enum err_code follow_transaction_end(struct follow *f, const struct binlog_position *end,
                                              struct err *e);

/* Cuts when interval, rows or bytes say so. Only between transactions. */
MUST_USE enum err_code follow_cut_if_due(struct follow *f, struct err *e);

/* Whether `until` is reached at f->end. */
bool follow_until_reached(const struct follow *f);

#endif
