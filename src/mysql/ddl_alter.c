/* ddl_alter.c - the clauses of ALTER TABLE. */
#include "base/str.h"
#include "mysql/ddl_int.h"

void ddl_skip_wait(struct ddl_parser *p)
{
    if (!p->dialect->mariadb) {
        return;
    }
    if (ddl_accept(p, "WAIT")) {
        ddl_skip_value(p);
    } else {
        (void)ddl_accept(p, "NOWAIT");
    }
}

static struct ddl_action *add(struct ddl_parser *p, struct ddl_statement *s,
                              enum ddl_action_kind kind)
{
    return ddl_add_action(p, &s->actions, kind);
}

/* ---- columns ---- */

static void read_place(struct ddl_parser *p, struct ddl_column *column)
{
    if (ddl_accept(p, "FIRST")) {
        column->place = DDL_PLACE_FIRST;
    } else if (ddl_accept(p, "AFTER")) {
        column->place = DDL_PLACE_AFTER;
        column->after = ddl_read_name(p);
    }
}

static void add_column(struct ddl_parser *p, struct ddl_statement *s, bool if_not_exists,
                       bool placed)
{
    struct ddl_column column = {.name = ddl_read_column_name(p), .if_exists = if_not_exists};

    ddl_read_column(p, &column);
    if (placed) {
        read_place(p, &column);
    }
    struct ddl_action *added = add(p, s, DDL_ADD_COLUMN);

    if (added != NULL) {
        added->column = column;
    }
}

static void read_added_columns(struct ddl_parser *p, struct ddl_statement *s)
{
    bool if_not_exists = ddl_accept_if_not_exists(p);

    if (!ddl_accept_punct(p, '(')) {
        add_column(p, s, if_not_exists, true);
        return;
    }
    do {
        if (!ddl_read_table_element(p, &s->actions)) {
            add_column(p, s, if_not_exists, false);
        }
    } while (ddl_accept_punct(p, ',') && p->failed == ERR_OK);
    ddl_expect_punct(p, ')');
}

/* MODIFY name definition, CHANGE old new definition. */
static void read_modify(struct ddl_parser *p, struct ddl_statement *s, bool change)
{
    (void)ddl_accept(p, "COLUMN");
    bool if_exists = ddl_accept_if_exists(p);
    const char *old_name = ddl_read_column_name(p);
    struct ddl_column column = {.name = change ? ddl_read_column_name(p) : old_name};

    ddl_read_column(p, &column);
    read_place(p, &column);
    struct ddl_action *added = add(p, s, DDL_MODIFY_COLUMN);

    if (added != NULL) {
        added->column = column;
        added->old_name = old_name;
        added->if_exists = if_exists;
    }
}

/* ALTER [COLUMN] c SET DEFAULT x, ALTER INDEX i INVISIBLE, ALTER CHECK c NOT ENFORCED, ... */
static void read_alter(struct ddl_parser *p)
{
    static const char *const others[] = {"INDEX", "KEY", "CHECK", "CONSTRAINT", NULL};
    static const char *const states[] = {"VISIBLE", "INVISIBLE", "IGNORED", "ENFORCED", NULL};

    if (ddl_is_any(p, others)) {
        ddl_next(p);
        (void)ddl_accept_if_exists(p);
        (void)ddl_read_name(p);
        (void)ddl_accept(p, "NOT");
        if (!ddl_is_any(p, states)) {
            ddl_fail(p, "VISIBLE, INVISIBLE, IGNORED or ENFORCED");
        }
        ddl_next(p);
        return;
    }
    (void)ddl_accept(p, "COLUMN");
    (void)ddl_accept_if_exists(p);
    (void)ddl_read_column_name(p);
    if (ddl_accept(p, "DROP")) {
        ddl_expect(p, "DEFAULT");
        return;
    }
    ddl_expect(p, "SET");
    if (ddl_accept(p, "DEFAULT")) {
        ddl_skip_value(p);
    } else if (!ddl_accept(p, "VISIBLE")) {
        ddl_expect(p, "INVISIBLE");
    }
}

/* ---- partitions ---- */

/* p0, p1 or ALL: commas belong to the names, for such a clause stands alone. */
static void read_partition_names(struct ddl_parser *p)
{
    do {
        (void)ddl_read_name(p);
    } while (ddl_accept_punct(p, ',') && p->failed == ERR_OK);
}

