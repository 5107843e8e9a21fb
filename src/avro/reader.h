/*
 * reader.h - Avro object container files of any writer, record by record as a tree of values.
 *
 * Records are decoded by the schema in the file, which keeps its field ids: Iceberg's manifests are
 * read by field id, because field names differ between versions.
 *
 * Limits, so that a lying file costs no more than its size: nesting of 64 in schemas and records,
 * 256 MiB for an inflated block and for a record's tree, 16 MiB for the schema's; elements that
 * take no bytes (nulls, empty records) are at most 1,000,000 more than the file has bytes of
 * records.
 *
 * Spec: Apache Avro 1.11. Codecs: null, deflate. Default values, aliases and documentation are
 * ignored: records are read by the schema they were written with. Owns:   a reader owns the
 * inflated block and the current record's tree. Thread: one at a time.
 */
#ifndef CALVE_AVRO_READER_H
#define CALVE_AVRO_READER_H

#include "base/arena.h"
#include "base/buf.h"

enum avro_type {
    AVRO_NULL,
    AVRO_BOOLEAN,
    AVRO_INT,
    AVRO_LONG,
    AVRO_FLOAT,
    AVRO_DOUBLE,
    AVRO_BYTES,
    AVRO_STRING,
    AVRO_FIXED,
    AVRO_ENUM,
    AVRO_ARRAY,
    AVRO_MAP,
    AVRO_RECORD,
    AVRO_UNION, /* never a value's type: a value has that of its branch */
};

struct avro_schema;

struct avro_value {
    enum avro_type type;
    const struct avro_schema *schema;
    union {
        int64_t i64; /* BOOLEAN, INT, LONG, ENUM (index) */
        double f64;  /* FLOAT, DOUBLE */
        struct span bytes;
        struct {
            struct avro_value
                *items; /* ARRAY: elements; RECORD: fields in schema order; MAP: key, value */
            uint32_t count;
        } list;
    } u;
};

struct avro_reader;

/* file must outlive the reader. Errors: ERR_CORRUPT, ERR_UNSUPPORTED (codec), ERR_LIMIT, ERR_NOMEM.
 */
MUST_USE enum err_code avro_reader_open(struct span file, struct avro_reader **out, struct err *e);
void avro_reader_free(struct avro_reader *r);

/* File metadata by key; len 0 and NULL when absent. Lives as long as the file. */
struct span avro_reader_meta(const struct avro_reader *r, const char *key);

/* Appends all of it as one JSON object; a value that is not text is {"base64":"..."}. */
void avro_reader_meta_json(const struct avro_reader *r, struct buf *out);

/*
 * The next record, valid until the next call; *out is NULL after the last. Errors: ERR_CORRUPT,
 * ERR_LIMIT, ERR_NOMEM; after one of them every later call gives it again.
 */
MUST_USE enum err_code avro_reader_next(struct avro_reader *r, const struct avro_value **out,
                                        struct err *e);

/* A record's field by its field-id or name; NULL when the schema has none. */
const struct avro_value *avro_field(const struct avro_value *record, int32_t field_id);
const struct avro_value *avro_field_named(const struct avro_value *record, const char *name);

/* Field i's name and id (-1: none) of a record value. */
const char *avro_field_name(const struct avro_value *record, uint32_t i);
int32_t avro_field_id(const struct avro_value *record, uint32_t i);

/* An ENUM value's symbol; NULL for any other value. */
const char *avro_enum_symbol(const struct avro_value *v);

/* What the schema says beside the value's type; NULL where it says nothing. */
const char *avro_logical_type(const struct avro_value *v);

/* The ids of an ARRAY's elements, of a MAP's keys and values; -1 where the schema has none. */
int32_t avro_element_id(const struct avro_value *array);
int32_t avro_key_id(const struct avro_value *map);
int32_t avro_value_id(const struct avro_value *map);

/*
 * Appends a value as JSON: bytes and fixed as base64, an enum as its symbol, a record or map as an
 * object, NaN and infinities as null.
 */
void avro_value_json(const struct avro_value *v, struct buf *out);

/*
 * Appends JSON lines: first the file's metadata as one object (a value that is not text as
 * {"base64":"..."}), then each record. What was appended before a failure stays in out. Errors: as
 * avro_reader_open() and avro_reader_next(); ERR_LIMIT of out.
 */
MUST_USE enum err_code avro_dump_json(struct span file, struct buf *out, struct err *e);

#endif
