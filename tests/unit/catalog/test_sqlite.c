#include <fcntl.h>
#include <libdeflate.h>

#include "fake_clock.h"
#include "fault_vfs.h"
#include "lake_fixture.h"
#include "table_walk.h"

/* As PyIceberg up to 0.11 makes it. */
#define FIVE_COLUMNS                                                                             \
    "CREATE TABLE iceberg_tables (catalog_name VARCHAR(255) NOT NULL, table_namespace "          \
    "VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), " \
    "previous_metadata_location VARCHAR(1000), PRIMARY KEY (catalog_name, table_namespace, "     \
    "table_name))"

/* As PyIceberg 0.12 makes it. */
#define SIX_COLUMNS                                                                              \
    "CREATE TABLE iceberg_tables (catalog_name VARCHAR(255) NOT NULL, table_namespace "          \
    "VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), " \
    "previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5), PRIMARY KEY "            \
    "(catalog_name, table_namespace, table_name))"

#define NAMESPACES                                                                                 \
    "CREATE TABLE iceberg_namespace_properties (catalog_name VARCHAR(255) NOT NULL, namespace "    \
    "VARCHAR(255) NOT NULL, property_key VARCHAR(255) NOT NULL, property_value VARCHAR(1000) NOT " \
    "NULL, PRIMARY KEY (catalog_name, namespace, property_key))"

#define ROW_SQL                                                                       \
    "SELECT catalog_name, table_namespace, table_name, metadata_location = previous_" \
    "metadata_location, previous_metadata_location IS NULL, iceberg_type FROM iceberg_tables"

struct lake {
    struct temp_folder folder;
    char path[128];
    struct store *store;
    struct fake_clock time;
    struct catalog *catalog;
    struct catalog_table table;
    struct err e;
};

static enum err_code open_as(struct lake *l, const char *name, bool read_only, struct catalog **out,
                             struct err *e)
{
    return catalog_sqlite_open(&(struct catalog_sqlite_options){.path = l->path,
                                                                .name = name,
                                                                .store = l->store,
                                                                .clock = fake_clock(&l->time),
                                                                .busy_timeout_ms = 50,
                                                                .read_only = read_only},
                               out, e);
}

/* A lake with a store and no catalog yet. */
static void lake_init(struct lake *l)
{
    memset(l, 0, sizeof *l);
    temp_folder_init(&l->folder);
    (void)snprintf(l->path, sizeof l->path, "%s/catalog.db", l->folder.path);
    l->store = fake_store_new();
    l->time.wall_us = 1700000000000000;
}

static void lake_open(struct lake *l)
{
    assert_ok(open_as(l, "default", false, &l->catalog, &l->e), &l->e);
}

/* With the table shop.orders, loaded. */
static void lake_fill(struct lake *l)
{
    lake_open(l);
    assert_ok(lake_create(l->catalog, lake_orders, LAKE_LOCATION, &l->e), &l->e);
    assert_ok(catalog_load(l->catalog, lake_orders, &l->table, &l->e), &l->e);
}

static void lake_deinit(struct lake *l)
{
    catalog_table_deinit(&l->table);
    catalog_free(l->catalog);
    store_free(l->store);
    temp_folder_deinit(&l->folder);
}

/* The table's next metadata: the same content is enough. */
static enum err_code swap(struct lake *l, char **location)
{
    *location = NULL;
    l->e = (struct err){0};
    return lake_swap(l->catalog, lake_orders, &l->table, l->table.metadata, location, &l->e);
}

static void assert_ask(struct lake *l, const char *sql, const char *want)
{
    char got[2048];

    assert_string_equal(lake_ask(l->path, sql, got, sizeof got), want);
}

TEST(test_sqlite__makes_the_file_its_folders_and_the_tables)
{
    struct lake l;

    lake_init(&l);
    (void)snprintf(l.path, sizeof l.path, "%s/a/b c/catalog.db", l.folder.path);
    for (int again = 0; again < 2; again++) {
        lake_open(&l);
        assert_ask(&l, "SELECT name, type, pk FROM pragma_table_info('iceberg_tables')",
                   " catalog_name|VARCHAR(255)|1 table_namespace|VARCHAR(255)|2 "
                   "table_name|VARCHAR(255)|3 metadata_location|VARCHAR(1000)|0 "
                   "previous_metadata_location|VARCHAR(1000)|0 iceberg_type|VARCHAR(5)|0");
        assert_ask(&l,
                   "SELECT name, type, pk FROM pragma_table_info('iceberg_namespace_properties')",
                   " catalog_name|VARCHAR(255)|1 namespace|VARCHAR(255)|2 "
                   "property_key|VARCHAR(255)|3 property_value|VARCHAR(1000)|0");
        assert_ask(&l, "PRAGMA journal_mode", " delete");
        catalog_free(l.catalog);
        l.catalog = NULL;
    }
    lake_deinit(&l);
}

