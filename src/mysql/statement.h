/*
 * statement.h - which tables a statement in the binlog touches other than by row events.
 *
 * A careful reader of statement heads, not a parser: enough to stop in front of anything that
 * changes a followed table's definition or rows without row events. It errs to one side: a head it
 * does not know touches nothing, but a head that it knows touches whatever the rest may mean. Where
 * a name cannot be read, every table of the schema is touched; where the session's settings decide
 * how quotes and comments read, each reading counts.
 *
 * Thread: any.
 */
#ifndef CALVE_MYSQL_STATEMENT_H
#define CALVE_MYSQL_STATEMENT_H

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
    STATEMENT_DML, /* rows written as a statement: INSERT, UPDATE, LOAD, CALL, SELECT f(), ... */
    STATEMENT_DDL, /* changes the tables given to `touched` */
};

enum statement_kind statement_classify(struct span sql, bool ansi_quotes);

/*
 * Calls touched(ctx, schema, table) for each table whose definition or rows a DDL statement
 * changes, once or more often. Names are unquoted; schema is default_schema where none is written.
 * table is "" for all tables of a schema, and schema is "" too where the statement may mean any.
 * ALTER TABLE with nothing but indexes, engine, comment and the like calls it for nothing.
 */
void statement_touched(struct span sql, bool ansi_quotes, const char *default_schema,
                       void (*touched)(void *ctx, const char *schema, const char *table),
                       void *ctx);

/* Whether the statement's text may name the table (as a word, quoted or not) anywhere. */
bool statement_mentions(struct span sql, bool ansi_quotes, const char *table);

#endif
