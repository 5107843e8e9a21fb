/* follow_watch.c - looks whether the source is about to purge what is still to be read. */
#include "mysql/binlog_retention.h"
#include "pipeline/follow_int.h"

#define SECOND_US  INT64_C(1000000)
#define LAG_S_MIN  60
#define LOOK_US    (60 * SECOND_US)
#define WARN_US    (300 * SECOND_US)
#define EVENTS_MIN 64u
#define CONNECT_S  3u
#define READ_S     10u

static enum err_code look(struct follow *f, struct binlog_retention *out, struct err *e)
{
    struct mysql_options options =
        mysql_options_at(&f->run->options->mysql, binlog_stream_server(f->stream));
    struct mysql_conn *conn = NULL;

    /* Reading waits meanwhile. */
    options.connect_timeout_s = CONNECT_S;
    options.read_timeout_s = READ_S;
    enum err_code rc = mysql_conn_open(&options, &conn, e);

    if (rc == ERR_OK) {
        rc = binlog_retention_read(conn, out, e);
    }
    mysql_conn_close(conn);
    return rc;
}

static void warn(struct follow *f, const struct binlog_retention *r, int64_t lag_s,
                 const char *danger)
{
    log_warn(f->run->log, "source.purge_near", LOG_STR("danger", danger),
             LOG_STR("needed", f->cut_end.file), LOG_STR("oldest", r->oldest),
             LOG_U64("expire_s", r->expire_s), LOG_I64("lag_s", lag_s));
}

void follow_watch_purge(struct follow *f, int64_t event_s)
{
    struct binlog_retention r;
    struct err why = {0};

    /* Not every event is worth a look at the clock. */
    if (++f->events_unwatched < EVENTS_MIN) {
        return;
    }
    f->events_unwatched = 0;
    int64_t lag_s = clock_wall_us(&f->run->clock) / SECOND_US - event_s;
    int64_t now_us = clock_mono_us(&f->run->clock);

    if (lag_s < LAG_S_MIN) {
        return;
    }
    if (f->purge_looked_us != 0 && now_us - f->purge_looked_us < LOOK_US) {
        return;
    }
    f->purge_looked_us = now_us;
    if (look(f, &r, &why) != ERR_OK) {
        log_debug(f->run->log, "source.purge_unknown", LOG_STR("error", why.msg));
        return;
    }
    const char *danger = binlog_retention_danger(&r, &f->cut_end, lag_s);

    if (danger != NULL && (f->purge_warned_us == 0 || now_us - f->purge_warned_us >= WARN_US)) {
        f->purge_warned_us = now_us;
        warn(f, &r, lag_s, danger);
    }
}