TEST(test_sqlite__creates_loads_and_lists)
{
    struct lake l;
    struct catalog *other;
    struct catalog_table table;

    lake_init(&l);
    lake_fill(&l);
    assert_ask(&l, ROW_SQL, " default|shop|orders|NULL|1|TABLE");
    assert_ask(&l, "SELECT * FROM iceberg_namespace_properties", " default|shop|exists|true");
    assert_ptr_equal(strstr(l.table.metadata_location, LAKE_LOCATION "/metadata/00000-"),
                     l.table.metadata_location);
    assert_true(str_ends_with(l.table.metadata_location, ".metadata.json"));
    assert_true(fake_store_has(l.store, l.table.metadata_location));
    assert_string_equal(iceberg_metadata_location(l.table.metadata), LAKE_LOCATION);
    /* The name is taken; nothing is left of the attempt. */
    assert_err(lake_create(l.catalog, lake_orders, LAKE_LOCATION "2", &l.e), ERR_EXISTS, &l.e);
    assert_u64_eq(fake_store_count(l.store, ""), 1);
    /* Another catalog in the same file. */
    assert_ok(open_as(&l, "other", false, &other, &l.e), &l.e);
    assert_err(catalog_load(other, lake_orders, &table, &l.e), ERR_NOT_FOUND, &l.e);
    assert_non_null(strstr(l.e.msg, "'other'"));
    assert_ok(lake_create(other, lake_orders, LAKE_LOCATION "3", &l.e), &l.e);
    catalog_free(other);
    assert_ask(&l, "SELECT COUNT(*) FROM iceberg_tables", " 2");
    lake_deinit(&l);
}

static enum err_code on_table(void *ctx, struct table_ident id, struct err *e)
{
    char *names = ctx;

    (void)e;
    (void)snprintf(names + strlen(names), 128 - strlen(names), " %s.%s", id.ns, id.name);
    return strcmp(id.name, "stop") == 0 ? ERR_CANCELLED : ERR_OK;
}

TEST(test_sqlite__lists_tables_and_no_views)
{
    struct lake l;
    char names[128] = "";
    struct catalog_table table;

    lake_init(&l);
    lake_fill(&l);
    assert_ok(lake_create(l.catalog, (struct table_ident){"shop", "a"}, LAKE_LOCATION "a", &l.e),
              &l.e);
    assert_ok(lake_create(l.catalog, (struct table_ident){"bar", "b"}, LAKE_LOCATION "b", &l.e),
              &l.e);
    lake_sql(l.path,
             "INSERT INTO iceberg_tables VALUES ('default', 'shop', 'v', 'x', NULL, 'VIEW')");
    lake_sql(l.path, "INSERT INTO iceberg_tables VALUES ('default', 'shop', 'z', 'x', NULL, NULL)");
    assert_ok(catalog_list(l.catalog, "shop", on_table, names, &l.e), &l.e);
    assert_string_equal(names, " shop.a shop.orders shop.z");
    lake_sql(l.path, "UPDATE iceberg_tables SET table_name = 'stop' WHERE table_name = 'a'");
    names[0] = '\0';
    assert_err(catalog_list(l.catalog, "shop", on_table, names, &l.e), ERR_CANCELLED, &l.e);
    names[0] = '\0';
    assert_err(catalog_list(l.catalog, "shop", on_table, names, NULL), ERR_CANCELLED, &l.e);
    assert_ok(catalog_list(l.catalog, "none", on_table, names, &l.e), &l.e);
    /* A view is no table, and its name is taken. */
    assert_err(catalog_load(l.catalog, (struct table_ident){"shop", "v"}, &table, &l.e),
               ERR_NOT_FOUND, &l.e);
    size_t objects = fake_store_count(l.store, "");

    assert_err(lake_create(l.catalog, (struct table_ident){"shop", "v"}, LAKE_LOCATION "v", &l.e),
               ERR_EXISTS, &l.e);
    assert_u64_eq(fake_store_count(l.store, ""), objects);
    lake_deinit(&l);
}

TEST(test_sqlite__drops_the_name_and_leaves_the_files)
{
    struct lake l;

    lake_init(&l);
    lake_fill(&l);
    assert_ok(catalog_drop(l.catalog, lake_orders, &l.e), &l.e);
    assert_true(fake_store_has(l.store, l.table.metadata_location));
    assert_ask(&l, "SELECT COUNT(*) FROM iceberg_tables", " 0");
    assert_err(catalog_drop(l.catalog, lake_orders, &l.e), ERR_NOT_FOUND, &l.e);
    lake_deinit(&l);
}

