/*
 * A line of SHOW CREATE TABLE; a line break inside of a text would be written as \n:
 *   "  CONSTRAINT `fk_1` FOREIGN KEY (`a`) REFERENCES `p` (`id`) ON DELETE CASCADE,"
 */
#include "mysql/cascades.h"

#include <mysqld_error.h>

#include "base/buf.h"

#define LOGGED_FROM 90600u

enum err_code cascades_are_logged(struct mysql_conn *c, bool *out, struct err *e)
{
    const struct mysql_server *s = mysql_conn_server(c);
    char native[16];
    struct err mine = {0};

    *out = false;
    if (s->is_mariadb || s->version_number < LOGGED_FROM) {
        return ERR_OK;
    }
    enum err_code rc = mysql_query_text(c, "SELECT @@GLOBAL.innodb_native_foreign_keys", native,
                                        sizeof native, &mine);

    if (rc == ERR_SOURCE && mine.source_errno == ER_UNKNOWN_SYSTEM_VARIABLE) {
        *out = true;
        return ERR_OK;
    }
    *out = rc == ERR_OK && strcmp(native, "0") == 0;
    if (rc != ERR_OK && e != NULL) {
        *e = mine;
    }
    return rc;
}

static struct span behind(struct span s, size_t offset)
{
    return span_of(s.data + offset, s.len - offset);
}

/* What is left behind the words, which must come next; false when they do not. */
static bool skip_words(struct span *rest, const char *words)
{
    size_t len = strlen(words);

    if (rest->len < len || memcmp(rest->data, words, len) != 0) {
        return false;
    }
    *rest = behind(*rest, len);
    return true;
}

/* A name, in backticks or up to a blank; the quotes belong to it. */
static struct span take_name(struct span *rest)
{
    struct span start = *rest;
    size_t i = 0;
    bool quoted = false;

    for (; i < start.len; i++) {
        if (start.data[i] == '`') {
            quoted = !quoted;
        } else if (start.data[i] == ' ' && !quoted) {
            break;
        }
    }
    *rest = behind(start, i);
    return span_of(start.data, i);
}

/* Over "(`a`,`b`)" and the blank behind it. */
static void skip_columns(struct span *rest)
{
    bool quoted = false;
    size_t i = 0;

    for (; i < rest->len; i++) {
        if (rest->data[i] == '`') {
            quoted = !quoted;
        } else if (rest->data[i] == ')' && !quoted) {
            i++;
            break;
        }
    }
    *rest = behind(*rest, i);
    (void)skip_words(rest, " ");
}

static bool contains(struct span text, const char *part)
{
    size_t len = strlen(part);

    for (size_t i = 0; i + len <= text.len; i++) {
        if (memcmp(text.data + i, part, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool parse_line(struct span line, struct cascade *out)
{
    if (!skip_words(&line, "  CONSTRAINT ")) {
        return false;
    }
    out->key = take_name(&line);
    if (!skip_words(&line, " FOREIGN KEY ")) {
        return false;
    }
    skip_columns(&line);
    if (!skip_words(&line, "REFERENCES ")) {
        return false;
    }
    out->parent = take_name(&line);
    (void)skip_words(&line, " ");
    skip_columns(&line);
    out->actions = line;
    if (line.len > 0 && line.data[line.len - 1] == ',') {
        out->actions.len--;
    }
    return contains(line, " CASCADE") || contains(line, " SET NULL") ||
           contains(line, " SET DEFAULT");
}

enum err_code cascades_parse(struct span create,
                             enum err_code (*each)(void *ctx, const struct cascade *k,
                                                   struct err *e),
                             void *ctx, struct err *e)
{
    while (create.len > 0) {
        const uint8_t *end = memchr(create.data, '\n', create.len);
        size_t len = end == NULL ? create.len : (size_t)(end - create.data);
        struct cascade k;

        if (parse_line(span_of(create.data, len), &k)) {
            ERR_TRY(each(ctx, &k, e));
        }
        create = behind(create, end == NULL ? len : len + 1);
    }
    return ERR_OK;
}

struct visit {
    enum err_code (*each)(void *ctx, const struct cascade *k, struct err *e);
    void *ctx;
};

static enum err_code on_create(void *ctx, const struct mysql_row *row, struct err *e)
{
    const struct visit *v = ctx;

    return row->column_count < 2 || row->columns[1].data == NULL
               ? ERR_OK
               : cascades_parse(row->columns[1], v->each, v->ctx, e);
}

enum err_code cascades_of_table(struct mysql_conn *c, const char *schema, const char *table,
                                enum err_code (*each)(void *ctx, const struct cascade *k,
                                                      struct err *e),
                                void *ctx, struct err *e)
{
    struct visit v = {each, ctx};
    struct buf sql = {0};

    buf_append_str(&sql, "SHOW CREATE TABLE ");
    mysql_quote_name(&sql, schema);
    buf_u8(&sql, '.');
    mysql_quote_name(&sql, table);
    const char *text = buf_cstr(&sql);
    struct err why = {0};
    enum err_code rc =
        text == NULL ? err_nomem(&why) : mysql_query_rows(c, text, on_create, &v, &why);

    buf_deinit(&sql);
    if (rc != ERR_OK && why.source_errno == ER_NO_SUCH_TABLE) {
        return ERR_OK; /* dropped just now: it has no keys either */
    }
    if (rc != ERR_OK && e != NULL) {
        *e = why;
    }
    return rc;
}
