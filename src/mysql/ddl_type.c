/*
 * ddl_type.c - what the server makes of a column's type: lengths, promotions, and the text that
 * INFORMATION_SCHEMA shows for it.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/str.h"
#include "mysql/charset.h"
#include "mysql/ddl_int.h"

#define MYSQL_VARCHAR_BYTES   65535u
#define MARIADB_VARCHAR_BYTES 65532u
#define DECIMAL_DIGITS        10u
#define FLOAT_BITS_MAX        24u
#define VECTOR_DIMENSIONS     2048u
#define MYSQL_NO_INT_WIDTH    80019u
#define MYSQL_GEOMCOLLECTION  80011u

static bool is_text_kind(enum ddl_type_kind kind)
{
    return kind == DDL_TYPE_CHAR || kind == DDL_TYPE_VARCHAR ||
           (kind >= DDL_TYPE_TINYTEXT && kind <= DDL_TYPE_LONGTEXT) || kind == DDL_TYPE_ENUM ||
           kind == DDL_TYPE_SET;
}

/* The type of bytes that a type of text becomes in the charset `binary`. */
static enum ddl_type_kind as_bytes(enum ddl_type_kind kind)
{
    static const enum ddl_type_kind pairs[][2] = {
        {DDL_TYPE_CHAR, DDL_TYPE_BINARY},           {DDL_TYPE_VARCHAR, DDL_TYPE_VARBINARY},
        {DDL_TYPE_TINYTEXT, DDL_TYPE_TINYBLOB},     {DDL_TYPE_TEXT, DDL_TYPE_BLOB},
        {DDL_TYPE_MEDIUMTEXT, DDL_TYPE_MEDIUMBLOB}, {DDL_TYPE_LONGTEXT, DDL_TYPE_LONGBLOB},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (kind == pairs[i][0]) {
            return pairs[i][1];
        }
    }
    return kind;
}

/* The smallest type of text or bytes that holds so many bytes. */
static enum ddl_type_kind smallest(bool text, uint64_t bytes)
{
    if (bytes < 256) {
        return text ? DDL_TYPE_TINYTEXT : DDL_TYPE_TINYBLOB;
    }
    if (bytes < 65536) {
        return text ? DDL_TYPE_TEXT : DDL_TYPE_BLOB;
    }
    if (bytes < 16777216) {
        return text ? DDL_TYPE_MEDIUMTEXT : DDL_TYPE_MEDIUMBLOB;
    }
    return text ? DDL_TYPE_LONGTEXT : DDL_TYPE_LONGBLOB;
}

static uint64_t bytes_of(uint64_t characters, uint32_t max_bytes)
{
    return characters > UINT32_MAX ? UINT32_MAX : characters * max_bytes;
}

static void settle_number(struct ddl_type *t)
{
    switch (t->kind) {
    case DDL_TYPE_TINYINT:
    case DDL_TYPE_SMALLINT:
    case DDL_TYPE_MEDIUMINT:
    case DDL_TYPE_INT:
    case DDL_TYPE_BIGINT:
    case DDL_TYPE_DOUBLE:
        t->has_length = t->has_length && t->length > 0;
        break;
    case DDL_TYPE_DECIMAL:
        t->length = t->has_length && t->length > 0 ? t->length : DECIMAL_DIGITS;
        break;
    case DDL_TYPE_FLOAT:
        if (t->has_length && !t->has_scale) {
            t->kind = t->length > FLOAT_BITS_MAX ? DDL_TYPE_DOUBLE : DDL_TYPE_FLOAT;
        }
        t->has_length = t->has_length && t->has_scale && t->length > 0;
        break;
    case DDL_TYPE_BIT:
        t->length = t->has_length && t->length > 0 ? t->length : 1;
        break;
    case DDL_TYPE_VECTOR:
        t->length = t->has_length ? t->length : VECTOR_DIMENSIONS;
        break;
    default:
        break;
    }
}

/* charset is NULL for all but text. */
static void settle_text(const struct ddl_dialect *dialect, struct ddl_type *t, const char *charset)
{
    bool text = charset != NULL;
    uint32_t varchar_max = dialect->mariadb ? MARIADB_VARCHAR_BYTES : MYSQL_VARCHAR_BYTES;
    uint64_t bytes = bytes_of(t->length, text ? ddl_charset_max_bytes(charset) : 1);

    switch (t->kind) {
    case DDL_TYPE_CHAR:
    case DDL_TYPE_BINARY:
        t->length = t->has_length ? t->length : 1;
        break;
    case DDL_TYPE_VARCHAR:
    case DDL_TYPE_VARBINARY:
        /* A strict server would have refused. */
        if (bytes > varchar_max) {
            t->kind = smallest(text, bytes);
        }
        break;
    case DDL_TYPE_TEXT:
    case DDL_TYPE_BLOB:
        if (t->has_length && (t->length > 0 || !dialect->mariadb)) {
            t->kind = smallest(text, bytes);
        }
        break;
    case DDL_TYPE_JSON:
        t->kind = dialect->mariadb ? DDL_TYPE_LONGTEXT : DDL_TYPE_JSON;
        break;
    default:
        break;
    }
}

