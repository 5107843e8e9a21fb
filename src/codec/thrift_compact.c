/*
 * Field header: (id delta << 4 | type) for deltas of 1 to 15, else the type byte and the id as a
 * zigzag varint. List header: (count << 4 | element type) below 15, else 0xf0 | type and the count
 * as a varint.
 */
#include "codec/thrift_compact.h"

#define DEPTH_MAX 64

static void put_field(struct thrift_writer *w, int16_t id, enum thrift_type type)
{
    int delta = id - w->last;

    if (delta >= 1 && delta <= 15) {
        buf_u8(w->out, (uint8_t)(delta << 4 | (int)type));
    } else {
        buf_u8(w->out, (uint8_t)type);
        buf_zigzag(w->out, id);
    }
    w->last = id;
}

void thrift_bool(struct thrift_writer *w, int16_t id, bool v)
{
    put_field(w, id, v ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_i8(struct thrift_writer *w, int16_t id, int8_t v)
{
    put_field(w, id, THRIFT_I8);
    buf_u8(w->out, (uint8_t)v);
}

void thrift_i32(struct thrift_writer *w, int16_t id, int32_t v)
{
    put_field(w, id, THRIFT_I32);
    buf_zigzag(w->out, v);
}

void thrift_i64(struct thrift_writer *w, int16_t id, int64_t v)
{
    put_field(w, id, THRIFT_I64);
    buf_zigzag(w->out, v);
}

void thrift_binary(struct thrift_writer *w, int16_t id, struct span v)
{
    put_field(w, id, THRIFT_BINARY);
    buf_varint(w->out, v.len);
    buf_append_span(w->out, v);
}

void thrift_list(struct thrift_writer *w, int16_t id, enum thrift_type element, uint32_t count)
{
    put_field(w, id, THRIFT_LIST);
    if (count < 15) {
        buf_u8(w->out, (uint8_t)(count << 4 | (uint32_t)element));
    } else {
        buf_u8(w->out, (uint8_t)(0xf0 | (int)element));
        buf_varint(w->out, count);
    }
}

struct thrift_writer thrift_struct(struct thrift_writer *w, int16_t id)
{
    put_field(w, id, THRIFT_STRUCT);
    return (struct thrift_writer){w->out, 0};
}

struct thrift_writer thrift_element(struct thrift_writer *w)
{
    return (struct thrift_writer){w->out, 0};
}

void thrift_stop(struct thrift_writer *w)
{
    buf_u8(w->out, THRIFT_STOP);
}

bool thrift_next(struct thrift_reader *r, struct thrift_field *out)
{
    uint8_t header = bytes_u8(r->in);

    if (bytes_failed(r->in) || (header & 15) == THRIFT_STOP) {
        return false;
    }
    if ((header & 15) > THRIFT_STRUCT) {
        bytes_fail(r->in);
        return false;
    }
    int64_t id = header >> 4 != 0 ? (int64_t)r->last + (header >> 4) : bytes_zigzag(r->in);

    if (id < INT16_MIN || id > INT16_MAX) {
        bytes_fail(r->in);
    }
    if (bytes_failed(r->in)) {
        return false;
    }
    out->type = (enum thrift_type)(header & 15);
    out->id = r->last = (int16_t)id;
    return true;
}

bool thrift_read_bool(const struct thrift_field *f)
{
    return f->type == THRIFT_TRUE;
}

int64_t thrift_read_int(struct thrift_reader *r)
{
    return bytes_zigzag(r->in);
}

struct span thrift_read_binary(struct thrift_reader *r)
{
    uint64_t len = bytes_varint(r->in);

    if (len > bytes_left(r->in)) {
        bytes_fail(r->in);
        return (struct span){NULL, 0};
    }
    return bytes_span(r->in, (size_t)len);
}

uint32_t thrift_read_list(struct thrift_reader *r, enum thrift_type *element)
{
    uint8_t header = bytes_u8(r->in);
    uint64_t count = header >> 4;

    if (count == 15) {
        count = bytes_varint(r->in);
    }
    /* Every element takes at least one byte. The type of an empty list may be anything, even none.
     */
    if ((header & 15) > THRIFT_STRUCT || count > bytes_left(r->in) || count > INT32_MAX ||
        ((header & 15) == THRIFT_STOP && count > 0)) {
        bytes_fail(r->in);
    }
    if (bytes_failed(r->in)) {
        *element = THRIFT_I8;
        return 0;
    }
    *element = (enum thrift_type)(header & 15);
    return (uint32_t)count;
}

static void skip(struct thrift_reader *r, enum thrift_type type, int depth);

/* In lists and maps a boolean takes a byte; as a field it is in the field's header. */
static void skip_element(struct thrift_reader *r, enum thrift_type type, int depth)
{
    if (type == THRIFT_TRUE || type == THRIFT_FALSE) {
        bytes_skip(r->in, 1);
    } else {
        skip(r, type, depth + 1);
    }
}

static void skip_list(struct thrift_reader *r, int depth)
{
    enum thrift_type element;
    uint32_t count = thrift_read_list(r, &element);

    for (uint32_t i = 0; i < count && !bytes_failed(r->in); i++) {
        skip_element(r, element, depth);
    }
}

static void skip_map(struct thrift_reader *r, int depth)
{
    uint64_t count = bytes_varint(r->in);

    if (count == 0) {
        return;
    }
    uint8_t types = bytes_u8(r->in);

    /* Every key and every value takes at least one byte. */
    if (count > bytes_left(r->in) / 2 || types >> 4 > THRIFT_STRUCT ||
        (types & 15) > THRIFT_STRUCT) {
        bytes_fail(r->in);
        return;
    }
    for (uint64_t i = 0; i < count && !bytes_failed(r->in); i++) {
        skip_element(r, (enum thrift_type)(types >> 4), depth);
        skip_element(r, (enum thrift_type)(types & 15), depth);
    }
}

static void skip_struct(struct thrift_reader *r, int depth)
{
    struct thrift_reader inner = {r->in, 0};
    struct thrift_field f;

    while (thrift_next(&inner, &f)) {
        skip(&inner, f.type, depth + 1);
    }
}

static void skip(struct thrift_reader *r, enum thrift_type type, int depth)
{
    if (depth > DEPTH_MAX) {
        bytes_fail(r->in);
        return;
    }
    switch (type) {
    case THRIFT_STOP:
        bytes_fail(r->in);
        break;
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        break;
    case THRIFT_I8:
        bytes_skip(r->in, 1);
        break;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64:
        (void)bytes_varint(r->in);
        break;
    case THRIFT_DOUBLE:
        bytes_skip(r->in, 8);
        break;
    case THRIFT_BINARY:
        (void)thrift_read_binary(r);
        break;
    case THRIFT_LIST:
    case THRIFT_SET:
        skip_list(r, depth);
        break;
    case THRIFT_MAP:
        skip_map(r, depth);
        break;
    case THRIFT_STRUCT:
        skip_struct(r, depth);
        break;
    }
}

void thrift_skip(struct thrift_reader *r, enum thrift_type type)
{
    skip(r, type, 0);
}
