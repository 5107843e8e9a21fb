/* lake_fixture.h - one small table shape, data files for it, and looks into an SQLite catalog. */
#ifndef CALVE_LAKE_FIXTURE_H
#define CALVE_LAKE_FIXTURE_H

#include <sqlite3.h>
#include <stdlib.h>

#include "base/str.h"
#include "catalog/catalog_int.h"
#include "fake_store.h"
#include "temp_folder.h"

#define LAKE_LOCATION "file:///lake/shop/orders"

static const struct table_ident lake_orders = {"shop", "orders"};

static const struct iceberg_field lake_fields[] = {
    {.id = 1, .name = "id", .type = ICEBERG_TYPE_LONG, .required = true},
    {.id = 2, .name = "note", .type = ICEBERG_TYPE_STRING},
};

static const struct iceberg_schema lake_schema = {.fields = lake_fields, .field_count = 2};

static inline enum err_code lake_create(struct catalog *c, struct table_ident id,
                                        const char *location, struct err *e)
{
    return catalog_create(
        c, id, &(struct catalog_create_options){.location = location, .schema = &lake_schema}, e);
}

/* Writes the file of `next` and swaps; *location (malloc'd) is that file's, NULL and removed when
 * the swap certainly did not happen. */
static inline enum err_code lake_swap(struct catalog *c, struct table_ident id,
                                      const struct catalog_table *base,
                                      const struct iceberg_metadata *next, char **location,
                                      struct err *e)
{
    *location = NULL;
    if (!c->server_writes_metadata) {
        ERR_TRY(metadata_file_write(c, c->store, next, base->metadata_location, location, e));
    }
    enum err_code rc = c->ops->swap(c, &(struct catalog_swap){id, base, next, *location}, e);

    if (rc != ERR_OK && rc != ERR_UNKNOWN && *location != NULL) {
        metadata_file_drop(c, *location);
        free(*location);
        *location = NULL;
    }
    return rc;
}

/* A database opened past the catalog, to look and to meddle. */
static inline sqlite3 *lake_db(const char *path)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static inline void lake_sql(const char *path, const char *sql)
{
    sqlite3 *db = lake_db(path);
    char *why = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s: %s", sql, why);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* All values of a query's answer: '|' between columns, a blank in front of each row. */
static inline const char *lake_ask(const char *path, const char *sql, char *out, size_t out_bytes)
{
    sqlite3 *db = lake_db(path);
    sqlite3_stmt *s = NULL;
    size_t len = 0;

    out[0] = '\0';
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    while (sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            const char *text = (const char *)sqlite3_column_text(s, i);

            len += (size_t)snprintf(out + len, out_bytes - len, "%s%s", i == 0 ? " " : "|",
                                    text == NULL ? "NULL" : text);
            assert_true(len < out_bytes);
        }
    }
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return out;
}

#endif