/* ---- type_text ---- */

static const char *const kind_names[] = {
    [DDL_TYPE_TINYINT] = "tinyint",
    [DDL_TYPE_SMALLINT] = "smallint",
    [DDL_TYPE_MEDIUMINT] = "mediumint",
    [DDL_TYPE_INT] = "int",
    [DDL_TYPE_BIGINT] = "bigint",
    [DDL_TYPE_DECIMAL] = "decimal",
    [DDL_TYPE_FLOAT] = "float",
    [DDL_TYPE_DOUBLE] = "double",
    [DDL_TYPE_BIT] = "bit",
    [DDL_TYPE_YEAR] = "year",
    [DDL_TYPE_DATE] = "date",
    [DDL_TYPE_TIME] = "time",
    [DDL_TYPE_DATETIME] = "datetime",
    [DDL_TYPE_TIMESTAMP] = "timestamp",
    [DDL_TYPE_CHAR] = "char",
    [DDL_TYPE_VARCHAR] = "varchar",
    [DDL_TYPE_BINARY] = "binary",
    [DDL_TYPE_VARBINARY] = "varbinary",
    [DDL_TYPE_TINYTEXT] = "tinytext",
    [DDL_TYPE_TEXT] = "text",
    [DDL_TYPE_MEDIUMTEXT] = "mediumtext",
    [DDL_TYPE_LONGTEXT] = "longtext",
    [DDL_TYPE_TINYBLOB] = "tinyblob",
    [DDL_TYPE_BLOB] = "blob",
    [DDL_TYPE_MEDIUMBLOB] = "mediumblob",
    [DDL_TYPE_LONGBLOB] = "longblob",
    [DDL_TYPE_ENUM] = "enum",
    [DDL_TYPE_SET] = "set",
    [DDL_TYPE_JSON] = "json",
    [DDL_TYPE_GEOMETRY] = "geometry",
    [DDL_TYPE_VECTOR] = "vector",
    [DDL_TYPE_UUID] = "uuid",
    [DDL_TYPE_INET4] = "inet4",
    [DDL_TYPE_INET6] = "inet6",
};

static void put_int_width(const struct ddl_dialect *dialect, const struct ddl_type *t,
                          struct buf *out)
{
    static const uint8_t widths[][2] = {/* signed, unsigned */
                                        [DDL_TYPE_TINYINT] = {4, 3},
                                        [DDL_TYPE_SMALLINT] = {6, 5},
                                        [DDL_TYPE_MEDIUMINT] = {9, 8},
                                        [DDL_TYPE_INT] = {11, 10},
                                        [DDL_TYPE_BIGINT] = {20, 20}};
    bool boolean = t->kind == DDL_TYPE_TINYINT && t->has_length && t->length == 1;

    if (!dialect->mariadb && dialect->version_number >= MYSQL_NO_INT_WIDTH && !t->zerofill &&
        (!boolean || t->is_unsigned)) {
        return;
    }
    buf_printf(out, "(%llu)",
               t->has_length ? (unsigned long long)t->length : widths[t->kind][t->is_unsigned]);
}

/* A label as the server shows it, with its quotes. */
static void put_label(struct buf *out, const char *label)
{
    buf_u8(out, '\'');
    for (const char *c = label; *c != '\0'; c++) {
        switch (*c) {
        case '\n':
            buf_append_str(out, "\\n");
            break;
        case '\r':
            buf_append_str(out, "\\r");
            break;
        case '\\':
            buf_append_str(out, "\\\\");
            break;
        case '\'':
            buf_append_str(out, "''");
            break;
        default:
            buf_u8(out, (uint8_t)*c);
            break;
        }
    }
    buf_u8(out, '\'');
}

