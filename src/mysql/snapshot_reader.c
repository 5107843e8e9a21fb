/* The rows of a table, from an unbuffered SELECT. */
#include <stdlib.h>

#include "base/buf.h"
#include "mysql/conn_int.h"
#include "mysql/snapshot.h"
#include "mysql/value_text.h"

struct snapshot_reader {
    struct mysql_conn *conn;
    const struct table_def *def;
    MYSQL_RES *result;
    bool done; /* the server has sent everything */
    uint64_t rows;
    struct value *values;
    struct buf scratch; /* bytes of values that are not as the server sent them */
};

static enum err_code send_select(struct mysql_conn *c, const struct table_def *def, struct err *e)
{
    struct buf sql = {0};

    buf_append_str(&sql, "SELECT ");
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (i > 0) {
            buf_append_str(&sql, ", ");
        }
        value_text_select_expr(&def->columns[i], &sql);
    }
    buf_append_str(&sql, " FROM ");
    mysql_quote_name(&sql, def->schema);
    buf_u8(&sql, '.');
    mysql_quote_name(&sql, def->name);
    enum err_code rc = buf_check(&sql, e, "a query");

    if (rc == ERR_OK) {
        rc = mysql_conn_send(c, buf_span(&sql), e);
    }
    buf_deinit(&sql);
    return rc;
}

static enum err_code start(struct snapshot_reader *r, struct err *e)
{
    r->values = calloc(r->def->column_count, sizeof *r->values);
    if (r->values == NULL) {
        return err_nomem(e);
    }
    ERR_TRY(send_select(r->conn, r->def, e));
    r->result = mysql_use_result(r->conn->mysql);
    if (r->result == NULL) {
        return mysql_conn_error(r->conn, "reading its rows", e);
    }
    if (mysql_num_fields(r->result) != r->def->column_count) {
        return err_set(e, ERR_CORRUPT, "%u columns were selected and %u came", r->def->column_count,
                       mysql_num_fields(r->result));
    }
    return ERR_OK;
}

enum err_code snapshot_reader_open(struct mysql_conn *c, const struct table_def *def,
                                   struct snapshot_reader **out, struct err *e)
{
    struct snapshot_reader *r = calloc(1, sizeof *r);

    if (r == NULL) {
        return err_nomem(e);
    }
    r->conn = c;
    r->def = def;
    enum err_code rc = start(r, e);

    if (rc != ERR_OK) {
        err_wrap(e, "copying %s.%s", def->schema, def->name);
        r->done = r->result == NULL;
        snapshot_reader_close(r);
        return rc;
    }
    *out = r;
    return ERR_OK;
}

static enum err_code convert_row(struct snapshot_reader *r, MYSQL_ROW row, struct err *e)
{
    const unsigned long *lengths = mysql_fetch_lengths(r->result);
    size_t bytes = 0;

    for (uint32_t i = 0; i < r->def->column_count; i++) {
        bytes += lengths[i];
    }
    buf_reset(&r->scratch);
    if (buf_reserve(&r->scratch, value_text_scratch_bytes(bytes)) == NULL) {
        return buf_check(&r->scratch, e, "a row");
    }
    for (uint32_t i = 0; i < r->def->column_count; i++) {
        ERR_TRY(
            value_from_text(&r->def->columns[i],
                            row[i] == NULL ? (struct span){NULL, 0} : span_of(row[i], lengths[i]),
                            &r->scratch, &r->values[i], e));
    }
    return ERR_OK;
}

enum err_code snapshot_reader_next(struct snapshot_reader *r, const struct value **values,
                                   struct err *e)
{
    MYSQL_ROW row = r->done ? NULL : mysql_fetch_row(r->result);
    enum err_code rc;

    if (row != NULL) {
        rc = convert_row(r, row, e);
        r->rows++;
    } else if (!r->done && mysql_errno(r->conn->mysql) != 0) {
        rc = mysql_conn_error(r->conn, "reading its rows", e);
    } else {
        r->done = true;
        return err_set(e, ERR_NOT_FOUND, "end of %s.%s", r->def->schema, r->def->name);
    }
    if (rc != ERR_OK) {
        err_wrap(e, "copying %s.%s, row %llu", r->def->schema, r->def->name,
                 (unsigned long long)r->rows);
        return rc;
    }
    *values = r->values;
    return ERR_OK;
}

void snapshot_reader_close(struct snapshot_reader *r)
{
    if (r == NULL) {
        return;
    }
    if (!r->done) {
        /* The library would read the rest of the table first. The connection is of no use after
         * this. */
        mysql_conn_interrupt(r->conn);
    }
    if (r->result != NULL) {
        mysql_free_result(r->result);
    }
    free(r->values);
    buf_deinit(&r->scratch);
    free(r);
}
