/*
 * config_dotenv.c - .env files, as python-dotenv reads them.
 *
 *   statement := ["export" blank] key [blank "=" blank value] [blank "#" …] end-of-line
 *   key       := 'quoted' | anything but blank, "=", "#"
 *   value     := 'single' | "double" | unquoted up to " #" or the end of the line
 *
 * Quoted values may hold line breaks. "double" knows \\ \' \" \a \b \f \n \r \t \v, 'single' knows
 * \\ and
 * \'. ${VAR} is replaced in all three; earlier lines of the file hide the process environment.
 */
#include "app/config_files.h"

struct scanner {
    const char *text;
    size_t len;
    size_t at;
    unsigned line;
};

static int peek_at(const struct scanner *s, size_t offset)
{
    return s->at + offset < s->len ? (unsigned char)s->text[s->at + offset] : -1;
}

static int peek(const struct scanner *s)
{
    return peek_at(s, 0);
}

static bool at_line_end(const struct scanner *s)
{
    int c = peek(s);

    return c == -1 || c == '\n' || c == '\r';
}

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\f' || c == '\v';
}

static void advance(struct scanner *s)
{
    int c = peek(s);

    /* "\r\n" is one line break, counted at its second half. */
    if (c == '\n' || (c == '\r' && peek_at(s, 1) != '\n')) {
        s->line++;
    }
    s->at++;
}

static void skip_blanks(struct scanner *s)
{
    while (is_blank(peek(s))) {
        s->at++;
    }
}

static void skip_line(struct scanner *s)
{
    while (!at_line_end(s)) {
        s->at++;
    }
}

static void skip_between_statements(struct scanner *s)
{
    while (s->at < s->len) {
        if (peek(s) == '#') {
            skip_line(s);
        } else if (is_blank(peek(s)) || at_line_end(s)) {
            advance(s);
        } else {
            return;
        }
    }
}

static void skip_export(struct scanner *s)
{
    if (s->len - s->at > 6 && memcmp(s->text + s->at, "export", 6) == 0 &&
        is_blank(peek_at(s, 6))) {
        s->at += 6;
        skip_blanks(s);
    }
}

static bool at_key_end(const struct scanner *s)
{
    return at_line_end(s) || is_blank(peek(s)) || peek(s) == '=' || peek(s) == '#';
}

/* False, and nothing consumed, when there is no key. */
static bool scan_key(struct scanner *s, struct span *key)
{
    struct scanner start = *s;
    bool quoted = peek(s) == '\'';

    s->at += quoted ? 1 : 0;
    size_t from = s->at;

    while (s->at < s->len && (quoted ? peek(s) != '\'' : !at_key_end(s))) {
        advance(s);
    }
    *key = span_of(s->text + from, s->at - from);
    if (key->len == 0 || (quoted && s->at == s->len)) {
        *s = start;
        return false;
    }
    s->at += quoted ? 1 : 0;
    return true;
}

static void put_escape(struct buf *out, int quote, int c)
{
    static const char names[] = "abfnrtv";
    static const char codes[] = "\a\b\f\n\r\t\v";
    const char *name = c > 0 ? strchr(names, c) : NULL;

    if (c == '\\' || c == '\'' || (quote == '"' && c == '"')) {
        buf_u8(out, (uint8_t)c);
    } else if (quote == '"' && name != NULL) {
        buf_u8(out, (uint8_t)codes[name - names]);
    } else {
        buf_u8(out, '\\');
        buf_u8(out, (uint8_t)c);
    }
}

/*
 * The offset of the quote that ends the value at the cursor: the first without a backslash in front
 * of it, else the last one ("C:\dir\" is whole). 0 when there is none.
 */
static size_t find_closing_quote(const struct scanner *s)
{
    int quote = peek(s);
    size_t last = 0;

    for (size_t i = 1; peek_at(s, i) != -1; i++) {
        if (peek_at(s, i) == quote) {
            last = i;
            if (i == 1 || peek_at(s, i - 1) != '\\') {
                break;
            }
        }
    }
    return last;
}