static void put_shape(const struct ddl_dialect *dialect, const struct ddl_type *t, struct buf *out)
{
    bool collection = str_ieq(t->word, "GEOMETRYCOLLECTION") || str_ieq(t->word, "GEOMCOLLECTION");

    if (collection) {
        bool is_short = !dialect->mariadb && dialect->version_number >= MYSQL_GEOMCOLLECTION;

        buf_append_str(out, is_short ? "geomcollection" : "geometrycollection");
        return;
    }
    for (const char *c = t->word; *c != '\0'; c++) {
        buf_u8(out, (uint8_t)(*c | 0x20));
    }
}

static void put_arguments(const struct ddl_dialect *dialect, const struct ddl_type *t,
                          const struct column_def *column, struct buf *out)
{
    switch (t->kind) {
    case DDL_TYPE_TINYINT:
    case DDL_TYPE_SMALLINT:
    case DDL_TYPE_MEDIUMINT:
    case DDL_TYPE_INT:
    case DDL_TYPE_BIGINT:
        put_int_width(dialect, t, out);
        break;
    case DDL_TYPE_DECIMAL:
        buf_printf(out, "(%u,%u)", column->precision, column->scale);
        break;
    case DDL_TYPE_FLOAT:
    case DDL_TYPE_DOUBLE:
        if (t->has_length && t->has_scale) {
            buf_printf(out, "(%llu,%u)", (unsigned long long)t->length, t->scale);
        }
        break;
    case DDL_TYPE_YEAR:
        if (dialect->mariadb || dialect->version_number < MYSQL_NO_INT_WIDTH) {
            buf_printf(out, "(%u)", t->has_length && t->length == 2 ? 2u : 4u);
        }
        break;
    case DDL_TYPE_TIME:
    case DDL_TYPE_DATETIME:
    case DDL_TYPE_TIMESTAMP:
        if (column->fsp > 0) {
            buf_printf(out, "(%u)", column->fsp);
        }
        break;
    case DDL_TYPE_CHAR:
    case DDL_TYPE_VARCHAR:
    case DDL_TYPE_BINARY:
    case DDL_TYPE_VARBINARY:
    case DDL_TYPE_BIT:
    case DDL_TYPE_VECTOR:
        buf_printf(out, "(%llu)", (unsigned long long)t->length);
        break;
    case DDL_TYPE_ENUM:
    case DDL_TYPE_SET:
        for (uint32_t i = 0; i < column->label_count; i++) {
            buf_u8(out, i == 0 ? '(' : ',');
            put_label(out, column->labels[i]);
        }
        buf_u8(out, ')');
        break;
    default:
        break;
    }
}

static enum err_code put_type_text(const struct ddl_dialect *dialect, const struct ddl_type *t,
                                   struct arena *arena, struct column_def *column, struct err *e)
{
    struct buf out = {0};

    if (t->kind == DDL_TYPE_GEOMETRY) {
        put_shape(dialect, t, &out);
    } else {
        buf_append_str(&out, kind_names[t->kind]);
        put_arguments(dialect, t, column, &out);
    }
    if (t->is_unsigned && t->kind != DDL_TYPE_YEAR) {
        buf_append_str(&out, t->zerofill ? " unsigned zerofill" : " unsigned");
    }
    if (t->compressed) {
        buf_append_str(&out, " /*M!100301 COMPRESSED*/");
    }
    enum err_code rc = buf_check(&out, e, "column type");

    if (rc == ERR_OK) {
        column->type_text = arena_strndup(arena, out.data, out.len);
        rc = column->type_text == NULL ? arena_fail(arena, e, "table definition") : ERR_OK;
    }
    buf_deinit(&out);
    return rc;
}

/* ---- columns ---- */

