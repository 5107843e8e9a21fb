/* ddl_parse_type.c - a column's type, in all its spellings. */
#include "base/str.h"
#include "mysql/ddl_int.h"

enum arguments {
    NO_ARGUMENTS,
    INTEGER,   /* (n) UNSIGNED ZEROFILL */
    REAL,      /* (p) or (m,d) UNSIGNED ZEROFILL */
    LENGTH,    /* (n), may be left out */
    CHARACTER, /* the same, and a charset */
    LABELS,    /* ('a','b'), and a charset */
    SHAPE,     /* REF_SYSTEM_ID = n */
};

enum server {
    ANY,
    MYSQL,
    MARIADB,
};

struct type_word {
    const char *word;
    enum ddl_type_kind kind;
    enum arguments arguments;
    enum server server;
};

static const struct type_word type_words[] = {
    {"TINYINT", DDL_TYPE_TINYINT, INTEGER, ANY},
    {"INT1", DDL_TYPE_TINYINT, INTEGER, ANY},
    {"SMALLINT", DDL_TYPE_SMALLINT, INTEGER, ANY},
    {"INT2", DDL_TYPE_SMALLINT, INTEGER, ANY},
    {"MEDIUMINT", DDL_TYPE_MEDIUMINT, INTEGER, ANY},
    {"MIDDLEINT", DDL_TYPE_MEDIUMINT, INTEGER, ANY},
    {"INT3", DDL_TYPE_MEDIUMINT, INTEGER, ANY},
    {"INT", DDL_TYPE_INT, INTEGER, ANY},
    {"INTEGER", DDL_TYPE_INT, INTEGER, ANY},
    {"INT4", DDL_TYPE_INT, INTEGER, ANY},
    {"BIGINT", DDL_TYPE_BIGINT, INTEGER, ANY},
    {"INT8", DDL_TYPE_BIGINT, INTEGER, ANY},
    {"DECIMAL", DDL_TYPE_DECIMAL, REAL, ANY},
    {"NUMERIC", DDL_TYPE_DECIMAL, REAL, ANY},
    {"DEC", DDL_TYPE_DECIMAL, REAL, ANY},
    {"FIXED", DDL_TYPE_DECIMAL, REAL, ANY},
    {"FLOAT", DDL_TYPE_FLOAT, REAL, ANY},
    {"FLOAT4", DDL_TYPE_FLOAT, REAL, ANY},
    {"DOUBLE", DDL_TYPE_DOUBLE, REAL, ANY},
    {"FLOAT8", DDL_TYPE_DOUBLE, REAL, ANY},
    {"REAL", DDL_TYPE_DOUBLE, REAL, ANY},
    {"BIT", DDL_TYPE_BIT, LENGTH, ANY},
    {"YEAR", DDL_TYPE_YEAR, INTEGER, ANY},
    {"DATE", DDL_TYPE_DATE, NO_ARGUMENTS, ANY},
    {"TIME", DDL_TYPE_TIME, LENGTH, ANY},
    {"DATETIME", DDL_TYPE_DATETIME, LENGTH, ANY},
    {"TIMESTAMP", DDL_TYPE_TIMESTAMP, LENGTH, ANY},
    {"CHAR", DDL_TYPE_CHAR, CHARACTER, ANY},
    {"CHARACTER", DDL_TYPE_CHAR, CHARACTER, ANY},
    {"VARCHAR", DDL_TYPE_VARCHAR, CHARACTER, ANY},
    {"VARCHARACTER", DDL_TYPE_VARCHAR, CHARACTER, ANY},
    {"VARCHAR2", DDL_TYPE_VARCHAR, CHARACTER, MARIADB},
    {"BINARY", DDL_TYPE_BINARY, LENGTH, ANY},
    {"VARBINARY", DDL_TYPE_VARBINARY, LENGTH, ANY},
    {"RAW", DDL_TYPE_VARBINARY, LENGTH, MARIADB},
    {"TINYTEXT", DDL_TYPE_TINYTEXT, CHARACTER, ANY},
    {"TEXT", DDL_TYPE_TEXT, CHARACTER, ANY},
    {"MEDIUMTEXT", DDL_TYPE_MEDIUMTEXT, CHARACTER, ANY},
    {"LONGTEXT", DDL_TYPE_LONGTEXT, CHARACTER, ANY},
    {"CLOB", DDL_TYPE_LONGTEXT, CHARACTER, MARIADB},
    {"TINYBLOB", DDL_TYPE_TINYBLOB, LENGTH, ANY},
    {"BLOB", DDL_TYPE_BLOB, LENGTH, ANY},
    {"MEDIUMBLOB", DDL_TYPE_MEDIUMBLOB, LENGTH, ANY},
    {"LONGBLOB", DDL_TYPE_LONGBLOB, LENGTH, ANY},
    {"ENUM", DDL_TYPE_ENUM, LABELS, ANY},
    {"SET", DDL_TYPE_SET, LABELS, ANY},
    {"JSON", DDL_TYPE_JSON, NO_ARGUMENTS, ANY},
    {"GEOMETRY", DDL_TYPE_GEOMETRY, SHAPE, ANY},
    {"POINT", DDL_TYPE_GEOMETRY, SHAPE, ANY},
    {"LINESTRING", DDL_TYPE_GEOMETRY, SHAPE, ANY},
    {"POLYGON", DDL_TYPE_GEOMETRY, SHAPE, ANY},
    {"MULTIPOINT", DDL_TYPE_GEOMETRY, SHAPE, ANY},
    {"MULTILINESTRING", DDL_TYPE_GEOMETRY, SHAPE, ANY},
    {"MULTIPOLYGON", DDL_TYPE_GEOMETRY, SHAPE, ANY},
    {"GEOMETRYCOLLECTION", DDL_TYPE_GEOMETRY, SHAPE, ANY},
    {"GEOMCOLLECTION", DDL_TYPE_GEOMETRY, SHAPE, MYSQL},
    {"VECTOR", DDL_TYPE_VECTOR, LENGTH, ANY},
    {"UUID", DDL_TYPE_UUID, NO_ARGUMENTS, MARIADB},
    {"INET4", DDL_TYPE_INET4, NO_ARGUMENTS, MARIADB},
    {"INET6", DDL_TYPE_INET6, NO_ARGUMENTS, MARIADB},
};

