#include <stdio.h>

#include "base/str.h"
#include "fake_clock.h"
#include "fake_store.h"
#include "pipeline/changelog.h"
#include "pipeline/watermarks.h"
#include "temp_folder.h"
#include "test.h"
#include "torture.h"

#define UUID "53254cee-e914-11f1-9485-02fc00000001"

struct bed {
    struct temp_folder folder;
    struct fake_clock time;
    struct store *store;
    struct catalog *catalog;
    struct watermarks *w;     /* of the connection "c1" */
    struct watermarks *other; /* of "c2", in the same table */
    struct err e;
};

static const struct table_ident marks = {WATERMARKS_NAMESPACE, WATERMARKS_TABLE};

static struct watermarks *open_as(struct bed *b, const char *connection)
{
    struct watermarks *w = NULL;

    assert_ok(watermarks_new(&(struct watermarks_options){.catalog = b->catalog,
                                                          .store = b->store,
                                                          .location = "file:///lake/marks",
                                                          .connection = connection,
                                                          .server_id = 1,
                                                          .zstd_level = 1,
                                                          .retention = {.keep_count = 20},
                                                          .clock = fake_clock(&b->time)},
                             &w, &b->e),
              &b->e);
    return w;
}

static void bed_init(struct bed *b)
{
    char db[160];

    memset(b, 0, sizeof *b);
    temp_folder_init(&b->folder);
    b->time.wall_us = INT64_C(1795640905254000);
    (void)snprintf(db, sizeof db, "%s/catalog.db", b->folder.path);
    b->store = fake_store_new();
    assert_ok(catalog_sqlite_open(&(struct catalog_sqlite_options){.path = db,
                                                                   .name = "default",
                                                                   .store = b->store,
                                                                   .clock = fake_clock(&b->time)},
                                  &b->catalog, &b->e),
              &b->e);
    b->w = open_as(b, "c1");
    b->other = open_as(b, "c2");
    assert_ok(watermarks_load(b->w, false, &b->e), &b->e);
}

static void bed_deinit(struct bed *b)
{
    watermarks_free(b->w);
    watermarks_free(b->other);
    catalog_free(b->catalog);
    store_free(b->store);
    temp_folder_deinit(&b->folder);
}

static struct log_place at(uint64_t offset)
{
    return (struct log_place){.source = UUID, .position = {"b.000002", offset}};
}

static enum err_code move(struct watermarks *w, const char *table, uint64_t offset, struct err *e)
{
    const struct watermark_update update = {.schema = "shop", .table = table};
    const struct log_place place = at(offset);

    return watermarks_commit(w, &update, 1, &place, e);
}

static void owe(struct bed *b, const char *table, uint64_t offset)
{
    const struct watermark_update update = {.schema = "shop", .table = table};
    const struct log_place place = at(offset);

    assert_ok(watermarks_owe(b->w, &update, &place, &b->e), &b->e);
}

static void owe_note(struct bed *b, const char *text)
{
    const char *const texts[WATERMARK_NOTES] = {[WATERMARK_NOTE_SCHEMA] = text};

    assert_ok(watermarks_owe_notes(b->w, texts, &b->e), &b->e);
}

/* As the lake has it: "table:offset" of each row of `connection`, and the note. */
static void assert_lake(struct bed *b, const char *connection, const char *want)
{
    char got[256] = "";
    struct watermarks *w = open_as(b, connection);

    assert_ok(watermarks_load(w, false, &b->e), &b->e);
    for (uint32_t i = 0; i < watermarks_count(w); i++) {
        const struct watermark *row = watermarks_at(w, i);
        struct log_place place;

        if (strcmp(row->connection_name, connection) == 0) {
            (void)snprintf(got + strlen(got), sizeof got - strlen(got), " %s:%llu", row->table,
                           (unsigned long long)row->position.offset);
            assert_true(watermarks_place(w, &row->position, &place));
        }
    }
    const char *note = watermarks_note(w, WATERMARK_NOTE_SCHEMA);

    (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", note == NULL ? "" : " ",
                   note == NULL ? "" : note);
    watermarks_free(w);
    assert_string_equal(got, want);
}

