#include "mysql/binlog_retention.h"

#include <mysqld_error.h>
#include <stdio.h>

#include "base/buf.h"

#define DAY_S 86400u

static enum err_code take_file(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct binlog_retention *r = ctx;
    struct span name = row->columns[0];

    if (name.len == 0 || name.len >= sizeof r->oldest) {
        return err_set(e, ERR_SOURCE, "SHOW BINARY LOGS gave something else than names");
    }
    memcpy(r->newest, name.data, name.len);
    r->newest[name.len] = '\0';
    if (r->oldest[0] == '\0') {
        memcpy(r->oldest, r->newest, sizeof r->oldest);
    }
    return ERR_OK;
}

/* 0 for a variable that this server has not. */
static enum err_code read_seconds(struct mysql_conn *c, const char *sql, uint64_t unit_s,
                                  uint64_t *out, struct err *e)
{
    char text[64];
    struct err mine = {0};
    enum err_code rc = mysql_query_text(c, sql, text, sizeof text, &mine);
    uint64_t whole = 0;

    *out = 0;
    if (rc == ERR_SOURCE && mine.source_errno == ER_UNKNOWN_SYSTEM_VARIABLE) {
        return ERR_OK;
    }
    if (rc != ERR_OK) {
        if (e != NULL) {
            *e = mine;
        }
        return rc;
    }
    /* Days may have a fraction on MariaDB; it has the seconds beside them then. */
    if (str_to_u64(span_of(text, strcspn(text, ".")), &whole) && whole <= UINT64_MAX / unit_s) {
        *out = whole * unit_s;
    }
    return ERR_OK;
}

struct rds {
    bool found;
    bool null;
};

static enum err_code take_rds(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct rds *r = ctx;

    (void)e;
    r->found = true;
    r->null = row->columns[0].data == NULL;
    return ERR_OK;
}

/* RDS and Aurora have a table for it, which other servers have not. */
static enum err_code read_rds(struct mysql_conn *c, bool *purged_at_once, struct err *e)
{
    struct rds r = {false, false};
    struct err mine = {0};
    enum err_code rc = mysql_query_rows(
        c, "SELECT value FROM mysql.rds_configuration WHERE name = 'binlog retention hours'",
        take_rds, &r, &mine);

    *purged_at_once = rc == ERR_OK && r.found && r.null;
    /* No such table, or none that this account may see. */
    if (rc != ERR_OK && rc != ERR_SOURCE) {
        if (e != NULL) {
            *e = mine;
        }
        return rc;
    }
    return ERR_OK;
}

enum err_code binlog_retention_read(struct mysql_conn *c, struct binlog_retention *out,
                                    struct err *e)
{
    uint64_t days_s = 0;

    *out = (struct binlog_retention){.expire_s = 0};
    ERR_TRY(mysql_query_rows(c, "SHOW BINARY LOGS", take_file, out, e));
    ERR_TRY(read_seconds(c, "SELECT @@GLOBAL.binlog_expire_logs_seconds", 1, &out->expire_s, e));
    ERR_TRY(read_seconds(c, "SELECT @@GLOBAL.expire_logs_days", DAY_S, &days_s, e));
    out->expire_s = out->expire_s == 0 ? days_s : out->expire_s;
    return read_rds(c, &out->purged_at_once, e);
}

static int compare_files(const char *a, const char *b)
{
    struct binlog_position x = {.offset = 0};
    struct binlog_position y = {.offset = 0};

    (void)snprintf(x.file, sizeof x.file, "%s", a);
    (void)snprintf(y.file, sizeof y.file, "%s", b);
    return binlog_position_compare(&x, &y);
}

const char *binlog_retention_danger(const struct binlog_retention *r,
                                    const struct binlog_position *at, int64_t lag_s)
{
    /* The newest file is never purged. */
    if (at->file[0] == '\0' || compare_files(at->file, r->newest) >= 0) {
        return NULL;
    }
    if (r->purged_at_once) {
        return "RDS purges binlogs as soon as it can: CALL mysql.rds_set_configuration('binlog "
               "retention hours', 72)";
    }
    if (compare_files(at->file, r->oldest) <= 0) {
        return "the source's oldest binlog is the one that is still needed, and goes next: raise "
               "binlog_expire_logs_seconds, and let nobody purge binlogs by hand";
    }
    if (r->expire_s > 0 && lag_s >= 0 && (uint64_t)lag_s > r->expire_s / 2) {
        return "binlogs expire in less than twice the time that is to be caught up: raise "
               "binlog_expire_logs_seconds";
    }
    return NULL;
}
