/*
 * The dump of a server: what a replica says, and the packets that come.
 *
 *   COM_REGISTER_SLAVE   server_id u32 | host, user, password: length u8, text | port u16 | rank
 * u32 | source u32 COM_BINLOG_DUMP      position u32 | flags u16 | server_id u32 | file name
 *   COM_BINLOG_DUMP_GTID flags u16 | server_id u32 | length u32, file name | position u64 | length
 * u32, set packet               00 | event, or fe: the end, or ff: an error (which the library
 * reads)
 */
#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "mysql/binlog_dump_error.h"
#include "mysql/binlog_stream_int.h"
#include "mysql/conn_int.h"

#define COMMAND_DUMP_GTID    ((enum enum_server_command)0x1e)
#define FLAG_NON_BLOCKING    0x01u
#define FLAG_HEARTBEAT_V2    0x02u /* of MySQL */
#define FLAG_ANNOTATE_ROWS   0x02u /* of MariaDB */
#define HEARTBEAT_US_DEFAULT 10000000
#define SILENCE_S_MIN        30u
#define PACKET_END_BYTES_MAX 9u
#define PACKET_KEEP_BYTES    ((size_t)16 << 20)
#define PACKET_SHRUNK_BYTES  ((size_t)64 << 10)
#define PACKET_HEADERS_BYTES \
    8u /* what the library keeps free behind its buffer: 4 + 3, rounded up */
#define SMALL_PACKETS_MIN  64u
#define SEMI_SYNC_MAGIC    0xefu
#define SEMI_SYNC_BYTES    2u
#define EVENT_BYTES_OFFSET 9u /* of the event's length in its header */

#define MARIADB_WITHOUT_LOG_POS 110400u

struct dump {
    struct mysql_conn *conn;
    unsigned silence_s;
    unsigned long packet_bytes; /* of the last packet */
    unsigned small_packets;     /* in a row */
};

/* ---- what went wrong ---- */

static enum err_code dump_failed(struct dump *d, struct err *e)
{
    unsigned number = mysql_errno(d->conn->mysql);
    const char *text = mysql_error(d->conn->mysql);

    if (number != CR_SERVER_LOST && number != CR_SERVER_GONE_ERROR) {
        enum err_code rc = binlog_dump_explain(number, text, d->conn->server.is_mariadb, e);

        if (rc != ERR_OK) {
            return rc;
        }
    }
    enum err_code rc = mysql_conn_error(d->conn, "reading the binlog", e);

    if (number == ER_QUERY_INTERRUPTED) {
        /* KILL on the source, or its restart. */
        rc = err_set_retryable(e, ERR_IO, "reading the binlog: %s (error %u)", text, number);
    } else if (rc == ERR_IO) {
        err_wrap(e, "the source went away or was silent for %u s", d->silence_s);
    }
    return rc;
}

/* ---- packets ---- */

/* The library never gives back the memory of a large packet. Its buffer is plain malloc'd memory.
 */
static void shrink_packet_buffer(struct dump *d)
{
    NET *net = &d->conn->mysql->net;

    if (net->compress) {
        return;
    }
    d->small_packets = d->packet_bytes < PACKET_SHRUNK_BYTES ? d->small_packets + 1 : 0;
    if (d->small_packets < SMALL_PACKETS_MIN) {
        return;
    }
    unsigned char *buff = realloc(net->buff, PACKET_SHRUNK_BYTES + PACKET_HEADERS_BYTES);

    if (buff == NULL) {
        return;
    }
    net->buff = buff;
    net->write_pos = buff;
    net->read_pos = buff;
    net->max_packet = PACKET_SHRUNK_BYTES;
    net->buff_end = buff + PACKET_SHRUNK_BYTES;
    d->small_packets = 0;
}

/*
 * A semi-synchronous source puts ef and a flag in front of events, for replicas that acknowledge.
 * calve does not ask for it and never acknowledges: a follower must not count as a copy of the
 * data. Should the two bytes come all the same they are known by the length that the event tells of
 * itself.
 */
struct span binlog_packet_event(struct span packet)
{
    struct bytes_reader in;
    uint32_t event_bytes = 0;

    if (packet.len < SEMI_SYNC_BYTES + BINLOG_EVENT_HEADER_BYTES ||
        packet.data[0] != SEMI_SYNC_MAGIC || packet.data[1] > 1) {
        return packet;
    }
    struct span event = span_of(packet.data + SEMI_SYNC_BYTES, packet.len - SEMI_SYNC_BYTES);

