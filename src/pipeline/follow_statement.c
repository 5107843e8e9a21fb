/* follow_statement.c - what a statement means for the tables that are followed. */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "codec/json_writer.h"
#include "mysql/charset.h"
#include "mysql/source_catalog.h"
#include "pipeline/changelog.h"
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

/* With `by_place` only where --ddl-accept names the very place. */
static bool accepts(const struct follow *f, const struct binlog_position *at, bool by_place)
{
    const struct run_options *o = f->run->options;
    char text[BINLOG_FILE_BYTES + 24];

    (void)snprintf(text, sizeof text, "%s:%llu", at->file, (unsigned long long)at->offset);
    for (uint32_t i = 0; i < o->ddl_accept_count; i++) {
        if (strcmp(o->ddl_accept[i], text) == 0 ||
            (!by_place && strcmp(o->ddl_accept[i], "all") == 0)) {
            return true;
        }
    }
    return false;
}

static bool is_accepted(const struct follow *f, const struct binlog_position *at)
{
    return accepts(f, at, false);
}

/* ---- a statement that is looked at ---- */

struct statement {
    struct follow *f;
    const struct binlog_event *ev;
    const struct binlog_query *query;
};

/* A place in the log, and what stands there. */
static enum err_code refuse_ddl(const struct statement *s, const struct followed_table *t,
                                const char *why, struct err *e)
{
    const struct binlog_position *at = &s->ev->end;
    int shown = s->query->sql.len > SQL_SHOWN ? SQL_SHOWN : (int)s->query->sql.len;

    return err_set(
        e, ERR_UNSUPPORTED,
        "%s was changed at %s:%llu by: %.*s%s. calve stopped in front of it (%s); everything "
        "before is in the lake. If the table's definition on the server is still the one "
        "this statement made, go on with --ddl-accept %s:%llu; else drop the Iceberg "
        "table and copy it again with backfill",
        t->full_name, at->file, (unsigned long long)at->offset, shown,
        (const char *)s->query->sql.data, s->query->sql.len > SQL_SHOWN ? "..." : "", why, at->file,
        (unsigned long long)at->offset);
}

/* An accepted statement's table, whose definition then was another one than now. */
static enum err_code refuse_again(const struct statement *s, const struct followed_table *t,
                                  struct err *e)
{
    const struct binlog_position *at = &s->ev->end;
    int shown = s->query->sql.len > SQL_SHOWN ? SQL_SHOWN : (int)s->query->sql.len;

    s->f->tainted = true; /* rows were read by that definition */
    return err_set(e, ERR_UNSUPPORTED,
                   "%s was changed again at %s:%llu by: %.*s%s. So the definition that the server "
                   "has now, and that --ddl-accept took, is not the one of before: drop the "
                   "Iceberg table and copy it again with backfill",
                   t->full_name, at->file, (unsigned long long)at->offset, shown,
                   (const char *)s->query->sql.data, s->query->sql.len > SQL_SHOWN ? "..." : "");
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

/* ---- definitions ---- */

static enum err_code set_def(struct follow *f, struct followed_table *t,
                             const struct table_def *def, bool assumed, struct err *e)
{
    struct table_def *copy = def == NULL ? NULL : table_def_copy(def, &t->arena);

    if (def != NULL && copy == NULL) {
        return arena_fail(&t->arena, e, "table definition");
    }
    t->source.def = copy;
    t->source.assumed = assumed;
    f->apart -= t->source.joined ? 0 : 1;
    t->source.joined = true;
    f->defs_changed = true;
    /* Whatever comes in between, the transaction is read again as a whole or not at all. */
    f->txn.routed = true;
    return ERR_OK;
}

/* What is read now is known to be as it was only when the log is read up to now. */
static enum err_code open_up_to_now(struct follow *f, struct followed_table *t,
                                    struct mysql_conn *conn, struct err *e)
{
    struct low_watermark now = {.gtids = NULL};
    enum err_code rc = snapshot_current_position(conn, &now, e);

