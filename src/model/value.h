/*
 * value.h - one value of a source row, in the form that both ways of reading it lead to.
 *
 * The binlog gives binary values and SELECT gives text; both decoders end here, so that the sinks
 * (JSON payload, typed columns) cannot tell them apart and the same row gives the same bytes.
 *
 * Bytes point into the input or into the decoder's scratch arena: valid until the next row.
 */
#ifndef CALVE_MODEL_VALUE_H
#define CALVE_MODEL_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum value_kind {
    VALUE_NULL,
    VALUE_I64,     /* signed integers */
    VALUE_U64,     /* unsigned integers, YEAR, BIT (BIT(1): 0 or 1), SET (member bitmap) */
    VALUE_F32,     /* FLOAT */
    VALUE_F64,     /* DOUBLE */
    VALUE_NUMBER,  /* an integer as its decimal digits: no sign of +, no leading zeros; from SELECT
                    */
    VALUE_DECIMAL, /* canonical digits as text: "-12.30", exactly `scale` fraction digits, no "-0"
                    */
    VALUE_TEXT,  /* UTF-8: CHAR, VARCHAR, TEXT, ENUM's label, UUID, INET4, INET6 in their usual text
                  */
    VALUE_BYTES, /* BINARY (padded to n), VARBINARY, BLOB, VECTOR */
    VALUE_JSON,  /* compact JSON text, MySQL's key order */
    VALUE_GEOMETRY,  /* u32le SRID, then WKB, as stored; may be empty */
    VALUE_DATE,      /* civil: year, month, day as stored, zero and partial dates too */
    VALUE_DATETIME,  /* civil */
    VALUE_TIMESTAMP, /* civil, UTC; all zero for '0000-00-00 00:00:00' */
    VALUE_TIME,      /* civil: negative, hour (0 to 838), minute, second, micros */
};

struct civil {
    uint32_t micros;
    uint16_t year;
    uint16_t hour;
    uint8_t month;
    uint8_t day;
    uint8_t minute;
    uint8_t second;
    bool negative; /* TIME only */
};

struct value {
    enum value_kind kind;
    union {
        int64_t i64;
        uint64_t u64;
        double f64;
        float f32;
        struct span bytes; /* NUMBER, DECIMAL, TEXT, BYTES, JSON, GEOMETRY */
        struct civil civil;
    } u;
};

#endif
