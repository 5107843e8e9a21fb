/* The rows of a table, from an unbuffered SELECT. */
#include <stdlib.h>

#include "base/buf.h"
#include "mysql/charset.h"
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
    /*
     * Texts come in their columns' charsets and are converted here, as those of the binlog are: the
     * server's own conversion puts a question mark for what it cannot convert, and says nothing.
     */
    const struct charset **charsets; /* of each column; NULL: it comes as UTF-8 or has no charset */
    struct charset_converter converter;
    struct buf text;
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

static bool is_text(enum column_type type)
{
    return type == COLUMN_TYPE_CHAR || type == COLUMN_TYPE_VARCHAR || type == COLUMN_TYPE_TEXT ||
           type == COLUMN_TYPE_ENUM;
}

static enum err_code find_charsets(struct snapshot_reader *r, struct err *e)
{
    for (uint32_t i = 0; i < r->def->column_count; i++) {
        const struct column_def *column = &r->def->columns[i];

        if (!is_text(column->type) || column->charset == NULL) {
            continue;
        }
        const struct charset *cs = charset_find(column->charset);

        if (cs == NULL) {
            return err_set(e, ERR_UNSUPPORTED, "column '%s' has the unknown charset %s",
                           column->name, column->charset);
        }
        if (!charset_is_utf8mb(cs)) {
            ERR_TRY(charset_check(cs, &r->converter, e));
            r->charsets[i] = cs;
        }
    }
    return ERR_OK;
}

static enum err_code start(struct snapshot_reader *r, struct err *e)
{
    r->values = calloc(r->def->column_count, sizeof *r->values);
    r->charsets = calloc(r->def->column_count, sizeof(*r->charsets));
    if (r->values == NULL || r->charsets == NULL) {
        return err_nomem(e);
    }
    ERR_TRY(find_charsets(r, e));
    ERR_TRY(mysql_exec(r->conn, e, "SET SESSION character_set_results = NULL"));
    ERR_TRY(send_select(r->conn, r->def, e));
    r->result = mysql_use_result(r->conn->mysql);
    if (r->result == NULL) {
        return mysql_conn_error(r->conn, "reading its rows", e);
    }
    r->done = false;
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
    r->done = true; /* nothing is on its way yet */
    charset_converter_init(&r->converter);
    enum err_code rc = start(r, e);

    if (rc != ERR_OK) {
        err_wrap(e, "copying %s.%s", def->schema, def->name);
        snapshot_reader_close(r);
        return rc;
    }
    *out = r;
    return ERR_OK;
}

/* A column's bytes as UTF-8, which live as long as the row. */
static enum err_code to_utf8(struct snapshot_reader *r, uint32_t i, struct span *text,
                             struct err *e)
{
    size_t start = r->text.len;

    if (r->charsets[i] == NULL || text->data == NULL) {
        return ERR_OK;
    }
    enum err_code rc = charset_to_utf8(r->charsets[i], &r->converter, *text, &r->text, e);

    if (rc != ERR_OK) {
        err_wrap(e, "column '%s'", r->def->columns[i].name);
        return rc;
    }
    *text = span_of(r->text.data + start, r->text.len - start);
    return ERR_OK;
}

static enum err_code convert_row(struct snapshot_reader *r, MYSQL_ROW row, struct err *e)
{
    const unsigned long *lengths = mysql_fetch_lengths(r->result);
    size_t bytes = 0;
    size_t foreign_bytes = 0;

    for (uint32_t i = 0; i < r->def->column_count; i++) {
        bytes += lengths[i];
        foreign_bytes += r->charsets[i] == NULL ? 0 : lengths[i];
    }
    buf_reset(&r->scratch);
    buf_reset(&r->text);
    /* Neither may move while the row's values point into it. */
    if (buf_reserve(&r->scratch, value_text_scratch_bytes(bytes)) == NULL) {
        return buf_check(&r->scratch, e, "a row");
    }
    if (buf_reserve(&r->text, charset_utf8_bytes_max(foreign_bytes) + 1) == NULL) {
        return buf_check(&r->text, e, "a row");
    }
    for (uint32_t i = 0; i < r->def->column_count; i++) {
        struct span text = row[i] == NULL ? (struct span){NULL, 0} : span_of(row[i], lengths[i]);

        ERR_TRY(to_utf8(r, i, &text, e));
        ERR_TRY(value_from_text(&r->def->columns[i], text, &r->scratch, &r->values[i], e));
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
    free(r->charsets);
    charset_converter_deinit(&r->converter);
    buf_deinit(&r->text);
    buf_deinit(&r->scratch);
    free(r);
}