static void skip_log_words(struct ddl_parser *p)
{
    if (!ddl_accept(p, "NO_WRITE_TO_BINLOG")) {
        (void)ddl_accept(p, "LOCAL");
    }
}

static void read_added_partitions(struct ddl_parser *p)
{
    (void)ddl_accept_if_not_exists(p);
    skip_log_words(p);
    if (ddl_accept(p, "PARTITIONS")) {
        (void)ddl_read_number(p);
    } else {
        ddl_read_partition_list(p);
    }
}

static void read_validation(struct ddl_parser *p)
{
    if (!ddl_accept_two(p, "WITH", "VALIDATION")) {
        (void)ddl_accept_two(p, "WITHOUT", "VALIDATION");
    }
}

static void add_other(struct ddl_parser *p, struct ddl_statement *s, enum ddl_action_kind kind)
{
    struct ddl_table_name other = ddl_read_table_name(p);
    struct ddl_action *added = add(p, s, kind);

    if (added != NULL) {
        added->other = other;
    }
}

static void read_exchange(struct ddl_parser *p, struct ddl_statement *s)
{
    ddl_expect(p, "PARTITION");
    (void)ddl_read_name(p);
    ddl_expect(p, "WITH");
    ddl_expect(p, "TABLE");
    add_other(p, s, DDL_EXCHANGE_TABLE);
    read_validation(p);
}

static void read_reorganize(struct ddl_parser *p)
{
    ddl_expect(p, "PARTITION");
    skip_log_words(p);
    if (ddl_at_end(p)) {
        return;
    }
    read_partition_names(p);
    ddl_expect(p, "INTO");
    ddl_read_partition_list(p);
}

/* DISCARD and IMPORT TABLESPACE, of the table or of some partitions. */
static void read_tablespace(struct ddl_parser *p, struct ddl_statement *s)
{
    if (ddl_accept(p, "PARTITION")) {
        read_partition_names(p);
    }
    ddl_expect(p, "TABLESPACE");
    (void)add(p, s, DDL_ROWS_REPLACED);
}

/* ANALYZE, CHECK, OPTIMIZE, REBUILD, REPAIR PARTITION ... */
static void read_partition_care(struct ddl_parser *p)
{
    static const char *const options[] = {"QUICK",   "FAST", "MEDIUM",  "EXTENDED", "CHANGED",
                                          "USE_FRM", "FOR",  "UPGRADE", NULL};

    ddl_expect(p, "PARTITION");
    skip_log_words(p);
    read_partition_names(p);
    while (ddl_is_any(p, options)) {
        ddl_next(p);
    }
}

/* Behind CONVERT PARTITION and CONVERT TABLE (MariaDB). */
static void read_convert_partition(struct ddl_parser *p, struct ddl_statement *s)
{
    if (ddl_accept(p, "PARTITION")) {
        (void)ddl_read_name(p);
        ddl_expect(p, "TO");
        ddl_expect(p, "TABLE");
        add_other(p, s, DDL_PARTITION_TO_TABLE);
        read_validation(p);
        return;
    }
    ddl_expect(p, "TABLE");
    add_other(p, s, DDL_TABLE_TO_PARTITION);
    ddl_expect(p, "TO");
    ddl_expect(p, "PARTITION");
    (void)ddl_read_name(p);
    while (p->failed == ERR_OK && !ddl_at_end(p)) { /* VALUES ..., options, validation */
        if (ddl_is_punct(p, '(')) {
            ddl_skip_parens(p);
        } else {
            ddl_next(p);
        }
    }
}

/* ---- ADD, DROP, RENAME, CONVERT ---- */

static void read_add(struct ddl_parser *p, struct ddl_statement *s)
{
    if (ddl_accept(p, "COLUMN")) {
        read_added_columns(p, s);
    } else if (ddl_accept(p, "PARTITION")) {
        read_added_partitions(p);
    } else if (ddl_accept_two(p, "SYSTEM", "VERSIONING")) {
        (void)add(p, s, DDL_VERSIONING);
    } else if (ddl_is_punct(p, '(') || !ddl_read_table_element(p, &s->actions)) {
        read_added_columns(p, s);
    }
}

static void drop_key(struct ddl_parser *p, struct ddl_statement *s)
{
    bool if_exists = ddl_accept_if_exists(p);
    const char *name = ddl_read_name(p);

    if (str_ieq(name, "PRIMARY")) {
        struct ddl_action *added = add(p, s, DDL_DROP_PRIMARY);

        if (added != NULL) {
            added->if_exists = if_exists;
        }
    }
}

