/* Tables of S3 Tables, which says where they are. */
#include "glue_world.h"

static void world_init_managed(struct world *w)
{
    world_init(w);
    fake_glue_lock(&w->glue);
    w->glue.managed = true;
    fake_glue_unlock(&w->glue);
    w->options.catalog_id = "123456789012:s3tablescatalog/lake";
    w->options.database_location = "s3://lake";
    world_open(w);
}

TEST(test_glue_managed__creates_where_s3_tables_wants_it)
{
    struct world w;

    world_init_managed(&w);
    assert_ok(lake_create(w.catalog, lake_orders, "", &w.e), &w.e);
    assert_sent(&w, "CatalogId", "\"123456789012:s3tablescatalog/lake\"");
    assert_ok(catalog_load(w.catalog, lake_orders, &w.table, &w.e), &w.e);
    assert_string_equal(iceberg_metadata_location(w.table.metadata), FAKE_GLUE_PLACE);
    assert_true(str_starts_with(w.table.metadata_location, FAKE_GLUE_PLACE "/metadata/00000-"));
    assert_int_equal(fake_store_count(w.store, FAKE_GLUE_PLACE), 1);
    assert_int_equal(fake_store_count(w.store, ""), 1);
    assert_parameter(&w, "table_type", "ICEBERG");
    assert_parameter(&w, "format", "ICEBERG");
    assert_parameter(&w, "calve.table", "orders");
    fake_glue_lock(&w.glue);
    json_t *database = json_object_get(json_object_get(w.glue.databases, "shop"), "Input");

    assert_null(json_object_get(database, "LocationUri"));
    fake_glue_unlock(&w.glue);
    assert_err(lake_create(w.catalog, lake_orders, "", &w.e), ERR_EXISTS, &w.e);
    assert_err(lake_create(w.catalog, (struct table_ident){"shop", "items"}, LAKE_LOCATION, &w.e),
               ERR_CONFIG, &w.e);
    assert_non_null(strstr(w.e.msg, "S3_BUCKET"));
    assert_int_equal(fake_store_count(w.store, ""), 1);
    world_deinit(&w);
}

TEST(test_glue_managed__goes_on_with_a_creation_that_did_not_end)
{
    static const struct {
        struct fake_glue_plan plan;
        enum err_code rc;
        bool done;
        size_t files;
    } cases[] = {
        {TURN("CreateTable", FAKE_GLUE_TWICE), ERR_OK, true, 1},
        {TURN("CreateTable", FAKE_GLUE_LOST), ERR_OK, true, 1},
        {TURN("CreateTable", FAKE_GLUE_LOST_DONE), ERR_OK, true, 1},
        {TURN("CreateTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException"), ERR_CONFIG, false,
         0},
        {TURN("GetTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException"), ERR_CONFIG, false, 0},
        {TURN("UpdateTable", FAKE_GLUE_LOST_DONE), ERR_OK, true, 1},
        {TURN("UpdateTable", FAKE_GLUE_TWICE), ERR_OK, true, 1},
        {TURN("UpdateTable", FAKE_GLUE_LOST), ERR_IO, false, 1},
        {TURN("UpdateTable", FAKE_GLUE_TOUCH_FIRST), ERR_IO, false, 0},
        {TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException"), ERR_CONFIG, false,
         0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct catalog_table table;

        world_init_managed(&w);
        fake_glue_plan(&w.glue, cases[i].plan);
        enum err_code rc = lake_create(w.catalog, lake_orders, "", &w.e);

        if (rc != cases[i].rc || fake_store_count(w.store, "") != cases[i].files) {
            fail_msg("case %zu: %s and %zu files: %s", i, err_code_name(rc),
                     fake_store_count(w.store, ""), w.e.msg);
        }
        assert_true(rc != ERR_IO || w.e.retryable);
        if (!cases[i].done) {
            assert_err(catalog_load(w.catalog, lake_orders, &table, &w.e), ERR_NOT_FOUND, &w.e);
            assert_ok(lake_create(w.catalog, lake_orders, "", &w.e), &w.e);
        }
        assert_ok(catalog_load(w.catalog, lake_orders, &table, &w.e), &w.e);
        catalog_table_deinit(&table);
        world_deinit(&w);
    }
}

TEST(test_glue_managed__drops_what_has_no_metadata_yet)
{
    struct world w;

    world_init_managed(&w);
    FAKE_GLUE_PLAN(&w.glue, "UpdateTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException");
    assert_err(lake_create(w.catalog, lake_orders, "", &w.e), ERR_CONFIG, &w.e);
    assert_ok(catalog_drop(w.catalog, lake_orders, &w.e), &w.e);
    assert_err(catalog_drop(w.catalog, lake_orders, &w.e), ERR_NOT_FOUND, &w.e);
    world_deinit(&w);
}

TEST(test_glue_managed__says_when_s3_tables_gives_no_place)
{
    struct world w;

    world_init_managed(&w);
    fake_glue_lock(&w.glue);
    w.glue.managed = false;
    fake_glue_unlock(&w.glue);
    assert_err(lake_create(w.catalog, lake_orders, "", &w.e), ERR_UNSUPPORTED, &w.e);
    assert_non_null(strstr(w.e.msg, "glue.id"));
    assert_int_equal(fake_store_count(w.store, ""), 0);
    world_deinit(&w);
}

TEST(test_glue_managed__survives_every_failed_allocation_with_s3_tables)
{
    struct world w;
    enum err_code rc = ERR_OK;

    world_init_managed(&w);
    TORTURE(nth)
    {
        char name[24];
        struct err e = {0};

        (void)snprintf(name, sizeof name, "t%lu", nth);
        rc = lake_create(w.catalog, (struct table_ident){"shop", name}, "", &e);
        if (rc != ERR_OK && rc != ERR_NOMEM && rc != ERR_UNKNOWN) {
            fail_msg("allocation %lu: %s: %s", nth, err_code_name(rc), e.msg);
        }
    }
    assert_int_equal(rc, ERR_OK);
    world_deinit(&w);
}

TEST_MAIN(test_case(test_glue_managed__creates_where_s3_tables_wants_it),
          test_case(test_glue_managed__goes_on_with_a_creation_that_did_not_end),
          test_case(test_glue_managed__drops_what_has_no_metadata_yet),
          test_case(test_glue_managed__says_when_s3_tables_gives_no_place),
          test_case(test_glue_managed__survives_every_failed_allocation_with_s3_tables))