TEST(test_sqlite__needs_a_place_for_a_table)
{
    struct lake l;

    lake_init(&l);
    lake_open(&l);
    assert_err(lake_create(l.catalog, lake_orders, "", &l.e), ERR_CONFIG, &l.e);
    assert_non_null(strstr(l.e.msg, "set warehouse"));
    lake_deinit(&l);
}

TEST(test_sqlite__swaps_once_from_one_base)
{
    struct lake l;
    char *location;
    char want[512];

    lake_init(&l);
    lake_fill(&l);
    assert_ok(swap(&l, &location), &l.e);
    assert_ptr_equal(strstr(location, LAKE_LOCATION "/metadata/00001-"), location);
    assert_true(fake_store_has(l.store, location));
    (void)snprintf(want, sizeof want, " %s|%s", location, l.table.metadata_location);
    assert_ask(&l, "SELECT metadata_location, previous_metadata_location FROM iceberg_tables",
               want);
    free(location);
    /* The base is no longer current: nothing happens and nothing is left. */
    assert_err(swap(&l, &location), ERR_CONFLICT, &l.e);
    assert_null(location);
    assert_ask(&l, "SELECT metadata_location, previous_metadata_location FROM iceberg_tables",
               want);
    assert_u64_eq(fake_store_count(l.store, ""), 2);
    lake_sql(l.path, "DELETE FROM iceberg_tables");
    assert_err(swap(&l, &location), ERR_NOT_FOUND, &l.e);
    assert_u64_eq(fake_store_count(l.store, ""), 2);
    /* The store fails: the row stays. */
    fake_store_fail_at(l.store, FAKE_STORE_PUT, 1, ERR_IO);
    assert_err(swap(&l, &location), ERR_IO, &l.e);
    lake_deinit(&l);
}

static void point_at(struct lake *l, const char *location)
{
    char sql[512];
    struct span bytes = fake_store_peek(l->store, l->table.metadata_location);

    if (!fake_store_has(l->store, location)) {
        assert_true(fake_store_set(l->store, location, bytes));
    }
    (void)snprintf(sql, sizeof sql, "UPDATE iceberg_tables SET metadata_location = '%s'", location);
    lake_sql(l->path, sql);
    catalog_table_deinit(&l->table);
    assert_ok(catalog_load(l->catalog, lake_orders, &l->table, &l->e), &l->e);
    assert_string_equal(l->table.metadata_location, location);
}

TEST(test_sqlite__counts_on_from_any_name)
{
    static const char *const cases[][2] = {
        {"00041-4f3a.metadata.json", "00042-"}, {"99999-x.metadata.json", "100000-"},
        {"v7.metadata.json", "00000-"},         {"4294967295-x.metadata.json", "00000-"},
        {"-x.metadata.json", "00000-"},         {"7.metadata.json", "00000-"},
        {"00003-x.gz.metadata.json", "00004-"},
    };
    struct lake l;

    lake_init(&l);
    lake_fill(&l);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char at[256];
        char want[256];
        char *location;

        (void)snprintf(at, sizeof at, "s3://elsewhere/%s", cases[i][0]);
        (void)snprintf(want, sizeof want, LAKE_LOCATION "/metadata/%s", cases[i][1]);
        point_at(&l, at);
        assert_ok(swap(&l, &location), &l.e);
        assert_ptr_equal(strstr(location, want), location);
        free(location);
    }
    lake_deinit(&l);
}

TEST(test_sqlite__writes_metadata_where_the_table_says)
{
    struct lake l;
    struct iceberg_property where = {"write.metadata.path", "file:///meta/orders/"};

    lake_init(&l);
    lake_open(&l);
    assert_ok(catalog_create(l.catalog, lake_orders,
                             &(struct catalog_create_options){.location = LAKE_LOCATION,
                                                              .schema = &lake_schema,
                                                              .properties = &where,
                                                              .property_count = 1},
                             &l.e),
              &l.e);
    assert_u64_eq(fake_store_count(l.store, "file:///meta/orders/00000-"), 1);
    lake_deinit(&l);
}

TEST(test_sqlite__reads_gzipped_metadata)
{
    struct lake l;
    uint8_t packed[8192];
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(6);

    lake_init(&l);
    lake_fill(&l);
    struct span plain = fake_store_peek(l.store, l.table.metadata_location);
    size_t len = libdeflate_gzip_compress(z, plain.data, plain.len, packed, sizeof packed);

    libdeflate_free_compressor(z);
    assert_true(
        fake_store_set(l.store, "file:///x/00001-a.gz.metadata.json", span_of(packed, len)));
    point_at(&l, "file:///x/00001-a.gz.metadata.json");
    assert_string_equal(iceberg_metadata_location(l.table.metadata), LAKE_LOCATION);
    packed[len / 2] ^= 0x55;
    assert_true(
        fake_store_set(l.store, "file:///x/00001-a.gz.metadata.json", span_of(packed, len)));
    struct catalog_table table;

    assert_err(catalog_load(l.catalog, lake_orders, &table, &l.e), ERR_CORRUPT, &l.e);
    assert_non_null(strstr(l.e.msg, "00001-a.gz.metadata.json"));
    lake_deinit(&l);
}

