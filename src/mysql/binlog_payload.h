/*
 * binlog_payload.h - TRANSACTION_PAYLOAD: the events of a compressed transaction, one after
 * another.
 *
 * Inner events have no checksum. Memory holds one inner event and a piece of decompressed data,
 * however large the transaction is.
 *
 *   { type lenenc, length lenenc, value } ... 0, then the payload
 *   types: 1 payload size, 2 compression (0 zstd, 255 none), 3 uncompressed size (not to be
 * trusted)
 *
 * Spec: mysql-server libs/mysql/binlog/event/compression, Transaction_payload_event.
 * Thread: as its stream.
 */
#ifndef CALVE_MYSQL_BINLOG_PAYLOAD_H
#define CALVE_MYSQL_BINLOG_PAYLOAD_H

#include "codec/compress.h"
#include "mysql/binlog_event.h"

struct binlog_payload {
    bool active;
    struct zstd_decoder *zstd; /* made at first use */
    bool compressed;
    bool drained; /* the decoder has given everything */
    struct buf buf;
    size_t at; /* consumed bytes of buf */
    struct bytes_reader plain;
};

void binlog_payload_deinit(struct binlog_payload *p);

/* body must stay as it is until the last inner event was taken. */
MUST_USE enum err_code binlog_payload_start(struct binlog_payload *p, struct span body,
                                            struct err *e);

/*
 * The next inner event's header and body, valid until the next call; *more is false after the last.
 * Errors: ERR_CORRUPT, ERR_LIMIT, ERR_NOMEM.
 */
MUST_USE enum err_code binlog_payload_next(struct binlog_payload *p,
                                           struct binlog_event_header *header, struct span *body,
                                           bool *more, struct err *e);

#endif
