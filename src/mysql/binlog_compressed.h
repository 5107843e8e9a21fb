/*
 * binlog_compressed.h - MariaDB's compressed events (log_bin_compress=ON).
 *
 * Each stands for a plain type of event, of which only the statement's text or the rows are
 * compressed.
 *
 * Spec: MariaDB sql/log_event.cc, binlog_buf_compress.
 * Owns:   nothing.
 * Thread: any.
 */
#ifndef CALVE_MYSQL_BINLOG_COMPRESSED_H
#define CALVE_MYSQL_BINLOG_COMPRESSED_H

#include "base/buf.h"
#include "mysql/binlog_event.h"

static inline bool binlog_compressed_is(uint8_t type)
{
    return type >= BINLOG_EVENT_MARIADB_QUERY_COMPRESSED &&
           type <= BINLOG_EVENT_MARIADB_DELETE_ROWS_COMPRESSED;
}

/*
 * Writes the plain event's body to out, which is emptied before; *plain_type is its type.
 * Errors: ERR_CORRUPT  also when the content is not of the size that it says
 *         ERR_LIMIT    content above 1 GiB
 *         ERR_UNSUPPORTED  a compression that is not zlib; ERR_NOMEM
 */
MUST_USE enum err_code binlog_compressed_unpack(uint8_t type, struct span body, struct buf *out,
                                                uint8_t *plain_type, struct err *e);

#endif