/* ---- arguments ---- */

static void read_length(struct ddl_parser *p, struct ddl_type *out)
{
    if (ddl_accept_punct(p, '(')) {
        out->length = ddl_read_number(p);
        out->has_length = true;
        ddl_expect_punct(p, ')');
    }
}

static void read_precision(struct ddl_parser *p, struct ddl_type *out)
{
    if (!ddl_accept_punct(p, '(')) {
        return;
    }
    out->length = ddl_read_number(p);
    out->has_length = true;
    if (ddl_accept_punct(p, ',')) {
        uint64_t scale = ddl_read_number(p);

        out->scale = scale > UINT8_MAX ? UINT8_MAX : (uint32_t)scale;
        out->has_scale = true;
    }
    ddl_expect_punct(p, ')');
}

static void read_sign(struct ddl_parser *p, struct ddl_type *out)
{
    for (;;) {
        if (ddl_accept(p, "UNSIGNED")) {
            out->is_unsigned = true;
        } else if (ddl_accept(p, "ZEROFILL")) {
            out->is_unsigned = true;
            out->zerofill = true;
        } else if (!ddl_accept(p, "SIGNED")) {
            return;
        }
    }
}

void ddl_read_type_charset(struct ddl_parser *p, struct ddl_type *out)
{
    for (;;) {
        if (ddl_accept_charset_words(p)) {
            out->charset = ddl_read_charset_name(p);
        } else if (ddl_accept(p, "ASCII")) {
            out->charset = "latin1";
        } else if (ddl_accept(p, "UNICODE")) {
            out->charset = "ucs2";
        } else if (ddl_accept(p, "BYTE")) {
            out->charset = "binary";
        } else if (!ddl_accept(p, "BINARY")) { /* the charset's _bin collation */
            return;
        }
    }
}

/* MariaDB: COMPRESSED, COMPRESSED=zlib */
static void read_compression(struct ddl_parser *p, struct ddl_type *out)
{
    if (p->dialect->mariadb && ddl_accept(p, "COMPRESSED")) {
        out->compressed = true;
        if (ddl_accept_punct(p, '=')) {
            (void)ddl_read_name(p);
        }
    }
}

