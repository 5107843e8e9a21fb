/*
 * sqlite.c - the catalog of PyIceberg's SqlCatalog and Java's JdbcCatalog in an SQLite file.
 *
 *   iceberg_tables                catalog_name, table_namespace, table_name: the key
 *                                 metadata_location, previous_metadata_location
 *                                 iceberg_type: 'TABLE', 'VIEW', NULL (a table); schema V1 only
 *   iceberg_namespace_properties  catalog_name, namespace, property_key: the key; property_value
 *
 * A table changes hands by one UPDATE that names the metadata file it replaces.
 */
#include <stdlib.h>

#include "base/str.h"
#include "catalog/catalog_int.h"
#include "catalog/sqlite_int.h"

#define ONLY_TABLES " AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)"

struct found_row {
    bool found;
    char *location; /* NULL: the column is */
};

static int take_location(void *ctx, sqlite3_stmt *statement)
{
    struct found_row *row = ctx;
    const char *text = (const char *)sqlite3_column_text(statement, 0);

    row->found = true;
    if (text == NULL) {
        return sqlite3_column_type(statement, 0) == SQLITE_NULL ? SQLITE_OK : SQLITE_NOMEM;
    }
    free(row->location);
    row->location = str_dup(text);
    return row->location == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

static enum err_code find_row(struct sqlite_catalog *c, struct table_ident id,
                              struct found_row *row, struct err *e)
{
    static const char with_type[] =
        "SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ?1 "
        "AND table_namespace = ?2 AND table_name = ?3" ONLY_TABLES;
    static const char without_type[] =
        "SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ?1 "
        "AND table_namespace = ?2 AND table_name = ?3";

    *row = (struct found_row){0};
    int result = sqlite_run(c, &(struct sqlite_query){.sql = c->has_type ? with_type : without_type,
                                                      .args = {c->name, id.ns, id.name},
                                                      .row = take_location,
                                                      .ctx = row});

    if (result != SQLITE_OK) {
        free(row->location);
        row->location = NULL;
        return sqlite_error(c, result, "looking for a table", e);
    }
    return ERR_OK;
}

static enum err_code not_found(const struct sqlite_catalog *c, struct table_ident id, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "no table %s.%s in %s (catalog name '%s')", id.ns, id.name,
                   c->path, c->name);
}

static enum err_code find_location(void *ctx, struct table_ident id, char **location, struct err *e)
{
    struct sqlite_catalog *c = ctx;
    struct found_row row;

    ERR_TRY(find_row(c, id, &row, e));
    if (!row.found) {
        return not_found(c, id, e);
    }
    if (row.location == NULL) {
        return err_set(e, ERR_CORRUPT, "the row of %s.%s in %s names no metadata file", id.ns,
                       id.name, c->path);
    }
    *location = row.location;
    return ERR_OK;
}

static enum err_code sqlite_load(struct catalog *base, struct table_ident id,
                                 struct catalog_table *out, struct err *e)
{
    struct sqlite_catalog *c = (struct sqlite_catalog *)base;

    ERR_TRY(sqlite_connect(c, false, e));
    return metadata_file_follow(c->base.store,
                                &(struct metadata_pointer){find_location, c, c->path}, id, out, e);
}

/* The change of an open transaction; ends it in any case. */
static enum err_code end_change(struct sqlite_catalog *c, int result, const char *doing,
                                struct err *e)
{
    if (result == SQLITE_OK) {
        return sqlite_commit(c, e);
    }
    enum err_code rc = sqlite_error(c, result, doing, e);

    sqlite_rollback(c);
    return rc;
}