TEST(test_sqlite__says_when_a_row_leads_nowhere)
{
    struct lake l;
    struct catalog_table table;

    lake_init(&l);
    lake_fill(&l);
    lake_sql(l.path, "UPDATE iceberg_tables SET metadata_location = 'file:///gone'");
    assert_err(catalog_load(l.catalog, lake_orders, &table, &l.e), ERR_CORRUPT, &l.e);
    assert_non_null(strstr(l.e.msg, "file:///gone"));
    lake_sql(l.path, "UPDATE iceberg_tables SET metadata_location = NULL");
    assert_err(catalog_load(l.catalog, lake_orders, &table, &l.e), ERR_CORRUPT, &l.e);
    assert_true(fake_store_set(l.store, "file:///bad", span_str("{\"format-version\":2")));
    lake_sql(l.path, "UPDATE iceberg_tables SET metadata_location = 'file:///bad'");
    assert_err(catalog_load(l.catalog, lake_orders, &table, &l.e), ERR_CORRUPT, &l.e);
    assert_non_null(strstr(l.e.msg, "file:///bad"));
    assert_null(table.metadata);
    fake_store_fail(l.store,
                    &(struct fake_failure){
                        .op = FAKE_STORE_GET, .nth = 1, .code = ERR_TIMEOUT, .retryable = true});
    assert_err(catalog_load(l.catalog, lake_orders, &table, &l.e), ERR_TIMEOUT, &l.e);
    assert_true(l.e.retryable);
    lake_deinit(&l);
}

/* A store in which a file vanishes, by another writer's commit, just before it is read. */
struct moving_store {
    struct store base;
    struct lake *lake;
    unsigned moves_left;
    unsigned moves;
};

static enum err_code moving_get(struct store *s, const char *location, struct buf *out,
                                struct err *e)
{
    struct moving_store *m = (struct moving_store *)s;
    char sql[256];

    if (m->moves_left > 0) {
        m->moves_left--;
        (void)snprintf(sql, sizeof sql,
                       "UPDATE iceberg_tables SET metadata_location = 'file:///move/%u'",
                       ++m->moves);
        lake_sql(m->lake->path, sql);
        return err_set(e, ERR_NOT_FOUND, "gone");
    }
    return store_get(m->lake->store, location, out, e);
}

TEST(test_sqlite__follows_a_table_that_moves_on)
{
    static const struct store_ops ops = {.get = moving_get};
    struct lake l;
    struct moving_store moving = {.base = {&ops}, .lake = &l, .moves_left = 3};
    struct catalog_table table;

    lake_init(&l);
    lake_fill(&l);
    assert_true(fake_store_set(l.store, "file:///move/3",
                               fake_store_peek(l.store, l.table.metadata_location)));
    l.catalog->store = &moving.base;
    assert_ok(catalog_load(l.catalog, lake_orders, &table, &l.e), &l.e);
    assert_string_equal(table.metadata_location, "file:///move/3");
    catalog_table_deinit(&table);
    moving.moves_left = 1000;
    assert_err(catalog_load(l.catalog, lake_orders, &table, &l.e), ERR_IO, &l.e);
    assert_true(l.e.retryable);
    lake_deinit(&l);
}

TEST(test_sqlite__looks_without_touching)
{
    struct lake l;
    struct catalog *c;
    struct catalog_table table;
    char *location;
    char before[512];
    char after[512];

    lake_init(&l);
    assert_err(open_as(&l, "default", true, &c, &l.e), ERR_NOT_FOUND, &l.e);
    assert_non_null(strstr(l.e.msg, l.path));
    assert_int_equal(temp_count(&l.folder, ""), 0);
    lake_sql(l.path, "CREATE TABLE other (x)");
    assert_err(open_as(&l, "default", true, &c, &l.e), ERR_NOT_FOUND, &l.e);
    assert_ask(&l, "SELECT name FROM sqlite_master", " other");
    lake_fill(&l);
    (void)lake_ask(l.path, "SELECT * FROM iceberg_tables", before, sizeof before);
    assert_ok(open_as(&l, "default", true, &c, &l.e), &l.e);
    assert_ok(catalog_load(c, lake_orders, &table, &l.e), &l.e);
    assert_err(lake_swap(c, lake_orders, &table, table.metadata, &location, &l.e), ERR_IO, &l.e);
    assert_false(l.e.retryable);
    assert_err(lake_create(c, (struct table_ident){"a", "b"}, LAKE_LOCATION, &l.e), ERR_IO, &l.e);
    assert_string_equal(lake_ask(l.path, "SELECT * FROM iceberg_tables", after, sizeof after),
                        before);
    assert_u64_eq(fake_store_count(l.store, ""), 1);
    catalog_table_deinit(&table);
    catalog_free(c);
    lake_deinit(&l);
}

