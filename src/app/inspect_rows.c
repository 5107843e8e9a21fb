/*
 * inspect_rows.c - the rows of a binlog file, by nothing but the table maps in it.
 */
#include <stdlib.h>

#include "app/inspect_int.h"
#include "codec/json_writer.h"
#include "mysql/row_image.h"
#include "mysql/wire_type.h"
#include "pipeline/row_sink.h"

#define TABLES_MAX 256u

struct known_table {
    uint64_t id;
    struct span body;   /* of the map */
    struct arena arena; /* map, definition, names */
    const char *full_name;
    bool *unlogged;        /* by column: bytes, or text whose charset is not in the map */
    bool old_times;        /* has types that are longer with a fraction, which is not in the map */
    struct row_plan *plan; /* NULL: its rows cannot be decoded, because of `why` */
    struct json_sink *sink;
    struct err why;
};

struct inspect_rows {
    struct known_table *tables[TABLES_MAX]; /* by id modulo TABLES_MAX */
    struct row_reader reader;
};

static void known_table_free(struct known_table *t)
{
    if (t != NULL) {
        json_sink_free(t->sink);
        row_plan_free(t->plan);
        arena_deinit(&t->arena);
        free(t);
    }
}

struct inspect_rows *inspect_rows_new(void)
{
    struct inspect_rows *r = calloc(1, sizeof *r);

    if (r != NULL) {
        row_reader_init(&r->reader);
    }
    return r;
}

void inspect_rows_free(struct inspect_rows *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < TABLES_MAX; i++) {
        known_table_free(r->tables[i]);
    }
    row_reader_deinit(&r->reader);
    free(r);
}

static enum err_code fill_table(struct known_table *t, struct span body, struct err *e)
{
    struct table_map map;
    struct table_def *def = NULL;
    struct buf name = {0};

    arena_init(&t->arena, 0);
    ERR_TRY(table_map_parse(body, &t->arena, &map, e));
    t->id = map.table_id;
    t->body = span_of(arena_strndup(&t->arena, body.data, body.len), body.len);
    buf_append_span(&name, map.schema);
    buf_u8(&name, '.');
    buf_append_span(&name, map.name);
    t->full_name = arena_strndup(&t->arena, name.data, name.len);
    buf_deinit(&name);
    t->unlogged = arena_alloc(&t->arena, map.column_count, sizeof *t->unlogged);
    if (t->body.data == NULL || t->full_name == NULL || t->unlogged == NULL) {
        return arena_fail(&t->arena, e, "a table map");
    }
    for (uint32_t i = 0; i < map.column_count; i++) {
        uint8_t type = map.columns[i].type;

        t->old_times |= type == WIRE_TIME || type == WIRE_DATETIME || type == WIRE_TIMESTAMP;
        t->unlogged[i] = map.columns[i].collation == 0 && map.columns[i].type != WIRE_VECTOR;
    }
    /* A table that cannot be decoded does not keep the others from being shown. */
    if (inspect_guess_def(&map, &t->arena, &def, &t->why) != ERR_OK ||
        row_plan_new(&map, def, &t->plan, &t->why) != ERR_OK) {
        return t->why.code == ERR_NOMEM ? err_nomem(e) : ERR_OK;
    }
    t->sink = json_sink_new(row_plan_def(t->plan));
    return t->sink == NULL ? err_nomem(e) : ERR_OK;
}

/* Servers log a map before each statement; most are as the one before. */
static bool is_known(const struct inspect_rows *r, const struct binlog_event *ev)
{
    struct span schema;
    struct span name;
    uint64_t id;

    if (table_map_peek(ev->body, &id, &schema, &name, NULL) != ERR_OK) {
        return false;
    }
    const struct known_table *t = r->tables[id % TABLES_MAX];

    return t != NULL && span_eq(t->body, ev->body);
}

enum err_code inspect_rows_map(struct inspect_rows *r, const struct binlog_event *ev, struct err *e)
{
    if (is_known(r, ev)) {
        return ERR_OK;
    }
    struct known_table *t = calloc(1, sizeof *t);

    if (t == NULL) {
        return err_nomem(e);
    }
    enum err_code rc = fill_table(t, ev->body, e);

