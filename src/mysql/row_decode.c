/*
 * Values as rows events hold them; numbers are little-endian, packed decimals and BIT big-endian.
 *
 * MariaDB's COMPRESSED columns, behind the length of the whole:
 *
 *   nothing   an empty value
 *   0         then the bytes as they are
 *   head 1    high half: method, 8 = zlib; 0x08: no zlib header and checksum; low three bits: width
 *   length    of the value, width bytes, big-endian
 *   stream
 */
#include <inttypes.h>
#include <math.h>

#include "base/str.h"
#include "codec/compress.h"
#include "codec/decimal.h"
#include "mysql/json_binary.h"
#include "mysql/json_diff.h"
#include "mysql/row_plan_int.h"
#include "mysql/value_inet.h"
#include "mysql/value_temporal.h"

#define COMPRESSED_METHOD_SHIFT 4
#define COMPRESSED_METHOD_ZLIB  8
#define COMPRESSED_RAW          0x08u
#define COMPRESSED_WIDTH        0x07u

static enum err_code cut(struct err *e)
{
    (void)err_set(e, ERR_CORRUPT, "the row ends within the value");
    return ERR_CORRUPT;
}

/* Values made earlier in the row follow scratch to its new place. */
static void rebase(struct value *values, uint32_t count, const struct buf *from, const uint8_t *to)
{
    uintptr_t start = (uintptr_t)from->data;

    for (uint32_t i = 0; i < count; i++) {
        struct value *v = &values[i];

        if (v->kind == VALUE_DECIMAL || v->kind == VALUE_TEXT || v->kind == VALUE_BYTES ||
            v->kind == VALUE_JSON) {
            uintptr_t at = (uintptr_t)v->u.bytes.data;

            if (at >= start && at - start < from->len) {
                v->u.bytes.data = to + (at - start);
            }
        }
    }
}

static enum err_code scratch_grow(struct row_reader *r, size_t more, struct err *e)
{
    struct buf bigger;

    buf_init(&bigger, r->scratch.cap_max);
    if (buf_reserve(&bigger, r->scratch.len + more) == NULL) {
        return buf_check(&bigger, e, "row");
    }
    buf_append_span(&bigger, buf_span(&r->scratch));
    if (r->scratch.len > 0) {
        rebase(r->before, r->column_count, &r->scratch, bigger.data);
        rebase(r->after, r->column_count, &r->scratch, bigger.data);
    }
    buf_deinit(&r->scratch);
    r->scratch = bigger;
    return ERR_OK;
}

/* After this scratch has room for `more` bytes and does not move while they are written. */
static inline enum err_code scratch_room(struct row_reader *r, size_t more, struct err *e)
{
    if (r->scratch.cap - r->scratch.len >= more) {
        return ERR_OK;
    }
    return scratch_grow(r, more, e);
}

/* The last len bytes of scratch, which have just been written, as a value. */
static void scratch_value(struct row_reader *r, enum value_kind kind, size_t len, struct value *out)
{
    out->kind = kind;
    out->u.bytes = span_of(r->scratch.data + r->scratch.len, len);
    r->scratch.len += len;
}

static inline enum err_code read_prefixed(struct row_reader *r, const struct row_op *op,
                                          struct span *out, struct err *e)
{
    size_t len = op->bytes == 1 ? bytes_u8(&r->in) : (size_t)bytes_uint_le(&r->in, op->bytes);
    const uint8_t *p = bytes_take(&r->in, len);

    if (p == NULL || bytes_failed(&r->in)) {
        return cut(e);
    }
    *out = (struct span){p, len};
    return ERR_OK;
}

#define DECODE_INT(scope, name, wire_type, out_kind, field)                              \
    scope enum err_code row_decode_##name(struct row_reader *r, const struct row_op *op, \
                                          struct value *out, struct err *e)              \
    {                                                                                    \
        const uint8_t *p = bytes_take(&r->in, sizeof(wire_type));                        \
        wire_type v;                                                                     \
                                                                                         \
        (void)op;                                                                        \
        if (p == NULL) {                                                                 \
            return cut(e);                                                               \
        }                                                                                \
        memcpy(&v, p, sizeof v);                                                         \
        out->kind = out_kind;                                                            \
        out->u.field = v;                                                                \
        return ERR_OK;                                                                   \
    }