    bytes_reader_init(&in, span_of(event.data + EVENT_BYTES_OFFSET, sizeof event_bytes));
    event_bytes = bytes_u32le(&in);
    return event_bytes == event.len ? event : packet;
}

static enum err_code next_packet(void *ctx, struct span *event, struct err *e)
{
    struct dump *d = ctx;
    MYSQL *m = d->conn->mysql;

    if (m->net.max_packet > PACKET_KEEP_BYTES) {
        /* Nobody looks at the packet before this one any more. */
        shrink_packet_buffer(d);
    }
    if (m->net.pvio == NULL) {
        return err_set_retryable(e, ERR_IO, "the connection to the source is closed");
    }
    unsigned long len = mysql_net_read_packet(m);

    if (len == packet_error) {
        return dump_failed(d, e);
    }
    if (len == 0 || (m->net.read_pos[0] == 0xfe && len < PACKET_END_BYTES_MAX)) {
        return err_set_retryable(e, ERR_IO, "the source ended the binlog dump");
    }
    if (m->net.read_pos[0] != 0) {
        return err_set(e, ERR_CORRUPT, "a binlog packet starts with byte 0x%02x",
                       m->net.read_pos[0]);
    }
    d->packet_bytes = len;
    *event = binlog_packet_event(span_of(m->net.read_pos + 1, len - 1));
    return ERR_OK;
}

static void interrupt_dump(void *ctx)
{
    struct dump *d = ctx;

    mysql_conn_interrupt(d->conn);
}

static void close_dump(void *ctx)
{
    struct dump *d = ctx;

    if (d->conn != NULL) {
        /* The server sends on until it notices: a polite close would wait for that. */
        mysql_conn_interrupt(d->conn);
        mysql_conn_close(d->conn);
    }
    free(d);
}

/* ---- asking ---- */

static enum err_code send_command(struct mysql_conn *c, enum enum_server_command command,
                                  const struct buf *arg, bool answered, const char *doing,
                                  struct err *e)
{
    ERR_TRY(buf_check(arg, e, doing));
    if (c->mysql->methods->db_command(c->mysql, command, (const char *)arg->data, arg->len,
                                      answered ? 0 : 1, NULL) != 0) {
        return mysql_conn_error(c, doing, e);
    }
    return ERR_OK;
}

static enum err_code register_replica(struct mysql_conn *c, uint32_t server_id, struct err *e)
{
    struct buf arg = {0};
    struct err mine = {0};

    buf_u32le(&arg, server_id);
    buf_zeros(&arg, 3); /* host, user, password */
    buf_u16le(&arg, 0); /* port */
    buf_zeros(&arg, 8); /* rank, source */
    enum err_code rc =
        send_command(c, COM_REGISTER_SLAVE, &arg, true, "registering as a replica", &mine);

    buf_deinit(&arg);
    if (mine.source_errno == ER_ACCESS_DENIED_ERROR ||
        mine.source_errno == ER_SPECIFIC_ACCESS_DENIED_ERROR) {
        unsigned number = mine.source_errno;

        (void)err_set(
            e, ERR_SOURCE,
            "registering as a replica: %s (error %u); GRANT REPLICATION SLAVE ON *.* TO the "
            "account",
            mysql_error(c->mysql), number);
        if (e != NULL) {
            e->source_errno = number;
        }
        return ERR_SOURCE;
    }
    if (rc != ERR_OK && e != NULL) {
        *e = mine;
    }
    return rc;
}

static enum err_code set_connect_state(struct mysql_conn *c, const struct gtid_set *gtids,
                                       struct err *e)
{
    struct buf text = {0};

    gtid_set_print(gtids, &text);
    const char *state = buf_cstr(&text);
    enum err_code rc = state == NULL
                           ? buf_check(&text, e, "GTID position")
                           : mysql_exec(c, e,
                                        "SET @slave_connect_state='%s', @slave_gtid_strict_mode=1, "
                                        "@slave_gtid_ignore_duplicates=0",
                                        state);

    buf_deinit(&text);
    return rc;
}

