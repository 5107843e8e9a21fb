/* ddl_charset.c - names of charsets and collations in statements. */
#include "base/str.h"
#include "mysql/charset_int.h"
#include "mysql/ddl_int.h"

static const char utf8mb3[] = "utf8mb3";

bool ddl_accept_charset_words(struct ddl_parser *p)
{
    return ddl_accept(p, "CHARSET") || ddl_accept_two(p, "CHARACTER", "SET") ||
           ddl_accept_two(p, "CHAR", "SET");
}

/* The known charset of this name; NULL when there is none. */
static const char *find(struct span name)
{
    if (span_ieq_str(name, "utf8")) {
        return utf8mb3;
    }
    for (size_t i = 0; i < charset_list_count; i++) {
        if (span_ieq_str(name, charset_list[i].name)) {
            return charset_list[i].name;
        }
    }
    return NULL;
}

const char *ddl_read_charset_name(struct ddl_parser *p)
{
    const char *name = NULL;

    if (ddl_accept(p, "DEFAULT")) {
        return NULL;
    }
    if (ddl_is_name(p) || p->t.kind == DDL_TOKEN_STRING) {
        name = find(p->t.text);
    }
    if (name == NULL) {
        ddl_fail(p, "a charset that is known");
    }
    ddl_next(p);
    return name;
}

const char *ddl_read_collation(struct ddl_parser *p)
{
    struct span text = p->t.text;
    const char *name = NULL;

    if (ddl_accept(p, "DEFAULT")) {
        return NULL;
    }
    if (ddl_is_name(p) || p->t.kind == DDL_TOKEN_STRING) {
        const uint8_t *end = text.len == 0 ? NULL : memchr(text.data, '_', text.len);
        struct span start = span_of(text.data, end == NULL ? text.len : (size_t)(end - text.data));

        /* MariaDB's collations that are there for every Unicode charset. */
        if (p->dialect->mariadb && span_ieq_str(start, "uca1400")) {
            ddl_next(p);
            return NULL;
        }
        name = find(start);
    }
    if (name == NULL) {
        ddl_fail(p, "a collation of a charset that is known");
    }
    ddl_next(p);
    return name;
}

uint32_t ddl_charset_max_bytes(const char *charset)
{
    const struct charset *cs = charset_find(charset);

    if (cs == NULL) {
        return 1;
    }
    switch (cs->kind) {
    case CHARSET_UTF8:
        return str_ieq(cs->name, "utf8mb4") ? 4 : 3;
    case CHARSET_UCS2:
        return 2;
    case CHARSET_UTF16:
    case CHARSET_UTF16LE:
    case CHARSET_UTF32:
        return 4;
    case CHARSET_ASCII:
    case CHARSET_BINARY:
    case CHARSET_SINGLE_BYTE:
        return 1;
    case CHARSET_MULTI_BYTE:
        break;
    }
    switch (cs->lead) {
    case CHARSET_LEAD_DOUBLE:
    case CHARSET_LEAD_SJIS:
        return 2;
    case CHARSET_LEAD_EUCJP:
        return 3;
    case CHARSET_LEAD_GB18030:
        return 4;
    }
    return 1;
}

#define MYSQL_SHOWS_UTF8MB3   80029u
#define MARIADB_SHOWS_UTF8MB3 100600u

const char *ddl_charset_shown(const struct ddl_dialect *dialect, const char *charset)
{
    unsigned since = dialect->mariadb ? MARIADB_SHOWS_UTF8MB3 : MYSQL_SHOWS_UTF8MB3;

    return charset != NULL && charset_same(charset, utf8mb3)
               ? (dialect->version_number < since ? "utf8" : utf8mb3)
               : charset;
}
