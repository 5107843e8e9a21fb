#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "mysql/row_image.h"
#include "mysql/source_catalog.h"
#include "mysql/table_map.h"
#include "pipeline/ddl_guard.h"
#include "pipeline/follow_int.h"

#define SLAB_BYTES           ((size_t)256 << 10)
#define SQL_MODE_ANSI_QUOTES 0x4u
#define DUMMY_TABLE_ID       0xffffffu
#define SQL_SHOWN            200

static bool name_is(const struct follow *f, struct span logged, const char *name)
{
    return f->options.icase ? span_ieq_str(logged, name) : span_eq_str(logged, name);
}

static struct followed_table *find_table(const struct follow *f, struct span schema,
                                         struct span name)
{
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];

        if (name_is(f, name, t->name) && name_is(f, schema, t->schema)) {
            return t;
        }
    }
    return NULL;
}

/* The id's slot, or the free one that it would get; NULL when all are taken. */
static struct table_id_slot *slot_of(struct follow *f, uint64_t id)
{
    for (uint64_t i = 0; i < TABLE_IDS_MAX; i++) {
        struct table_id_slot *s = &f->ids[(id + i) % TABLE_IDS_MAX];

        if (!s->used || s->id == id) {
            return s;
        }
    }
    return NULL;
}

/* A statement's table maps come before its rows and hold to its end, as on a replica. */
static enum err_code note_table_id(struct follow *f, uint64_t id, struct followed_table *t,
                                   struct err *e)
{
    if (f->statement_ended && f->id_count >= TABLE_IDS_MAX / 2) {
        memset(f->ids, 0, sizeof f->ids);
        f->id_count = 0;
    }
    f->statement_ended = false;
    struct table_id_slot *s = slot_of(f, id);

    if (s == NULL) {
        return err_set(e, ERR_LIMIT, "a statement that changes more than %u tables", TABLE_IDS_MAX);
    }
    f->id_count += s->used ? 0 : 1;
    *s = (struct table_id_slot){.used = true, .id = id, .table = t};
    return ERR_OK;
}

/*
 * Whether to go by GTID. The sequence numbers of a MariaDB domain may go back, so there the place
 * in the log, which is the same server's, decides if it is known.
 */
static bool goes_by_gtid(const struct followed_table *t, const struct gtid *gtid)
{
    return t->source.gtids != NULL && gtid->present &&
           (gtid->flavor == GTID_FLAVOR_MYSQL || t->source.position.file[0] == '\0');
}

/* Whether the table has this event's transaction already, from before a restart. */
static bool is_in_table(struct follow *f, struct followed_table *t, const struct binlog_event *ev)
{
    if (t->source.caught_up) {
        return false;
    }
    if (t->source.skip_serial == f->txn.serial) {
        return t->source.skip_this;
    }
    bool skip;

    if (goes_by_gtid(t, &f->txn.gtid)) {
        skip = gtid_set_contains(t->source.gtids, &f->txn.gtid);
    } else {
        /* A transaction lies wholly before or wholly after the end of another. */
        skip = binlog_position_compare(&ev->end, &t->source.position) <= 0;
        t->source.caught_up = !skip;
    }
    t->source.skip_serial = f->txn.serial;
    t->source.skip_this = skip;
    return skip;
}

static enum err_code on_table_map(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    uint64_t id;
    struct span schema;
    struct span name;

    ERR_TRY(table_map_peek(ev->body, &id, &schema, &name, e));
    struct followed_table *t = find_table(f, schema, name);

    ERR_TRY(note_table_id(f, id, t, e));
    if (t == NULL || is_in_table(f, t, ev)) {
        return ERR_OK;
    }
    enum err_code rc = followed_table_plan(t, ev->body, e);

    if (rc == ERR_CONFLICT) {
        err_wrap(
            e,
            "%s at %s:%llu does not look as calve knows it (was it altered without the "
            "statement in the binlog?). Copy it again: drop the Iceberg table and run backfill",
            t->full_name, ev->end.file, (unsigned long long)ev->end.offset);
    } else if (rc != ERR_OK) {
        err_wrap(e, "%s at %s:%llu", t->full_name, ev->end.file,
                 (unsigned long long)ev->end.offset);
    }
    return rc;
}

static struct slab *slab_for(struct follow *f, unsigned lane, const char *file)
{
    struct slab *s = f->slabs[lane];

