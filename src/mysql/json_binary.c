/*
 * Document: type 1, value.
 *
 *   0, 2  small object, array   counts, sizes and offsets have 2 bytes
 *   1, 3  large object, array   ... 4 bytes
 *         count, size
 *         object: per key    offset, length 2
 *         per value          type 1, offset; or the value itself where it fits in the bytes of an
 *                            offset: literals, 16-bit integers, in large ones 32-bit integers
 *         Offsets count from `count` on and need not ascend: an update in place leaves holes.
 *   4     literal            1: null 0, true 1, false 2
 *   5-10  i16 u16 i32 u32 i64 u64
 *   11    double             8
 *   12    string             length 7 bits per byte, low first; UTF-8
 *   15    opaque             MySQL type 1, length as for strings, bytes
 *
 * Opaque: NEWDECIMAL (precision 1, scale 1, packed), DATE, TIME, DATETIME and TIMESTAMP (packed, 8
 * bytes); all others are shown in base64.
 */
#include "mysql/json_binary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "codec/base64.h"
#include "codec/decimal.h"
#include "codec/json_writer.h"
#include "mysql/json_binary_int.h"
#include "mysql/value_temporal.h"
#include "mysql/wire_type.h"

enum json_type {
    JSON_SMALL_OBJECT = 0,
    JSON_LARGE_OBJECT = 1,
    JSON_SMALL_ARRAY = 2,
    JSON_LARGE_ARRAY = 3,
    JSON_LITERAL = 4,
    JSON_I16 = 5,
    JSON_U16 = 6,
    JSON_I32 = 7,
    JSON_U32 = 8,
    JSON_I64 = 9,
    JSON_U64 = 10,
    JSON_DOUBLE = 11,
    JSON_STRING = 12,
    JSON_OPAQUE = 15,
};

/* The server breaks base64 after so many characters, and the line feed becomes an escape. */
#define BASE64_LINE_BYTES 57u

static enum err_code broken(struct err *e, const char *what)
{
    (void)err_set(e, ERR_CORRUPT, "JSON document: %s", what);
    return ERR_CORRUPT;
}

static enum err_code corrupt(const struct json_text *w, const char *what)
{
    return broken(w->e, what);
}

/* "1.0", "0.001", "1.5e300": digits[0..n) with the point after `point` of them. */
static void put_double_digits(struct buf *out, const char *digits, int n, int point)
{
    /* The rule of the server's my_gcvt(). */
    bool plain = point >= -14 && (point <= 15 || n > point);

    if (!plain) {
        buf_append(out, digits, 1);
        if (n > 1) {
            buf_u8(out, '.');
            buf_append(out, digits + 1, (size_t)n - 1);
        }
        buf_u8(out, 'e');
        json_put_i64(out, point - 1);
        return;
    }
    if (point <= 0) {
        buf_append_str(out, "0.");
        for (int i = point; i < 0; i++) {
            buf_u8(out, '0');
        }
        buf_append(out, digits, (size_t)n);
        return;
    }
    for (int i = 0; i < n || i < point; i++) {
        if (i == point) {
            buf_u8(out, '.');
        }
        buf_u8(out, i < n ? (uint8_t)digits[i] : (uint8_t)'0');
    }
    if (n <= point) {
        buf_append_str(out, ".0");
    }
}

/* The next number of as many digits: "1.29e3" becomes "1.30e3"; false for nines only. */
static bool next_up(char *text)
{
    size_t i = strcspn(text, "e");

    while (i > 0) {
        i--;
        if (text[i] == '9') {
            text[i] = '0';
        } else if (text[i] != '.') {
            text[i]++;
            return true;
        }
    }
    return false;
}

/* The fewest digits that read back as v (above 0), as "d.ddde±xx". */
static void format_shortest(double v, char *text, size_t text_bytes)
{
    int exponent;
    bool power_of_two = frexp(v, &exponent) == 0.5;

    /* Any 15 digits survive a normal double; subnormal ones hold fewer. */
    for (int precision = fpclassify(v) == FP_SUBNORMAL ? 0 : 14; precision <= 16; precision++) {
        (void)snprintf(text, text_bytes, "%.*e", precision, v);
        if (strtod(text, NULL) == v) {
            return;
        }
        /* Below a power of two doubles are closer: the nearest digits may miss it, those above not.
         */
        if (power_of_two && next_up(text) && strtod(text, NULL) == v) {
            return;
        }
    }
}

