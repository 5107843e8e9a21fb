/*
 * binlog_event.h - binlog events: the common header and the bodies that are not rows.
 *
 * Spec: mysql-server libs/mysql/binlog/event; MariaDB sql/log_event.h.
 * Owns:   nothing; decoded structs point into the event.
 * Thread: any.
 */
#ifndef CALVE_MYSQL_BINLOG_EVENT_H
#define CALVE_MYSQL_BINLOG_EVENT_H

#include "base/bytes.h"
#include "base/err.h"
#include "mysql/gtid.h"
#include "mysql/position.h"

#define BINLOG_EVENT_HEADER_BYTES 19

enum binlog_event_type {
    BINLOG_EVENT_QUERY = 2,
    BINLOG_EVENT_STOP = 3,
    BINLOG_EVENT_ROTATE = 4,
    BINLOG_EVENT_FORMAT_DESCRIPTION = 15,
    BINLOG_EVENT_XID = 16,
    BINLOG_EVENT_EXECUTE_LOAD_QUERY = 18,
    BINLOG_EVENT_TABLE_MAP = 19,
    BINLOG_EVENT_WRITE_ROWS_V1 = 23,
    BINLOG_EVENT_UPDATE_ROWS_V1 = 24,
    BINLOG_EVENT_DELETE_ROWS_V1 = 25,
    BINLOG_EVENT_INCIDENT = 26,
    BINLOG_EVENT_HEARTBEAT = 27,
    BINLOG_EVENT_ROWS_QUERY = 29,
    BINLOG_EVENT_WRITE_ROWS = 30,
    BINLOG_EVENT_UPDATE_ROWS = 31,
    BINLOG_EVENT_DELETE_ROWS = 32,
    BINLOG_EVENT_GTID = 33,
    BINLOG_EVENT_ANONYMOUS_GTID = 34,
    BINLOG_EVENT_PREVIOUS_GTIDS = 35,
    BINLOG_EVENT_VIEW_CHANGE = 37,
    BINLOG_EVENT_XA_PREPARE = 38,
    BINLOG_EVENT_PARTIAL_UPDATE_ROWS = 39,
    BINLOG_EVENT_TRANSACTION_PAYLOAD = 40,
    BINLOG_EVENT_HEARTBEAT_V2 = 41,
    BINLOG_EVENT_GTID_TAGGED = 42,
    BINLOG_EVENT_MARIADB_ANNOTATE_ROWS = 160,
    BINLOG_EVENT_MARIADB_BINLOG_CHECKPOINT = 161,
    BINLOG_EVENT_MARIADB_GTID = 162,
    BINLOG_EVENT_MARIADB_GTID_LIST = 163,
    BINLOG_EVENT_MARIADB_START_ENCRYPTION = 164,
    BINLOG_EVENT_MARIADB_QUERY_COMPRESSED = 165, /* up to 171: handed out as what they stand for */
    BINLOG_EVENT_MARIADB_DELETE_ROWS_COMPRESSED = 171,
    BINLOG_EVENT_MARIADB_PARTIAL_ROW_DATA = 172, /* handed out as the event that it is a part of */
};

#define BINLOG_FLAG_IN_USE     0x0001u
#define BINLOG_FLAG_ARTIFICIAL 0x0020u
#define BINLOG_FLAG_IGNORABLE  0x0080u

struct binlog_event_header {
    uint32_t timestamp_s; /* seconds since the epoch, UTC; 0 in artificial events */
    uint8_t type;         /* a wire value: may be none of enum binlog_event_type */
    uint32_t server_id;
    uint32_t event_bytes; /* header + body + checksum, as the log has them */
    uint32_t log_pos;     /* file offset after this event, mod 2^32; 0 when not known */
    uint16_t flags;
};

/* One event as a stream hands it out. */
struct binlog_event {
    struct binlog_event_header header;
    uint8_t logged_type; /* header.type, but of a compressed or cut event: as the log has it */
    struct span body;    /* after the header, without checksum; valid until the next event */
    struct binlog_position end; /* where the event ends; inside a payload: where the payload ends */
    bool in_payload;
};

/* MariaDB logs an ALTER in two groups when binlog_alter_two_phase is on. */
enum binlog_alter_phase {
    BINLOG_ALTER_WHOLE, /* also for all that is no ALTER */
    BINLOG_ALTER_START, /* nothing has changed yet */
    BINLOG_ALTER_COMMIT,
    BINLOG_ALTER_ROLLBACK,
};

struct binlog_query {
    uint32_t thread_id;
    uint16_t error_code;
    uint64_t sql_mode;           /* 0 when not logged */
    uint16_t client_collation;   /* 0 when not logged: the charset of the statement text */
    uint16_t server_collation;   /* 0 when not logged */
    uint16_t database_collation; /* 0 when not logged: then the default of the schema holds */
    uint16_t utf8mb4_collation;  /* 0 when not logged: default collation of utf8mb4 */
    int explicit_timestamps;     /* explicit_defaults_for_timestamp: 0, 1; -1 when not logged */
    enum binlog_alter_phase phase;
    struct span schema;
    struct span sql;
};

#define XID_DATA_BYTES 128u

/* An XA transaction's name, unique among those that are open. */
struct xid {
    int32_t format_id;
    uint8_t gtrid_bytes;
    uint8_t bqual_bytes;
    uint8_t data[XID_DATA_BYTES]; /* gtrid, then bqual */
};

struct binlog_transaction_start {
    struct gtid gtid;
    bool standalone;               /* MariaDB: the next event is the whole group */
    uint64_t transaction_bytes;    /* 0 when not logged */
    enum binlog_alter_phase phase; /* MariaDB */
    bool xa_prepared;              /* MariaDB: the group ends with XA_PREPARE; `xid` is its name */
    bool xa_completed;             /* MariaDB: the group ends the prepared transaction `xid` */
    struct xid xid;
};

const char *binlog_event_type_name(uint8_t type); /* "WRITE_ROWS", "unknown" */

MUST_USE enum err_code binlog_event_read_header(struct bytes_reader *in,
                                                struct binlog_event_header *out, struct err *e);
MUST_USE enum err_code binlog_event_query(struct span body, struct binlog_query *out,
                                          struct err *e);
/* LOAD DATA that was logged as a statement. */
MUST_USE enum err_code binlog_event_execute_load_query(struct span body, struct binlog_query *out,
                                                       struct err *e);
/* Types GTID, ANONYMOUS_GTID, GTID_TAGGED and MariaDB GTID. */
MUST_USE enum err_code binlog_event_gtid(const struct binlog_event *ev,
                                         struct binlog_transaction_start *out, struct err *e);
/* The end of a prepared group; with *one_phase it is its commit, too. */
MUST_USE enum err_code binlog_event_xa_prepare(struct span body, bool *one_phase, struct xid *out,
                                               struct err *e);
MUST_USE enum err_code binlog_event_incident(struct span body, uint16_t *type, struct span *message,
                                             struct err *e);

static inline bool binlog_event_is_rows(uint8_t type)
{
    return (type >= BINLOG_EVENT_WRITE_ROWS_V1 && type <= BINLOG_EVENT_DELETE_ROWS_V1) ||
           (type >= BINLOG_EVENT_WRITE_ROWS && type <= BINLOG_EVENT_DELETE_ROWS) ||
           type == BINLOG_EVENT_PARTIAL_UPDATE_ROWS;
}

#endif
