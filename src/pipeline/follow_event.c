/* follow_event.c - what each event does. */
#include "pipeline/follow_int.h"

#define FORMAT_CREATED_OFFSET                                           \
    52u /* in a FORMAT_DESCRIPTION, behind version and server's version \
         */

static enum err_code on_gtid(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    struct binlog_transaction_start start;

    if (f->txn.open) {
        return err_set(e, ERR_CORRUPT, "a transaction starts before %s:%llu while another is open",
                       ev->end.file, (unsigned long long)ev->end.offset);
    }
    ERR_TRY(binlog_event_gtid(ev, &start, e));
    if (!start.gtid.present && f->executed != NULL && !f->by_position) {
        return err_set(e, ERR_UNSUPPORTED,
                       "anonymous transaction at %s:%llu on a source with GTIDs: gtid_mode was "
                       "changed while calve was following",
                       ev->end.file, (unsigned long long)ev->end.offset);
    }
    f->statement_ended = true;
    ERR_TRY(follow_schema_catch_up(f, e));
    ERR_TRY(follow_charsets_take(f, e));
    ERR_TRY(follow_begin(f, ev, &start.gtid, e));
    f->txn.phase = start.phase;
    /* MariaDB's GTID event stands for BEGIN. */
    f->txn.begun =
        start.gtid.flavor == GTID_FLAVOR_MARIADB && start.gtid.present && !start.standalone;
    return start.xa_prepared ? follow_xa_begin(f, ev, &start.xid, e) : ERR_OK;
}

static enum err_code on_begin(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    if (!f->txn.open) {
        /* Servers of old without GTID events. */
        ERR_TRY(follow_begin(f, ev, &(struct gtid){0}, e));
    }
    f->txn.begun = true;
    return ERR_OK;
}

static enum err_code on_query(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    struct binlog_query q;
    enum err_code rc = ERR_OK;
    bool is_load = ev->header.type == BINLOG_EVENT_EXECUTE_LOAD_QUERY;

    ERR_TRY(is_load ? binlog_event_execute_load_query(ev->body, &q, e)
                    : binlog_event_query(ev->body, &q, e));
    if (q.phase == BINLOG_ALTER_WHOLE && f->txn.open) {
        q.phase = f->txn.phase;
    }
    enum statement_kind kind =
        is_load ? STATEMENT_DML
                : statement_classify(q.sql, (q.sql_mode & SQL_MODE_ANSI_QUOTES) != 0);

    switch (kind) {
    case STATEMENT_BEGIN:
        return on_begin(f, ev, e);
    case STATEMENT_COMMIT:
        return follow_commit(f, ev, e);
    case STATEMENT_ROLLBACK:
        return follow_rollback(f, ev, e);
    case STATEMENT_ROLLBACK_TO:
        return follow_rollback_to(f, ev, &q, e);
    case STATEMENT_SAVEPOINT:
        return follow_savepoint(f, &q, e);
    case STATEMENT_XA:
        return follow_xa_statement(f, ev, &q, e);
    case STATEMENT_DML:
    case STATEMENT_DDL:
        rc = follow_statement(f, ev, &q, kind, e);
        if (rc == ERR_OK && f->done) {
            return ERR_OK; /* the run ends in front of it */
        }
        break;
    case STATEMENT_OTHER:
        break;
    }
    ERR_TRY(rc);
    /* Outside BEGIN ... COMMIT a statement is a whole transaction. */
    return f->txn.begun ? ERR_OK : follow_commit(f, ev, e);
}

/*
 * Members of a replication group came or went. Some versions log that with a GTID of its own,
 * mostly between BEGIN and COMMIT; without these it is the whole transaction.
 */
static enum err_code on_view_change(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    return f->txn.open && !f->txn.begun ? follow_transaction_end(f, &ev->end, e) : ERR_OK;
}

/* Whether the server that writes the file has just started: it tells when, in no other file. */
static bool is_servers_first(struct span body)
{
    struct bytes_reader in;

    bytes_reader_init(&in, body);
    bytes_skip(&in, FORMAT_CREATED_OFFSET);
    return bytes_u32le(&in) != 0;
}

static enum err_code on_new_file(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    memset(f->ids, 0, sizeof f->ids);
    f->id_count = 0;
    follow_note_log(f, ev);
    if (f->txn.open && (ev->header.flags & BINLOG_FLAG_ARTIFICIAL) == 0) {
        return err_set(e, ERR_CORRUPT,
                       "%s starts while a transaction of the file before it has no end",
                       ev->end.file);
    }
    if (is_servers_first(ev->body)) {
        schema_server_started(f->schema);
    }
    return ERR_OK;
}

static enum err_code on_incident(const struct binlog_event *ev, struct err *e)
{
    uint16_t type;
    struct span message;

    ERR_TRY(binlog_event_incident(ev->body, &type, &message, e));
    return err_set(e, ERR_SOURCE,
                   "the source lost events at %s:%llu (incident %u: %.*s). What is missing cannot "
                   "be followed: drop the Iceberg tables and copy them again",
                   ev->end.file, (unsigned long long)ev->end.offset, type, (int)message.len,
                   (const char *)message.data);
}

/* Between transactions a heartbeat or a rotation may move the position by any amount. */
static enum err_code on_position(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    bool beats =
        ev->header.type == BINLOG_EVENT_HEARTBEAT || ev->header.type == BINLOG_EVENT_HEARTBEAT_V2;

    /* Started by GTID, a server opens files whose start is not the place that was asked for. */
    if (f->txn.open || (f->end.file[0] == '\0' && !beats)) {
        return ERR_OK;
    }
    if (ev->end.file[0] != '\0' && binlog_position_compare(&ev->end, &f->end) > 0) {
        f->end = ev->end;
        f->moved = true;
    }
    f->done = follow_until_reached(f);
    return follow_cut_if_due(f, e);
}

enum err_code follow_event(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    if (binlog_event_is_rows(ev->header.type)) {
        return follow_rows(f, ev, e);
    }
    switch (ev->header.type) {
    case BINLOG_EVENT_TABLE_MAP:
        return follow_table_map(f, ev, e);
    case BINLOG_EVENT_GTID:
    case BINLOG_EVENT_ANONYMOUS_GTID:
    case BINLOG_EVENT_GTID_TAGGED:
    case BINLOG_EVENT_MARIADB_GTID:
        return on_gtid(f, ev, e);
    case BINLOG_EVENT_QUERY:
    case BINLOG_EVENT_EXECUTE_LOAD_QUERY:
        return on_query(f, ev, e);
    case BINLOG_EVENT_VIEW_CHANGE:
        return on_view_change(f, ev, e);
    case BINLOG_EVENT_XID:
        return follow_commit(f, ev, e);
    case BINLOG_EVENT_XA_PREPARE:
        return follow_xa_prepare(f, ev, e);
    case BINLOG_EVENT_FORMAT_DESCRIPTION:
        return on_new_file(f, ev, e);
    case BINLOG_EVENT_INCIDENT:
        return on_incident(ev, e);
    case BINLOG_EVENT_HEARTBEAT:
    case BINLOG_EVENT_HEARTBEAT_V2:
    case BINLOG_EVENT_ROTATE:
    case BINLOG_EVENT_PREVIOUS_GTIDS:
    case BINLOG_EVENT_MARIADB_GTID_LIST:
    case BINLOG_EVENT_MARIADB_BINLOG_CHECKPOINT:
        return on_position(f, ev, e);
    default:
        /* The stream ends on events that may not be passed over. */
        return ERR_OK;
    }
}
