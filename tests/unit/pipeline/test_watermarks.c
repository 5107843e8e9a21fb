#include "pipeline/watermarks.h"

#include <stdio.h>

#include "base/str.h"
#include "fake_clock.h"
#include "pipeline/changelog.h"
#include "temp_folder.h"
#include "test.h"

#define UUID_A "53254cee-e914-11f1-9485-02fc00000001"
#define UUID_B "00000000-e914-11f1-9485-02fc00000001"
#define GTIDS  "53254cee-e914-11f1-9485-02fc00000001:1-9"

struct fixture {
    struct temp_folder folder;
    struct fake_clock time;
    struct store *store;
    struct catalog *catalog;
    struct watermarks *w;
    char location[160];
};

static void open_as(struct fixture *f, int64_t server_id)
{
    struct err e = {0};

    assert_ok(watermarks_new(&(struct watermarks_options){.catalog = f->catalog,
                                                          .store = f->store,
                                                          .location = f->location,
                                                          .connection = "c1",
                                                          .server_id = server_id,
                                                          .zstd_level = 1,
                                                          .retention = {.keep_count = 20},
                                                          .clock = fake_clock(&f->time)},
                             &f->w, &e),
              &e);
    assert_ok(watermarks_load(f->w, true, &e), &e);
}

static void set_up(struct fixture *f)
{
    char db[160];
    struct err e = {0};

    temp_folder_init(&f->folder);
    f->time = (struct fake_clock){.wall_us = INT64_C(1795640905254000)};
    (void)snprintf(db, sizeof db, "%s/catalog.db", f->folder.path);
    (void)snprintf(f->location, sizeof f->location, "file://%s/marks", f->folder.path);
    assert_ok(store_local_new(&f->store, &e), &e);
    assert_ok(catalog_sqlite_open(&(struct catalog_sqlite_options){.path = db,
                                                                   .name = "default",
                                                                   .store = f->store,
                                                                   .clock = fake_clock(&f->time)},
                                  &f->catalog, &e),
              &e);
    open_as(f, 1);
}

static void tear_down(struct fixture *f)
{
    watermarks_free(f->w);
    catalog_free(f->catalog);
    store_free(f->store);
    temp_remove(f->folder.path);
}

/* Our own row of shop.orders, and the note of its place. */
static void mark(struct fixture *f, const char *source, uint64_t offset)
{
    const struct watermark_update update = {.schema = "shop", .table = "orders"};
    const struct log_place at = {
        .source = source, .position = {"b.000002", offset}, .gtids = GTIDS};
    struct err e = {0};

    assert_ok(watermarks_commit(f->w, &update, 1, &at, &e), &e);
}

static const struct log_place ours = {
    .source = UUID_A, .position = {"b.000002", 100}, .gtids = GTIDS};

TEST(test_watermarks__tells_another_programs_row_from_its_own)
{
    static const struct {
        const char *last;   /* the server that our own row is of; NULL: there is none */
        const char *source; /* that is followed now; "": nobody has asked */
        uint64_t own;
        uint64_t row;
        bool by_gtids;
        enum err_code rc;
        enum watermark_standing standing;
    } cases[] = {
        {UUID_A, UUID_A, 200, 200, true, ERR_OK, WATERMARK_LATER},
        {UUID_A, UUID_A, 200, 200, false, ERR_OK, WATERMARK_LATER},
        {UUID_A, UUID_A, 100, 100, true, ERR_OK, WATERMARK_NOT_LATER},
        {UUID_A, UUID_A, 50, 50, true, ERR_OK, WATERMARK_NOT_LATER},
        {UUID_A, UUID_A, 200, 201, true, ERR_OK, WATERMARK_OTHERS},
        {UUID_A, UUID_A, 100, 201, true, ERR_OK, WATERMARK_OTHERS},
        {UUID_A, UUID_A, 100, 201, false, ERR_OK, WATERMARK_OTHERS},
        {UUID_A, UUID_A, 100, 99, true, ERR_OK, WATERMARK_NOT_LATER},
        {UUID_A, "", 100, 201, true, ERR_OK, WATERMARK_OTHERS},
        {NULL, UUID_A, 0, 201, true, ERR_OK, WATERMARK_OTHERS},
        /* At the checkpoint itself it does not matter whose it is. */
        {NULL, UUID_B, 0, 100, true, ERR_OK, WATERMARK_NOT_LATER},
        /* Of which server is it? */
        {UUID_A, UUID_B, 100, 201, true, ERR_SOURCE, WATERMARK_OTHERS},
        {UUID_B, UUID_A, 300, 201, true, ERR_SOURCE, WATERMARK_OTHERS},
        {UUID_B, UUID_B, 300, 301, true, ERR_SOURCE, WATERMARK_OTHERS},
        {NULL, UUID_B, 0, 99, true, ERR_SOURCE, WATERMARK_OTHERS},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        char schema[] = "shop";
        char table[] = "orders";
        struct watermark row = {
            .schema = schema, .table = table, .position = {"b.000002", cases[i].row}};
        struct log_place checkpoint = ours;
        enum watermark_standing standing = WATERMARK_OTHERS;
        struct err e = {0};

        set_up(&f);
        if (cases[i].last != NULL) {
            mark(&f, cases[i].last, cases[i].own);
        }
        checkpoint.gtids = cases[i].by_gtids ? GTIDS : NULL;
        enum err_code rc =
            watermarks_compare(f.w, &row, &checkpoint, cases[i].source, &standing, &e);

        if (rc != cases[i].rc || (rc == ERR_OK && standing != cases[i].standing)) {
            fail_msg("case %zu: %d, standing %d: %s", i, (int)rc, (int)standing, e.msg);
        }
        if (rc != ERR_OK) {
            assert_non_null(strstr(e.msg, "the watermark of shop.orders (b.000002:"));
            assert_non_null(strstr(e.msg, "was written by another program"));
        }
        tear_down(&f);
    }
}

