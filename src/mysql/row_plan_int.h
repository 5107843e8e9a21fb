/*
 * row_plan_int.h - a plan as the two files see it that make and follow it.
 *
 * Thread: any (read only once made).
 */
#ifndef CALVE_MYSQL_ROW_PLAN_INT_H
#define CALVE_MYSQL_ROW_PLAN_INT_H

#include "mysql/row_image.h"

struct row_op;

/*
 * Reads one value that is not NULL from r->in. Errors: as row_reader_next, not naming the column
 * yet.
 */
typedef enum err_code row_decode_fn(struct row_reader *r, const struct row_op *op,
                                    struct value *out, struct err *e);

/* Makes a value of the bytes of a text or BLOB. Errors: as row_decode_fn. */
typedef enum err_code row_make_fn(struct row_reader *r, const struct row_op *op, struct span bytes,
                                  struct value *out, struct err *e);

/* How one column is read. */
struct row_op {
    row_decode_fn *decode;
    row_make_fn *make; /* with row_decode_compressed: what then becomes of the bytes */
    uint8_t bytes;     /* of the value; of its length prefix, when prefixed */
    bool prefixed;
    bool json;         /* MySQL's JSON, of which an UPDATE may have diffs only */
    uint8_t precision; /* DECIMAL */
    uint8_t scale;     /* DECIMAL */
    uint8_t fsp;       /* TIME, DATETIME, TIMESTAMP with fractions */
    uint32_t length;   /* BINARY, UUID, INET4, INET6: bytes to pad to; BIT: bits; compressed: the
                          most bytes that a value has */
    const struct charset *charset; /* text */
    uint32_t label_count;
    const struct span *labels; /* ENUM: UTF-8; data NULL: in doubt, see column_label_in_doubt() */
    uint64_t doubtful;         /* SET: members in doubt */
};

struct row_plan {
    struct arena arena;    /* all that follows */
    struct table_def *def; /* its columns go on behind column_count with those that are hidden */
    struct row_op *ops;    /* column_count of them */
    uint32_t column_count; /* of the log: hidden ones, too */
    uint32_t json_count;   /* of them that are JSON */
    bool versioned;
    uint32_t row_end; /* of a versioned table: the column that tells when a row ended */
};

/*
 * Reads the diffs of a JSON document in the place of the document that it becomes. document: as the
 * before image has it. Errors: as row_decode_fn.
 */
enum err_code row_decode_json_diff(struct row_reader *r, const struct row_op *op,
                                   struct span document, struct value *out, struct err *e);

/* The decoders, in row_decode.c. */
row_decode_fn row_decode_i8;
row_decode_fn row_decode_u8;
row_decode_fn row_decode_i16;
row_decode_fn row_decode_u16;
row_decode_fn row_decode_i24;
row_decode_fn row_decode_u24;
row_decode_fn row_decode_i32;
row_decode_fn row_decode_u32;
row_decode_fn row_decode_i64;
row_decode_fn row_decode_u64;
row_decode_fn row_decode_f32;
row_decode_fn row_decode_f64;
row_decode_fn row_decode_year;
row_decode_fn row_decode_decimal;
row_decode_fn row_decode_bit;
row_decode_fn row_decode_date;
row_decode_fn row_decode_time_old;
row_decode_fn row_decode_datetime_old;
row_decode_fn row_decode_timestamp_old;
row_decode_fn row_decode_time_hires;
row_decode_fn row_decode_datetime_hires;
row_decode_fn row_decode_timestamp_hires;
row_decode_fn row_decode_time2;
row_decode_fn row_decode_datetime2;
row_decode_fn row_decode_timestamp2;
row_decode_fn row_decode_enum;
row_decode_fn row_decode_set;
row_decode_fn row_decode_utf8;
row_decode_fn row_decode_text;
row_decode_fn row_decode_bytes;
row_decode_fn row_decode_binary;
row_decode_fn row_decode_uuid;
row_decode_fn row_decode_inet4;
row_decode_fn row_decode_inet6;
row_decode_fn row_decode_compressed;
row_make_fn row_make_utf8;
row_make_fn row_make_text;
row_make_fn row_make_bytes;
row_decode_fn row_decode_json;
row_decode_fn row_decode_geometry;

#endif
