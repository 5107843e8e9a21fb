/*
 * status_source.c - what the source still has in its binlogs.
 */
#include <stdlib.h>

#include "app/status_int.h"

/* A row of SHOW BINARY LOGS: name, size, and on MySQL whether it is encrypted. */
static enum err_code take_log(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct status_report *r = ctx;
    struct status_source *s = &r->source;
    struct status_log log;

    if (row->column_count < 2 || row->columns[0].len >= sizeof log.file ||
        row->columns[0].len == 0 || !str_to_u64(row->columns[1], &log.bytes)) {
        return err_set(e, ERR_SOURCE, "SHOW BINARY LOGS gave something else than names and sizes");
    }
    memcpy(log.file, row->columns[0].data, row->columns[0].len);
    log.file[row->columns[0].len] = '\0';
    if (s->log_count == s->log_capacity) {
        uint32_t capacity = s->log_capacity == 0 ? 64 : 2 * s->log_capacity;
        struct status_log *logs = arena_alloc(&r->arena, capacity, sizeof *logs);

        if (logs == NULL) {
            return arena_fail(&r->arena, e, "the source's binlogs");
        }
        if (s->log_count > 0) {
            memcpy(logs, s->logs, s->log_count * sizeof *logs);
        }
        s->logs = logs;
        s->log_capacity = capacity;
    }
    s->logs[s->log_count++] = log;
    return ERR_OK;
}

enum err_code status_ask(struct status_report *r, struct mysql_conn *conn, struct err *e)
{
    const struct mysql_server *server = mysql_conn_server(conn);
    struct status_source *s = &r->source;

    s->reachable = true;
    s->icase = server->lower_case_table_names != 0;
    memcpy(s->identity, server->identity, sizeof s->identity);
    ERR_TRY(table_choice_from_source(r->config, conn, &r->names, e));
    ERR_TRY(mysql_query_rows(conn, "SHOW BINARY LOGS", take_log, r, e));
    return binlog_retention_read(conn, &s->retention, e);
}

enum err_code status_ask_source(struct status_report *r, struct err *e)
{
    struct mysql_conn *conn = NULL;

    r->source.configured = config_require(r->config, CONFIG_NEED_SOURCE, NULL) == ERR_OK;
    if (!r->source.configured) {
        return ERR_OK;
    }
    const struct mysql_options options = config_mysql_options(r->config);
    struct err why = {0};
    enum err_code rc = mysql_conn_open(&options, &conn, &why);

    if (rc == ERR_OK) {
        rc = status_ask(r, conn, &why);
    }
    mysql_conn_close(conn);
    if (rc == ERR_NOMEM) {
        return err_nomem(e);
    }
    if (rc != ERR_OK) {
        r->source.problem = why;
    }
    return ERR_OK;
}

bool status_has_log(const struct status_source *s, const char *file)
{
    for (uint32_t i = 0; i < s->log_count; i++) {
        if (strcmp(s->logs[i].file, file) == 0) {
            return true;
        }
    }
    return false;
}

int64_t status_lag_bytes(const struct status_source *s, const struct binlog_position *position,
                         const char *position_source)
{
    uint64_t bytes = 0;

    if (position->file[0] == '\0' ||
        (position_source[0] != '\0' && strcmp(position_source, s->identity) != 0)) {
        return -1;
    }
    for (uint32_t i = s->log_count; i > 0; i--) {
        const struct status_log *log = &s->logs[i - 1];

        if (strcmp(log->file, position->file) == 0) {
            return position->offset > log->bytes ? -1
                                                 : (int64_t)(bytes + log->bytes - position->offset);
        }
        if (log->bytes > (uint64_t)INT64_MAX / 2 - bytes) {
            return -1;
        }
        bytes += log->bytes;
    }
    return -1;
}

const char *status_danger(const struct status_report *r, const struct status_table *t)
{
    const struct status_source *s = &r->source;
    bool ours = t->source[0] == '\0' || strcmp(t->source, s->identity) == 0;

    if (!s->reachable || s->retention.newest[0] == '\0' || !ours ||
        (t->state != STATUS_COPIED && t->state != STATUS_FOLLOWING)) {
        return NULL;
    }
    return binlog_retention_danger(&s->retention, &t->position, status_lag_s(r, t));
}
