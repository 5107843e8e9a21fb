#include "pipeline/row_sink.h"

#include <stdlib.h>

#include "base/str.h"
#include "codec/base64.h"
#include "codec/json_writer.h"

/* What goes out in front of a column's value: `{"id":` or `,"note":`. */
struct prepared_key {
    const char *text;
    size_t len;
};

struct json_sink {
    const struct table_def *def;
    struct prepared_key *keys; /* one for each column; text NULL: the column is left out */
    struct buf text;
};

static bool is_left_out(const struct table_def *def, uint32_t column)
{
    return def->generated_unlogged && def->columns[column].generated;
}

struct json_sink *json_sink_new(const struct table_def *def)
{
    struct json_sink *s = calloc(1, sizeof *s);
    size_t *starts = calloc((size_t)def->column_count + 1, sizeof *starts);

    if (s == NULL || starts == NULL) {
        goto fail;
    }
    s->def = def;
    s->keys = calloc((size_t)def->column_count + 1, sizeof *s->keys);
    for (uint32_t i = 0; i < def->column_count; i++) {
        starts[i] = s->text.len;
        if (is_left_out(def, i)) {
            continue;
        }
        buf_u8(&s->text, s->text.len == 0 ? '{' : ',');
        json_put_string(&s->text, span_str(def->columns[i].name));
        buf_u8(&s->text, ':');
    }
    starts[def->column_count] = s->text.len;
    if (s->keys == NULL || s->text.failed != ERR_OK) {
        goto fail;
    }
    for (uint32_t i = 0; i < def->column_count; i++) {
        s->keys[i].len = starts[i + 1] - starts[i];
        s->keys[i].text = s->keys[i].len == 0 ? NULL : (const char *)s->text.data + starts[i];
    }
    free(starts);
    return s;
fail:
    free(starts);
    json_sink_free(s);
    return NULL;
}

void json_sink_free(struct json_sink *s)
{
    if (s != NULL) {
        buf_deinit(&s->text);
        free(s->keys);
        free(s);
    }
}

static uint8_t *put_2(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)('0' + v / 10 % 10);
    p[1] = (uint8_t)('0' + v % 10);
    return p + 2;
}

static uint8_t *put_date(uint8_t *p, const struct civil *c)
{
    p = put_2(p, c->year / 100);
    p = put_2(p, c->year % 100);
    *p++ = '-';
    p = put_2(p, c->month);
    *p++ = '-';
    return put_2(p, c->day);
}

/* Minutes, seconds and `fsp` fraction digits. */
static uint8_t *put_minutes(uint8_t *p, const struct civil *c, unsigned fsp)
{
    *p++ = ':';
    p = put_2(p, c->minute);
    *p++ = ':';
    p = put_2(p, c->second);
    if (fsp > 0) {
        uint8_t digits[6];
        uint32_t micros = c->micros;

        for (int i = 5; i >= 0; i--) {
            digits[i] = (uint8_t)('0' + micros % 10);
            micros /= 10;
        }
        *p++ = '.';
        memcpy(p, digits, fsp);
        p += fsp;
    }
    return p;
}

static void put_civil(struct buf *out, const struct value *v, unsigned fsp)
{
    uint8_t *start = buf_reserve(out, 40);
    uint8_t *p = start;

    if (p == NULL) {
        return;
    }
    const struct civil *c = &v->u.civil;

    *p++ = '"';
    if (v->kind == VALUE_TIME) {
        if (c->negative) {
            *p++ = '-';
        }
        if (c->hour >= 100) {
            *p++ = (uint8_t)('0' + c->hour / 100 % 10);
        }
        p = put_2(p, c->hour % 100u);
        p = put_minutes(p, c, fsp);
    } else {
        p = put_date(p, c);
        if (v->kind != VALUE_DATE) {
            *p++ = 'T';
            p = put_2(p, c->hour);
            p = put_minutes(p, c, fsp);
        }
        if (v->kind == VALUE_TIMESTAMP) {
            *p++ = 'Z';
        }
    }
    *p++ = '"';
    out->len += (size_t)(p - start);
}

static void put_quoted(struct buf *out, struct span text)
{
    uint8_t *p = buf_reserve(out, text.len + 2);

    if (p != NULL) {
        p[0] = '"';
        memcpy(p + 1, text.data, text.len);
        p[text.len + 1] = '"';
        out->len += text.len + 2;
    }
}

static void put_set(struct buf *out, const struct column_def *column, uint64_t members)
{
    bool first = true;

    buf_u8(out, '[');
    for (uint32_t i = 0; i < column->label_count && i < 64; i++) {
        if ((members >> i & 1) == 0) {
            continue;
        }
        if (!first) {
            buf_u8(out, ',');
        }
        first = false;
        json_put_string(out, span_str(column->labels[i]));
    }
    buf_u8(out, ']');
}

static void put_u64(struct buf *out, const struct column_def *column, uint64_t v)
{
    if (column->type == COLUMN_TYPE_SET) {
        put_set(out, column, v);
    } else if (column->type == COLUMN_TYPE_BIT && column->length == 1) {
        buf_append_str(out, v != 0 ? "true" : "false");
    } else {
        json_put_u64(out, v);
    }
}

static void put_geometry(struct buf *out, struct span stored)
{
    struct bytes_reader in;

    /* An empty geometry has no SRID either. */
    bytes_reader_init(&in, stored);
    uint32_t srid = stored.len < 4 ? 0 : bytes_u32le(&in);

    buf_append_str(out, "{\"srid\":");
    json_put_u64(out, srid);
    buf_append_str(out, ",\"wkb\":");
    json_put_base64(out, bytes_rest(&in));
    buf_u8(out, '}');
}

static void put_value(struct buf *out, const struct column_def *column, const struct value *v)
{
    switch (v->kind) {
    case VALUE_NULL:
        buf_append(out, "null", 4);
        break;
    case VALUE_I64:
        json_put_i64(out, v->u.i64);
        break;
    case VALUE_U64:
        put_u64(out, column, v->u.u64);
        break;
    case VALUE_F32:
        json_put_f32(out, v->u.f32);
        break;
    case VALUE_F64:
        json_put_f64(out, v->u.f64);
        break;
    case VALUE_NUMBER:
    case VALUE_JSON:
        buf_append_span(out, v->u.bytes);
        break;
    case VALUE_DECIMAL:
        put_quoted(out, v->u.bytes);
        break;
    case VALUE_TEXT:
        json_put_string(out, v->u.bytes);
        break;
    case VALUE_BYTES:
        json_put_base64(out, v->u.bytes);
        break;
    case VALUE_GEOMETRY:
        put_geometry(out, v->u.bytes);
        break;
    case VALUE_DATE:
    case VALUE_DATETIME:
    case VALUE_TIMESTAMP:
    case VALUE_TIME:
        put_civil(out, v, column->fsp);
        break;
    }
}

void json_sink_put(const struct json_sink *s, const struct value *values, struct buf *out)
{
    const struct table_def *def = s->def;

    for (uint32_t i = 0; i < def->column_count; i++) {
        if (s->keys[i].text != NULL) {
            buf_append(out, s->keys[i].text, s->keys[i].len);
            put_value(out, &def->columns[i], &values[i]);
        }
    }
    if (s->text.len == 0) {
        buf_u8(out, '{');
    }
    buf_u8(out, '}');
}