    if (rc == ERR_OK &&
        strcmp(mysql_conn_server(conn)->identity, binlog_stream_server(f->stream)->identity) != 0) {
        rc = err_set_retryable(e, ERR_SOURCE, "another server answers than the one that is read");
    }
    if (rc == ERR_OK) {
        t->source.adopted_to = now.position;
        f->adopted_to = now.position;
    }
    if (rc == ERR_OK && f->options.until_moves && f->until.file[0] != '\0' &&
        binlog_position_compare(&f->until, &now.position) < 0) {
        f->until = now.position;
    }
    low_watermark_deinit(&now);
    return rc;
}

/* The user looked at the DDL: from here on the table is as the server says it is now. */
static enum err_code adopt_definition(struct follow *f, struct followed_table *t, struct err *e)
{
    struct mysql_conn *conn = NULL;
    struct table_def *def = NULL;
    struct arena arena;
    enum err_code rc = mysql_conn_open(&f->run->options->mysql, &conn, e);

    arena_init(&arena, 0);
    if (rc == ERR_OK) {
        rc = source_catalog_load(conn, t->schema, t->name, &arena, &def, e);
    }
    if (rc == ERR_OK) {
        rc = open_up_to_now(f, t, conn, e);
    }
    mysql_conn_close(conn);
    if (rc == ERR_NOT_FOUND) {
        rc = err_set(e, ERR_SOURCE, "%s is gone from the source: leave it out of the tables",
                     t->full_name);
    }
    if (rc == ERR_OK) {
        rc = schema_set_table(f->schema, def, true, e);
    }
    if (rc == ERR_OK) {
        rc = set_def(f, t, def, false, e);
    }
    arena_deinit(&arena);
    if (rc == ERR_OK) {
        log_warn(f->run->log, "ddl.accepted", LOG_STR("table", t->full_name));
    }
    return rc;
}

/* ---- marks ---- */

/* The text in UTF-8; bytes of no character, which only comments can hold, become question marks. */
static enum err_code put_utf8(const struct binlog_query *q, struct buf *out, struct err *e)
{
    const char *name = charset_of_collation(q->client_collation);
    const struct charset *charset = name == NULL ? NULL : charset_find(name);
    struct charset_converter converter;
    enum err_code rc = ERR_CORRUPT;

