#include "mysql/sql_lexer_int.h"

#include "base/str.h"

struct sql_lexer sql_lexer_of(struct span sql, bool ansi_quotes, unsigned reading)
{
    const char *start = sql.len == 0 ? "" : (const char *)sql.data;

    return (struct sql_lexer){
        .at = start, .end = start + sql.len, .ansi_quotes = ansi_quotes, .reading = reading};
}

static char peek(const struct sql_lexer *l, size_t ahead)
{
    return (size_t)(l->end - l->at) > ahead ? l->at[ahead] : '\0';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '$' || ((unsigned char)c & 0x80) != 0;
}

static void skip_line(struct sql_lexer *l)
{
    while (l->at < l->end && *l->at != '\n' && *l->at != '\0') {
        l->at++;
    }
}

/* At a slash and a star: executable comments open, plain ones are skipped. */
static void skip_comment(struct sql_lexer *l)
{
    bool mariadb = peek(l, 2) == 'M' && peek(l, 3) == '!';

    l->readings_seen |= mariadb ? SQL_READING_PLAIN_M_COMMENT : 0u;
    if (peek(l, 2) == '!' || (mariadb && (l->reading & SQL_READING_PLAIN_M_COMMENT) == 0)) {
        l->at += mariadb ? 4 : 3;
        while (l->at < l->end && is_digit(*l->at)) {
            l->at++;
        }
        l->executable++;
        return;
    }
    l->at += 2;
    while (l->at < l->end && !(peek(l, 0) == '*' && peek(l, 1) == '/')) {
        l->at++;
    }
    l->at = l->end - l->at < 2 ? l->end : l->at + 2;
}

static void skip_blank(struct sql_lexer *l)
{
    while (l->at < l->end) {
        char c = *l->at;

        if (is_space(c)) {
            l->at++;
        } else if (c == '#' || (c == '-' && peek(l, 1) == '-' &&
                                (l->end - l->at == 2 || (unsigned char)peek(l, 2) <= ' '))) {
            skip_line(l);
        } else if (c == '/' && peek(l, 1) == '*') {
            skip_comment(l);
        } else if (l->executable > 0 && c == '*' && peek(l, 1) == '/') {
            l->executable--;
            l->at += 2;
        } else {
            return;
        }
    }
}

static void put_char(struct sql_token *t, size_t *len, char c)
{
    if (*len + 1 == sizeof t->text) {
        t->cut = true;
    } else if (c == '\0') {
        t->unsure = true;
    } else {
        t->text[(*len)++] = c;
    }
}

/* A quoted token; a doubled quote stands for one, in strings a backslash escapes. */
static void read_quoted(struct sql_lexer *l, struct sql_token *t)
{
    char quote = *l->at++;
    size_t len = 0;

    while (l->at < l->end) {
        char c = *l->at++;

        if (c == quote) {
            if (peek(l, 0) != quote) {
                break;
            }
            l->at++;
        } else if (t->kind == SQL_TOKEN_STRING && c == '\\' && l->at < l->end) {
            l->readings_seen |= SQL_READING_PLAIN_BACKSLASH;
            if ((l->reading & SQL_READING_PLAIN_BACKSLASH) == 0) {
                c = *l->at++;
            }
        }
        put_char(t, &len, c);
    }
    t->text[len] = '\0';
}

static void read_word(struct sql_lexer *l, struct sql_token *t)
{
    size_t len = 0;

    while (l->at < l->end && is_word(*l->at)) {
        put_char(t, &len, *l->at++);
    }
    t->text[len] = '\0';
}

void sql_next(struct sql_lexer *l, struct sql_token *t)
{
    skip_blank(l);
    t->text[0] = '\0';
    t->unsure = false;
    t->cut = false;
    if (l->at >= l->end) {
        t->kind = SQL_TOKEN_END;
        return;
    }
    char c = *l->at;

    if (c == '`' || (c == '"' && l->ansi_quotes)) {
        t->kind = SQL_TOKEN_NAME;
        read_quoted(l, t);
    } else if (c == '\'' || c == '"') {
        t->kind = SQL_TOKEN_STRING;
        read_quoted(l, t);
    } else if (is_word(c)) {
        t->kind = SQL_TOKEN_WORD;
        read_word(l, t);
    } else {
        t->kind = SQL_TOKEN_PUNCT;
        t->text[0] = c;
        t->text[1] = '\0';
        l->at++;
        return;
    }
    t->unsure = t->unsure || t->cut || !str_is_utf8(span_str(t->text));
}

bool sql_is(const struct sql_token *t, const char *word)
{
    return t->kind == SQL_TOKEN_WORD && str_ieq(t->text, word);
}

bool sql_is_punct(const struct sql_token *t, char c)
{
    return t->kind == SQL_TOKEN_PUNCT && t->text[0] == c;
}

bool sql_is_any(const struct sql_token *t, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (sql_is(t, *words)) {
            return true;
        }
    }
    return false;
}

bool sql_is_nameable(const struct sql_token *t)
{
    return t->kind == SQL_TOKEN_WORD || t->kind == SQL_TOKEN_NAME || t->kind == SQL_TOKEN_STRING;
}

void sql_skip_words(struct sql_lexer *l, struct sql_token *t, const char *const *words)
{
    while (sql_is_any(t, words)) {
        sql_next(l, t);
    }
}
