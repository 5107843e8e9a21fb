/* Statements and their results. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "mysql/conn_int.h"

#define SQL_SHOWN 120u

enum err_code mysql_conn_send(struct mysql_conn *c, struct span sql, struct err *e)
{
    char doing[SQL_SHOWN + 4];

    if (mysql_real_query(c->mysql, (const char *)sql.data, (unsigned long)sql.len) == 0) {
        return ERR_OK;
    }
    (void)snprintf(doing, sizeof doing, "%.*s%s", (int)(sql.len > SQL_SHOWN ? SQL_SHOWN : sql.len),
                   (const char *)sql.data, sql.len > SQL_SHOWN ? "..." : "");
    return mysql_conn_error(c, doing, e);
}

static enum err_code ignore_row(void *ctx, const struct mysql_row *row, struct err *e)
{
    (void)ctx;
    (void)row;
    (void)e;
    return ERR_OK;
}

enum err_code mysql_exec(struct mysql_conn *c, struct err *e, const char *fmt, ...)
{
    char sql[1024];
    char *longer = NULL;
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(sql, sizeof sql, fmt, args);

    va_end(args);
    if (len < 0) {
        return err_set(e, ERR_LIMIT, "an SQL statement cannot be formatted");
    }
    if ((size_t)len >= sizeof sql) {
        longer = malloc((size_t)len + 1);
        if (longer == NULL) {
            return err_nomem(e);
        }
        va_start(args, fmt);
        (void)vsnprintf(longer, (size_t)len + 1, fmt, args);
        va_end(args);
    }
    enum err_code rc = mysql_query_rows(c, longer != NULL ? longer : sql, ignore_row, NULL, e);

    free(longer);
    return rc;
}

static enum err_code read_rows(struct mysql_conn *c, MYSQL_RES *result, struct span *columns,
                               enum err_code (*each)(void *ctx, const struct mysql_row *row,
                                                     struct err *e),
                               void *ctx, struct err *e)
{
    unsigned count = mysql_num_fields(result);
    MYSQL_ROW row;

    while ((row = mysql_fetch_row(result)) != NULL) {
        const unsigned long *lengths = mysql_fetch_lengths(result);

        for (unsigned i = 0; i < count; i++) {
            columns[i] = row[i] == NULL ? (struct span){NULL, 0} : span_of(row[i], lengths[i]);
        }
        ERR_TRY(each(ctx, &(struct mysql_row){count, columns}, e));
    }
    return mysql_errno(c->mysql) == 0 ? ERR_OK : mysql_conn_error(c, "reading a result", e);
}

enum err_code mysql_query_rows(struct mysql_conn *c, const char *sql,
                               enum err_code (*each)(void *ctx, const struct mysql_row *row,
                                                     struct err *e),
                               void *ctx, struct err *e)
{
    ERR_TRY(mysql_conn_send(c, span_str(sql), e));
    MYSQL_RES *result = mysql_use_result(c->mysql);

    if (result == NULL) {
        return mysql_errno(c->mysql) == 0 ? ERR_OK : mysql_conn_error(c, "reading a result", e);
    }
    struct span *columns = calloc(mysql_num_fields(result), sizeof *columns);
    enum err_code rc = columns == NULL ? err_nomem(e) : read_rows(c, result, columns, each, ctx, e);

    free(columns);
    mysql_free_result(result);
    return rc;
}

struct first_text {
    char *out;
    size_t out_bytes;
    bool seen;
};

static enum err_code take_first(void *ctx, const struct mysql_row *row, struct err *e)
{
    struct first_text *f = ctx;

    if (f->seen || row->columns[0].data == NULL) {
        return ERR_OK;
    }
    f->seen = true;
    if (row->columns[0].len >= f->out_bytes) {
        return err_set(e, ERR_LIMIT, "a value of %zu bytes, where at most %zu were expected",
                       row->columns[0].len, f->out_bytes - 1);
    }
    memcpy(f->out, row->columns[0].data, row->columns[0].len);
    f->out[row->columns[0].len] = '\0';
    return ERR_OK;
}

enum err_code mysql_query_text(struct mysql_conn *c, const char *sql, char *out, size_t out_bytes,
                               struct err *e)
{
    struct first_text f = {out, out_bytes, false};

    out[0] = '\0';
    return mysql_query_rows(c, sql, take_first, &f, e);
}

void mysql_quote_name(struct buf *out, const char *name)
{
    buf_u8(out, '`');
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '`') {
            buf_u8(out, '`');
        }
        buf_u8(out, (uint8_t)*p);
    }
    buf_u8(out, '`');
}

/* sql_mode is empty on our connections, so a backslash escapes. */
void mysql_quote_text(struct buf *out, const char *text)
{
    buf_u8(out, '\'');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\'' || *p == '\\') {
            buf_u8(out, (uint8_t)*p);
        }
        buf_u8(out, (uint8_t)*p);
    }
    buf_u8(out, '\'');
}
