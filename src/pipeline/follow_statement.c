/* follow_statement.c - what a statement means for the tables that are followed. */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "mysql/source_catalog.h"
#include "pipeline/follow_int.h"

#define SQL_SHOWN 200

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
enum err_code follow_statement(struct follow *f, const struct binlog_event *ev,
                               const struct binlog_query *q, enum statement_kind kind,
                               struct err *e)
{
    find_touched(f, q, kind);
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];

        if (!t->source.touched || follow_is_in_table(f, t, ev)) {
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
