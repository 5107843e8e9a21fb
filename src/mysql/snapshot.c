#include "mysql/snapshot.h"

#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "mysql/conn_int.h"

#define FILE_START 4u

/* A new file's own events end before, and the first transaction's ends behind it. */
#define FIRST_TRANSACTION_MIN 257u

/* Commits under way, as @@gtid_owned lists them: some hundred sessions at most. */
#define OWNED_BYTES    16384u
#define OWNED_PAUSE_NS 2000000L
#define OWNED_TRIES    5000u

#define EXACT_TRIES       2000u
#define EXACT_TRIES_FILES 20u

void low_watermark_deinit(struct low_watermark *w)
{
    gtid_set_free(w->gtids);
    *w = (struct low_watermark){0};
}

/* ---- where the binlog ends ---- */

enum {
    STATUS_FILE = 0,
    STATUS_POSITION = 1,
    STATUS_DO_DB = 2,
    STATUS_IGNORE_DB = 3,
    STATUS_GTIDS = 4
};

struct status {
    struct binlog_position position;
    struct buf gtids;   /* text; MySQL */
    struct buf filters; /* text */
};

static enum err_code set_position(struct binlog_position *out, struct span file, struct span offset,
                                  struct err *e)
{
    if (file.len == 0 || file.len >= sizeof out->file || !str_to_u64(offset, &out->offset)) {
        return err_set(e, ERR_SOURCE, "the server gives '%.*s' and '%.*s' as its binlog position",
                       (int)(file.len > 80 ? 80 : file.len), (const char *)file.data,
                       (int)(offset.len > 40 ? 40 : offset.len), (const char *)offset.data);
    }
    memcpy(out->file, file.data, file.len);
    out->file[file.len] = '\0';
    return ERR_OK;
}

static void put_filter(struct buf *out, const char *name, struct span databases)
{
    if (databases.len > 0) {
        buf_printf(out, "%s%s=", out->len == 0 ? "" : ", ", name);
        buf_append_span(out, databases);
    }
}

static enum err_code take_status(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct status *s = ctx;

    if (row->column_count <= STATUS_POSITION) {
        return err_set(e, ERR_SOURCE, "the server's binlog status has %u columns",
                       row->column_count);
    }
    if (row->column_count > STATUS_IGNORE_DB) {
        put_filter(&s->filters, "binlog_do_db", row->columns[STATUS_DO_DB]);
        put_filter(&s->filters, "binlog_ignore_db", row->columns[STATUS_IGNORE_DB]);
    }
    if (row->column_count > STATUS_GTIDS) {
        buf_append_span(&s->gtids, row->columns[STATUS_GTIDS]);
    }
    return set_position(&s->position, row->columns[STATUS_FILE], row->columns[STATUS_POSITION], e);
}

/* One row, so position and GTIDs are of one moment. The statement's name differs between versions.
 */
static enum err_code read_status(struct mysql_conn *c, struct status *out, struct err *e)
{
    bool mariadb = mysql_conn_server(c)->is_mariadb;
    const char *first = mariadb ? "SHOW MASTER STATUS" : "SHOW BINARY LOG STATUS";
    const char *second = mariadb ? "SHOW BINLOG STATUS" : "SHOW MASTER STATUS";
    struct err mine = {0};

    if (!mysql_conn_server(c)->log_bin) {
        return err_set(e, ERR_SOURCE,
                       "the source writes no binlog (log_bin is OFF): start it with --log-bin");
    }
    enum err_code rc = mysql_query_rows(c, first, take_status, out, &mine);

    if (rc == ERR_SOURCE && mine.source_errno == ER_PARSE_ERROR) {
        rc = mysql_query_rows(c, second, take_status, out, &mine);
    }
    if (rc != ERR_OK) {
        if (e != NULL) {
            *e = mine;
        }
        return rc;
    }
    return out->position.file[0] == '\0'
               ? err_set(e, ERR_SOURCE, "the source has no binlog, although log_bin is ON")
               : ERR_OK;
}

static enum err_code parse_gtids(struct buf *text, enum gtid_flavor flavor, struct gtid_set **out,
                                 struct err *e)
{
    const char *gtids = buf_cstr(text);