static uint64_t snapshots(struct bed *b)
{
    struct catalog_table table;

    assert_ok(catalog_load(b->catalog, marks, &table, &b->e), &b->e);
    uint64_t count = iceberg_metadata_snapshot_count(table.metadata);

    catalog_table_deinit(&table);
    return count;
}

static size_t data_files(const struct bed *b)
{
    return fake_store_count(b->store, "file:///lake/marks/data/");
}

TEST(test_watermarks_commit__makes_the_table_when_something_is_due)
{
    struct bed b;

    bed_init(&b);
    assert_ok(watermarks_commit_due(b.w, &b.e), &b.e);
    assert_u64_eq(fake_store_count(b.store, ""), 0);
    owe(&b, "a", 100);
    owe(&b, "b", 120);
    owe(&b, "a", 90); /* behind: it stays */
    owe_note(&b, "{}");
    assert_u64_eq(fake_store_count(b.store, ""), 0);
    assert_ok(watermarks_commit_due(b.w, &b.e), &b.e);
    assert_lake(&b, "c1", " a:100 b:120 {}");
    assert_u64_eq(snapshots(&b), 1);
    assert_string_equal(watermarks_note(b.w, WATERMARK_NOTE_SCHEMA), "{}");
    /* Once. */
    unsigned long puts = fake_store_calls(b.store, FAKE_STORE_PUT);

    assert_ok(watermarks_commit_due(b.w, &b.e), &b.e);
    assert_u64_eq(fake_store_calls(b.store, FAKE_STORE_PUT), puts);
    bed_deinit(&b);
}

TEST(test_watermarks_commit__takes_what_is_due_along)
{
    struct bed b;

    bed_init(&b);
    owe(&b, "a", 100);
    assert_ok(move(b.w, "b", 200, &b.e), &b.e);
    assert_lake(&b, "c1", " a:100 b:200");
    assert_u64_eq(snapshots(&b), 1);
    /* Also where the rows say so already. */
    owe_note(&b, "{}");
    assert_ok(move(b.w, "b", 200, &b.e), &b.e);
    assert_lake(&b, "c1", " a:100 b:200 {}");
    assert_u64_eq(snapshots(&b), 1);
    owe_note(&b, "");
    assert_ok(move(b.w, "b", 300, &b.e), &b.e);
    assert_lake(&b, "c1", " a:100 b:300");
    assert_null(watermarks_note(b.w, WATERMARK_NOTE_SCHEMA));
    bed_deinit(&b);
}

TEST(test_watermarks_commit__merges_with_what_another_process_wrote)
{
    struct bed b;

    bed_init(&b);
    assert_ok(move(b.w, "a", 100, &b.e), &b.e);
    assert_ok(move(b.other, "x", 10, &b.e), &b.e);
    owe(&b, "b", 110);
    assert_ok(move(b.w, "a", 120, &b.e), &b.e);
    assert_lake(&b, "c1", " a:120 b:110");
    assert_lake(&b, "c2", " x:10");
    assert_u64_eq(snapshots(&b), 3);
    /* No file of an attempt that came too late is left. */
    assert_u64_eq(data_files(&b), 3);
    bed_deinit(&b);
}

TEST(test_watermarks_commit__keeps_what_is_due_until_it_is_through)
{
    struct bed b;

    bed_init(&b);
    assert_ok(move(b.w, "a", 100, &b.e), &b.e);
    owe(&b, "b", 110);
    owe_note(&b, "{}");
    for (unsigned nth = 1; nth <= 4; nth++) {
        fake_store_fail_at(b.store, FAKE_STORE_PUT, nth, ERR_IO);
        assert_err(watermarks_commit_due(b.w, &b.e), ERR_IO, &b.e);
        assert_lake(&b, "c1", " a:100");
        assert_u64_eq(data_files(&b), 1);
    }
    assert_ok(watermarks_commit_due(b.w, &b.e), &b.e);
    assert_lake(&b, "c1", " a:100 b:110 {}");
    bed_deinit(&b);
}

/* The steps of a commit together with tables, which the table here stands for. */
static enum err_code commit_with(struct bed *b, uint64_t offset, bool others_come_first)
{
    const struct watermark_update update = {.schema = "shop", .table = "a"};
    const struct log_place place = at(offset);
    struct watermarks_move m = {.updates = &update, .update_count = 1, .at = &place};
    struct catalog_commit_item item;