TEST(test_sqlite__works_with_five_columns_and_leaves_them)
{
    struct lake l;
    char *location;
    char names[128] = "";

    lake_init(&l);
    lake_sql(l.path, FIVE_COLUMNS);
    lake_sql(l.path, NAMESPACES);
    lake_fill(&l);
    assert_ok(swap(&l, &location), &l.e);
    free(location);
    assert_err(swap(&l, &location), ERR_CONFLICT, &l.e);
    assert_ok(catalog_list(l.catalog, "shop", on_table, names, &l.e), &l.e);
    assert_string_equal(names, " shop.orders");
    assert_err(lake_create(l.catalog, lake_orders, LAKE_LOCATION, &l.e), ERR_EXISTS, &l.e);
    assert_ask(&l, "SELECT COUNT(*) FROM pragma_table_info('iceberg_tables')", " 5");
    lake_deinit(&l);
}

TEST(test_sqlite__works_with_the_file_of_others)
{
    struct lake l;
    char *location;

    lake_init(&l);
    lake_sql(l.path, SIX_COLUMNS);
    lake_sql(l.path, NAMESPACES);
    lake_sql(l.path, "INSERT INTO iceberg_namespace_properties VALUES "
                     "('default', 'shop', 'location', 'file:///shop')");
    lake_fill(&l);
    /* A namespace that is there is left as it is. */
    assert_ask(&l, "SELECT property_key FROM iceberg_namespace_properties", " location");
    /* Rows from before the column was added have no type. */
    lake_sql(l.path, "UPDATE iceberg_tables SET iceberg_type = NULL");
    assert_ok(swap(&l, &location), &l.e);
    free(location);
    assert_ask(&l, ROW_SQL, " default|shop|orders|0|0|NULL");
    /* Under our feet, somebody adds a column to the five that we know. */
    lake_deinit(&l);
    lake_init(&l);
    lake_sql(l.path, FIVE_COLUMNS);
    lake_fill(&l);
    lake_sql(l.path, "ALTER TABLE iceberg_tables ADD COLUMN iceberg_type VARCHAR(5)");
    assert_ok(swap(&l, &location), &l.e);
    free(location);
    lake_deinit(&l);
}

TEST(test_sqlite__refuses_a_table_that_is_something_else)
{
    struct lake l;

    lake_init(&l);
    lake_sql(l.path, "CREATE TABLE iceberg_tables (catalog_name, table_name)");
    assert_err(open_as(&l, "default", false, &l.catalog, &l.e), ERR_UNSUPPORTED, &l.e);
    assert_non_null(strstr(l.e.msg, l.path));
    l.catalog = NULL;
    lake_deinit(&l);
}

TEST(test_sqlite__leaves_the_journal_mode_alone)
{
    struct lake l;
    char *location;

    lake_init(&l);
    lake_sql(l.path, "PRAGMA journal_mode = wal");
    lake_fill(&l);
    assert_ok(swap(&l, &location), &l.e);
    free(location);
    assert_ask(&l, "PRAGMA journal_mode", " wal");
    lake_deinit(&l);
}

TEST(test_sqlite__says_that_it_is_locked)
{
    struct lake l;
    struct catalog *c;
    struct catalog_table table;
    char *location;

    lake_init(&l);
    lake_fill(&l);
    sqlite3 *db = lake_db(l.path);

    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_err(swap(&l, &location), ERR_IO, &l.e);
    assert_true(l.e.retryable);
    assert_non_null(strstr(l.e.msg, "locked by another process"));
    assert_non_null(strstr(l.e.msg, l.path));
    assert_err(catalog_load(l.catalog, lake_orders, &table, &l.e), ERR_IO, &l.e);
    assert_true(l.e.retryable);
    assert_err(lake_create(l.catalog, (struct table_ident){"a", "b"}, LAKE_LOCATION, &l.e), ERR_IO,
               &l.e);
    assert_true(l.e.retryable);
    assert_err(catalog_list(l.catalog, "shop", on_table, NULL, &l.e), ERR_IO, &l.e);
    assert_err(open_as(&l, "default", false, &c, &l.e), ERR_IO, &l.e);
    assert_true(l.e.retryable);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_u64_eq(fake_store_count(l.store, ""), 1);
    assert_ok(swap(&l, &location), &l.e);
    free(location);
    (void)sqlite3_close(db);
    lake_deinit(&l);
}

