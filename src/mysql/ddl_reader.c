/* ddl_reader.c - what the parts of the DDL parser share: tokens, names, values. */
#include <stdio.h>

#include "base/str.h"
#include "mysql/ddl_int.h"

#define NEAR_BYTES 60u

/* ---- failure ---- */

/* A piece of the text from here on, of whole characters. */
static void near(const struct ddl_parser *p, char *out)
{
    const uint8_t *end = p->lexer.sql.data + p->lexer.sql.len;
    size_t left = (size_t)(end - p->t.raw);
    size_t n = 0;

    while (n < left && n < NEAR_BYTES) {
        size_t c = str_utf8_char(span_of(p->t.raw + n, left - n));

        if (c == 0 || n + c > NEAR_BYTES) {
            break;
        }
        for (size_t i = n; i < n + c; i++) {
            out[i] = p->t.raw[i] < ' ' ? ' ' : (char)p->t.raw[i];
        }
        n += c;
    }
    out[n] = '\0';
}

void ddl_fail(struct ddl_parser *p, const char *expected)
{
    char text[NEAR_BYTES + 1];

    if (p->failed != ERR_OK) {
        return;
    }
    near(p, text);
    p->failed = err_set(p->e, ERR_UNSUPPORTED,
                        "the statement cannot be read from byte %zu on, near '%s': expected %s",
                        (size_t)(p->t.raw - p->lexer.sql.data), text, expected);
    p->t = (struct ddl_token){.kind = DDL_TOKEN_END, .raw = p->t.raw};
}

void ddl_no_room(struct ddl_parser *p)
{
    if (p->failed == ERR_OK) {
        p->failed = arena_fail(p->arena, p->e, "statement");
        p->t = (struct ddl_token){.kind = DDL_TOKEN_END, .raw = p->t.raw};
    }
}

/* ---- tokens ---- */

void ddl_next(struct ddl_parser *p)
{
    if (p->failed != ERR_OK) {
        return;
    }
    ddl_lexer_next(&p->lexer, &p->t);
    if (p->t.kind == DDL_TOKEN_WRONG) {
        ddl_fail(p, "the end of a quote or comment");
    }
}

struct ddl_token ddl_peek(const struct ddl_parser *p)
{
    struct ddl_lexer ahead = p->lexer;
    struct ddl_token t = p->t;

    if (p->failed == ERR_OK) {
        ddl_lexer_next(&ahead, &t);
    }
    return t;
}

bool ddl_token_is(const struct ddl_token *t, const char *word)
{
    return t->kind == DDL_TOKEN_WORD && span_ieq_str(t->text, word);
}

bool ddl_is(const struct ddl_parser *p, const char *word)
{
    return ddl_token_is(&p->t, word);
}

bool ddl_is_any(const struct ddl_parser *p, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (ddl_is(p, *words)) {
            return true;
        }
    }
    return false;
}

bool ddl_is_punct(const struct ddl_parser *p, char c)
{
    return p->t.kind == DDL_TOKEN_PUNCT && p->t.text.data[0] == (uint8_t)c;
}

bool ddl_at_end(const struct ddl_parser *p)
{
    return p->t.kind == DDL_TOKEN_END;
}

bool ddl_accept(struct ddl_parser *p, const char *word)
{
    bool is = ddl_is(p, word);

    if (is) {
        ddl_next(p);
    }
    return is;
}

bool ddl_accept_punct(struct ddl_parser *p, char c)
{
    bool is = ddl_is_punct(p, c);

    if (is) {
        ddl_next(p);
    }
    return is;
}

bool ddl_accept_two(struct ddl_parser *p, const char *first, const char *second)
{
    if (!ddl_is(p, first)) {
        return false;
    }
    struct ddl_token after = ddl_peek(p);

    if (!ddl_token_is(&after, second)) {
        return false;
    }
    ddl_next(p);
    ddl_next(p);
    return true;
}

void ddl_expect(struct ddl_parser *p, const char *word)
{
    if (!ddl_accept(p, word)) {
        ddl_fail(p, word);
    }
}

void ddl_expect_punct(struct ddl_parser *p, char c)
{
    char text[] = {'\'', c, '\'', '\0'};

    if (!ddl_accept_punct(p, c)) {
        ddl_fail(p, text);
    }
}

bool ddl_accept_if_exists(struct ddl_parser *p)
{
    return ddl_accept_two(p, "IF", "EXISTS");
}

bool ddl_accept_if_not_exists(struct ddl_parser *p)
{
    if (!ddl_accept_two(p, "IF", "NOT")) {
        return false;
    }
    ddl_expect(p, "EXISTS");
    return true;
}

/* ---- names and literals ---- */

bool ddl_is_name(const struct ddl_parser *p)
{
    return p->t.kind == DDL_TOKEN_WORD || p->t.kind == DDL_TOKEN_NAME;
}

static struct span take_span(struct ddl_parser *p)
{
    struct buf text = {0};
    struct span raw = p->t.text;
    const char *copy = NULL;

