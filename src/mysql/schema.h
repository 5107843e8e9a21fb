/*
 * schema.h - tables' definitions as the DDL statements of a log make them.
 *
 * Reads each statement as the server did that logged it, applies it to the tables that are known
 * and tells what became of which table. A table that was never seen is unknown, which is not the
 * same as absent: nothing is guessed about it.
 *
 * Spec: mysql-server sql/sql_yacc.yy; MariaDB sql/sql_yacc.yy.
 * Owns:   all definitions in it. Thread: one at a time.
 */
#ifndef CALVE_MYSQL_SCHEMA_H
#define CALVE_MYSQL_SCHEMA_H

#include "model/table_def.h"
#include "mysql/binlog_event.h"

struct schema;

struct schema_options {
    bool mariadb;
    unsigned version_number;     /* 80403, 101102 */
    bool icase;                  /* lower_case_table_names is not 0 */
    const char *default_charset; /* of the server, for databases that name none */
    uint32_t tables_max;         /* 0: no limit; the table longest untouched is forgotten */
    /* Whether tables of a database are worth keeping when nobody pinned them; NULL: all. */
    bool (*keeps)(void *ctx, const char *database);
    void *ctx;
};

MUST_USE enum err_code schema_new(const struct schema_options *options, struct schema **out,
                                  struct err *e);
void schema_free(struct schema *s);

/*
 * Copies def in; a pinned table is never forgotten to make room. The pin stays with the name when
 * statements rename or drop the table. What is set or forgotten by these is not taken back by
 * schema_undo.
 */
MUST_USE enum err_code schema_set_table(struct schema *s, const struct table_def *def, bool pinned,
                                        struct err *e);
MUST_USE enum err_code schema_set_database(struct schema *s, const char *database,
                                           const char *charset, struct err *e);

/*
 * Tells that every table of the database has been set, so that one without a definition is absent;
 * with NULL, that every database has. What is known to be absent can be made by CREATE ... IF NOT
 * EXISTS: of all other tables that says nothing. A database that a statement creates is whole.
 */
MUST_USE enum err_code schema_set_whole(struct schema *s, const char *database, struct err *e);

/* Temporary tables of all sessions are gone. */
void schema_server_started(struct schema *s);

/* A temporary table that is open in the session of that thread id. */
MUST_USE enum err_code schema_set_temporary(struct schema *s, uint32_t thread, const char *database,
                                            const char *table, struct err *e);
MUST_USE enum err_code schema_each_temporary(const struct schema *s,
                                             enum err_code (*each)(void *ctx, uint32_t thread,
                                                                   const char *database,
                                                                   const char *table,
                                                                   struct err *e),
                                             void *ctx, struct err *e);

/* NULL when it is unknown or absent. Valid until the next schema_apply, _keep, _undo, _set_table.
 */
const struct table_def *schema_find(const struct schema *s, const char *database,
                                    const char *table);

/* NULL when it is not known. */
const char *schema_find_charset(const struct schema *s, const char *database);

/* Tells of a table that is there, and of which nothing more is known. Errors: ERR_NOMEM. */
MUST_USE enum err_code schema_set_unknown(struct schema *s, const char *database, const char *table,
                                          struct err *e);

/* Tells of a followed table that is not there; the name is pinned. Errors: ERR_NOMEM. */
MUST_USE enum err_code schema_set_absent(struct schema *s, const char *database, const char *table,
                                         struct err *e);

/* Makes the table unknown, and takes its pin away. */
void schema_forget(struct schema *s, const char *database, const char *table);

enum schema_change_kind {
    SCHEMA_CREATED,
    SCHEMA_ALTERED,       /* columns, key, charset, engine */
    SCHEMA_RENAMED,       /* from table to new_table */
    SCHEMA_DROPPED,       /* by DROP DATABASE too: one change for each known table */
    SCHEMA_TRUNCATED,     /* all rows went without rows events */
    SCHEMA_ROWS_REMOVED,  /* some did: partitions dropped or truncated */
    SCHEMA_ROWS_REPLACED, /* rows came or went: EXCHANGE PARTITION, IMPORT TABLESPACE, IGNORE */
};

struct schema_change {
    enum schema_change_kind kind;
    const char *database;
    const char *table;           /* "" with DROPPED: every table of the database, known or not */
    const char *new_database;    /* RENAMED */
    const char *new_table;       /* RENAMED */
    const struct table_def *def; /* afterwards; NULL: gone, or unknown, and then why says why */
    const char *why;
    bool has_rows;    /* CREATED by CREATE ... SELECT: its rows events follow in the transaction */
    bool filled;      /* CREATED with rows that no event brings: from a partition */
    bool replaces;    /* CREATED OR REPLACE, behind a change that has dropped what was there */
    bool maybe_there; /* CREATED IF NOT EXISTS, and nobody knows whether it did; def is NULL */
};

struct schema_changes {
    struct schema_change *changes; /* in the order in which they take effect */
    uint32_t count;
};

/*
 * Applies one statement. Statements that change no table's definition or rows give no changes, and
 * so do those on temporary tables. Failed ones (error_code) that are in the log may have done a
 * part: what that is known for (DROP TABLE, CREATE OR REPLACE) is applied, the rest cannot be read.
 *
 * Owns:   what *out points to lives in s, until the next call that changes s.
 * Errors: ERR_UNSUPPORTED  a statement that changes tables cannot be read, the message says where;
 *                          nothing was applied, except that the tables it may touch are unknown
 *                          now (statement_touched() of statement.h names them)
 *         ERR_LIMIT, ERR_NOMEM
 */
MUST_USE enum err_code schema_apply(struct schema *s, const struct binlog_query *statement,
                                    struct schema_changes *out, struct err *e);

/* What was applied since the last schema_keep can be taken back, as often as wanted. */
void schema_keep(struct schema *s);
void schema_undo(struct schema *s);

/* Takes back what the last schema_apply did. */
void schema_undo_statement(struct schema *s);

/* Whether there is anything that schema_undo would take back. */
bool schema_has_changed(const struct schema *s);

/* Every known table, and every database with its charset. */
MUST_USE enum err_code schema_each_table(const struct schema *s,
                                         enum err_code (*each)(void *ctx,
                                                               const struct table_def *def,
                                                               bool pinned, struct err *e),
                                         void *ctx, struct err *e);
MUST_USE enum err_code schema_each_database(const struct schema *s,
                                            enum err_code (*each)(void *ctx, const char *database,
                                                                  const char *charset,
                                                                  struct err *e),
                                            void *ctx, struct err *e);

#endif