    if (rc != ERR_OK) {
        known_table_free(t);
        return rc;
    }
    known_table_free(r->tables[t->id % TABLES_MAX]);
    r->tables[t->id % TABLES_MAX] = t;
    return ERR_OK;
}

static const struct known_table *table_of(const struct inspect_rows *r,
                                          const struct binlog_event *ev)
{
    uint64_t id;
    bool ends_statement;

    if (rows_event_table_id(ev->header.type, ev->body, &id, &ends_statement, NULL) != ERR_OK) {
        return NULL;
    }
    const struct known_table *t = r->tables[id % TABLES_MAX];

    return t != NULL && t->id == id ? t : NULL;
}

const char *inspect_rows_table(const struct inspect_rows *r, const struct binlog_event *ev)
{
    const struct known_table *t = table_of(r, ev);

    return t == NULL ? NULL : t->full_name;
}

/* Bytes whose charset was not logged are shown as text where they are text. */
static void show_texts(const struct known_table *t, struct value *values)
{
    const struct table_def *def = row_plan_def(t->plan);

    for (uint32_t i = 0; i < def->column_count; i++) {
        if (values[i].kind == VALUE_BYTES && t->unlogged[i] && str_is_utf8(values[i].u.bytes)) {
            values[i].kind = VALUE_TEXT;
        }
    }
}

static const char *change_name(enum row_change change)
{
    switch (change) {
    case ROW_INSERT:
        return "insert";
    case ROW_UPDATE:
        return "update";
    case ROW_DELETE:
        return "delete";
    } /* no default: a new change breaks the build here */
    abort();
}

static void put_image(const struct known_table *t, struct value *values, const char *before,
                      struct buf *out)
{
    show_texts(t, values);
    buf_append_str(out, before);
    json_sink_put(t->sink, values, out);
}

static void put_row(const struct known_table *t, struct row_reader *r, bool json, struct buf *out)
{
    /* A before image that lacks columns would show them as NULL. */
    bool has_before = r->change != ROW_INSERT && r->before_present == NULL;
    bool has_after = r->change != ROW_DELETE;

    if (json) {
        buf_printf(out, "{\"change\":\"%s\",\"table\":", change_name(r->change));
        json_put_string(out, span_str(t->full_name));
    } else {
        buf_printf(out, "  %s", change_name(r->change));
    }
    if (has_before) {
        put_image(t, r->before, json ? ",\"before\":" : " ", out);
    }
    if (has_after) {
        put_image(t, r->after, json ? ",\"after\":" : has_before ? " -> " : " ", out);
    }
    buf_append_str(out, json ? "}\n" : "\n");
}

static void put_undecoded(const struct err *why, bool json, struct buf *out)
{
    buf_printf(out, json ? "{\"undecodable\":" : "  not decoded: ");
    json_put_string(out, span_str(why->msg));
    buf_append_str(out, json ? "}\n" : "\n");
}

static enum err_code decode_rows(const struct known_table *t, struct row_reader *r,
                                 const struct binlog_event *ev, bool json, struct buf *out,
                                 uint64_t *rows, struct err *e)
{
    ERR_TRY(row_reader_start(r, t->plan, ev->header.type, ev->body, e));
    while (row_reader_more(r)) {
        ERR_TRY(row_reader_next(r, true, e));
        (*rows)++;
        if (out != NULL) {
            put_row(t, r, json, out);
        }
    }
    return ERR_OK;
}

enum err_code inspect_rows_decode(struct inspect_rows *r, const struct binlog_event *ev, bool json,
                                  struct buf *out, uint64_t *rows, struct err *e)
{
    const struct known_table *t = table_of(r, ev);

    if (t == NULL) {
        return err_set(e, ERR_CORRUPT, "a rows event without its table map");
    }
    if (t->plan == NULL) {
        if (out != NULL) {
            put_undecoded(&t->why, json, out);
        }
        return ERR_OK;
    }
    enum err_code rc = decode_rows(t, &r->reader, ev, json, out, rows, e);

    /* Images that lack columns are no fault of the file, whose other rows are of interest. */
    bool no_fault = rc == ERR_UNSUPPORTED || (rc == ERR_CORRUPT && t->old_times);

    if (no_fault && out != NULL && e != NULL) {
        put_undecoded(e, json, out);
        return ERR_OK;
    }
    return rc;
}
