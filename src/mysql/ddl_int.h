/*
 * ddl_int.h - a statement that changes tables, as read from its text.
 *
 * ddl_parse() reads a statement to its end or fails; nothing here knows a table's definition yet.
 * What the text leaves open (charsets, lengths that the server changes) is settled by ddl_type.c
 * and ddl_apply.c.
 *
 * Spec: mysql-server sql/sql_yacc.yy; MariaDB sql/sql_yacc.yy.
 * Owns:   a statement and its texts live in the arena it was read into; texts are UTF-8.
 * Thread: one at a time.
 */
#ifndef CALVE_MYSQL_DDL_INT_H
#define CALVE_MYSQL_DDL_INT_H

#include "base/arena.h"
#include "model/table_def.h"
#include "mysql/charset.h"
#include "mysql/ddl_lexer_int.h"

/* The server that logged a statement, and its session. */
struct ddl_dialect {
    bool mariadb;
    unsigned version_number;
    uint64_t sql_mode;
    bool explicit_timestamps;
    bool binary_text;     /* the text's charset is `binary`: labels are bytes of the columns' */
    const char *database; /* the session's; "" when there is none */
};

enum ddl_type_kind {
    DDL_TYPE_TINYINT,
    DDL_TYPE_SMALLINT,
    DDL_TYPE_MEDIUMINT,
    DDL_TYPE_INT,
    DDL_TYPE_BIGINT,
    DDL_TYPE_DECIMAL,
    DDL_TYPE_FLOAT,
    DDL_TYPE_DOUBLE,
    DDL_TYPE_BIT,
    DDL_TYPE_YEAR,
    DDL_TYPE_DATE,
    DDL_TYPE_TIME,
    DDL_TYPE_DATETIME,
    DDL_TYPE_TIMESTAMP,
    DDL_TYPE_CHAR,
    DDL_TYPE_VARCHAR,
    DDL_TYPE_BINARY,
    DDL_TYPE_VARBINARY,
    DDL_TYPE_TINYTEXT,
    DDL_TYPE_TEXT,
    DDL_TYPE_MEDIUMTEXT,
    DDL_TYPE_LONGTEXT,
    DDL_TYPE_TINYBLOB,
    DDL_TYPE_BLOB,
    DDL_TYPE_MEDIUMBLOB,
    DDL_TYPE_LONGBLOB,
    DDL_TYPE_ENUM,
    DDL_TYPE_SET,
    DDL_TYPE_JSON,
    DDL_TYPE_GEOMETRY, /* and its children: `word` says which */
    DDL_TYPE_VECTOR,
    DDL_TYPE_UUID,
    DDL_TYPE_INET4,
    DDL_TYPE_INET6,
};

struct ddl_label {
    struct span text;
    bool raw; /* bytes in the column's charset, from a hex literal; else UTF-8 */
};

struct ddl_type {
    enum ddl_type_kind kind;
    const char *word; /* GEOMETRY: "point" */
    bool has_length;
    bool has_scale;
    bool is_unsigned;
    bool zerofill;
    bool compressed;
    bool serial; /* NOT NULL AUTO_INCREMENT UNIQUE */
    uint64_t length;
    uint32_t scale;
    const char *charset; /* as the text says; NULL: as the table */
    struct ddl_label *labels;
    uint32_t label_count;
};

enum ddl_place {
    DDL_PLACE_LAST, /* or where it was */
    DDL_PLACE_FIRST,
    DDL_PLACE_AFTER,
};

struct ddl_column {
    const char *name;
    struct ddl_type type;
    bool not_null;
    bool null; /* written so */
    bool generated;
    bool row_end; /* GENERATED ALWAYS AS ROW END */
    bool primary;
    bool if_exists; /* ADD: if it does not exist; MODIFY, CHANGE: if it does */
    enum ddl_place place;
    const char *after;
};

/* Charset options, of a table or a database; the last one wins. */
struct ddl_charset {
    bool given;
    const char *name; /* NULL with given: the default of what is around it */
};

