/*
 * binlog_gtid_tagged.h - GTID_TAGGED: the start of a transaction whose GTID has a tag.
 *
 * Spec: mysql-server libs/mysql/serialization, libs/mysql/binlog/event/control_events.h.
 * Owns:   nothing.
 * Thread: any.
 */
#ifndef CALVE_MYSQL_BINLOG_GTID_TAGGED_H
#define CALVE_MYSQL_BINLOG_GTID_TAGGED_H

#include "mysql/binlog_event.h"

/* Errors: ERR_CORRUPT; ERR_UNSUPPORTED for what a later version added and must not be ignored. */
MUST_USE enum err_code binlog_gtid_tagged_read(struct span body,
                                               struct binlog_transaction_start *out, struct err *e);

#endif