    charset_converter_init(&converter);
    if (charset != NULL && !charset_is_binary(charset)) {
        rc = charset_to_utf8(charset, &converter, q->sql, out, NULL);
    }
    charset_converter_deinit(&converter);
    if (rc == ERR_OK && str_is_utf8(buf_span(out))) {
        return ERR_OK;
    }
    buf_reset(out);
    buf_append_span(out, q->sql);
    for (size_t i = 0; !str_is_utf8(q->sql) && i < out->len; i++) {
        out->data[i] = out->data[i] < 0x80 ? out->data[i] : '?';
    }
    return buf_check(out, e, "a statement");
}

static enum err_code mark(const struct statement *s, struct followed_table *t,
                          const char *event_type, struct err *e)
{
    struct buf sql = {0};
    struct buf payload = {0};
    enum err_code rc = put_utf8(s->query, &sql, e);

    if (rc == ERR_OK) {
        buf_append_str(&payload, "{\"ddl\":");
        json_put_string(&payload, buf_span(&sql));
        buf_append_str(&payload, "}");
        rc = buf_check(&payload, e, "a statement");
    }
    if (rc == ERR_OK) {
        rc = follow_put_mark(s->f, t, s->ev, event_type, buf_span(&payload), e);
    }
    buf_deinit(&sql);
    buf_deinit(&payload);
    if (rc == ERR_OK) {
        log_warn(s->f->run->log, "table.marked", LOG_STR("table", t->full_name),
                 LOG_STR("event", event_type), LOG_STR("file", s->ev->end.file),
                 LOG_U64("pos", s->ev->end.offset));
    }
    return rc;
}

/* Whether the policy for the table is to stop. */
static bool stops(const struct follow *f, const struct followed_table *t)
{
    const struct run_options *o = f->run->options;
    bool stop = false;

    for (uint32_t i = 0; i < o->ddl_policy_count; i++) {
        const char *item = o->ddl_policy[i];
        const char *equals = strrchr(item, '=');
        char *glob = equals == NULL ? NULL : str_format("%.*s", (int)(equals - item), item);

        if (equals == NULL || (glob != NULL && str_glob(glob, t->full_name, f->options.icase))) {
            stop = strcmp(equals == NULL ? item : equals + 1, "stop") == 0;
        }
        free(glob);
    }
    return stop;
}

/* ---- what a change does to a table ---- */

static struct followed_table *table_of(const struct follow *f, const char *database,
                                       const char *name)
{
    return follow_find_table(f, span_str(database), span_str(name));
}

/* The followed table, unless it has the statement already. */
static struct followed_table *due_table(const struct statement *s, const char *database,
                                        const char *name)
{
    struct followed_table *t = table_of(s->f, database, name);

    return t == NULL || follow_is_in_table(s->f, t, s->ev) ? NULL : t;
}

/*
 * An ALTER of a table whose definition was not known before it is not known after it either. Where
 * the table maps have the names, nothing is decoded by a wrong one.
 */
static bool stays_assumed(const struct follow *f, const struct followed_table *t)
{
    return t->source.assumed &&
           str_ieq(binlog_stream_server(f->stream)->binlog_row_metadata, "FULL");
}

/* The same where it was made as nobody can tell, or was there already. */
static bool leaves_assumed(const struct follow *f, const struct followed_table *t,
                           const struct schema_change *c)
{
    return c->def == NULL && !c->replaces && stays_assumed(f, t);
}

static const char *policy_obstacle(const struct statement *s, const struct followed_table *t)
{
    return t != NULL && stops(s->f, t) ? "ddl.policy is to stop" : NULL;
}

/* Whether the change drops it, alone or with its database. */
static bool drops(const struct statement *s, const struct schema_change *c,
                  struct followed_table *t)
{
    bool meant = c->table[0] == '\0' ? (s->f->options.icase ? str_ieq(t->schema, c->database)
                                                            : strcmp(t->schema, c->database) == 0)
                                     : t == table_of(s->f, c->database, c->table);

    return meant && !follow_is_in_table(s->f, t, s->ev) && t->source.def != NULL;
}

static const char *drop_obstacle(const struct statement *s, const struct schema_change *c,
                                 struct followed_table **table)
{
    for (uint32_t i = 0; i < s->f->options.table_count; i++) {
        struct followed_table *t = s->f->options.tables[i];

        if (drops(s, c, t) && stops(s->f, t)) {
            *table = t;
            return policy_obstacle(s, t);
        }
    }
    return NULL;
}

/* What cannot be followed, told before anything of the statement is. NULL: all can. */
static const char *obstacle(const struct statement *s, const struct schema_change *c,
                            struct followed_table **table)
{
    struct followed_table *t = due_table(s, c->database, c->table);
    struct followed_table *to;

