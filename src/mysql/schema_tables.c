/* schema_tables.c - what statements do to tables. */
#include "base/str.h"
#include "mysql/schema_apply_int.h"

#define TEMPORARY_MAX 65536u

static const char not_known[] = "the table's definition is not known";

/* ---- CREATE TABLE ---- */

static enum err_code put_temporary(struct applying *a, struct ddl_table_name name,
                                   enum schema_known known)
{
    struct schema *s = a->s;

    if (a->query->thread_id == 0) {
        return ERR_OK; /* no session: nothing to tell it from others by */
    }
    struct schema_entry *entry =
        schema_entry_make(s, a->query->thread_id, name.database, name.table);

    if (entry == NULL) {
        return err_nomem(a->e);
    }
    schema_entry_change(s, entry, (struct schema_state){known, NULL, NULL, false});
    return s->temporary_count > TEMPORARY_MAX
               ? err_set(a->e, ERR_LIMIT, "more than %u temporary tables are open", TEMPORARY_MAX)
               : ERR_OK;
}

/* A definition under another name. */
static enum err_code renamed(struct applying *a, const struct table_def *def,
                             struct ddl_table_name name, struct schema_definition **out)
{
    struct table_def copy = *def;

    copy.schema = name.database;
    copy.name = name.table;
    return schema_definition_new(&copy, out, a->e);
}

/* The new table's definition; *out is NULL when it cannot be told. */
static enum err_code create_definition(struct applying *a, struct schema_definition **out,
                                       const char **why)
{
    const struct ddl_statement *st = &a->statement;
    struct schema_definition *like = NULL;
    const struct table_def *def = NULL;

    *out = NULL;
    if (a->two_readings) {
        *why = "its text may be the server's own, in UTF-8, or the client's, in another charset";
        return ERR_OK;
    }
    if (st->kind == DDL_CREATE_LIKE) {
        if (schema_hiding(a, st->like) != NULL ||
            schema_known_table(a, st->like, &like) != SCHEMA_PRESENT) {
            *why = "it is LIKE a table whose definition is not known";
            return ERR_OK;
        }
        return renamed(a, like->def, st->table, out);
    }
    if (st->select) {
        *why = "its columns come from a SELECT";
        return ERR_OK;
    }
    ERR_TRY(ddl_apply(&a->dialect, st, NULL, schema_database_charset(a, st->table.database),
                      &a->s->scratch, &def, why, a->e));
    return def == NULL ? ERR_OK : schema_definition_new(def, out, a->e);
}

enum err_code schema_apply_create(struct applying *a)
{
    const struct ddl_statement *st = &a->statement;
    struct schema_definition *was = NULL;
    struct schema_definition *made = NULL;
    const char *why = NULL;

    if (st->temporary) {
        return put_temporary(a, st->table, SCHEMA_PRESENT);
    }
    enum schema_known known = schema_known_table(a, st->table, &was);

    if (st->sequence || (st->if_exists && !st->or_replace && known == SCHEMA_PRESENT)) {
        return ERR_OK;
    }
    bool maybe_there = st->if_exists && !st->or_replace && known == SCHEMA_UNKNOWN;

    if (maybe_there) {
        why = "IF NOT EXISTS: it may have been there before, with a definition that is not known";
    } else {
        ERR_TRY(create_definition(a, &made, &why));
    }
    enum err_code rc = ERR_OK;
    bool replaces = st->or_replace && known != SCHEMA_ABSENT;

    if (replaces) {
        rc = schema_emit_def(a, SCHEMA_DROPPED, st->table, NULL, NULL);
    }
    if (rc == ERR_OK) {
        rc = schema_emit_def(a, SCHEMA_CREATED, st->table, made, why);
    }
    if (rc == ERR_OK) {
        a->out->changes[a->out->count - 1].has_rows = st->has_rows;
        a->out->changes[a->out->count - 1].replaces = replaces;
        a->out->changes[a->out->count - 1].maybe_there = maybe_there;
        rc = schema_put_table(a, st->table, made == NULL ? SCHEMA_UNKNOWN : SCHEMA_PRESENT, made);
    }
    schema_definition_drop(made);
    return rc;
}

/* ---- RENAME ---- */

static enum err_code rename_one(struct applying *a, struct ddl_table_name from,
                                struct ddl_table_name to, bool if_exists)
{
    struct schema_definition *was = NULL;
    struct schema_definition *there = NULL;
    struct schema_definition *made = NULL;

    if (schema_hiding(a, from) != NULL) {
        ERR_TRY(put_temporary(a, from, SCHEMA_NOTHING));
        return put_temporary(a, to, SCHEMA_PRESENT);
    }
    enum schema_known known = schema_known_table(a, from, &was);

