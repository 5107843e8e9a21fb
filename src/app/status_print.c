/*
 * status_print.c - a status report as a table and as JSON.
 */
#include <stdlib.h>

#include "app/inspect_int.h"
#include "app/output.h"
#include "app/status_int.h"
#include "codec/json_writer.h"

#define GTID_COLUMNS  32u
#define UUID_TEXT_LEN 36u
#define UUID_SHOWN    8u

const char *status_state_name(enum status_state state)
{
    switch (state) {
    case STATUS_NEVER_COPIED:
        return "never copied";
    case STATUS_DROPPED:
        return "dropped";
    case STATUS_NO_POSITION:
        return "no position";
    case STATUS_COPIED:
        return "copied";
    case STATUS_FOLLOWING:
        return "following";
    case STATUS_GONE:
        return "gone";
    case STATUS_UNREADABLE:
        return "unreadable";
    } /* no default: a new state breaks the build here */
    abort();
}

static bool is_uuid(const char *text)
{
    return strspn(text, "0123456789abcdefABCDEF-") >= UUID_TEXT_LEN && text[8] == '-' &&
           text[UUID_TEXT_LEN] == ':';
}

void status_put_short_gtids(const char *gtids, size_t columns, struct buf *out)
{
    size_t shown = 0;

    for (const char *p = gtids; *p != '\0'; p++) {
        bool starts = p == gtids || p[-1] == ',' || p[-1] == '\n' || p[-1] == ' ';

        if (*p == '\n') {
            continue;
        }
        if (shown + 1 >= columns && p[1] != '\0') {
            buf_append_str(out, "…");
            return;
        }
        if (starts && is_uuid(p) && shown + UUID_SHOWN + 1 < columns) {
            buf_append(out, p, UUID_SHOWN);
            buf_append_str(out, "…");
            shown += UUID_SHOWN + 1;
            p += UUID_TEXT_LEN - 1;
            continue;
        }
        buf_u8(out, (uint8_t)*p);
        shown++;
    }
}

int64_t status_lag_s(const struct status_report *r, const struct status_table *t)
{
    int64_t lag_us = r->now_us - t->cut_us;

    return t->cut_us == 0 ? -1 : lag_us < 0 ? 0 : lag_us / 1000000;
}

/* ---- text ---- */

static void add_number(struct output_table *table, bool known, uint64_t v)
{
    char digits[24];

    digits[str_put_u64(digits, v)] = '\0';
    output_table_add(table, known ? digits : "-");
}

static void add_cell(struct output_table *table, struct buf *cell)
{
    output_table_add(table, cell->len == 0 ? "-" : buf_cstr(cell));
    buf_reset(cell);
}

static void add_table(const struct status_report *r, const struct status_table *t,
                      struct output_table *table)
{
    struct buf cell = {0};
    int64_t lag = status_lag_s(r, t);
    bool uncopied = t->state == STATUS_FOLLOWING && !t->copied;

    buf_printf(&cell, "%s.%s", t->schema, t->name);
    add_cell(table, &cell);
    buf_printf(&cell, "%s%s", status_state_name(t->state), uncopied ? ", no copy" : "");
    add_cell(table, &cell);
    add_number(table, lag >= 0, (uint64_t)lag);
    add_number(table, t->lag_bytes >= 0, (uint64_t)t->lag_bytes);
    add_number(table, t->has_rows, t->rows);
    add_number(table, t->committed_ms != 0, t->snapshots);
    if (t->committed_ms != 0) {
        output_put_time_ms(&cell, t->committed_ms);
    }
    add_cell(table, &cell);
    if (t->position.file[0] != '\0') {
        inspect_put_plain(&cell, t->position.file);
        buf_printf(&cell, ":%llu", (unsigned long long)t->position.offset);
    }
    add_cell(table, &cell);
    if (t->gtids != NULL) {
        status_put_short_gtids(t->gtids, GTID_COLUMNS, &cell);
    }
    add_cell(table, &cell);
    buf_deinit(&cell);
}

enum err_code status_put_text(const struct status_report *r, struct buf *out, struct err *e)
{
    static const char *const headers[] = {"TABLE",     "STATE",     "LAG s",
                                          "LAG bytes", "ROWS",      "SNAPSHOTS",
                                          "COMMITTED", "WATERMARK", "GTIDS"};
    struct output_table table = {.headers = headers,
                                 .column_count = sizeof headers / sizeof headers[0]};

