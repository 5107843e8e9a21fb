#include "mysql/statement.h"

#include <stdio.h>

#include "base/str.h"
#include "mysql/sql_lexer_int.h"

static const char *const if_exists[] = {"IF", "NOT", "EXISTS", NULL};

/* The statement's first two words. SET STATEMENT x=y FOR <statement>: what counts is after FOR. */
static void read_head(struct sql_lexer *l, struct sql_token *first, struct sql_token *second)
{
    sql_next(l, first);
    sql_next(l, second);
    while (sql_is(first, "SET") && sql_is(second, "STATEMENT")) {
        while (second->kind != SQL_TOKEN_END && !sql_is(second, "FOR")) {
            sql_next(l, second);
        }
        sql_next(l, first);
        sql_next(l, second);
    }
}

/* ---- kind ---- */

static enum statement_kind classify_rollback(struct sql_lexer *l, struct sql_token *second)
{
    if (sql_is(second, "WORK")) {
        sql_next(l, second);
    }
    return sql_is(second, "TO") ? STATEMENT_ROLLBACK_TO : STATEMENT_ROLLBACK;
}

static enum statement_kind classify(struct sql_lexer *l)
{
    static const struct {
        const char *word;
        enum statement_kind kind;
    } heads[] = {
        {"BEGIN", STATEMENT_BEGIN},
        {"COMMIT", STATEMENT_COMMIT},
        {"SAVEPOINT", STATEMENT_SAVEPOINT},
        {"RELEASE", STATEMENT_SAVEPOINT},
        {"XA", STATEMENT_XA},
        {"INSERT", STATEMENT_DML},
        {"UPDATE", STATEMENT_DML},
        {"DELETE", STATEMENT_DML},
        {"REPLACE", STATEMENT_DML},
        {"LOAD", STATEMENT_DML},
        {"CALL", STATEMENT_DML},
        {"DO", STATEMENT_DML},
        {"WITH", STATEMENT_DML},
        {"SELECT", STATEMENT_DML},
        {"CREATE", STATEMENT_DDL},
        {"ALTER", STATEMENT_DDL},
        {"DROP", STATEMENT_DDL},
        {"RENAME", STATEMENT_DDL},
        {"TRUNCATE", STATEMENT_DDL},
        {"REPAIR", STATEMENT_DDL},
    };
    static const char *const analyzed[] = {"TABLE", "TABLES", "LOCAL", "NO_WRITE_TO_BINLOG", NULL};
    struct sql_token first;
    struct sql_token second;

    read_head(l, &first, &second);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (sql_is(&first, heads[i].word)) {
            return heads[i].kind;
        }
    }
    if (sql_is(&first, "ROLLBACK")) {
        return classify_rollback(l, &second);
    }
    if (sql_is(&first, "START") && sql_is(&second, "TRANSACTION")) {
        return STATEMENT_BEGIN;
    }
    /* MariaDB's ANALYZE UPDATE ... runs the UPDATE. */
    return sql_is(&first, "ANALYZE") && !sql_is_any(&second, analyzed) ? STATEMENT_DML
                                                                       : STATEMENT_OTHER;
}

/* Calls read for each reading that the text allows; it returns false to end this. */
static void each_reading(struct span sql, bool ansi_quotes,
                         bool (*read)(struct sql_lexer *l, void *ctx), void *ctx)
{
    unsigned seen = 0;

    for (unsigned reading = SQL_READING_USUAL; reading < SQL_READINGS; reading++) {
        struct sql_lexer l = sql_lexer_of(sql, ansi_quotes, reading);

        if ((reading & ~seen) == 0 && !read(&l, ctx)) {
            return;
        }
        seen |= l.readings_seen;
    }
}

static bool classify_reading(struct sql_lexer *l, void *ctx)
{
    enum statement_kind *kind = ctx;
    enum statement_kind here = classify(l);

    if (*kind == STATEMENT_OTHER || here == STATEMENT_DDL) {
        *kind = here;
    }
    return true;
}

enum statement_kind statement_classify(struct span sql, bool ansi_quotes)
{
    enum statement_kind kind = STATEMENT_OTHER;

