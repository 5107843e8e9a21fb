/* runner_tables.c - which tables a run has, and where they stand. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/str.h"
#include "mysql/snapshot.h"
#include "mysql/source_catalog.h"
#include "pipeline/changelog.h"
#include "pipeline/prepared_wait.h"
#include "pipeline/runner_int.h"
#include "pipeline/table_commit.h"
#include "pipeline/table_state.h"

#define START_TRIES_MAX 10u

/*
 * A name as a folder's: what a path or a location cannot hold is written as %XX, the percent sign
 * too, so that no two names meet. Nobody decodes it: readers take locations as they are.
 */
static void put_folder_name(struct buf *out, const char *name)
{
    bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;

    for (const char *p = name; *p != '\0'; p++) {
        uint8_t c = (uint8_t)*p;

        if (c < 0x20 || c == 0x7f || strchr("/\\#?%", c) != NULL || (dots && p == name)) {
            buf_printf(out, "%%%02X", c);
        } else {
            buf_u8(out, c);
        }
    }
}

/* malloc'd; NULL when there is no memory. "" where the catalog is to choose. */
static char *location_of(const struct run_options *o, const char *schema, const char *name)
{
    struct buf out = {0};

    if (o->warehouse[0] == '\0') {
        return str_dup("");
    }
    buf_append_str(&out, o->warehouse);
    buf_u8(&out, '/');
    if (o->compat_layout) {
        buf_append_str(&out, o->connection);
        buf_u8(&out, '/');
    }
    put_folder_name(&out, schema);
    buf_u8(&out, '/');
    put_folder_name(&out, name);
    return buf_take_text(&out);
}

/* Two tables of the source must not become one in the lake. */
static enum err_code check_case(const struct runner *r, const char *schema, const char *name,
                                struct err *e)
{
    for (uint32_t i = 0; i < r->table_count && catalog_folds_case(r->run.catalog); i++) {
        const struct followed_table *t = r->tables[i];

        if (str_ieq(t->schema, schema) && str_ieq(t->name, name)) {
            return err_set(e, ERR_CONFIG,
                           "%s.%s and %s are one table in the catalog, which knows no upper case: "
                           "leave one of them out (exclude-table)",
                           schema, name, t->full_name);
        }
    }
    return ERR_OK;
}

enum err_code runner_add_table(struct runner *r, const char *schema, const char *name,
                               struct err *e)
{
    ERR_TRY(check_case(r, schema, name, e));
    if (r->table_count == r->table_capacity) {
        uint32_t capacity = r->table_capacity * 2 + 16;
        struct followed_table **tables = realloc(r->tables, capacity * sizeof(*tables));

        if (tables == NULL) {
            return err_nomem(e);
        }
        r->tables = tables;
        r->table_capacity = capacity;
    }
    char *location = location_of(&r->options, schema, name);
    enum err_code rc = location == NULL ? err_nomem(e)
                                        : followed_table_new(schema, name, location,
                                                             &r->tables[r->table_count], e);

    free(location);
    if (rc == ERR_OK) {
        r->table_count++;
    }
    return rc;
}

static enum err_code take_table(void *ctx, const char *schema, const char *name, struct err *e)
{
    struct runner *r = ctx;
    const struct run_options *o = &r->options;
    char *full = str_format("%s.%s", schema, name);

    if (full == NULL) {
        return err_nomem(e);
    }
    bool chosen = run_chooses(o, full, r->icase);

    free(full);
    if (!chosen) {
        return ERR_OK;
    }
    if (strcmp(schema, WATERMARKS_NAMESPACE) == 0 && strcmp(name, WATERMARKS_TABLE) == 0) {
        return err_set(e, ERR_CONFIG,
                       "%s.%s is the name of calve's own watermarks table: leave the source's "
                       "table of this name out by exclude-table",
                       schema, name);
    }
    return runner_add_table(r, schema, name, e);
}

/* Each glob without wildcards names a table that must be there, or have been. */
static enum err_code check_named(const struct runner *r, struct err *e)
{
    const struct run_options *o = &r->options;

    for (uint32_t i = 0; i < o->table_count; i++) {
        bool found = strpbrk(o->tables[i], "*?") != NULL;

        for (uint32_t k = 0; !found && k < r->table_count; k++) {
            found = str_glob(o->tables[i], r->tables[k]->full_name, r->icase);
        }
        found = found || str_glob_any(o->excluded, o->excluded_count, o->tables[i], r->icase);
        if (!found) {
            return err_set(e, ERR_SOURCE,
                           "the source has no table %s that this account can see: check the "
                           "spelling, or GRANT SELECT on it",
                           o->tables[i]);
        }
    }
    if (r->table_count == 0) {
        return err_set(e, ERR_SOURCE,
                       "the source has no tables that this account can see and that '%s'%s "
                       "chooses: check the spelling, GRANT SELECT on them, or make the first one",
                       o->tables[0], o->table_count > 1 ? " or another pattern" : "");
    }
    return ERR_OK;
}