    if (s == NULL) {
        s = calloc(1, sizeof *s);
        if (s != NULL) {
            s->kind = SLAB_ROWS;
            (void)snprintf(s->log_file, sizeof s->log_file, "%s", file);
            f->slabs[lane] = s;
        }
    }
    return s;
}

static enum err_code send_slab(struct follow *f, unsigned lane, struct err *e)
{
    struct slab *s = f->slabs[lane];

    f->slabs[lane] = NULL;
    if (s == NULL) {
        return ERR_OK;
    }
    enum err_code rc = buf_check(&s->bytes, e, "rows events");

    if (rc != ERR_OK) {
        slab_free(s);
        return rc;
    }
    return lane_push(f->options.lanes[lane], s) ? ERR_OK
                                                : err_set(e, ERR_CANCELLED, "the run has ended");
}

enum err_code follow_send_slabs(struct follow *f, struct err *e)
{
    for (unsigned i = 0; i < f->options.lane_count; i++) {
        ERR_TRY(send_slab(f, i, e));
    }
    return ERR_OK;
}

static enum err_code route_rows(struct follow *f, struct followed_table *t,
                                const struct binlog_event *ev, struct err *e)
{
    struct slab *s = f->slabs[t->lane];

    if (s != NULL && strcmp(s->log_file, ev->end.file) != 0) {
        ERR_TRY(send_slab(f, t->lane, e));
    }
    s = slab_for(f, t->lane, ev->end.file);
    if (s == NULL) {
        return err_nomem(e);
    }
    struct slab_entry entry = {
        .table = t,
        .plan = t->source.plan,
        .log_position = ev->end.offset,
        .timestamp_s = ev->header.timestamp_s,
        .body_bytes = (uint32_t)ev->body.len,
        .event_type = ev->header.type,
    };

    buf_append(&s->bytes, &entry, sizeof entry);
    buf_append_span(&s->bytes, ev->body);
    f->txn.routed = true;
    f->rows_since_cut = true;
    return s->bytes.len >= SLAB_BYTES || s->bytes.failed != ERR_OK ? send_slab(f, t->lane, e)
                                                                   : ERR_OK;
}

static enum err_code on_rows(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    uint64_t id;

    ERR_TRY(rows_event_table_id(ev->header.type, ev->body, &id, &f->statement_ended, e));
    const struct table_id_slot *slot = slot_of(f, id);

    if (id == DUMMY_TABLE_ID) {
        return ERR_OK;
    }
    if (slot == NULL || !slot->used) {
        return err_set(e, ERR_CORRUPT,
                       "rows event at %s:%llu for table id %llu without a table map", ev->end.file,
                       (unsigned long long)ev->end.offset, (unsigned long long)id);
    }
    if (!f->txn.open) {
        return err_set(e, ERR_CORRUPT, "rows event at %s:%llu outside a transaction", ev->end.file,
                       (unsigned long long)ev->end.offset);
    }
    if (slot->table == NULL || is_in_table(f, slot->table, ev)) {
        return ERR_OK;
    }
    if (follow_passes_until(f, &ev->end)) {
        f->done = true;
        return ERR_OK;
    }
    return route_rows(f, slot->table, ev, e);
}

static enum err_code on_gtid(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    struct binlog_transaction_start start;

    if (f->txn.open) {
        return err_set(e, ERR_CORRUPT, "a transaction starts before %s:%llu while another is open",
                       ev->end.file, (unsigned long long)ev->end.offset);
    }
    ERR_TRY(binlog_event_gtid(ev, &start, e));
    if (!start.gtid.present && f->executed != NULL) {
        return err_set(e, ERR_UNSUPPORTED,
                       "anonymous transaction at %s:%llu on a source with GTIDs: gtid_mode was "
                       "changed while calve was following",
                       ev->end.file, (unsigned long long)ev->end.offset);
    }
    f->statement_ended = true;
    f->txn.open = true;
    f->txn.routed = false;
    /* MariaDB's GTID event stands for BEGIN. */
    f->txn.begun =
        start.gtid.flavor == GTID_FLAVOR_MARIADB && start.gtid.present && !start.standalone;
    f->txn.gtid = start.gtid;
    f->txn.serial++;
    return ERR_OK;
}