    each_reading(sql, ansi_quotes, classify_reading, &kind);
    return kind;
}

/* ---- touched tables ---- */

struct touch {
    const char *default_schema;
    void (*touched)(void *ctx, const char *schema, const char *table);
    void *ctx;
};

struct name {
    char schema[SQL_NAME_BYTES];
    char table[SQL_NAME_BYTES];
};

static void touch_name(const struct touch *to, const struct name *name)
{
    to->touched(to->ctx, name->schema, name->table);
}

static void touch_schema(const struct touch *to, const char *schema)
{
    to->touched(to->ctx, schema, "");
}

/*
 * Reads `a`, `a.b`; *t is the token after it. False when there is no name. A part that cannot be
 * told stands for all there is: "" as table, and "" as schema and table.
 */
static bool read_name(struct sql_lexer *l, struct sql_token *t, const struct touch *to,
                      struct name *out)
{
    if (!sql_is_nameable(t)) {
        return false;
    }
    (void)snprintf(out->schema, sizeof out->schema, "%s", to->default_schema);
    (void)snprintf(out->table, sizeof out->table, "%s", t->unsure ? "" : t->text);
    sql_next(l, t);
    if (!sql_is_punct(t, '.')) {
        return true;
    }
    sql_next(l, t);
    if (!sql_is_nameable(t)) {
        return false;
    }
    (void)snprintf(out->schema, sizeof out->schema, "%s", out->table);
    (void)snprintf(out->table, sizeof out->table, "%s",
                   t->unsure || out->schema[0] == '\0' ? "" : t->text);
    sql_next(l, t);
    return true;
}

/* The name at *t is touched; where there is none, its schema can only be the default. */
static void touch_next(struct sql_lexer *l, struct sql_token *t, const struct touch *to)
{
    struct name name;

    if (read_name(l, t, to, &name)) {
        touch_name(to, &name);
    } else {
        touch_schema(to, to->default_schema);
    }
}

/* MariaDB's `WAIT 5` or `NOWAIT` behind a name. */
static void skip_wait(struct sql_lexer *l, struct sql_token *t)
{
    if (sql_is(t, "WAIT")) {
        sql_next(l, t);
        if (t->text[0] >= '0' && t->text[0] <= '9') {
            sql_next(l, t);
        }
    } else if (sql_is(t, "NOWAIT")) {
        sql_next(l, t);
    }
}

/* A list of names parted by commas or TO. Words of no known meaning count as names. */
static void touch_list(struct sql_lexer *l, struct sql_token *t, const struct touch *to)
{
    static const char *const behind[] = {"RESTRICT", "CASCADE",  "DROP",    "REUSE", "STORAGE",
                                         "QUICK",    "EXTENDED", "USE_FRM", "FORCE", NULL};
    struct name name;

    bool any = false;

    sql_skip_words(l, t, if_exists);
    while (t->kind != SQL_TOKEN_END) {
        if (sql_is_punct(t, ',') || sql_is(t, "TO")) {
            sql_next(l, t);
        } else if (read_name(l, t, to, &name)) {
            touch_name(to, &name);
            any = true;
            skip_wait(l, t);
            sql_skip_words(l, t, behind);
        } else {
            sql_next(l, t);
        }
    }
    if (!any) {
        touch_schema(to, to->default_schema);
    }
}

/* ---- ALTER TABLE ---- */

/* The rest of a clause, to the comma or the end; tables that it names are touched. */
static bool finish_clause(struct sql_lexer *l, struct sql_token *t, const struct touch *to)
{
    bool harmless = true;
    int depth = 0;

    while (t->kind != SQL_TOKEN_END && !(depth == 0 && sql_is_punct(t, ','))) {
        if (sql_is(t, "TABLE")) {
            /* EXCHANGE PARTITION p WITH TABLE b, CONVERT PARTITION p TO TABLE b. */
            sql_next(l, t);
            touch_next(l, t, to);
            harmless = false;
            continue;
        }
        if (depth == 0 && sql_is(t, "PARTITION")) {
            harmless = false;
        }
        if (sql_is_punct(t, '(')) {
            depth++;
        } else if (sql_is_punct(t, ')') && depth > 0) {
            depth--;
        }
        sql_next(l, t);
    }
    return harmless;
}

