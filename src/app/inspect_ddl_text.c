/* inspect_ddl_text.c - a file of statements, and the session that they make. */
#include <stdio.h>

#include "app/inspect_ddl_int.h"
#include "mysql/charset.h"

#define MODE_ANSI_QUOTES          0x4u
#define MODE_NO_BACKSLASH_ESCAPES 0x100000u
#define COLLATIONS_MAX            4096u
#define WORD_BYTES                256u

struct session {
    struct ddl_inspection *in;
    struct binlog_query query;
    char database[WORD_BYTES];
    bool pairs; /* the text's charset has characters whose second byte looks like ASCII */
    bool kana;  /* and some above 0xa0 of one byte */
};

/* ---- words ---- */

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trimmed(struct span s)
{
    while (s.len > 0 && is_space(s.data[0])) {
        s = span_of(s.data + 1, s.len - 1);
    }
    while (s.len > 0 && is_space(s.data[s.len - 1])) {
        s.len--;
    }
    return s;
}

/* Takes the word in front, ASCII case ignored; false when another is there. */
static bool take_word(struct span *s, const char *word)
{
    size_t len = strlen(word);

    if (s->len < len || !span_ieq_str(span_of(s->data, len), word) ||
        (s->len > len && !is_space(s->data[len]) && s->data[len] != '=')) {
        return false;
    }
    *s = trimmed(span_of(s->data + len, s->len - len));
    return true;
}

static void take_equals(struct span *s)
{
    if (s->len > 0 && s->data[0] == ':') {
        *s = span_of(s->data + 1, s->len - 1);
    }
    if (s->len > 0 && s->data[0] == '=') {
        *s = trimmed(span_of(s->data + 1, s->len - 1));
    }
}

/* Without the quotes around it. */
static struct span bare(struct span s)
{
    if (s.len >= 2 && (s.data[0] == '\'' || s.data[0] == '"' || s.data[0] == '`') &&
        s.data[s.len - 1] == s.data[0]) {
        return span_of(s.data + 1, s.len - 2);
    }
    return s;
}

/* ---- the session ---- */

static uint64_t mode_bits(struct span name)
{
    static const struct {
        const char *name;
        uint64_t bits;
    } modes[] = {
        {"REAL_AS_FLOAT", 0x1},
        {"PIPES_AS_CONCAT", 0x2},
        {"ANSI_QUOTES", 0x4},
        {"IGNORE_SPACE", 0x8},
        {"ANSI", 0x4000f},
        {"ORACLE", 0x20e},
        {"MSSQL", 0x40e},
        {"MAXDB", 0x100e},
        {"NO_BACKSLASH_ESCAPES", MODE_NO_BACKSLASH_ESCAPES},
    };

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (span_ieq_str(name, modes[i].name)) {
            return modes[i].bits;
        }
    }
    return 0; /* none that changes how a statement reads */
}

static void set_mode(struct session *s, struct span list)
{
    s->query.sql_mode = 0;
    while (list.len > 0) {
        const uint8_t *comma = memchr(list.data, ',', list.len);
        size_t len = comma == NULL ? list.len : (size_t)(comma - list.data);

        s->query.sql_mode |= mode_bits(trimmed(span_of(list.data, len)));
        list = comma == NULL ? span_of(NULL, 0) : span_of(comma + 1, list.len - len - 1);
    }
}

static enum err_code set_names(struct session *s, struct span name, struct err *e)
{
    char text[WORD_BYTES];

    (void)snprintf(text, sizeof text, "%.*s", (int)name.len, (const char *)name.data);
    for (uint16_t id = 1; id < COLLATIONS_MAX; id++) {
        const char *charset = charset_of_collation(id);

        if (charset != NULL && charset_same(charset, text)) {
            s->query.client_collation = id;
            s->kana = str_ieq(charset, "sjis") || str_ieq(charset, "cp932");
            s->pairs = s->kana || str_ieq(charset, "gbk") || str_ieq(charset, "big5") ||
                       str_ieq(charset, "gb18030");
            return ERR_OK;
        }
    }
    return err_set(e, ERR_CONFIG, "SET NAMES %.50s: no such charset", text);
}

static enum err_code use(struct session *s, struct span name, struct err *e)
{
    if (name.len >= sizeof s->database) {
        return err_set(e, ERR_CONFIG, "USE: a name of %zu bytes", name.len);
    }
    (void)snprintf(s->database, sizeof s->database, "%.*s", (int)name.len, (const char *)name.data);
    s->query.schema = span_str(s->database);
    return ERR_OK;
}

