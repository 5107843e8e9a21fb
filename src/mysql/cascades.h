/*
 * cascades.h - foreign keys that change rows of their own table when the parent's change: ON DELETE
 * or ON UPDATE with CASCADE, SET NULL or SET DEFAULT.
 *
 * MySQL before 9.6 and MariaDB do that inside InnoDB, and the binlog has the parent's rows only.
 * They are read from SHOW CREATE TABLE, since MariaDB's information_schema shows keys only to
 * accounts that may do more than SELECT.
 *
 * Thread: as the connection.
 */
#ifndef CALVE_MYSQL_CASCADES_H
#define CALVE_MYSQL_CASCADES_H

#include "mysql/conn.h"

/* Names are as in SHOW CREATE TABLE: "fk_1", "`shop`.`orders`" or "`orders`". */
struct cascade {
    struct span key;
    struct span parent;
    struct span actions; /* "ON DELETE CASCADE ON UPDATE SET NULL" */
};

/* Whether this server writes what its foreign keys do into the binlog. Errors: the server's. */
MUST_USE enum err_code cascades_are_logged(struct mysql_conn *c, bool *out, struct err *e);

/* Each such key of a table. Errors: the server's, or those of each. */
MUST_USE enum err_code cascades_of_table(struct mysql_conn *c, const char *schema,
                                         const char *table,
                                         enum err_code (*each)(void *ctx, const struct cascade *k,
                                                               struct err *e),
                                         void *ctx, struct err *e);

/* The same from the statement's text. Errors: those of each. */
MUST_USE enum err_code cascades_parse(struct span create,
                                      enum err_code (*each)(void *ctx, const struct cascade *k,
                                                            struct err *e),
                                      void *ctx, struct err *e);

#endif