enum ddl_action_kind {
    DDL_ADD_COLUMN,
    DDL_MODIFY_COLUMN, /* CHANGE, too: old_name is what it was */
    DDL_DROP_COLUMN,
    DDL_RENAME_COLUMN,
    DDL_ADD_PRIMARY,
    DDL_DROP_PRIMARY,
    DDL_ADD_PERIOD, /* old_name; its columns are NOT NULL */
    DDL_CONVERT_CHARSET,
    DDL_RENAME_TABLE,
    DDL_ROWS_REMOVED,
    DDL_ROWS_REPLACED,
    DDL_REPAIR_ROWS,        /* replaces rows in engines that have no transactions */
    DDL_EXCHANGE_TABLE,     /* other: rows go both ways */
    DDL_PARTITION_TO_TABLE, /* other is new */
    DDL_TABLE_TO_PARTITION, /* other is gone */
    DDL_VERSIONING,         /* hidden columns came or went */
};

struct ddl_table_name {
    const char *database;
    const char *table;
};

struct ddl_action {
    enum ddl_action_kind kind;
    struct ddl_column column; /* ADD, MODIFY */
    const char *old_name;     /* MODIFY, DROP_COLUMN, RENAME_COLUMN, ADD_PERIOD */
    const char *new_name;     /* RENAME_COLUMN */
    bool if_exists;
    const char *period; /* ADD_PRIMARY: WITHOUT OVERLAPS; NULL: none */
    const char **names; /* ADD_PRIMARY, ADD_PERIOD: columns */
    uint32_t name_count;
    const char *charset; /* CONVERT_CHARSET: NULL is the database's default */
    struct ddl_table_name other;
};

struct ddl_actions {
    struct ddl_action *at;
    uint32_t count;
    uint32_t capacity;
};

enum ddl_statement_kind {
    DDL_NONE, /* nothing that concerns tables */
    DDL_CREATE_TABLE,
    DDL_CREATE_LIKE,
    DDL_CREATE_DATABASE,
    DDL_ALTER_TABLE,
    DDL_ALTER_DATABASE,
    DDL_DROP_TABLES,
    DDL_DROP_DATABASE,
    DDL_RENAME_TABLES,
    DDL_TRUNCATE,
    DDL_REPAIR,
    DDL_REPLACE_BY_SEQUENCE, /* CREATE OR REPLACE SEQUENCE: a table of the name goes */
};

struct ddl_rename {
    struct ddl_table_name from;
    struct ddl_table_name to;
};

struct ddl_statement {
    enum ddl_statement_kind kind;
    bool temporary;
    bool or_replace;
    bool if_exists; /* IF EXISTS, IF NOT EXISTS */
    bool ignore;    /* ALTER IGNORE */
    bool select;    /* CREATE ... SELECT: columns follow that are not written */
    bool has_rows;  /* CREATE ... SELECT in any form */
    bool sequence;  /* SEQUENCE=1 */
    struct ddl_table_name table;
    struct ddl_table_name like;
    struct ddl_charset charset;
    const char *engine;
    struct ddl_actions actions; /* CREATE TABLE: its columns and keys as if they were added */
    struct ddl_table_name *names;
    uint32_t name_count;
    struct ddl_rename *renames;
    uint32_t rename_count;
};

/*
 * Reads one statement. Heads that concern no tables give DDL_NONE, whatever follows.
 *
 * Errors: ERR_UNSUPPORTED  the text cannot be read; the message says where
 *         ERR_LIMIT, ERR_NOMEM
 */
MUST_USE enum err_code ddl_parse(struct span sql, const struct ddl_dialect *dialect,
                                 struct arena *arena, struct ddl_statement *out, struct err *e);

/* ---- ddl_type.c ---- */

/*
 * The column as the server makes it, in arena; table_charset is that of new text columns, NULL when
 * it is not known, and convert_to of CONVERT TO CHARACTER SET, else NULL. *why (in arena) is set
 * when it cannot be told.
 */
MUST_USE enum err_code ddl_column_def(const struct ddl_dialect *dialect,
                                      const struct ddl_column *column, const char *table_charset,
                                      const char *convert_to, struct arena *arena,
                                      struct column_def *out, const char **why, struct err *e);