    if (if_exists && known != SCHEMA_PRESENT &&
        (known == SCHEMA_ABSENT || schema_known_table(a, to, &there) == SCHEMA_PRESENT)) {
        return ERR_OK; /* else the server would have refused */
    }
    if (known == SCHEMA_PRESENT) {
        ERR_TRY(renamed(a, was->def, to, &made));
    }
    enum err_code rc = schema_emit_def(a, SCHEMA_RENAMED, from, made, not_known);

    if (rc == ERR_OK) {
        a->out->changes[a->out->count - 1].new_database = to.database;
        a->out->changes[a->out->count - 1].new_table = to.table;
        rc = schema_put_table(a, from, SCHEMA_ABSENT, NULL);
    }
    if (rc == ERR_OK) {
        rc = schema_put_table(a, to, made == NULL ? SCHEMA_UNKNOWN : SCHEMA_PRESENT, made);
    }
    schema_definition_drop(made);
    return rc;
}

enum err_code schema_apply_rename(struct applying *a)
{
    for (uint32_t i = 0; i < a->statement.rename_count; i++) {
        ERR_TRY(rename_one(a, a->statement.renames[i].from, a->statement.renames[i].to,
                           a->statement.if_exists));
    }
    return ERR_OK;
}

/* ---- DROP, TRUNCATE, REPAIR ---- */

enum err_code schema_apply_drop(struct applying *a)
{
    for (uint32_t i = 0; i < a->statement.name_count; i++) {
        struct ddl_table_name name = a->statement.names[i];
        struct schema_definition *was = NULL;

        if (a->statement.temporary || schema_hiding(a, name) != NULL) {
            ERR_TRY(put_temporary(a, name, SCHEMA_NOTHING));
            continue;
        }
        if (schema_known_table(a, name, &was) != SCHEMA_ABSENT) {
            ERR_TRY(schema_emit_def(a, SCHEMA_DROPPED, name, NULL, NULL));
            ERR_TRY(schema_put_table(a, name, SCHEMA_ABSENT, NULL));
        }
    }
    return ERR_OK;
}

/* The new sequence is no table; one that was there is gone. */
enum err_code schema_apply_sequence(struct applying *a)
{
    struct schema_definition *was = NULL;

    if (schema_known_table(a, a->statement.table, &was) == SCHEMA_ABSENT) {
        return ERR_OK;
    }
    ERR_TRY(schema_emit_def(a, SCHEMA_DROPPED, a->statement.table, NULL, NULL));
    return schema_put_table(a, a->statement.table, SCHEMA_ABSENT, NULL);
}

/* A change of rows, not of the definition. */
static enum err_code change_rows(struct applying *a, enum schema_change_kind kind,
                                 struct ddl_table_name name)
{
    struct schema_definition *definition = NULL;

    if (schema_hiding(a, name) != NULL) {
        return ERR_OK;
    }
    (void)schema_known_table(a, name, &definition);
    return schema_emit_def(a, kind, name, definition, not_known);
}

/* REPAIR does nothing to InnoDB; other engines may lose rows. */
static enum err_code repair(struct applying *a, struct ddl_table_name name)
{
    struct schema_definition *definition = NULL;

    (void)schema_known_table(a, name, &definition);
    if (definition != NULL && definition->def->engine != NULL &&
        str_ieq(definition->def->engine, "InnoDB")) {
        return ERR_OK;
    }
    return change_rows(a, SCHEMA_ROWS_REPLACED, name);
}

enum err_code schema_apply_rows(struct applying *a)
{
    if (a->statement.kind == DDL_TRUNCATE) {
        return change_rows(a, SCHEMA_TRUNCATED, a->statement.table);
    }
    for (uint32_t i = 0; i < a->statement.name_count; i++) {
        ERR_TRY(repair(a, a->statement.names[i]));
    }
    return ERR_OK;
}