/* The change can be made and not be committed: a definite no. */
TEST(test_sqlite__a_reader_that_stays_keeps_a_commit_out)
{
    struct lake l;
    char *location;
    sqlite3_stmt *reading = NULL;

    lake_init(&l);
    lake_fill(&l);
    sqlite3 *db = lake_db(l.path);

    assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM iceberg_tables", -1, &reading, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(reading), SQLITE_ROW);
    assert_err(swap(&l, &location), ERR_IO, &l.e);
    assert_true(l.e.retryable);
    assert_non_null(strstr(l.e.msg, "locked"));
    assert_u64_eq(fake_store_count(l.store, ""), 1);
    assert_int_equal(sqlite3_finalize(reading), SQLITE_OK);
    assert_ok(swap(&l, &location), &l.e);
    free(location);
    (void)sqlite3_close(db);
    lake_deinit(&l);
}

TEST(test_sqlite__says_that_it_may_not_write)
{
    struct lake l;
    struct catalog *c;
    struct err e = {0};
    char *location;

    lake_init(&l);
    lake_fill(&l);
    assert_int_equal(chmod(l.folder.path, 0555), 0);
    assert_int_equal(chmod(l.path, 0444), 0);
    if (!temp_become_nobody()) {
        skip();
    }
    enum err_code rc = open_as(&l, "default", false, &c, &e);
    enum err_code read_rc = open_as(&l, "default", true, &c, NULL);

    temp_become_root();
    assert_int_equal(rc, ERR_IO);
    assert_false(e.retryable);
    assert_non_null(strstr(e.msg, "cannot be written"));
    assert_non_null(strstr(e.msg, l.path));
    assert_int_equal(read_rc, ERR_OK);
    catalog_free(c);
    /* The file may be written, its folder may not: there is no place for a journal. */
    assert_int_equal(chmod(l.path, 0666), 0);
    assert_true(temp_become_nobody());
    rc = open_as(&l, "default", false, &c, &e);
    if (rc == ERR_OK) {
        e = (struct err){0};
        rc = lake_swap(c, lake_orders, &l.table, l.table.metadata, &location, &e);
        catalog_free(c);
    }
    temp_become_root();
    assert_int_equal(rc, ERR_IO);
    assert_false(e.retryable);
    assert_non_null(strstr(e.msg, l.path));
    assert_non_null(strstr(e.msg, "folder"));
    assert_u64_eq(fake_store_count(l.store, ""), 1);
    assert_int_equal(chmod(l.folder.path, 0755), 0);
    /* There is no file, and none can be made. */
    (void)snprintf(l.path, sizeof l.path, "%s", l.folder.path);
    assert_err(open_as(&l, "default", false, &c, &e), ERR_IO, &e);
    assert_non_null(strstr(e.msg, l.path));
    lake_deinit(&l);
}

TEST(test_sqlite__notices_that_its_file_was_taken_away)
{
    struct lake l;
    struct catalog_table table;
    char away[160];
    char *location;

    lake_init(&l);
    lake_fill(&l);
    (void)snprintf(away, sizeof away, "%s.away", l.path);
    assert_int_equal(rename(l.path, away), 0);
    assert_err(swap(&l, &location), ERR_IO, &l.e);
    assert_false(l.e.retryable);
    assert_non_null(strstr(l.e.msg, l.path));
    assert_u64_eq(fake_store_count(l.store, ""), 1);
    /* No new, empty catalog in its place. */
    assert_err(catalog_load(l.catalog, lake_orders, &table, &l.e), ERR_IO, &l.e);
    assert_non_null(strstr(l.e.msg, l.path));
    assert_int_equal(temp_count(&l.folder, ""), 1);
    assert_int_equal(rename(away, l.path), 0);
    assert_ok(swap(&l, &location), &l.e);
    free(location);
    lake_deinit(&l);
}

static void write_file(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    (void)close(fd);
}

TEST(test_sqlite__refuses_what_is_no_database)
{
    static uint8_t garbage[4096];
    struct lake l;
    struct catalog *c;

    lake_init(&l);
    memset(garbage, 'x', sizeof garbage);
    write_file(l.path, garbage, sizeof garbage);
    assert_err(open_as(&l, "default", false, &c, &l.e), ERR_CORRUPT, &l.e);
    assert_non_null(strstr(l.e.msg, "not an SQLite database"));
    assert_non_null(strstr(l.e.msg, l.path));
    assert_false(l.e.retryable);
    lake_deinit(&l);
}

/* An error, or the right answer; counts errors. */
static unsigned look(struct lake *l)
{
    struct catalog *c = NULL;
    struct catalog_table table = {0};
    enum err_code rc = open_as(l, "default", true, &c, &l->e);

    if (rc == ERR_OK) {
        rc = catalog_load(c, lake_orders, &table, &l->e);
        catalog_free(c);
    }
    if (rc == ERR_OK) {
        assert_string_equal(table.metadata_location, l->table.metadata_location);
    }
    catalog_table_deinit(&table);
    return rc != ERR_OK;
}

