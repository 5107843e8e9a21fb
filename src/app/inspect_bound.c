/*
 * inspect_bound.c - the least and greatest value of a column, as a manifest has them.
 *
 *   boolean            1 byte            int, date         4 bytes, little-endian
 *   long, time,        8 bytes,          float, double     4 and 8 bytes
 *   timestamp, …tz     little-endian     decimal(P,S)      unscaled, big-endian, two's complement
 *   string             UTF-8             uuid, fixed, binary  the bytes
 *
 * A column whose type was widened has bounds of the narrower type in its old files.
 *
 * Spec: Apache Iceberg table spec, Appendix D.
 */
#include <stdlib.h>

#include "app/inspect_int.h"
#include "base/str.h"
#include "codec/civil_time.h"
#include "codec/json_writer.h"

#define US_PER_DAY        INT64_C(86400000000)
#define DECIMAL_BYTES_MAX 16u
#define DECIMAL_DIGITS    40u /* of 2^127 */
#define UUID_BYTES        16u

static int64_t little_endian(struct span bytes)
{
    struct bytes_reader in;

    bytes_reader_init(&in, bytes);
    return bytes.len == 4 ? (int32_t)bytes_u32le(&in) : (int64_t)bytes_u64le(&in);
}

static void put_day(struct buf *out, int64_t days)
{
    int64_t year;
    unsigned month;
    unsigned day;

    civil_from_days(days, &year, &month, &day);
    buf_printf(out, "%04lld-%02u-%02u", (long long)year, month, day);
}

static void put_time_of_day(struct buf *out, int64_t us)
{
    buf_printf(out, "%02u:%02u:%02u.%06u", (unsigned)(us / 3600000000),
               (unsigned)(us / 60000000 % 60), (unsigned)(us / 1000000 % 60),
               (unsigned)(us % 1000000));
}

void inspect_put_date(struct buf *out, int64_t days)
{
    buf_u8(out, '"');
    put_day(out, days);
    buf_u8(out, '"');
}

void inspect_put_timestamp(struct buf *out, int64_t us, bool utc)
{
    int64_t of_day = us % US_PER_DAY;
    int64_t days = us / US_PER_DAY - (of_day < 0 ? 1 : 0);

    buf_u8(out, '"');
    put_day(out, days);
    buf_u8(out, 'T');
    put_time_of_day(out, of_day < 0 ? of_day + US_PER_DAY : of_day);
    buf_append_str(out, utc ? "Z\"" : "\"");
}

static bool put_integer(const char *type, struct span bytes, struct buf *out)
{
    if (bytes.len != 4 && bytes.len != 8) {
        return false;
    }
    int64_t v = little_endian(bytes);

    if (strcmp(type, "date") == 0 && bytes.len == 4) {
        inspect_put_date(out, v);
    } else if (strcmp(type, "timestamp") == 0 || strcmp(type, "timestamptz") == 0) {
        inspect_put_timestamp(out, v, type[strlen("timestamp")] != '\0');
    } else if (strcmp(type, "time") == 0 && v >= 0 && v < US_PER_DAY) {
        buf_u8(out, '"');
        put_time_of_day(out, v);
        buf_u8(out, '"');
    } else {
        json_put_i64(out, v);
    }
    return true;
}

static bool put_float(struct span bytes, struct buf *out)
{
    if (bytes.len == 4) {
        float f;

        memcpy(&f, bytes.data, sizeof f);
        json_put_f32(out, f);
        return true;
    }
    if (bytes.len == 8) {
        double d;

        memcpy(&d, bytes.data, sizeof d);
        json_put_f64(out, d);
        return true;
    }
    return false;
}

/* Divides a big-endian number by ten in place; gives the remainder. */
static unsigned divide_by_ten(uint8_t *number, size_t len)
{
    unsigned rest = 0;

    for (size_t i = 0; i < len; i++) {
        rest = rest * 256 + number[i];
        number[i] = (uint8_t)(rest / 10);
        rest %= 10;
    }
    return rest;
}

/* "-12.30", with its quotes. */
static bool put_decimal(unsigned scale, struct span bytes, struct buf *out)
{
    uint8_t number[DECIMAL_BYTES_MAX];
    char digits[DECIMAL_DIGITS + 1];

    if (bytes.len == 0 || bytes.len > sizeof number || scale >= sizeof digits - 1) {
        return false;
    }
    bool negative = (bytes.data[0] & 0x80u) != 0;
    unsigned carry = negative ? 1 : 0;

    for (size_t i = bytes.len; i > 0; i--) {
        unsigned byte = negative ? (uint8_t)~bytes.data[i - 1] : bytes.data[i - 1];

        number[i - 1] = (uint8_t)(byte + carry);
        carry = byte + carry > 255 ? 1 : 0;
    }
    for (size_t i = sizeof digits - 1; i > 0; i--) {
        digits[i - 1] = (char)('0' + divide_by_ten(number, bytes.len));
    }
    digits[sizeof digits - 1] = '\0';
    size_t point = sizeof digits - 1 - scale;
    size_t first = 0;

    while (first + 1 < point && digits[first] == '0') {
        first++;
    }
    buf_printf(out, "\"%s%.*s%s%s\"", negative ? "-" : "", (int)(point - first), digits + first,
               scale == 0 ? "" : ".", digits + point);
    return true;
}

static void put_uuid(struct span bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;

        buf_printf(out, "%s%02x", i == 0 ? "\"" : dash ? "-" : "", bytes.data[i]);
    }
    buf_u8(out, '"');
}

static unsigned scale_of(const char *type)
{
    const char *comma = strchr(type, ',');

    return comma == NULL ? 0 : (unsigned)strtoul(comma + 1, NULL, 10);
}

static bool put_typed(const char *type, struct span bytes, struct buf *out)
{
    static const char *const integers[] = {"int",  "long",      "date",
                                           "time", "timestamp", "timestamptz"};

    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        if (strcmp(type, integers[i]) == 0) {
            return put_integer(type, bytes, out);
        }
    }
    if (strcmp(type, "boolean") == 0 && bytes.len == 1) {
        buf_append_str(out, bytes.data[0] != 0 ? "true" : "false");
        return true;
    }
    if (strcmp(type, "float") == 0 || strcmp(type, "double") == 0) {
        return put_float(bytes, out);
    }
    if (strcmp(type, "string") == 0 && str_is_utf8(bytes)) {
        json_put_string(out, bytes);
        return true;
    }
    if (strcmp(type, "uuid") == 0 && bytes.len == UUID_BYTES) {
        put_uuid(bytes, out);
        return true;
    }
    return str_starts_with(type, "decimal(") && put_decimal(scale_of(type), bytes, out);
}

void inspect_put_bound(const char *type, struct span bytes, struct buf *out)
{
    if (!put_typed(type, bytes, out)) {
        buf_append_str(out, "{\"base64\":");
        json_put_base64(out, bytes);
        buf_u8(out, '}');
    }
}
