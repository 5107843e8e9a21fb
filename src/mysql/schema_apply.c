/* schema_apply.c - one statement of a log, applied to what is known. */
#include <stdlib.h>

#include "base/str.h"
#include "mysql/charset.h"
#include "mysql/schema_apply_int.h"
#include "mysql/statement.h"

#define MYSQL_EXPLICIT_TIMESTAMPS 80002u

/* ---- what the parts share ---- */

enum schema_known schema_known_table(const struct applying *a, struct ddl_table_name name,
                                     struct schema_definition **definition)
{
    const struct schema_entry *entry = schema_entry_find(a->s, 0, name.database, name.table);
    const struct schema_entry *home = schema_entry_find(a->s, 0, name.database, "");

    *definition = entry == NULL ? NULL : entry->now.definition;
    if (entry != NULL && entry->now.known != SCHEMA_NOTHING) {
        return entry->now.known;
    }
    return home != NULL && (home->now.whole || home->now.known == SCHEMA_ABSENT) ? SCHEMA_ABSENT
                                                                                 : SCHEMA_UNKNOWN;
}

static bool is_whole(const struct schema *s, const char *database)
{
    const struct schema_entry *home = schema_entry_find(s, 0, database, "");

    return home != NULL && home->now.whole;
}

static void end_whole(struct schema *s, const char *database)
{
    struct schema_entry *home = schema_entry_find(s, 0, database, "");

    if (home != NULL && home->now.whole) {
        struct schema_state part = home->now;

        part.whole = false;
        schema_entry_change(s, home, part);
    }
}

enum err_code schema_put_table(struct applying *a, struct ddl_table_name name,
                               enum schema_known known, struct schema_definition *definition)
{
    struct schema *s = a->s;
    const struct schema_entry *had = schema_entry_find(s, 0, name.database, name.table);

    if (!schema_keeps(s, name.database) && (had == NULL || !had->pinned)) {
        end_whole(s, name.database);
        known = SCHEMA_NOTHING;
        definition = NULL;
    } else if (known == SCHEMA_ABSENT && is_whole(s, name.database)) {
        known = SCHEMA_NOTHING;
    } else if (known == SCHEMA_UNKNOWN && !is_whole(s, name.database)) {
        known = SCHEMA_NOTHING;
    }
    if (had == NULL && known == SCHEMA_NOTHING) {
        return ERR_OK;
    }
    struct schema_entry *entry = schema_entry_make(s, 0, name.database, name.table);

    if (entry == NULL) {
        return err_nomem(a->e);
    }
    schema_entry_change(s, entry, (struct schema_state){known, definition, NULL, false});
    schema_make_room(s, entry);
    return ERR_OK;
}

const char *schema_database_charset(const struct applying *a, const char *database)
{
    return schema_find_charset(a->s, database);
}

const char *schema_server_charset(const struct applying *a)
{
    const char *charset =
        a->query->server_collation == 0 ? NULL : charset_of_collation(a->query->server_collation);

    if (charset == NULL && a->s->default_charset != NULL) {
        const struct charset *cs = charset_find(a->s->default_charset);

        charset = cs == NULL ? NULL : charset_name(cs);
    }
    return charset;
}

/* The definition stays until the next statement. */
enum err_code schema_hold(struct applying *a, struct schema_definition *definition)
{
    struct schema_held *held = arena_alloc(&a->s->scratch, 1, sizeof *held);

    if (held == NULL) {
        return arena_fail(&a->s->scratch, a->e, "statement");
    }
    definition->refs++;
    *held = (struct schema_held){a->s->held, definition};
    a->s->held = held;
    return ERR_OK;
}

struct schema_change *schema_emit(struct applying *a, enum schema_change_kind kind,
                                  struct ddl_table_name name)
{
    struct schema_changes *out = a->out;
    static const char *const nothing = "";

    if (out->count == a->capacity) {
        uint32_t capacity = a->capacity == 0 ? 4 : a->capacity * 2;
        struct schema_change *changes = arena_alloc(&a->s->scratch, capacity, sizeof *changes);

        if (changes == NULL) {
            (void)arena_fail(&a->s->scratch, a->e, "statement");
            return NULL;
        }
        if (out->count > 0) {
            memcpy(changes, out->changes, out->count * sizeof *changes);
        }
        out->changes = changes;
        a->capacity = capacity;
    }
    struct schema_change *change = &out->changes[out->count++];