/* Events that lack what cannot be known otherwise stop the run, whatever the variable says. */
static void warn_of_row_image(const struct runner *r, const struct mysql_server *s)
{
    if (!str_ieq(s->binlog_row_image, "FULL") && !str_ieq(s->binlog_row_image, "FULL_NODUP")) {
        log_warn(r->run.log, "source.row_image", LOG_STR("binlog_row_image", s->binlog_row_image),
                 LOG_STR("why", "rows that lack columns which are nowhere else in the log stop "
                                "the run: SET GLOBAL binlog_row_image=FULL, and restart the "
                                "applications that write"));
    }
}

/* What is not in the log nobody can follow. */
static enum err_code warn_of_filters(const struct runner *r, struct mysql_conn *conn, struct err *e)
{
    struct buf filters = {0};
    enum err_code rc = snapshot_filters(conn, &filters, e);

    if (rc == ERR_OK && filters.len > 0) {
        const char *text = buf_cstr(&filters);

        log_warn(r->run.log, "source.filters", LOG_STR("filters", text == NULL ? "" : text),
                 LOG_STR("why", "the source keeps changes of some databases out of its binlog: "
                                "they cannot be followed"));
    }
    buf_deinit(&filters);
    return rc;
}

static enum err_code check_server(const struct mysql_server *s, struct err *e)
{
    if (!s->log_bin) {
        return err_set(e, ERR_SOURCE,
                       "the source writes no binlog (log_bin is OFF): start it with --log-bin");
    }
    if (!str_ieq(s->binlog_format, "ROW")) {
        return err_set(e, ERR_SOURCE,
                       "the source has binlog_format=%s, and only ROW holds rows: SET GLOBAL "
                       "binlog_format=ROW, and restart the applications that write",
                       s->binlog_format);
    }
    return ERR_OK;
}

bool runner_may_vanish(struct runner *r, struct followed_table *t, const struct err *why)
{
    for (uint32_t i = 0; i < r->options.table_count; i++) {
        const char *glob = r->options.tables[i];

        if (strpbrk(glob, "*?") == NULL && str_glob(glob, t->full_name, r->icase)) {
            return false;
        }
    }
    t->commit.vanished = true;
    log_warn(r->run.log, "table.vanished", LOG_STR("table", t->full_name),
             LOG_STR("reason", why->msg));
    return true;
}

void runner_leave_vanished(struct runner *r)
{
    for (uint32_t i = 0; i < r->table_count;) {
        struct followed_table *t = r->tables[i];

        if (t->commit.vanished && !followed_table_has_position(t)) {
            followed_table_free(t);
            r->table_count--;
            memmove(&r->tables[i], &r->tables[i + 1],
                    (r->table_count - i) * sizeof(struct followed_table *));
        } else {
            i++;
        }
    }
}

enum err_code runner_check_any(const struct runner *r, struct err *e)
{
    return r->table_count > 0
               ? ERR_OK
               : err_set(e, ERR_SOURCE,
                         "all chosen tables were dropped while the run was starting");
}

/* A table that is dropped while it is being looked at is none that was meant. */
static enum err_code look_at_table(struct runner *r, struct mysql_conn *conn,
                                   struct followed_table *t, struct err *e)
{
    struct table_def *def = NULL;
    struct err why = {0};
    enum err_code rc = source_catalog_load(conn, t->schema, t->name, &t->arena, &def, &why);

    if (rc != ERR_OK && why.retryable) {
        rc = source_catalog_load(conn, t->schema, t->name, &t->arena, &def, &why);
    }
    t->source.def = def;
    t->commit.def = def;
    if (rc == ERR_OK || (rc == ERR_NOT_FOUND && runner_may_vanish(r, t, &why))) {
        return ERR_OK;
    }
    if (e != NULL) {
        *e = why;
    }
    return rc;
}

static enum err_code find_tables(struct runner *r, struct mysql_conn *conn, struct err *e)
{
    const struct mysql_server *server = mysql_conn_server(conn);