    return gtids == NULL ? buf_check(text, e, "GTID set") : gtid_set_parse(gtids, flavor, out, e);
}

struct mariadb_position {
    struct buf text;
    bool found;
};

static enum err_code take_gtid_position(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct mariadb_position *p = ctx;

    (void)e;
    p->found = row->columns[0].data != NULL;
    buf_append_span(&p->text, row->columns[0]);
    return ERR_OK;
}

/* MariaDB: the GTID position that belongs to a file and offset. */
static enum err_code read_mariadb_gtids(struct mysql_conn *c, const struct binlog_position *at,
                                        struct gtid_set **out, struct err *e)
{
    struct buf sql = {0};
    struct mariadb_position p = {{0}, false};

    buf_append_str(&sql, "SELECT BINLOG_GTID_POS(");
    mysql_quote_text(&sql, at->file);
    buf_printf(&sql, ", %llu)", (unsigned long long)at->offset);
    const char *text = buf_cstr(&sql);
    enum err_code rc = text == NULL ? buf_check(&sql, e, "a query")
                                    : mysql_query_rows(c, text, take_gtid_position, &p, e);

    if (rc == ERR_OK && !p.found) {
        rc = err_set_retryable(e, ERR_SOURCE, "the source knows no GTID position for %s:%llu",
                               at->file, (unsigned long long)at->offset);
    }
    if (rc == ERR_OK) {
        rc = parse_gtids(&p.text, GTID_FLAVOR_MARIADB, out, e);
    }
    buf_deinit(&p.text);
    buf_deinit(&sql);
    return rc;
}

enum err_code snapshot_current_position(struct mysql_conn *c, struct low_watermark *out,
                                        struct err *e)
{
    const struct mysql_server *server = mysql_conn_server(c);
    struct status s = {.position = {.offset = 0}};
    struct gtid_set *gtids = NULL;
    enum err_code rc = read_status(c, &s, e);

    if (rc == ERR_OK && server->is_mariadb) {
        rc = read_mariadb_gtids(c, &s.position, &gtids, e);
    } else if (rc == ERR_OK && server->gtid_enabled) {
        rc = parse_gtids(&s.gtids, GTID_FLAVOR_MYSQL, &gtids, e);
    }
    buf_deinit(&s.gtids);
    buf_deinit(&s.filters);
    if (rc != ERR_OK) {
        err_wrap(e, "reading the source's binlog position");
        return rc;
    }
    *out = (struct low_watermark){s.position, gtids};
    return ERR_OK;
}

enum err_code snapshot_filters(struct mysql_conn *c, struct buf *out, struct err *e)
{
    struct status s = {.position = {.offset = 0}};
    enum err_code rc = read_status(c, &s, e);

    if (rc == ERR_OK) {
        buf_append_span(out, buf_span(&s.filters));
        rc = buf_check(out, e, "binlog filters");
    }
    buf_deinit(&s.gtids);
    buf_deinit(&s.filters);
    return rc;
}

static enum err_code take_first_file(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct binlog_position *first = ctx;

    return first->file[0] != '\0' ? ERR_OK : set_position(first, row->columns[0], span_str("4"), e);
}

static enum err_code take_text(void *ctx, const struct mysql_row *row, struct err *e)
{
    (void)e;
    buf_append_span(ctx, row->columns[0]);
    return ERR_OK;
}

enum err_code snapshot_earliest_position(struct mysql_conn *c, struct low_watermark *out,
                                         struct err *e)
{
    const struct mysql_server *server = mysql_conn_server(c);
    struct low_watermark mark = {.gtids = NULL};
    struct buf purged = {0};
    enum err_code rc = ERR_OK;

    /* First, so that what is purged in between is an error later and not a gap. */
    if (!server->is_mariadb && server->gtid_enabled) {
        rc = mysql_query_rows(c, "SELECT @@GLOBAL.gtid_purged", take_text, &purged, e);
        if (rc == ERR_OK) {
            rc = parse_gtids(&purged, GTID_FLAVOR_MYSQL, &mark.gtids, e);
        }
    }
    if (rc == ERR_OK) {
        rc = mysql_query_rows(c, "SHOW BINARY LOGS", take_first_file, &mark.position, e);
    }
    if (rc == ERR_OK && mark.position.file[0] == '\0') {
        rc = err_set(e, ERR_SOURCE, "the source has no binlog files");
    }
    buf_deinit(&purged);
    if (rc != ERR_OK) {
        low_watermark_deinit(&mark);
        err_wrap(e, "finding the source's earliest binlog position");
        return rc;
    }
    *out = mark;
    return ERR_OK;
}

