/*
 * check_source.c - the source's half of `calve check`.
 */
#include <stdio.h>

#include "app/check_int.h"
#include "app/table_choice.h"
#include "mysql/snapshot.h"
#include "mysql/source_catalog.h"

#define GRANTS_BYTES_MAX ((size_t)1 << 20)
#define WRONG_TABLES_MAX 20u

static void check_version(const struct mysql_server *s, struct findings *f)
{
    unsigned oldest = s->is_mariadb ? 100500 : 50700;

    if (s->version_number < oldest) {
        finding_add(
            f, FINDING_WRONG, "version",
            "%s is older than what calve knows (MySQL 5.7, MariaDB 10.5): upgrade the server",
            s->version);
        return;
    }
    finding_add(f, FINDING_OK, "version", "%s %s", s->is_mariadb ? "MariaDB" : "MySQL", s->version);
}

static void check_binlog(const struct mysql_server *s, struct findings *f)
{
    if (!s->log_bin) {
        finding_add(f, FINDING_WRONG, "log_bin",
                    "the binary log is off: put log_bin into my.cnf and restart the server");
        return;
    }
    finding_add(f, FINDING_OK, "log_bin", "on");
    if (s->binlog_format[0] != '\0' && !str_ieq(s->binlog_format, "ROW")) {
        finding_add(
            f, FINDING_WRONG, "binlog_format",
            "%s logs statements, not rows: SET GLOBAL binlog_format = 'ROW', and the same in "
            "my.cnf; sessions that are open keep theirs until they reconnect",
            s->binlog_format);
    } else {
        finding_add(f, FINDING_OK, "binlog_format", "ROW");
    }
    if (s->binlog_row_image[0] != '\0' && !str_ieq(s->binlog_row_image, "FULL")) {
        finding_add(
            f, FINDING_WRONG, "binlog_row_image",
            "%s leaves columns out: SET GLOBAL binlog_row_image = 'FULL', and the same in my.cnf",
            s->binlog_row_image);
    } else {
        finding_add(f, FINDING_OK, "binlog_row_image", "FULL");
    }
}

static void check_advice(const struct config *c, const struct mysql_server *s, struct findings *f)
{
    if (str_ieq(s->binlog_row_metadata, "FULL")) {
        finding_add(f, FINDING_OK, "binlog_row_metadata", "FULL");
    } else {
        finding_add(
            f, FINDING_NOTE, "binlog_row_metadata",
            "%s: with FULL, events carry their column names, and a changed table is noticed "
            "sooner (SET GLOBAL binlog_row_metadata = 'FULL')",
            s->binlog_row_metadata[0] == '\0' ? "this server has none" : s->binlog_row_metadata);
    }
    if (s->gtid_enabled) {
        finding_add(f, FINDING_OK, "gtid", "%s", s->is_mariadb ? "on" : s->gtid_mode);
    } else {
        finding_add(f, FINDING_NOTE, "gtid",
                    "gtid_mode is %s: calve goes by file and position, which a failover to another "
                    "server does not keep",
                    s->gtid_mode);
    }
    if (s->server_id == c->mysql.server_id) {
        finding_add(f, FINDING_NOTE, "server_id",
                    "%llu is the source's own: give every client of it another (mysql.server-id)",
                    (unsigned long long)s->server_id);
    } else {
        finding_add(f, FINDING_OK, "server_id", "%llu, the source has %llu",
                    (unsigned long long)c->mysql.server_id, (unsigned long long)s->server_id);
    }
}

/* What the account may do, by SHOW GRANTS. */
struct grants {
    bool all;
    bool replication_slave;
    bool reload;
    bool role; /* what a role may do is not listed */
};

static bool has_words(const char *text, const char *words)
{
    return strstr(text, words) != NULL;
}

