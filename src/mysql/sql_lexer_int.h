/*
 * sql_lexer_int.h - the words of a statement, as the server that logged it reads them.
 *
 * Executable comments are code, plain ones are blanks.
 *
 * Thread: one at a time.
 */
#ifndef CALVE_MYSQL_SQL_LEXER_INT_H
#define CALVE_MYSQL_SQL_LEXER_INT_H

#include "base/bytes.h"

#define SQL_NAME_BYTES 256u

enum sql_token_kind {
    SQL_TOKEN_END,
    SQL_TOKEN_WORD,   /* keyword or unquoted name */
    SQL_TOKEN_NAME,   /* quoted name */
    SQL_TOKEN_STRING, /* quoted text */
    SQL_TOKEN_PUNCT,
};

struct sql_token {
    enum sql_token_kind kind;
    bool cut;                  /* longer than any name */
    bool unsure;               /* cut, or not UTF-8: another charset is at work */
    char text[SQL_NAME_BYTES]; /* WORD, NAME, STRING: unquoted; PUNCT: one character */
};

/*
 * Text that two servers read in two ways. What a session had set is not always in the log, so each
 * reading that a statement allows is taken in turn, and what any of them touches is touched.
 */
enum sql_reading {
    SQL_READING_USUAL = 0,
    SQL_READING_PLAIN_BACKSLASH = 1, /* NO_BACKSLASH_ESCAPES: it escapes no quote */
    SQL_READING_PLAIN_M_COMMENT = 2, /* MySQL passes over what MariaDB runs in its own comments */
    SQL_READINGS = 4,
};

struct sql_lexer {
    const char *at;
    const char *end;
    bool ansi_quotes;
    unsigned reading;
    unsigned readings_seen; /* choices that the text gave so far */
    int executable;         /* depth of executable comments, whose content is code */
};

struct sql_lexer sql_lexer_of(struct span sql, bool ansi_quotes, unsigned reading);

/* The next token; SQL_TOKEN_END at the end, again and again. */
void sql_next(struct sql_lexer *l, struct sql_token *t);

/* An unquoted word, ASCII case ignored; words end with NULL. */
bool sql_is(const struct sql_token *t, const char *word);
bool sql_is_any(const struct sql_token *t, const char *const *words);
bool sql_is_punct(const struct sql_token *t, char c);

/* Whether it can be a name. Quoted text can: which quotes make names is the session's to say. */
bool sql_is_nameable(const struct sql_token *t);

void sql_skip_words(struct sql_lexer *l, struct sql_token *t, const char *const *words);

#endif