TEST(test_sqlite__meets_damage_with_errors)
{
    struct lake l;
    static uint8_t whole[65536];
    static uint8_t damaged[65536];
    unsigned errors = 0;
    unsigned cut_errors = 0;

    lake_init(&l);
    lake_fill(&l);
    catalog_free(l.catalog);
    l.catalog = NULL;
    int fd = open(l.path, O_RDONLY);
    ssize_t len = read(fd, whole, sizeof whole);

    (void)close(fd);
    assert_true(len > 4096 && (size_t)len < sizeof whole);
    for (size_t at = 0; at < (size_t)len; at += 256) {
        memcpy(damaged, whole, (size_t)len);
        memset(damaged + at, 0xa5, 256);
        write_file(l.path, damaged, (size_t)len);
        errors += look(&l);
        write_file(l.path, whole, at);
        cut_errors += look(&l);
    }
    assert_true(errors >= 3);
    assert_true(cut_errors >= (unsigned)len / 256 / 2);
    lake_deinit(&l);
}

/*
 * Every single write, sync and removal of a swap fails once, with and without its effect: what the
 * swap then says is what another connection sees.
 */
static unsigned swap_with_fault(struct lake *l, struct fault fault, bool wal)
{
    char *location = NULL;
    struct catalog_table now;

    lake_init(l);
    lake_fill(l);
    if (wal) {
        lake_sql(l->path, "PRAGMA journal_mode = wal");
        catalog_free(l->catalog);
        lake_open(l);
    }
    fault_now = fault;
    enum err_code rc = swap(l, &location);
    bool hit = fault_now.hit;

    fault_now = (struct fault){0};
    assert_ok(catalog_load(l->catalog, lake_orders, &now, &l->e), &l->e);
    bool happened = strcmp(now.metadata_location, l->table.metadata_location) != 0;

    catalog_table_deinit(&now);
    if (rc == ERR_OK) {
        assert_true(happened);
    } else if (rc == ERR_UNKNOWN) {
        assert_non_null(location);
        assert_true(fake_store_has(l->store, location));
    } else {
        assert_int_equal(rc, ERR_IO);
        assert_false(happened);
        assert_null(location);
        assert_u64_eq(fake_store_count(l->store, ""), 1);
    }
    free(location);
    /* The catalog is in order, and goes on. */
    if (!happened) {
        assert_ok(swap(l, &location), &l->e);
        free(location);
    }
    assert_ask(l, "PRAGMA integrity_check", " ok");
    lake_deinit(l);
    return !hit ? 0 : rc == ERR_UNKNOWN ? 2 : 1;
}

TEST(test_sqlite__tells_the_truth_after_any_disk_failure)
{
    static const int results[FAULT_OPS] = {
        [FAULT_WRITE] = SQLITE_FULL,
        [FAULT_SYNC] = SQLITE_IOERR_FSYNC,
        [FAULT_TRUNCATE] = SQLITE_IOERR_TRUNCATE,
        [FAULT_DELETE] = SQLITE_IOERR_DELETE,
    };
    unsigned seen[3] = {0};

    fault_vfs_install();
    for (int wal = 0; wal < 2; wal++) {
        for (unsigned op = FAULT_WRITE; op < FAULT_OPS; op++) {
            for (int after = 0; after < 2; after++) {
                for (unsigned nth = 1; nth < 100; nth++) {
                    struct lake l;
                    unsigned outcome = swap_with_fault(&l,
                                                       (struct fault){.op = (enum fault_op)op,
                                                                      .nth = nth,
                                                                      .after = after != 0,
                                                                      .result = results[op]},
                                                       wal != 0);

                    seen[outcome]++;
                    if (outcome == 0) {
                        break;
                    }
                }
            }
        }
    }
    fault_vfs_remove();
    assert_true(seen[0] == 2 * 2 * (FAULT_OPS - 1));
    assert_true(seen[2] > 4);
}

/* The same through a whole commit: it gets there, once, and leaves nothing behind. */
static bool commit_with_fault(struct fault fault, bool wal)
{
    struct lake l;
    char path[] = LAKE_LOCATION "/data/1";
    struct iceberg_data_file file = {.path = path, .record_count = 1, .file_bytes = 4};
    struct iceberg_data_file *added = &file;
    struct catalog_change change = {.change = {.added = &added, .added_count = 1}};
    struct catalog_commit_result result = {0};

    lake_init(&l);
    lake_fill(&l);
    if (wal) {
        lake_sql(l.path, "PRAGMA journal_mode = wal");
        catalog_free(l.catalog);
        lake_open(&l);
    }
    assert_true(fake_store_set(l.store, path, span_str("rows")));
    fault_now = fault;
    assert_ok(catalog_commit(l.catalog, lake_orders, &change, &result, &l.e), &l.e);
    bool hit = fault_now.hit;

    fault_now = (struct fault){0};
    assert_false(result.already_done);
    catalog_table_deinit(&l.table);
    assert_ok(catalog_load(l.catalog, lake_orders, &l.table, &l.e), &l.e);
    assert_int_equal(iceberg_metadata_snapshot_count(l.table.metadata), 1);
    assert_i64_eq(iceberg_metadata_snapshot_id(l.table.metadata), result.snapshot_id);
    assert_tidy(l.store, l.table.metadata_location, 0);
    lake_deinit(&l);
    return hit;
}