/*
 * Marks a table that a statement touches, among those that are followed. "" stands for a name that
 * cannot be told: any may be meant.
 */
static void note_touch(void *ctx, const char *schema, const char *table)
{
    const struct follow *f = ctx;

    for (uint32_t i = 0; i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];

        /* Without regard to case: stopping once too often beats going on once too often. */
        if ((schema[0] == '\0' || str_ieq(t->schema, schema)) &&
            (table[0] == '\0' || str_ieq(t->name, table))) {
            t->source.touched = true;
        }
    }
}

/*
 * Rows may also be written through a view, a trigger or a function of the schema, so its name is
 * enough. But for a DELETE: a server that starts empties its MEMORY tables by one.
 */
static bool may_write(const struct followed_table *t, const struct binlog_query *q,
                      const char *schema, bool ansi)
{
    bool is_delete = q->sql.len >= 6 && span_ieq_str(span_of(q->sql.data, 6), "DELETE");

    return (!is_delete && str_ieq(t->schema, schema)) || statement_mentions(q->sql, ansi, t->name);
}

/* Sets `touched` of every followed table. */
static void find_touched(struct follow *f, const struct binlog_query *q, enum statement_kind kind)
{
    bool ansi = (q->sql_mode & SQL_MODE_ANSI_QUOTES) != 0;
    char schema[256];

    (void)snprintf(schema, sizeof schema, "%.*s", (int)q->schema.len, (const char *)q->schema.data);
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];

        t->source.touched = kind == STATEMENT_DML && may_write(t, q, schema, ansi);
    }
    if (kind == STATEMENT_DDL) {
        statement_touched(q->sql, ansi, schema, note_touch, f);
    }
}

static bool is_accepted(const struct follow *f, const struct binlog_position *at)
{
    const struct run_options *o = f->run->options;
    char text[BINLOG_FILE_BYTES + 24];

    (void)snprintf(text, sizeof text, "%s:%llu", at->file, (unsigned long long)at->offset);
    for (uint32_t i = 0; i < o->ddl_accept_count; i++) {
        if (strcmp(o->ddl_accept[i], text) == 0 || strcmp(o->ddl_accept[i], "all") == 0) {
            return true;
        }
    }
    return false;
}

/* The user looked at the DDL: from here on the table is as the server says it is now. */
static enum err_code adopt_definition(struct follow *f, struct followed_table *t, struct err *e)
{
    struct mysql_conn *conn = NULL;
    struct table_def *def = NULL;
    enum err_code rc = mysql_conn_open(&f->run->options->mysql, &conn, e);

    if (rc == ERR_OK) {
        rc = source_catalog_load(conn, t->schema, t->name, &t->arena, &def, e);
    }
    mysql_conn_close(conn);
    if (rc == ERR_NOT_FOUND) {
        return err_set(e, ERR_SOURCE, "%s is gone from the source: leave it out of the tables",
                       t->full_name);
    }
    ERR_TRY(rc);
    struct def_change *changes = realloc(f->changes, (f->change_count + 1u) * sizeof *changes);

    if (changes == NULL) {
        return err_nomem(e);
    }
    f->changes = changes;
    f->changes[f->change_count++] = (struct def_change){t, def};
    t->source.def = def;
    log_warn(f->run->log, "ddl.accepted", LOG_STR("table", t->full_name));
    return ERR_OK;
}

static enum err_code refuse_ddl(const struct followed_table *t, const struct binlog_event *ev,
                                const struct binlog_query *q, struct err *e)
{
    int shown = q->sql.len > SQL_SHOWN ? SQL_SHOWN : (int)q->sql.len;

    return err_set(
        e, ERR_UNSUPPORTED,
        "%s was changed at %s:%llu by: %.*s%s. calve stopped in front of it; everything "
        "before is in the lake. If the table's definition on the server is still the one "
        "this statement made, go on with --ddl-accept %s:%llu; else drop the Iceberg "
        "table and copy it again with backfill",
        t->full_name, ev->end.file, (unsigned long long)ev->end.offset, shown,
        (const char *)q->sql.data, q->sql.len > SQL_SHOWN ? "..." : "", ev->end.file,
        (unsigned long long)ev->end.offset);
}

