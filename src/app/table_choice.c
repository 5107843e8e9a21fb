#include "app/table_choice.h"

#include <stdio.h>

#include "base/str.h"
#include "mysql/source_catalog.h"

bool table_is_chosen(const struct config *c, const char *schema, const char *name, bool icase)
{
    /* Names have at most 64 characters of at most 4 bytes. */
    char full_name[2 * 4 * 64 + 2];
    int len = snprintf(full_name, sizeof full_name, "%s.%s", schema, name);

    return len > 0 && (size_t)len < sizeof full_name &&
           str_glob_any(c->tables.items, c->tables.count, full_name, icase) &&
           !str_glob_any(c->excluded.items, c->excluded.count, full_name, icase);
}

static bool has(const struct table_choice *t, const char *schema, const char *name)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (strcmp(t->tables[i].schema, schema) == 0 && strcmp(t->tables[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

enum err_code table_choice_add(struct table_choice *t, const char *schema, const char *name,
                               struct err *e)
{
    if (has(t, schema, name)) {
        return ERR_OK;
    }
    if (t->count == t->capacity) {
        uint32_t capacity = t->capacity == 0 ? 64 : 2 * t->capacity;
        struct chosen_table *tables = arena_alloc(&t->arena, capacity, sizeof *tables);

        if (tables == NULL) {
            return arena_fail(&t->arena, e, "the list of tables");
        }
        if (t->count > 0) {
            memcpy(tables, t->tables, t->count * sizeof *tables);
        }
        t->tables = tables;
        t->capacity = capacity;
    }
    struct chosen_table table = {.schema = arena_strdup(&t->arena, schema),
                                 .name = arena_strdup(&t->arena, name)};

    if (table.schema == NULL || table.name == NULL) {
        return arena_fail(&t->arena, e, "the list of tables");
    }
    t->tables[t->count++] = table;
    return ERR_OK;
}

struct choosing {
    const struct config *c;
    struct table_choice *out;
    bool icase;
};

static enum err_code on_table(void *ctx, const char *schema, const char *table, struct err *e)
{
    struct choosing *choosing = ctx;

    if (!table_is_chosen(choosing->c, schema, table, choosing->icase)) {
        return ERR_OK;
    }
    return table_choice_add(choosing->out, schema, table, e);
}

enum err_code table_choice_from_source(const struct config *c, struct mysql_conn *conn,
                                       struct table_choice *out, struct err *e)
{
    struct choosing choosing = {
        .c = c, .out = out, .icase = mysql_conn_server(conn)->lower_case_table_names != 0};

    return source_catalog_tables(conn, on_table, &choosing, e);
}

void table_choice_deinit(struct table_choice *t)
{
    arena_deinit(&t->arena);
    *t = (struct table_choice){0};
}
