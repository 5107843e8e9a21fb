/*
 * source_catalog.h - table definitions and names from the server's INFORMATION_SCHEMA.
 *
 * Thread: as the connection.
 */
#ifndef CALVE_MYSQL_SOURCE_CATALOG_H
#define CALVE_MYSQL_SOURCE_CATALOG_H

#include "model/table_def.h"
#include "mysql/conn.h"

/*
 * The definition as it is now, in arena. Errors: ERR_NOT_FOUND no such base table (or no privilege
 * to see it); ERR_UNSUPPORTED a column type without a known form.
 */
MUST_USE enum err_code source_catalog_load(struct mysql_conn *c, const char *schema,
                                           const char *table, struct arena *arena,
                                           struct table_def **out, struct err *e);

/* Every base table (system schemas left out), sorted by schema and name. */
MUST_USE enum err_code source_catalog_tables(struct mysql_conn *c,
                                             enum err_code (*each)(void *ctx, const char *schema,
                                                                   const char *table,
                                                                   struct err *e),
                                             void *ctx, struct err *e);

/* The charset of new tables that name none. Errors: ERR_NOT_FOUND. */
MUST_USE enum err_code source_catalog_database_charset(struct mysql_conn *c, const char *database,
                                                       char *out, size_t out_bytes, struct err *e);

/* Every database (system schemas left out), sorted by name. */
MUST_USE enum err_code source_catalog_database_charsets(
    struct mysql_conn *c,
    enum err_code (*each)(void *ctx, const char *database, const char *charset, struct err *e),
    void *ctx, struct err *e);

/* The charset of new databases that name none. */
MUST_USE enum err_code source_catalog_default_charset(struct mysql_conn *c, char *out,
                                                      size_t out_bytes, struct err *e);

/* The server's estimate of the rows in a table, for progress; 0 when it has none. */
MUST_USE enum err_code source_catalog_row_estimate(struct mysql_conn *c, const char *schema,
                                                   const char *table, uint64_t *out, struct err *e);

/*
 * When the table was made, as the server tells it, to the second; a name that comes to another
 * table by RENAME tells another time. "" when there is none. Errors: ERR_SOURCE.
 */
MUST_USE enum err_code source_catalog_made(struct mysql_conn *c, const char *schema,
                                           const char *table, char *out, size_t out_bytes,
                                           struct err *e);

/*
 * Whether the table's engine has transactions: others have no consistent reads either. Errors:
 * ERR_NOT_FOUND.
 */
MUST_USE enum err_code source_catalog_is_transactional(struct mysql_conn *c, const char *schema,
                                                       const char *table, bool *out, struct err *e);

#endif