static bool engine_keeps_rows(const struct sql_token *t)
{
    static const char *const engines[] = {"InnoDB", "MyISAM", "Aria", "RocksDB", NULL};

    for (const char *const *engine = engines; *engine != NULL; engine++) {
        if (sql_is_nameable(t) && str_ieq(t->text, *engine)) {
            return true;
        }
    }
    return false;
}

/* Table options stand side by side: each must be known to leave columns and rows as they are. */
static bool options_are_harmless(struct sql_lexer *l, struct sql_token *t)
{
    static const char *const harmless[] = {"AUTO_INCREMENT",
                                           "COMMENT",
                                           "ALGORITHM",
                                           "LOCK",
                                           "ROW_FORMAT",
                                           "STATS_AUTO_RECALC",
                                           "STATS_PERSISTENT",
                                           "STATS_SAMPLE_PAGES",
                                           "KEY_BLOCK_SIZE",
                                           "CHECKSUM",
                                           "DELAY_KEY_WRITE",
                                           "SECONDARY_ENGINE",
                                           NULL};

    while (t->kind != SQL_TOKEN_END && !sql_is_punct(t, ',')) {
        bool engine = sql_is(t, "ENGINE");

        if (!engine && !sql_is_any(t, harmless)) {
            return false;
        }
        sql_next(l, t);
        if (sql_is_punct(t, '=')) {
            sql_next(l, t);
        }
        if (!sql_is_nameable(t) || (engine && !engine_keeps_rows(t))) {
            return false;
        }
        sql_next(l, t);
    }
    return true;
}

/* ANALYZE PARTITION a, b: names to the end, or ALL. */
static bool partitions_are_harmless(struct sql_lexer *l, struct sql_token *t)
{
    static const char *const noise[] = {"LOCAL", "NO_WRITE_TO_BINLOG", NULL};

    if (!sql_is(t, "PARTITION")) {
        return false;
    }
    sql_next(l, t);
    sql_skip_words(l, t, noise);
    while (sql_is_nameable(t)) {
        sql_next(l, t);
        if (t->kind == SQL_TOKEN_END) {
            return true;
        }
        if (!sql_is_punct(t, ',')) {
            return false;
        }
        sql_next(l, t);
    }
    return false;
}

static bool add_is_harmless(struct sql_lexer *l, struct sql_token *t)
{
    static const char *const parts[] = {"INDEX",   "KEY",     "UNIQUE", "FULLTEXT",
                                        "SPATIAL", "FOREIGN", "CHECK",  NULL};

    if (sql_is(t, "PARTITION")) {
        sql_next(l, t);
        return true;
    }
    if (sql_is(t, "CONSTRAINT")) {
        sql_next(l, t);
        sql_skip_words(l, t, if_exists);
        if (!sql_is_any(t, parts) && !sql_is(t, "PRIMARY")) {
            sql_next(l, t); /* its name */
        }
    }
    return sql_is_any(t, parts);
}

static bool drop_is_harmless(struct sql_lexer *l, struct sql_token *t)
{
    static const char *const parts[] = {"INDEX", "KEY", "CHECK", "CONSTRAINT", NULL};

    if (sql_is(t, "FOREIGN")) {
        return true;
    }
    if (!sql_is_any(t, parts)) {
        return false;
    }
    sql_next(l, t);
    sql_skip_words(l, t, if_exists);
    return sql_is_nameable(t) && !str_ieq(t->text, "PRIMARY");
}

static bool rename_is_harmless(struct sql_lexer *l, struct sql_token *t, const struct touch *to)
{
    static const char *const indexes[] = {"INDEX", "KEY", NULL};

    if (sql_is_any(t, indexes)) {
        return true;
    }
    if (!sql_is(t, "COLUMN")) {
        if (sql_is(t, "TO") || sql_is(t, "AS") || sql_is_punct(t, '=')) {
            sql_next(l, t);
        }
        touch_next(l, t, to);
    }
    return false;
}