    ERR_TRY(check_server(server, e));
    warn_of_row_image(r, server);
    ERR_TRY(warn_of_filters(r, conn, e));
    (void)snprintf(r->run.source, sizeof r->run.source, "%s", server->identity);
    r->run.source_gtids = server->gtid_enabled;
    r->icase = server->lower_case_table_names != 0;
    ERR_TRY(source_catalog_tables(conn, take_table, r, e));
    for (uint32_t i = 0; i < r->table_count; i++) {
        ERR_TRY(look_at_table(r, conn, r->tables[i], e));
    }
    runner_leave_vanished(r);
    log_info(r->run.log, "run.tables", LOG_U64("tables", r->table_count),
             LOG_STR("server", server->version), LOG_STR("source", server->identity));
    return runner_warn_of_cascades(r, conn, e);
}

enum err_code runner_find_tables(struct runner *r, struct err *e)
{
    struct mysql_conn *conn = NULL;
    enum err_code rc = mysql_conn_open(&r->options.mysql, &conn, e);

    if (rc == ERR_OK) {
        rc = find_tables(r, conn, e);
    }
    mysql_conn_close(conn);
    return rc;
}

/* A run that ended between data and watermark left the row behind: it is due. */
static enum err_code catch_watermark_up(struct runner *r, const struct followed_table *t,
                                        struct err *e)
{
    const struct checkpoint *c = &t->commit.expected;
    const struct watermark_update update = {
        .schema = t->schema,
        .table = t->name,
        .backfill_complete = c->copied,
    };

    const struct log_place place = checkpoint_place(c);
    bool lags;

    ERR_TRY(table_state_watermark_lags(r->watermarks, t, &lags, e));
    return lags ? watermarks_owe(r->watermarks, &update, &place, e) : ERR_OK;
}

struct followed_table *runner_find_table(const struct runner *r, const char *schema,
                                         const char *name)
{
    for (uint32_t i = 0; i < r->table_count; i++) {
        struct followed_table *t = r->tables[i];
        bool same = r->icase ? str_ieq(t->name, name) && str_ieq(t->schema, schema)
                             : strcmp(t->name, name) == 0 && strcmp(t->schema, schema) == 0;

        if (same) {
            return t;
        }
    }
    return NULL;
}

static bool is_ours(const struct runner *r, const struct watermark *row)
{
    return row->server_id == r->options.server_id &&
           strcmp(row->connection_name, r->options.connection) == 0 &&
           row->position.file[0] != '\0';
}

/*
 * Tables that were followed and that the source has no more: as long as the log tells of them,
 * their rows are due.
 */
static enum err_code find_lost_tables(struct runner *r, struct err *e)
{
    uint32_t known = r->table_count;

    for (uint32_t i = 0; i < watermarks_count(r->watermarks); i++) {
        const struct watermark *row = watermarks_at(r->watermarks, i);

        if (is_ours(r, row) && runner_find_table(r, row->schema, row->table) == NULL) {
            ERR_TRY(take_table(r, row->schema, row->table, e));
        }
    }
    for (uint32_t i = known; i < r->table_count;) {
        struct followed_table *t = r->tables[i];

        ERR_TRY(table_state_load(&r->run, r->watermarks, t, e));
        if (t->source.def != NULL || t->commit.gone) {
            i++;
            continue;
        }
        /* Nothing says what it looked like; without the source nobody can. */
        log_warn(r->run.log, "table.lost", LOG_STR("table", t->full_name));
        followed_table_free(t);
        r->tables[i] = r->tables[--r->table_count];
    }
    return ERR_OK;
}

static enum err_code load_states(struct runner *r, struct err *e)
{
    ERR_TRY(watermarks_load(r->watermarks, false, e));
    for (uint32_t i = 0; i < r->table_count; i++) {
        ERR_TRY(table_state_load(&r->run, r->watermarks, r->tables[i], e));
    }
    ERR_TRY(find_lost_tables(r, e));
    ERR_TRY(check_named(r, e));
    r->sweeper = sweeper_start(&r->run, r->tables, r->table_count);
    for (uint32_t i = 0; i < r->table_count; i++) {
        const struct followed_table *t = r->tables[i];

        if (t->commit.stale_mark) {
            ERR_TRY(watermarks_forget(r->watermarks, t->schema, t->name, e));
        }
        ERR_TRY(catch_watermark_up(r, t, e));
    }
    return watermarks_commit_due(r->watermarks, e);
}

enum err_code runner_load_states(struct runner *r, struct err *e)
{
    const struct run_options *o = &r->options;
    char *location =
        o->warehouse[0] == '\0' ? str_dup("")
        : o->compat_layout
            ? str_format("%s/%s/%s", o->warehouse, o->connection, WATERMARKS_TABLE)
            : str_format("%s/%s/%s", o->warehouse, WATERMARKS_NAMESPACE, WATERMARKS_TABLE);