    if (p->failed != ERR_OK) {
        return span_str("");
    }
    if (p->t.escapes) {
        ddl_token_append(&p->lexer, &p->t, &text);
        raw = buf_span(&text);
    }
    if (text.failed == ERR_OK) {
        copy = arena_strndup(p->arena, raw.data, raw.len);
    }
    buf_deinit(&text);
    if (copy == NULL) {
        ddl_no_room(p);
        return span_str("");
    }
    return span_of(copy, raw.len);
}

const char *ddl_take_text(struct ddl_parser *p)
{
    return (const char *)take_span(p).data;
}

const char *ddl_read_name(struct ddl_parser *p)
{
    const char *name = "";

    if (!ddl_is_name(p) || p->t.text.len == 0 ||
        memchr(p->t.text.data, '\0', p->t.text.len) != NULL) {
        ddl_fail(p, "a name");
        return name;
    }
    if (!str_is_utf8(p->t.text)) {
        ddl_fail(p, "a name in UTF-8");
        return name;
    }
    name = ddl_take_text(p);
    ddl_next(p);
    return name;
}

const char *ddl_read_column_name(struct ddl_parser *p)
{
    (void)ddl_accept_punct(p, '.');
    const char *name = ddl_read_name(p);

    while (ddl_accept_punct(p, '.')) {
        name = ddl_read_name(p);
    }
    return name;
}

struct ddl_table_name ddl_read_table_name(struct ddl_parser *p)
{
    struct ddl_table_name name = {p->dialect->database, ""};

    (void)ddl_accept_punct(p, '.');
    name.table = ddl_read_name(p);
    if (ddl_accept_punct(p, '.')) {
        name.database = name.table;
        name.table = ddl_read_name(p);
    }
    if (p->failed == ERR_OK && name.database[0] == '\0') {
        ddl_fail(p, "a database: the session had none");
    }
    return name;
}

uint64_t ddl_read_number(struct ddl_parser *p)
{
    uint64_t v = 0;

    if (p->t.kind != DDL_TOKEN_NUMBER || !str_to_u64(p->t.text, &v)) {
        ddl_fail(p, "a number");
        return 0;
    }
    ddl_next(p);
    return v;
}

struct span ddl_read_string(struct ddl_parser *p)
{
    if (p->t.kind != DDL_TOKEN_STRING) {
        ddl_fail(p, "a quoted text");
        return span_str("");
    }
    struct span text = take_span(p);

    ddl_next(p);
    return text;
}

void ddl_skip_parens(struct ddl_parser *p)
{
    size_t depth = 0;

    ddl_expect_punct(p, '(');
    while (p->failed == ERR_OK && (depth > 0 || !ddl_is_punct(p, ')'))) {
        if (ddl_at_end(p)) {
            ddl_fail(p, "')'");
        } else if (ddl_is_punct(p, '(')) {
            depth++;
        } else if (ddl_is_punct(p, ')')) {
            depth--;
        }
        ddl_next(p);
    }
    ddl_next(p);
}

static bool is_literal(const struct ddl_token *t)
{
    return t->kind == DDL_TOKEN_STRING || t->kind == DDL_TOKEN_NUMBER || t->kind == DDL_TOKEN_HEX ||
           t->kind == DDL_TOKEN_BITS;
}

void ddl_skip_value(struct ddl_parser *p)
{
    if (ddl_is_punct(p, '-') || ddl_is_punct(p, '+')) {
        ddl_next(p);
    }
    if (ddl_is_punct(p, '(')) {
        ddl_skip_parens(p);
        return;
    }
    if (ddl_accept_two(p, "NEXT", "VALUE")) {
        ddl_expect(p, "FOR");
        (void)ddl_read_table_name(p);
        return;
    }
    if (is_literal(&p->t)) {
        while (p->t.kind == DDL_TOKEN_STRING) { /* 'a' 'b' is 'ab' */
            ddl_next(p);
            if (p->t.kind != DDL_TOKEN_STRING) {
                return;
            }
        }
        ddl_next(p);
        return;
    }
    (void)ddl_read_column_name(p);
    if (is_literal(&p->t) && p->t.kind != DDL_TOKEN_NUMBER) { /* DATE '...', _latin1'...' */
        ddl_next(p);
    } else if (ddl_is_punct(p, '(')) {
        ddl_skip_parens(p);
    }
}

/* ---- actions ---- */

struct ddl_action *ddl_add_action(struct ddl_parser *p, struct ddl_actions *to,
                                  enum ddl_action_kind kind)
{
    if (p->failed != ERR_OK) {
        return NULL;
    }
    if (to->count == to->capacity) {
        uint32_t capacity = to->capacity == 0 ? 8 : to->capacity * 2;
        struct ddl_action *at = arena_alloc(p->arena, capacity, sizeof *at);

        if (at == NULL) {
            ddl_no_room(p);
            return NULL;
        }
        if (to->count > 0) {
            memcpy(at, to->at, to->count * sizeof *at);
        }
        to->at = at;
        to->capacity = capacity;
    }
    to->at[to->count] = (struct ddl_action){.kind = kind};
    return &to->at[to->count++];
}