/* ---- low watermarks ---- */

struct next_file {
    const char *old;
    bool old_seen;
    struct binlog_position found; /* the file behind old */
};

static enum err_code take_next_file(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct next_file *f = ctx;

    if (f->old_seen && f->found.file[0] == '\0') {
        return set_position(&f->found, row->columns[0], span_str("4"), e);
    }
    f->old_seen = f->old_seen || span_eq_str(row->columns[0], f->old);
    return ERR_OK;
}

/*
 * Without GTIDs: the position that the server tells may lie behind transactions that a read cannot
 * see yet. Opening a new file waits for all commits; whatever opens another one behind ours does no
 * harm, so the file that follows the old one is the mark.
 */
static enum err_code mark_by_new_file(struct mysql_conn *c, struct low_watermark *out,
                                      struct err *e)
{
    struct status before = {.position = {.offset = 0}};
    struct err mine = {0};
    enum err_code rc = read_status(c, &before, e);
    struct next_file next = {.old = before.position.file};

    buf_deinit(&before.gtids);
    buf_deinit(&before.filters);
    ERR_TRY(rc);
    rc = mysql_exec(c, &mine, "FLUSH BINARY LOGS");
    if (rc != ERR_OK) {
        if (mine.source_errno == ER_SPECIFIC_ACCESS_DENIED_ERROR) {
            return err_set(e, ERR_SOURCE,
                           "a copy needs a safe start: either switch GTIDs on (gtid_mode=ON, "
                           "enforce_gtid_consistency=ON), or GRANT RELOAD ON *.* TO the account");
        }
        if (e != NULL) {
            *e = mine;
        }
        return rc;
    }
    ERR_TRY(mysql_query_rows(c, "SHOW BINARY LOGS", take_next_file, &next, e));
    if (next.found.file[0] == '\0') {
        return err_set_retryable(e, ERR_SOURCE, "the source has no binlog file behind %s",
                                 next.old);
    }
    *out = (struct low_watermark){next.found, NULL};
    out->position.offset = FILE_START;
    return ERR_OK;
}

struct row_count {
    unsigned rows;
};

static enum err_code count_row(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct row_count *n = ctx;

    (void)row;
    (void)e;
    n->rows++;
    return ERR_OK;
}

enum err_code snapshot_prepared(struct mysql_conn *c, unsigned *count, bool *seen, struct err *e)
{
    struct row_count n = {0};
    struct err mine = {0};
    enum err_code rc = mysql_query_rows(c, "XA RECOVER", count_row, &n, &mine);

    *count = n.rows;
    *seen = rc == ERR_OK;
    if (rc == ERR_SOURCE && (mine.source_errno == ER_XAER_RMERR ||
                             mine.source_errno == ER_SPECIFIC_ACCESS_DENIED_ERROR)) {
        return ERR_OK;
    }
    if (rc != ERR_OK && e != NULL) {
        *e = mine;
    }
    return rc;
}

/*
 * What was prepared before the mark and commits after it is in neither: its rows lie before the
 * mark, and a read does not see them.
 */
static enum err_code refuse_prepared_xa(struct mysql_conn *c, struct err *e)
{
    unsigned count;
    bool seen;

    ERR_TRY(snapshot_prepared(c, &count, &seen, e));
    return count == 0 ? ERR_OK
                      : err_set_retryable(e, ERR_SOURCE,
                                          "prepared XA transactions are open (%u): a copy would "
                                          "miss them; commit or roll them back (XA RECOVER shows "
                                          "them)",
                                          count);
}

/*
 * Whether the read that was just opened holds the transactions of the mark and no others. With
 * GTIDs: a transaction that the read sees has its GTID by now, as executed or as owned by a commit
 * under way. Without: the mark is the start of a file, and what the read sees is in a file already.
 */
