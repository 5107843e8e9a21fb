/*
 * thrift_compact.h - the Thrift compact protocol, as far as Parquet needs it.
 *
 * Spec: apache/thrift doc/specs/thrift-compact-protocol.md. Thread: any.
 */
#ifndef CALVE_CODEC_THRIFT_COMPACT_H
#define CALVE_CODEC_THRIFT_COMPACT_H

#include "base/buf.h"

enum thrift_type {
    THRIFT_STOP = 0,
    THRIFT_TRUE = 1,
    THRIFT_FALSE = 2,
    THRIFT_I8 = 3,
    THRIFT_I16 = 4,
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_DOUBLE = 7,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_SET = 10,
    THRIFT_MAP = 11,
    THRIFT_STRUCT = 12,
};

/* Writing: `last` is the struct's last field id so far; start a struct with 0, end it with
 * thrift_stop. */
struct thrift_writer {
    struct buf *out;
    int16_t last;
};

void thrift_bool(struct thrift_writer *w, int16_t id, bool v);
void thrift_i8(struct thrift_writer *w, int16_t id, int8_t v);
void thrift_i32(struct thrift_writer *w, int16_t id, int32_t v);
void thrift_i64(struct thrift_writer *w, int16_t id, int64_t v);
void thrift_binary(struct thrift_writer *w, int16_t id, struct span v);
void thrift_list(struct thrift_writer *w, int16_t id, enum thrift_type element, uint32_t count);
/* Field header of a struct; returns the writer for its fields. */
struct thrift_writer thrift_struct(struct thrift_writer *w, int16_t id);
/* A struct as a list element. */
struct thrift_writer thrift_element(struct thrift_writer *w);
void thrift_stop(struct thrift_writer *w);

/* Reading: one field header at a time; false at the stop byte or on failure of the reader. */
struct thrift_field {
    int16_t id;
    enum thrift_type type;
};

struct thrift_reader {
    struct bytes_reader *in;
    int16_t last;
};

bool thrift_next(struct thrift_reader *r, struct thrift_field *out);
bool thrift_read_bool(const struct thrift_field *f);
int64_t thrift_read_int(struct thrift_reader *r); /* i16, i32, i64 */
struct span thrift_read_binary(struct thrift_reader *r);
/* Element type and count; a count above the bytes left fails the reader. */
uint32_t thrift_read_list(struct thrift_reader *r, enum thrift_type *element);
/* Skips a value of this type; nesting deeper than 64 fails the reader. */
void thrift_skip(struct thrift_reader *r, enum thrift_type type);

#endif