DECODE_INT(, u8, uint8_t, VALUE_U64, u64)
DECODE_INT(, i16, int16_t, VALUE_I64, i64)
DECODE_INT(, u16, uint16_t, VALUE_U64, u64)
DECODE_INT(, i32, int32_t, VALUE_I64, i64)
DECODE_INT(, u32, uint32_t, VALUE_U64, u64)
DECODE_INT(, i64, int64_t, VALUE_I64, i64)
DECODE_INT(, u64, uint64_t, VALUE_U64, u64)
DECODE_INT(static, any_f32, float, VALUE_F32, f32)
DECODE_INT(static, any_f64, double, VALUE_F64, f64)

static enum err_code not_finite(struct err *e)
{
    return err_set(e, ERR_CORRUPT, "a number that is not finite");
}

enum err_code row_decode_f32(struct row_reader *r, const struct row_op *op, struct value *out,
                             struct err *e)
{
    ERR_TRY(row_decode_any_f32(r, op, out, e));
    return isfinite(out->u.f32) ? ERR_OK : not_finite(e);
}

enum err_code row_decode_f64(struct row_reader *r, const struct row_op *op, struct value *out,
                             struct err *e)
{
    ERR_TRY(row_decode_any_f64(r, op, out, e));
    return isfinite(out->u.f64) ? ERR_OK : not_finite(e);
}

/* What was read as unsigned is two's complement; `range` is how many values there are. */
static void to_signed(struct value *out, int64_t range)
{
    int64_t v = (int64_t)out->u.u64;

    out->kind = VALUE_I64;
    out->u.i64 = v >= range / 2 ? v - range : v;
}

enum err_code row_decode_i8(struct row_reader *r, const struct row_op *op, struct value *out,
                            struct err *e)
{
    ERR_TRY(row_decode_u8(r, op, out, e));
    to_signed(out, 0x100);
    return ERR_OK;
}

enum err_code row_decode_u24(struct row_reader *r, const struct row_op *op, struct value *out,
                             struct err *e)
{
    uint32_t v = bytes_u24le(&r->in);

    (void)op;
    if (bytes_failed(&r->in)) {
        return cut(e);
    }
    out->kind = VALUE_U64;
    out->u.u64 = v;
    return ERR_OK;
}

enum err_code row_decode_i24(struct row_reader *r, const struct row_op *op, struct value *out,
                             struct err *e)
{
    ERR_TRY(row_decode_u24(r, op, out, e));
    to_signed(out, 0x1000000);
    return ERR_OK;
}

enum err_code row_decode_year(struct row_reader *r, const struct row_op *op, struct value *out,
                              struct err *e)
{
    ERR_TRY(row_decode_u8(r, op, out, e));
    if (out->u.u64 != 0) {
        out->u.u64 += 1900;
    }
    return ERR_OK;
}

enum err_code row_decode_decimal(struct row_reader *r, const struct row_op *op, struct value *out,
                                 struct err *e)
{
    const uint8_t *p = bytes_take(&r->in, op->bytes);

    if (p == NULL) {
        return cut(e);
    }
    ERR_TRY(scratch_room(r, DECIMAL_TEXT_BYTES, e));
    size_t len = decimal_to_text(span_of(p, op->bytes), op->precision, op->scale,
                                 (char *)r->scratch.data + r->scratch.len);

    if (len == 0) {
        char hex[2 * DECIMAL_TEXT_BYTES + 1];

        str_hex(hex, p, op->bytes);
        return err_set(e, ERR_CORRUPT, "0x%s is no DECIMAL(%u,%u)", hex, op->precision, op->scale);
    }
    scratch_value(r, VALUE_DECIMAL, len, out);
    return ERR_OK;
}

enum err_code row_decode_bit(struct row_reader *r, const struct row_op *op, struct value *out,
                             struct err *e)
{
    uint64_t v = bytes_uint_be(&r->in, op->bytes);