static enum err_code put_double(struct json_text *w, double v)
{
    char text[40];
    char digits[24];
    int n = 0;

    if (!isfinite(v)) {
        return corrupt(w, "a number that is not finite");
    }
    if (signbit(v)) {
        buf_u8(w->out, '-');
    }
    if (v == 0) {
        buf_append_str(w->out, "0.0");
        return ERR_OK;
    }
    v = fabs(v);
    format_shortest(v, text, sizeof text);
    const char *p = text;

    for (; *p != 'e' && *p != '\0'; p++) {
        if (*p != '.' && n < (int)sizeof digits) {
            digits[n++] = *p;
        }
    }
    int exponent = (int)strtol(p + 1, NULL, 10);

    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }
    put_double_digits(w->out, digits, n, exponent + 1);
    return ERR_OK;
}

/* The length in front of strings and opaque values: at most 5 bytes. */
static uint64_t read_length(struct bytes_reader *in)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t b = bytes_u8(in);

        v |= (uint64_t)(b & 0x7f) << shift;
        if ((b & 0x80) == 0) {
            return v;
        }
    }
    bytes_fail(in);
    return 0;
}

static struct span read_sized(struct bytes_reader *in)
{
    uint64_t len = read_length(in);

    if (len > bytes_left(in)) {
        bytes_fail(in);
        return (struct span){NULL, 0};
    }
    return bytes_span(in, (size_t)len);
}

static enum err_code put_string(struct json_text *w, struct span text)
{
    if (!str_is_utf8(text)) {
        return corrupt(w, "a string that is not UTF-8");
    }
    json_put_string(w->out, text);
    return ERR_OK;
}

static enum err_code put_decimal(struct json_text *w, struct span bytes)
{
    char text[DECIMAL_TEXT_BYTES];
    struct bytes_reader in;
    size_t len;

    bytes_reader_init(&in, bytes);
    unsigned precision = bytes_u8(&in);
    unsigned scale = bytes_u8(&in);

    len = bytes_failed(&in) ? 0 : decimal_to_text(bytes_rest(&in), precision, scale, text);
    if (len == 0) {
        return corrupt(w, "a decimal that is none");
    }
    buf_append(w->out, text, len);
    return ERR_OK;
}

static enum err_code put_temporal(struct json_text *w, uint8_t type, struct span bytes)
{
    struct bytes_reader in;
    struct civil c;

    bytes_reader_init(&in, bytes);
    int64_t packed = (int64_t)bytes_u64le(&in);
    bool valid =
        type == WIRE_TIME ? temporal_packed_time(packed, &c) : temporal_packed_datetime(packed, &c);

    if (bytes_failed(&in) || bytes_left(&in) != 0 || !valid) {
        return corrupt(w, "a date or time that is none");
    }
    if (type == WIRE_TIME) {
        buf_printf(w->out, "\"%s%02u:%02u:%02u.%06u\"", c.negative ? "-" : "", c.hour, c.minute,
                   c.second, c.micros);
    } else if (type == WIRE_DATE) {
        buf_printf(w->out, "\"%04u-%02u-%02u\"", c.year, c.month, c.day);
    } else {
        buf_printf(w->out, "\"%04u-%02u-%02u %02u:%02u:%02u.%06u\"", c.year, c.month, c.day, c.hour,
                   c.minute, c.second, c.micros);
    }
    return ERR_OK;
}

static void put_opaque_base64(struct json_text *w, uint8_t type, struct span bytes)
{
    buf_printf(w->out, "\"base64:type%u:", type);
    for (size_t at = 0; at < bytes.len; at += BASE64_LINE_BYTES) {
        size_t left = bytes.len - at;

        if (at > 0) {
            buf_append_str(w->out, "\\n");
        }
        base64_encode(span_of(bytes.data + at, left < BASE64_LINE_BYTES ? left : BASE64_LINE_BYTES),
                      w->out);
    }
    buf_u8(w->out, '"');
}

static enum err_code put_opaque(struct json_text *w, struct bytes_reader *in)
{
    uint8_t type = bytes_u8(in);
    struct span bytes = read_sized(in);

    if (bytes_failed(in)) {
        return corrupt(w, "it ends within an opaque value");
    }
    switch (type) {
    case WIRE_NEWDECIMAL:
        return put_decimal(w, bytes);
    case WIRE_DATE:
    case WIRE_TIME:
    case WIRE_DATETIME:
    case WIRE_TIMESTAMP:
        return put_temporal(w, type, bytes);
    default:
        put_opaque_base64(w, type, bytes);
        return ERR_OK;
    }
}