TEST(test_watermarks__does_not_compare_with_a_mere_set)
{
    struct fixture f;
    char schema[] = "shop";
    char table[] = "orders";
    struct watermark row = {.schema = schema, .table = table, .position = {"b.000002", 201}};
    const struct log_place checkpoint = {.source = UUID_A, .gtids = GTIDS};
    enum watermark_standing standing;
    struct err e = {0};

    set_up(&f);
    assert_err(watermarks_compare(f.w, &row, &checkpoint, UUID_A, &standing, &e), ERR_SOURCE, &e);
    tear_down(&f);
}

/* Two servers have the same name for two places; our own rows stand at both. */
TEST(test_watermarks__takes_a_place_of_two_servers_for_its_own)
{
    struct fixture f;
    char schema[] = "shop";
    char table[] = "orders";
    struct watermark row = {.schema = schema, .table = table, .position = {"b.000002", 300}};
    struct log_place checkpoint = ours;
    enum watermark_standing standing;
    struct err e = {0};

    set_up(&f);
    mark(&f, UUID_A, 300);
    const struct watermark_update other = {.schema = "shop", .table = "items"};
    const struct log_place there = {
        .source = UUID_B, .position = {"b.000002", 300}, .gtids = GTIDS};

    assert_ok(watermarks_commit(f.w, &other, 1, &there, &e), &e);
    assert_ok(watermarks_compare(f.w, &row, &checkpoint, UUID_B, &standing, &e), &e);
    assert_int_equal(standing, WATERMARK_NOT_LATER);
    checkpoint.gtids = NULL;
    assert_ok(watermarks_compare(f.w, &row, &checkpoint, UUID_B, &standing, &e), &e);
    assert_int_equal(standing, WATERMARK_LATER);
    tear_down(&f);
}

static void set_property(struct fixture *f, const char *key, const char *value)
{
    const struct iceberg_property property = {key, value};
    struct catalog_commit_result result = {0};
    struct err e = {0};

    assert_ok(catalog_commit(f->catalog,
                             (struct table_ident){WATERMARKS_NAMESPACE, WATERMARKS_TABLE},
                             &(struct catalog_change){.change = {.properties = &property,
                                                                 .property_count = 1,
                                                                 .retention = {.keep_count = 20}}},
                             &result, &e),
              &e);
}

/* Rows of several processes are given one id; what is noted of their places keeps its old name. */
TEST(test_watermarks__knows_its_own_places_under_another_server_id)
{
    static const char noted[] =
        "{\"file\":\"b.000002\",\"pos\":300,\"source\":\"" UUID_A "\",\"gtid\":\"" GTIDS "\"}";
    static const struct {
        const char *key;
        uint64_t row;
        bool known;
    } cases[] = {
        {"calve.watermark.c1.2", 300, true},  {"calve.watermark.c1.2", 301, false},
        {"calve.watermark.c2.2", 300, false}, {"calve.watermark.c1.x.2", 300, false},
        {"calve.watermark.c1.", 300, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        const struct watermark_update update = {.schema = "shop", .table = "orders"};
        const struct log_place at = {.source = UUID_A, .position = {"b.000002", cases[i].row}};
        struct log_place found;
        struct err e = {0};

        set_up(&f);
        assert_ok(watermarks_commit(f.w, &update, 1, &at, &e), &e);
        /* The row as it would be with the id that it is looked for by: nobody noted its place. */
        set_property(&f, "calve.watermark.c1.1",
                     "{\"file\":\"b.000001\",\"pos\":4,\"source\":\"" UUID_A "\"}");
        set_property(&f, cases[i].key, noted);
        watermarks_free(f.w);
        open_as(&f, 1);
        const struct watermark *row = watermarks_find(f.w, "shop", "orders");

        assert_non_null(row);
        assert_int_equal(watermarks_place(f.w, &row->position, &found), cases[i].known);
        if (cases[i].known) {
            assert_string_equal(found.gtids, GTIDS);
        }
        tear_down(&f);
    }
}

TEST(test_watermarks__reports_a_note_that_is_none)
{
    struct fixture f;
    struct err e = {0};

    set_up(&f);
    mark(&f, UUID_A, 300);
    set_property(&f, "calve.watermark.c1.2", "{");
    assert_err(watermarks_load(f.w, false, &e), ERR_CORRUPT, &e);
    assert_non_null(strstr(e.msg, "the property calve.watermark.c1.2 cannot be read"));
    tear_down(&f);
}

TEST_MAIN(test_case(test_watermarks__tells_another_programs_row_from_its_own),
          test_case(test_watermarks__does_not_compare_with_a_mere_set),
          test_case(test_watermarks__knows_its_own_places_under_another_server_id),
          test_case(test_watermarks__reports_a_note_that_is_none),
          test_case(test_watermarks__takes_a_place_of_two_servers_for_its_own))