/* Every variable under its old and its new name: servers look at one of them. */
static enum err_code set_variables(struct mysql_conn *c, const struct binlog_stream_options *o,
                                   const struct binlog_start *start, struct err *e)
{
    int64_t heartbeat_us = o->heartbeat_us > 0 ? o->heartbeat_us : HEARTBEAT_US_DEFAULT;
    long long heartbeat_ns = (long long)heartbeat_us * 1000;

    ERR_TRY(mysql_exec(c, e, "SET @master_heartbeat_period=%lld, @source_heartbeat_period=%lld",
                       heartbeat_ns, heartbeat_ns));
    ERR_TRY(mysql_exec(c, e,
                       "SET @master_binlog_checksum=@@global.binlog_checksum, "
                       "@source_binlog_checksum=@@global.binlog_checksum"));
    if (o->replica_uuid != NULL && o->replica_uuid[0] != '\0') {
        struct buf uuid = {0};

        mysql_quote_text(&uuid, o->replica_uuid);
        const char *text = buf_cstr(&uuid);
        enum err_code rc =
            text == NULL ? buf_check(&uuid, e, "replica uuid")
                         : mysql_exec(c, e, "SET @slave_uuid=%s, @replica_uuid=%s", text, text);

        buf_deinit(&uuid);
        ERR_TRY(rc);
    }
    if (c->server.is_mariadb) {
        ERR_TRY(mysql_exec(c, e, "SET @mariadb_slave_capability=4"));
        if (start->gtids != NULL) {
            ERR_TRY(set_connect_state(c, start->gtids, e));
        }
    }
    return ERR_OK;
}

static enum err_code dump_by_gtids(struct mysql_conn *c, const struct binlog_stream_options *o,
                                   const struct gtid_set *gtids, struct err *e)
{
    struct buf arg = {0};
    struct buf set = {0};

    gtid_set_encode(gtids, &set);
    enum err_code rc = buf_check(&set, e, "GTID set");

    if (rc == ERR_OK) {
        buf_u16le(&arg, FLAG_HEARTBEAT_V2);
        buf_u32le(&arg, o->server_id);
        buf_u32le(&arg, 0); /* no file name: the server finds the file */
        buf_u64le(&arg, BINLOG_FILE_START);
        buf_u32le(&arg, (uint32_t)set.len);
        buf_append_span(&arg, buf_span(&set));
        rc = send_command(c, COMMAND_DUMP_GTID, &arg, false, "asking for the binlog", e);
    }
    buf_deinit(&set);
    buf_deinit(&arg);
    return rc;
}

/*
 * MariaDB from 11.4 on writes no log_pos inside of transactions, so there only counting gives the
 * position of a row, and for that all events must come.
 */
static uint16_t dump_flags(const struct mysql_server *server)
{
    if (server->is_mariadb) {
        return server->version_number >= MARIADB_WITHOUT_LOG_POS ? FLAG_ANNOTATE_ROWS : 0;
    }
    return FLAG_HEARTBEAT_V2;
}

static enum err_code dump_by_position(struct mysql_conn *c, uint32_t server_id, uint16_t flags,
                                      const char *file, uint64_t offset, struct err *e)
{
    struct buf arg = {0};

    /* The command has 32 bits for the offset: beyond, the file is read from its start. */
    if (offset < BINLOG_FILE_START || offset > UINT32_MAX) {
        offset = BINLOG_FILE_START;
    }
    buf_u32le(&arg, (uint32_t)offset);
    buf_u16le(&arg, flags);
    buf_u32le(&arg, server_id);
    buf_append_str(&arg, file);
    enum err_code rc = send_command(c, COM_BINLOG_DUMP, &arg, false, "asking for the binlog", e);

    buf_deinit(&arg);
    return rc;
}

/* The algorithm of the made-up rotate event that comes before the first format description. */
static enum err_code read_checksum(struct mysql_conn *c, enum binlog_checksum *out, struct err *e)
{
    char text[32];

    ERR_TRY(mysql_query_text(c, "SELECT @source_binlog_checksum", text, sizeof text, e));
    *out = str_ieq(text, "CRC32") ? BINLOG_CHECKSUM_CRC32 : BINLOG_CHECKSUM_OFF;
    return ERR_OK;
}

static enum err_code start_dump(struct mysql_conn *c, const struct binlog_stream_options *o,
                                const struct binlog_start *start, enum binlog_checksum *checksum,
                                struct err *e)
{
    if (!c->server.log_bin) {
        return err_set(e, ERR_SOURCE,
                       "the source writes no binlog (log_bin is OFF): start it with --log-bin");
    }
    ERR_TRY(set_variables(c, o, start, e));
    ERR_TRY(read_checksum(c, checksum, e));
    ERR_TRY(register_replica(c, o->server_id, e));
    uint16_t flags = dump_flags(&c->server);

    if (start->gtids == NULL) {
        return dump_by_position(c, o->server_id, flags, start->position.file,
                                start->position.offset, e);
    }
    return c->server.is_mariadb ? dump_by_position(c, o->server_id, flags, "", BINLOG_FILE_START, e)
                                : dump_by_gtids(c, o, start->gtids, e);
}

