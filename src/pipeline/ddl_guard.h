/*
 * ddl_guard.h - which tables a statement in the binlog touches other than by row events.
 *
 * A careful reader of statement heads, not a parser: enough to stop in front of anything that
 * changes a followed table's definition or rows without row events. A head it does not know touches
 * nothing; a head that it knows and cannot read to the end touches every table of the schema it
 * names.
 *
 * Thread: any.
 */
#ifndef CALVE_PIPELINE_DDL_GUARD_H
#define CALVE_PIPELINE_DDL_GUARD_H

#include "base/bytes.h"
#include "base/err.h"

enum statement_kind {
    STATEMENT_OTHER, /* nothing that concerns rows or definitions */
    STATEMENT_BEGIN, /* BEGIN, START TRANSACTION */
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK, /* of the whole transaction */
    STATEMENT_SAVEPOINT,
    STATEMENT_ROLLBACK_TO,
    STATEMENT_XA,
    STATEMENT_DML, /* rows written as a statement: INSERT, UPDATE, DELETE, REPLACE, LOAD, CALL */
    STATEMENT_DDL, /* changes the tables given to `each` */
};

enum statement_kind statement_classify(struct span sql, bool ansi_quotes);

/*
 * Calls touched(ctx, schema, table) for each table whose definition or rows a DDL statement
 * changes; table is "" for a whole schema. Names are unquoted; schema is default_schema where none
 * is written. ALTER TABLE with nothing but indexes, engine, comment and the like calls it for
 * nothing.
 */
void statement_touched(struct span sql, bool ansi_quotes, const char *default_schema,
                       void (*touched)(void *ctx, const char *schema, const char *table),
                       void *ctx);

/* Whether the statement's text names the table (as a word, quoted or not) anywhere. */
bool statement_mentions(struct span sql, bool ansi_quotes, const char *table);

#endif
