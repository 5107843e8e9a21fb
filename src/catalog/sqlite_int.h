/* sqlite_int.h - the SQLite file behind catalog_sqlite_open(): connection, statements, messages. */
#ifndef CALVE_CATALOG_SQLITE_INT_H
#define CALVE_CATALOG_SQLITE_INT_H

#include <sqlite3.h>

#include "catalog/catalog.h"

struct sqlite_catalog {
    struct catalog base;
    sqlite3 *db; /* NULL: to be opened again */
    char *path;
    char *name;
    int busy_timeout_ms;
    bool read_only;
    bool has_type; /* iceberg_tables has the column iceberg_type (schema V1) */
};

/* "doing: the catalog PATH ...: what to do". Gives ERR_IO or ERR_CORRUPT. */
enum err_code sqlite_error(const struct sqlite_catalog *c, int result, const char *doing,
                           struct err *e);

/* Opens the file and looks at its columns; `create` makes what is missing. */
MUST_USE enum err_code sqlite_connect(struct sqlite_catalog *c, bool create, struct err *e);
void sqlite_disconnect(struct sqlite_catalog *c);

#define SQLITE_ARGS_MAX 6

struct sqlite_query {
    const char *sql;
    const char *args[SQLITE_ARGS_MAX]; /* bound to ?1, ?2, ... up to the first NULL */
    /* Called for every row; SQLITE_OK goes on, other results end the query. May be NULL. */
    int (*row)(void *ctx, sqlite3_stmt *statement);
    void *ctx;
};

/* Runs one statement to its end: SQLITE_OK or what went wrong. */
MUST_USE int sqlite_run(struct sqlite_catalog *c, const struct sqlite_query *query);

/* A write transaction. */
MUST_USE enum err_code sqlite_begin(struct sqlite_catalog *c, struct err *e);
void sqlite_rollback(struct sqlite_catalog *c);

/* ERR_UNKNOWN: it may have happened or not, what the file says when it is next read decides. Other
 * failures: it did not happen, and no transaction is open. */
MUST_USE enum err_code sqlite_commit(struct sqlite_catalog *c, struct err *e);

#endif
