#include "codec/json_writer.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "codec/base64.h"

/* Nonzero where a byte of the word is below 0x20, '"' or '\\'. */
static uint64_t special_bytes(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t high = 0x8080808080808080u;
    uint64_t quote = w ^ (ones * '"');
    uint64_t slash = w ^ (ones * '\\');
    uint64_t control = (w - ones * 0x20) & ~w;

    return (control | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & high;
}

static uint8_t *put_escape(uint8_t *p, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[] = "btn?fr"; /* for 8 to 13; 11 has no short form */

    *p++ = '\\';
    if (c == '"' || c == '\\') {
        *p++ = c;
    } else if (c >= 8 && c <= 13 && c != 11) {
        *p++ = (uint8_t)shorts[c - 8];
    } else {
        memcpy(p, "u00", 3);
        p[3] = (uint8_t)hex[c >> 4];
        p[4] = (uint8_t)hex[c & 15];
        p += 5;
    }
    return p;
}

static uint64_t word_at(const uint8_t *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof w);
    return w;
}

/*
 * How many bytes there are before the first one to escape. A hit in a word can make bytes above it
 * look like hits (the subtraction borrows), never bytes below: the lowest one is right.
 */
static size_t clean_run(const uint8_t *p, size_t len)
{
    size_t i = 0;

    while (len - i >= 16 &&
           (special_bytes(word_at(p + i)) | special_bytes(word_at(p + i + 8))) == 0) {
        i += 16;
    }
    for (; len - i >= 8; i += 8) {
        uint64_t hits = special_bytes(word_at(p + i));

        if (hits != 0) {
            return i + (size_t)__builtin_ctzll(hits) / 8;
        }
    }
    if (i < len && len >= 8) {
        /* The last word again, from the end: the bytes before i are known to be clean. */
        uint64_t hits = special_bytes(word_at(p + len - 8));

        return hits == 0 ? len : len - 8 + (size_t)__builtin_ctzll(hits) / 8;
    }
    while (i < len && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') {
        i++;
    }
    return i;
}

void json_put_string(struct buf *out, struct span text)
{
    size_t run = clean_run(text.data, text.len);
    uint8_t *p = buf_reserve(out, text.len + 2);

    if (p == NULL) {
        return;
    }
    *p++ = '"';
    if (run > 0) {
        memcpy(p, text.data, run);
        p += run;
    }
    if (run == text.len) {
        *p = '"';
        out->len += text.len + 2;
        return;
    }
    out->len += run + 1;
    for (size_t i = run; i < text.len;) {
        p = buf_reserve(out, 6 + (text.len - i));
        if (p == NULL) {
            return;
        }
        uint8_t *end = put_escape(p, text.data[i++]);

        run = clean_run(text.data + i, text.len - i);
        memcpy(end, text.data + i, run);
        i += run;
        out->len += (size_t)(end - p) + run;
    }
    buf_u8(out, '"');
}

void json_put_base64(struct buf *out, struct span bytes)
{
    if (buf_reserve(out, (bytes.len + 2) / 3 * 4 + 2) == NULL) {
        return;
    }
    buf_u8(out, '"');
    base64_encode(bytes, out);
    buf_u8(out, '"');
}

void json_put_u64(struct buf *out, uint64_t v)
{
    uint8_t *p = buf_reserve(out, 20);

    if (p != NULL) {
        out->len += str_put_u64((char *)p, v);
    }
}

void json_put_i64(struct buf *out, int64_t v)
{
    uint8_t *p = buf_reserve(out, 20);

    if (p != NULL) {
        out->len += str_put_i64((char *)p, v);
    }
}

/* A number above zero: 0.d1d2d3... * 10^(exponent + 1), no zeros at the end. */
struct digits {
    char at[20];
    size_t count;
    int exponent; /* of the first digit */
};

/* "d.ddde±xx", whatever the locale's point is. */
static void read_scientific(const char *text, struct digits *out)
{
    out->count = 0;
    for (; *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9' && out->count < sizeof out->at) {
            out->at[out->count++] = *text;
        }
    }
    out->exponent = (int)strtol(text + 1, NULL, 10);
    while (out->count > 1 && out->at[out->count - 1] == '0') {
        out->count--;
    }
}

static bool reads_back(const char *text, double v, bool single)
{
    return single ? (double)strtof(text, NULL) == v : strtod(text, NULL) == v;
}

/* Whether v is the next number of as many digits; then it is what d becomes. */
static bool try_next_digits(struct digits *d, size_t precision, double v, bool single)
{
    struct digits next = *d;
    char text[40];

    while (next.count < precision) {
        next.at[next.count++] = '0';
    }
    while (next.count > 0 && next.at[next.count - 1] == '9') {
        next.count--;
    }
    if (next.count == 0) {
        next.at[next.count++] = '0';
        next.exponent++;
    }
    next.at[next.count - 1]++;
    (void)snprintf(text, sizeof text, "%.*se%d", (int)next.count, next.at,
                   next.exponent - (int)next.count + 1);
    if (!reads_back(text, v, single)) {
        return false;
    }
    *d = next;
    return true;
}

/*
 * The fewest digits that read back as v. All numbers of 15 digits (6 when single) survive the way
 * there and back, so nothing shorter needs a look, but for subnormals, which have less precision.
 * The nearest number of so many digits is the one to try; for a power of two the gap above is twice
 * as wide as the one below, so that the next greater one may do when the nearest does not.
 */
