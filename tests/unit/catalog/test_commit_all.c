/* Several tables at once, in a catalog without transactions over tables. */
#include "fake_clock.h"
#include "lake_fixture.h"

#define TABLES 3

struct lake {
    struct temp_folder folder;
    char path[128];
    struct store *store;
    struct fake_clock time;
    struct catalog *catalog;
    char names[TABLES][8];
    struct table_ident ids[TABLES];
    char paths[TABLES][64];
    struct iceberg_data_file files[TABLES];
    struct iceberg_data_file *added[TABLES];
    struct store_object objects[TABLES];
    struct catalog_change changes[TABLES];
    struct catalog_commit_item items[TABLES];
    enum commit_verdict verdict; /* for the second table */
    size_t before;               /* objects of the empty tables */
    size_t seen;                 /* objects beyond them, when the second table was asked for */
    struct err e;
};

static enum commit_verdict check_second(void *ctx, const struct iceberg_metadata *current,
                                        struct err *e)
{
    struct lake *l = ctx;

    (void)current;
    l->seen = fake_store_count(l->store, "") - l->before;
    if (l->verdict == COMMIT_REFUSE) {
        (void)err_set(e, ERR_FENCED, "refused");
    }
    return l->verdict;
}

static void lake_init(struct lake *l)
{
    memset(l, 0, sizeof *l);
    temp_folder_init(&l->folder);
    (void)snprintf(l->path, sizeof l->path, "%s/catalog.db", l->folder.path);
    l->store = fake_store_new();
    l->time.wall_us = 1700000000000000;
    assert_ok(catalog_sqlite_open(&(struct catalog_sqlite_options){.path = l->path,
                                                                   .name = "default",
                                                                   .store = l->store,
                                                                   .clock = fake_clock(&l->time)},
                                  &l->catalog, &l->e),
              &l->e);
    for (int i = 0; i < TABLES; i++) {
        char location[64];

        (void)snprintf(l->names[i], sizeof l->names[i], "t%d", i);
        (void)snprintf(location, sizeof location, "file:///lake/t%d", i);
        (void)snprintf(l->paths[i], sizeof l->paths[i], "file:///lake/t%d/data/new", i);
        l->ids[i] = (struct table_ident){"shop", l->names[i]};
        assert_ok(lake_create(l->catalog, l->ids[i], location, &l->e), &l->e);
        l->files[i] =
            (struct iceberg_data_file){.path = l->paths[i], .record_count = 1, .file_bytes = 10};
        l->added[i] = &l->files[i];
        l->objects[i] = (struct store_object){l->paths[i], span_str("0123456789")};
        l->changes[i] = (struct catalog_change){
            .change = {.added = &l->added[i], .added_count = 1, .retention = {.keep_count = 10}},
            .objects = &l->objects[i],
            .object_count = 1,
        };
        l->items[i] = (struct catalog_commit_item){.id = l->ids[i], .change = &l->changes[i]};
    }
    l->changes[1].check = check_second;
    l->changes[1].check_ctx = l;
    l->before = fake_store_count(l->store, "");
}

static void lake_deinit(struct lake *l)
{
    catalog_free(l->catalog);
    store_free(l->store);
    temp_folder_deinit(&l->folder);
}

/* 'x' for each table with its new file, which is there then and in the store only then. */
static void assert_tables(struct lake *l, const char *want)
{
    char got[TABLES + 1] = "";

    for (int i = 0; i < TABLES; i++) {
        struct catalog_table table;
        struct iceberg_data_file **files;
        uint32_t count;

        assert_ok(catalog_load(l->catalog, l->ids[i], &table, &l->e), &l->e);
        assert_ok(catalog_data_files(l->catalog, &table, &files, &count, &l->e), &l->e);
        got[i] = count == 1 ? 'x' : '-';
        assert_int_equal(fake_store_has(l->store, l->paths[i]), count == 1);
        assert_int_equal(l->items[i].committed, count == 1);
        for (uint32_t at = 0; at < count; at++) {
            iceberg_data_file_free(files[at]);
        }
        free(files);
        catalog_table_deinit(&table);
    }
    assert_string_equal(got, want);
}

static size_t count_new(const struct lake *l)
{
    return fake_store_count(l->store, "") - l->before;
}

TEST(test_commit_all__writes_all_before_the_first_swap)
{
    struct lake l;

    lake_init(&l);
    assert_ok(catalog_commit_all(l.catalog, l.items, TABLES, &l.e), &l.e);
    assert_tables(&l, "xxx");
    /* Data file, manifest, list, metadata; when the second was prepared, nothing was there. */
    assert_u64_eq(count_new(&l), 4 * TABLES);
    assert_u64_eq(l.seen, 0);
    for (int i = 0; i < TABLES; i++) {
        assert_int_equal(l.items[i].result.attempts, 1);
    }
    lake_deinit(&l);
}

TEST(test_commit_all__stops_at_the_first_that_is_refused)
{
    struct lake l;

    lake_init(&l);
    l.verdict = COMMIT_REFUSE;
    assert_err(catalog_commit_all(l.catalog, l.items, TABLES, &l.e), ERR_FENCED, &l.e);
    assert_string_equal(l.e.msg, "refused");
    assert_tables(&l, "x--");
    assert_u64_eq(count_new(&l), 4);
    lake_deinit(&l);
}

/* Each write of the group fails once, with and without its effect: all get there, nothing twice. */
TEST(test_commit_all__goes_on_table_by_table)
{
    for (unsigned nth = 1; nth <= 4 * TABLES; nth++) {
        for (int done = 0; done < 2; done++) {
            struct lake l;

            lake_init(&l);
            fake_store_fail(l.store, &(struct fake_failure){.op = FAKE_STORE_PUT,
                                                            .nth = nth,
                                                            .code = ERR_TIMEOUT,
                                                            .retryable = true,
                                                            .done = done == 1});
            assert_ok(catalog_commit_all(l.catalog, l.items, TABLES, &l.e), &l.e);
            assert_true(fake_store_failed(l.store, FAKE_STORE_PUT));
            assert_tables(&l, "xxx");
            assert_u64_eq(count_new(&l), 4 * TABLES);
            lake_deinit(&l);
        }
    }
}

/* A store that is full from some write on: a table is there whole or not at all. */
TEST(test_commit_all__leaves_nothing_of_what_fails)
{
    for (unsigned nth = 1; nth <= 4 * TABLES; nth++) {
        struct lake l;

        lake_init(&l);
        fake_store_fail(l.store,
                        &(struct fake_failure){
                            .op = FAKE_STORE_PUT, .nth = nth, .times = 1000, .code = ERR_IO});
        assert_err(catalog_commit_all(l.catalog, l.items, TABLES, &l.e), ERR_IO, &l.e);
        assert_tables(&l, "---");
        assert_u64_eq(count_new(&l), 0);
        lake_deinit(&l);
    }
}

TEST_MAIN(test_case(test_commit_all__writes_all_before_the_first_swap),
          test_case(test_commit_all__stops_at_the_first_that_is_refused),
          test_case(test_commit_all__goes_on_table_by_table),
          test_case(test_commit_all__leaves_nothing_of_what_fails))