static enum err_code on_grant(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct grants *g = ctx;
    struct buf line;

    buf_init(&line, GRANTS_BYTES_MAX);
    if (row->column_count > 0 && row->columns[0].data != NULL) {
        buf_append_span(&line, row->columns[0]);
    }
    const char *text = buf_cstr(&line);
    enum err_code rc = buf_check(&line, e, "the grants");

    if (text != NULL) {
        bool everywhere = has_words(text, " ON *.* ");

        g->all = g->all || (everywhere && has_words(text, "ALL PRIVILEGES"));
        g->replication_slave =
            g->replication_slave || (everywhere && (has_words(text, "REPLICATION SLAVE,") ||
                                                    has_words(text, "REPLICATION SLAVE ON") ||
                                                    has_words(text, "REPLICATION REPLICA")));
        g->reload = g->reload || (everywhere && has_words(text, "RELOAD"));
        g->role = g->role || !has_words(text, " ON ");
    }
    buf_deinit(&line);
    return rc;
}

static void check_replication_grant(struct mysql_conn *conn, const struct grants *g,
                                    struct findings *f)
{
    struct err why = {0};

    if (g->all || g->replication_slave) {
        finding_add(f, FINDING_OK, "privilege to read the binlog", "granted");
        return;
    }
    /* On MySQL this statement asks for the same privilege, wherever it comes from. */
    if (!mysql_conn_server(conn)->is_mariadb) {
        if (mysql_exec(conn, &why, "SHOW BINLOG EVENTS LIMIT 0") == ERR_OK) {
            finding_add(f, FINDING_OK, "privilege to read the binlog", "granted");
            return;
        }
    } else if (g->role) {
        finding_add(f, FINDING_NOTE, "privilege to read the binlog",
                    "not granted directly; a role of the account may have it");
        return;
    }
    finding_add(f, FINDING_WRONG, "privilege to read the binlog",
                "missing: GRANT REPLICATION SLAVE ON *.* TO the account");
}

static void check_position(struct mysql_conn *conn, struct findings *f)
{
    struct low_watermark end = {0};
    struct err why = {0};

    if (snapshot_current_position(conn, &end, &why) == ERR_OK) {
        finding_add(f, FINDING_OK, "privilege to see the position", "the binlog ends at %s:%llu",
                    end.position.file, (unsigned long long)end.position.offset);
    } else {
        finding_add(f, FINDING_WRONG, "privilege to see the position",
                    "%s: GRANT %s ON *.* TO the account", why.msg,
                    mysql_conn_server(conn)->is_mariadb ? "BINLOG MONITOR" : "REPLICATION CLIENT");
    }
    low_watermark_deinit(&end);
}

static enum err_code check_privileges(const struct config *c, struct mysql_conn *conn,
                                      struct findings *f, struct err *e)
{
    const struct mysql_server *s = mysql_conn_server(conn);
    struct grants g = {0};
    enum err_code rc = mysql_query_rows(conn, "SHOW GRANTS", on_grant, &g, e);

    if (rc == ERR_NOMEM) {
        return rc;
    }
    if (rc != ERR_OK) {
        finding_add(f, FINDING_WRONG, "privileges", "SHOW GRANTS: %s", e == NULL ? "" : e->msg);
        return ERR_OK;
    }
    if (!s->log_bin) {
        return ERR_OK;
    }
    check_replication_grant(conn, &g, f);
    check_position(conn, f);
    if (!s->is_mariadb && !s->gtid_enabled && c->snapshot == RUN_SNAPSHOT_INITIAL && !g.all &&
        !g.reload) {
        finding_add(
            f, g.role ? FINDING_NOTE : FINDING_WRONG, "privilege to copy",
            "without GTIDs the copy begins with FLUSH BINARY LOGS: GRANT RELOAD ON *.* TO the "
            "account, turn gtid_mode on, or run with --snapshot never");
    }
    return ERR_OK;
}

/* Whether a table's rows can be read and its types are known. Errors: why not. */
static enum err_code try_table(struct mysql_conn *conn, const struct chosen_table *t, struct err *e)
{
    struct table_def *def;
    struct arena arena;
    struct buf schema = {0};
    struct buf name = {0};

    arena_init(&arena, 0);
    enum err_code rc = source_catalog_load(conn, t->schema, t->name, &arena, &def, e);

