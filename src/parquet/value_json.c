#include "parquet/value_json.h"

#include <math.h>
#include <stdlib.h>

#include "base/str.h"
#include "codec/civil_time.h"
#include "codec/json_writer.h"

#define US_PER_DAY        ((int64_t)86400000000)
#define DECIMAL_BYTES_MAX 64u
/* 64 bytes are at most 155 digits. */
#define DECIMAL_DIGITS_MAX 160u

/* Division that rounds down. */
static int64_t floor_div(int64_t a, int64_t b, int64_t *rest)
{
    int64_t q = a / b - (a % b < 0 ? 1 : 0);

    *rest = a % b + (a % b < 0 ? b : 0);
    return q;
}

static void put_date(int64_t days, struct buf *out)
{
    int64_t year;
    unsigned month;
    unsigned day;

    civil_from_days(days, &year, &month, &day);
    /* Years of more than four digits carry a sign. */
    buf_printf(out, year < 0 || year > 9999 ? "%+07lld-%02u-%02u" : "%04lld-%02u-%02u",
               (long long)year, month, day);
}

static void put_time(int64_t us, struct buf *out)
{
    buf_printf(out, "%02lld:%02lld:%02lld", (long long)(us / 3600000000),
               (long long)(us / 60000000 % 60), (long long)(us / 1000000 % 60));
    if (us % 1000000 != 0) {
        buf_printf(out, ".%06lld", (long long)(us % 1000000));
    }
}

static void put_timestamp(int64_t us, bool utc, struct buf *out)
{
    int64_t of_day;
    int64_t days = floor_div(us, US_PER_DAY, &of_day);

    buf_u8(out, '"');
    put_date(days, out);
    buf_u8(out, 'T');
    put_time(of_day, out);
    buf_append_str(out, utc ? "Z\"" : "\"");
}

/* Digits of a big-endian two's complement number, the last one first; returns how many. */
static size_t decimal_digits(struct span be, char *digits, bool *negative)
{
    uint8_t n[DECIMAL_BYTES_MAX];
    size_t count = 0;
    unsigned carry = 1;

    memcpy(n, be.data, be.len);
    *negative = be.len > 0 && (n[0] & 0x80) != 0;
    for (size_t i = be.len; *negative && i > 0; i--) {
        carry += (uint8_t)~n[i - 1];
        n[i - 1] = (uint8_t)carry;
        carry >>= 8;
    }
    for (size_t first = 0; first < be.len;) {
        unsigned rest = 0;

        for (size_t i = first; i < be.len; i++) {
            rest = rest << 8 | n[i];
            n[i] = (uint8_t)(rest / 10);
            rest %= 10;
        }
        digits[count++] = (char)('0' + rest);
        while (first < be.len && n[first] == 0) {
            first++;
        }
    }
    return count;
}

static void put_decimal(struct span be, uint8_t scale, struct buf *out)
{
    char digits[DECIMAL_DIGITS_MAX];
    bool negative = false;

    if (be.len > DECIMAL_BYTES_MAX) {
        json_put_base64(out, be);
        return;
    }
    size_t count = decimal_digits(be, digits, &negative);

    buf_append_str(out, negative ? "\"-" : "\"");
    /* At least one digit in front of the point. */
    for (size_t i = count > scale ? count : scale + 1u; i > 0; i--) {
        buf_u8(out, i > count ? '0' : (uint8_t)digits[i - 1]);
        if (i == scale + 1u && scale > 0) {
            buf_u8(out, '.');
        }
    }
    buf_u8(out, '"');
}