static enum err_code put_literal(struct json_text *w, uint8_t v)
{
    static const char *const names[] = {"null", "true", "false"};

    if (v >= sizeof names / sizeof names[0]) {
        return corrupt(w, "a literal that is not known");
    }
    buf_append_str(w->out, names[v]);
    return ERR_OK;
}

static enum err_code put_integer(struct json_text *w, uint8_t type, struct bytes_reader *in)
{
    static const uint8_t widths[] = {2, 2, 4, 4, 8, 8};
    size_t width = widths[type - JSON_I16];
    uint64_t v = bytes_uint_le(in, width);

    if (bytes_failed(in)) {
        return corrupt(w, "it ends within a number");
    }
    if ((type - JSON_I16) % 2 != 0) {
        json_put_u64(w->out, v);
    } else {
        unsigned shift = 64 - 8 * (unsigned)width;

        json_put_i64(w->out, (int64_t)(v << shift) >> shift);
    }
    return ERR_OK;
}

/* A value that is not an object or array. */
static enum err_code put_scalar(struct json_text *w, uint8_t type, struct bytes_reader *in)
{
    switch (type) {
    case JSON_LITERAL: {
        uint8_t v = bytes_u8(in);

        return bytes_failed(in) ? corrupt(w, "it ends within a literal") : put_literal(w, v);
    }
    case JSON_I16:
    case JSON_U16:
    case JSON_I32:
    case JSON_U32:
    case JSON_I64:
    case JSON_U64:
        return put_integer(w, type, in);
    case JSON_DOUBLE: {
        uint64_t bits = bytes_u64le(in);
        double v;

        memcpy(&v, &bits, sizeof v);
        return bytes_failed(in) ? corrupt(w, "it ends within a number") : put_double(w, v);
    }
    case JSON_STRING: {
        struct span text = read_sized(in);

        return bytes_failed(in) ? corrupt(w, "it ends within a string") : put_string(w, text);
    }
    case JSON_OPAQUE:
        return put_opaque(w, in);
    default:
        return corrupt(w, "a type that is not known");
    }
}

/* Whether a value's own bytes stand where others have an offset. */
static bool is_inline(uint8_t type, bool large)
{
    return type == JSON_LITERAL || type == JSON_I16 || type == JSON_U16 ||
           (large && (type == JSON_I32 || type == JSON_U32));
}

bool json_part_is_container(const struct json_part *part)
{
    return part->type <= JSON_LARGE_ARRAY;
}

struct json_part json_document_part(struct span document)
{
    static const uint8_t null[] = {0};
    struct json_part part = {JSON_LITERAL, {null, sizeof null}};

    if (document.len > 0) {
        struct bytes_reader in;

        bytes_reader_init(&in, document);
        part.type = bytes_u8(&in);
        part.bytes = bytes_rest(&in);
    }
    return part;
}

enum err_code json_part_open(const struct json_part *part, struct json_level *out, struct err *e)
{
    struct bytes_reader in;

    *out = (struct json_level){
        .object = part->type == JSON_SMALL_OBJECT || part->type == JSON_LARGE_OBJECT,
        .large = part->type == JSON_LARGE_OBJECT || part->type == JSON_LARGE_ARRAY,
    };
    size_t width = out->large ? 4 : 2;

    bytes_reader_init(&in, part->bytes);
    uint64_t count = bytes_uint_le(&in, width);
    uint64_t size = bytes_uint_le(&in, width);

    if (bytes_failed(&in) || size > part->bytes.len) {
        return broken(e, "it ends within an object or array");
    }
    /* count has at most 32 bits: neither product overflows. */
    out->bytes = span_of(part->bytes.data, (size_t)size);
    bytes_reader_init(&in, out->bytes);
    bytes_skip(&in, 2 * width);
    out->keys = bytes_span(&in, out->object ? (size_t)count * (width + 2) : 0);
    out->values = bytes_span(&in, (size_t)count * (width + 1));
    out->count = (uint32_t)count;
    return bytes_failed(&in) ? broken(e, "an object or array with more values than bytes") : ERR_OK;
}

enum err_code json_level_key(const struct json_level *l, uint32_t i, struct span *out,
                             struct err *e)
{
    size_t width = l->large ? 4 : 2;
    struct bytes_reader entry;
    struct bytes_reader in;

    bytes_reader_init(&entry, l->keys);
    bytes_skip(&entry, (size_t)i * (width + 2));
    uint64_t offset = bytes_uint_le(&entry, width);
    size_t len = bytes_u16le(&entry);

