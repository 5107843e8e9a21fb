#include "app/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/str.h"

enum err_code output_flush(struct buf *out, struct err *e)
{
    ERR_TRY(buf_check(out, e, "the output"));
    if ((out->len > 0 && fwrite(out->data, 1, out->len, stdout) != out->len) ||
        fflush(stdout) != 0) {
        return err_set_os(e, ERR_IO, errno, "writing to stdout");
    }
    buf_reset(out);
    return ERR_OK;
}

void output_put_time_ms(struct buf *out, int64_t ms)
{
    int64_t rest = ms % 1000;
    time_t seconds = (time_t)(ms / 1000 - (rest < 0 ? 1 : 0));
    struct tm tm;
    char text[32];

    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        buf_append_str(out, "?");
        return;
    }
    buf_printf(out, "%s.%03dZ", text, (int)(rest < 0 ? rest + 1000 : rest));
}

void output_put_time(struct buf *out, int64_t us)
{
    output_put_time_ms(out, us / 1000 - (us % 1000 < 0 ? 1 : 0));
}

void output_table_add(struct output_table *t, const char *text)
{
    if (t->cell_count == t->capacity) {
        uint32_t capacity = t->capacity == 0 ? 64 : 2 * t->capacity;
        char **cells =
            capacity <= t->capacity ? NULL : realloc(t->cells, capacity * sizeof *t->cells);

        if (cells == NULL) {
            t->failed = ERR_NOMEM;
            return;
        }
        t->cells = cells;
        t->capacity = capacity;
    }
    char *copy = str_dup(text == NULL ? "" : text);

    if (copy == NULL) {
        t->failed = ERR_NOMEM;
        return;
    }
    t->cells[t->cell_count++] = copy;
}

/* Columns on a terminal: UTF-8 continuation bytes take none. */
static size_t text_columns(const char *text)
{
    size_t count = 0;

    for (const char *p = text; *p != '\0'; p++) {
        count += ((unsigned char)*p & 0xc0u) == 0x80u ? 0 : 1;
    }
    return count;
}

static size_t column_width(const struct output_table *t, uint32_t column)
{
    size_t width = text_columns(t->headers[column]);

    for (uint32_t i = column; i < t->cell_count; i += t->column_count) {
        size_t columns = text_columns(t->cells[i]);

        width = columns > width ? columns : width;
    }
    return width;
}

static void put_row(const char *const *cells, const size_t *widths, uint32_t count, struct buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_append_str(out, cells[i]);
        for (size_t at = text_columns(cells[i]); i + 1 < count && at < widths[i] + 2; at++) {
            buf_u8(out, ' ');
        }
    }
    buf_u8(out, '\n');
}

enum err_code output_table_print(const struct output_table *t, struct buf *out, struct err *e)
{
    size_t *widths = calloc(t->column_count, sizeof *widths);

    if (widths == NULL || t->failed != ERR_OK) {
        free(widths);
        return err_nomem(e);
    }
    for (uint32_t i = 0; i < t->column_count; i++) {
        widths[i] = column_width(t, i);
    }
    put_row(t->headers, widths, t->column_count, out);
    for (uint32_t i = 0; i + t->column_count <= t->cell_count; i += t->column_count) {
        put_row((const char *const *)&t->cells[i], widths, t->column_count, out);
    }
    free(widths);
    return ERR_OK;
}

void output_table_deinit(struct output_table *t)
{
    for (uint32_t i = 0; i < t->cell_count; i++) {
        free(t->cells[i]);
    }
    free(t->cells);
    *t = (struct output_table){0};
}