static enum err_code is_exact(struct mysql_conn *c, const struct low_watermark *mark, bool *out,
                              struct err *e)
{
    struct low_watermark now = {.gtids = NULL};
    char owned[OWNED_BYTES];

    *out = false;
    if (mark->gtids == NULL) {
        ERR_TRY(snapshot_current_position(c, &now, e));
        *out = strcmp(now.position.file, mark->position.file) == 0 &&
               now.position.offset < FIRST_TRANSACTION_MIN;
        return ERR_OK;
    }
    ERR_TRY(mysql_query_text(c, "SELECT @@GLOBAL.gtid_owned", owned, sizeof owned, e));
    if (owned[0] != '\0') {
        return ERR_OK;
    }
    ERR_TRY(snapshot_current_position(c, &now, e));
    *out = gtid_set_is_subset(now.gtids, mark->gtids);
    low_watermark_deinit(&now);
    return ERR_OK;
}

/* Whether one of the commits under way in `before` ("uuid:7#12:9#13,…") still is in `now`. */
static bool still_owned(const char *before, const char *now)
{
    char token[64];

    while (*before != '\0') {
        size_t len = strcspn(before, ":,\n ");

        if (len >= sizeof token) {
            return true;
        }
        if (memchr(before, '#', len) != NULL) {
            memcpy(token, before, len);
            token[len] = '\0';
            if (strstr(now, token) != NULL) {
                return true;
            }
        }
        before += len + (before[len] == '\0' ? 0 : 1);
    }
    return false;
}

/* Waits for the commits that are under way now. */
static enum err_code wait_for_owned(struct mysql_conn *c, struct err *e)
{
    char owned[OWNED_BYTES];
    char later[OWNED_BYTES];

    ERR_TRY(mysql_query_text(c, "SELECT @@GLOBAL.gtid_owned", owned, sizeof owned, e));
    memcpy(later, owned, sizeof later);
    for (unsigned i = 0; still_owned(owned, later); i++) {
        struct timespec pause = {.tv_nsec = OWNED_PAUSE_NS};

        if (i == OWNED_TRIES) {
            return err_set_retryable(
                e, ERR_SOURCE, "a commit on the source does not end (gtid_owned: %.80s)", owned);
        }
        (void)nanosleep(&pause, NULL);
        ERR_TRY(mysql_query_text(c, "SELECT @@GLOBAL.gtid_owned", later, sizeof later, e));
    }
    return ERR_OK;
}

/*
 * The position that the server tells is where the log ends, and the set is of what is committed: in
 * between lie commits under way. Once those are through, all up to the position is in the set.
 */
static enum err_code mark_by_gtids(struct mysql_conn *c, struct low_watermark *out, struct err *e)
{
    struct low_watermark end = {.gtids = NULL};
    struct low_watermark now = {.gtids = NULL};

    ERR_TRY(snapshot_current_position(c, &end, e));
    gtid_set_free(end.gtids);
    ERR_TRY(wait_for_owned(c, e));
    ERR_TRY(snapshot_current_position(c, &now, e));
    *out = (struct low_watermark){end.position, now.gtids};
    return ERR_OK;
}

static enum err_code begin_mysql_once(struct mysql_conn *c, struct low_watermark *out,
                                      struct err *e)
{
    ERR_TRY(mysql_conn_server(c)->gtid_enabled ? mark_by_gtids(c, out, e)
                                               : mark_by_new_file(c, out, e));
    ERR_TRY(refuse_prepared_xa(c, e));
    return mysql_exec(c, e, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
}

static enum err_code begin_mysql(struct mysql_conn *c, bool exact, struct low_watermark *out,
                                 struct err *e)
{
    /* A new file each time is not to be had often. */
    unsigned tries = mysql_conn_server(c)->gtid_enabled ? EXACT_TRIES : EXACT_TRIES_FILES;