/* Whether one clause leaves columns and rows as they are; *t is somewhere in it afterwards. */
static bool clause_is_harmless(struct sql_lexer *l, struct sql_token *t, const struct touch *to)
{
    static const char *const verbs[] = {"ADD",      "DROP",    "RENAME", "ALTER",   "FORCE",
                                        "ENABLE",   "DISABLE", "WITH",   "WITHOUT", "ANALYZE",
                                        "OPTIMIZE", "REBUILD", NULL};
    static const char *const of_partitions[] = {"ANALYZE", "OPTIMIZE", "REBUILD", NULL};
    static const char *const indexes[] = {"INDEX", "KEY", NULL};
    struct sql_token verb = *t;

    if (sql_is_any(t, verbs)) {
        sql_next(l, t);
    }
    if (sql_is(&verb, "ADD")) {
        return add_is_harmless(l, t);
    }
    if (sql_is(&verb, "DROP")) {
        return drop_is_harmless(l, t);
    }
    if (sql_is(&verb, "RENAME")) {
        return rename_is_harmless(l, t, to);
    }
    if (sql_is(&verb, "ALTER")) {
        return sql_is_any(t, indexes);
    }
    if (sql_is(&verb, "FORCE")) {
        return t->kind == SQL_TOKEN_END || sql_is_punct(t, ',');
    }
    if (sql_is(&verb, "ENABLE") || sql_is(&verb, "DISABLE")) {
        return sql_is(t, "KEYS");
    }
    if (sql_is(&verb, "WITH") || sql_is(&verb, "WITHOUT")) {
        return sql_is(t, "VALIDATION");
    }
    return sql_is_any(&verb, of_partitions) ? partitions_are_harmless(l, t)
                                            : options_are_harmless(l, t);
}

static void alter(struct sql_lexer *l, struct sql_token *t, const struct touch *to)
{
    static const char *const before[] = {"ONLINE", "OFFLINE", "IGNORE", NULL};
    bool harmless = true;
    struct name name;

    while (sql_is_any(t, before)) {
        /* IGNORE lets a new unique key delete rows. */
        harmless = harmless && !sql_is(t, "IGNORE");
        sql_next(l, t);
    }
    if (!sql_is(t, "TABLE")) {
        return;
    }
    sql_next(l, t);
    sql_skip_words(l, t, if_exists);
    if (!read_name(l, t, to, &name)) {
        touch_schema(to, to->default_schema);
        return;
    }
    skip_wait(l, t);
    harmless = harmless && t->kind != SQL_TOKEN_END;
    while (t->kind != SQL_TOKEN_END) {
        bool clause = clause_is_harmless(l, t, to);
        bool rest = finish_clause(l, t, to);

        harmless = harmless && clause && rest;
        if (sql_is_punct(t, ',')) {
            sql_next(l, t);
        }
    }
    if (!harmless) {
        touch_name(to, &name);
    }
}

/* ---- other statements ---- */

static void touch_database(struct sql_lexer *l, struct sql_token *t, const struct touch *to)
{
    sql_next(l, t);
    sql_skip_words(l, t, if_exists);
    if (sql_is_nameable(t)) {
        touch_schema(to, t->unsure ? "" : t->text);
    } else {
        touch_schema(to, to->default_schema);
    }
}

/* DROP INDEX `PRIMARY` ON t is ALTER TABLE t DROP PRIMARY KEY. */
static void drop_index(struct sql_lexer *l, struct sql_token *t, const struct touch *to)
{
    sql_next(l, t);
    sql_skip_words(l, t, if_exists);
    if (!sql_is_nameable(t) || !str_ieq(t->text, "PRIMARY")) {
        return;
    }
    sql_next(l, t);
    if (sql_is(t, "ON")) {
        sql_next(l, t);
    }
    touch_next(l, t, to);
}