static enum err_code insert_row(struct sqlite_catalog *c, struct table_ident id,
                                const char *location, struct err *e)
{
    static const char with_type[] =
        "INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location, "
        "iceberg_type) VALUES (?1, ?2, ?3, ?4, 'TABLE')";
    static const char without_type[] = "INSERT INTO iceberg_tables (catalog_name, table_namespace, "
                                       "table_name, metadata_location) VALUES (?1, ?2, ?3, ?4)";
    static const char namespace_row[] =
        "INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, "
        "property_value) SELECT ?1, ?2, 'exists', 'true' WHERE NOT EXISTS (SELECT 1 FROM "
        "iceberg_namespace_properties WHERE catalog_name = ?1 AND namespace = ?2)";

    ERR_TRY(sqlite_begin(c, e));
    int result = sqlite_run(c, &(struct sqlite_query){.sql = c->has_type ? with_type : without_type,
                                                      .args = {c->name, id.ns, id.name, location}});

    if ((result & 0xff) == SQLITE_CONSTRAINT) {
        sqlite_rollback(c);
        return err_set(e, ERR_EXISTS, "there is a table or view %s.%s in %s already", id.ns,
                       id.name, c->path);
    }
    if (result == SQLITE_OK) {
        result =
            sqlite_run(c, &(struct sqlite_query){.sql = namespace_row, .args = {c->name, id.ns}});
    }
    return end_change(c, result, "creating a table", e);
}

static enum err_code sqlite_create(struct catalog *base, struct table_ident id,
                                   const struct iceberg_metadata *metadata, struct err *e)
{
    struct sqlite_catalog *c = (struct sqlite_catalog *)base;
    struct found_row row;
    char *location = NULL;

    ERR_TRY(sqlite_connect(c, false, e));
    ERR_TRY(find_row(c, id, &row, e));
    free(row.location);
    if (row.found) {
        return err_set(e, ERR_EXISTS, "there is a table %s.%s in %s already", id.ns, id.name,
                       c->path);
    }
    ERR_TRY(metadata_file_write(base, base->store, metadata, NULL, &location, e));
    enum err_code rc = insert_row(c, id, location, e);

    if (rc != ERR_OK && rc != ERR_UNKNOWN) {
        metadata_file_drop(base, location);
    }
    free(location);
    return rc;
}

/* ERR_CONFLICT, or ERR_NOT_FOUND when there is no such table at all. */
static enum err_code why_not_swapped(struct sqlite_catalog *c, struct table_ident id, struct err *e)
{
    struct found_row row;

    ERR_TRY(find_row(c, id, &row, e));
    free(row.location);
    return row.found
               ? err_set(e, ERR_CONFLICT, "another writer changed %s.%s first", id.ns, id.name)
               : not_found(c, id, e);
}

static enum err_code update_row(struct sqlite_catalog *c, struct table_ident id, const char *from,
                                const char *to, struct err *e)
{
    static const char with_type[] =
        "UPDATE iceberg_tables SET metadata_location = ?5, previous_metadata_location = ?4 "
        "WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3 "
        "AND metadata_location = ?4" ONLY_TABLES;
    static const char without_type[] =
        "UPDATE iceberg_tables SET metadata_location = ?5, previous_metadata_location = ?4 "
        "WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3 "
        "AND metadata_location = ?4";

    ERR_TRY(sqlite_begin(c, e));
    int result = sqlite_run(c, &(struct sqlite_query){.sql = c->has_type ? with_type : without_type,
                                                      .args = {c->name, id.ns, id.name, from, to}});

    if (result == SQLITE_OK && sqlite3_changes(c->db) == 0) {
        enum err_code rc = why_not_swapped(c, id, e);

        sqlite_rollback(c);
        return rc;
    }
    return end_change(c, result, "changing a table", e);
}

static enum err_code sqlite_swap(struct catalog *base, const struct catalog_swap *swap,
                                 struct err *e)
{
    struct sqlite_catalog *c = (struct sqlite_catalog *)base;

    ERR_TRY(sqlite_connect(c, false, e));
    return update_row(c, swap->id, swap->base->metadata_location, swap->location, e);
}

static int take_name(void *ctx, sqlite3_stmt *statement)
{
    const char *text = (const char *)sqlite3_column_text(statement, 0);

    return text == NULL || locations_add(ctx, span_str(text), NULL) != ERR_OK ? SQLITE_NOMEM
                                                                              : SQLITE_OK;
}

