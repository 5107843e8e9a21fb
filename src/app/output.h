/*
 * output.h - a command's result on its way to stdout.
 *
 * Thread: main.
 */
#ifndef CALVE_APP_OUTPUT_H
#define CALVE_APP_OUTPUT_H

#include "base/buf.h"

/* Writes the buffer to stdout and empties it. Errors: what made the buffer fail; ERR_IO. */
MUST_USE enum err_code output_flush(struct buf *out, struct err *e);

/* Appends microseconds since the epoch as "2026-01-02T03:04:05.678Z". */
void output_put_time(struct buf *out, int64_t us);

/* The same from milliseconds; "?" for a time that no calendar has. */
void output_put_time_ms(struct buf *out, int64_t ms);

/* Rows of texts with aligned columns, the header first. Texts are copied. */
struct output_table {
    const char *const *headers;
    uint32_t column_count;
    char **cells; /* row by row */
    uint32_t cell_count;
    uint32_t capacity;
    enum err_code failed;
};

/* The next cell; NULL text is empty. */
void output_table_add(struct output_table *t, const char *text);

/* Appends the table; columns are two spaces apart. Errors: ERR_NOMEM. */
MUST_USE enum err_code output_table_print(const struct output_table *t, struct buf *out,
                                          struct err *e);
void output_table_deinit(struct output_table *t);

#endif