    *change = (struct schema_change){.kind = kind,
                                     .database = name.database,
                                     .table = name.table,
                                     .new_database = nothing,
                                     .new_table = nothing};
    return change;
}

enum err_code schema_emit_def(struct applying *a, enum schema_change_kind kind,
                              struct ddl_table_name name, struct schema_definition *definition,
                              const char *why)
{
    struct schema_change *change = schema_emit(a, kind, name);

    if (change == NULL) {
        return a->e == NULL ? ERR_LIMIT : a->e->code;
    }
    change->why = definition == NULL ? why : NULL;
    if (definition == NULL) {
        return ERR_OK;
    }
    change->def = definition->def;
    return schema_hold(a, definition);
}

/* ---- temporary tables ---- */

struct schema_entry *schema_hiding(const struct applying *a, struct ddl_table_name name)
{
    struct schema_entry *entry =
        a->query->thread_id == 0
            ? NULL
            : schema_entry_find(a->s, a->query->thread_id, name.database, name.table);

    return entry == NULL || entry->now.known != SCHEMA_PRESENT ? NULL : entry;
}

/* ---- a statement that cannot be read ---- */

static void make_unknown(struct schema *s, struct schema_entry *entry)
{
    struct schema_state state = {.known = SCHEMA_UNKNOWN};

    if (entry->table[0] == '\0') {
        state = entry->now;
        state.charset = NULL;
        state.whole = false;
    } else if (entry->now.known == SCHEMA_NOTHING) {
        return;
    }
    schema_entry_change(s, entry, state);
}

struct forgetting {
    struct schema *s;
    bool failed;
};

/* "" as table, and as database, stand for all there are. */
static void forget_touched(void *ctx, const char *database, const char *table)
{
    struct forgetting *f = ctx;
    struct schema *s = f->s;

    if (table[0] != '\0') {
        struct schema_entry *entry = schema_entry_make(s, 0, database, table);

        if (entry == NULL) {
            f->failed = true;
        } else {
            schema_entry_change(s, entry, (struct schema_state){.known = SCHEMA_UNKNOWN});
        }
        return;
    }
    for (uint32_t i = 0; i < s->bucket_count; i++) {
        for (struct schema_entry *entry = s->buckets[i]; entry != NULL; entry = entry->next) {
            /* Without regard to case: once too often beats once too seldom. */
            if (entry->thread == 0 && (database[0] == '\0' || str_ieq(entry->database, database))) {
                make_unknown(s, entry);
            }
        }
    }
}

/* What the statement may touch is unknown from here on. */
static enum err_code forget_all(struct applying *a)
{
    struct forgetting f = {a->s, false};
    bool ansi = (a->query->sql_mode & SQL_MODE_DDL_ANSI_QUOTES) != 0;
    const struct ddl_statement *st = &a->statement;

    a->out->count = 0;
    statement_touched(a->query->sql, ansi, a->dialect.database, forget_touched, &f);
    switch (st->kind) {
    case DDL_CREATE_DATABASE:
    case DDL_ALTER_DATABASE:
    case DDL_DROP_DATABASE:
        a->s->whole = false;
        forget_touched(&f, st->table.database == NULL ? "" : st->table.database, "");
        break;
    case DDL_CREATE_TABLE:
    case DDL_CREATE_LIKE:
        /* What is there already stays as it is; what was absent may be there now. */
        if (st->table.table != NULL && st->table.table[0] != '\0') {
            forget_touched(&f, st->table.database, st->table.table);
        } else {
            end_whole(a->s, a->dialect.database);
        }
        break;
    case DDL_NONE:
    case DDL_ALTER_TABLE:
    case DDL_DROP_TABLES:
    case DDL_RENAME_TABLES:
    case DDL_TRUNCATE:
    case DDL_REPAIR:
    case DDL_REPLACE_BY_SEQUENCE:
        break;
    }
    return f.failed ? err_nomem(a->e) : ERR_UNSUPPORTED;
}

/* ---- text ---- */

/*
 * Whether the text is as the server writes it itself, in the form of SHOW CREATE TABLE: for CREATE
 * ... SELECT, for a table LIKE a temporary one, for a generated primary key. Then it is UTF-8,
 * whatever the session's charset, which is in the event all the same. But a client may write so,
 * too. *name is what stands between the head and the first line's end.
 */
