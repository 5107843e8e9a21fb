/*
 * snapshot.h - reading a whole table without locks: the low watermark, then the rows.
 *
 * The low watermark is a place in the binlog such that every transaction before it is visible to a
 * read that starts after it was noted; transactions after it may be visible too, and will be
 * replayed. MySQL with GTIDs: Executed_Gtid_Set, which lags the engine (see docs/delivery.md).
 * MySQL without: the start of a binlog file opened by FLUSH BINARY LOGS, which waits for all
 * commits (needs RELOAD). MariaDB: the position of a consistent snapshot, from the status variables
 * Binlog_snapshot_*.
 *
 * Thread: as the connection.
 */
#ifndef CALVE_MYSQL_SNAPSHOT_H
#define CALVE_MYSQL_SNAPSHOT_H

#include "model/table_def.h"
#include "model/value.h"
#include "mysql/conn.h"
#include "mysql/gtid.h"
#include "mysql/position.h"

/* Every transaction that ends at or before the position is in the GTID set, maybe more are. */
struct low_watermark {
    struct binlog_position position;
    struct gtid_set *gtids; /* NULL where the server has none; owned */
};

void low_watermark_deinit(struct low_watermark *w);

/*
 * Notes the low watermark and opens the consistent read that the rows are then read in, so read the
 * table on the same connection. With `exact` the read holds nothing but the transactions before the
 * watermark, as tables without a key need it; MariaDB's always does, MySQL is asked until no commit
 * is under way.
 *
 * Errors: ERR_SOURCE binlog off, privilege missing (says which); prepared XA transactions are open
 *         (retryable; MySQL shows them only to accounts with XA_RECOVER_ADMIN); no moment without a
 *         commit was found (retryable).
 */
MUST_USE enum err_code snapshot_begin(struct mysql_conn *c, bool exact, struct low_watermark *out,
                                      struct err *e);

/*
 * The same for a table without a key whose engine has no consistent reads: nobody can write to the
 * table until the connection ends. Errors: ERR_SOURCE, also when LOCK TABLES is not allowed.
 */
MUST_USE enum err_code snapshot_begin_locked(struct mysql_conn *c, const char *schema,
                                             const char *table, struct low_watermark *out,
                                             struct err *e);

/*
 * Nobody alters, renames or drops the table from here on until the read ends. snapshot_begin does
 * not do that: behind it the name may stand for another table yet. Errors: ERR_SOURCE.
 */
MUST_USE enum err_code snapshot_hold_table(struct mysql_conn *c, const char *schema,
                                           const char *table, struct err *e);

/*
 * The server's current end of the binlog, for "start at current" and "--until current". On MySQL
 * with GTIDs the position may lead the set by commits that are under way.
 */
MUST_USE enum err_code snapshot_current_position(struct mysql_conn *c, struct low_watermark *out,
                                                 struct err *e);

/*
 * Appends what keeps changes of databases out of the binlog: "binlog_do_db=a,b"; nothing when all
 * of them are logged.
 */
MUST_USE enum err_code snapshot_filters(struct mysql_conn *c, struct buf *out, struct err *e);

/* The oldest place that the server still has. MariaDB: without GTIDs. */
MUST_USE enum err_code snapshot_earliest_position(struct mysql_conn *c, struct low_watermark *out,
                                                  struct err *e);

/*
 * How many XA transactions are prepared. *seen is false when the account may not look (MySQL:
 * XA_RECOVER_ADMIN).
 */
MUST_USE enum err_code snapshot_prepared(struct mysql_conn *c, unsigned *count, bool *seen,
                                         struct err *e);

struct snapshot_reader;

/* Starts SELECT of all columns of def, unbuffered. */
MUST_USE enum err_code snapshot_reader_open(struct mysql_conn *c, const struct table_def *def,
                                            struct snapshot_reader **out, struct err *e);

/*
 * The next row as def->column_count values, valid until the next call; ERR_NOT_FOUND after the
 * last. Errors: ERR_IO retryable when the connection broke; ERR_CORRUPT a value that is not of its
 * type.
 */
MUST_USE enum err_code snapshot_reader_next(struct snapshot_reader *r, const struct value **values,
                                            struct err *e);

/* Before the last row this breaks the connection: the library would read all the rest first. */
void snapshot_reader_close(struct snapshot_reader *r);

/* Ends the read that snapshot_begin opened. */
MUST_USE enum err_code snapshot_end(struct mysql_conn *c, struct err *e);

#endif
