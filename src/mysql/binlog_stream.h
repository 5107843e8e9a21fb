/*
 * binlog_stream.h - events in order, from a server's dump or from a binlog file.
 *
 * The stream follows rotations, verifies checksums, counts 64-bit positions itself (log_pos only
 * corrects it, modulo 2^32), unpacks transaction payloads and hands out what is inside them, and
 * ends on any event it does not know that is not flagged ignorable. Artificial events and
 * heartbeats are handed out too: they carry a position. A TRANSACTION_PAYLOAD is not handed out
 * itself, only what is inside; MariaDB's compressed events are handed out as the plain ones, and
 * pieces of a rows event as the whole, where the last of them ends. A statement's context (INTVAR,
 * RAND, USER_VAR) is passed over: its QUERY follows.
 *
 * Thread: one, except binlog_stream_interrupt().
 */
#ifndef CALVE_MYSQL_BINLOG_STREAM_H
#define CALVE_MYSQL_BINLOG_STREAM_H

#include "mysql/binlog_event.h"
#include "mysql/conn.h"

struct binlog_stream;

struct binlog_start {
    struct binlog_position position; /* used when gtids is NULL; on MariaDB beyond 4 GiB, too */
    const struct gtid_set *gtids;    /* transactions that are not wanted again; not owned */
};

struct binlog_stream_options {
    struct mysql_options mysql;
    uint32_t server_id; /* of this client; unique per source */
    const char
        *replica_uuid;    /* stable per client: the server ends an older dump with the same one */
    int64_t heartbeat_us; /* the server speaks at least this often; silence of 3 (min 30 s) is an
                             error */
};

/*
 * Connects and asks for the dump. MySQL with gtids: COM_BINLOG_DUMP_GTID; MariaDB with gtids:
 * @slave_connect_state; else COM_BINLOG_DUMP (positions above 4 GiB: from the file's start,
 * skipped). Errors: ERR_SOURCE with advice; retryable for network trouble.
 */
MUST_USE enum err_code binlog_stream_open(const struct binlog_stream_options *options,
                                          const struct binlog_start *start,
                                          struct binlog_stream **out, struct err *e);

/*
 * When the file of a position was begun: seconds since the epoch, from the header of its first
 * event, by a dump of its own that ends there. Errors: as binlog_stream_open and
 * binlog_stream_next.
 */
MUST_USE enum err_code binlog_log_created(const struct mysql_options *mysql,
                                          const struct binlog_position *at, uint32_t *created_s,
                                          struct err *e);

/* A binlog file on disk; checksums of a file in use are understood. */
MUST_USE enum err_code binlog_stream_open_file(const char *path, struct binlog_stream **out,
                                               struct err *e);

/*
 * The next event; out->body is valid until the next call.
 * Errors: ERR_NOT_FOUND     end of file (files only)
 *         ERR_SOURCE        the server ended the dump (message says why and what to do)
 *         ERR_IO            connection lost: retryable
 *         ERR_CORRUPT       checksum, length or format
 *         ERR_UNSUPPORTED   unknown event without the ignorable flag: type, file and position
 *         ERR_CANCELLED     interrupted
 */
MUST_USE enum err_code binlog_stream_next(struct binlog_stream *s, struct binlog_event *out,
                                          struct err *e);

/* Bytes received so far; the server behind it (NULL for files). */
uint64_t binlog_stream_bytes(const struct binlog_stream *s);
const struct mysql_server *binlog_stream_server(const struct binlog_stream *s);

/* Makes a blocked binlog_stream_next() on another thread return ERR_CANCELLED soon. */
void binlog_stream_interrupt(struct binlog_stream *s);
void binlog_stream_close(struct binlog_stream *s);

#endif
