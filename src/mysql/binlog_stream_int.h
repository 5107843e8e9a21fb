/*
 * binlog_stream_int.h - where a stream gets its events from: a server's dump, a file, or a test.
 *
 * Thread: as the stream.
 */
#ifndef CALVE_MYSQL_BINLOG_STREAM_INT_H
#define CALVE_MYSQL_BINLOG_STREAM_INT_H

#include <stdio.h>

#include "mysql/binlog_stream.h"

#define BINLOG_FILE_START 4u

enum binlog_checksum { BINLOG_CHECKSUM_OFF = 0, BINLOG_CHECKSUM_CRC32 = 1 };

struct binlog_source {
    /* The bytes of the next event, header to checksum, valid until the next call. Errors as
     * binlog_stream_next(). */
    enum err_code (*next)(void *ctx, struct span *event, struct err *e);
    void (*interrupt)(void *ctx); /* any thread; NULL: next() never blocks */
    void (*close)(void *ctx);     /* NULL: nothing to close */
    void *ctx;
    const struct mysql_server *server; /* NULL: not a server */
    /*
     * A file: every byte counts, and the file stays the same. Else events have the marks that the
     * server's dump thread makes: rotations, made-up events, log_pos.
     */
    bool is_file;
};

/* The event in a packet of a dump, behind the status byte: without semi-synchronous marks. */
struct span binlog_packet_event(struct span packet);

/* Takes the source over, also on failure. checksum holds until the first format description. */
MUST_USE enum err_code binlog_stream_new(const struct binlog_source *source,
                                         const struct binlog_position *at,
                                         enum binlog_checksum checksum, struct binlog_stream **out,
                                         struct err *e);

/* Events that end at or before offset are not handed out, as long as the file stays the same. */
void binlog_stream_skip_until(struct binlog_stream *s, uint64_t offset);

/* Takes the file over, also on failure. name stands for the file's name in positions. */
MUST_USE enum err_code binlog_stream_from_file(FILE *file, const char *name,
                                               struct binlog_stream **out, struct err *e);

#endif
