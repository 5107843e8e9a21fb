/*
 * check_positions.c - lake and source together: can the tables that are there go on?
 */
#include <stdio.h>
#include <string.h>

#include "app/check_int.h"
#include "app/status_int.h"
#include "pipeline/source_check.h"

#define WRONG_MAX 20u

struct positions {
    struct status_report report;
    struct mysql_options options;
    struct mysql_conn *conn;
    struct source_state state;
    char seen_file[BINLOG_FILE_BYTES]; /* the log that was found to be the same last */
    uint32_t seen_created_s;
    uint32_t dangers;
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

static enum err_code judge(struct positions *p, const struct status_table *t,
                           const struct source_claim *claim, struct err *why)
{
    const struct mysql_options at = mysql_options_at(&p->options, mysql_conn_server(p->conn));
    enum source_verdict verdict;

    ERR_TRY(source_judge(claim, &p->state, &verdict, why));
    if (verdict != SOURCE_FITS) {
        add_wrong(p, "%s.%s: %s", t->schema, t->name, why->msg);
        return ERR_OK;
    }
    bool seen = claim->log_created_s == p->seen_created_s &&
                strcmp(claim->position.file, p->seen_file) == 0;

    if (!seen && source_check_log(claim, &p->state, &at, why) != ERR_OK) {
        add_wrong(p, "%s.%s: %s", t->schema, t->name, why->msg);
        return ERR_OK;
    }
    memcpy(p->seen_file, claim->position.file, sizeof p->seen_file);
    p->seen_created_s = claim->log_created_s;
    p->fine++;
    return ERR_OK;
}

/* By the same rules as a run, of each table alone. */
static enum err_code check_one(struct positions *p, const struct status_table *t, struct err *e)
{
    const struct log_place place = {
        .source = t->source[0] == '\0' ? p->state.identity : t->source,
        .position = t->position,
        .gtids = t->gtids,
    };
    struct gtid_set *gtids = NULL;
    struct err why = {0};

    if (t->state != STATUS_COPIED && t->state != STATUS_FOLLOWING) {
        return ERR_OK;
    }
    if (t->gtids != NULL) {
        ERR_TRY(log_place_parse_gtids(&place, &gtids, e));
    }
    const struct source_claim claim = {.source = place.source,
                                       .position = t->position,
                                       .log_created_s = t->log_created_s,
                                       .gtids = gtids,
                                       .anonymous = t->anonymous};
    enum err_code rc = judge(p, t, &claim, &why);
    const char *danger = status_danger(&p->report, t);

    gtid_set_free(gtids);
    if (rc == ERR_OK && danger != NULL && p->dangers++ < WRONG_MAX) {
        finding_add(p->f, FINDING_NOTE, "positions", "%s.%s: %s", t->schema, t->name, danger);
    }
    return rc == ERR_OK ? ERR_OK : err_set(e, rc, "%s", why.msg);
}

/* Rows of this connection under another server id stand still for ever. */
static enum err_code check_other_ids(struct positions *p, struct lake *lake, struct err *e)
{
    const struct config *c = p->report.config;
    struct watermark_rows rows = {0};
    enum err_code rc = status_read_watermarks(lake, &rows, e);
    uint32_t others = 0;
    int64_t id = 0;

    for (uint32_t i = 0; i < rows.count && rc == ERR_OK; i++) {
        const struct watermark *row = &rows.items[i];

        if (strcmp(row->connection_name, c->connection_name) == 0 &&
            row->server_id != (int64_t)c->mysql.server_id) {
            others++;
            id = row->server_id;
        }
    }
    watermark_rows_deinit(&rows);
    if (others > 0) {
        finding_add(p->f, FINDING_NOTE, "watermarks",
                    "%u row%s of connection '%s' %s under another server id (such as %lld; "
                    "mysql.server-id is %llu now): set it back, or if it was changed for good, "
                    "remove them, since nothing moves them any more",
                    others, others == 1 ? "" : "s", c->connection_name, others == 1 ? "is" : "are",
                    (long long)id, (unsigned long long)c->mysql.server_id);
    }
    return rc;
}

static enum err_code check_all(struct positions *p, struct lake *lake, struct err *e)
{
    ERR_TRY(status_ask(&p->report, p->conn, e));
    ERR_TRY(source_look(p->conn, &p->state, e));
    ERR_TRY(status_read_lake(&p->report, lake, e));
    ERR_TRY(check_other_ids(p, lake, e));
    for (uint32_t i = 0; i < p->report.names.count; i++) {
        ERR_TRY(check_one(p, &p->report.tables[i], e));
    }
    if (p->fine > 0) {
        finding_add(p->f, FINDING_OK, "positions", "the source has all that %u table%s lack%s",
                    p->fine, p->fine == 1 ? "" : "s", p->fine == 1 ? "s" : "");
    }
    return ERR_OK;
}

/* Without binlogs, or without a lake that is there already, there is nothing to compare. */
static enum err_code check_existing(struct positions *p, struct err *e)
{
    struct lake lake;
    struct err why = {0};

    if (!mysql_conn_server(p->conn)->log_bin ||
        lake_open_existing(p->report.config, NULL, &lake, &why) != ERR_OK) {
        return why.code == ERR_NOMEM ? err_nomem(e) : ERR_OK;
    }
    arena_init(&p->report.arena, 0);
    enum err_code rc = check_all(p, &lake, e);

    source_state_deinit(&p->state);
    table_choice_deinit(&p->report.names);
    arena_deinit(&p->report.arena);
    lake_close(&lake);
    return rc;
}

enum err_code check_positions(const struct config *c, struct findings *f, struct err *e)
{
    const struct clock now = clock_system();
    struct positions p = {.report = {.config = c, .now_us = clock_wall_us(&now)},
                          .options = config_mysql_options(c),
                          .f = f};
    struct err why = {0};
    enum err_code rc = mysql_conn_open(&p.options, &p.conn, &why);

    if (rc == ERR_OK) {
        rc = check_existing(&p, &why);
        mysql_conn_close(p.conn);
    }
    if (rc == ERR_NOMEM) {
        return err_nomem(e);
    }
    if (rc != ERR_OK) {
        finding_add(f, FINDING_WRONG, "positions", "%s", why.msg);
    }
    return ERR_OK;
}