static int hex_value(uint8_t c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* x'...' and b'...' as bytes. */
static struct span literal_bytes(struct ddl_parser *p)
{
    struct span digits = p->t.text;
    unsigned bits = p->t.kind == DDL_TOKEN_HEX ? 4 : 1;
    size_t len = (digits.len * bits + 7) / 8;
    uint8_t *bytes = arena_alloc(p->arena, len + 1, 1);

    if (bytes == NULL) {
        ddl_no_room(p);
        return (struct span){NULL, 0};
    }
    for (size_t i = 0; i < digits.len; i++) { /* from the last digit on */
        size_t at = len - 1 - i * bits / 8;
        unsigned value = (unsigned)hex_value(digits.data[digits.len - 1 - i]);

        bytes[at] = (uint8_t)(bytes[at] | value << (i * bits % 8));
    }
    return span_of(bytes, len);
}

static void read_label(struct ddl_parser *p, struct ddl_label *out)
{
    if (p->t.kind == DDL_TOKEN_HEX || p->t.kind == DDL_TOKEN_BITS) {
        *out = (struct ddl_label){literal_bytes(p), true};
        ddl_next(p);
        return;
    }
    if (p->t.national) {
        ddl_fail(p, "a quoted text");
    }
    *out = (struct ddl_label){ddl_read_string(p), p->dialect->binary_text};
}

#define LABELS_MAX 65535u

static void read_labels(struct ddl_parser *p, struct ddl_type *out)
{
    uint32_t capacity = 0;

    ddl_expect_punct(p, '(');
    do {
        if (out->label_count == capacity) {
            capacity = capacity == 0 ? 8 : capacity * 2;
            struct ddl_label *labels = arena_alloc(p->arena, capacity, sizeof *labels);

            if (labels == NULL) {
                ddl_no_room(p);
                return;
            }
            if (out->label_count > 0) {
                memcpy(labels, out->labels, out->label_count * sizeof *labels);
            }
            out->labels = labels;
        }
        read_label(p, &out->labels[out->label_count++]);
        if (out->label_count > LABELS_MAX) {
            ddl_fail(p, "fewer labels");
        }
    } while (ddl_accept_punct(p, ','));
    ddl_expect_punct(p, ')');
}

static void read_reference_system(struct ddl_parser *p)
{
    if (p->dialect->mariadb && ddl_accept(p, "REF_SYSTEM_ID")) {
        ddl_expect_punct(p, '=');
        (void)ddl_read_number(p);
    }
}

/* ---- types of several words ---- */

static void read_char(struct ddl_parser *p, struct ddl_type *out)
{
    if (out->kind == DDL_TYPE_CHAR && ddl_accept(p, "VARYING")) {
        out->kind = DDL_TYPE_VARCHAR;
    }
    read_length(p, out);
    if (out->kind == DDL_TYPE_VARCHAR && !out->has_length) {
        ddl_fail(p, "a length");
    }
    read_compression(p, out);
    ddl_read_type_charset(p, out);
    read_compression(p, out);
}

/* NATIONAL CHAR, NATIONAL VARCHAR, NATIONAL CHAR VARYING, NCHAR, NCHAR VARCHAR, NVARCHAR. */
static bool read_national(struct ddl_parser *p, struct ddl_type *out)
{
    bool nchar = ddl_accept(p, "NCHAR");
    bool nvarchar = !nchar && ddl_accept(p, "NVARCHAR");

    if (!nchar && !nvarchar && !ddl_accept(p, "NATIONAL")) {
        return false;
    }
    out->kind = nvarchar ? DDL_TYPE_VARCHAR : DDL_TYPE_CHAR;
    out->charset = "utf8mb3";
    if (!nvarchar) {
        if (ddl_accept(p, "VARCHAR") || ddl_accept(p, "VARCHARACTER")) {
            out->kind = DDL_TYPE_VARCHAR;
        } else if (!nchar && !ddl_accept(p, "CHAR") && !ddl_accept(p, "CHARACTER")) {
            ddl_fail(p, "CHAR");
        }
    }
    read_char(p, out);
    return true;
}

/* LONG, LONG VARCHAR, LONG CHAR VARYING, LONG VARBINARY. */
static bool read_long(struct ddl_parser *p, struct ddl_type *out)
{
    if (!ddl_accept(p, "LONG")) {
        return false;
    }
    if (ddl_accept(p, "VARBINARY")) {
        out->kind = DDL_TYPE_MEDIUMBLOB;
        return true;
    }
    out->kind = DDL_TYPE_MEDIUMTEXT;
    if (!ddl_accept(p, "VARCHAR") && !ddl_accept(p, "VARCHARACTER")) {
        struct ddl_token after = ddl_peek(p);

        if ((ddl_is(p, "CHAR") || ddl_is(p, "CHARACTER")) && ddl_token_is(&after, "VARYING")) {
            ddl_next(p);
            ddl_next(p);
        }
    }
    ddl_read_type_charset(p, out);
    read_compression(p, out);
    return true;
}

static bool read_short_name(struct ddl_parser *p, struct ddl_type *out)
{
    if (ddl_accept(p, "BOOL") || ddl_accept(p, "BOOLEAN")) {
        out->kind = DDL_TYPE_TINYINT;
        out->has_length = true;
        out->length = 1;
        return true;
    }
    if (ddl_accept(p, "SERIAL")) {
        out->kind = DDL_TYPE_BIGINT;
        out->is_unsigned = true;
        out->serial = true;
        return true;
    }
    return false;
}

/* MariaDB's NUMBER: DECIMAL with precision, DOUBLE without. */
static bool read_number_type(struct ddl_parser *p, struct ddl_type *out)
{
    if (!p->dialect->mariadb || !ddl_accept(p, "NUMBER")) {
        return false;
    }
    read_precision(p, out);
    out->kind = out->has_length ? DDL_TYPE_DECIMAL : DDL_TYPE_DOUBLE;
    read_sign(p, out);
    return true;
}

/* ---- modes ---- */

/* MariaDB's types may say whose they are: mariadb_schema.date, oracle_schema.date. */
static uint64_t read_type_schema(struct ddl_parser *p)
{
    static const struct {
        const char *schema;
        uint64_t mode;
    } schemas[] = {{"mariadb_schema", 0},
                   {"oracle_schema", SQL_MODE_ORACLE},
                   {"maxdb_schema", SQL_MODE_MAXDB}};
    struct ddl_token after = ddl_peek(p);

    if (!p->dialect->mariadb || after.kind != DDL_TOKEN_PUNCT || after.text.data[0] != '.') {
        return p->dialect->sql_mode;
    }
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        if (span_ieq_str(p->t.text, schemas[i].schema)) {
            ddl_next(p);
            ddl_next(p);
            return schemas[i].mode;
        }
    }
    return p->dialect->sql_mode;
}