static void drop_column(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)ddl_accept(p, "COLUMN");
    bool if_exists = ddl_accept_if_exists(p);
    const char *name = ddl_read_column_name(p);
    struct ddl_action *added = add(p, s, DDL_DROP_COLUMN);

    if (!ddl_accept(p, "RESTRICT")) {
        (void)ddl_accept(p, "CASCADE");
    }
    if (added != NULL) {
        added->old_name = name;
        added->if_exists = if_exists;
    }
}

static void read_drop(struct ddl_parser *p, struct ddl_statement *s)
{
    static const char *const keys[] = {"INDEX", "KEY", "CHECK", "CONSTRAINT", NULL};

    if (ddl_accept_two(p, "FOREIGN", "KEY")) {
        (void)ddl_accept_if_exists(p);
        (void)ddl_read_name(p);
    } else if (ddl_accept_two(p, "PRIMARY", "KEY")) {
        (void)add(p, s, DDL_DROP_PRIMARY);
    } else if (ddl_is_any(p, keys)) {
        ddl_next(p);
        drop_key(p, s);
    } else if (ddl_accept(p, "PARTITION")) {
        (void)ddl_accept_if_exists(p);
        read_partition_names(p);
        (void)add(p, s, DDL_ROWS_REMOVED);
    } else if (ddl_accept_two(p, "SYSTEM", "VERSIONING")) {
        (void)add(p, s, DDL_VERSIONING);
    } else if (ddl_accept_two(p, "PERIOD", "FOR") || ddl_accept_two(p, "PERIOD", "IF")) {
        if (ddl_accept(p, "EXISTS")) {
            ddl_expect(p, "FOR");
        }
        (void)ddl_read_name(p);
    } else {
        drop_column(p, s);
    }
}

static void rename_column(struct ddl_parser *p, struct ddl_statement *s)
{
    bool if_exists = ddl_accept_if_exists(p);
    const char *old_name = ddl_read_name(p);

    ddl_expect(p, "TO");
    const char *new_name = ddl_read_name(p);
    struct ddl_action *added = add(p, s, DDL_RENAME_COLUMN);

    if (added != NULL) {
        added->old_name = old_name;
        added->new_name = new_name;
        added->if_exists = if_exists;
    }
}

static void read_rename(struct ddl_parser *p, struct ddl_statement *s)
{
    if (ddl_accept(p, "COLUMN")) {
        rename_column(p, s);
    } else if (ddl_accept(p, "INDEX") || ddl_accept(p, "KEY")) {
        (void)ddl_accept_if_exists(p);
        (void)ddl_read_name(p);
        ddl_expect(p, "TO");
        (void)ddl_read_name(p);
    } else {
        if (!ddl_accept(p, "TO") && !ddl_accept(p, "AS")) {
            (void)ddl_accept_punct(p, '=');
        }
        add_other(p, s, DDL_RENAME_TABLE);
    }
}

static void read_convert(struct ddl_parser *p, struct ddl_statement *s)
{
    if (!ddl_accept(p, "TO")) {
        read_convert_partition(p, s);
        return;
    }
    if (!ddl_accept_charset_words(p)) {
        ddl_fail(p, "CHARACTER SET");
    }
    const char *charset = ddl_read_charset_name(p);

    if (ddl_accept(p, "COLLATE")) {
        const char *of_collation = ddl_read_collation(p);

        charset = of_collation == NULL ? charset : of_collation;
    }
    struct ddl_action *added = add(p, s, DDL_CONVERT_CHARSET);

    if (added != NULL) {
        added->charset = charset;
    }
}

/* ---- clauses ---- */

/* ORDER BY a, b DESC: a comma before a clause's word is none of the list. */
static void read_order(struct ddl_parser *p)
{
    static const char *const clauses[] = {"ADD",     "DROP",   "ALTER", "CHANGE",
                                          "CONVERT", "RENAME", NULL};

    ddl_expect(p, "BY");
    for (;;) {
        (void)ddl_read_column_name(p);
        if (!ddl_accept(p, "ASC")) {
            (void)ddl_accept(p, "DESC");
        }
        if (!ddl_is_punct(p, ',')) {
            return;
        }
        struct ddl_token after = ddl_peek(p);

        for (const char *const *word = clauses; *word != NULL; word++) {
            if (ddl_token_is(&after, *word)) {
                return;
            }
        }
        ddl_next(p);
    }
}

static void read_add_clause(struct ddl_parser *p, struct ddl_statement *s)
{
    read_add(p, s);
}