    bytes_reader_init(&in, l->bytes);
    if (offset > bytes_left(&in)) {
        bytes_fail(&in);
    }
    bytes_skip(&in, (size_t)offset);
    *out = bytes_span(&in, len);
    return bytes_failed(&in) ? broken(e, "a key outside its object") : ERR_OK;
}

enum err_code json_level_value(const struct json_level *l, uint32_t i, struct json_part *out,
                               struct err *e)
{
    size_t width = l->large ? 4 : 2;
    struct bytes_reader in;

    bytes_reader_init(&in, l->values);
    bytes_skip(&in, (size_t)i * (width + 1));
    out->type = bytes_u8(&in);
    if (is_inline(out->type, l->large)) {
        out->bytes = bytes_span(&in, width);
        return ERR_OK;
    }
    uint64_t offset = bytes_uint_le(&in, width);

    if (offset >= l->bytes.len) {
        return broken(e, "a value outside its object or array");
    }
    bytes_reader_init(&in, l->bytes);
    bytes_skip(&in, (size_t)offset);
    out->bytes = bytes_rest(&in);
    return ERR_OK;
}

enum err_code json_text_key(struct json_text *w, struct span key)
{
    ERR_TRY(put_string(w, key));
    buf_u8(w->out, ':');
    return ERR_OK;
}

enum err_code json_text_check(const struct json_text *w)
{
    if (w->out->len > w->len_max) {
        return corrupt(w, "its parts overlap");
    }
    return buf_check(w->out, w->e, "JSON document");
}

enum err_code json_text_too_deep(const struct json_text *w)
{
    return corrupt(w, "more than 100 levels");
}

/* An object or array that is being written. */
struct open_level {
    struct json_level level;
    uint32_t next;
};

static enum err_code open_level(struct json_text *w, const struct json_part *part,
                                struct open_level *out)
{
    out->next = 0;
    ERR_TRY(json_part_open(part, &out->level, w->e));
    buf_u8(w->out, out->level.object ? '{' : '[');
    return ERR_OK;
}

/* The next value of a level: a scalar is written, a container opened as *child. */
static enum err_code next_value(struct json_text *w, struct open_level *l, struct open_level *child,
                                bool *descended)
{
    uint32_t i = l->next++;
    struct json_part part;

    if (i > 0) {
        buf_u8(w->out, ',');
    }
    if (l->level.object) {
        struct span key;

        ERR_TRY(json_level_key(&l->level, i, &key, w->e));
        ERR_TRY(json_text_key(w, key));
    }
    ERR_TRY(json_level_value(&l->level, i, &part, w->e));
    *descended = json_part_is_container(&part);
    if (*descended) {
        return open_level(w, &part, child);
    }
    struct bytes_reader in;

    bytes_reader_init(&in, part.bytes);
    return put_scalar(w, part.type, &in);
}

static enum err_code put_container(struct json_text *w, const struct json_part *part,
                                   unsigned above)
{
    struct open_level levels[JSON_DEPTH_MAX];
    unsigned depth = 1;

    if (above >= JSON_DEPTH_MAX) {
        return json_text_too_deep(w);
    }
    ERR_TRY(open_level(w, part, &levels[0]));
    while (depth > 0) {
        struct open_level *l = &levels[depth - 1];
        bool descended;

        if (l->next == l->level.count) {
            buf_u8(w->out, l->level.object ? '}' : ']');
            depth--;
            continue;
        }
        if (above + depth == JSON_DEPTH_MAX) {
            return json_text_too_deep(w);
        }
        ERR_TRY(next_value(w, l, &levels[depth], &descended));
        depth += descended ? 1 : 0;
        ERR_TRY(json_text_check(w));
    }
    return ERR_OK;
}

enum err_code json_text_part(struct json_text *w, const struct json_part *part, unsigned above)
{
    struct bytes_reader in;

    if (json_part_is_container(part)) {
        return put_container(w, part, above);
    }
    bytes_reader_init(&in, part->bytes);
    ERR_TRY(put_scalar(w, part->type, &in));
    return json_text_check(w);
}

enum err_code json_binary_to_text(struct span document, struct buf *out, struct err *e)
{
    struct json_text w;
    struct json_part part = json_document_part(document);

    json_text_init(&w, out, document.len, e);
    ERR_TRY(json_text_part(&w, &part, 0));
    return json_text_check(&w);
}
