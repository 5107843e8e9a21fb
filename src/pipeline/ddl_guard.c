#include "pipeline/ddl_guard.h"

#include <stdio.h>

#include "base/str.h"

#define NAME_BYTES 256u

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* keyword or unquoted name */
    TOKEN_NAME,   /* quoted name */
    TOKEN_STRING, /* quoted text */
    TOKEN_PUNCT,
};

struct token {
    enum token_kind kind;
    char text[NAME_BYTES]; /* WORD, NAME: unquoted; PUNCT: one character */
};

struct lexer {
    const char *at;
    const char *end;
    bool ansi_quotes;
    int executable; /* depth of executable comments, whose content is code */
};

static struct lexer lexer_of(struct span sql, bool ansi_quotes)
{
    return (struct lexer){.at = (const char *)sql.data,
                          .end = (const char *)sql.data + sql.len,
                          .ansi_quotes = ansi_quotes};
}

static char peek(const struct lexer *l, size_t ahead)
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

static void skip_line(struct lexer *l)
{
    while (l->at < l->end && *l->at != '\n') {
        l->at++;
    }
}

/* At a slash and a star: executable comments open, plain ones are skipped. */
static void skip_comment(struct lexer *l)
{
    bool mariadb = peek(l, 2) == 'M' && peek(l, 3) == '!';

    if (peek(l, 2) == '!' || mariadb) {
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

static void skip_blank(struct lexer *l)
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

/* A quoted token; a doubled quote stands for one, in strings a backslash escapes. */
static void read_quoted(struct lexer *l, struct token *t)
{
    char quote = *l->at++;
    size_t len = 0;
    bool string = t->kind == TOKEN_STRING;

    while (l->at < l->end) {
        char c = *l->at++;

        if (c == quote) {
            if (peek(l, 0) != quote) {
                break;
            }
            l->at++;
        } else if (string && c == '\\' && l->at < l->end) {
            c = *l->at++;
        }
        if (len + 1 < sizeof t->text) {
            t->text[len++] = c;
        }
    }
    t->text[len] = '\0';
}

static void next(struct lexer *l, struct token *t)
{
    skip_blank(l);
    t->text[0] = '\0';
    if (l->at >= l->end) {
        t->kind = TOKEN_END;
        return;
    }
    char c = *l->at;

    if (c == '`' || (c == '"' && l->ansi_quotes)) {
        t->kind = TOKEN_NAME;
        read_quoted(l, t);
    } else if (c == '\'' || c == '"') {
        t->kind = TOKEN_STRING;
        read_quoted(l, t);
    } else if (is_word(c)) {
        size_t len = 0;

        t->kind = TOKEN_WORD;
        while (l->at < l->end && is_word(*l->at)) {
            if (len + 1 < sizeof t->text) {
                t->text[len++] = *l->at;
            }
            l->at++;
        }
        t->text[len] = '\0';
    } else {
        t->kind = TOKEN_PUNCT;
        t->text[0] = c;
        t->text[1] = '\0';
        l->at++;
    }
}

static bool is(const struct token *t, const char *word)
{
    return t->kind == TOKEN_WORD && str_ieq(t->text, word);
}

static bool is_punct(const struct token *t, char c)
{
    return t->kind == TOKEN_PUNCT && t->text[0] == c;
}

static bool is_any(const struct token *t, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (is(t, *words)) {
            return true;
        }
    }
    return false;
}

enum statement_kind statement_classify(struct span sql, bool ansi_quotes)
{
    static const char *const dml[] = {"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD",
                                      "CALL",   "DO",     "WITH",   NULL};
    static const char *const ddl[] = {"CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", NULL};
    struct lexer l = lexer_of(sql, ansi_quotes);
    struct token first;
    struct token second;

    next(&l, &first);
    next(&l, &second);
    if (is(&first, "BEGIN") || (is(&first, "START") && is(&second, "TRANSACTION"))) {
        return STATEMENT_BEGIN;
    }
    if (is(&first, "COMMIT")) {
        return STATEMENT_COMMIT;
    }
    if (is(&first, "ROLLBACK")) {
        return is(&second, "TO") ? STATEMENT_ROLLBACK_TO : STATEMENT_ROLLBACK;
    }
    if (is(&first, "SAVEPOINT") || is(&first, "RELEASE")) {
        return STATEMENT_SAVEPOINT;
    }
    if (is(&first, "XA")) {
        return STATEMENT_XA;
    }
    if (is_any(&first, dml)) {
        return STATEMENT_DML;
    }
    /* SET STATEMENT x=y FOR <statement>: what counts comes after FOR. */
    if (is(&first, "SET") && is(&second, "STATEMENT")) {
        struct token t;

        do {
            next(&l, &t);
        } while (t.kind != TOKEN_END && !is(&t, "FOR"));
        return t.kind == TOKEN_END
                   ? STATEMENT_OTHER
                   : statement_classify(span_of(l.at, (size_t)(l.end - l.at)), ansi_quotes);
    }
    return is_any(&first, ddl) ? STATEMENT_DDL : STATEMENT_OTHER;
}

struct touch {
    const char *default_schema;
    void (*touched)(void *ctx, const char *schema, const char *table);
    void *ctx;
};

/* Reads `a`, `a.b`; *t is the token after it. False when there is no name. */
static bool read_name(struct lexer *l, struct token *t, const struct touch *to, char *schema,
                      char *table)
{
    if (t->kind != TOKEN_WORD && t->kind != TOKEN_NAME) {
        return false;
    }
    (void)snprintf(schema, NAME_BYTES, "%s", to->default_schema);
    (void)snprintf(table, NAME_BYTES, "%s", t->text);
    next(l, t);
    if (is_punct(t, '.')) {
        next(l, t);
        if (t->kind != TOKEN_WORD && t->kind != TOKEN_NAME) {
            return false;
        }
        (void)snprintf(schema, NAME_BYTES, "%s", table);
        (void)snprintf(table, NAME_BYTES, "%s", t->text);
        next(l, t);
    }
    return true;
}

static void skip_words(struct lexer *l, struct token *t, const char *const *words)
{
    while (is_any(t, words)) {
        next(l, t);
    }
}

/* Skips to the next top-level comma or the end. */
static void skip_clause(struct lexer *l, struct token *t)
{
    int depth = 0;

    while (t->kind != TOKEN_END && !(depth == 0 && is_punct(t, ','))) {
        depth += is_punct(t, '(') ? 1 : is_punct(t, ')') ? -1 : 0;
        next(l, t);
    }
}

/* Whether one ALTER TABLE clause leaves columns and rows as they are. */
static bool clause_is_harmless(struct lexer *l, struct token *t)
{
    static const char *const harmless[] = {"ENGINE",           "AUTO_INCREMENT",
                                           "COMMENT",          "FORCE",
                                           "ALGORITHM",        "LOCK",
                                           "ROW_FORMAT",       "STATS_AUTO_RECALC",
                                           "STATS_PERSISTENT", "STATS_SAMPLE_PAGES",
                                           "DISABLE",          "ENABLE",
                                           "KEY_BLOCK_SIZE",   "ANALYZE",
                                           "OPTIMIZE",         "REBUILD",
                                           "CHECKSUM",         "DELAY_KEY_WRITE",
                                           "SECONDARY_ENGINE", "WITH",
                                           "WITHOUT",          "WAIT",
                                           "NOWAIT",           NULL};
    static const char *const parts[] = {"INDEX",   "KEY",   "UNIQUE",     "FULLTEXT", "SPATIAL",
                                        "FOREIGN", "CHECK", "CONSTRAINT", NULL};
    static const char *const renamed[] = {"INDEX", "KEY", NULL};

    if (is_any(t, harmless)) {
        return true;
    }
    bool add = is(t, "ADD");
    bool add_or_drop = add || is(t, "DROP");
    bool rename_or_alter = is(t, "RENAME") || is(t, "ALTER");

    if (!add_or_drop && !rename_or_alter) {
        return false;
    }
    next(l, t);
    if (add_or_drop) {
        /* ADD CONSTRAINT may be followed by PRIMARY KEY: the key is not part of a payload. */
        return is_any(t, parts) || (add && is(t, "PARTITION"));
    }
    return is_any(t, renamed);
}

static void alter_table(struct lexer *l, struct token *t, const struct touch *to)
{
    static const char *const noise[] = {"IF", "EXISTS", NULL};
    static const char *const waits[] = {"WAIT", "NOWAIT", NULL};
    char schema[NAME_BYTES];
    char table[NAME_BYTES];

    skip_words(l, t, noise);
    if (!read_name(l, t, to, schema, table)) {
        to->touched(to->ctx, to->default_schema, "");
        return;
    }
    if (is_any(t, waits)) {
        next(l, t);
    }
    bool harmless = t->kind != TOKEN_END;

    while (harmless && t->kind != TOKEN_END) {
        harmless = clause_is_harmless(l, t);
        if (harmless) {
            skip_clause(l, t);
            if (is_punct(t, ',')) {
                next(l, t);
            }
        }
    }
    if (harmless) {
        return;
    }
    to->touched(to->ctx, schema, table);
    /* ALTER TABLE a RENAME TO b: b is touched as well. */
    while (t->kind != TOKEN_END) {
        bool rename = is(t, "RENAME");

        if (rename) {
            next(l, t);
            if (is(t, "TO") || is(t, "AS")) {
                next(l, t);
            }
            if (!is(t, "COLUMN") && read_name(l, t, to, schema, table)) {
                to->touched(to->ctx, schema, table);
            }
        }
        skip_clause(l, t);
        if (is_punct(t, ',')) {
            next(l, t);
        }
    }
}

/* A list of names parted by commas or TO. */
static void name_list(struct lexer *l, struct token *t, const struct touch *to)
{
    static const char *const noise[] = {"IF", "EXISTS", "WAIT", "NOWAIT", "TO", NULL};
    char schema[NAME_BYTES];
    char table[NAME_BYTES];

    while (t->kind != TOKEN_END) {
        skip_words(l, t, noise);
        if (is_punct(t, ',')) {
            next(l, t);
        } else if (read_name(l, t, to, schema, table)) {
            to->touched(to->ctx, schema, table);
        } else {
            next(l, t);
        }
    }
}

static void drop(struct lexer *l, struct token *t, const struct touch *to)
{
    static const char *const noise[] = {"IF", "EXISTS", NULL};

    if (is(t, "TEMPORARY")) {
        return;
    }
    if (is(t, "DATABASE") || is(t, "SCHEMA")) {
        next(l, t);
        skip_words(l, t, noise);
        to->touched(to->ctx, t->text, "");
    } else if (is(t, "TABLE") || is(t, "TABLES")) {
        next(l, t);
        name_list(l, t, to);
    }
}

static void create(struct lexer *l, struct token *t, const struct touch *to)
{
    static const char *const noise[] = {"IF", "NOT", "EXISTS", NULL};
    char schema[NAME_BYTES];
    char table[NAME_BYTES];
    bool replace = is(t, "OR");

    if (replace) {
        next(l, t);
        next(l, t);
    }
    if (!is(t, "TABLE")) {
        return;
    }
    next(l, t);
    /* IF NOT EXISTS on a table that we follow changes nothing. */
    if (!replace && is(t, "IF")) {
        return;
    }
    skip_words(l, t, noise);
    if (read_name(l, t, to, schema, table)) {
        to->touched(to->ctx, schema, table);
    } else {
        to->touched(to->ctx, to->default_schema, "");
    }
}

void statement_touched(struct span sql, bool ansi_quotes, const char *default_schema,
                       void (*touched)(void *ctx, const char *schema, const char *table), void *ctx)
{
    static const char *const alter_noise[] = {"ONLINE", "OFFLINE", "IGNORE", NULL};
    struct touch to = {default_schema, touched, ctx};
    struct lexer l = lexer_of(sql, ansi_quotes);
    struct token t;

    next(&l, &t);
    if (is(&t, "SET")) {
        while (t.kind != TOKEN_END && !is(&t, "FOR")) {
            next(&l, &t);
        }
        next(&l, &t);
    }
    if (is(&t, "ALTER")) {
        next(&l, &t);
        skip_words(&l, &t, alter_noise);
        if (is(&t, "TABLE")) {
            next(&l, &t);
            alter_table(&l, &t, &to);
        }
    } else if (is(&t, "DROP")) {
        next(&l, &t);
        drop(&l, &t, &to);
    } else if (is(&t, "RENAME")) {
        next(&l, &t);
        if (is(&t, "TABLE") || is(&t, "TABLES")) {
            next(&l, &t);
            name_list(&l, &t, &to);
        }
    } else if (is(&t, "TRUNCATE")) {
        next(&l, &t);
        if (is(&t, "TABLE")) {
            next(&l, &t);
        }
        name_list(&l, &t, &to);
    } else if (is(&t, "CREATE")) {
        next(&l, &t);
        create(&l, &t, &to);
    }
}

bool statement_mentions(struct span sql, bool ansi_quotes, const char *table)
{
    struct lexer l = lexer_of(sql, ansi_quotes);
    struct token t;

    for (next(&l, &t); t.kind != TOKEN_END; next(&l, &t)) {
        if ((t.kind == TOKEN_WORD || t.kind == TOKEN_NAME) && str_ieq(t.text, table)) {
            return true;
        }
    }
    return false;
}