    if (bytes_failed(&r->in)) {
        return cut(e);
    }
    if (op->length < 64 && v >> op->length != 0) {
        return err_set(e, ERR_CORRUPT, "more bits than BIT(%u) has", op->length);
    }
    out->kind = VALUE_U64;
    out->u.u64 = v;
    return ERR_OK;
}

static enum err_code bad_temporal(const struct row_op *op, const uint8_t *p, struct err *e)
{
    char hex[2 * 8 + 1];

    str_hex(hex, p, op->bytes);
    return err_set(e, ERR_CORRUPT, "0x%s is no date or time", hex);
}

#define DECODE_OLD_TEMPORAL(name, function, out_kind)                              \
    enum err_code row_decode_##name(struct row_reader *r, const struct row_op *op, \
                                    struct value *out, struct err *e)              \
    {                                                                              \
        const uint8_t *p = bytes_take(&r->in, op->bytes);                          \
                                                                                   \
        if (p == NULL) {                                                           \
            return cut(e);                                                         \
        }                                                                          \
        out->kind = out_kind;                                                      \
        return function(p, &out->u.civil) ? ERR_OK : bad_temporal(op, p, e);       \
    }

#define DECODE_TEMPORAL(name, function, out_kind)                                     \
    enum err_code row_decode_##name(struct row_reader *r, const struct row_op *op,    \
                                    struct value *out, struct err *e)                 \
    {                                                                                 \
        const uint8_t *p = bytes_take(&r->in, op->bytes);                             \
                                                                                      \
        if (p == NULL) {                                                              \
            return cut(e);                                                            \
        }                                                                             \
        out->kind = out_kind;                                                         \
        return function(p, op->fsp, &out->u.civil) ? ERR_OK : bad_temporal(op, p, e); \
    }

DECODE_OLD_TEMPORAL(date, temporal_date, VALUE_DATE)
DECODE_OLD_TEMPORAL(time_old, temporal_time_old, VALUE_TIME)
DECODE_OLD_TEMPORAL(datetime_old, temporal_datetime_old, VALUE_DATETIME)
DECODE_TEMPORAL(time2, temporal_time2, VALUE_TIME)
DECODE_TEMPORAL(datetime2, temporal_datetime2, VALUE_DATETIME)
DECODE_TEMPORAL(timestamp2, temporal_timestamp2, VALUE_TIMESTAMP)
DECODE_TEMPORAL(time_hires, temporal_time_hires, VALUE_TIME)
DECODE_TEMPORAL(datetime_hires, temporal_datetime_hires, VALUE_DATETIME)
DECODE_TEMPORAL(timestamp_hires, temporal_timestamp_hires, VALUE_TIMESTAMP)

enum err_code row_decode_timestamp_old(struct row_reader *r, const struct row_op *op,
                                       struct value *out, struct err *e)
{
    uint32_t seconds = bytes_u32le(&r->in);

    (void)op;
    if (bytes_failed(&r->in)) {
        return cut(e);
    }
    out->kind = VALUE_TIMESTAMP;
    temporal_from_seconds(seconds, &out->u.civil);
    return ERR_OK;
}

static enum err_code in_doubt(struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED,
                   "the value has a label that the source's catalog shows with a question mark, "
                   "which may stand for another character: set binlog_row_metadata=FULL, so that "
                   "the binlog has the labels");
}

enum err_code row_decode_enum(struct row_reader *r, const struct row_op *op, struct value *out,
                              struct err *e)
{
    uint64_t index = bytes_uint_le(&r->in, op->bytes);

    if (bytes_failed(&r->in)) {
        return cut(e);
    }
    if (index > op->label_count) {
        return err_set(e, ERR_CORRUPT, "member %u of an ENUM of %u", (unsigned)index,
                       op->label_count);
    }
    out->kind = VALUE_TEXT;
    out->u.bytes = index == 0 ? span_of("", 0) : op->labels[index - 1];
    return out->u.bytes.data == NULL ? in_doubt(e) : ERR_OK;
}

enum err_code row_decode_set(struct row_reader *r, const struct row_op *op, struct value *out,
                             struct err *e)
{
    uint64_t v = bytes_uint_le(&r->in, op->bytes);

