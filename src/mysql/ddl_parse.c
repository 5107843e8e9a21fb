/* ddl_parse.c - a statement's head, and the statements that are short. */
#include "base/str.h"
#include "mysql/ddl_int.h"

/* ---- lists ---- */

static void add_table(struct ddl_parser *p, struct ddl_statement *s, struct ddl_table_name name,
                      uint32_t *capacity)
{
    if (s->name_count == *capacity) {
        *capacity = *capacity == 0 ? 4 : *capacity * 2;
        struct ddl_table_name *names = arena_alloc(p->arena, *capacity, sizeof *names);

        if (names == NULL) {
            ddl_no_room(p);
            return;
        }
        if (s->name_count > 0) {
            memcpy(names, s->names, s->name_count * sizeof *names);
        }
        s->names = names;
    }
    s->names[s->name_count++] = name;
}

static void read_tables(struct ddl_parser *p, struct ddl_statement *s)
{
    uint32_t capacity = 0;

    do {
        add_table(p, s, ddl_read_table_name(p), &capacity);
        ddl_skip_wait(p);
    } while (ddl_accept_punct(p, ',') && p->failed == ERR_OK);
}

static void add_rename(struct ddl_parser *p, struct ddl_statement *s, struct ddl_rename rename,
                       uint32_t *capacity)
{
    if (s->rename_count == *capacity) {
        *capacity = *capacity == 0 ? 4 : *capacity * 2;
        struct ddl_rename *renames = arena_alloc(p->arena, *capacity, sizeof *renames);

        if (renames == NULL) {
            ddl_no_room(p);
            return;
        }
        if (s->rename_count > 0) {
            memcpy(renames, s->renames, s->rename_count * sizeof *renames);
        }
        s->renames = renames;
    }
    s->renames[s->rename_count++] = rename;
}

/* ---- RENAME, TRUNCATE, REPAIR ---- */

static bool accept_tables_word(struct ddl_parser *p)
{
    return ddl_accept(p, "TABLE") || ddl_accept(p, "TABLES");
}

static void read_rename(struct ddl_parser *p, struct ddl_statement *s)
{
    uint32_t capacity = 0;

    if (!accept_tables_word(p)) {
        return;
    }
    s->kind = DDL_RENAME_TABLES;
    s->if_exists = ddl_accept_if_exists(p);
    do {
        struct ddl_rename rename = {.from = ddl_read_table_name(p)};

        ddl_skip_wait(p);
        ddl_expect(p, "TO");
        rename.to = ddl_read_table_name(p);
        add_rename(p, s, rename, &capacity);
    } while (ddl_accept_punct(p, ',') && p->failed == ERR_OK);
}

static void read_truncate(struct ddl_parser *p, struct ddl_statement *s)
{
    s->kind = DDL_TRUNCATE;
    (void)ddl_accept(p, "TABLE");
    s->table = ddl_read_table_name(p);
    ddl_skip_wait(p);
    if (p->dialect->mariadb && (ddl_accept(p, "DROP") || ddl_accept(p, "REUSE"))) {
        ddl_expect(p, "STORAGE");
    }
}

static void read_repair(struct ddl_parser *p, struct ddl_statement *s)
{
    static const char *const options[] = {"QUICK", "EXTENDED", "USE_FRM", "FORCE", NULL};

    if (!ddl_accept(p, "NO_WRITE_TO_BINLOG")) {
        (void)ddl_accept(p, "LOCAL");
    }
    if (!accept_tables_word(p)) {
        return;
    }
    s->kind = DDL_REPAIR;
    read_tables(p, s);
    while (ddl_is_any(p, options)) {
        ddl_next(p);
    }
}

/* ---- databases ---- */

static bool accept_database_word(struct ddl_parser *p)
{
    return ddl_accept(p, "DATABASE") || ddl_accept(p, "SCHEMA");
}

static void read_database_options(struct ddl_parser *p, struct ddl_statement *s)
{
    static const char *const valued[] = {"ENCRYPTION", "COMMENT", "READ", NULL};

    while (p->failed == ERR_OK && !ddl_at_end(p) && !ddl_is_punct(p, ';')) {
        if (ddl_read_charset_option(p, &s->charset)) {
            continue;
        }
        (void)ddl_accept(p, "DEFAULT");
        if (!ddl_is_any(p, valued)) {
            ddl_fail(p, "an option of a database");
        }
        ddl_next(p);
        (void)ddl_accept(p, "ONLY");
        (void)ddl_accept_punct(p, '=');
        ddl_skip_value(p);
    }
}

static void read_create_database(struct ddl_parser *p, struct ddl_statement *s)
{
    s->kind = DDL_CREATE_DATABASE;
    s->if_exists = ddl_accept_if_not_exists(p);
    s->table.database = ddl_read_name(p);
    read_database_options(p, s);
}

static void read_alter_database(struct ddl_parser *p, struct ddl_statement *s)
{
    static const char *const options[] = {"DEFAULT", "CHARACTER", "CHAR", "COLLATE", "READ", NULL};
    /* These may also be names. */
    static const char *const open[] = {"CHARSET", "ENCRYPTION", "COMMENT", NULL};
    struct ddl_token after = ddl_peek(p);
    bool equals = after.kind == DDL_TOKEN_PUNCT || after.kind == DDL_TOKEN_STRING;
    bool option = ddl_is_any(p, options) || (ddl_is_any(p, open) && equals);

    s->kind = DDL_ALTER_DATABASE;
    /* The session's database where none is written. */
    s->table.database = option ? p->dialect->database : ddl_read_name(p);
    if (p->failed == ERR_OK && s->table.database[0] == '\0') {
        ddl_fail(p, "a database: the session had none");
    }
    read_database_options(p, s);
}

