/*
 * binlog_retention.h - how long a server keeps its binlogs, and whether that may be too short for
 * somebody who reads them.
 *
 * Thread: as the connection.
 */
#ifndef CALVE_MYSQL_BINLOG_RETENTION_H
#define CALVE_MYSQL_BINLOG_RETENTION_H

#include "mysql/conn.h"
#include "mysql/position.h"

struct binlog_retention {
    char oldest[BINLOG_FILE_BYTES];
    char newest[BINLOG_FILE_BYTES];
    uint64_t expire_s;   /* 0: they stay until somebody purges them */
    bool purged_at_once; /* RDS and Aurora: as soon as no replica of theirs needs them */
};

/* Errors: the server's. */
MUST_USE enum err_code binlog_retention_read(struct mysql_conn *c, struct binlog_retention *out,
                                             struct err *e);

/*
 * Why what comes after a position may soon be gone, and what to do; NULL when it is not near.
 * lag_s is how far behind the position is; negative when that is not known.
 */
const char *binlog_retention_danger(const struct binlog_retention *r,
                                    const struct binlog_position *at, int64_t lag_s);

#endif