static void drop(struct sql_lexer *l, struct sql_token *t, const struct touch *to)
{
    static const char *const before[] = {"ONLINE", "OFFLINE", NULL};

    sql_skip_words(l, t, before);
    if (sql_is(t, "TEMPORARY")) {
        return;
    }
    if (sql_is(t, "DATABASE") || sql_is(t, "SCHEMA")) {
        touch_database(l, t, to);
        return;
    }
    if (sql_is(t, "INDEX")) {
        drop_index(l, t, to);
        return;
    }
    if (!sql_is(t, "TABLE") && !sql_is(t, "TABLES")) {
        sql_next(l, t); /* a kind of table that is not known yet */
    }
    if (sql_is(t, "TABLE") || sql_is(t, "TABLES")) {
        sql_next(l, t);
        touch_list(l, t, to);
    }
}

static void create(struct sql_lexer *l, struct sql_token *t, const struct touch *to)
{
    bool replace = sql_is(t, "OR");

    if (replace) {
        sql_next(l, t);
        sql_next(l, t);
    }
    if (sql_is(t, "TEMPORARY")) {
        return;
    }
    if (replace && (sql_is(t, "DATABASE") || sql_is(t, "SCHEMA"))) {
        touch_database(l, t, to);
        return;
    }
    if (replace && sql_is(t, "SEQUENCE")) {
        sql_next(l, t);
        touch_next(l, t, to);
        return;
    }
    if (!sql_is(t, "TABLE")) {
        sql_next(l, t); /* a kind of table that is not known yet */
    }
    if (!sql_is(t, "TABLE")) {
        return;
    }
    sql_next(l, t);
    /* IF NOT EXISTS on a table that we follow changes nothing. */
    if (replace || !sql_is(t, "IF")) {
        sql_skip_words(l, t, if_exists);
        touch_next(l, t, to);
    }
}

/* RENAME TABLE, REPAIR TABLE: RENAME USER and REPAIR VIEW concern nobody here. */
static void list_of_tables(struct sql_lexer *l, struct sql_token *t, const struct touch *to)
{
    static const char *const before[] = {"LOCAL", "NO_WRITE_TO_BINLOG", NULL};

    sql_skip_words(l, t, before);
    if (sql_is(t, "TABLE") || sql_is(t, "TABLES")) {
        sql_next(l, t);
        touch_list(l, t, to);
    }
}

static void truncate_table(struct sql_lexer *l, struct sql_token *t, const struct touch *to)
{
    if (sql_is(t, "TABLE")) {
        sql_next(l, t);
    }
    touch_list(l, t, to);
}

static bool touch_reading(struct sql_lexer *l, void *ctx)
{
    static const struct {
        const char *word;
        void (*read)(struct sql_lexer *l, struct sql_token *t, const struct touch *to);
    } heads[] = {
        {"CREATE", create},         {"ALTER", alter},           {"DROP", drop},
        {"RENAME", list_of_tables}, {"REPAIR", list_of_tables}, {"TRUNCATE", truncate_table},
    };
    struct sql_token first;
    struct sql_token t;

    read_head(l, &first, &t);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (sql_is(&first, heads[i].word)) {
            heads[i].read(l, &t, ctx);
        }
    }
    return true;
}

void statement_touched(struct span sql, bool ansi_quotes, const char *default_schema,
                       void (*touched)(void *ctx, const char *schema, const char *table), void *ctx)
{
    struct touch to = {default_schema, touched, ctx};

    each_reading(sql, ansi_quotes, touch_reading, &to);
}

/* ---- mentioned tables ---- */

struct mention {
    const char *table;
    bool found;
};

static bool mention_reading(struct sql_lexer *l, void *ctx)
{
    struct mention *m = ctx;
    struct sql_token t;

    for (sql_next(l, &t); t.kind != SQL_TOKEN_END && !m->found; sql_next(l, &t)) {
        m->found = (t.kind == SQL_TOKEN_WORD || t.kind == SQL_TOKEN_NAME) &&
                   ((t.unsure && !t.cut) || str_ieq(t.text, m->table));
    }
    return !m->found;
}

bool statement_mentions(struct span sql, bool ansi_quotes, const char *table)
{
    struct mention m = {.table = table};

    each_reading(sql, ansi_quotes, mention_reading, &m);
    return m.found;
}