/* ---- ALTER TABLE ---- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_definition(const struct table_def *a, const struct table_def *b)
{
    char why[8];

    if (table_def_differ(a, b, why, sizeof why) || a->key_count != b->key_count ||
        !same_text(a->charset, b->charset) || !same_text(a->engine, b->engine)) {
        return false;
    }
    for (uint32_t i = 0; i < a->column_count; i++) {
        if (a->columns[i].nullable != b->columns[i].nullable ||
            a->columns[i].generated != b->columns[i].generated ||
            !same_text(a->columns[i].type_text, b->columns[i].type_text)) {
            return false;
        }
    }
    return a->key_count == 0 || memcmp(a->key, b->key, a->key_count * sizeof *a->key) == 0;
}

static enum err_code alter_definition(struct applying *a, struct schema_definition *was)
{
    const struct ddl_statement *st = &a->statement;
    const struct table_def *def = NULL;
    const char *why = not_known;
    struct schema_definition *made = NULL;

    if (was != NULL) {
        ERR_TRY(ddl_apply(&a->dialect, st, was->def, schema_database_charset(a, st->table.database),
                          &a->s->scratch, &def, &why, a->e));
        if (def != NULL && same_definition(was->def, def)) {
            return ERR_OK;
        }
    }
    if (def != NULL) {
        ERR_TRY(schema_definition_new(def, &made, a->e));
    }
    enum err_code rc = schema_emit_def(a, SCHEMA_ALTERED, st->table, made, why);

    if (rc == ERR_OK) {
        rc = schema_put_table(a, st->table, made == NULL ? SCHEMA_UNKNOWN : SCHEMA_PRESENT, made);
    }
    schema_definition_drop(made);
    return rc;
}

/* MariaDB: a partition becomes a table of its own, rows and all. */
static enum err_code part_off(struct applying *a, struct ddl_table_name other)
{
    struct schema_definition *was = NULL;
    struct schema_definition *made = NULL;

    if (schema_known_table(a, a->statement.table, &was) == SCHEMA_PRESENT) {
        ERR_TRY(renamed(a, was->def, other, &made));
    }
    enum err_code rc = schema_emit_def(a, SCHEMA_CREATED, other, made, not_known);

    if (rc == ERR_OK) {
        a->out->changes[a->out->count - 1].filled = true;
        rc = schema_put_table(a, other, made == NULL ? SCHEMA_UNKNOWN : SCHEMA_PRESENT, made);
    }
    schema_definition_drop(made);
    ERR_TRY(rc);
    return change_rows(a, SCHEMA_ROWS_REMOVED, a->statement.table);
}

static enum err_code alter_rows(struct applying *a, const struct ddl_action *action)
{
    struct ddl_table_name table = a->statement.table;

    switch (action->kind) {
    case DDL_ROWS_REMOVED:
        return change_rows(a, SCHEMA_ROWS_REMOVED, table);
    case DDL_ROWS_REPLACED:
        return change_rows(a, SCHEMA_ROWS_REPLACED, table);
    case DDL_REPAIR_ROWS:
        return repair(a, table);
    case DDL_EXCHANGE_TABLE:
        ERR_TRY(change_rows(a, SCHEMA_ROWS_REPLACED, table));
        return change_rows(a, SCHEMA_ROWS_REPLACED, action->other);
    case DDL_PARTITION_TO_TABLE:
        return part_off(a, action->other);
    case DDL_TABLE_TO_PARTITION:
        ERR_TRY(change_rows(a, SCHEMA_ROWS_REPLACED, table));
        ERR_TRY(schema_emit_def(a, SCHEMA_DROPPED, action->other, NULL, NULL));
        return schema_put_table(a, action->other, SCHEMA_ABSENT, NULL);
    case DDL_ADD_COLUMN:
    case DDL_MODIFY_COLUMN:
    case DDL_DROP_COLUMN:
    case DDL_RENAME_COLUMN:
    case DDL_ADD_PRIMARY:
    case DDL_DROP_PRIMARY:
    case DDL_ADD_PERIOD:
    case DDL_CONVERT_CHARSET:
    case DDL_RENAME_TABLE:
    case DDL_VERSIONING:
        break;
    }
    return ERR_OK;
}

/* The last RENAME wins; a table may be given its own name. */
static enum err_code alter_name(struct applying *a)
{
    const struct ddl_statement *st = &a->statement;
    const struct ddl_action *rename = NULL;

    for (uint32_t i = 0; i < st->actions.count; i++) {
        if (st->actions.at[i].kind == DDL_RENAME_TABLE) {
            rename = &st->actions.at[i];
        }
    }
    if (rename == NULL || (schema_same_name(a->s, rename->other.database, st->table.database) &&
                           schema_same_name(a->s, rename->other.table, st->table.table))) {
        return ERR_OK;
    }
    return rename_one(a, st->table, rename->other, st->if_exists);
}

enum err_code schema_apply_alter(struct applying *a)
{
    const struct ddl_statement *st = &a->statement;
    struct schema_definition *was = NULL;

    if (schema_hiding(a, st->table) != NULL) {
        return alter_name(a);
    }
    enum schema_known known = schema_known_table(a, st->table, &was);

    if (known == SCHEMA_ABSENT && st->if_exists) {
        return ERR_OK;
    }
    if (ddl_changes_definition(st)) {
        ERR_TRY(alter_definition(a, was));
    }
    if (st->ignore) {
        ERR_TRY(change_rows(a, SCHEMA_ROWS_REPLACED, st->table));
    }
    for (uint32_t i = 0; i < st->actions.count; i++) {
        ERR_TRY(alter_rows(a, &st->actions.at[i]));
    }
    return alter_name(a);
}