    *table = t;
    switch (c->kind) {
    case SCHEMA_CREATED:
        return t != NULL && c->def == NULL && !leaves_assumed(s->f, t, c) ? c->why : NULL;
    case SCHEMA_ALTERED:
        return t != NULL && t->source.def != NULL && c->def == NULL && !stays_assumed(s->f, t)
                   ? c->why
                   : NULL;
    case SCHEMA_RENAMED:
        to = due_table(s, c->new_database, c->new_table);
        if (to != NULL && c->def == NULL) {
            *table = to;
            return c->why;
        }
        return policy_obstacle(s, t);
    case SCHEMA_DROPPED:
        return drop_obstacle(s, c, table);
    case SCHEMA_TRUNCATED:
    case SCHEMA_ROWS_REMOVED:
        return policy_obstacle(s, t);
    case SCHEMA_ROWS_REPLACED:
        return t != NULL ? "rows came or went, and the binlog does not have them" : NULL;
    }
    abort();
}

/* Whether its definition is one of a place that is not reached, by --ddl-accept. */
static bool is_open(const struct statement *s, const struct followed_table *t)
{
    return t->source.adopted_to.file[0] != '\0' &&
           binlog_position_compare(&s->ev->end, &t->source.adopted_to) <= 0;
}

static enum err_code take_def(const struct statement *s, struct followed_table *t,
                              const struct table_def *def, struct err *e)
{
    return def != NULL && !is_open(s, t) ? set_def(s->f, t, def, false, e)
                                         : adopt_definition(s->f, t, e);
}

static enum err_code gone(const struct statement *s, struct followed_table *t,
                          const char *event_type, struct err *e)
{
    ERR_TRY(mark(s, t, event_type, e));
    return set_def(s->f, t, NULL, false, e);
}

/* As the server lists it: with lower_case_table_names=1 the log has it as it was typed. */
static char *name_of(const struct follow *f, const char *logged)
{
    char *name = str_dup(logged);

    if (name != NULL && binlog_stream_server(f->stream)->lower_case_table_names == 1) {
        for (char *c = name; *c != '\0'; c++) {
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
        }
    }
    return name;
}

/* Whether the new name has rows that no event brings, or may be made in a way that nobody knows. */
static bool brings_rows(const struct schema_change *c)
{
    return c->kind == SCHEMA_RENAMED || c->filled || (c->def == NULL && !c->maybe_there);
}

/*
 * Whether the rows of a table that is renamed are in its changelog: not where it begins behind this
 * place, nor where it stands for something that was never known.
 */
static bool has_its_rows(const struct statement *s, const struct schema_change *c)
{
    struct followed_table *t = table_of(s->f, c->database, c->table);

    if (t == NULL) {
        return false;
    }
    return follow_is_in_table(s->f, t, s->ev) ? !t->source.begins_later && c->def != NULL
                                              : t->source.def != NULL || c->def != NULL;
}

/* Whether rows that no changelog has come to a followed name that stood for nothing. */
static bool comes_with_rows(const struct statement *s, const struct schema_change *c,
                            const char *database, const char *name)
{
    const struct followed_table *t = due_table(s, database, name);

    return t != NULL && t->source.def == NULL && brings_rows(c) &&
           s->f->run->options->snapshot == RUN_SNAPSHOT_INITIAL &&
           (c->kind != SCHEMA_RENAMED || !has_its_rows(s, c));
}

/* A name that nobody follows yet, and that the globs choose: following ends in front of it. */
static enum err_code join_if_chosen(const struct statement *s, const struct schema_change *c,
                                    const char *database, const char *name, struct err *e)
{
    struct follow_join *join = s->f->options.join;
    char *full_name = str_format("%s.%s", database, name);

    if (full_name == NULL) {
        return err_nomem(e);
    }
    bool known = table_of(s->f, database, name) != NULL;
    bool chosen = known ? comes_with_rows(s, c, database, name)
                        : run_chooses(s->f->run->options, full_name, s->f->options.icase);

    free(full_name);
    if (!chosen || join->wanted) {
        return ERR_OK;
    }
    join->schema = name_of(s->f, database);
    join->name = name_of(s->f, name);
    if (join->schema == NULL || join->name == NULL) {
        return err_nomem(e);
    }
    join->wanted = true;
    join->has_rows = brings_rows(c);
    return ERR_OK;
}

static enum err_code on_created(const struct statement *s, const struct schema_change *c,
                                struct err *e)
{
    struct followed_table *t = due_table(s, c->database, c->table);

    if (t == NULL || leaves_assumed(s->f, t, c)) {
        return ERR_OK;
    }
    if (t->source.def != NULL && !t->source.assumed) {
        /* CREATE OR REPLACE: what was there is gone. */
        ERR_TRY(mark(s, t, "drop", e));
    }
    return take_def(s, t, c->def, e);
}

static enum err_code on_altered(const struct statement *s, const struct schema_change *c,
                                struct err *e)
{
    struct followed_table *t = due_table(s, c->database, c->table);

    if (t == NULL || t->source.def == NULL || (c->def == NULL && stays_assumed(s->f, t))) {
        return ERR_OK;
    }
    return take_def(s, t, c->def, e);
}

static enum err_code on_renamed(const struct statement *s, const struct schema_change *c,
                                struct err *e)
{
    struct followed_table *from = due_table(s, c->database, c->table);
    struct followed_table *to = due_table(s, c->new_database, c->new_table);