    arena_deinit(&arena);
    if (rc == ERR_OK) {
        mysql_quote_name(&schema, t->schema);
        mysql_quote_name(&name, t->name);
        const char *quoted_schema = buf_cstr(&schema);
        const char *quoted_name = buf_cstr(&name);

        rc = quoted_schema == NULL || quoted_name == NULL
                 ? err_nomem(e)
                 : mysql_exec(conn, e, "SELECT * FROM %s.%s LIMIT 0", quoted_schema, quoted_name);
    }
    buf_deinit(&schema);
    buf_deinit(&name);
    return rc;
}

static void check_globs(const struct config *c, const struct table_choice *tables, bool icase,
                        struct findings *f)
{
    for (uint32_t i = 0; i < c->tables.count; i++) {
        bool found = false;

        for (uint32_t k = 0; k < tables->count && !found; k++) {
            char full_name[2 * 4 * 64 + 2];

            (void)snprintf(full_name, sizeof full_name, "%s.%s", tables->tables[k].schema,
                           tables->tables[k].name);
            found = str_glob(c->tables.items[i], full_name, icase);
        }
        if (!found) {
            finding_add(
                f, FINDING_WRONG, "tables",
                "'%s' (%s) names no table: look at its spelling, at exclude-table, and whether "
                "the account may SELECT it",
                c->tables.items[i], config_origin(c, "table"));
        }
    }
}

static enum err_code check_tables(const struct config *c, struct mysql_conn *conn,
                                  struct findings *f, struct err *e)
{
    bool icase = mysql_conn_server(conn)->lower_case_table_names != 0;
    struct table_choice tables = {0};
    uint32_t wrong = 0;
    enum err_code rc = table_choice_from_source(c, conn, &tables, e);

    if (rc == ERR_OK) {
        check_globs(c, &tables, icase, f);
    } else if (rc != ERR_NOMEM) {
        finding_add(f, FINDING_WRONG, "tables", "%s", e == NULL ? "" : e->msg);
        rc = ERR_OK;
    }
    for (uint32_t i = 0; i < tables.count && rc == ERR_OK; i++) {
        struct err why = {0};
        enum err_code tried = try_table(conn, &tables.tables[i], &why);

        if (tried == ERR_NOMEM) {
            rc = err_nomem(e);
        } else if (tried != ERR_OK && wrong++ < WRONG_TABLES_MAX) {
            finding_add(f, FINDING_WRONG, "tables",
                        "%s.%s: %s: let the account SELECT it, or leave it out by --exclude-table",
                        tables.tables[i].schema, tables.tables[i].name, why.msg);
        }
    }
    if (rc == ERR_OK && tables.count > 0) {
        finding_add(f, wrong == 0 ? FINDING_OK : FINDING_WRONG, "tables",
                    "%u found, %u of them readable", tables.count, tables.count - wrong);
    }
    table_choice_deinit(&tables);
    return rc;
}

enum err_code check_source(const struct config *c, struct findings *f, struct err *e)
{
    const struct mysql_options options = config_mysql_options(c);
    struct mysql_conn *conn = NULL;
    enum err_code rc = mysql_conn_open(&options, &conn, e);

    if (rc == ERR_NOMEM) {
        return rc;
    }
    if (rc != ERR_OK) {
        finding_add(f, FINDING_WRONG, "source", "%s", e == NULL ? "" : e->msg);
        return ERR_OK;
    }
    const struct mysql_server *s = mysql_conn_server(conn);

    if (c->mysql.socket[0] != '\0') {
        finding_add(f, FINDING_OK, "source", "connected through %s", c->mysql.socket);
    } else {
        finding_add(f, FINDING_OK, "source", "connected to %s:%llu", c->mysql.host,
                    (unsigned long long)c->mysql.port);
    }
    check_version(s, f);
    check_binlog(s, f);
    check_advice(c, s, f);
    rc = check_privileges(c, conn, f, e);
    if (rc == ERR_OK) {
        rc = check_tables(c, conn, f, e);
    }
    mysql_conn_close(conn);
    return rc;
}