static enum err_code refuse_dml(const struct followed_table *t, const struct binlog_event *ev,
                                struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED,
                   "%s:%llu holds a change as a statement, not as rows, and it may be one of %s: "
                   "set binlog_format=ROW for every session, drop the Iceberg table and copy it "
                   "again",
                   ev->end.file, (unsigned long long)ev->end.offset, t->full_name);
}

/* A statement that changes tables other than by rows. */
static enum err_code on_statement(struct follow *f, const struct binlog_event *ev,
                                  const struct binlog_query *q, enum statement_kind kind,
                                  struct err *e)
{
    find_touched(f, q, kind);
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];

        if (!t->source.touched || is_in_table(f, t, ev)) {
            continue;
        }
        if (kind == STATEMENT_DML) {
            return refuse_dml(t, ev, e);
        }
        if (!is_accepted(f, &ev->end)) {
            return refuse_ddl(t, ev, q, e);
        }
        /* Rows in front of it must not be read again under the new definition. */
        if (f->moved && !f->txn.routed) {
            ERR_TRY(follow_cut(f, e));
        }
        ERR_TRY(adopt_definition(f, t, e));
    }
    return ERR_OK;
}

static enum err_code refuse_routed(const struct follow *f, const struct binlog_event *ev,
                                   const char *what, struct err *e)
{
    if (!f->txn.routed) {
        return ERR_OK;
    }
    return err_set(
        e, ERR_UNSUPPORTED,
        "%s at %s:%llu in a transaction with rows of followed tables: tables of "
        "transactional and other engines were mixed, and which rows stand cannot be told",
        what, ev->end.file, (unsigned long long)ev->end.offset);
}

static enum err_code on_query(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    struct binlog_query q;
    enum err_code rc = ERR_OK;

    ERR_TRY(binlog_event_query(ev->body, &q, e));
    enum statement_kind kind = statement_classify(q.sql, (q.sql_mode & SQL_MODE_ANSI_QUOTES) != 0);

    switch (kind) {
    case STATEMENT_BEGIN:
        if (!f->txn.open) {
            /* Servers of old without GTID events. */
            f->txn.open = true;
            f->txn.routed = false;
            f->txn.gtid = (struct gtid){0};
            f->txn.serial++;
        }
        f->txn.begun = true;
        return ERR_OK;
    case STATEMENT_COMMIT:
        return follow_transaction_end(f, &ev->end, e);
    case STATEMENT_ROLLBACK:
        ERR_TRY(refuse_routed(f, ev, "ROLLBACK", e));
        return follow_transaction_end(f, &ev->end, e);
    case STATEMENT_ROLLBACK_TO:
        return refuse_routed(f, ev, "ROLLBACK TO", e);
    case STATEMENT_SAVEPOINT:
        return ERR_OK;
    case STATEMENT_XA:
        return err_set(e, ERR_UNSUPPORTED,
                       "XA transaction at %s:%llu: this version does not follow XA", ev->end.file,
                       (unsigned long long)ev->end.offset);
    case STATEMENT_DML:
    case STATEMENT_DDL:
        rc = on_statement(f, ev, &q, kind, e);
        break;
    case STATEMENT_OTHER:
        break;
    }
    ERR_TRY(rc);
    /* Outside BEGIN ... COMMIT a statement is a whole transaction. */
    return f->txn.begun ? ERR_OK : follow_transaction_end(f, &ev->end, e);
}

static enum err_code on_new_file(struct follow *f, const struct binlog_event *ev, struct err *e)
{
    memset(f->ids, 0, sizeof f->ids);
    f->id_count = 0;
    if (f->txn.open && (ev->header.flags & BINLOG_FLAG_ARTIFICIAL) == 0) {
        return err_set(e, ERR_CORRUPT,
                       "%s starts while a transaction of the file before it has no end",
                       ev->end.file);
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
    if (f->txn.open) {
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
        return on_rows(f, ev, e);
    }
    switch (ev->header.type) {
    case BINLOG_EVENT_TABLE_MAP:
        return on_table_map(f, ev, e);
    case BINLOG_EVENT_GTID:
    case BINLOG_EVENT_ANONYMOUS_GTID:
    case BINLOG_EVENT_MARIADB_GTID:
        return on_gtid(f, ev, e);
    case BINLOG_EVENT_QUERY:
        return on_query(f, ev, e);
    case BINLOG_EVENT_XID:
        return follow_transaction_end(f, &ev->end, e);
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