/* ---- CREATE, DROP, ALTER ---- */

static void read_create(struct ddl_parser *p, struct ddl_statement *s)
{
    if (ddl_accept_two(p, "OR", "REPLACE")) {
        s->or_replace = true;
    }
    s->temporary = ddl_accept(p, "TEMPORARY");
    if (ddl_accept(p, "TABLE")) {
        ddl_read_create_table(p, s);
    } else if (!s->temporary && accept_database_word(p)) {
        read_create_database(p, s);
    } else if (s->or_replace && ddl_accept(p, "SEQUENCE")) {
        s->kind = DDL_REPLACE_BY_SEQUENCE;
        (void)ddl_accept_if_not_exists(p);
        s->table = ddl_read_table_name(p);
        while (!ddl_at_end(p)) {
            ddl_next(p);
        }
    }
}

/* DROP INDEX `PRIMARY` ON t is ALTER TABLE t DROP PRIMARY KEY. */
static void read_drop_index(struct ddl_parser *p, struct ddl_statement *s)
{
    s->kind = DDL_ALTER_TABLE;
    bool if_exists = ddl_accept_if_exists(p);
    const char *name = ddl_read_name(p);

    if (p->failed == ERR_OK && !str_ieq(name, "PRIMARY")) {
        s->kind = DDL_NONE;
        return;
    }
    ddl_expect(p, "ON");
    s->table = ddl_read_table_name(p);
    ddl_skip_wait(p);
    struct ddl_action *added = ddl_add_action(p, &s->actions, DDL_DROP_PRIMARY);

    if (added != NULL) {
        added->if_exists = if_exists;
    }
    while (ddl_is(p, "ALGORITHM") || ddl_is(p, "LOCK")) {
        ddl_next(p);
        (void)ddl_accept_punct(p, '=');
        (void)ddl_read_name(p);
    }
}

static void read_drop(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)(ddl_accept(p, "ONLINE") || ddl_accept(p, "OFFLINE"));
    s->temporary = ddl_accept(p, "TEMPORARY");
    if (accept_tables_word(p)) {
        s->kind = DDL_DROP_TABLES;
        s->if_exists = ddl_accept_if_exists(p);
        read_tables(p, s);
        (void)(ddl_accept(p, "RESTRICT") || ddl_accept(p, "CASCADE"));
    } else if (!s->temporary && accept_database_word(p)) {
        s->kind = DDL_DROP_DATABASE;
        s->if_exists = ddl_accept_if_exists(p);
        s->table.database = ddl_read_name(p);
    } else if (!s->temporary && ddl_accept(p, "INDEX")) {
        read_drop_index(p, s);
    }
}

static void read_alter(struct ddl_parser *p, struct ddl_statement *s)
{
    static const char *const before[] = {"ONLINE", "OFFLINE", "IGNORE", NULL};

    if (accept_database_word(p)) {
        read_alter_database(p, s);
        return;
    }
    while (ddl_is_any(p, before)) {
        s->ignore = s->ignore || ddl_is(p, "IGNORE");
        ddl_next(p);
    }
    if (!ddl_accept(p, "TABLE")) {
        return;
    }
    s->kind = DDL_ALTER_TABLE;
    s->if_exists = ddl_accept_if_exists(p);
    s->table = ddl_read_table_name(p);
    ddl_skip_wait(p);
    ddl_read_alter_table(p, s);
}

/* SET STATEMENT a=b, c=d FOR ...: what counts is behind FOR. */
static bool skip_set_statement(struct ddl_parser *p)
{
    bool any = false;

    while (p->dialect->mariadb && ddl_accept_two(p, "SET", "STATEMENT")) {
        any = true;
        while (!ddl_at_end(p) && !ddl_is(p, "FOR")) {
            if (ddl_is_punct(p, '(')) {
                ddl_skip_parens(p);
            } else {
                ddl_next(p);
            }
        }
        ddl_expect(p, "FOR");
    }
    return any;
}

static const struct {
    const char *word;
    void (*read)(struct ddl_parser *p, struct ddl_statement *s);
} heads[] = {
    {"CREATE", read_create}, {"ALTER", read_alter},       {"DROP", read_drop},
    {"RENAME", read_rename}, {"TRUNCATE", read_truncate}, {"REPAIR", read_repair},
};

enum err_code ddl_parse(struct span sql, const struct ddl_dialect *dialect, struct arena *arena,
                        struct ddl_statement *out, struct err *e)
{
    struct ddl_parser p = {
        .dialect = dialect,
        .lexer = ddl_lexer_of(sql, dialect->sql_mode, dialect->mariadb, dialect->version_number),
        .arena = arena,
        .e = e};

    *out = (struct ddl_statement){.kind = DDL_NONE};
    ddl_lexer_next(&p.lexer, &p.t); /* a wrong token here is no head */
    bool prefixed = skip_set_statement(&p);

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (ddl_accept(&p, heads[i].word)) {
            heads[i].read(&p, out);
            break;
        }
    }
    if (p.failed == ERR_UNSUPPORTED && out->kind == DDL_NONE && !prefixed) {
        return ERR_OK; /* a head that concerns no tables, whatever follows */
    }
    if (p.failed == ERR_OK && out->kind != DDL_NONE) {
        (void)ddl_accept_punct(&p, ';');
        if (!ddl_at_end(&p)) {
            ddl_fail(&p, "the end");
        }
    }
    return p.failed;
}