/* What CONVERT TO CHARACTER SET makes of a column that is there. */
MUST_USE enum err_code ddl_convert_column(const struct ddl_dialect *dialect,
                                          struct column_def *column, const char *charset,
                                          struct arena *arena, const char **why, struct err *e);

/* ---- ddl_label.c ---- */

/* The labels of a type, as texts of the column in its charset; *why as above. */
MUST_USE enum err_code ddl_put_labels(const struct ddl_type *t, const char *charset,
                                      struct arena *arena, struct column_def *column,
                                      const char **why, struct err *e);

/*
 * A column's labels behind CONVERT TO CHARACTER SET, into t. Servers leave their bytes as they are,
 * so that in another charset they are other texts; *why when they are none, or when it is not known
 * which bytes they are.
 */
MUST_USE enum err_code ddl_convert_labels(const struct column_def *column, const char *charset,
                                          struct arena *arena, struct ddl_type *t, const char **why,
                                          struct err *e);

/* ---- ddl_apply.c ---- */

/*
 * The definition after the statement, in arena; was is NULL for CREATE TABLE. *out is NULL when it
 * cannot be told, and then *why (in arena) says why. default_charset is the database's, NULL when
 * it is not known.
 */
MUST_USE enum err_code ddl_apply(const struct ddl_dialect *dialect, const struct ddl_statement *s,
                                 const struct table_def *was, const char *default_charset,
                                 struct arena *arena, const struct table_def **out,
                                 const char **why, struct err *e);

/* Whether the statement can change a definition at all: columns, key, charset, engine. */
bool ddl_changes_definition(const struct ddl_statement *s);

/* ---- parts of the parser ---- */

struct ddl_parser {
    const struct ddl_dialect *dialect;
    struct ddl_lexer lexer;
    struct ddl_token t; /* the one to be read next */
    struct arena *arena;
    struct err *e;
    enum err_code failed; /* once set, t is the end and every reading does nothing */
};

/* Fails for good: "cannot be read at byte 17, near 'x y z': a column's type was expected". */
void ddl_fail(struct ddl_parser *p, const char *expected);
void ddl_no_room(struct ddl_parser *p);

void ddl_next(struct ddl_parser *p);
/* The token after p->t. */
struct ddl_token ddl_peek(const struct ddl_parser *p);

/* Unquoted words, ASCII case ignored. */
bool ddl_token_is(const struct ddl_token *t, const char *word);
bool ddl_is(const struct ddl_parser *p, const char *word);
bool ddl_is_any(const struct ddl_parser *p, const char *const *words);
bool ddl_is_punct(const struct ddl_parser *p, char c);
bool ddl_at_end(const struct ddl_parser *p);

/* Reads it when it is there. */
bool ddl_accept(struct ddl_parser *p, const char *word);
bool ddl_accept_punct(struct ddl_parser *p, char c);
/* Reads two words when both are there. */
bool ddl_accept_two(struct ddl_parser *p, const char *first, const char *second);

/* Reads it, or fails. */
void ddl_expect(struct ddl_parser *p, const char *word);
void ddl_expect_punct(struct ddl_parser *p, char c);

/* `IF EXISTS`, `IF NOT EXISTS` */
bool ddl_accept_if_exists(struct ddl_parser *p);
bool ddl_accept_if_not_exists(struct ddl_parser *p);

bool ddl_is_name(const struct ddl_parser *p);
/* The text of p->t, in the arena; "" after a failure. */
const char *ddl_take_text(struct ddl_parser *p);
const char *ddl_read_name(struct ddl_parser *p);
/* a.b.c, a.b, a or .a: the last part. */
const char *ddl_read_column_name(struct ddl_parser *p);
struct ddl_table_name ddl_read_table_name(struct ddl_parser *p);
uint64_t ddl_read_number(struct ddl_parser *p);
/* Its bytes, with a NUL behind them. */
struct span ddl_read_string(struct ddl_parser *p);

