#include "mysql/value_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/str.h"
#include "codec/json_writer.h"

/* Longer than any number that a server prints. */
#define NUMBER_TEXT_BYTES 64u

#define BAD_BYTES_SHOWN 32u

typedef enum err_code text_fn(const struct column_def *column, struct span text,
                              struct buf *scratch, struct value *out, struct err *e);

static enum err_code bad(const struct column_def *column, struct span text, struct err *e)
{
    char hex[2 * BAD_BYTES_SHOWN + 1];
    size_t shown = text.len < BAD_BYTES_SHOWN ? text.len : BAD_BYTES_SHOWN;

    str_hex(hex, text.data, shown);
    return err_set(e, ERR_CORRUPT, "column '%s': 0x%s%s is no %s", column->name, hex,
                   shown < text.len ? "..." : "",
                   column->type_text == NULL ? column_type_name(column->type) : column->type_text);
}

static inline bool is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') <= 9;
}

/* How many digits follow from `at` on. */
static inline size_t digit_run(struct span text, size_t at)
{
    size_t i = at;

    while (i < text.len && is_digit(text.data[i])) {
        i++;
    }
    return i - at;
}

/* Where the digits from `at` to `end` have their first that is not a leading zero; keeps one digit.
 */
static inline size_t skip_zeros(struct span text, size_t at, size_t end)
{
    while (at + 1 < end && text.data[at] == '0') {
        at++;
    }
    return at;
}

static enum err_code from_integer(const struct column_def *column, struct span text,
                                  struct buf *scratch, struct value *out, struct err *e)
{
    size_t sign = text.len > 0 && text.data[0] == '-' ? 1 : 0;
    size_t digits = digit_run(text, sign);

    (void)scratch;
    /* ZEROFILL pads with zeros and makes a column unsigned, so "-0" is nothing a server prints. */
    if (digits == 0 || sign + digits != text.len || (sign == 1 && text.data[1] == '0')) {
        return bad(column, text, e);
    }
    size_t start = sign == 1 ? 0 : skip_zeros(text, 0, text.len);

    out->kind = VALUE_NUMBER;
    out->u.bytes = span_of(text.data + start, text.len - start);
    return ERR_OK;
}

static bool all_zero(struct span text, size_t at)
{
    for (; at < text.len; at++) {
        if (is_digit(text.data[at]) && text.data[at] != '0') {
            return false;
        }
    }
    return true;
}

static enum err_code from_decimal(const struct column_def *column, struct span text,
                                  struct buf *scratch, struct value *out, struct err *e)
{
    size_t sign = text.len > 0 && text.data[0] == '-' ? 1 : 0;
    size_t whole = digit_run(text, sign);
    size_t end = sign + whole;
    bool valid = whole > 0;

    (void)scratch;
    if (column->scale > 0) {
        valid = valid && end < text.len && text.data[end] == '.' &&
                digit_run(text, end + 1) == column->scale;
        end += 1u + column->scale;
    }
    size_t start = skip_zeros(text, sign, sign + whole);

    if (!valid || end != text.len || (sign == 1 && start != 1)) {
        return bad(column, text, e);
    }
    if (sign == 1 && !all_zero(text, 1)) {
        start = 0;
    }
    out->kind = VALUE_DECIMAL;
    out->u.bytes = span_of(text.data + start, text.len - start);
    return ERR_OK;
}

static bool parse_double(struct span text, double *out)
{
    char copy[NUMBER_TEXT_BYTES];
    char *end;

    if (text.len == 0 || text.len >= sizeof copy) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (!is_digit(c) && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E') {
            return false;
        }
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *out = strtod(copy, &end);
    return end == copy + text.len && isfinite(*out);
}

static enum err_code from_float(const struct column_def *column, struct span text,
                                struct buf *scratch, struct value *out, struct err *e)
{
    double v;

    (void)scratch;
    if (!parse_double(text, &v) || !isfinite((float)v)) {
        return bad(column, text, e);
    }
    out->kind = VALUE_F32;
    out->u.f32 = (float)v;
    return ERR_OK;
}

static enum err_code from_double(const struct column_def *column, struct span text,
                                 struct buf *scratch, struct value *out, struct err *e)
{
    double v;

    (void)scratch;
    if (!parse_double(text, &v)) {
        return bad(column, text, e);
    }
    out->kind = VALUE_F64;
    out->u.f64 = v;
    return ERR_OK;
}

static enum err_code from_year(const struct column_def *column, struct span text,
                               struct buf *scratch, struct value *out, struct err *e)
{
    uint64_t v;

    (void)scratch;
    if (!str_to_u64(text, &v) || (v != 0 && (v < 1901 || v > 2155))) {
        return bad(column, text, e);
    }
    out->kind = VALUE_U64;
    out->u.u64 = v;
    return ERR_OK;
}

