/*
 * value_text.h - values of a text-protocol SELECT, into the same struct value that rows events
 * give.
 *
 * Every column is selected by value_text_select_expr() in a session with time_zone '+00:00' and a
 * sql_mode without PAD_CHAR_TO_FULL_LENGTH; its text is UTF-8 when it gets here.
 *
 * Owns:   nothing. A value points into the text that was passed, or into scratch where the text had
 * to be rewritten (JSON). scratch must not move while values of one row are in use: before the
 * first value of a row, reset it and reserve value_text_scratch_bytes() of the row's whole text,
 * once. A value that finds no room for itself is ERR_LIMIT, never a moved buffer. Thread: any.
 */
#ifndef CALVE_MYSQL_VALUE_TEXT_H
#define CALVE_MYSQL_VALUE_TEXT_H

#include "base/buf.h"
#include "model/table_def.h"
#include "model/value.h"

/* Scratch that the values of a row can need, when all its texts together have row_text_bytes; never
 * 0. */
static inline size_t value_text_scratch_bytes(size_t row_text_bytes)
{
    return row_text_bytes + 1;
}

/*
 * text.data is NULL for SQL NULL (an empty text has data).
 *
 * Errors: ERR_CORRUPT  not a text that the column's type can have; the message names the column
 *         ERR_LIMIT    scratch was not reserved as above
 */
MUST_USE enum err_code value_from_text(const struct column_def *column, struct span text,
                                       struct buf *scratch, struct value *out, struct err *e);

/*
 * Appends the expression to select the column by: its quoted name; FLOAT and DOUBLE as a product
 * with 1E0, which prints all digits of a double (a bare FLOAT column prints six); SET as its
 * number, since its text does not tell an empty member from none.
 */
void value_text_select_expr(const struct column_def *column, struct buf *out);

#endif