    if (from != NULL) {
        ERR_TRY(gone(s, from, "rename", e));
    }
    return to == NULL ? ERR_OK : take_def(s, to, c->def, e);
}

static enum err_code on_dropped(const struct statement *s, const struct schema_change *c,
                                struct err *e)
{
    for (uint32_t i = 0; i < s->f->options.table_count; i++) {
        struct followed_table *t = s->f->options.tables[i];

        if (drops(s, c, t)) {
            ERR_TRY(gone(s, t, "drop", e));
        }
    }
    return ERR_OK;
}

static enum err_code on_change(const struct statement *s, const struct schema_change *c,
                               struct err *e)
{
    struct followed_table *t;

    switch (c->kind) {
    case SCHEMA_CREATED:
        return on_created(s, c, e);
    case SCHEMA_ALTERED:
        return on_altered(s, c, e);
    case SCHEMA_RENAMED:
        return on_renamed(s, c, e);
    case SCHEMA_DROPPED:
        return on_dropped(s, c, e);
    case SCHEMA_TRUNCATED:
    case SCHEMA_ROWS_REMOVED:
        t = due_table(s, c->database, c->table);
        return t == NULL ? ERR_OK : mark(s, t, "truncate", e);
    case SCHEMA_ROWS_REPLACED:
        t = due_table(s, c->database, c->table);
        return t == NULL ? ERR_OK : take_def(s, t, c->def, e);
    }
    abort();
}

/* ---- statements ---- */

/* Whether a chosen table comes to be by it; then nothing of the statement is done yet. */
static enum err_code find_joins(const struct statement *s, const struct schema_changes *changes,
                                struct err *e)
{
    for (uint32_t i = 0; i < changes->count; i++) {
        const struct schema_change *c = &changes->changes[i];

        if (c->kind == SCHEMA_CREATED) {
            ERR_TRY(join_if_chosen(s, c, c->database, c->table, e));
        } else if (c->kind == SCHEMA_RENAMED) {
            ERR_TRY(join_if_chosen(s, c, c->new_database, c->new_table, e));
        }
    }
    return ERR_OK;
}

/* A table whose accepted definition the change shows to be none; NULL: there is none. */
static const struct followed_table *find_again(const struct statement *s,
                                               const struct schema_change *c)
{
    bool changes_rows = c->kind == SCHEMA_TRUNCATED || c->kind == SCHEMA_ROWS_REMOVED ||
                        c->kind == SCHEMA_ROWS_REPLACED;

    for (uint32_t i = 0; i < s->f->options.table_count && !changes_rows; i++) {
        const struct followed_table *t = s->f->options.tables[i];

        if (is_open(s, t) && (t == table_of(s->f, c->database, c->table) ||
                              t == table_of(s->f, c->new_database, c->new_table) ||
                              (c->table[0] == '\0' && str_ieq(t->schema, c->database)))) {
            return t;
        }
    }
    return NULL;
}

static enum err_code check_changes(const struct statement *s, const struct schema_changes *changes,
                                   struct err *e)
{
    for (uint32_t i = 0; i < changes->count; i++) {
        const struct followed_table *again = find_again(s, &changes->changes[i]);

        if (again != NULL && !accepts(s->f, &s->ev->end, true)) {
            return refuse_again(s, again, e);
        }
    }
    for (uint32_t i = 0; i < changes->count; i++) {
        struct followed_table *t = NULL;
        const char *why = obstacle(s, &changes->changes[i], &t);

        if (why != NULL && !is_accepted(s->f, &s->ev->end)) {
            return refuse_ddl(s, t, why, e);
        }
    }
    return ERR_OK;
}

/* Tables that join the stream with this statement have to be known before it is applied. */
static enum err_code join_touched(const struct statement *s, struct err *e)
{
    find_touched(s->f, s->query, STATEMENT_DDL);
    for (uint32_t i = 0; i < s->f->options.table_count; i++) {
        struct followed_table *t = s->f->options.tables[i];

        if (t->source.touched && !follow_is_in_table(s->f, t, s->ev)) {
            ERR_TRY(follow_schema_join(s->f, t, e));
        }
    }
    return ERR_OK;
}

/* It could not be read: whatever it may touch is as unknown as what it did. */
static enum err_code on_unreadable(const struct statement *s, const struct err *why, struct err *e)
{
    for (uint32_t i = 0; i < s->f->options.table_count; i++) {
        struct followed_table *t = s->f->options.tables[i];

        if (!t->source.touched || follow_is_in_table(s->f, t, s->ev)) {
            continue;
        }
        if (is_open(s, t) && !accepts(s->f, &s->ev->end, true)) {
            return refuse_again(s, t, e);
        }
        if (!is_accepted(s->f, &s->ev->end)) {
            return refuse_ddl(s, t, why->msg, e);
        }
        ERR_TRY(adopt_definition(s->f, t, e));
    }
    return ERR_OK;
}

static enum err_code apply(const struct statement *s, const struct schema_changes *changes,
                           struct err *e)
{
    for (uint32_t i = 0; i < changes->count; i++) {
        ERR_TRY(on_change(s, &changes->changes[i], e));
    }
    if (changes->count > 0) {
        s->f->txn.routed = true;
    }
    return ERR_OK;
}

static enum err_code on_ddl(const struct statement *s, struct err *e)
{
    struct follow *f = s->f;
    struct schema_changes changes = {0};
    struct err why = {0};