    if (bytes_failed(&r->in)) {
        return cut(e);
    }
    if (op->label_count < 64 && v >> op->label_count != 0) {
        return err_set(e, ERR_CORRUPT, "more members than the %u of the SET", op->label_count);
    }
    out->kind = VALUE_U64;
    out->u.u64 = v;
    return (v & op->doubtful) != 0 ? in_doubt(e) : ERR_OK;
}

enum err_code row_make_utf8(struct row_reader *r, const struct row_op *op, struct span bytes,
                            struct value *out, struct err *e)
{
    (void)r;
    if (!str_is_utf8(bytes)) {
        return charset_bad_utf8(op->charset, bytes, e);
    }
    out->kind = VALUE_TEXT;
    out->u.bytes = bytes;
    return ERR_OK;
}

enum err_code row_make_text(struct row_reader *r, const struct row_op *op, struct span bytes,
                            struct value *out, struct err *e)
{
    if (bytes.len == 0 || (charset_has_ascii(op->charset) && charset_is_ascii_text(bytes))) {
        out->kind = VALUE_TEXT;
        out->u.bytes = bytes;
        return ERR_OK;
    }
    ERR_TRY(scratch_room(r, charset_utf8_bytes_max(bytes.len), e));
    size_t start = r->scratch.len;

    ERR_TRY(charset_to_utf8(op->charset, &r->charsets, bytes, &r->scratch, e));
    size_t len = r->scratch.len - start;

    r->scratch.len = start;
    scratch_value(r, VALUE_TEXT, len, out);
    return ERR_OK;
}

enum err_code row_make_bytes(struct row_reader *r, const struct row_op *op, struct span bytes,
                             struct value *out, struct err *e)
{
    (void)r;
    (void)op;
    (void)e;
    out->kind = VALUE_BYTES;
    out->u.bytes = bytes;
    return ERR_OK;
}

enum err_code row_decode_utf8(struct row_reader *r, const struct row_op *op, struct value *out,
                              struct err *e)
{
    struct span bytes;

    ERR_TRY(read_prefixed(r, op, &bytes, e));
    return row_make_utf8(r, op, bytes, out, e);
}

enum err_code row_decode_text(struct row_reader *r, const struct row_op *op, struct value *out,
                              struct err *e)
{
    struct span bytes;

    ERR_TRY(read_prefixed(r, op, &bytes, e));
    return row_make_text(r, op, bytes, out, e);
}

enum err_code row_decode_bytes(struct row_reader *r, const struct row_op *op, struct value *out,
                               struct err *e)
{
    out->kind = VALUE_BYTES;
    return read_prefixed(r, op, &out->u.bytes, e);
}

/* What was written to r->made. */
static enum err_code made_value(struct row_reader *r, enum value_kind kind, struct value *out,
                                struct err *e)
{
    ERR_TRY(scratch_room(r, r->made.len, e));
    if (r->made.len > 0) {
        memcpy(r->scratch.data + r->scratch.len, r->made.data, r->made.len);
    }
    scratch_value(r, kind, r->made.len, out);
    return ERR_OK;
}

static enum err_code too_long(const struct row_op *op, uint64_t len, struct err *e)
{
    return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes where at most %u fit", len, op->length);
}

/* Puts the bytes of a compressed value into r->made. */
static enum err_code unpack(struct row_reader *r, const struct row_op *op, uint8_t head,
                            struct bytes_reader *in, struct err *e)
{
    unsigned width = head & COMPRESSED_WIDTH;
    uint64_t len = width >= 1 && width <= 4 ? bytes_uint_be(in, width) : 0;
    struct span stream = bytes_rest(in);

    if (head >> COMPRESSED_METHOD_SHIFT != COMPRESSED_METHOD_ZLIB) {
        return err_set(e, ERR_UNSUPPORTED,
                       "it is compressed by a method that is not known (0x%02x)", head);
    }
    if (bytes_failed(in) || len == 0) {
        return err_set(e, ERR_CORRUPT, "a compressed value without its size");
    }
    if (len > op->length) {
        return too_long(op, len, e);
    }
    buf_reset(&r->made);
    return (head & COMPRESSED_RAW) != 0
               ? deflate_decompress_exactly(stream, (size_t)len, &r->made, e)
               : zlib_decompress(stream, (size_t)len, &r->made, e);
}

