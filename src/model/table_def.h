/*
 * table_def.h - a source table's definition: columns, types, key.
 *
 * It is what INFORMATION_SCHEMA says at one moment; a binlog table map is checked against it.
 * Immutable once built.
 *
 * Owns:   a table_def lives in the arena it was made in, with all its strings.
 * Thread: any (read only).
 */
#ifndef CALVE_MODEL_TABLE_DEF_H
#define CALVE_MODEL_TABLE_DEF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/* The source's logical types, by what a value means and how it prints (not by wire number). */
enum column_type {
    COLUMN_TYPE_TINYINT,
    COLUMN_TYPE_SMALLINT,
    COLUMN_TYPE_MEDIUMINT,
    COLUMN_TYPE_INT,
    COLUMN_TYPE_BIGINT,
    COLUMN_TYPE_DECIMAL,
    COLUMN_TYPE_FLOAT,
    COLUMN_TYPE_DOUBLE,
    COLUMN_TYPE_BIT,
    COLUMN_TYPE_YEAR,
    COLUMN_TYPE_DATE,
    COLUMN_TYPE_TIME,
    COLUMN_TYPE_DATETIME,
    COLUMN_TYPE_TIMESTAMP,
    COLUMN_TYPE_CHAR,
    COLUMN_TYPE_VARCHAR,
    COLUMN_TYPE_TEXT, /* TINYTEXT to LONGTEXT, and MariaDB's JSON */
    COLUMN_TYPE_BINARY,
    COLUMN_TYPE_VARBINARY,
    COLUMN_TYPE_BLOB, /* TINYBLOB to LONGBLOB */
    COLUMN_TYPE_ENUM,
    COLUMN_TYPE_SET,
    COLUMN_TYPE_JSON, /* MySQL's binary JSON */
    COLUMN_TYPE_GEOMETRY,
    COLUMN_TYPE_VECTOR,
    COLUMN_TYPE_UUID,
    COLUMN_TYPE_INET4,
    COLUMN_TYPE_INET6,
};

struct column_def {
    const char *name; /* UTF-8 */
    enum column_type type;
    bool is_unsigned;
    bool nullable;
    bool generated;    /* virtual or stored */
    bool row_end;      /* MariaDB's system versioning: when the row ended */
    uint32_t length;   /* BINARY, VARBINARY: bytes; BIT: bits; CHAR, VARCHAR: characters; else 0 */
    uint8_t precision; /* DECIMAL */
    uint8_t scale;     /* DECIMAL */
    uint8_t fsp;       /* TIME, DATETIME, TIMESTAMP: fraction digits, 0 to 6 */
    const char *charset; /* "utf8mb4"; NULL for types that hold no text */
    const char **labels; /* ENUM, SET: UTF-8, in definition order */
    uint32_t label_count;
    const char *type_text; /* COLUMN_TYPE of the catalog: "decimal(12,2) unsigned" */
};

struct table_def {
    const char *schema; /* UTF-8 */
    const char *name;
    struct column_def *columns;
    uint32_t column_count;
    uint32_t *key; /* column indexes of the PRIMARY KEY, in key order */
    uint32_t key_count;
    const char *charset; /* of new text columns that name none; NULL when not known */
    const char *engine;  /* "InnoDB"; NULL when not known */
    /* The source leaves generated columns out of (some of) its log, so payloads do not have them.
     */
    bool generated_unlogged;
    /*
     * MariaDB's system versioning: the log has rows of the past, too. Where no column is row_end,
     * two hidden ones, of row start and end, are behind the others in the log.
     */
    bool versioned;
};

const char *column_type_name(enum column_type type);

/*
 * Whether a label may be another than the definition says: catalogs of MySQL and MariaDB show a
 * question mark for each character that UTF-8 needs four bytes for, in charsets that have such.
 */
bool column_label_in_doubt(const struct column_def *column, uint32_t label);

/* False for a name that column_type_name never gives. */
bool column_type_from_name(const char *name, enum column_type *out);

/* Deep copy into another arena; NULL when it has no room. */
struct table_def *table_def_copy(const struct table_def *def, struct arena *arena);

/*
 * Where two definitions differ in what decoding depends on: "column 3 is 'note' varchar(20), was
 * 'memo' varchar(20)". False when they do not.
 */
bool table_def_differ(const struct table_def *was, const struct table_def *is, char *why,
                      size_t why_bytes);

#endif
