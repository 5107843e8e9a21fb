/*
 * check_positions.c - lake and source together: can the tables that are there go on?
 */
#include <stdio.h>
#include <string.h>

#include "app/check_int.h"
#include "app/status_int.h"

#define WRONG_MAX 20u

struct positions {
    struct status_report report;
    struct mysql_conn *conn;
    struct findings *f;
    uint32_t fine;
    uint32_t wrong;
};

static void add_wrong(struct positions *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void add_wrong(struct positions *p, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (p->wrong++ < WRONG_MAX) {
        finding_add(p->f, FINDING_WRONG, "positions", "%s", text);
    }
}

enum reach {
    REACH_FINE,
    REACH_PURGED,  /* something the table lacks is gone */
    REACH_REWOUND, /* the table has what the source never had */
};

/*
 * With GTIDs MySQL sends what is not in the set, from whatever files it has; so what counts is
 * whether it purged a transaction that the table lacks.
 */
static enum err_code ask_by_gtids(const struct positions *p, const char *gtids, enum reach *out,
                                  struct err *e)
{
    struct buf sql = {0};
    char answer[8] = "";

    buf_append_str(&sql, "SELECT CONCAT(GTID_SUBSET(@@GLOBAL.gtid_purged, ");
    mysql_quote_text(&sql, gtids);
    buf_append_str(&sql, "), GTID_SUBSET(");
    mysql_quote_text(&sql, gtids);
    buf_append_str(&sql, ", @@GLOBAL.gtid_executed))");
    const char *text = buf_cstr(&sql);
    enum err_code rc =
        text == NULL ? err_nomem(e) : mysql_query_text(p->conn, text, answer, sizeof answer, e);

    *out = answer[0] != '1' ? REACH_PURGED : answer[1] != '1' ? REACH_REWOUND : REACH_FINE;
    buf_deinit(&sql);
    return rc;
}

static enum err_code find_reach(const struct positions *p, const struct status_table *t,
                                enum reach *out, struct err *e)
{
    const struct mysql_server *server = mysql_conn_server(p->conn);

    if (t->gtids != NULL && !server->is_mariadb && server->gtid_enabled) {
        return ask_by_gtids(p, t->gtids, out, e);
    }
    *out = !status_has_log(&p->report.source, t->position.file) ? REACH_PURGED
           : t->lag_bytes < 0                                   ? REACH_REWOUND
                                                                : REACH_FINE;
    return ERR_OK;
}

static void say_purged(struct positions *p, const struct status_table *t)
{
    const struct status_source *s = &p->report.source;

    add_wrong(p,
              "%s.%s goes on at %s:%llu, and the source has purged what came after it (its oldest "
              "file is %s): bring those binlog files back, or drop the Iceberg table to have it "
              "copied again; and let the source keep its binlogs longer "
              "(binlog_expire_logs_seconds)",
              t->schema, t->name, t->position.file, (unsigned long long)t->position.offset,
              s->log_count == 0 ? "none" : s->logs[0].file);
}

static enum err_code check_one(struct positions *p, const struct status_table *t, struct err *e)
{
    const struct status_source *s = &p->report.source;
    enum reach reach;

    if (t->state != STATUS_COPIED && t->state != STATUS_FOLLOWING) {
        return ERR_OK;
    }
    if (t->source[0] != '\0' && strcmp(t->source, s->identity) != 0) {
        add_wrong(p,
                  "%s.%s was followed on another server (%s) than this one (%s): connect to that "
                  "one, or give this one a connection-name of its own and another warehouse",
                  t->schema, t->name, t->source, s->identity);
        return ERR_OK;
    }
    ERR_TRY(find_reach(p, t, &reach, e));
    switch (reach) {
    case REACH_FINE:
        p->fine++;
        break;
    case REACH_PURGED:
        say_purged(p, t);
        break;
    case REACH_REWOUND:
        add_wrong(p,
                  "%s.%s goes on at %s:%llu, and the source ends before that: was it reset, or "
                  "restored from a backup? Drop the Iceberg table to have it copied again",
                  t->schema, t->name, t->position.file, (unsigned long long)t->position.offset);
        break;
    }
    return ERR_OK;
}

static enum err_code check_all(struct positions *p, struct lake *lake, struct err *e)
{
    ERR_TRY(status_ask(&p->report, p->conn, e));
    ERR_TRY(status_read_lake(&p->report, lake, e));
    for (uint32_t i = 0; i < p->report.names.count; i++) {
        ERR_TRY(check_one(p, &p->report.tables[i], e));
    }
    if (p->fine > 0) {
        finding_add(p->f, FINDING_OK, "positions", "the source has all that %u table%s lack%s",
                    p->fine, p->fine == 1 ? "" : "s", p->fine == 1 ? "s" : "");
    }
    return ERR_OK;
}

enum err_code check_positions(const struct config *c, struct mysql_conn *conn, struct findings *f,
                              struct err *e)
{
    struct positions p = {.report = {.config = c}, .conn = conn, .f = f};
    struct lake lake;
    struct err why = {0};

    /* Without binlogs, or without a lake that can be read, others have said what is wrong. */
    if (!mysql_conn_server(conn)->log_bin || lake_open_existing(c, NULL, &lake, &why) != ERR_OK) {
        return why.code == ERR_NOMEM ? err_nomem(e) : ERR_OK;
    }
    arena_init(&p.report.arena, 0);
    enum err_code rc = check_all(&p, &lake, &why);

    if (rc == ERR_NOMEM) {
        rc = err_nomem(e);
    } else if (rc != ERR_OK) {
        finding_add(f, FINDING_WRONG, "positions", "%s", why.msg);
        rc = ERR_OK;
    }
    table_choice_deinit(&p.report.names);
    arena_deinit(&p.report.arena);
    lake_close(&lake);
    return rc;
}