    if (location == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = watermarks_new(
        &(struct watermarks_options){
            .catalog = r->run.catalog,
            .store = r->run.store,
            .location = location,
            .connection = o->connection,
            .server_id = o->server_id,
            .zstd_level = o->zstd_level,
            .retention = o->watermark_retention,
            .clock = r->run.clock,
            .cancelled = run_gives_up,
            .cancelled_ctx = &r->run,
        },
        &r->watermarks, e);

    free(location);
    ERR_TRY(rc);
    (void)pthread_mutex_lock(&r->run.catalog_mutex);
    rc = load_states(r, e);
    (void)pthread_mutex_unlock(&r->run.catalog_mutex);
    return rc;
}

/* A start is committed and then counts for good: a mistyped one has to be found before. */
static enum err_code check_from(struct mysql_conn *conn, const struct binlog_position *from,
                                struct err *e)
{
    struct low_watermark first = {.gtids = NULL};
    struct low_watermark now = {.gtids = NULL};
    enum err_code rc = snapshot_current_position(conn, &now, e);

    if (rc == ERR_OK) {
        rc = snapshot_earliest_position(conn, &first, e);
    }
    if (rc == ERR_OK && binlog_position_compare(from, &now.position) > 0) {
        rc = err_set(e, ERR_CONFIG,
                     "from: %s:%llu lies past the end of the source's binlog (%s:%llu)", from->file,
                     (unsigned long long)from->offset, now.position.file,
                     (unsigned long long)now.position.offset);
    }
    if (rc == ERR_OK && binlog_position_compare(from, &first.position) < 0) {
        rc = err_set(e, ERR_CONFIG,
                     "from: the source has no %s:%llu any more: its binlog starts at %s:%llu",
                     from->file, (unsigned long long)from->offset, first.position.file,
                     (unsigned long long)first.position.offset);
    }
    low_watermark_deinit(&first);
    low_watermark_deinit(&now);
    return rc;
}

/* Before and after: what is prepared while the place is looked up lies before it. */
static enum err_code start_at_current(struct runner *r, struct mysql_conn *conn,
                                      struct low_watermark *out, bool *none_prepared, struct err *e)
{
    for (;;) {
        unsigned count;
        bool seen;

        ERR_TRY(prepared_wait(&r->run, conn, none_prepared, e));
        ERR_TRY(snapshot_current_position(conn, out, e));
        ERR_TRY(snapshot_prepared(conn, &count, &seen, e));
        if (count == 0) {
            return ERR_OK;
        }
        low_watermark_deinit(out);
    }
}

/* *none_prepared: no XA transaction was prepared there. */
static enum err_code start_point(struct runner *r, struct mysql_conn *conn,
                                 struct low_watermark *out, bool *none_prepared, struct err *e)
{
    const struct run_point *from = &r->options.from;
    bool mariadb = mysql_conn_server(conn)->is_mariadb;

    switch (from->kind) {
    case RUN_POINT_NONE:
    case RUN_POINT_CURRENT:
        return start_at_current(r, conn, out, none_prepared, e);
    case RUN_POINT_EARLIEST:
        return snapshot_earliest_position(conn, out, e);
    case RUN_POINT_POSITION:
        out->position = from->position;
        return check_from(conn, &from->position, e);
    case RUN_POINT_GTIDS:
        if (!mariadb && !mysql_conn_server(conn)->gtid_enabled) {
            return err_set(e, ERR_CONFIG, "from: a GTID set needs a source with gtid_mode=ON");
        }
        return gtid_set_parse(from->gtids, mariadb ? GTID_FLAVOR_MARIADB : GTID_FLAVOR_MYSQL,
                              &out->gtids, e);
    }
    abort();
}

/*
 * Where the table starts at a place of the past, nobody knows how it looked there; else it must
 * look now, after the place was noted, as it did before.
 */
static enum err_code settle_defs(struct runner *r, struct mysql_conn *conn, bool *changed,
                                 struct err *e)
{
    bool past = r->options.from.kind != RUN_POINT_NONE && r->options.from.kind != RUN_POINT_CURRENT;
    char why[256];

    *changed = false;
    for (uint32_t i = 0; i < r->table_count; i++) {
        struct followed_table *t = r->tables[i];

        if (followed_table_has_position(t)) {
            continue;
        }
        if (past) {
            t->source.assumed = true;
            t->commit.def = NULL;
            continue;
        }
        const struct table_def *was = t->source.def;

        ERR_TRY(look_at_table(r, conn, t, e));
        *changed = *changed ||
                   (!t->commit.vanished && table_def_differ(was, t->source.def, why, sizeof why));
    }
    runner_leave_vanished(r);
    return runner_check_any(r, e);
}

/* The place for tables without one. A table that is altered at this moment is looked at again. */
static enum err_code find_start_point(struct runner *r, struct mysql_conn *conn,
                                      struct low_watermark *out, bool *none_prepared, struct err *e)
{
    bool changed = true;