static enum err_code sqlite_list(struct catalog *base, const char *ns,
                                 enum err_code (*each)(void *ctx, struct table_ident id,
                                                       struct err *e),
                                 void *ctx, struct err *e)
{
    static const char with_type[] = "SELECT table_name FROM iceberg_tables WHERE catalog_name = ?1 "
                                    "AND table_namespace = ?2" ONLY_TABLES " ORDER BY table_name";
    static const char without_type[] =
        "SELECT table_name FROM iceberg_tables WHERE catalog_name = ?1 "
        "AND table_namespace = ?2 ORDER BY table_name";
    struct sqlite_catalog *c = (struct sqlite_catalog *)base;
    struct locations names = {0};
    enum err_code rc = ERR_OK;

    ERR_TRY(sqlite_connect(c, false, e));
    /* Taken first: a query that is still open keeps writers out. */
    int result = sqlite_run(c, &(struct sqlite_query){.sql = c->has_type ? with_type : without_type,
                                                      .args = {c->name, ns},
                                                      .row = take_name,
                                                      .ctx = &names});

    if (result != SQLITE_OK) {
        rc = sqlite_error(c, result, "listing tables", e);
    }
    for (uint32_t i = 0; i < names.count && rc == ERR_OK; i++) {
        rc = each(ctx, (struct table_ident){ns, names.items[i]}, e);
    }
    locations_deinit(&names);
    return rc;
}

static enum err_code delete_row(struct sqlite_catalog *c, struct table_ident id, struct err *e)
{
    static const char with_type[] = "DELETE FROM iceberg_tables WHERE catalog_name = ?1 AND "
                                    "table_namespace = ?2 AND table_name = ?3" ONLY_TABLES;
    static const char without_type[] = "DELETE FROM iceberg_tables WHERE catalog_name = ?1 AND "
                                       "table_namespace = ?2 AND table_name = ?3";

    ERR_TRY(sqlite_begin(c, e));
    int result = sqlite_run(c, &(struct sqlite_query){.sql = c->has_type ? with_type : without_type,
                                                      .args = {c->name, id.ns, id.name}});

    if (result == SQLITE_OK && sqlite3_changes(c->db) == 0) {
        sqlite_rollback(c);
        return not_found(c, id, e);
    }
    return end_change(c, result, "dropping a table", e);
}

static enum err_code sqlite_drop(struct catalog *base, struct table_ident id, struct err *e)
{
    struct sqlite_catalog *c = (struct sqlite_catalog *)base;

    ERR_TRY(sqlite_connect(c, false, e));
    return delete_row(c, id, e);
}

static void sqlite_free(struct catalog *base)
{
    struct sqlite_catalog *c = (struct sqlite_catalog *)base;

    sqlite_disconnect(c);
    free(c->path);
    free(c->name);
    free(c);
}

static const struct catalog_ops sqlite_ops = {
    .load = sqlite_load,
    .create = sqlite_create,
    .swap = sqlite_swap,
    .list = sqlite_list,
    .drop = sqlite_drop,
    .free = sqlite_free,
};

enum err_code catalog_sqlite_open(const struct catalog_sqlite_options *options,
                                  struct catalog **out, struct err *e)
{
    struct sqlite_catalog *c = calloc(1, sizeof *c);

    if (c == NULL) {
        return err_nomem(e);
    }
    c->base = (struct catalog){
        .ops = &sqlite_ops,
        .store = options->store,
        .clock = options->clock,
        .log = options->log,
    };
    rand_init(&c->base.rand);
    c->path = str_dup(options->path);
    c->name = str_dup(options->name);
    c->busy_timeout_ms = options->busy_timeout_ms;
    c->read_only = options->read_only;
    enum err_code rc =
        c->path == NULL || c->name == NULL ? err_nomem(e) : sqlite_connect(c, true, e);

    if (rc != ERR_OK) {
        sqlite_free(&c->base);
        return rc;
    }
    *out = &c->base;
    return ERR_OK;
}
