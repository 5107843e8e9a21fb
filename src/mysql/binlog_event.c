/*
 * Header:   timestamp u32 | type u8 | server_id u32 | event_len u32 | log_pos u32 | flags u16
 *
 * QUERY:    thread_id u32 | exec_time u32 | db_len u8 | error_code u16 | status_len u16 |
 *           status variables | db, NUL | sql
 * EXECUTE_LOAD_QUERY: the same, but behind status_len: file_id u32 | where its name begins in the
 *           statement u32 | and ends u32 | how it treats duplicates u8
 *
 * GTID:     flags u8 | uuid 16 | gno i64 | 0x02 | last_committed i64 | sequence_number i64 |
 *           commit time u56 (bit 55: another follows) | transaction_length lenenc |
 *           server versions ... a version of MySQL ends it after any of these parts from gno on
 *
 * MariaDB:  seq u64 | domain u32 | flags u8 | flags 02: commit_id u64 | flags 40 or 80: an XA id |
 *           extra flags u8 | 01: engines u8 | 04 or 08: seq of the START ALTER u64 | ...
 *
 * INCIDENT: type u16 | length u8 | message
 */
#include "mysql/binlog_event.h"

#include "mysql/binlog_gtid_tagged.h"
#include "mysql/binlog_xa_int.h"

#define LOGICAL_CLOCK           2u
#define LOGICAL_CLOCK_BYTES     17u /* with its code */
#define COMMIT_TIME_BYTES       7u
#define ORIGINAL_COMMIT_FOLLOWS ((uint64_t)1 << 55)
#define MARIADB_STANDALONE      0x01u
#define MARIADB_COMMIT_ID       0x02u
#define MARIADB_MULTI_ENGINE    0x01u /* the rest: of the extra flags */
#define MARIADB_START_ALTER     0x02u
#define MARIADB_COMMIT_ALTER    0x04u
#define MARIADB_ROLLBACK_ALTER  0x08u

enum err_code binlog_event_read_header(struct bytes_reader *in, struct binlog_event_header *out,
                                       struct err *e)
{
    size_t had = bytes_left(in);
    const uint8_t *p = bytes_take(in, BINLOG_EVENT_HEADER_BYTES);

    if (p == NULL) {
        *out = (struct binlog_event_header){0};
        return err_set(e, ERR_CORRUPT, "an event header needs %d bytes, has %zu",
                       BINLOG_EVENT_HEADER_BYTES, had);
    }
    /* One check for all fields: this runs for every event. */
    memcpy(&out->timestamp_s, p, 4);
    out->type = p[4];
    memcpy(&out->server_id, p + 5, 4);
    memcpy(&out->event_bytes, p + 9, 4);
    memcpy(&out->log_pos, p + 13, 4);
    memcpy(&out->flags, p + 17, 2);
    if (out->event_bytes < BINLOG_EVENT_HEADER_BYTES) {
        return err_set(e, ERR_CORRUPT, "an event says that it has %u bytes", out->event_bytes);
    }
    return ERR_OK;
}

/* ---- QUERY ---- */

enum status_code {
    STATUS_FLAGS2 = 0,
    STATUS_SQL_MODE = 1,
    STATUS_CATALOG_NUL = 2,
    STATUS_CHARSET = 4,
    STATUS_TIME_ZONE = 5,
    STATUS_CATALOG = 6,
    STATUS_DATABASE_COLLATION = 8,
    STATUS_INVOKER = 11,
    STATUS_UPDATED_DBS = 12,
    STATUS_EXPLICIT_TIMESTAMPS = 16,
    STATUS_UTF8MB4_COLLATION = 18,
    STATUS_MARIADB_GTID_FLAGS = 130,
    STATUS_MARIADB_COLLATIONS = 131,
};

#define LOAD_BYTES 13u
/* In flags2; MySQL has it in a variable of its own. */
#define MARIADB_EXPLICIT_TIMESTAMPS 0x01000000u
#define UPDATED_DBS_TOO_MANY        254u

/* Bytes of the status variables that are skipped and always have the same length. */
static const uint8_t status_bytes[256] = {
    [3] = 4,   /* auto_increment */
    [7] = 2,   /* lc_time_names */
    [9] = 8,   /* table_map_for_update */
    [10] = 4,  /* master_data_written */
    [13] = 3,  /* microseconds */
    [17] = 8,  /* ddl_xid */
    [19] = 1,  /* sql_require_primary_key */
    [20] = 1,  /* default_table_encryption */
    [128] = 3, /* MariaDB microseconds */
    [129] = 8, /* MariaDB xid */
};