/* What the same word means in some modes. */
static void apply_mode(const struct ddl_parser *p, uint64_t mode, struct span word,
                       struct ddl_type *out)
{
    bool oracle = p->dialect->mariadb && (mode & SQL_MODE_ORACLE) != 0;
    bool real = span_ieq_str(word, "REAL") && (p->dialect->sql_mode & SQL_MODE_REAL_AS_FLOAT) != 0;

    if (real) {
        out->kind = DDL_TYPE_FLOAT;
    } else if (oracle && out->kind == DDL_TYPE_DATE) {
        out->kind = DDL_TYPE_DATETIME;
    } else if (oracle && out->kind == DDL_TYPE_BLOB && !out->has_length) {
        out->kind = DDL_TYPE_LONGBLOB;
    } else if ((mode & SQL_MODE_MAXDB) != 0 && out->kind == DDL_TYPE_TIMESTAMP) {
        out->kind = DDL_TYPE_DATETIME;
    }
}

static void read_arguments(struct ddl_parser *p, enum arguments arguments, struct ddl_type *out)
{
    switch (arguments) {
    case NO_ARGUMENTS:
        return;
    case INTEGER:
        read_length(p, out);
        read_sign(p, out);
        return;
    case REAL:
        read_precision(p, out);
        read_sign(p, out);
        return;
    case LENGTH:
        read_length(p, out);
        read_compression(p, out);
        return;
    case CHARACTER:
        read_char(p, out);
        return;
    case LABELS:
        read_labels(p, out);
        ddl_read_type_charset(p, out);
        return;
    case SHAPE:
        read_reference_system(p);
        return;
    }
}

void ddl_read_type(struct ddl_parser *p, struct ddl_type *out)
{
    uint64_t mode = read_type_schema(p);
    struct span word = p->t.text;

    if (read_national(p, out) || read_long(p, out) || read_short_name(p, out) ||
        read_number_type(p, out)) {
        return;
    }
    for (size_t i = 0; i < sizeof type_words / sizeof type_words[0]; i++) {
        const struct type_word *w = &type_words[i];

        if (w->server == (p->dialect->mariadb ? MYSQL : MARIADB) || !ddl_is(p, w->word)) {
            continue;
        }
        ddl_next(p);
        if (w->kind == DDL_TYPE_DOUBLE) {
            (void)ddl_accept(p, "PRECISION");
        }
        out->kind = w->kind;
        out->word = w->word;
        read_arguments(p, w->arguments, out);
        apply_mode(p, mode, word, out);
        return;
    }
    ddl_fail(p, "a type that is known");
}