    for (unsigned tries = 0; changed && tries < START_TRIES_MAX; tries++) {
        low_watermark_deinit(out);
        ERR_TRY(start_point(r, conn, out, none_prepared, e));
        ERR_TRY(settle_defs(r, conn, &changed, e));
    }
    return changed ? err_set_retryable(e, ERR_SOURCE,
                                       "tables are altered again and again: try when they are not")
                   : ERR_OK;
}

/*
 * A table that is there gets its place at once. Of one that is to be made the committer sees to
 * that, while the log is read already: nothing of it is anywhere before. Where its files go must be
 * known now, though.
 */
static enum err_code commit_start(struct runner *r, struct followed_table *t,
                                  const struct log_place *at, struct err *e)
{
    struct run *run = &r->run;
    struct data_file_list none = {0};
    struct checkpoint next = {0};
    bool exists = t->commit.exists;

    ERR_TRY(checkpoint_next(run, t, at, clock_wall_us(&run->clock), false, &next, e));
    next.started = true;
    if (exists) {
        enum err_code rc = table_commit_one(run, t, &none, &next, NULL, e);

        checkpoint_deinit(&next);
        ERR_TRY(rc);
    } else {
        checkpoint_deinit(&t->commit.expected);
        t->commit.expected = next;
        t->commit.start_due = true;
    }
    return exists || run->catalog->places_tables ? table_start(run, r->watermarks, t, e) : ERR_OK;
}

enum err_code runner_commit_start(struct runner *r, struct followed_table *t,
                                  const struct log_place *at, const struct gtid_set *gtids,
                                  struct err *e)
{
    struct log_place place = *at;
    struct buf text = {0};
    enum err_code rc = ERR_OK;

    if (gtids != NULL) {
        gtid_set_print(gtids, &text);
        place.gtids = buf_cstr(&text);
        gtid_set_free(t->source.gtids);
        t->source.gtids = gtid_set_copy(gtids);
        rc = place.gtids == NULL || t->source.gtids == NULL ? err_nomem(e) : ERR_OK;
    }
    t->source.position = place.position;
    t->source.log_created_s = place.log_created_s;
    t->source.anonymous = place.anonymous;
    (void)snprintf(t->source.server, sizeof t->source.server, "%s", place.source);
    if (rc == ERR_OK) {
        rc = commit_start(r, t, &place, e);
    }
    buf_deinit(&text);
    return rc;
}

static enum err_code commit_starts(struct runner *r, const struct low_watermark *start,
                                   const struct mysql_conn *conn, bool none_prepared, struct err *e)
{
    const struct mysql_options here = mysql_options_at(&r->options.mysql, mysql_conn_server(conn));
    struct log_place at = {.source = mysql_conn_server(conn)->identity,
                           .position = start->position};
    enum err_code rc = at.position.file[0] == '\0'
                           ? ERR_OK
                           : binlog_log_created(&here, &at.position, &at.log_created_s, e);

    (void)pthread_mutex_lock(&r->run.catalog_mutex);
    for (uint32_t i = 0; rc == ERR_OK && i < r->table_count; i++) {
        if (!followed_table_has_position(r->tables[i])) {
            r->tables[i]->source.none_prepared = none_prepared;
            rc = runner_commit_start(r, r->tables[i], &at, start->gtids, e);
        }
    }
    (void)pthread_mutex_unlock(&r->run.catalog_mutex);
    return rc;
}

enum err_code runner_start_new_tables(struct runner *r, struct err *e)
{
    struct mysql_conn *conn = NULL;
    struct low_watermark start = {.gtids = NULL};
    bool any = false;
    bool none_prepared = false;

    for (uint32_t i = 0; i < r->table_count; i++) {
        any = any || !followed_table_has_position(r->tables[i]);
    }
    if (!any) {
        return ERR_OK;
    }
    enum err_code rc = mysql_conn_open(&r->options.mysql, &conn, e);

    if (rc == ERR_OK) {
        rc = find_start_point(r, conn, &start, &none_prepared, e);
    }
    if (rc == ERR_OK) {
        rc = commit_starts(r, &start, conn, none_prepared, e);
    }
    mysql_conn_close(conn);
    low_watermark_deinit(&start);
    return rc;
}
