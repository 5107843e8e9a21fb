/*
 * binlog_xa_int.h - the XA part of MariaDB's GTID event, for binlog_event.c.
 *
 * Thread: any.
 */
#ifndef CALVE_MYSQL_BINLOG_XA_INT_H
#define CALVE_MYSQL_BINLOG_XA_INT_H

#include "mysql/binlog_event.h"

#define MARIADB_PREPARED_XA  0x40u
#define MARIADB_COMPLETED_XA 0x80u

/* Reads the xid when the flags say that there is one. */
MUST_USE enum err_code binlog_xa_read_gtid(struct bytes_reader *in, uint8_t flags,
                                           struct binlog_transaction_start *out, struct err *e);

#endif