/* BIT comes as bytes, not as digits. */
static enum err_code from_bit(const struct column_def *column, struct span text,
                              struct buf *scratch, struct value *out, struct err *e)
{
    struct bytes_reader in;
    uint64_t v;

    (void)scratch;
    bytes_reader_init(&in, text);
    v = text.len > 8 ? 0 : bytes_uint_be(&in, text.len);
    if (text.len != (column->length + 7) / 8 || (column->length < 64 && v >> column->length != 0)) {
        return bad(column, text, e);
    }
    out->kind = VALUE_U64;
    out->u.u64 = v;
    return ERR_OK;
}

/* n digits at p as a number; *valid becomes false when one of them is none. */
static inline uint32_t number_at(const uint8_t *p, size_t n, bool *valid)
{
    uint32_t v = 0;

    for (size_t i = 0; i < n; i++) {
        *valid &= is_digit(p[i]);
        v = v * 10 + (uint32_t)(p[i] - '0');
    }
    return v;
}

/* "2024-02-29" */
static bool parse_date(const uint8_t *p, struct civil *out)
{
    bool valid = p[4] == '-' && p[7] == '-';

    out->year = (uint16_t)number_at(p, 4, &valid);
    out->month = (uint8_t)number_at(p + 5, 2, &valid);
    out->day = (uint8_t)number_at(p + 8, 2, &valid);
    return valid && out->month <= 12 && out->day <= 31;
}

/* "59:59.000000", what follows the hours' colon, with fsp fraction digits. */
static bool parse_clock(struct span text, unsigned fsp, struct civil *out)
{
    static const uint32_t scale[7] = {0, 100000, 10000, 1000, 100, 10, 1};
    const uint8_t *p = text.data;
    bool valid = true;

    if (fsp > 6 || text.len != (fsp > 0 ? 6 + fsp : 5) || p[2] != ':') {
        return false;
    }
    out->minute = (uint8_t)number_at(p, 2, &valid);
    out->second = (uint8_t)number_at(p + 3, 2, &valid);
    if (fsp > 0) {
        valid &= p[5] == '.';
        out->micros = number_at(p + 6, fsp, &valid) * scale[fsp];
    }
    return valid && out->minute <= 59 && out->second <= 59;
}

static enum err_code from_date(const struct column_def *column, struct span text,
                               struct buf *scratch, struct value *out, struct err *e)
{
    (void)scratch;
    out->kind = VALUE_DATE;
    out->u.civil = (struct civil){0};
    if (text.len != 10 || !parse_date(text.data, &out->u.civil)) {
        return bad(column, text, e);
    }
    return ERR_OK;
}

/* "2024-02-29 13:05:00.120000" */
static enum err_code from_datetime(const struct column_def *column, struct span text,
                                   struct buf *scratch, struct value *out, struct err *e)
{
    struct civil *c = &out->u.civil;
    bool valid = text.len >= 19 && text.data[10] == ' ' && text.data[13] == ':';

    (void)scratch;
    *c = (struct civil){0};
    out->kind = column->type == COLUMN_TYPE_TIMESTAMP ? VALUE_TIMESTAMP : VALUE_DATETIME;
    if (valid) {
        c->hour = (uint16_t)number_at(text.data + 11, 2, &valid);
    }
    if (!valid || c->hour > 23 || !parse_date(text.data, c) ||
        !parse_clock(span_of(text.data + 14, text.len - 14), column->fsp, c)) {
        return bad(column, text, e);
    }
    return ERR_OK;
}

/* "-838:59:59.000000": two or three digits of hours */
static enum err_code from_time(const struct column_def *column, struct span text,
                               struct buf *scratch, struct value *out, struct err *e)
{
    struct civil *c = &out->u.civil;
    size_t sign = text.len > 0 && text.data[0] == '-' ? 1 : 0;
    size_t digits = digit_run(text, sign);
    size_t clock = sign + digits + 1;
    bool valid = (digits == 2 || digits == 3) && clock < text.len && text.data[clock - 1] == ':';

    (void)scratch;
    out->kind = VALUE_TIME;
    *c = (struct civil){0};
    if (!valid || !parse_clock(span_of(text.data + clock, text.len - clock), column->fsp, c)) {
        return bad(column, text, e);
    }
    c->hour = (uint16_t)number_at(text.data + sign, digits, &valid);
    c->negative = sign == 1 && (c->hour | c->minute | c->second | c->micros) != 0;
    return c->hour <= 838 ? ERR_OK : bad(column, text, e);
}

static enum err_code from_text(const struct column_def *column, struct span text,
                               struct buf *scratch, struct value *out, struct err *e)
{
    (void)scratch;
    if (!str_is_utf8(text)) {
        return bad(column, text, e);
    }
    out->kind = VALUE_TEXT;
    out->u.bytes = text;
    return ERR_OK;
}

static enum err_code from_bytes(const struct column_def *column, struct span text,
                                struct buf *scratch, struct value *out, struct err *e)
{
    (void)scratch;
    (void)e;
    out->kind = column->type == COLUMN_TYPE_GEOMETRY ? VALUE_GEOMETRY : VALUE_BYTES;
    out->u.bytes = text;
    return ERR_OK;
}