/* Reads what makes the session; *done is false for all that is no such statement. */
static enum err_code session_statement(struct session *s, struct span sql, bool *done,
                                       struct err *e)
{
    struct span rest = sql;

    *done = true;
    if (take_word(&rest, "USE")) {
        return use(s, bare(rest), e);
    }
    *done = take_word(&rest, "SET");
    if (!*done) {
        return ERR_OK;
    }
    if (take_word(&rest, "NAMES")) {
        return set_names(s, bare(rest), e);
    }
    (void)take_word(&rest, "SESSION");
    if (take_word(&rest, "sql_mode") || take_word(&rest, "@@session.sql_mode")) {
        take_equals(&rest);
        set_mode(s, bare(rest));
        return ERR_OK;
    }
    if (take_word(&rest, "explicit_defaults_for_timestamp")) {
        take_equals(&rest);
        s->query.explicit_timestamps = span_eq_str(rest, "1") || span_ieq_str(rest, "ON") ? 1 : 0;
        return ERR_OK;
    }
    *done = false;
    return ERR_OK;
}

/* ---- statements ---- */

/* Bytes of a comment at `at`, 0 when there is none. */
static size_t comment_bytes(struct span text, size_t at)
{
    const char *rest = (const char *)text.data + at;
    size_t left = text.len - at;
    bool dashes = left >= 3 && memcmp(rest, "--", 2) == 0 && is_space((uint8_t)rest[2]);

    if (rest[0] == '#' || dashes) {
        const char *end = memchr(rest, '\n', left);

        return end == NULL ? left : (size_t)(end - rest);
    }
    if (left < 4 || memcmp(rest, "/*", 2) != 0) {
        return 0;
    }
    for (size_t n = 2; n + 1 < left; n++) {
        if (rest[n] == '*' && rest[n + 1] == '/') {
            return n + 2;
        }
    }
    return left;
}

static bool is_pair(const struct session *s, uint8_t c)
{
    return s->pairs && c > 0x80 && !(s->kana && c > 0xa0 && c < 0xe0);
}

/* Bytes of a quoted text at `at`, 0 when there is none. */
static size_t quoted_bytes(const struct session *s, struct span text, size_t at)
{
    uint8_t c = text.data[at];
    bool backslash = c != '`' && (s->query.sql_mode & MODE_NO_BACKSLASH_ESCAPES) == 0;
    size_t n = at + 1;

    if (c != '\'' && c != '"' && c != '`') {
        return comment_bytes(text, at);
    }
    while (n < text.len && text.data[n] != c) {
        bool two = (backslash && text.data[n] == '\\') || is_pair(s, text.data[n]);

        n += two ? 2 : 1;
    }
    return (n < text.len ? n + 1 : text.len) - at;
}

static size_t statement_bytes(const struct session *s, struct span text)
{
    size_t at = 0;

    while (at < text.len && text.data[at] != ';') {
        size_t quoted = quoted_bytes(s, text, at);

        at += quoted == 0 ? 1 : quoted;
    }
    return at < text.len ? at : text.len;
}

/* What is behind plain comments. */
static struct span behind_comments(struct span sql)
{
    for (;;) {
        sql = trimmed(sql);
        bool executable =
            sql.len > 2 && sql.data[0] == '/' && (sql.data[2] == '!' || sql.data[2] == 'M');
        size_t comment = sql.len == 0 || executable ? 0 : comment_bytes(sql, 0);

        if (comment == 0) {
            return sql;
        }
        sql = span_of(sql.data + comment, sql.len - comment);
    }
}

static enum err_code one_statement(struct session *s, struct span sql, struct err *e)
{
    bool done = false;

    struct span code = behind_comments(sql);

    if (code.len == 0) {
        return ERR_OK;
    }
    ERR_TRY(session_statement(s, code, &done, e));
    s->query.sql = sql;
    return done ? ERR_OK : inspect_ddl_statement(s->in, &s->query, e);
}

enum err_code inspect_ddl_text(struct ddl_inspection *in, struct span text, struct err *e)
{
    struct session s = {.in = in, .query = {.thread_id = 1}};
    size_t at = 0;

    s.query.schema = span_str("");
    s.query.explicit_timestamps = in->explicit_timestamps ? 1 : 0;
    while (at < text.len) {
        struct span rest = span_of(text.data + at, text.len - at);
        size_t len = statement_bytes(&s, rest);

        in->end = at + len;
        ERR_TRY(one_statement(&s, trimmed(span_of(rest.data, len)), e));
        at += len + 1;
    }
    return ERR_OK;
}