    ERR_TRY(watermarks_prepare(b->w, &m, &b->e));
    if (!watermarks_item(&m, &item)) {
        return ERR_OK;
    }
    if (others_come_first) {
        assert_ok(move(b->other, "x", offset, &b->e), &b->e);
    }
    enum err_code rc = catalog_commit_all(b->catalog, &item, 1, &b->e);

    return watermarks_settle(b->w, &m, &item, rc, &b->e);
}

TEST(test_watermarks_commit__goes_with_commits_of_tables)
{
    struct bed b;

    bed_init(&b);
    assert_ok(commit_with(&b, 100, false), &b.e);
    assert_ok(commit_with(&b, 100, false), &b.e);
    assert_u64_eq(snapshots(&b), 1);
    owe(&b, "b", 90);
    assert_ok(commit_with(&b, 200, true), &b.e);
    assert_lake(&b, "c1", " a:200 b:90");
    assert_lake(&b, "c2", " x:200");
    assert_u64_eq(data_files(&b), 3);
    fake_store_fail_at(b.store, FAKE_STORE_PUT, 1, ERR_IO);
    assert_err(commit_with(&b, 300, false), ERR_IO, &b.e);
    assert_non_null(strstr(b.e.msg, "moving the watermarks to b.000002:300"));
    assert_lake(&b, "c1", " a:200 b:90");
    assert_ok(commit_with(&b, 300, false), &b.e);
    assert_lake(&b, "c1", " a:300 b:90");
    bed_deinit(&b);
}

TEST(test_watermarks_commit__gives_up_when_a_table_failed)
{
    const struct watermark_update update = {.schema = "shop", .table = "a"};
    const struct log_place place = at(200);
    struct watermarks_move m = {.updates = &update, .update_count = 1, .at = &place};
    struct bed b;

    bed_init(&b);
    assert_ok(move(b.w, "a", 100, &b.e), &b.e);
    owe(&b, "b", 110);
    assert_ok(watermarks_prepare(b.w, &m, &b.e), &b.e);
    watermarks_give_up(&m);
    watermarks_give_up(&m);
    assert_lake(&b, "c1", " a:100");
    assert_u64_eq(data_files(&b), 1);
    assert_ok(watermarks_commit_due(b.w, &b.e), &b.e);
    assert_lake(&b, "c1", " a:100 b:110");
    bed_deinit(&b);
}

TEST(test_watermarks_commit__survives_every_failed_allocation)
{
    bool again = true;

    for (unsigned long nth = 1; again; nth++) {
        const struct watermark_update update = {.schema = "shop", .table = "b"};
        const char *const texts[WATERMARK_NOTES] = {[WATERMARK_NOTE_SCHEMA] = "{}"};
        const struct log_place place = at(110);
        struct bed b;

        bed_init(&b);
        assert_ok(move(b.w, "a", 100, &b.e), &b.e);
        torture_fail_at(nth);
        enum err_code rc = watermarks_owe(b.w, &update, &place, &b.e);

        if (rc == ERR_OK) {
            rc = watermarks_owe_notes(b.w, texts, &b.e);
        }
        if (rc == ERR_OK) {
            rc = watermarks_commit_due(b.w, &b.e);
        }
        again = torture_hit();
        torture_fail_at(0);
        if (rc == ERR_OK) {
            assert_lake(&b, "c1", " a:100 b:110 {}");
        } else {
            assert_int_equal(rc, ERR_NOMEM);
        }
        bed_deinit(&b);
    }
}

TEST_MAIN(test_case(test_watermarks_commit__makes_the_table_when_something_is_due),
          test_case(test_watermarks_commit__takes_what_is_due_along),
          test_case(test_watermarks_commit__merges_with_what_another_process_wrote),
          test_case(test_watermarks_commit__keeps_what_is_due_until_it_is_through),
          test_case(test_watermarks_commit__goes_with_commits_of_tables),
          test_case(test_watermarks_commit__gives_up_when_a_table_failed),
          test_case(test_watermarks_commit__survives_every_failed_allocation))
