/*
 * binlog_fragments.h - PARTIAL_ROW_DATA of MariaDB 12.3 and later: a rows event that was too large
 * for its server (binlog_row_event_fragment_threshold), cut into pieces.
 *
 * Spec: MariaDB sql/log_event.h, Partial_rows_log_event.
 * Owns:   the pieces that have come. A zeroed struct has none.
 * Thread: as its stream.
 */
#ifndef CALVE_MYSQL_BINLOG_FRAGMENTS_H
#define CALVE_MYSQL_BINLOG_FRAGMENTS_H

#include "base/buf.h"
#include "mysql/binlog_event.h"

struct binlog_fragments {
    uint32_t total; /* 0: no event is open */
    uint32_t seen;
    uint64_t event_bytes;
    struct buf event;
};

void binlog_fragments_deinit(struct binlog_fragments *f);

static inline bool binlog_fragments_open(const struct binlog_fragments *f)
{
    return f->total != 0;
}

/*
 * Takes the body of the next piece. With the last one *event is the whole rows event, header and
 * all, valid until the next call; before, it is empty.
 * Errors: ERR_CORRUPT  a piece is missing, or is one too many, or sizes do not add up
 *         ERR_LIMIT    an event above 1 GiB; ERR_NOMEM
 */
MUST_USE enum err_code binlog_fragments_add(struct binlog_fragments *f, struct span body,
                                            struct span *event, struct err *e);

#endif