static void find_shortest(double v, bool single, struct digits *out)
{
    int binary_exponent;
    bool power_of_two = frexp(v, &binary_exponent) == 0.5;
    bool subnormal = v < (single ? (double)FLT_MIN : DBL_MIN);
    int least = single ? FLT_DIG : DBL_DIG;
    int most = single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
    char text[40];

    for (int precision = subnormal ? 1 : least; precision <= most; precision++) {
        (void)snprintf(text, sizeof text, "%.*e", precision - 1, v);
        read_scientific(text, out);
        if (reads_back(text, v, single) ||
            (power_of_two && try_next_digits(out, (size_t)precision, v, single))) {
            return;
        }
    }
}

static char *put_zeros(char *p, int count)
{
    for (int i = 0; i < count; i++) {
        *p++ = '0';
    }
    return p;
}

static char *put_text(char *p, const char *text, size_t len)
{
    memcpy(p, text, len);
    return p + len;
}

static void put_digits(struct buf *out, const struct digits *d, bool negative)
{
    char text[64];
    char *p = text;
    int count = (int)d->count;

    if (negative) {
        *p++ = '-';
    }
    if (d->exponent < -7 || d->exponent > 20) {
        *p++ = d->at[0];
        if (count > 1) {
            *p++ = '.';
            p = put_text(p, d->at + 1, d->count - 1);
        }
        *p++ = 'e';
        p += str_put_i64(p, d->exponent);
    } else if (d->exponent < 0) {
        p = put_text(p, "0.", 2);
        p = put_zeros(p, -1 - d->exponent);
        p = put_text(p, d->at, d->count);
    } else if (count <= d->exponent + 1) {
        p = put_text(p, d->at, d->count);
        p = put_zeros(p, d->exponent + 1 - count);
    } else {
        size_t whole = (size_t)d->exponent + 1;

        p = put_text(p, d->at, whole);
        *p++ = '.';
        p = put_text(p, d->at + whole, d->count - whole);
    }
    buf_append(out, text, (size_t)(p - text));
}

/* Whole numbers need no search: their digits are their shortest form up to `max`, 2^53 or 2^24. */
static bool put_whole(struct buf *out, double v, double max)
{
    if (v == 0) {
        buf_append_str(out, signbit(v) ? "-0.0" : "0");
        return true;
    }
    if (v >= -max && v <= max && v == (double)(int64_t)v) {
        json_put_i64(out, (int64_t)v);
        return true;
    }
    return false;
}

/* whole.fraction with `places` digits behind the point, of m / 10^places. */
static void put_places(struct buf *out, uint64_t m, uint64_t power, int places, bool negative)
{
    char text[64];
    char *p = text;
    uint64_t fraction = m % power;

    if (negative) {
        *p++ = '-';
    }
    p += str_put_u64(p, m / power);
    *p++ = '.';
    for (int i = places - 1; i >= 0; i--) {
        p[i] = (char)('0' + fraction % 10);
        fraction /= 10;
    }
    buf_append(out, text, (size_t)(p - text) + (size_t)places);
}

static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/*
 * Numbers with few digits behind the point, as most columns have: the quotient of two whole numbers
 * that are exact is what reading the digits would give, and up to 15 digits no other number of as
 * few digits is the same double.
 */
static bool put_few_places(struct buf *out, double v)
{
    double size = fabs(v);

    if (size < 1e-5) {
        return false;
    }
    for (int places = 1; places <= 9 && size * powers[places] < 1e15; places++) {
        uint64_t m = (uint64_t)(size * powers[places] + 0.5);

        if ((double)m / powers[places] == size) {
            put_places(out, m, (uint64_t)powers[places], places, v < 0);
            return true;
        }
    }
    return false;
}

/* The same for float: 6 digits, and a float holds them and the power exactly. */
static bool put_few_places_single(struct buf *out, float v)
{
    float size = fabsf(v);

    if (size < 1e-5f) {
        return false;
    }
    for (int places = 1; places <= 9 && (double)size * powers[places] < 1e6; places++) {
        uint64_t m = (uint64_t)((double)size * powers[places] + 0.5);

        if ((float)m / (float)powers[places] == size) {
            put_places(out, m, (uint64_t)powers[places], places, v < 0);
            return true;
        }
    }
    return false;
}

void json_put_f64(struct buf *out, double v)
{
    struct digits d = {0};

    if (!isfinite(v)) {
        buf_append_str(out, "null");
    } else if (!put_whole(out, v, 9007199254740992.0) && !put_few_places(out, v)) {
        find_shortest(fabs(v), false, &d);
        put_digits(out, &d, v < 0);
    }
}

void json_put_f32(struct buf *out, float v)
{
    struct digits d = {0};

    if (!isfinite(v)) {
        buf_append_str(out, "null");
    } else if (!put_whole(out, (double)v, 16777216.0) && !put_few_places_single(out, v)) {
        find_shortest(fabs((double)v), true, &d);
        put_digits(out, &d, v < 0);
    }
}

void json_put_minified(struct buf *out, struct span json)
{
    uint8_t *p = json.len == 0 ? NULL : buf_reserve(out, json.len);
    size_t n = 0;
    bool in_string = false;

    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < json.len; i++) {
        uint8_t c = json.data[i];

        if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
            continue;
        }
        p[n++] = c;
        if (c == '"') {
            in_string = !in_string;
        } else if (in_string && c == '\\' && i + 1 < json.len) {
            p[n++] = json.data[++i];
        }
    }
    out->len += n;
}