static bool looks_generated(struct span sql, struct span *name)
{
    static const char *const heads[] = {"CREATE TABLE ", "CREATE OR REPLACE TABLE ",
                                        "CREATE TABLE IF NOT EXISTS "};

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        size_t len = strlen(heads[i]);

        if (sql.len <= len + 1 || memcmp(sql.data, heads[i], len) != 0 ||
            (sql.data[len] != '`' && sql.data[len] != '"')) {
            continue;
        }
        const char quote = (char)sql.data[len];
        const char behind[] = {quote, ' ', '(', '\n', ' ', ' ', quote};
        const uint8_t *at = sql.data + len;
        const uint8_t *end = memchr(at, '\n', sql.len - len);

        /* The line ends with the name, and a name has no line's end. */
        if (end != NULL && end - at >= 4 && sql.data + sql.len - end >= 4 &&
            memcmp(end - 3, behind, sizeof behind) == 0) {
            *name = span_of(at, (size_t)(end - at));
            return str_is_utf8(sql);
        }
    }
    return false;
}

/* What no client has a reason to write: MySQL logs CREATE ... SELECT and generated keys with it. */
static bool is_marked(struct span sql)
{
    static const char *const marks[] = {") START TRANSACTION", "\n  `my_row_id` "};

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        size_t len = strlen(marks[i]);

        for (size_t at = 0; at + len <= sql.len; at++) {
            if (memcmp(sql.data + at, marks[i], len) == 0 && (i > 0 || at + len == sql.len)) {
                return true;
            }
        }
    }
    return false;
}

/* A text of the server's own, unless it is one of the client's charset: then it has two readings.
 */
static enum err_code read_generated(struct applying *a, const struct charset *cs, struct span name,
                                    const struct buf *converted, enum err_code conversion)
{
    struct span sql = a->query->sql;

    if (is_marked(sql) || conversion != ERR_OK ||
        (!charset_is_binary(cs) && span_eq(buf_span(converted), sql))) {
        return ERR_OK;
    }
    a->two_readings = true;
    return charset_is_ascii_text(name)
               ? ERR_OK
               : err_set(a->e, ERR_UNSUPPORTED,
                         "the statement cannot be read: its text may be the server's own, in "
                         "UTF-8, or the client's, in %s, and so its table has two names",
                         charset_name(cs));
}

/* NULL when it is not known. */
static const struct charset *client_charset(const struct binlog_query *query)
{
    uint16_t collation = query->client_collation;
    const char *name = collation == 0 ? "utf8mb4" : charset_of_collation(collation);

    return name == NULL ? NULL : charset_find(name);
}

static enum err_code not_convertible(struct err *e)
{
    (void)err_wrap(e, "the statement cannot be read");
    if (e != NULL) {
        e->code = ERR_UNSUPPORTED;
    }
    return ERR_UNSUPPORTED;
}

/*
 * The text as UTF-8: characters of some charsets have bytes that look like quotes. Where it cannot
 * be converted, what can be told from its ASCII decides whether that matters.
 */
static enum err_code convert_text(struct applying *a, struct buf *converted, struct span *out)
{
    const struct charset *cs = client_charset(a->query);
    struct charset_converter converter;
    struct span name = {0};
    enum err_code rc = ERR_OK;

    *out = a->query->sql;
    if (out->len == 0 || (charset_is_ascii_text(*out) && (cs == NULL || charset_has_ascii(cs)))) {
        return ERR_OK;
    }
    if (cs == NULL) {
        return err_set(a->e, ERR_UNSUPPORTED,
                       "the statement cannot be read: its text is in the charset of collation %u, "
                       "which is not known",
                       a->query->client_collation);
    }
    if (charset_is_utf8mb(cs)) {
        return ERR_OK;
    }
    bool generated = looks_generated(*out, &name);

    a->dialect.binary_text = charset_is_binary(cs) && !generated;
    if (!charset_is_binary(cs)) {
        charset_converter_init(&converter);
        rc = charset_to_utf8(cs, &converter, *out, converted, generated ? NULL : a->e);
        charset_converter_deinit(&converter);
    }
    if (generated) {
        return rc == ERR_NOMEM ? err_nomem(a->e) : read_generated(a, cs, name, converted, rc);
    }
    if (!charset_is_binary(cs)) {
        *out = buf_span(converted);
    }
    return rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED ? not_convertible(a->e) : rc;
}

static enum err_code parse(struct applying *a, struct span sql, struct err *e)
{
    return ddl_parse(sql, &a->dialect, &a->s->scratch, &a->statement, e);
}