static enum column_type model_type(enum ddl_type_kind kind)
{
    static const enum column_type types[] = {
        [DDL_TYPE_TINYINT] = COLUMN_TYPE_TINYINT,
        [DDL_TYPE_SMALLINT] = COLUMN_TYPE_SMALLINT,
        [DDL_TYPE_MEDIUMINT] = COLUMN_TYPE_MEDIUMINT,
        [DDL_TYPE_INT] = COLUMN_TYPE_INT,
        [DDL_TYPE_BIGINT] = COLUMN_TYPE_BIGINT,
        [DDL_TYPE_DECIMAL] = COLUMN_TYPE_DECIMAL,
        [DDL_TYPE_FLOAT] = COLUMN_TYPE_FLOAT,
        [DDL_TYPE_DOUBLE] = COLUMN_TYPE_DOUBLE,
        [DDL_TYPE_BIT] = COLUMN_TYPE_BIT,
        [DDL_TYPE_YEAR] = COLUMN_TYPE_YEAR,
        [DDL_TYPE_DATE] = COLUMN_TYPE_DATE,
        [DDL_TYPE_TIME] = COLUMN_TYPE_TIME,
        [DDL_TYPE_DATETIME] = COLUMN_TYPE_DATETIME,
        [DDL_TYPE_TIMESTAMP] = COLUMN_TYPE_TIMESTAMP,
        [DDL_TYPE_CHAR] = COLUMN_TYPE_CHAR,
        [DDL_TYPE_VARCHAR] = COLUMN_TYPE_VARCHAR,
        [DDL_TYPE_BINARY] = COLUMN_TYPE_BINARY,
        [DDL_TYPE_VARBINARY] = COLUMN_TYPE_VARBINARY,
        [DDL_TYPE_TINYTEXT] = COLUMN_TYPE_TEXT,
        [DDL_TYPE_TEXT] = COLUMN_TYPE_TEXT,
        [DDL_TYPE_MEDIUMTEXT] = COLUMN_TYPE_TEXT,
        [DDL_TYPE_LONGTEXT] = COLUMN_TYPE_TEXT,
        [DDL_TYPE_TINYBLOB] = COLUMN_TYPE_BLOB,
        [DDL_TYPE_BLOB] = COLUMN_TYPE_BLOB,
        [DDL_TYPE_MEDIUMBLOB] = COLUMN_TYPE_BLOB,
        [DDL_TYPE_LONGBLOB] = COLUMN_TYPE_BLOB,
        [DDL_TYPE_ENUM] = COLUMN_TYPE_ENUM,
        [DDL_TYPE_SET] = COLUMN_TYPE_SET,
        [DDL_TYPE_JSON] = COLUMN_TYPE_JSON,
        [DDL_TYPE_GEOMETRY] = COLUMN_TYPE_GEOMETRY,
        [DDL_TYPE_VECTOR] = COLUMN_TYPE_VECTOR,
        [DDL_TYPE_UUID] = COLUMN_TYPE_UUID,
        [DDL_TYPE_INET4] = COLUMN_TYPE_INET4,
        [DDL_TYPE_INET6] = COLUMN_TYPE_INET6,
    };

    return types[kind];
}

static uint8_t to_u8(uint64_t v)
{
    return v > UINT8_MAX ? UINT8_MAX : (uint8_t)v;
}

/* Numbers of the type: length, precision, scale, fsp. */
static void put_numbers(const struct ddl_type *t, struct column_def *out)
{
    out->length = 0;
    switch (t->kind) {
    case DDL_TYPE_CHAR:
    case DDL_TYPE_VARCHAR:
    case DDL_TYPE_BINARY:
    case DDL_TYPE_VARBINARY:
    case DDL_TYPE_BIT:
        out->length = t->length > UINT32_MAX ? UINT32_MAX : (uint32_t)t->length;
        break;
    case DDL_TYPE_DECIMAL:
        out->precision = to_u8(t->length);
        out->scale = to_u8(t->scale);
        break;
    case DDL_TYPE_TIME:
    case DDL_TYPE_DATETIME:
    case DDL_TYPE_TIMESTAMP:
        out->fsp = t->has_length ? to_u8(t->length) : 0;
        break;
    default:
        break;
    }
}

static bool is_nullable(const struct ddl_dialect *dialect, const struct ddl_column *column)
{
    if (column->not_null || column->primary) {
        return false;
    }
    return column->type.kind != DDL_TYPE_TIMESTAMP || column->null ||
           dialect->explicit_timestamps || column->generated;
}

/* Everything but name, nullability and generation, from a type with its charset (NULL: no text). */
static enum err_code put_type(const struct ddl_dialect *dialect, struct ddl_type *t,
                              const char *charset, struct arena *arena, struct column_def *out,
                              const char **why, struct err *e)
{
    /* Defaults, and what the server changes by itself. */
    settle_number(t);
    settle_text(dialect, t, charset);
    out->type = model_type(t->kind);
    out->is_unsigned = t->is_unsigned && t->kind != DDL_TYPE_YEAR;
    out->charset = ddl_charset_shown(dialect, charset);
    if (!dialect->mariadb && charset != NULL && str_ieq(charset, "binary")) {
        out->charset = NULL; /* so MySQL shows ENUM and SET of it */
    }
    put_numbers(t, out);
    if (t->kind == DDL_TYPE_ENUM || t->kind == DDL_TYPE_SET) {
        ERR_TRY(ddl_put_labels(t, charset, arena, out, why, e));
    }
    return put_type_text(dialect, t, arena, out, e);
}