    for (unsigned i = 0; i < tries; i++) {
        bool is_it = true;

        ERR_TRY(begin_mysql_once(c, out, e));
        if (exact) {
            ERR_TRY(is_exact(c, out, &is_it, e));
        }
        if (is_it) {
            return ERR_OK;
        }
        ERR_TRY(snapshot_end(c, e));
        low_watermark_deinit(out);
    }
    return err_set_retryable(e, ERR_SOURCE,
                             "the source commits all the time, and a table without a PRIMARY KEY "
                             "needs one moment without a commit: add a key, or copy at a quieter "
                             "time");
}

static enum err_code take_snapshot_status(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct binlog_position *at = ctx;
    struct span name = row->columns[0];
    struct span value = row->columns[1];

    if (span_ieq_str(name, "Binlog_snapshot_file") && value.len < sizeof at->file) {
        memcpy(at->file, value.data, value.len);
        at->file[value.len] = '\0';
    } else if (span_ieq_str(name, "Binlog_snapshot_position") && !str_to_u64(value, &at->offset)) {
        return err_set(e, ERR_SOURCE, "Binlog_snapshot_position is no number");
    }
    return ERR_OK;
}

static enum err_code begin_mariadb(struct mysql_conn *c, struct low_watermark *out, struct err *e)
{
    struct binlog_position at = {.offset = 0};

    /* On both sides of the snapshot's moment, for there is no order between the two. */
    ERR_TRY(refuse_prepared_xa(c, e));
    ERR_TRY(mysql_exec(c, e, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"));
    ERR_TRY(refuse_prepared_xa(c, e));
    ERR_TRY(
        mysql_query_rows(c, "SHOW STATUS LIKE 'Binlog_snapshot_%'", take_snapshot_status, &at, e));
    if (at.file[0] == '\0') {
        return err_set(e, ERR_SOURCE,
                       "the source tells no Binlog_snapshot_file: is its binlog on?");
    }
    out->position = at;
    return read_mariadb_gtids(c, &at, &out->gtids, e);
}

enum err_code snapshot_begin(struct mysql_conn *c, bool exact, struct low_watermark *out,
                             struct err *e)
{
    struct low_watermark mark = {.gtids = NULL};

    if (!mysql_conn_server(c)->log_bin) {
        return err_set(e, ERR_SOURCE,
                       "the source writes no binlog (log_bin is OFF): start it with --log-bin");
    }
    enum err_code rc = mysql_conn_server(c)->is_mariadb ? begin_mariadb(c, &mark, e)
                                                        : begin_mysql(c, exact, &mark, e);

    if (rc != ERR_OK) {
        low_watermark_deinit(&mark);
        err_wrap(e, "starting a copy");
        if (snapshot_end(c, NULL) != ERR_OK) {
            /* The connection is broken: the first failure says more. */
        }
        return rc;
    }
    *out = mark;
    return ERR_OK;
}

/* A statement of a table's name between two texts. */
static enum err_code exec_of_table(struct mysql_conn *c, const char *head, const char *schema,
                                   const char *table, const char *tail, struct err *e)
{
    struct buf sql = {0};

    buf_append_str(&sql, head);
    mysql_quote_name(&sql, schema);
    buf_u8(&sql, '.');
    mysql_quote_name(&sql, table);
    buf_append_str(&sql, tail);
    const char *text = buf_cstr(&sql);
    enum err_code rc =
        text == NULL ? buf_check(&sql, e, "a statement") : mysql_exec(c, e, "%s", text);

    buf_deinit(&sql);
    return rc;
}

enum err_code snapshot_hold_table(struct mysql_conn *c, const char *schema, const char *table,
                                  struct err *e)
{
    /* Of the table it reads nothing, but the transaction has its metadata lock then. */
    return exec_of_table(c, "SELECT 1 FROM ", schema, table, " LIMIT 0", e);
}

enum err_code snapshot_begin_locked(struct mysql_conn *c, const char *schema, const char *table,
                                    struct low_watermark *out, struct err *e)
{
    enum err_code rc = exec_of_table(c, "LOCK TABLES ", schema, table, " READ", e);

    /* A write holds its lock until it is in the log, so with ours the end of the log is exact. */
    if (rc == ERR_OK) {
        rc = snapshot_current_position(c, out, e);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "starting a copy of a table that has neither a PRIMARY KEY nor an engine with "
                    "transactions, which needs LOCK TABLES (or add a key, or use InnoDB)");
    }
    return rc;
}

enum err_code snapshot_end(struct mysql_conn *c, struct err *e)
{
    return mysql_exec(c, e, "COMMIT");
}