static void put_uuid(struct span v, struct buf *out)
{
    char hex[33];

    str_hex(hex, v.data, 16);
    buf_printf(out, "\"%.8s-%.4s-%.4s-%.4s-%.12s\"", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static void put_float(double v, bool narrow, struct buf *out)
{
    if (isnan(v)) {
        buf_append_str(out, "\"NaN\"");
    } else if (isinf(v)) {
        buf_append_str(out, v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    } else if (narrow) {
        json_put_f32(out, (float)v);
    } else {
        json_put_f64(out, v);
    }
}

/* Little-endian and signed. */
static int64_t int_of(struct span v)
{
    int64_t wide = 0;
    int32_t narrow = 0;

    if (v.len == sizeof narrow) {
        memcpy(&narrow, v.data, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, v.data, sizeof wide);
    return wide;
}

static void put_integer(const struct parquet_reader_column *c, struct span v, struct buf *out)
{
    int64_t n = int_of(v);
    uint64_t swapped = __builtin_bswap64((uint64_t)n);

    switch (c->logical) {
    case PARQUET_LOGICAL_DATE:
        buf_u8(out, '"');
        put_date(n, out);
        buf_u8(out, '"');
        return;
    case PARQUET_LOGICAL_TIME_US:
        if (n < 0 || n >= US_PER_DAY) {
            break; /* no time of a day: shown as it is */
        }
        buf_u8(out, '"');
        put_time(n, out);
        buf_u8(out, '"');
        return;
    case PARQUET_LOGICAL_TIMESTAMP_US:
    case PARQUET_LOGICAL_TIMESTAMPTZ_US:
        put_timestamp(n, c->logical == PARQUET_LOGICAL_TIMESTAMPTZ_US, out);
        return;
    case PARQUET_LOGICAL_DECIMAL:
        put_decimal(span_of(&swapped, sizeof swapped), c->scale, out);
        return;
    case PARQUET_LOGICAL_NONE:
    case PARQUET_LOGICAL_STRING:
    case PARQUET_LOGICAL_UUID:
        break;
    }
    json_put_i64(out, n);
}

static void put_bytes(const struct parquet_reader_column *c, struct span v, struct buf *out)
{
    if (c->logical == PARQUET_LOGICAL_STRING && str_is_utf8(v)) {
        json_put_string(out, v);
    } else if (c->logical == PARQUET_LOGICAL_DECIMAL) {
        put_decimal(v, c->scale, out);
    } else if (c->logical == PARQUET_LOGICAL_UUID) {
        put_uuid(v, out);
    } else {
        json_put_base64(out, v);
    }
}

void parquet_put_value(const struct parquet_reader_column *c, struct span value, struct buf *out)
{
    double d = 0;
    float f = 0;

    switch (c->type) {
    case PARQUET_BOOLEAN:
        buf_append_str(out, value.data[0] != 0 ? "true" : "false");
        return;
    case PARQUET_INT32:
    case PARQUET_INT64:
        put_integer(c, value, out);
        return;
    case PARQUET_FLOAT:
        memcpy(&f, value.data, sizeof f);
        put_float((double)f, true, out);
        return;
    case PARQUET_DOUBLE:
        memcpy(&d, value.data, sizeof d);
        put_float(d, false, out);
        return;
    case PARQUET_INT96:
    case PARQUET_BYTE_ARRAY:
    case PARQUET_FIXED_LEN_BYTE_ARRAY:
        put_bytes(c, value, out);
        return;
    }
    abort();
}

static void put_physical(const struct parquet_reader_column *c, struct buf *out)
{
    switch (c->type) {
    case PARQUET_INT32:
        buf_append_str(out, "int");
        return;
    case PARQUET_INT64:
        buf_append_str(out, "long");
        return;
    case PARQUET_BYTE_ARRAY:
        buf_append_str(out, "binary");
        return;
    case PARQUET_FIXED_LEN_BYTE_ARRAY:
        buf_printf(out, "fixed[%u]", c->type_bytes);
        return;
    case PARQUET_BOOLEAN:
    case PARQUET_INT96:
    case PARQUET_FLOAT:
    case PARQUET_DOUBLE:
        buf_append_str(out, parquet_type_name(c->type));
        return;
    }
    abort();
}

void parquet_put_type(const struct parquet_reader_column *c, struct buf *out)
{
    switch (c->logical) {
    case PARQUET_LOGICAL_NONE:
        put_physical(c, out);
        return;
    case PARQUET_LOGICAL_STRING:
        buf_append_str(out, "string");
        return;
    case PARQUET_LOGICAL_DATE:
        buf_append_str(out, "date");
        return;
    case PARQUET_LOGICAL_TIME_US:
        buf_append_str(out, "time");
        return;
    case PARQUET_LOGICAL_TIMESTAMP_US:
        buf_append_str(out, "timestamp");
        return;
    case PARQUET_LOGICAL_TIMESTAMPTZ_US:
        buf_append_str(out, "timestamptz");
        return;
    case PARQUET_LOGICAL_DECIMAL:
        buf_printf(out, "decimal(%u,%u)", c->precision, c->scale);
        return;
    case PARQUET_LOGICAL_UUID:
        buf_append_str(out, "uuid");
        return;
    }
    abort();
}
