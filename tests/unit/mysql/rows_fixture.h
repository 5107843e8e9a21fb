/* rows_fixture.h - table maps, rows events and values written short, for the tests of row decoding.
 */
#ifndef CALVE_ROWS_FIXTURE_H
#define CALVE_ROWS_FIXTURE_H

#include "mysql/row_image.h"
#include "mysql/table_map.h"

#include "test.h"

static inline void put_hex(struct buf *out, const char *hex)
{
    uint8_t bytes[4096];

    buf_append(out, bytes, test_unhex(hex, bytes, sizeof bytes));
}

/* A table map of shop.t: hex of types, metadata, NULL bits and optional fields. */
static inline void put_map(struct buf *out, const char *types, const char *metas,
                           const char *nullable, const char *optional)
{
    uint8_t bytes[1024];
    size_t n = test_unhex(types, bytes, sizeof bytes);

    put_hex(out, "690000000000 0100 04 73686f70 00 01 74 00");
    buf_lenenc(out, n);
    buf_append(out, bytes, n);
    n = test_unhex(metas, bytes, sizeof bytes);
    buf_lenenc(out, n);
    buf_append(out, bytes, n);
    put_hex(out, nullable);
    put_hex(out, optional);
}

/* Head of a WRITE_ROWS, UPDATE_ROWS or DELETE_ROWS event (v2) with all columns present. */
static inline void put_rows_head(struct buf *out, uint8_t type, uint32_t columns)
{
    put_hex(out, "690000000000 0100 0200");
    buf_lenenc(out, columns);
    for (int image = type == BINLOG_EVENT_UPDATE_ROWS ? 2 : 1; image > 0; image--) {
        for (uint32_t i = 0; i < (columns + 7) / 8; i++) {
            buf_u8(out, 0xff);
        }
    }
}

static inline void show_civil(const struct value *v, char *out, size_t out_bytes)
{
    const struct civil *c = &v->u.civil;
    const char *name = v->kind == VALUE_TIMESTAMP ? "timestamp" : "datetime";

    if (v->kind == VALUE_DATE) {
        (void)snprintf(out, out_bytes, "date %04u-%02u-%02u", c->year, c->month, c->day);
    } else if (v->kind == VALUE_TIME) {
        (void)snprintf(out, out_bytes, "time %s%02u:%02u:%02u.%06u", c->negative ? "-" : "",
                       c->hour, c->minute, c->second, c->micros);
    } else {
        (void)snprintf(out, out_bytes, "%s %04u-%02u-%02u %02u:%02u:%02u.%06u", name, c->year,
                       c->month, c->day, c->hour, c->minute, c->second, c->micros);
    }
}

/* "i64 -1", "text abc", "bytes 00ff", "time -00:00:01.000000": a value in words. */
static inline const char *show_value(const struct value *v, char *out, size_t out_bytes)
{
    static const char *const names[] = {
        [VALUE_NUMBER] = "number", [VALUE_DECIMAL] = "decimal", [VALUE_TEXT] = "text",
        [VALUE_JSON] = "json",     [VALUE_BYTES] = "bytes",     [VALUE_GEOMETRY] = "geometry"};
    size_t at;

    switch (v->kind) {
    case VALUE_NULL:
        (void)snprintf(out, out_bytes, "null");
        break;
    case VALUE_I64:
        (void)snprintf(out, out_bytes, "i64 %" PRId64, v->u.i64);
        break;
    case VALUE_U64:
        (void)snprintf(out, out_bytes, "u64 %" PRIu64, v->u.u64);
        break;
    case VALUE_F32:
        (void)snprintf(out, out_bytes, "f32 %.9g", (double)v->u.f32);
        break;
    case VALUE_F64:
        (void)snprintf(out, out_bytes, "f64 %.17g", v->u.f64);
        break;
    case VALUE_NUMBER:
    case VALUE_DECIMAL:
    case VALUE_TEXT:
    case VALUE_JSON:
        (void)snprintf(out, out_bytes, "%s %.*s", names[v->kind], (int)v->u.bytes.len,
                       (const char *)v->u.bytes.data);
        break;
    case VALUE_BYTES:
    case VALUE_GEOMETRY:
        at = (size_t)snprintf(out, out_bytes, "%s ", names[v->kind]);
        for (size_t i = 0; i < v->u.bytes.len && at + 3 < out_bytes; i++) {
            at += (size_t)snprintf(out + at, out_bytes - at, "%02x", v->u.bytes.data[i]);
        }
        break;
    case VALUE_DATE:
    case VALUE_DATETIME:
    case VALUE_TIMESTAMP:
    case VALUE_TIME:
        show_civil(v, out, out_bytes);
        break;
    }
    return out;
}

/* Plan of one table map body and a definition. */
static inline enum err_code make_plan(struct span map_body, const struct table_def *def,
                                      struct row_plan **plan, struct err *e)
{
    struct arena arena;
    struct table_map map;

    *plan = NULL;
    arena_init(&arena, 0);
    enum err_code rc = table_map_parse(map_body, &arena, &map, e);

    if (rc == ERR_OK) {
        rc = row_plan_new(&map, def, plan, e);
    }
    arena_deinit(&arena);
    return rc;
}

#endif
