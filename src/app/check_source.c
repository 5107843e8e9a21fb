/*
 * check_source.c - the source's half of `calve check`.
 */
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/check_int.h"
#include "app/table_choice.h"
#include "mysql/snapshot.h"
#include "mysql/source_catalog.h"

#define GRANTS_BYTES_MAX ((size_t)1 << 20)
#define WRONG_TABLES_MAX 20u
#define ACCOUNT_BYTES    512u

struct source_check {
    const struct config *c;
    struct mysql_conn *conn;
    const struct mysql_server *server;
    struct findings *f;
    char account[ACCOUNT_BYTES];
};

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

static void check_row_image(const struct mysql_server *s, struct findings *f)
{
    const char *image = s->binlog_row_image[0] == '\0' ? "FULL" : s->binlog_row_image;

    if (str_ieq(image, "FULL") || str_ieq(image, "FULL_NODUP")) {
        finding_add(f, FINDING_OK, "binlog_row_image", "%s", image);
        return;
    }
    finding_add(f, FINDING_NOTE, "binlog_row_image",
                "%s leaves columns out, and a change whose row is then not known stops the run: "
                "SET GLOBAL binlog_row_image = 'FULL', and the same in my.cnf",
                image);
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
    check_row_image(s, f);
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

/* Who to grant to, as a statement wants it: 'user'@'host'. */
static enum err_code find_account(struct mysql_conn *conn, char out[ACCOUNT_BYTES], struct err *e)
{
    char name[ACCOUNT_BYTES];
    struct buf quoted = {0};

    ERR_TRY(mysql_query_text(conn, "SELECT CURRENT_USER()", name, sizeof name, e));
    /* A user's name may have an @, a host's has none. */
    char *at = strrchr(name, '@');

    if (at == NULL) {
        (void)snprintf(out, ACCOUNT_BYTES, "the account");
        return ERR_OK;
    }
    *at = '\0';
    mysql_quote_text(&quoted, name);
    buf_u8(&quoted, '@');
    mysql_quote_text(&quoted, at + 1);
    const char *text = buf_cstr(&quoted);
    enum err_code rc = text == NULL ? err_nomem(e) : ERR_OK;

    if (text != NULL) {
        (void)snprintf(out, ACCOUNT_BYTES, "%s", text);
    }
    buf_deinit(&quoted);
    return rc;
}

static void check_replication_grant(const struct source_check *k, const struct grants *g)
{
    struct err why = {0};

    if (g->all || g->replication_slave) {
        finding_add(k->f, FINDING_OK, "privilege to read the binlog", "granted");
        return;
    }
    /* On MySQL this statement asks for the same privilege, wherever it comes from. */
    if (!k->server->is_mariadb) {
        if (mysql_exec(k->conn, &why, "SHOW BINLOG EVENTS LIMIT 0") == ERR_OK) {
            finding_add(k->f, FINDING_OK, "privilege to read the binlog", "granted");
            return;
        }
    } else if (g->role) {
        finding_add(k->f, FINDING_NOTE, "privilege to read the binlog",
                    "not granted directly; a role of the account may have it");
        return;
    }
    finding_add(k->f, FINDING_WRONG, "privilege to read the binlog",
                "missing: GRANT REPLICATION SLAVE ON *.* TO %s", k->account);
}

static void check_position(const struct source_check *k)
{
    static const char subject[] = "privilege to see the position";
    struct low_watermark end = {0};
    struct err why = {0};

    if (snapshot_current_position(k->conn, &end, &why) == ERR_OK) {
        finding_add(k->f, FINDING_OK, subject, "the binlog ends at %s:%llu", end.position.file,
                    (unsigned long long)end.position.offset);
    } else if (why.source_errno == ER_SPECIFIC_ACCESS_DENIED_ERROR) {
        finding_add(k->f, FINDING_WRONG, subject, "missing: GRANT %s ON *.* TO %s",
                    k->server->is_mariadb ? "BINLOG MONITOR" : "REPLICATION CLIENT", k->account);
    } else {
        finding_add(k->f, FINDING_WRONG, subject, "%s", why.msg);
    }
    low_watermark_deinit(&end);
}

/* A copy looks for prepared XA transactions, and goes on when it may not look. */
static void check_xa(const struct source_check *k)
{
    struct err why = {0};

    if (k->c->snapshot == RUN_SNAPSHOT_INITIAL && !k->server->is_mariadb &&
        mysql_exec(k->conn, &why, "XA RECOVER") != ERR_OK) {
        finding_add(k->f, FINDING_NOTE, "privilege to see XA transactions",
                    "missing: a start does not notice prepared XA transactions, whose rows it "
                    "would miss: "
                    "GRANT XA_RECOVER_ADMIN ON *.* TO %s",
                    k->account);
    }
}

static enum err_code check_privileges(const struct source_check *k, struct err *e)
{
    struct grants g = {0};
    struct err why = {0};
    enum err_code rc = mysql_query_rows(k->conn, "SHOW GRANTS", on_grant, &g, &why);

    if (rc == ERR_NOMEM) {
        return err_nomem(e);
    }
    if (rc != ERR_OK) {
        finding_add(k->f, FINDING_WRONG, "privileges", "%s", why.msg);
        return ERR_OK;
    }
    if (!k->server->log_bin) {
        return ERR_OK;
    }
    check_replication_grant(k, &g);
    check_position(k);
    if (!k->server->is_mariadb && !k->server->gtid_enabled &&
        k->c->snapshot == RUN_SNAPSHOT_INITIAL && !g.all && !g.reload) {
        finding_add(k->f, g.role ? FINDING_NOTE : FINDING_WRONG, "privilege to copy",
                    "without GTIDs the copy begins with FLUSH BINARY LOGS: GRANT RELOAD ON *.* TO "
                    "%s, turn gtid_mode on, or run with --snapshot never",
                    k->account);
    }
    check_xa(k);
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

/*
 * The object of a GRANT that covers a glob: `shop`.`orders`, `shop`.*, *.*. False when there is no
 * memory.
 */
static bool put_grant_object(const char *glob, struct buf *out)
{
    const char *dot = strchr(glob, '.');
    char *schema = dot == NULL ? NULL : str_ndup(glob, (size_t)(dot - glob));

    if (schema == NULL) {
        return false;
    }
    if (strpbrk(schema, "*?") != NULL) {
        buf_append_str(out, "*.*");
    } else {
        mysql_quote_name(out, schema);
        buf_u8(out, '.');
        if (strpbrk(dot, "*?") != NULL) {
            buf_u8(out, '*');
        } else {
            mysql_quote_name(out, dot + 1);
        }
    }
    free(schema);
    return true;
}

static enum err_code check_glob(const struct source_check *k, const char *glob,
                                const struct table_choice *tables, struct err *e)
{
    struct buf object = {0};

    for (uint32_t i = 0; i < tables->count; i++) {
        char full_name[2 * 4 * 64 + 2];

        (void)snprintf(full_name, sizeof full_name, "%s.%s", tables->tables[i].schema,
                       tables->tables[i].name);
        if (str_glob(glob, full_name, k->server->lower_case_table_names != 0)) {
            return ERR_OK;
        }
    }
    const char *text = put_grant_object(glob, &object) ? buf_cstr(&object) : NULL;
    enum err_code rc = text == NULL ? err_nomem(e) : ERR_OK;

    if (text != NULL) {
        finding_add(k->f, FINDING_WRONG, "tables",
                    "'%s' (%s) names no table that the account can see: look at its spelling and "
                    "at exclude-table, or GRANT SELECT ON %s TO %s",
                    glob, config_origin(k->c, "table"), text, k->account);
    }
    buf_deinit(&object);
    return rc;
}

static bool is_denied(const struct err *why)
{
    return why->source_errno == ER_TABLEACCESS_DENIED_ERROR ||
           why->source_errno == ER_COLUMNACCESS_DENIED_ERROR ||
           why->source_errno == ER_DBACCESS_DENIED_ERROR;
}

static enum err_code check_table(const struct source_check *k, const struct chosen_table *t,
                                 uint32_t *wrong, struct err *e)
{
    struct err why = {0};
    enum err_code rc = try_table(k->conn, t, &why);

    if (rc == ERR_OK) {
        return ERR_OK;
    }
    if (rc == ERR_NOMEM) {
        return err_nomem(e);
    }
    if ((*wrong)++ >= WRONG_TABLES_MAX) {
        return ERR_OK;
    }
    if (is_denied(&why)) {
        finding_add(k->f, FINDING_WRONG, "tables",
                    "%s.%s: the account may not read it: GRANT SELECT ON `%s`.`%s` TO %s, or leave "
                    "it out by --exclude-table",
                    t->schema, t->name, t->schema, t->name, k->account);
    } else {
        finding_add(k->f, FINDING_WRONG, "tables", "%s.%s: %s; or leave it out by --exclude-table",
                    t->schema, t->name, why.msg);
    }
    return ERR_OK;
}

static enum err_code check_tables(const struct source_check *k, struct err *e)
{
    struct table_choice tables = {0};
    struct err why = {0};
    uint32_t wrong = 0;
    enum err_code rc = table_choice_from_source(k->c, k->conn, &tables, &why);

    if (rc == ERR_NOMEM) {
        rc = err_nomem(e);
    } else if (rc != ERR_OK) {
        finding_add(k->f, FINDING_WRONG, "tables", "%s", why.msg);
        table_choice_deinit(&tables);
        return ERR_OK;
    }
    for (uint32_t i = 0; i < k->c->tables.count && rc == ERR_OK; i++) {
        rc = check_glob(k, k->c->tables.items[i], &tables, e);
    }
    for (uint32_t i = 0; i < tables.count && rc == ERR_OK; i++) {
        rc = check_table(k, &tables.tables[i], &wrong, e);
    }
    if (rc == ERR_OK) {
        rc = check_cascades(&tables, k->conn, k->f, e);
    }
    if (rc == ERR_OK && tables.count > 0) {
        finding_add(k->f, wrong == 0 ? FINDING_OK : FINDING_WRONG, "tables",
                    "%u found, %u of them readable", tables.count, tables.count - wrong);
    }
    table_choice_deinit(&tables);
    return rc;
}

static void say_connected(const struct mysql_server *s, struct findings *f)
{
    if (s->port == 0) {
        finding_add(f, FINDING_OK, "source", "connected through %s", s->host);
    } else {
        finding_add(f, FINDING_OK, "source", "connected to %s:%u", s->host, s->port);
    }
}

static enum err_code check_connected(struct source_check *k, struct err *e)
{
    say_connected(k->server, k->f);
    ERR_TRY(check_hosts(k->c, k->f, e));
    check_version(k->server, k->f);
    check_binlog(k->server, k->f);
    if (k->server->log_bin) {
        check_advice(k->c, k->server, k->f);
    }
    ERR_TRY(find_account(k->conn, k->account, e));
    ERR_TRY(check_privileges(k, e));
    return check_tables(k, e);
}

enum err_code check_source(const struct config *c, struct findings *f, bool *connected,
                           struct err *e)
{
    const struct mysql_options options = config_mysql_options(c);
    struct source_check k = {.c = c, .f = f};
    struct err why = {0};
    enum err_code rc = mysql_conn_open(&options, &k.conn, &why);

    *connected = rc == ERR_OK;
    if (rc == ERR_OK) {
        k.server = mysql_conn_server(k.conn);
        why = (struct err){0};
        rc = check_connected(&k, &why);
    }
    mysql_conn_close(k.conn);
    if (rc == ERR_NOMEM) {
        return err_nomem(e);
    }
    if (rc != ERR_OK) {
        finding_add(f, FINDING_WRONG, "source", "%s", why.msg);
    }
    return ERR_OK;
}