    if (r->names.count == 0) {
        buf_append_str(out, "no tables of connection ");
        inspect_put_plain(out, r->config->connection_name);
        buf_printf(out, " (server id %llu)\n", (unsigned long long)r->config->mysql.server_id);
        return ERR_OK;
    }
    for (uint32_t i = 0; i < r->names.count; i++) {
        add_table(r, &r->tables[i], &table);
    }
    enum err_code rc = output_table_print(&table, out, e);

    output_table_deinit(&table);
    for (uint32_t i = 0; i < r->names.count; i++) {
        const char *danger = status_danger(r, &r->tables[i]);

        if (danger != NULL) {
            buf_printf(out, "warning: %s.%s: %s\n", r->tables[i].schema, r->tables[i].name, danger);
        }
    }
    return rc;
}

/* ---- JSON ---- */

static void put_key(struct buf *out, const char *key)
{
    buf_printf(out, ",\"%s\":", key);
}

static void put_text_or_null(struct buf *out, const char *key, const char *text)
{
    put_key(out, key);
    if (text == NULL || text[0] == '\0') {
        buf_append_str(out, "null");
    } else {
        json_put_string(out, span_str(text));
    }
}

static void put_number_or_null(struct buf *out, const char *key, bool known, uint64_t v)
{
    put_key(out, key);
    if (known) {
        json_put_u64(out, v);
    } else {
        buf_append_str(out, "null");
    }
}

static void put_position_or_null(struct buf *out, const char *key, const char *file,
                                 uint64_t offset)
{
    put_key(out, key);
    if (file[0] == '\0') {
        buf_append_str(out, "null");
        return;
    }
    buf_append_str(out, "{\"file\":");
    json_put_string(out, span_str(file));
    buf_printf(out, ",\"pos\":%llu}", (unsigned long long)offset);
}

static void put_time_or_null(struct buf *out, const char *key, int64_t ms)
{
    put_key(out, key);
    if (ms == 0) {
        buf_append_str(out, "null");
        return;
    }
    buf_u8(out, '"');
    output_put_time_ms(out, ms);
    buf_u8(out, '"');
}

static void put_table_json(const struct status_report *r, const struct status_table *t,
                           struct buf *out)
{
    int64_t lag = status_lag_s(r, t);

    buf_append_str(out, "{\"schema\":");
    json_put_string(out, span_str(t->schema));
    put_text_or_null(out, "table", t->name);
    put_text_or_null(out, "state", status_state_name(t->state));
    buf_printf(out, ",\"copied\":%s", t->copied ? "true" : "false");
    put_number_or_null(out, "lag_s", lag >= 0, (uint64_t)lag);
    put_number_or_null(out, "lag_bytes", t->lag_bytes >= 0, (uint64_t)t->lag_bytes);
    put_number_or_null(out, "rows", t->has_rows, t->rows);
    put_number_or_null(out, "snapshots", t->committed_ms != 0, t->snapshots);
    put_time_or_null(out, "committed", t->committed_ms);
    put_time_or_null(out, "cut", t->cut_us / 1000);
    put_position_or_null(out, "watermark", t->position.file, t->position.offset);
    put_text_or_null(out, "gtids", t->gtids);
    put_text_or_null(out, "source", t->source);
    put_text_or_null(out, "danger", status_danger(r, t));
    put_text_or_null(out, "error", t->problem);
    buf_u8(out, '}');
}

static void put_source_json(const struct status_source *s, struct buf *out)
{
    const struct status_log *last = s->log_count == 0 ? NULL : &s->logs[s->log_count - 1];

    buf_printf(out, "\"source\":{\"configured\":%s,\"reachable\":%s",
               s->configured ? "true" : "false", s->reachable ? "true" : "false");
    put_text_or_null(out, "identity", s->identity);
    put_position_or_null(out, "position", last == NULL ? "" : last->file,
                         last == NULL ? 0 : last->bytes);
    put_text_or_null(out, "error", s->problem.code == ERR_OK ? NULL : s->problem.msg);
    buf_u8(out, '}');
}

void status_put_json(const struct status_report *r, struct buf *out)
{
    buf_append_str(out, "{\"connection\":");
    json_put_string(out, span_str(r->config->connection_name));
    buf_printf(out, ",\"server_id\":%llu,", (unsigned long long)r->config->mysql.server_id);
    put_source_json(&r->source, out);
    buf_append_str(out, ",\"tables\":[");
    for (uint32_t i = 0; i < r->names.count; i++) {
        buf_append_str(out, i == 0 ? "" : ",");
        put_table_json(r, &r->tables[i], out);
    }
    buf_append_str(out, "]}\n");
}