enum err_code ddl_column_def(const struct ddl_dialect *dialect, const struct ddl_column *column,
                             const char *table_charset, const char *convert_to, struct arena *arena,
                             struct column_def *out, const char **why, struct err *e)
{
    struct ddl_type t = column->type;
    const char *charset = NULL;

    *out = (struct column_def){.name = column->name,
                               .nullable = is_nullable(dialect, column),
                               .generated = column->generated};
    if (t.kind == DDL_TYPE_JSON && dialect->mariadb) {
        charset = t.charset == NULL ? "utf8mb4" : t.charset;
        charset = convert_to == NULL ? charset : convert_to;
    } else if (is_text_kind(t.kind)) {
        charset = t.charset == NULL ? table_charset : t.charset;
        if (convert_to != NULL && (charset == NULL || !str_ieq(charset, "binary"))) {
            charset = convert_to;
        }
        if (charset == NULL) {
            *why = "the charset of the table or database is not known";
            charset = "binary";
        }
        if (str_ieq(charset, "binary") && as_bytes(t.kind) != t.kind) {
            t.kind = as_bytes(t.kind);
            charset = NULL;
        }
    }
    return put_type(dialect, &t, charset, arena, out, why, e);
}

/* ---- CONVERT TO CHARACTER SET ---- */

/* TEXT types by their names; false for all others. */
static bool find_text_kind(const char *type_text, enum ddl_type_kind *kind, uint64_t *bytes)
{
    static const struct {
        const char *name;
        enum ddl_type_kind kind;
        uint64_t bytes;
    } texts[] = {{"tinytext", DDL_TYPE_TINYTEXT, 255},
                 {"text", DDL_TYPE_TEXT, 65535},
                 {"mediumtext", DDL_TYPE_MEDIUMTEXT, 16777215},
                 {"longtext", DDL_TYPE_LONGTEXT, 4294967295}};

    for (size_t i = 0; type_text != NULL && i < sizeof texts / sizeof texts[0]; i++) {
        size_t len = strlen(texts[i].name);

        if (strncmp(type_text, texts[i].name, len) == 0 &&
            (type_text[len] == '\0' || type_text[len] == ' ')) {
            *kind = texts[i].kind;
            *bytes = texts[i].bytes;
            return true;
        }
    }
    return false;
}

/* The type that a column of text has, as it would be written but for its labels. */
static bool written_type(const struct column_def *c, struct ddl_type *t)
{
    uint64_t bytes = 0;

    *t = (struct ddl_type){.has_length = true, .length = c->length};
    t->compressed =
        c->type_text != NULL && c->label_count == 0 && strstr(c->type_text, "COMPRESSED") != NULL;
    if (c->type == COLUMN_TYPE_CHAR || c->type == COLUMN_TYPE_VARCHAR) {
        t->kind = c->type == COLUMN_TYPE_CHAR ? DDL_TYPE_CHAR : DDL_TYPE_VARCHAR;
        return true;
    }
    if (c->type == COLUMN_TYPE_ENUM || c->type == COLUMN_TYPE_SET) {
        t->kind = c->type == COLUMN_TYPE_ENUM ? DDL_TYPE_ENUM : DDL_TYPE_SET;
        return true;
    }
    if (!find_text_kind(c->type_text, &t->kind, &bytes)) {
        return false;
    }
    t->length = bytes;
    return true;
}

enum err_code ddl_convert_column(const struct ddl_dialect *dialect, struct column_def *column,
                                 const char *charset, struct arena *arena, const char **why,
                                 struct err *e)
{
    struct ddl_type t;

    if (column->charset == NULL || str_ieq(column->charset, "binary")) {
        return ERR_OK;
    }
    if (!written_type(column, &t)) {
        *why = "a column's type is not known well enough to convert it";
        return ERR_OK;
    }
    if (column->label_count > 0) {
        ERR_TRY(ddl_convert_labels(column, charset, arena, &t, why, e));
        if (*why != NULL) {
            return ERR_OK;
        }
    }
    if (column->type == COLUMN_TYPE_TEXT) {
        /* As many characters as before, in the smallest type that has room for them. */
        uint64_t characters = t.length / ddl_charset_max_bytes(column->charset);

        t.kind = smallest(true, bytes_of(characters, ddl_charset_max_bytes(charset)));
        t.has_length = false;
    }
    if (str_ieq(charset, "binary") && as_bytes(t.kind) != t.kind) {
        t.kind = as_bytes(t.kind);
        charset = NULL;
    }
    return put_type(dialect, &t, charset, arena, column, why, e);
}
