/* ddl_create.c - CREATE TABLE behind its head: columns, keys, options, partitions, SELECT. */
#include "mysql/ddl_int.h"

/* ---- keys and constraints ---- */

/* [name] [USING type] */
static void skip_key_name(struct ddl_parser *p)
{
    (void)ddl_accept_if_not_exists(p);
    if (ddl_is_name(p) && !ddl_is(p, "USING") && !ddl_is(p, "TYPE")) {
        (void)ddl_read_name(p);
    }
    if (ddl_accept(p, "USING") || ddl_accept(p, "TYPE")) {
        (void)ddl_read_name(p);
    }
}

static void skip_key_options(struct ddl_parser *p)
{
    static const char *const valued[] = {
        "KEY_BLOCK_SIZE", "COMMENT", "ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE",
        "USING",          "TYPE",    "CLUSTERING",       NULL};
    static const char *const plain[] = {"VISIBLE", "INVISIBLE", "IGNORED", NULL};

    for (;;) {
        struct ddl_token after = ddl_peek(p);
        bool equals = after.kind == DDL_TOKEN_PUNCT && after.text.data[0] == '=';

        if (ddl_accept_two(p, "WITH", "PARSER")) {
            (void)ddl_read_name(p);
        } else if (ddl_accept_two(p, "NOT", "IGNORED")) {
            continue;
        } else if (ddl_is_any(p, plain)) {
            ddl_next(p);
        } else if (ddl_is_any(p, valued) || (p->dialect->mariadb && ddl_is_name(p) && equals)) {
            ddl_next(p);
            (void)ddl_accept_punct(p, '=');
            ddl_skip_value(p);
        } else {
            return;
        }
    }
}

static void add_name(struct ddl_parser *p, struct ddl_action *to, const char *name,
                     uint32_t *capacity)
{
    if (to->names == NULL || to->name_count == *capacity) {
        *capacity = *capacity == 0 ? 4 : *capacity * 2;
        const char **names = (const char **)arena_alloc(p->arena, *capacity, sizeof *names);

        if (names == NULL) {
            ddl_no_room(p);
            return;
        }
        if (to->names != NULL) {
            memcpy((void *)names, (const void *)to->names, to->name_count * sizeof *names);
        }
        to->names = names;
    }
    to->names[to->name_count++] = name;
}

/* (a, b(10) DESC, p WITHOUT OVERLAPS) */
static void read_key_columns(struct ddl_parser *p, struct ddl_action *to)
{
    uint32_t capacity = 0;

    ddl_expect_punct(p, '(');
    do {
        const char *name = ddl_read_name(p);

        if (ddl_accept_two(p, "WITHOUT", "OVERLAPS")) {
            to->period = name;
            continue;
        }
        add_name(p, to, name, &capacity);
        if (ddl_accept_punct(p, '(')) {
            (void)ddl_read_number(p);
            ddl_expect_punct(p, ')');
        }
        if (!ddl_accept(p, "ASC")) {
            (void)ddl_accept(p, "DESC");
        }
    } while (ddl_accept_punct(p, ',') && p->failed == ERR_OK);
    ddl_expect_punct(p, ')');
}

static void read_primary(struct ddl_parser *p, struct ddl_actions *to)
{
    struct ddl_action key = {.kind = DDL_ADD_PRIMARY};

    ddl_expect(p, "KEY");
    key.if_exists = ddl_accept_if_not_exists(p);
    skip_key_name(p);
    read_key_columns(p, &key);
    skip_key_options(p);
    struct ddl_action *added = ddl_add_action(p, to, DDL_ADD_PRIMARY);

    if (added != NULL) {
        *added = key;
    }
}

static void read_index(struct ddl_parser *p)
{
    if (!ddl_accept(p, "INDEX")) {
        (void)ddl_accept(p, "KEY");
    }
    skip_key_name(p);
    ddl_skip_parens(p);
    skip_key_options(p);
}

static void read_foreign_key(struct ddl_parser *p)
{
    ddl_expect(p, "KEY");
    (void)ddl_accept_if_not_exists(p);
    if (ddl_is_name(p)) {
        (void)ddl_read_name(p);
    }
    ddl_skip_parens(p);
    ddl_expect(p, "REFERENCES");
    (void)ddl_read_table_name(p);
    if (ddl_is_punct(p, '(')) {
        ddl_skip_parens(p);
    }
    if (ddl_accept(p, "MATCH")) {
        (void)ddl_read_name(p);
    }
    while (ddl_accept_two(p, "ON", "DELETE") || ddl_accept_two(p, "ON", "UPDATE")) {
        (void)ddl_read_name(p); /* RESTRICT, CASCADE, SET, NO */
        (void)(ddl_accept(p, "NULL") || ddl_accept(p, "DEFAULT") || ddl_accept(p, "ACTION"));
    }
}

static void read_check(struct ddl_parser *p)
{
    ddl_skip_parens(p);
    if (!ddl_accept_two(p, "NOT", "ENFORCED")) {
        (void)ddl_accept(p, "ENFORCED");
    }
}

/* MariaDB: PERIOD FOR SYSTEM_TIME (a, b), PERIOD FOR name (a, b), whose columns are NOT NULL. */
static void read_period(struct ddl_parser *p, struct ddl_actions *to)
{
    struct ddl_action period = {.kind = DDL_ADD_PERIOD};

    period.if_exists = ddl_accept_if_not_exists(p);
    ddl_expect(p, "FOR");
    period.old_name = ddl_read_name(p);
    read_key_columns(p, &period);
    struct ddl_action *added = ddl_add_action(p, to, DDL_ADD_PERIOD);

    if (added != NULL) {
        *added = period;
    }
}

