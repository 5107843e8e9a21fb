/* schema_databases.c - what statements do to databases. */
#include <stdlib.h>

#include "mysql/schema_apply_int.h"

static int by_name(const void *a, const void *b)
{
    const struct schema_entry *const *x = a;
    const struct schema_entry *const *y = b;

    return strcmp((*x)->table, (*y)->table);
}

/* Entries of the database's tables, in scratch, sorted. */
static enum err_code find_tables(struct applying *a, const char *database,
                                 struct schema_entry ***out, uint32_t *count)
{
    struct schema *s = a->s;
    const struct schema_entry *home = schema_entry_find(s, 0, database, "");
    struct schema_entry **found =
        (struct schema_entry **)arena_alloc(&s->scratch, s->entry_count + 1u, sizeof *found);

    *count = 0;
    *out = found;
    if (found == NULL) {
        return arena_fail(&s->scratch, a->e, "statement");
    }
    for (uint32_t i = 0; i < s->bucket_count; i++) {
        for (struct schema_entry *entry = s->buckets[i]; entry != NULL; entry = entry->next) {
            /* Names are compared as those of entries are, so by looking each up. */
            if (entry->thread == 0 && entry->table[0] != '\0' &&
                schema_entry_find(s, 0, database, entry->table) == entry && entry != home) {
                found[(*count)++] = entry;
            }
        }
    }
    qsort((void *)found, *count, sizeof *found, by_name);
    return ERR_OK;
}

static enum err_code drop(struct applying *a, const char *database)
{
    struct schema_entry **tables = NULL;
    uint32_t count = 0;

    ERR_TRY(find_tables(a, database, &tables, &count));
    for (uint32_t i = 0; i < count; i++) {
        const char *table = arena_strdup(&a->s->scratch, tables[i]->table);

        if (table == NULL) {
            return arena_fail(&a->s->scratch, a->e, "statement");
        }
        if (tables[i]->now.known == SCHEMA_PRESENT) {
            ERR_TRY(schema_emit_def(a, SCHEMA_DROPPED, (struct ddl_table_name){database, table},
                                    NULL, NULL));
        }
        schema_entry_change(a->s, tables[i], (struct schema_state){.known = SCHEMA_NOTHING});
    }
    return schema_emit_def(a, SCHEMA_DROPPED, (struct ddl_table_name){database, ""}, NULL, NULL);
}

static enum err_code create(struct applying *a, struct schema_entry *home, enum schema_known known)
{
    const struct ddl_statement *st = &a->statement;
    const char *charset = st->charset.name;

    if (st->if_exists && !st->or_replace && known != SCHEMA_ABSENT) {
        return ERR_OK; /* it may be there already, and then it stays as it is */
    }
    if (st->or_replace && known != SCHEMA_ABSENT) {
        ERR_TRY(drop(a, home->database));
    }
    schema_entry_change(
        a->s, home,
        (struct schema_state){.known = SCHEMA_PRESENT,
                              .charset = charset == NULL ? schema_server_charset(a) : charset,
                              .whole = schema_keeps(a->s, home->database)});
    return ERR_OK;
}

static void alter(struct applying *a, struct schema_entry *home)
{
    const struct ddl_statement *st = &a->statement;
    struct schema_state state = home->now;

    if (st->charset.given) {
        state.known = SCHEMA_PRESENT;
        state.charset = st->charset.name == NULL ? schema_server_charset(a) : st->charset.name;
        schema_entry_change(a->s, home, state);
    }
}

enum err_code schema_apply_database(struct applying *a)
{
    const struct ddl_statement *st = &a->statement;
    struct schema_entry *home = schema_entry_make(a->s, 0, st->table.database, "");

    if (home == NULL) {
        return err_nomem(a->e);
    }
    enum schema_known known = home->now.known;

    if (known == SCHEMA_NOTHING) {
        known = a->s->whole ? SCHEMA_ABSENT : SCHEMA_UNKNOWN;
    }
    /* So that the entry goes again when it says nothing. */
    schema_entry_change(a->s, home, home->now);
    if (st->kind == DDL_CREATE_DATABASE) {
        return create(a, home, known);
    }
    if (st->kind == DDL_ALTER_DATABASE) {
        alter(a, home);
        return ERR_OK;
    }
    if (known == SCHEMA_ABSENT && st->if_exists) {
        return ERR_OK;
    }
    ERR_TRY(drop(a, st->table.database));
    schema_entry_change(
        a->s, home, (struct schema_state){.known = a->s->whole ? SCHEMA_NOTHING : SCHEMA_ABSENT});
    return ERR_OK;
}
