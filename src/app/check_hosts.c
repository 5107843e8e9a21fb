/*
 * check_hosts.c - each host of a list for itself, and what foreign keys do behind the binlog's
 * back.
 */
#include <stdio.h>

#include "app/check_int.h"
#include "app/table_choice.h"
#include "mysql/cascades.h"

#define CASCADES_MAX 20u

static void check_host(const struct mysql_options *options, const struct host *host,
                       struct findings *f)
{
    struct mysql_conn *conn = NULL;
    struct mysql_options one = *options;
    struct err why = {0};

    one.host = host->name;
    one.port = host->port == 0 ? options->port : host->port;
    if (mysql_conn_open(&one, &conn, &why) != ERR_OK) {
        finding_add(f, FINDING_NOTE, "hosts", "%s", why.msg);
        return;
    }
    const struct mysql_server *s = mysql_conn_server(conn);

    finding_add(f, s->gtid_enabled ? FINDING_OK : FINDING_NOTE, "hosts", "%s:%u is %s %s%s",
                s->host, s->port, s->is_mariadb ? "MariaDB" : "MySQL", s->version,
                s->gtid_enabled ? "" : ", without GTIDs: nothing goes on there after a failover");
    mysql_conn_close(conn);
}

enum err_code check_hosts(const struct config *c, struct findings *f, struct err *e)
{
    const struct mysql_options options = config_mysql_options(c);
    const char *rest = c->mysql.host;
    struct host host;
    bool found = strchr(rest, ',') != NULL && c->mysql.socket[0] == '\0';

    while (found) {
        ERR_TRY(host_list_next(&rest, &host, &found, e));
        if (found) {
            check_host(&options, &host, f);
        }
    }
    return ERR_OK;
}

struct cascades {
    struct findings *f;
    const struct chosen_table *table;
    uint32_t count;
};

static enum err_code on_cascade(void *ctx, const struct cascade *k, struct err *e)
{
    struct cascades *s = ctx;

    (void)e;
    if (s->count++ < CASCADES_MAX) {
        finding_add(s->f, FINDING_NOTE, "foreign keys",
                    "%s.%s: %.*s REFERENCES %.*s %.*s changes rows that are not in this server's "
                    "binlog: after such a change the table must be copied anew, or let the "
                    "application change the rows",
                    s->table->schema, s->table->name, (int)k->key.len, (const char *)k->key.data,
                    (int)k->parent.len, (const char *)k->parent.data, (int)k->actions.len,
                    (const char *)k->actions.data);
    }
    return ERR_OK;
}

enum err_code check_cascades(const struct table_choice *tables, struct mysql_conn *conn,
                             struct findings *f, struct err *e)
{
    struct cascades s = {.f = f};
    bool logged;

    ERR_TRY(cascades_are_logged(conn, &logged, e));
    for (uint32_t i = 0; i < tables->count && !logged; i++) {
        s.table = &tables->tables[i];
        struct err why = {0};
        enum err_code rc =
            cascades_of_table(conn, s.table->schema, s.table->name, on_cascade, &s, &why);

        if (rc == ERR_NOMEM) {
            return err_nomem(e);
        }
        /* Whether it can be read is looked at elsewhere. */
    }
    if (s.count > CASCADES_MAX) {
        finding_add(f, FINDING_NOTE, "foreign keys", "and %u more", s.count - CASCADES_MAX);
    }
    return ERR_OK;
}