#define MARIADB_VECTOR 110700u /* from here on the word is reserved */

static bool at_index(struct ddl_parser *p)
{
    static const char *const heads[] = {"INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL", NULL};

    return ddl_is_any(p, heads) || (p->dialect->mariadb && ddl_is(p, "VECTOR") &&
                                    p->dialect->version_number >= MARIADB_VECTOR);
}

/* CONSTRAINT [name] PRIMARY KEY, FOREIGN KEY, CHECK, UNIQUE; false when p is at none. */
static bool read_constraint(struct ddl_parser *p, struct ddl_actions *to)
{
    static const char *const named[] = {"PRIMARY", "UNIQUE", "FOREIGN", "CHECK", NULL};
    static const char *const bare[] = {"PRIMARY", "FOREIGN", "CHECK", NULL};

    if (ddl_accept(p, "CONSTRAINT")) {
        (void)ddl_accept_if_not_exists(p);
        if (!ddl_is_any(p, named)) {
            (void)ddl_read_name(p);
        }
    } else if (!ddl_is_any(p, bare)) {
        return false;
    }
    if (ddl_accept(p, "PRIMARY")) {
        read_primary(p, to);
    } else if (ddl_accept(p, "FOREIGN")) {
        read_foreign_key(p);
    } else if (ddl_accept(p, "CHECK")) {
        read_check(p);
    } else {
        ddl_expect(p, "UNIQUE");
        read_index(p);
    }
    return true;
}

bool ddl_read_table_element(struct ddl_parser *p, struct ddl_actions *to)
{
    struct ddl_token after = ddl_peek(p);

    if (at_index(p)) {
        if (!ddl_is(p, "INDEX") && !ddl_is(p, "KEY")) {
            ddl_next(p);
        }
        read_index(p);
        return true;
    }
    if (p->dialect->mariadb && ddl_is(p, "PERIOD") &&
        (ddl_token_is(&after, "FOR") || ddl_token_is(&after, "IF"))) {
        ddl_next(p);
        read_period(p, to);
        return true;
    }
    return read_constraint(p, to);
}

/* ---- the statement ---- */

static void read_elements(struct ddl_parser *p, struct ddl_statement *s)
{
    do {
        if (ddl_read_table_element(p, &s->actions)) {
            continue;
        }
        struct ddl_column column = {.name = ddl_read_column_name(p)};

        ddl_read_column(p, &column);
        struct ddl_action *added = ddl_add_action(p, &s->actions, DDL_ADD_COLUMN);

        if (added != NULL) {
            added->column = column;
        }
    } while (ddl_accept_punct(p, ',') && p->failed == ERR_OK);
    ddl_expect_punct(p, ')');
}

/* [IGNORE | REPLACE] [AS] SELECT ..., which goes to the end whatever it holds. */
static bool at_select(struct ddl_parser *p)
{
    static const char *const words[] = {"IGNORE", "REPLACE", "AS",     "SELECT",
                                        "WITH",   "TABLE",   "VALUES", NULL};

    return ddl_is_any(p, words) || ddl_is_punct(p, '(');
}

static void read_select(struct ddl_parser *p, struct ddl_statement *s)
{
    static const char *const starts[] = {"SELECT", "WITH", "TABLE", "VALUES", NULL};

    if (!ddl_accept(p, "IGNORE")) {
        (void)ddl_accept(p, "REPLACE");
    }
    (void)ddl_accept(p, "AS");
    if (!ddl_is_any(p, starts) && !ddl_is_punct(p, '(')) {
        ddl_fail(p, "SELECT");
    }
    s->select = true;
    s->has_rows = true;
    while (!ddl_at_end(p)) {
        ddl_next(p);
    }
}

static void read_tail(struct ddl_parser *p, struct ddl_statement *s)
{
    while (p->failed == ERR_OK && ddl_at_table_option(p)) {
        ddl_read_table_option(p, s);
        (void)ddl_accept_punct(p, ',');
    }
    if (ddl_accept(p, "PARTITION")) {
        ddl_read_partitioning(p);
    }
    if (at_select(p)) {
        read_select(p, s);
    }
    /* Behind the partitions: how MySQL logs CREATE ... SELECT. */
    if (ddl_accept_two(p, "START", "TRANSACTION")) {
        s->has_rows = true;
    }
}

void ddl_read_create_table(struct ddl_parser *p, struct ddl_statement *s)
{
    s->kind = DDL_CREATE_TABLE;
    s->if_exists = ddl_accept_if_not_exists(p);
    s->table = ddl_read_table_name(p);
    if (ddl_accept(p, "LIKE")) {
        s->kind = DDL_CREATE_LIKE;
        s->like = ddl_read_table_name(p);
        return;
    }
    if (ddl_is_punct(p, '(')) {
        static const char *const selects[] = {"SELECT", "WITH", "VALUES", "TABLE", NULL};
        struct ddl_token after = ddl_peek(p);

        if (ddl_token_is(&after, "LIKE")) {
            ddl_next(p);
            ddl_next(p);
            s->kind = DDL_CREATE_LIKE;
            s->like = ddl_read_table_name(p);
            ddl_expect_punct(p, ')');
            return;
        }
        bool select = after.kind == DDL_TOKEN_PUNCT;

        for (const char *const *word = selects; *word != NULL; word++) {
            select = select || ddl_token_is(&after, *word);
        }
        if (!select) {
            ddl_next(p);
            read_elements(p, s);
        }
    }
    read_tail(p, s);
}
