#include "mysql/ddl_lexer_int.h"

#include "base/str.h"

#define DOLLAR_QUOTES_SINCE  90000u
#define COMMENT_VERSION_LOW  5u /* digits of a version in an executable comment */
#define COMMENT_VERSION_HIGH 6u

struct ddl_lexer ddl_lexer_of(struct span sql, uint64_t sql_mode, bool mariadb,
                              unsigned version_number)
{
    return (struct ddl_lexer){
        .sql = sql.len == 0 ? span_str("") : sql,
        .mariadb = mariadb,
        .ansi_quotes = (sql_mode & SQL_MODE_DDL_ANSI_QUOTES) != 0,
        .plain_backslash = (sql_mode & SQL_MODE_NO_BACKSLASH_ESCAPES) != 0,
        .brackets = mariadb && (sql_mode & SQL_MODE_MSSQL) != 0,
        .dollar_quotes = !mariadb && version_number >= DOLLAR_QUOTES_SINCE,
    };
}

static uint8_t peek(const struct ddl_lexer *l, size_t ahead)
{
    return l->sql.len - l->at > ahead ? l->sql.data[l->at + ahead] : '\0';
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex_digit(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_bit(uint8_t c)
{
    return c == '0' || c == '1';
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '$' || c >= 0x80;
}

/* ---- blanks and comments ---- */

static void skip_line(struct ddl_lexer *l)
{
    while (l->at < l->sql.len && l->sql.data[l->at] != '\n' && l->sql.data[l->at] != '\0') {
        l->at++;
    }
}

/* Behind the opening of an executable comment: a version of five or six digits. */
static void skip_version(struct ddl_lexer *l)
{
    size_t digits = 0;

    while (digits < COMMENT_VERSION_HIGH && is_digit(peek(l, digits))) {
        digits++;
    }
    l->at += digits >= COMMENT_VERSION_LOW ? digits : 0;
}

/* At a slash and a star; false when the comment has no end. */
static bool skip_comment(struct ddl_lexer *l)
{
    bool own = l->mariadb && peek(l, 2) == 'M' && peek(l, 3) == '!';

    if (peek(l, 2) == '!' || own) {
        l->at += own ? 4 : 3;
        skip_version(l);
        l->executable++;
        return true;
    }
    for (l->at += 2; l->at < l->sql.len; l->at++) {
        if (peek(l, 0) == '*' && peek(l, 1) == '/') {
            l->at += 2;
            return true;
        }
    }
    return false;
}

/* False when a comment has no end. */
static bool skip_blank(struct ddl_lexer *l)
{
    while (l->at < l->sql.len) {
        uint8_t c = peek(l, 0);

        if (is_space(c)) {
            l->at++;
        } else if (c == '#' || (c == '-' && peek(l, 1) == '-' && peek(l, 2) <= ' ')) {
            skip_line(l);
        } else if (c == '/' && peek(l, 1) == '*') {
            if (!skip_comment(l)) {
                return false;
            }
        } else if (l->executable > 0 && c == '*' && peek(l, 1) == '/') {
            l->executable--;
            l->at += 2;
        } else {
            return true;
        }
    }
    return l->executable == 0;
}

/* ---- tokens ---- */

/* At the opening quote. A doubled quote stands for one; in strings a backslash escapes. */
static void read_quoted(struct ddl_lexer *l, struct ddl_token *t, uint8_t quote)
{
    bool backslash = t->kind == DDL_TOKEN_STRING && !l->plain_backslash;
    size_t start = ++l->at;

    t->quote = (char)quote;
    for (; l->at < l->sql.len; l->at++) {
        uint8_t c = peek(l, 0);

        if (c == quote && peek(l, 1) == quote) {
            t->escapes = true;
            l->at++;
        } else if (c == quote) {
            t->text = span_of(l->sql.data + start, l->at - start);
            l->at++;
            return;
        } else if (backslash && c == '\\' && l->at + 1 < l->sql.len) {
            t->escapes = true;
            l->at++;
        }
    }
    t->kind = DDL_TOKEN_WRONG;
}

/* $tag$ text $tag$, where the tag may be empty; false when it is none. */
static bool read_dollar_quoted(struct ddl_lexer *l, struct ddl_token *t)
{
    size_t tag = 1;

    while (is_word(peek(l, tag)) && peek(l, tag) != '$') {
        tag++;
    }
    if (peek(l, tag) != '$') {
        return false;
    }
    tag++;
    const uint8_t *open = l->sql.data + l->at;
    size_t start = l->at + tag;

    for (size_t at = start; l->sql.len - at >= tag; at++) {
        if (memcmp(l->sql.data + at, open, tag) == 0) {
            t->kind = DDL_TOKEN_STRING;
            t->quote = '$';
            t->text = span_of(l->sql.data + start, at - start);
            l->at = at + tag;
            return true;
        }
    }
    t->kind = DDL_TOKEN_WRONG;
    l->at = l->sql.len;
    return true;
}

/* x'1f' and b'01' with the quote one ahead; false when what follows is no such literal. */
static bool read_quoted_digits(struct ddl_lexer *l, struct ddl_token *t)
{
    bool hex = peek(l, 0) == 'x' || peek(l, 0) == 'X';
    bool bits = peek(l, 0) == 'b' || peek(l, 0) == 'B';
    size_t n = 2;

    if ((!hex && !bits) || peek(l, 1) != '\'') {
        return false;
    }
    while (hex ? is_hex_digit(peek(l, n)) : is_bit(peek(l, n))) {
        n++;
    }
    t->kind = peek(l, n) == '\'' ? (hex ? DDL_TOKEN_HEX : DDL_TOKEN_BITS) : DDL_TOKEN_WRONG;
    t->text = span_of(l->sql.data + l->at + 2, n - 2);
    l->at += n + 1;
    if (l->at > l->sql.len) {
        l->at = l->sql.len;
    }
    return true;
}

static size_t word_bytes(const struct ddl_lexer *l)
{
    size_t n = 0;

    while (is_word(peek(l, n))) {
        n++;
    }
    return n;
}

static void take_word(struct ddl_lexer *l, struct ddl_token *t, enum ddl_token_kind kind,
                      size_t skipped, size_t len)
{
    t->kind = kind;
    t->text = span_of(l->sql.data + l->at + skipped, len - skipped);
    l->at += len;
}

/* Whether word bytes from `from` to len are all of a kind. */
static bool all(const struct ddl_lexer *l, size_t from, size_t len, bool (*is)(uint8_t c))
{
    for (size_t i = from; i < len; i++) {
        if (!is(peek(l, i))) {
            return false;
        }
    }
    return from < len;
}

/* Bytes of an exponent at `at`, 0 when there is none. */
static size_t exponent_bytes(const struct ddl_lexer *l, size_t at)
{
    size_t n = at;

    if (peek(l, n) != 'e' && peek(l, n) != 'E') {
        return 0;
    }
    n++;
    if (peek(l, n) == '+' || peek(l, n) == '-') {
        n++;
    }
    size_t digits = n;

    while (is_digit(peek(l, n))) {
        n++;
    }
    return n > digits ? n - at : 0;
}

/* At a digit, or at a point with a digit behind it. A word may start with digits: 1st, 0xyz. */
static void read_number(struct ddl_lexer *l, struct ddl_token *t)
{
    size_t len = word_bytes(l);
    size_t n = 0;

    if (peek(l, 0) == '0' && (peek(l, 1) == 'x' || peek(l, 1) == 'b')) {
        bool hex = peek(l, 1) == 'x';

        if (all(l, 2, len, hex ? is_hex_digit : is_bit)) {
            take_word(l, t, hex ? DDL_TOKEN_HEX : DDL_TOKEN_BITS, 2, len);
            return;
        }
    }
    while (is_digit(peek(l, n))) {
        n++;
    }
    if (n < len && exponent_bytes(l, n) == 0) {
        take_word(l, t, DDL_TOKEN_WORD, 0, len);
        return;
    }
    if (peek(l, n) == '.') {
        n++;
        while (is_digit(peek(l, n))) {
            n++;
        }
    }
    n += exponent_bytes(l, n);
    if (n < len) { /* 1e5x */
        take_word(l, t, DDL_TOKEN_WORD, 0, len);
        return;
    }
    take_word(l, t, DDL_TOKEN_NUMBER, 0, n);
}

static void read_string(struct ddl_lexer *l, struct ddl_token *t)
{
    t->kind = DDL_TOKEN_STRING;
    read_quoted(l, t, peek(l, 0));
}

/* At a character of a word that is no digit. */
static void read_word(struct ddl_lexer *l, struct ddl_token *t)
{
    if (read_quoted_digits(l, t)) {
        return;
    }
    if ((peek(l, 0) == 'n' || peek(l, 0) == 'N') && peek(l, 1) == '\'') {
        l->at++;
        t->national = true;
        read_string(l, t);
        return;
    }
    if (l->dollar_quotes && peek(l, 0) == '$' && read_dollar_quoted(l, t)) {
        return;
    }
    take_word(l, t, DDL_TOKEN_WORD, 0, word_bytes(l));
}

/* At a token that is no name in quotes. */
static void read_plain(struct ddl_lexer *l, struct ddl_token *t, bool after_dot, size_t name_end)
{
    uint8_t c = peek(l, 0);

    if (c == '\'' || c == '"') {
        read_string(l, t);
    } else if (is_word(c) && after_dot) {
        take_word(l, t, DDL_TOKEN_WORD, 0, word_bytes(l));
    } else if (is_digit(c) || (c == '.' && is_digit(peek(l, 1)) && l->at != name_end)) {
        read_number(l, t);
    } else if (is_word(c)) {
        read_word(l, t);
    } else {
        t->kind = DDL_TOKEN_PUNCT;
        t->text = span_of(l->sql.data + l->at, 1);
        l->at++;
        l->after_dot = c == '.';
    }
}

void ddl_lexer_next(struct ddl_lexer *l, struct ddl_token *t)
{
    bool after_dot = l->after_dot;
    size_t name_end = l->name_end;

    *t = (struct ddl_token){.kind = DDL_TOKEN_END};
    l->after_dot = false;
    bool closed = skip_blank(l);

    t->raw = l->sql.data + l->at;
    if (!closed) {
        t->kind = DDL_TOKEN_WRONG;
        return;
    }
    if (l->at >= l->sql.len) {
        return;
    }
    uint8_t c = peek(l, 0);

    if (c == '`' || (c == '"' && l->ansi_quotes) || (c == '[' && l->brackets)) {
        t->kind = DDL_TOKEN_NAME;
        read_quoted(l, t, c == '[' ? ']' : c);
    } else {
        read_plain(l, t, after_dot, name_end);
    }
    if (t->kind == DDL_TOKEN_WORD || t->kind == DDL_TOKEN_NAME) {
        l->name_end = l->at;
    }
}

/* ---- text ---- */

uint8_t sql_unescaped(uint8_t c)
{
    switch (c) {
    case '0':
        return '\0';
    case 'b':
        return '\b';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'Z':
        return '\x1a';
    default:
        return c;
    }
}

void ddl_token_append(const struct ddl_lexer *l, const struct ddl_token *t, struct buf *out)
{
    bool backslash = t->kind == DDL_TOKEN_STRING && !l->plain_backslash && t->quote != '$';

    if (!t->escapes) {
        buf_append_span(out, t->text);
        return;
    }
    for (size_t i = 0; i < t->text.len; i++) {
        uint8_t c = t->text.data[i];
        bool more = i + 1 < t->text.len;

        if (c == (uint8_t)t->quote && more) {
            i++;
        } else if (backslash && c == '\\' && more) {
            c = t->text.data[++i];
            if (c == '%' || c == '_') {
                buf_u8(out, '\\'); /* they stay escaped: LIKE wants them so */
            } else {
                c = sql_unescaped(c);
            }
        }
        buf_u8(out, c);
    }
}
