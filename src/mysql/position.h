/*
 * position.h - a place in a server's binary log: file name and 64-bit offset.
 *
 * Thread: any.
 */
#ifndef CALVE_MYSQL_POSITION_H
#define CALVE_MYSQL_POSITION_H

#include <stdint.h>

#include "base/err.h"

#define BINLOG_FILE_BYTES 256u

struct binlog_position {
    char file[BINLOG_FILE_BYTES]; /* "" when there is none */
    uint64_t offset;
};

/* By the number after the last dot of the file name, then the offset; names may pass 999999. */
int binlog_position_compare(const struct binlog_position *a, const struct binlog_position *b);

/* "binlog.000003:4711". Errors: ERR_CONFIG. */
MUST_USE enum err_code binlog_position_parse(const char *text, struct binlog_position *out,
                                             struct err *e);

#endif