static void skip_updated_dbs(struct bytes_reader *vars)
{
    uint8_t count = bytes_u8(vars);

    for (uint8_t i = 0; count != UPDATED_DBS_TOO_MANY && i < count && !bytes_failed(vars); i++) {
        while (bytes_u8(vars) != 0) {
        }
    }
}

/*
 * The flags of MariaDB's two-phase ALTER, of which two are followed by the number of the group that
 * began it.
 */
static enum binlog_alter_phase alter_phase(uint8_t flags, struct bytes_reader *in)
{
    if ((flags & (MARIADB_COMMIT_ALTER | MARIADB_ROLLBACK_ALTER)) != 0) {
        bytes_skip(in, 8);
        return (flags & MARIADB_COMMIT_ALTER) != 0 ? BINLOG_ALTER_COMMIT : BINLOG_ALTER_ROLLBACK;
    }
    return (flags & MARIADB_START_ALTER) != 0 ? BINLOG_ALTER_START : BINLOG_ALTER_WHOLE;
}

/* Reads or skips one status variable; false when its length is not known. */
static bool read_status_var(struct bytes_reader *vars, struct binlog_query *out)
{
    uint8_t code = bytes_u8(vars);

    switch (code) {
    case STATUS_FLAGS2:
        if ((bytes_u32le(vars) & MARIADB_EXPLICIT_TIMESTAMPS) != 0) {
            out->explicit_timestamps = 1;
        }
        return true;
    case STATUS_SQL_MODE:
        out->sql_mode = bytes_u64le(vars);
        return true;
    case STATUS_CHARSET:
        out->client_collation = bytes_u16le(vars);
        bytes_skip(vars, 2); /* of the connection */
        out->server_collation = bytes_u16le(vars);
        return true;
    case STATUS_DATABASE_COLLATION:
        out->database_collation = bytes_u16le(vars);
        return true;
    case STATUS_UTF8MB4_COLLATION:
        out->utf8mb4_collation = bytes_u16le(vars);
        return true;
    case STATUS_EXPLICIT_TIMESTAMPS:
        out->explicit_timestamps = bytes_u8(vars) != 0 ? 1 : 0;
        return true;
    case STATUS_CATALOG_NUL:
        bytes_skip(vars, (size_t)bytes_u8(vars) + 1);
        return true;
    case STATUS_TIME_ZONE:
    case STATUS_CATALOG:
        bytes_skip(vars, bytes_u8(vars));
        return true;
    case STATUS_INVOKER:
        bytes_skip(vars, bytes_u8(vars));
        bytes_skip(vars, bytes_u8(vars));
        return true;
    case STATUS_UPDATED_DBS:
        skip_updated_dbs(vars);
        return true;
    case STATUS_MARIADB_GTID_FLAGS:
        out->phase = alter_phase(bytes_u8(vars), vars);
        return true;
    case STATUS_MARIADB_COLLATIONS:
        bytes_skip(vars, (size_t)bytes_u8(vars) * 4);
        return true;
    default:
        bytes_skip(vars, status_bytes[code]);
        return status_bytes[code] != 0;
    }
}

static enum err_code read_query(struct span body, size_t load_bytes, struct binlog_query *out,
                                struct err *e)
{
    struct bytes_reader in;

    *out = (struct binlog_query){.explicit_timestamps = -1};
    bytes_reader_init(&in, body);
    out->thread_id = bytes_u32le(&in);
    bytes_skip(&in, 4);
    uint8_t schema_bytes = bytes_u8(&in);

    out->error_code = bytes_u16le(&in);
    uint16_t vars_bytes = bytes_u16le(&in);

    bytes_skip(&in, load_bytes);
    struct bytes_reader vars = bytes_sub(&in, vars_bytes);

    out->schema = bytes_span(&in, schema_bytes);
    bytes_skip(&in, 1);
    if (bytes_failed(&in)) {
        return err_set(e, ERR_CORRUPT, "a query event of %zu bytes is cut short", body.len);
    }
    out->sql = bytes_rest(&in);
    /* Behind a variable of unknown length nothing can be read; the statement is not touched by
     * that. */
    while (bytes_left(&vars) > 0 && read_status_var(&vars, out)) {
    }
    return bytes_failed(&vars)
               ? err_set(e, ERR_CORRUPT, "query event: a status variable is cut short")
               : ERR_OK;
}

enum err_code binlog_event_query(struct span body, struct binlog_query *out, struct err *e)
{
    return read_query(body, 0, out, e);
}

enum err_code binlog_event_execute_load_query(struct span body, struct binlog_query *out,
                                              struct err *e)
{
    return read_query(body, LOAD_BYTES, out, e);
}

