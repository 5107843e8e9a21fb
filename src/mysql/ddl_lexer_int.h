/*
 * ddl_lexer_int.h - the tokens of a statement, exactly as the server that logged it reads them.
 *
 * Text is UTF-8. Executable comments are code: those that the server did not run are plain ones in
 * the log. A lexer is a value: a copy of it is a place to come back to.
 *
 * Owns:   nothing; tokens point into the text.
 * Thread: any; a lexer belongs to one.
 */
#ifndef CALVE_MYSQL_DDL_LEXER_INT_H
#define CALVE_MYSQL_DDL_LEXER_INT_H

#include "base/buf.h"

enum ddl_token_kind {
    DDL_TOKEN_END,
    DDL_TOKEN_WORD,   /* keyword or unquoted name */
    DDL_TOKEN_NAME,   /* quoted name */
    DDL_TOKEN_STRING, /* quoted text */
    DDL_TOKEN_NUMBER, /* 12, 1.5, .5, 1e9 */
    DDL_TOKEN_HEX,    /* 0x1f, x'1f': the digits */
    DDL_TOKEN_BITS,   /* 0b01, b'01': the digits */
    DDL_TOKEN_PUNCT,  /* one character */
    DDL_TOKEN_WRONG,  /* no token: a quote or comment without end */
};

struct ddl_token {
    enum ddl_token_kind kind;
    char quote;         /* of NAME and STRING; ']' for brackets; '$' for dollar quotes, else 0 */
    bool escapes;       /* doubled quotes or backslashes inside: ddl_token_append() resolves them */
    bool national;      /* N'text' */
    struct span text;   /* without quotes */
    const uint8_t *raw; /* where it starts */
};

struct ddl_lexer {
    struct span sql;
    size_t at;
    bool mariadb;
    bool ansi_quotes;
    bool plain_backslash; /* NO_BACKSLASH_ESCAPES */
    bool brackets;        /* MariaDB's MSSQL mode: [name] */
    bool dollar_quotes;   /* MySQL 9 */
    bool after_dot;       /* what follows a '.' is a name, even when it starts with digits */
    size_t name_end;      /* a '.' here belongs to the name in front of it: t.1a */
    int executable;       /* depth of executable comments */
};

#define SQL_MODE_REAL_AS_FLOAT        0x1u
#define SQL_MODE_DDL_ANSI_QUOTES      0x4u
#define SQL_MODE_ORACLE               0x200u
#define SQL_MODE_MSSQL                0x400u
#define SQL_MODE_MAXDB                0x1000u
#define SQL_MODE_NO_BACKSLASH_ESCAPES 0x100000u

struct ddl_lexer ddl_lexer_of(struct span sql, uint64_t sql_mode, bool mariadb,
                              unsigned version_number);

/* The next token; DDL_TOKEN_END at the end, again and again. */
void ddl_lexer_next(struct ddl_lexer *l, struct ddl_token *t);

/* Appends the token's text with its escapes resolved. */
void ddl_token_append(const struct ddl_lexer *l, const struct ddl_token *t, struct buf *out);

/* What a backslash and c stand for; NO_BACKSLASH_ESCAPES is the caller's. */
uint8_t sql_unescaped(uint8_t c);

#endif