/* Reads the statement, whose texts live in scratch. */
static enum err_code read_statement(struct applying *a)
{
    struct buf converted = {0};
    struct span text;
    enum err_code rc = convert_text(a, &converted, &text);

    if (rc == ERR_OK) {
        rc = parse(a, text, a->e);
    } else if (rc == ERR_UNSUPPORTED) {
        struct err ignored = {0};

        (void)parse(a, a->query->sql, &ignored);
        rc = a->statement.kind == DDL_NONE ? ERR_OK : rc;
        /* Names read from unconverted text are none. */
        a->statement.table = (struct ddl_table_name){NULL, NULL};
    }
    buf_deinit(&converted);
    return rc;
}

/* ---- schema_apply ---- */

static bool explicit_timestamps(const struct applying *a)
{
    const struct schema_options *o = &a->s->options;

    if (a->query->explicit_timestamps >= 0) {
        return a->query->explicit_timestamps != 0;
    }
    /* MariaDB logs it where it is on; MySQL does not log it before 8.0, where it is off. */
    return !o->mariadb && o->version_number >= MYSQL_EXPLICIT_TIMESTAMPS;
}

#define BAD_TABLE 1051u /* DROP TABLE: some of them were not there, the others are gone */

/* What a statement that failed has done nevertheless; it is read as one that does just that. */
static enum err_code read_failed(struct applying *a)
{
    struct ddl_statement *st = &a->statement;
    unsigned code = a->query->error_code;

    if (code == 0 || st->kind == DDL_NONE || (st->kind == DDL_DROP_TABLES && code == BAD_TABLE)) {
        return ERR_OK;
    }
    if ((st->kind == DDL_CREATE_TABLE || st->kind == DDL_CREATE_LIKE) && st->or_replace &&
        !st->temporary) {
        st->names = &st->table;
        st->name_count = 1;
        st->kind = DDL_DROP_TABLES;
        return ERR_OK;
    }
    return err_set(a->e, ERR_UNSUPPORTED,
                   "the statement failed with error %u, and what it had done by then is not known",
                   code);
}

static enum err_code run(struct applying *a)
{
    switch (a->statement.kind) {
    case DDL_NONE:
        return ERR_OK;
    case DDL_CREATE_TABLE:
    case DDL_CREATE_LIKE:
        return schema_apply_create(a);
    case DDL_ALTER_TABLE:
        return schema_apply_alter(a);
    case DDL_DROP_TABLES:
        return schema_apply_drop(a);
    case DDL_RENAME_TABLES:
        return schema_apply_rename(a);
    case DDL_TRUNCATE:
    case DDL_REPAIR:
        return schema_apply_rows(a);
    case DDL_REPLACE_BY_SEQUENCE:
        return schema_apply_sequence(a);
    case DDL_CREATE_DATABASE:
    case DDL_ALTER_DATABASE:
    case DDL_DROP_DATABASE:
        return schema_apply_database(a);
    }
    return ERR_OK;
}

enum err_code schema_apply(struct schema *s, const struct binlog_query *statement,
                           struct schema_changes *out, struct err *e)
{
    struct err local = {0};
    struct applying a = {.s = s, .query = statement, .out = out, .e = e == NULL ? &local : e};

    *out = (struct schema_changes){NULL, 0};
    schema_statement_end(s, false);
    for (; s->held != NULL; s->held = s->held->next) {
        schema_definition_drop(s->held->definition);
    }
    arena_reset(&s->scratch);
    if (statement->phase == BINLOG_ALTER_START || statement->phase == BINLOG_ALTER_ROLLBACK) {
        return ERR_OK;
    }
    const char *database =
        arena_strndup(&s->scratch, statement->schema.data, statement->schema.len);

    if (database == NULL) {
        return arena_fail(&s->scratch, a.e, "statement");
    }
    a.dialect = (struct ddl_dialect){.mariadb = s->options.mariadb,
                                     .version_number = s->options.version_number,
                                     .sql_mode = statement->sql_mode,
                                     .explicit_timestamps = explicit_timestamps(&a),
                                     .database = database};
    enum err_code rc = read_statement(&a);

    if (rc == ERR_OK) {
        rc = read_failed(&a);
    }
    if (rc == ERR_UNSUPPORTED) {
        return forget_all(&a);
    }
    if (rc == ERR_OK) {
        rc = run(&a);
    }
    if (rc != ERR_OK) {
        *out = (struct schema_changes){NULL, 0};
        schema_statement_end(s, true);
    }
    return rc;
}