TEST(test_sqlite__commits_once_through_any_disk_failure)
{
    static const int results[][2] = {
        {FAULT_WRITE, SQLITE_FULL},          {FAULT_WRITE, SQLITE_IOERR_WRITE},
        {FAULT_SYNC, SQLITE_IOERR_FSYNC},    {FAULT_TRUNCATE, SQLITE_IOERR_TRUNCATE},
        {FAULT_DELETE, SQLITE_IOERR_DELETE}, {FAULT_DELETE, SQLITE_IOERR_DIR_FSYNC},
    };
    unsigned hits = 0;

    fault_vfs_install();
    for (size_t i = 0; i < 2 * 2 * sizeof results / sizeof results[0]; i++) {
        for (unsigned nth = 1; nth < 100; nth++) {
            struct fault fault = {.op = (enum fault_op)results[i / 4][0],
                                  .nth = nth,
                                  .after = i % 2 != 0,
                                  .result = results[i / 4][1]};

            if (!commit_with_fault(fault, i / 2 % 2 != 0)) {
                break;
            }
            hits++;
        }
    }
    fault_vfs_remove();
    assert_true(hits > 40);
}

static enum err_code use_everything(struct lake *l, struct err *e)
{
    struct catalog *c = NULL;
    struct catalog_table table = {0};
    char names[128] = "";
    char *location = NULL;
    enum err_code rc = open_as(l, "default", false, &c, e);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = lake_create(c, lake_orders, LAKE_LOCATION, e);
    if (rc == ERR_OK || rc == ERR_EXISTS) {
        rc = catalog_load(c, lake_orders, &table, e);
    }
    if (rc == ERR_OK) {
        rc = lake_swap(c, lake_orders, &table, table.metadata, &location, e);
    }
    if (rc == ERR_OK) {
        rc = catalog_list(c, "shop", on_table, names, e);
    }
    free(location);
    catalog_table_deinit(&table);
    catalog_free(c);
    return rc;
}

TEST(test_sqlite__survives_every_failed_allocation)
{
    struct lake l;
    enum err_code rc = ERR_OK;

    lake_init(&l);
    TORTURE(nth)
    {
        struct err e = {0};

        rc = use_everything(&l, &e);
        if (rc != ERR_OK && rc != ERR_NOMEM) {
            fail_msg("allocation %lu: %s: %s", nth, err_code_name(rc), e.msg);
        }
    }
    assert_int_equal(rc, ERR_OK);
    assert_ask(&l, "PRAGMA integrity_check", " ok");
    lake_deinit(&l);
}

TEST_MAIN(test_case(test_sqlite__makes_the_file_its_folders_and_the_tables),
          test_case(test_sqlite__creates_loads_and_lists),
          test_case(test_sqlite__lists_tables_and_no_views),
          test_case(test_sqlite__drops_the_name_and_leaves_the_files),
          test_case(test_sqlite__needs_a_place_for_a_table),
          test_case(test_sqlite__swaps_once_from_one_base),
          test_case(test_sqlite__counts_on_from_any_name),
          test_case(test_sqlite__writes_metadata_where_the_table_says),
          test_case(test_sqlite__reads_gzipped_metadata),
          test_case(test_sqlite__says_when_a_row_leads_nowhere),
          test_case(test_sqlite__follows_a_table_that_moves_on),
          test_case(test_sqlite__looks_without_touching),
          test_case(test_sqlite__works_with_five_columns_and_leaves_them),
          test_case(test_sqlite__works_with_the_file_of_others),
          test_case(test_sqlite__refuses_a_table_that_is_something_else),
          test_case(test_sqlite__leaves_the_journal_mode_alone),
          test_case(test_sqlite__says_that_it_is_locked),
          test_case(test_sqlite__a_reader_that_stays_keeps_a_commit_out),
          test_case(test_sqlite__says_that_it_may_not_write),
          test_case(test_sqlite__notices_that_its_file_was_taken_away),
          test_case(test_sqlite__refuses_what_is_no_database),
          test_case(test_sqlite__meets_damage_with_errors),
          test_case(test_sqlite__tells_the_truth_after_any_disk_failure),
          test_case(test_sqlite__commits_once_through_any_disk_failure),
          test_case(test_sqlite__survives_every_failed_allocation))