/* False, and nothing consumed, when the closing quote is missing. */
static bool scan_quoted(struct scanner *s, struct buf *out)
{
    int quote = peek(s);
    size_t end = s->at + find_closing_quote(s);

    if (end == s->at) {
        return false;
    }
    s->at++;
    while (s->at < end) {
        if (peek(s) == '\\' && s->at + 1 < end) {
            s->at++;
            put_escape(out, quote, peek(s));
        } else {
            buf_u8(out, (uint8_t)peek(s));
        }
        advance(s);
    }
    s->at++;
    return true;
}

static void scan_unquoted(struct scanner *s, struct buf *out)
{
    size_t start = s->at;
    size_t end;

    while (!at_line_end(s) && !(peek(s) == '#' && s->at > start && is_blank(s->text[s->at - 1]))) {
        s->at++;
    }
    end = s->at;
    while (end > start && is_blank((unsigned char)s->text[end - 1])) {
        end--;
    }
    buf_append(out, s->text + start, end - start);
    skip_line(s);
}

/* One statement; false when it is none. has_value is false for a key alone. */
static bool scan_statement(struct scanner *s, struct span *key, struct buf *value, bool *has_value)
{
    skip_export(s);
    if (!scan_key(s, key)) {
        return false;
    }
    skip_blanks(s);
    *has_value = peek(s) == '=';
    if (*has_value) {
        s->at++;
        skip_blanks(s);
        if (peek(s) != '\'' && peek(s) != '"') {
            scan_unquoted(s, value);
        } else if (!scan_quoted(s, value)) {
            return false;
        }
    }
    skip_blanks(s);
    if (peek(s) == '#') {
        skip_line(s);
    }
    return at_line_end(s);
}

static enum err_code add_statement(struct span key, struct buf *value, bool has_value,
                                   struct config_entry entry, const char *const *process,
                                   struct arena *arena, struct config_entries *out, struct err *e)
{
    struct config_env env = {.process = process, .dotenv = out, .dotenv_first = true};
    const char *text = buf_cstr(value);

    if (text == NULL) {
        return buf_check(value, e, entry.where);
    }
    entry.key = arena_strndup(arena, key.data, key.len);
    if (entry.key == NULL) {
        return arena_fail(arena, e, "settings");
    }
    if (has_value) {
        ERR_TRY(config_expand(&env, text, true, arena, &entry.value, e));
    }
    return config_entries_add(out, arena, entry, e);
}

static enum err_code scan_next(struct scanner *s, const char *file, const char *const *process,
                               struct arena *arena, struct buf *value, struct config_entries *out,
                               struct config_entries *warnings, struct err *e)
{
    struct span key;
    bool has_value;
    struct config_entry entry = {.where = config_place(arena, file, s->line)};

    if (entry.where == NULL) {
        return arena_fail(arena, e, "settings");
    }
    buf_reset(value);
    if (scan_statement(s, &key, value, &has_value)) {
        return add_statement(key, value, has_value, entry, process, arena, out, e);
    }
    /* A quote that never closes was not consumed: the lines below it are still read. */
    skip_line(s);
    entry.key = "not NAME=value, left out";
    return config_entries_add(warnings, arena, entry, e);
}

enum err_code config_dotenv_parse(struct span text, const char *file, const char *const *process,
                                  struct arena *arena, struct config_entries *out,
                                  struct config_entries *warnings, struct err *e)
{
    struct scanner s = {.text = (const char *)text.data, .len = text.len, .line = 1};
    struct buf value;
    enum err_code rc = ERR_OK;

    if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL) {
        return err_set(e, ERR_CONFIG, "%s has a NUL byte: it is no text file", file);
    }
    if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        s.at = 3;
    }
    buf_init(&value, CONFIG_FILE_BYTES_MAX);
    for (skip_between_statements(&s); s.at < s.len && rc == ERR_OK; skip_between_statements(&s)) {
        rc = scan_next(&s, file, process, arena, &value, out, warnings, e);
    }
    buf_deinit(&value);
    return rc;
}
