/* ddl_column.c - a column's definition behind its name. */
#include "mysql/ddl_int.h"

static void read_generated(struct ddl_parser *p, struct ddl_column *out)
{
    out->generated = true;
    if (ddl_accept(p, "ROW")) { /* MariaDB: AS ROW START, AS ROW END */
        if (!ddl_accept(p, "START")) {
            ddl_expect(p, "END");
            out->row_end = true;
        }
        /* The server makes them so. */
        out->not_null = true;
        return;
    }
    ddl_skip_parens(p);
    if (!ddl_accept(p, "VIRTUAL") && !ddl_accept(p, "STORED")) {
        (void)ddl_accept(p, "PERSISTENT");
    }
}

/* REFERENCES t (a,b) MATCH FULL ON DELETE SET NULL ON UPDATE CASCADE */
static void read_references(struct ddl_parser *p)
{
    (void)ddl_read_table_name(p);
    if (ddl_is_punct(p, '(')) {
        ddl_skip_parens(p);
    }
    if (ddl_accept(p, "MATCH")) {
        (void)ddl_read_name(p);
    }
    while (ddl_accept_two(p, "ON", "DELETE") || ddl_accept_two(p, "ON", "UPDATE")) {
        if (ddl_accept(p, "SET")) { /* NULL, DEFAULT */
            (void)ddl_read_name(p);
        } else if (ddl_accept(p, "NO")) {
            ddl_expect(p, "ACTION");
        } else {
            (void)ddl_read_name(p); /* RESTRICT, CASCADE */
        }
    }
}

static void read_check(struct ddl_parser *p)
{
    ddl_skip_parens(p);
    if (!ddl_accept_two(p, "NOT", "ENFORCED")) {
        (void)ddl_accept(p, "ENFORCED");
    }
}

static void read_key(struct ddl_parser *p, struct ddl_column *out)
{
    if (ddl_accept(p, "UNIQUE")) {
        (void)ddl_accept(p, "KEY");
    } else if (ddl_accept(p, "PRIMARY")) {
        (void)ddl_accept(p, "KEY");
        out->primary = true;
    } else {
        ddl_expect(p, "KEY");
        out->primary = true;
    }
}

/* Attributes of one word, with or without a value, that mean nothing here. */
static bool read_plain_attribute(struct ddl_parser *p)
{
    static const char *const words[] = {"VISIBLE", "INVISIBLE", NULL};
    static const char *const valued[] = {"COMMENT",
                                         "COLUMN_FORMAT",
                                         "STORAGE",
                                         "SRID",
                                         "REF_SYSTEM_ID",
                                         "ENGINE_ATTRIBUTE",
                                         "SECONDARY_ENGINE_ATTRIBUTE",
                                         NULL};

    if (ddl_is_any(p, words)) {
        ddl_next(p);
        return true;
    }
    if (ddl_is_any(p, valued)) {
        ddl_next(p);
        (void)ddl_accept_punct(p, '=');
        ddl_skip_value(p);
        if (ddl_accept_two(p, "WITH", "COMPRESSION_DICTIONARY")) { /* Percona */
            (void)ddl_read_name(p);
        }
        return true;
    }
    if (ddl_accept_two(p, "WITH", "SYSTEM") || ddl_accept_two(p, "WITHOUT", "SYSTEM")) {
        ddl_expect(p, "VERSIONING");
        return true;
    }
    return false;
}

static bool read_nullability(struct ddl_parser *p, struct ddl_column *out)
{
    if (ddl_accept_two(p, "NOT", "NULL")) {
        out->not_null = true;
        out->null = false;
        return true;
    }
    if (ddl_accept(p, "NULL")) {
        out->null = true;
        out->not_null = false;
        return true;
    }
    if (ddl_accept(p, "AUTO_INCREMENT")) {
        out->not_null = true;
        return true;
    }
    if (ddl_accept_two(p, "SERIAL", "DEFAULT")) {
        ddl_expect(p, "VALUE");
        out->not_null = true;
        return true;
    }
    return ddl_accept_two(p, "NOT", "SECONDARY");
}

static bool read_constraint(struct ddl_parser *p)
{
    if (ddl_accept(p, "REFERENCES")) {
        read_references(p);
        return true;
    }
    if (ddl_accept(p, "CONSTRAINT")) {
        if (!ddl_is(p, "CHECK")) {
            (void)ddl_read_name(p);
        }
        ddl_expect(p, "CHECK");
        read_check(p);
        return true;
    }
    if (ddl_accept(p, "CHECK")) {
        read_check(p);
        return true;
    }
    return false;
}

/* MariaDB's engines define attributes of their own: name=value. */
static bool read_engine_attribute(struct ddl_parser *p)
{
    struct ddl_token after = ddl_peek(p);

    if (!p->dialect->mariadb || !ddl_is_name(p) || after.kind != DDL_TOKEN_PUNCT ||
        after.text.data[0] != '=') {
        return false;
    }
    ddl_next(p);
    ddl_next(p);
    ddl_skip_value(p);
    return true;
}

static bool read_collation(struct ddl_parser *p, struct ddl_column *out)
{
    if (!ddl_accept(p, "COLLATE")) {
        return false;
    }
    const char *charset = ddl_read_collation(p);

    if (charset != NULL) {
        out->type.charset = charset;
    }
    return true;
}

/* One attribute; false when p is at none. */
static bool read_attribute(struct ddl_parser *p, struct ddl_column *out)
{
    static const char *const keys[] = {"UNIQUE", "PRIMARY", "KEY", NULL};

    if (read_nullability(p, out) || read_plain_attribute(p) || read_constraint(p) ||
        read_collation(p, out)) {
        return true;
    }
    if (ddl_accept(p, "DEFAULT")) {
        ddl_skip_value(p);
        return true;
    }
    if (ddl_accept_two(p, "ON", "UPDATE")) {
        ddl_skip_value(p);
        return true;
    }
    if (ddl_is_any(p, keys)) {
        read_key(p, out);
        return true;
    }
    if (ddl_accept_two(p, "GENERATED", "ALWAYS")) {
        ddl_expect(p, "AS");
        read_generated(p, out);
        return true;
    }
    if (ddl_accept(p, "AS")) {
        read_generated(p, out);
        return true;
    }
    return read_engine_attribute(p);
}

void ddl_read_column(struct ddl_parser *p, struct ddl_column *out)
{
    ddl_read_type(p, &out->type);
    out->not_null = out->type.serial;
    while (p->failed == ERR_OK && read_attribute(p, out)) {
    }
}