static void read_drop_clause(struct ddl_parser *p, struct ddl_statement *s)
{
    read_drop(p, s);
}

static void read_modify_clause(struct ddl_parser *p, struct ddl_statement *s)
{
    read_modify(p, s, false);
}

static void read_change_clause(struct ddl_parser *p, struct ddl_statement *s)
{
    read_modify(p, s, true);
}

static void read_alter_clause(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)s;
    read_alter(p);
}

static void read_order_clause(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)s;
    read_order(p);
}

static void read_force(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)p;
    (void)s;
}

static void read_keys_clause(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)s;
    ddl_expect(p, "KEYS");
}

static void read_setting(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)s;
    (void)ddl_accept_punct(p, '=');
    (void)ddl_read_name(p);
}

static void read_partition_by(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)s;
    ddl_read_partitioning(p);
}

static void read_partitioning_word(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)s;
    ddl_expect(p, "PARTITIONING");
}

static void read_truncate_partition(struct ddl_parser *p, struct ddl_statement *s)
{
    ddl_expect(p, "PARTITION");
    read_partition_names(p);
    (void)add(p, s, DDL_ROWS_REMOVED);
}

static void read_coalesce(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)s;
    ddl_expect(p, "PARTITION");
    skip_log_words(p);
    (void)ddl_read_number(p);
}

static void read_reorganize_clause(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)s;
    read_reorganize(p);
}

static void read_care_clause(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)s;
    read_partition_care(p);
}

static void read_repair_clause(struct ddl_parser *p, struct ddl_statement *s)
{
    read_partition_care(p);
    (void)add(p, s, DDL_REPAIR_ROWS);
}

static void read_secondary(struct ddl_parser *p, struct ddl_statement *s)
{
    (void)s;
    if (ddl_accept(p, "PARTITION")) {
        ddl_skip_parens(p);
    }
}

static const struct {
    const char *word;
    void (*read)(struct ddl_parser *p, struct ddl_statement *s);
} clauses[] = {
    {"ADD", read_add_clause},
    {"DROP", read_drop_clause},
    {"MODIFY", read_modify_clause},
    {"CHANGE", read_change_clause},
    {"ALTER", read_alter_clause},
    {"RENAME", read_rename},
    {"CONVERT", read_convert},
    {"ORDER", read_order_clause},
    {"FORCE", read_force},
    {"DISABLE", read_keys_clause},
    {"ENABLE", read_keys_clause},
    {"ALGORITHM", read_setting},
    {"LOCK", read_setting},
    {"PARTITION", read_partition_by},
    {"REMOVE", read_partitioning_word},
    {"UPGRADE", read_partitioning_word},
    {"DISCARD", read_tablespace},
    {"IMPORT", read_tablespace},
    {"TRUNCATE", read_truncate_partition},
    {"COALESCE", read_coalesce},
    {"REORGANIZE", read_reorganize_clause},
    {"EXCHANGE", read_exchange},
    {"ANALYZE", read_care_clause},
    {"CHECK", read_care_clause},
    {"OPTIMIZE", read_care_clause},
    {"REBUILD", read_care_clause},
    {"REPAIR", read_repair_clause},
    {"SECONDARY_LOAD", read_secondary},
    {"SECONDARY_UNLOAD", read_secondary},
};

static void read_clause(struct ddl_parser *p, struct ddl_statement *s)
{
    if (ddl_accept_two(p, "WITH", "VALIDATION") || ddl_accept_two(p, "WITHOUT", "VALIDATION")) {
        return;
    }
    for (size_t i = 0; i < sizeof clauses / sizeof clauses[0]; i++) {
        if (ddl_accept(p, clauses[i].word)) {
            clauses[i].read(p, s);
            return;
        }
    }
    do {
        ddl_read_table_option(p, s);
    } while (p->failed == ERR_OK && ddl_at_table_option(p));
}

void ddl_read_alter_table(struct ddl_parser *p, struct ddl_statement *s)
{
    if (ddl_at_end(p)) {
        return;
    }
    do {
        read_clause(p, s);
    } while (ddl_accept_punct(p, ',') && p->failed == ERR_OK);
    /* Partitioning may stand behind the other clauses without a comma. */
    if (ddl_accept(p, "PARTITION")) {
        ddl_read_partitioning(p);
    } else if (ddl_accept(p, "REMOVE")) {
        ddl_expect(p, "PARTITIONING");
    }
}