static enum err_code from_binary(const struct column_def *column, struct span text,
                                 struct buf *scratch, struct value *out, struct err *e)
{
    (void)scratch;
    if (text.len != column->length) {
        return bad(column, text, e);
    }
    out->kind = VALUE_BYTES;
    out->u.bytes = text;
    return ERR_OK;
}

static enum err_code from_set(const struct column_def *column, struct span text,
                              struct buf *scratch, struct value *out, struct err *e)
{
    uint64_t v;

    (void)scratch;
    if (!str_to_u64(text, &v) || (column->label_count < 64 && v >> column->label_count != 0)) {
        return bad(column, text, e);
    }
    for (uint32_t i = 0; i < column->label_count && v >> i != 0; i++) {
        if ((v >> i & 1) != 0 && column_label_in_doubt(column, i)) {
            return err_set(e, ERR_UNSUPPORTED,
                           "column '%s': the source's catalog shows member %u with a question "
                           "mark, which may stand for another character: such a SET cannot be "
                           "copied",
                           column->name, i + 1);
        }
    }
    out->kind = VALUE_U64;
    out->u.u64 = v;
    return ERR_OK;
}

static enum err_code from_json(const struct column_def *column, struct span text,
                               struct buf *scratch, struct value *out, struct err *e)
{
    size_t start = scratch->len;

    if (text.len == 0 || !str_is_utf8(text)) {
        return bad(column, text, e);
    }
    if (scratch->cap - start < text.len) {
        return err_set(e, ERR_LIMIT, "column '%s': no room for its text was reserved",
                       column->name);
    }
    json_put_minified(scratch, text);
    ERR_TRY(buf_check(scratch, e, column->name));
    out->kind = VALUE_JSON;
    out->u.bytes = span_of(scratch->data + start, scratch->len - start);
    return ERR_OK;
}

/* One for every type; test_value_text goes through all of them. */
static text_fn *const readers[] = {
    [COLUMN_TYPE_TINYINT] = from_integer,   [COLUMN_TYPE_SMALLINT] = from_integer,
    [COLUMN_TYPE_MEDIUMINT] = from_integer, [COLUMN_TYPE_INT] = from_integer,
    [COLUMN_TYPE_BIGINT] = from_integer,    [COLUMN_TYPE_DECIMAL] = from_decimal,
    [COLUMN_TYPE_FLOAT] = from_float,       [COLUMN_TYPE_DOUBLE] = from_double,
    [COLUMN_TYPE_BIT] = from_bit,           [COLUMN_TYPE_YEAR] = from_year,
    [COLUMN_TYPE_DATE] = from_date,         [COLUMN_TYPE_TIME] = from_time,
    [COLUMN_TYPE_DATETIME] = from_datetime, [COLUMN_TYPE_TIMESTAMP] = from_datetime,
    [COLUMN_TYPE_CHAR] = from_text,         [COLUMN_TYPE_VARCHAR] = from_text,
    [COLUMN_TYPE_TEXT] = from_text,         [COLUMN_TYPE_BINARY] = from_binary,
    [COLUMN_TYPE_VARBINARY] = from_bytes,   [COLUMN_TYPE_BLOB] = from_bytes,
    [COLUMN_TYPE_ENUM] = from_text,         [COLUMN_TYPE_SET] = from_set,
    [COLUMN_TYPE_JSON] = from_json,         [COLUMN_TYPE_GEOMETRY] = from_bytes,
    [COLUMN_TYPE_VECTOR] = from_bytes,      [COLUMN_TYPE_UUID] = from_text,
    [COLUMN_TYPE_INET4] = from_text,        [COLUMN_TYPE_INET6] = from_text,
};

enum err_code value_from_text(const struct column_def *column, struct span text,
                              struct buf *scratch, struct value *out, struct err *e)
{
    if (text.data == NULL) {
        out->kind = VALUE_NULL;
        return ERR_OK;
    }
    return readers[column->type](column, text, scratch, out, e);
}

static void put_quoted(const char *name, struct buf *out)
{
    buf_u8(out, '`');
    for (; *name != '\0'; name++) {
        if (*name == '`') {
            buf_u8(out, '`');
        }
        buf_u8(out, (uint8_t)*name);
    }
    buf_u8(out, '`');
}

void value_text_select_expr(const struct column_def *column, struct buf *out)
{
    const char *before = "";
    const char *after = "";

    if (column->type == COLUMN_TYPE_FLOAT || column->type == COLUMN_TYPE_DOUBLE) {
        after = "*1E0";
    } else if (column->type == COLUMN_TYPE_SET) {
        before = "CAST(";
        after = " AS UNSIGNED)";
    }
    buf_append_str(out, before);
    put_quoted(column->name, out);
    buf_append_str(out, after);
}