/*
 * Seeking by GTID, a MariaDB server passes over events and tells where it is by 32 bits; MySQL
 * sends a heartbeat with all of them. Beyond, only reading on from the file's start gives
 * positions.
 */
static bool seeks_by_gtids(const struct mysql_server *server, const struct binlog_start *start)
{
    return start->gtids != NULL && (!server->is_mariadb || start->position.offset <= UINT32_MAX);
}

enum err_code binlog_stream_open(const struct binlog_stream_options *options,
                                 const struct binlog_start *start, struct binlog_stream **out,
                                 struct err *e)
{
    int64_t silence_s = options->heartbeat_us / 1000000 * 3;
    struct mysql_options mysql = options->mysql;
    struct dump *d = calloc(1, sizeof *d);
    enum binlog_checksum checksum = BINLOG_CHECKSUM_OFF;
    struct binlog_start from = {.gtids = NULL};

    if (d == NULL) {
        return err_nomem(e);
    }
    d->silence_s = silence_s < SILENCE_S_MIN ? SILENCE_S_MIN : (unsigned)silence_s;
    mysql.read_timeout_s = d->silence_s;
    enum err_code rc = mysql_conn_open(&mysql, &d->conn, e);

    if (rc == ERR_OK) {
        /* Only now: options->mysql.accept may have chosen it. */
        from = *start;
        from.gtids = seeks_by_gtids(&d->conn->server, start) ? start->gtids : NULL;
        rc = start_dump(d->conn, options, &from, &checksum, e);
    }
    if (rc != ERR_OK) {
        close_dump(d);
        return rc;
    }
    struct binlog_source source = {.next = next_packet,
                                   .interrupt = interrupt_dump,
                                   .close = close_dump,
                                   .ctx = d,
                                   .server = mysql_conn_server(d->conn)};

    struct binlog_position at = from.position;

    at.offset = at.offset < BINLOG_FILE_START ? BINLOG_FILE_START : at.offset;
    ERR_TRY(binlog_stream_new(&source, &at, checksum, out, e));
    if (from.gtids == NULL && at.offset > UINT32_MAX) {
        binlog_stream_skip_until(*out, at.offset);
    }
    return ERR_OK;
}

/* Reads up to the format description, which a dump begins with wherever it starts. */
static enum err_code read_created(struct dump *d, uint32_t *created_s, struct err *e)
{
    for (;;) {
        struct binlog_event_header h;
        struct bytes_reader in;
        struct span event = {NULL, 0};

        ERR_TRY(next_packet(d, &event, e));
        bytes_reader_init(&in, event);
        ERR_TRY(binlog_event_read_header(&in, &h, e));
        if (h.type == BINLOG_EVENT_FORMAT_DESCRIPTION) {
            *created_s = h.timestamp_s;
            return ERR_OK;
        }
        if (h.type != BINLOG_EVENT_ROTATE) {
            return err_set(e, ERR_CORRUPT, "a dump starts with %s, not with a format description",
                           binlog_event_type_name(h.type));
        }
    }
}

enum err_code binlog_log_created(const struct mysql_options *mysql,
                                 const struct binlog_position *at, uint32_t *created_s,
                                 struct err *e)
{
    struct dump *d = calloc(1, sizeof *d);
    const struct binlog_stream_options options = {.heartbeat_us = HEARTBEAT_US_DEFAULT};
    const struct binlog_start start = {.gtids = NULL};

    *created_s = 0;
    if (d == NULL) {
        return err_nomem(e);
    }
    d->silence_s = SILENCE_S_MIN;
    enum err_code rc = mysql_conn_open(mysql, &d->conn, e);

    if (rc == ERR_OK) {
        rc = set_variables(d->conn, &options, &start, e);
    }
    if (rc == ERR_OK) {
        /* Without an id and without a uuid no other dump is ended by it. */
        rc = dump_by_position(d->conn, 0, FLAG_NON_BLOCKING, at->file, at->offset, e);
    }
    if (rc == ERR_OK) {
        rc = read_created(d, created_s, e);
    }
    if (rc != ERR_OK && d->conn != NULL &&
        binlog_dump_wants_gtids(mysql_errno(d->conn->mysql), d->conn->server.is_mariadb)) {
        *created_s = 0; /* files say nothing there */
        rc = ERR_OK;
    } else if (rc != ERR_OK) {
        err_wrap(e, "looking at the start of %s", at->file);
    }
    close_dump(d);
    return rc;
}