/* ( ... ) with whatever is in it. */
void ddl_skip_parens(struct ddl_parser *p);
/* A value of an option or a DEFAULT: literal, name, f(...), ( ... ). */
void ddl_skip_value(struct ddl_parser *p);

struct ddl_action *ddl_add_action(struct ddl_parser *p, struct ddl_actions *to,
                                  enum ddl_action_kind kind);

/* ---- ddl_charset.c ---- */

/* `CHARACTER SET`, `CHARSET`, `CHAR SET`: reads it when it is there. */
bool ddl_accept_charset_words(struct ddl_parser *p);
/* A charset's name, lower case, utf8mb3 for utf8; NULL stands for DEFAULT. */
const char *ddl_read_charset_name(struct ddl_parser *p);
/* The charset that a collation belongs to; NULL for those that fit any. */
const char *ddl_read_collation(struct ddl_parser *p);
/* Bytes of the charset's longest character. */
uint32_t ddl_charset_max_bytes(const char *charset);
/* And of its shortest. */
uint32_t ddl_charset_min_bytes(const char *charset);
/* The characters that a charset has; in its texts all others are question marks. */
struct ddl_repertoire {
    uint8_t bmp[8192]; /* by bit, up to U+FFFF */
    bool beyond;
};
/* Errors: ERR_NOMEM, ERR_UNSUPPORTED as charset_to_utf8. */
MUST_USE enum err_code ddl_repertoire_of(const char *charset, struct ddl_repertoire *out);
bool ddl_repertoire_has(const struct ddl_repertoire *r, uint32_t c);
/* The character that the text starts with; returns its bytes, 0 when there is none. */
size_t ddl_next_character(struct span text, uint32_t *out);

/* The codes of the first 65,536 characters in a charset. */
struct ddl_encoder {
    uint32_t codes[65536]; /* big-endian; 0: it has none, UINT32_MAX: it has several */
};
/*
 * Errors: ERR_UNSUPPORTED  the charset is none of one or several bytes, or this system does not
 *                          know it; then out has no codes
 */
MUST_USE enum err_code ddl_encoder_of(const struct charset *cs, struct ddl_encoder *out);
/* Appends the text's bytes; false when they cannot be told. Failures of out stay in it. */
MUST_USE bool ddl_encode(const struct ddl_encoder *encoder, struct span text, struct buf *out);

/* The name as this server shows it: utf8 on those that do not say utf8mb3 yet. */
const char *ddl_charset_shown(const struct ddl_dialect *dialect, const char *charset);

/* ddl_column.c: type and attributes; a column's name is read already. */
void ddl_read_column(struct ddl_parser *p, struct ddl_column *out);
/* ddl_parse_type.c */
void ddl_read_type(struct ddl_parser *p, struct ddl_type *out);
/* CHARACTER SET x, ASCII, UNICODE, BYTE, BINARY behind a type. */
void ddl_read_type_charset(struct ddl_parser *p, struct ddl_type *out);

/* ddl_options.c */
bool ddl_at_table_option(struct ddl_parser *p);
void ddl_read_table_option(struct ddl_parser *p, struct ddl_statement *s);
/* CHARACTER SET, CHARSET, COLLATE with DEFAULT in front or not; false when p is at none. */
bool ddl_read_charset_option(struct ddl_parser *p, struct ddl_charset *out);
/* PARTITION BY ... */
void ddl_read_partitioning(struct ddl_parser *p);
/* ( PARTITION ..., PARTITION ... ) */
void ddl_read_partition_list(struct ddl_parser *p);

/* ddl_create.c: CREATE [TEMPORARY] TABLE is read already. */
void ddl_read_create_table(struct ddl_parser *p, struct ddl_statement *s);
/* One of PRIMARY KEY, INDEX, CONSTRAINT, PERIOD ...; false when p is at a column. */
bool ddl_read_table_element(struct ddl_parser *p, struct ddl_actions *to);

/* ddl_alter.c: ALTER TABLE name is read already. */
void ddl_read_alter_table(struct ddl_parser *p, struct ddl_statement *s);
void ddl_skip_wait(struct ddl_parser *p);

#endif