    ERR_TRY(join_touched(s, e));
    enum err_code rc = schema_apply(f->schema, s->query, &changes, &why);

    if (rc == ERR_UNSUPPORTED) {
        rc = on_unreadable(s, &why, e);
    } else if (rc != ERR_OK) {
        if (e != NULL) {
            *e = why;
        }
    } else {
        rc = find_joins(s, &changes, e);
        if (rc == ERR_OK && f->options.join->wanted) {
            schema_undo_statement(f->schema);
            f->done = true;
            return ERR_OK;
        }
        if (rc == ERR_OK) {
            rc = check_changes(s, &changes, e);
        }
        if (rc == ERR_OK) {
            rc = apply(s, &changes, e);
            f->tainted = rc != ERR_OK;
        }
    }
    if (rc != ERR_OK) {
        schema_undo_statement(f->schema);
    }
    return rc;
}

static enum err_code on_dml(struct follow *f, const struct binlog_event *ev,
                            const struct binlog_query *q, struct err *e)
{
    find_touched(f, q, STATEMENT_DML);
    for (uint32_t i = 0; i < f->options.table_count; i++) {
        struct followed_table *t = f->options.tables[i];

        if (t->source.touched && !follow_is_in_table(f, t, ev)) {
            return refuse_dml(t, ev, e);
        }
    }
    return ERR_OK;
}

/*
 * Whether the definitions of the start have it already: read again for what is prepared. On MariaDB
 * a number may come twice on one server, where the place tells.
 */
static bool is_known(const struct follow *f, const struct binlog_event *ev)
{
    const struct gtid_set *known = f->options.start_gtids;

    if (f->known_to.file[0] != '\0') {
        return binlog_position_compare(&ev->end, &f->known_to) <= 0;
    }
    return known != NULL && f->txn.gtid.present &&
           (f->txn.gtid.flavor == GTID_FLAVOR_MYSQL || strcmp(f->source, f->options.source) != 0) &&
           gtid_set_contains(known, &f->txn.gtid);
}

enum err_code follow_statement(struct follow *f, const struct binlog_event *ev,
                               const struct binlog_query *q, enum statement_kind kind,
                               struct err *e)
{
    const struct statement s = {.f = f, .ev = ev, .query = q};

    if (follow_passes_until(f, &ev->end)) {
        f->done = true;
        return ERR_OK;
    }
    if (is_known(f, ev)) {
        return ERR_OK;
    }
    if (kind == STATEMENT_DML) {
        return on_dml(f, ev, q, e);
    }
    /* MariaDB's ALTER in two groups takes effect with the second. */
    return q->phase == BINLOG_ALTER_START || q->phase == BINLOG_ALTER_ROLLBACK ? ERR_OK
                                                                               : on_ddl(&s, e);
}