/* ---- GTID ---- */

static enum err_code read_mysql_gtid(const struct binlog_event *ev,
                                     struct binlog_transaction_start *out, struct err *e)
{
    struct bytes_reader in;

    bytes_reader_init(&in, ev->body);
    bytes_skip(&in, 1);
    const uint8_t *uuid = bytes_take(&in, sizeof out->gtid.uuid);

    out->gtid.number = bytes_u64le(&in);
    if (bytes_failed(&in)) {
        return err_set(e, ERR_CORRUPT, "a GTID event of %zu bytes is cut short", ev->body.len);
    }
    memcpy(out->gtid.uuid, uuid, sizeof out->gtid.uuid);
    out->gtid.flavor = GTID_FLAVOR_MYSQL;
    out->gtid.present = ev->header.type == BINLOG_EVENT_GTID;
    if (out->gtid.present && (out->gtid.number == 0 || out->gtid.number >= INT64_MAX)) {
        return err_set(e, ERR_CORRUPT, "GTID event: %llu is no transaction number",
                       (unsigned long long)out->gtid.number);
    }
    if (bytes_left(&in) < LOGICAL_CLOCK_BYTES || *in.at != LOGICAL_CLOCK) {
        return ERR_OK;
    }
    bytes_skip(&in, LOGICAL_CLOCK_BYTES);
    if (bytes_left(&in) < COMMIT_TIME_BYTES) {
        return ERR_OK;
    }
    if ((bytes_uint_le(&in, COMMIT_TIME_BYTES) & ORIGINAL_COMMIT_FOLLOWS) != 0) {
        bytes_skip(&in, COMMIT_TIME_BYTES);
    }
    if (bytes_left(&in) > 0) {
        out->transaction_bytes = bytes_lenenc(&in);
    }
    return bytes_failed(&in) ? err_set(e, ERR_CORRUPT, "GTID event: its last part is cut short")
                             : ERR_OK;
}

/* From 10.6 on; before, zeros that fill up to 19 bytes, or nothing. */
static void read_mariadb_extra(struct bytes_reader *in, struct binlog_transaction_start *out)
{
    if (bytes_left(in) == 0) {
        return;
    }
    uint8_t flags = bytes_u8(in);

    if ((flags & MARIADB_MULTI_ENGINE) != 0) {
        bytes_skip(in, 1);
    }
    out->phase = alter_phase(flags, in);
}

static enum err_code read_mariadb_gtid(const struct binlog_event *ev,
                                       struct binlog_transaction_start *out, struct err *e)
{
    struct bytes_reader in;

    bytes_reader_init(&in, ev->body);
    out->gtid.number = bytes_u64le(&in);
    out->gtid.domain = bytes_u32le(&in);
    uint8_t flags = bytes_u8(&in);

    if ((flags & MARIADB_COMMIT_ID) != 0) {
        bytes_skip(&in, 8);
    }
    if (bytes_failed(&in)) {
        return err_set(e, ERR_CORRUPT, "a GTID event of %zu bytes is cut short", ev->body.len);
    }
    ERR_TRY(binlog_xa_read_gtid(&in, flags, out, e));
    read_mariadb_extra(&in, out);
    if (bytes_failed(&in)) {
        return err_set(e, ERR_CORRUPT, "a GTID event of %zu bytes is cut short", ev->body.len);
    }
    out->standalone = (flags & MARIADB_STANDALONE) != 0;
    out->gtid.server_id = ev->header.server_id;
    out->gtid.flavor = GTID_FLAVOR_MARIADB;
    out->gtid.present = true;
    return ERR_OK;
}

enum err_code binlog_event_gtid(const struct binlog_event *ev, struct binlog_transaction_start *out,
                                struct err *e)
{
    *out = (struct binlog_transaction_start){0};
    if (ev->header.type == BINLOG_EVENT_GTID_TAGGED) {
        return binlog_gtid_tagged_read(ev->body, out, e);
    }
    return ev->header.type == BINLOG_EVENT_MARIADB_GTID ? read_mariadb_gtid(ev, out, e)
                                                        : read_mysql_gtid(ev, out, e);
}

enum err_code binlog_event_incident(struct span body, uint16_t *type, struct span *message,
                                    struct err *e)
{
    struct bytes_reader in;

    bytes_reader_init(&in, body);
    *type = bytes_u16le(&in);
    *message = bytes_left(&in) > 0 ? bytes_span(&in, bytes_u8(&in)) : (struct span){NULL, 0};
    return bytes_failed(&in) ? err_set(e, ERR_CORRUPT, "an incident event is cut short") : ERR_OK;
}
