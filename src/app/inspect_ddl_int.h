/*
 * inspect_ddl_int.h - the parts of `calve inspect ddl`.
 */
#ifndef CALVE_APP_INSPECT_DDL_INT_H
#define CALVE_APP_INSPECT_DDL_INT_H

#include "app/inspect_int.h"
#include "mysql/schema.h"

struct ddl_inspection {
    struct schema *schema;
    bool json;
    struct buf out;
    uint64_t statements;
    uint64_t unreadable;
    uint64_t end; /* where the statement ends in the file */
    enum binlog_alter_phase phase;
    bool explicit_timestamps; /* what a text starts with */
};

MUST_USE enum err_code inspect_ddl_start(struct ddl_inspection *in, bool mariadb, unsigned version,
                                         struct err *e);

/* Applies a statement and shows what became of it. */
MUST_USE enum err_code inspect_ddl_statement(struct ddl_inspection *in,
                                             const struct binlog_query *q, struct err *e);

/*
 * Statements that end with `;`. USE, SET NAMES, SET sql_mode and SET
 * explicit_defaults_for_timestamp hold for what follows.
 */
MUST_USE enum err_code inspect_ddl_text(struct ddl_inspection *in, struct span text, struct err *e);

#endif