enum err_code row_decode_compressed(struct row_reader *r, const struct row_op *op,
                                    struct value *out, struct err *e)
{
    struct span bytes;
    struct bytes_reader in;

    ERR_TRY(read_prefixed(r, op, &bytes, e));
    bytes_reader_init(&in, bytes);
    uint8_t head = bytes.len == 0 ? 0 : bytes_u8(&in);

    if (head == 0) {
        bytes = bytes_rest(&in);
        return bytes.len > op->length ? too_long(op, bytes.len, e) : op->make(r, op, bytes, out, e);
    }
    ERR_TRY(unpack(r, op, head, &in, e));
    ERR_TRY(op->make(r, op, buf_span(&r->made), out, e));
    return out->u.bytes.data == r->made.data ? made_value(r, out->kind, out, e) : ERR_OK;
}

enum err_code row_decode_geometry(struct row_reader *r, const struct row_op *op, struct value *out,
                                  struct err *e)
{
    out->kind = VALUE_GEOMETRY;
    return read_prefixed(r, op, &out->u.bytes, e);
}

/* The binlog leaves out zero bytes at the end. */
enum err_code row_decode_binary(struct row_reader *r, const struct row_op *op, struct value *out,
                                struct err *e)
{
    struct span bytes;

    ERR_TRY(read_prefixed(r, op, &bytes, e));
    if (bytes.len == op->length) {
        out->kind = VALUE_BYTES;
        out->u.bytes = bytes;
        return ERR_OK;
    }
    if (bytes.len > op->length) {
        return too_long(op, bytes.len, e);
    }
    ERR_TRY(scratch_room(r, op->length, e));
    uint8_t *p = r->scratch.data + r->scratch.len;

    memcpy(p, bytes.data, bytes.len);
    memset(p + bytes.len, 0, op->length - bytes.len);
    scratch_value(r, VALUE_BYTES, op->length, out);
    return ERR_OK;
}

static enum err_code decode_to_text(struct row_reader *r, const struct row_op *op,
                                    size_t (*put)(const uint8_t *p, char *out), size_t text_bytes,
                                    struct value *out, struct err *e)
{
    uint8_t padded[VALUE_UUID_BYTES] = {0};
    struct span bytes;

    ERR_TRY(read_prefixed(r, op, &bytes, e));
    if (bytes.len > op->length) {
        return too_long(op, bytes.len, e);
    }
    memcpy(padded, bytes.data, bytes.len);
    ERR_TRY(scratch_room(r, text_bytes, e));
    scratch_value(r, VALUE_TEXT, put(padded, (char *)r->scratch.data + r->scratch.len), out);
    return ERR_OK;
}

enum err_code row_decode_uuid(struct row_reader *r, const struct row_op *op, struct value *out,
                              struct err *e)
{
    return decode_to_text(r, op, value_put_uuid, VALUE_UUID_TEXT_BYTES, out, e);
}

enum err_code row_decode_inet4(struct row_reader *r, const struct row_op *op, struct value *out,
                               struct err *e)
{
    return decode_to_text(r, op, value_put_inet4, VALUE_INET4_TEXT_BYTES, out, e);
}

enum err_code row_decode_inet6(struct row_reader *r, const struct row_op *op, struct value *out,
                               struct err *e)
{
    return decode_to_text(r, op, value_put_inet6, VALUE_INET6_TEXT_BYTES, out, e);
}

enum err_code row_decode_json(struct row_reader *r, const struct row_op *op, struct value *out,
                              struct err *e)
{
    struct span document;

    ERR_TRY(read_prefixed(r, op, &document, e));
    buf_reset(&r->made);
    ERR_TRY(json_binary_to_text(document, &r->made, e));
    return made_value(r, VALUE_JSON, out, e);
}

enum err_code row_decode_json_diff(struct row_reader *r, const struct row_op *op,
                                   struct span document, struct value *out, struct err *e)
{
    struct span diffs;

    ERR_TRY(read_prefixed(r, op, &diffs, e));
    buf_reset(&r->made);
    ERR_TRY(json_diff_to_text(document, diffs, &r->diffs, &r->made, e));
    return made_value(r, VALUE_JSON, out, e);
}
