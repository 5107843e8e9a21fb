#include "glue_world.h"

/* ---- creation ---- */

TEST(test_glue__makes_the_database_and_the_table)
{
    struct world w;
    char location[256];

    world_init(&w);
    w.options.database_location = "s3://lake/";
    w.options.catalog_id = "123456789012";
    world_open(&w);
    assert_ok(lake_create(w.catalog, lake_orders, LAKE_LOCATION, &w.e), &w.e);
    assert_sent(&w, "CatalogId", "\"123456789012\"");
    assert_sent(&w, "DatabaseName", "\"shop\"");
    assert_sent(&w, "VersionId", "nothing");
    assert_parameter(&w, "table_type", "ICEBERG");
    assert_parameter(&w, "previous_metadata_location", "");
    assert_parameter(&w, "calve.schema", "shop");
    assert_parameter(&w, "calve.table", "orders");
    glue_parameter(&w, "orders", "metadata_location", location);
    assert_true(fake_store_has(w.store, location));
    assert_int_equal(metadata_files(&w), 1);
    fake_glue_lock(&w.glue);
    json_t *database = json_object_get(json_object_get(w.glue.databases, "shop"), "Input");

    assert_string_equal(fake_glue_str(database, "LocationUri"), "s3://lake/shop");
    fake_glue_unlock(&w.glue);
    assert_ok(catalog_load(w.catalog, lake_orders, &w.table, &w.e), &w.e);
    assert_string_equal(w.table.metadata_location, location);
    assert_string_equal(iceberg_metadata_location(w.table.metadata), LAKE_LOCATION);
    world_deinit(&w);
}

TEST(test_glue__needs_no_right_to_make_a_database_that_is_there)
{
    struct world w;

    world_init(&w);
    world_open(&w);
    glue_add_database(&w, "shop");
    FAKE_GLUE_PLAN(&w.glue, "CreateDatabase", FAKE_GLUE_REFUSE, .code = "AccessDeniedException");
    assert_ok(lake_create(w.catalog, lake_orders, LAKE_LOCATION, &w.e), &w.e);
    /* Nor to look at it. */
    FAKE_GLUE_PLAN(&w.glue, "GetDatabase", FAKE_GLUE_REFUSE, .code = "AccessDeniedException");
    assert_ok(lake_create(w.catalog, (struct table_ident){"shop", "items"},
                          "file:///lake/shop/items", &w.e),
              &w.e);
    world_deinit(&w);
}

TEST(test_glue__meets_others_who_make_the_database)
{
    static const char *const codes[] = {"AlreadyExistsException",
                                        "ConcurrentModificationException"};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct world w;

        world_init(&w);
        world_open(&w);
        FAKE_GLUE_PLAN(&w.glue, "CreateDatabase", FAKE_GLUE_REFUSE_DONE, .code = codes[i]);
        assert_ok(lake_create(w.catalog, lake_orders, LAKE_LOCATION, &w.e), &w.e);
        world_deinit(&w);
    }
}

TEST(test_glue__says_when_it_may_not_make_the_database)
{
    struct world w;

    world_init(&w);
    world_open(&w);
    FAKE_GLUE_PLAN(&w.glue, "CreateDatabase", FAKE_GLUE_REFUSE, .code = "AccessDeniedException",
                   .message = "Insufficient Lake Formation permission(s): Required Create Database "
                              "on Catalog");
    assert_err(lake_create(w.catalog, lake_orders, LAKE_LOCATION, &w.e), ERR_CONFIG, &w.e);
    assert_non_null(strstr(w.e.msg, "the database shop is not in Glue"));
    assert_non_null(strstr(w.e.msg, "Create database on the catalog, to make shop"));
    assert_int_equal(fake_store_count(w.store, ""), 0);
    world_deinit(&w);
}

TEST(test_glue__creates_what_is_not_there_only)
{
    struct world w;

    world_fill(&w);
    assert_err(lake_create(w.catalog, lake_orders, LAKE_LOCATION, &w.e), ERR_EXISTS, &w.e);
    assert_int_equal(metadata_files(&w), 1);
    glue_add(&w, "clicks", "HUDI");
    assert_err(lake_create(w.catalog, (struct table_ident){"shop", "clicks"},
                           "file:///lake/shop/clicks", &w.e),
               ERR_EXISTS, &w.e);
    assert_int_equal(fake_store_count(w.store, "file:///lake/shop/clicks"), 0);
    world_deinit(&w);
}

TEST(test_glue__settles_creations_without_an_answer)
{
    static const struct {
        struct fake_glue_plan plan;
        enum err_code rc;
        size_t files; /* of metadata: one that may have become current stays */
    } cases[] = {
        {TURN("CreateTable", FAKE_GLUE_LOST), ERR_IO, 1},
        {TURN("CreateTable", FAKE_GLUE_LOST_DONE), ERR_OK, 1},
        {TURN("CreateTable", FAKE_GLUE_TWICE), ERR_OK, 1},
        {TURN("CreateTable", FAKE_GLUE_STALL_DONE), ERR_OK, 1},
        {TURN("CreateTable", FAKE_GLUE_REFUSE, .code = "InternalServiceException"), ERR_IO, 1},
        {TURN("CreateTable", FAKE_GLUE_REFUSE_DONE, .code = "InternalServiceException"), ERR_OK, 1},
        {TURN("CreateTable", FAKE_GLUE_REFUSE, .code = "OperationTimeoutException"), ERR_IO, 1},
        {TURN("CreateTable", FAKE_GLUE_REFUSE_DONE, .code = "OperationTimeoutException"), ERR_OK,
         1},
        {TURN("CreateTable", FAKE_GLUE_REFUSE, .code = "ThrottlingException", .times = 3), ERR_OK,
         1},
        {TURN("CreateTable", FAKE_GLUE_REFUSE, .code = "ConcurrentModificationException"), ERR_IO,
         0},
        {TURN("CreateTable", FAKE_GLUE_REFUSE, .code = "ResourceNumberLimitExceededException"),
         ERR_LIMIT, 0},
        {TURN("CreateTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException"), ERR_CONFIG, 0},
        {TURN("CreateTable", FAKE_GLUE_REFUSE, .code = "EntityNotFoundException"), ERR_NOT_FOUND,
         0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;

        world_init_for(&w, cases[i].plan.turn);
        world_open(&w);
        fake_glue_plan(&w.glue, cases[i].plan);
        enum err_code rc = lake_create(w.catalog, lake_orders, LAKE_LOCATION, &w.e);

        if (rc != cases[i].rc || metadata_files(&w) != cases[i].files) {
            fail_msg("case %zu: %s and %zu files: %s", i, err_code_name(rc), metadata_files(&w),
                     w.e.msg);
        }
        assert_true(rc != ERR_IO || w.e.retryable);
        if (rc == ERR_OK) {
            assert_ok(catalog_load(w.catalog, lake_orders, &w.table, &w.e), &w.e);
        }
        world_deinit(&w);
    }
}

/* ---- names ---- */

TEST(test_glue__writes_names_in_lower_case)
{
    struct world w;
    struct table_ident mixed = {"Shop", "Orders"};

    world_init(&w);
    world_open(&w);
    assert_true(catalog_folds_case(w.catalog));
    assert_ok(lake_create(w.catalog, mixed, LAKE_LOCATION, &w.e), &w.e);
    assert_parameter(&w, "calve.schema", "Shop");
    assert_parameter(&w, "calve.table", "Orders");
    assert_ok(catalog_load(w.catalog, mixed, &w.table, &w.e), &w.e);
    world_deinit(&w);
}

TEST(test_glue__tells_two_tables_apart_that_meet_in_one_name)
{
    struct world w;
    struct table_ident other = {"shop", "Orders"};
    struct catalog_table table;

    world_fill(&w);
    assert_err(catalog_load(w.catalog, other, &table, &w.e), ERR_CONFIG, &w.e);
    assert_non_null(strstr(w.e.msg, "made for shop.orders"));
    assert_non_null(strstr(w.e.msg, "shop.Orders"));
    assert_err(lake_create(w.catalog, other, "file:///lake/shop/Orders", &w.e), ERR_EXISTS, &w.e);
    assert_int_equal(fake_store_count(w.store, "file:///lake/shop/Orders"), 0);
    /* As the message says. */
    glue_set(&w, "calve.table", "Orders");
    assert_ok(catalog_load(w.catalog, other, &table, &w.e), &w.e);
    catalog_table_deinit(&table);
    world_deinit(&w);
}

TEST(test_glue__refuses_names_that_athena_cannot_read)
{
    char longest[256];
    char longer[257];

    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    const struct {
        const char *ns;
        const char *name;
        bool any;
        enum err_code rc;
        const char *part;
    } cases[] = {
        {"shop", "orders_2024", false, ERR_NOT_FOUND, ""},
        {"SHOP", "Z9_", false, ERR_NOT_FOUND, ""},
        {longest, longest, false, ERR_NOT_FOUND, ""},
        {"shop", "my-orders", false, ERR_CONFIG, "has '-'"},
        {"my-shop", "orders", false, ERR_CONFIG, "table my-shop.orders"},
        {"shop", "a b", false, ERR_CONFIG, "glue.skip-name-validation"},
        {"shop", "caf\xc3\xa9", false, ERR_CONFIG, "has '\xc3\xa9'"},
        {"shop", "a\xff", false, ERR_CONFIG, "has '\xff'"},
        {"shop", "", false, ERR_CONFIG, "is empty"},
        {"shop", longer, false, ERR_CONFIG, "is longer"},
        {"my-shop", "caf\xc3\xa9", true, ERR_NOT_FOUND, ""},
        {"shop", "", true, ERR_CONFIG, "is empty"},
        {"shop", longer, true, ERR_CONFIG, "is longer"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct table_ident id = {cases[i].ns, cases[i].name};
        struct catalog_table table = {0};
        char *location = NULL;

        world_fill(&w);
        world_close(&w);
        w.options.any_name = cases[i].any;
        world_open(&w);
        unsigned requests = fake_http_requests(w.glue.server);
        enum err_code rc = catalog_load(w.catalog, id, &table, &w.e);

        if (rc != cases[i].rc || strstr(w.e.msg, cases[i].part) == NULL) {
            fail_msg("case %zu: %s: %s", i, err_code_name(rc), w.e.msg);
        }
        if (rc == ERR_CONFIG) {
            size_t files = fake_store_count(w.store, "");

            assert_err(lake_create(w.catalog, id, "file:///lake/x", &w.e), ERR_CONFIG, &w.e);
            assert_ok(catalog_load(w.catalog, lake_orders, &w.table, &w.e), &w.e);
            requests++;
            assert_err(lake_swap(w.catalog, id, &w.table, w.table.metadata, &location, &w.e),
                       ERR_CONFIG, &w.e);
            assert_null(location);
            assert_int_equal(fake_store_count(w.store, ""), files);
            assert_int_equal(fake_http_requests(w.glue.server), requests);
        }
        world_deinit(&w);
    }
}

/* ---- looking ---- */

TEST(test_glue__says_why_a_table_cannot_be_loaded)
{
    static const struct {
        struct fake_glue_plan plan;
        enum err_code rc;
        const char *part;
    } cases[] = {
        {TURN("GetTable", FAKE_GLUE_REFUSE, .code = "EntityNotFoundException"), ERR_NOT_FOUND,
         "shop.orders"},
        {TURN("GetTable", FAKE_GLUE_REFUSE, .code = "com.amazonaws.glue#EntityNotFoundException"),
         ERR_NOT_FOUND, "shop.orders"},
        {TURN("GetTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException",
              .message = "Insufficient Lake Formation permission(s): Required Describe on orders"),
         ERR_CONFIG, "Describe on the table shop.orders"},
        {TURN("GetTable", FAKE_GLUE_REFUSE, .code = "InvalidInputException"), ERR_CONFIG,
         "glue.id"},
        {TURN("GetTable", FAKE_GLUE_REFUSE, .code = "OperationTimeoutException", .times = 1000000),
         ERR_TIMEOUT, "shop.orders"},
        {TURN("GetTable", FAKE_GLUE_BODY, .status = 404, .message = "<html>not here</html>"),
         ERR_CONFIG, "glue.endpoint"},
        {TURN("GetTable", FAKE_GLUE_BODY, .message = "<html>welcome</html>"), ERR_CORRUPT,
         "glue.endpoint"},
        {TURN("GetTable", FAKE_GLUE_BODY, .message = "{}"), ERR_CORRUPT, "glue.endpoint"},
        {TURN("GetTable", FAKE_GLUE_BODY, .message = "{\"Table\":{}}"), ERR_CONFIG,
         "no Iceberg table"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct catalog_table table;

        world_fill(&w);
        fake_glue_plan(&w.glue, cases[i].plan);
        enum err_code rc = catalog_load(w.catalog, lake_orders, &table, &w.e);

        if (rc != cases[i].rc || strstr(w.e.msg, cases[i].part) == NULL) {
            fail_msg("case %zu: %s: %s", i, err_code_name(rc), w.e.msg);
        }
        world_deinit(&w);
    }
}

TEST(test_glue__looks_again_when_that_may_help)
{
    static const struct fake_glue_plan plans[] = {
        TURN("GetTable", FAKE_GLUE_LOST, .times = 2),
        TURN("GetTable", FAKE_GLUE_REFUSE, .code = "ThrottlingException", .times = 3),
        TURN("GetTable", FAKE_GLUE_REFUSE, .code = "InternalServiceException", .times = 2),
    };

    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct world w;
        struct catalog_table table;

        world_fill(&w);
        fake_glue_plan(&w.glue, plans[i]);
        assert_ok(catalog_load(w.catalog, lake_orders, &table, &w.e), &w.e);
        catalog_table_deinit(&table);
        assert_true(w.time.slept_us > 0);
        world_deinit(&w);
    }
}

TEST(test_glue__follows_a_table_that_moves_on)
{
    struct world w;
    struct catalog_table table;

    world_fill(&w);
    /* The next look finds what another writer made current, and its file is the only one. */
    fake_glue_lock(&w.glue);
    (void)snprintf(w.glue.staged, sizeof w.glue.staged, "%s", LAKE_LOCATION "/metadata/moved");
    fake_glue_unlock(&w.glue);
    assert_true(fake_store_set(w.store, LAKE_LOCATION "/metadata/moved",
                               fake_store_peek(w.store, w.table.metadata_location)));
    assert_ok(store_remove(w.store, w.table.metadata_location, &w.e), &w.e);
    FAKE_GLUE_PLAN(&w.glue, "GetTable", FAKE_GLUE_ANSWER);
    FAKE_GLUE_PLAN(&w.glue, "GetTable", FAKE_GLUE_OTHER_FIRST);
    assert_ok(catalog_load(w.catalog, lake_orders, &table, &w.e), &w.e);
    assert_string_equal(table.metadata_location, LAKE_LOCATION "/metadata/moved");
    catalog_table_deinit(&table);
    assert_ok(store_remove(w.store, LAKE_LOCATION "/metadata/moved", &w.e), &w.e);
    assert_err(catalog_load(w.catalog, lake_orders, &table, &w.e), ERR_CORRUPT, &w.e);
    assert_non_null(strstr(w.e.msg, "/metadata/moved"));
    world_deinit(&w);
}

static enum err_code note_name(void *ctx, struct table_ident id, struct err *e)
{
    char *out = ctx;

    (void)e;
    (void)snprintf(out + strlen(out), 256 - strlen(out), " %s.%s", id.ns, id.name);
    return ERR_OK;
}

static enum err_code refuse_name(void *ctx, struct table_ident id, struct err *e)
{
    (void)ctx;
    return err_set(e, ERR_LIMIT, "enough at %s", id.name);
}

static void assert_list(struct world *w, const char *ns, const char *want)
{
    char got[256] = "";

    assert_ok(catalog_list(w->catalog, ns, note_name, got, &w->e), &w->e);
    assert_string_equal(got, want);
}

TEST(test_glue__lists_iceberg_tables)
{
    struct world w;

    world_init(&w);
    world_open(&w);
    assert_err(catalog_list(w.catalog, "shop", refuse_name, NULL, &w.e), ERR_NOT_FOUND, &w.e);
    assert_err(catalog_list(w.catalog, "my-shop", refuse_name, NULL, &w.e), ERR_NOT_FOUND, &w.e);
    assert_non_null(strstr(w.e.msg, "my-shop"));
    glue_add_database(&w, "shop");
    assert_list(&w, "shop", "");
    glue_add(&w, "zebra", "iceberg");
    glue_add(&w, "hive", "");
    glue_add(&w, "apple", "ICEBERG");
    glue_add(&w, "mango", "Iceberg");
    assert_ok(lake_create(w.catalog, (struct table_ident){"Shop", "Mixed"},
                          "file:///lake/shop/Mixed", &w.e),
              &w.e);
    for (size_t page = 1; page < 7; page++) {
        fake_glue_lock(&w.glue);
        w.glue.page = page;
        fake_glue_unlock(&w.glue);
        assert_list(&w, "shop", " shop.apple shop.mango shop.zebra");
        assert_list(&w, "Shop", " Shop.Mixed Shop.apple Shop.mango Shop.zebra");
    }
    assert_err(catalog_list(w.catalog, "shop", refuse_name, NULL, &w.e), ERR_LIMIT, &w.e);
    assert_non_null(strstr(w.e.msg, "enough at apple"));
    FAKE_GLUE_PLAN(&w.glue, "GetTables", FAKE_GLUE_REFUSE, .code = "AccessDeniedException");
    assert_err(catalog_list(w.catalog, "shop", refuse_name, NULL, &w.e), ERR_CONFIG, &w.e);
    FAKE_GLUE_PLAN(&w.glue, "GetTables", FAKE_GLUE_BODY, .message = "{}");
    assert_err(catalog_list(w.catalog, "shop", refuse_name, NULL, &w.e), ERR_CORRUPT, &w.e);
    world_deinit(&w);
}

TEST(test_glue__does_not_turn_pages_for_ever)
{
    struct world w;

    world_init(&w);
    world_open(&w);
    FAKE_GLUE_PLAN(&w.glue, "GetTables", FAKE_GLUE_BODY,
                   .message = "{\"TableList\":[],\"NextToken\":\"again\"}", .times = 1000000);
    assert_err(catalog_list(w.catalog, "shop", refuse_name, NULL, &w.e), ERR_LIMIT, &w.e);
    assert_sent(&w, "NextToken", "\"again\"");
    assert_sent(&w, "MaxResults", "100");
    world_deinit(&w);
}

/* ---- drop ---- */

TEST(test_glue__drops_the_table_and_leaves_its_files)
{
    static const struct {
        struct fake_glue_plan plan;
        enum err_code rc;
        bool gone;
    } cases[] = {
        {TURN("DeleteTable", FAKE_GLUE_ANSWER), ERR_OK, true},
        {TURN("DeleteTable", FAKE_GLUE_LOST), ERR_OK, true},
        {TURN("DeleteTable", FAKE_GLUE_LOST_DONE), ERR_OK, true},
        {TURN("DeleteTable", FAKE_GLUE_REFUSE, .code = "EntityNotFoundException"), ERR_NOT_FOUND,
         false},
        {TURN("DeleteTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException",
              .message = "Insufficient Lake Formation permission(s): Required Drop on orders"),
         ERR_CONFIG, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct catalog_table table = {0};

        world_fill(&w);
        fake_glue_plan(&w.glue, cases[i].plan);
        enum err_code rc = catalog_drop(w.catalog, lake_orders, &w.e);

        if (rc != cases[i].rc) {
            fail_msg("case %zu: %s: %s", i, err_code_name(rc), w.e.msg);
        }
        assert_true(rc != ERR_CONFIG || strstr(w.e.msg, "Drop on the table shop.orders") != NULL);
        rc = catalog_load(w.catalog, lake_orders, &table, &w.e);
        assert_int_equal(rc, cases[i].gone ? ERR_NOT_FOUND : ERR_OK);
        catalog_table_deinit(&table);
        assert_int_equal(metadata_files(&w), 1);
        world_deinit(&w);
    }
}

TEST(test_glue__drops_only_what_it_could_have_made)
{
    struct world w;
    struct table_ident clicks = {"shop", "clicks"};

    world_fill(&w);
    glue_add(&w, "clicks", "HUDI");
    assert_err(catalog_drop(w.catalog, clicks, &w.e), ERR_CONFIG, &w.e);
    assert_err(catalog_drop(w.catalog, (struct table_ident){"shop", "Orders"}, &w.e), ERR_CONFIG,
               &w.e);
    assert_err(catalog_drop(w.catalog, (struct table_ident){"shop", "items"}, &w.e), ERR_NOT_FOUND,
               &w.e);
    fake_glue_lock(&w.glue);
    size_t tables = json_object_size(fake_glue_tables(&w.glue, "shop"));

    fake_glue_unlock(&w.glue);
    assert_int_equal(tables, 2);
    world_deinit(&w);
}

/* ---- memory ---- */

TEST(test_glue__survives_every_failed_allocation)
{
    struct world w;
    enum err_code rc = ERR_OK;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);

    world_close(&w);
    TORTURE(nth)
    {
        char *location = NULL;
        char names[256] = "";
        char path[64];
        struct err e = {0};

        (void)snprintf(path, sizeof path, "file:///lake/shop/t%lu", nth);
        rc = catalog_glue_open(&w.options, &w.catalog, &e);
        if (rc == ERR_OK) {
            rc = catalog_load(w.catalog, lake_orders, &w.table, &e);
        }
        if (rc == ERR_OK) {
            rc = lake_create(w.catalog, (struct table_ident){"Shop", strrchr(path, '/') + 1}, path,
                             &e);
        }
        if (rc == ERR_OK) {
            rc = lake_swap(w.catalog, lake_orders, &w.table, next, &location, &e);
        }
        if (rc == ERR_OK) {
            rc = catalog_list(w.catalog, "shop", note_name, names, &e);
        }
        /* ERR_UNKNOWN: there was no memory for the answer. */
        if (rc != ERR_OK && rc != ERR_NOMEM && rc != ERR_UNKNOWN) {
            fail_msg("allocation %lu: %s: %s", nth, err_code_name(rc), e.msg);
        }
        free(location);
        world_close(&w);
    }
    assert_int_equal(rc, ERR_OK);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

TEST_MAIN(test_case(test_glue__makes_the_database_and_the_table),
          test_case(test_glue__needs_no_right_to_make_a_database_that_is_there),
          test_case(test_glue__meets_others_who_make_the_database),
          test_case(test_glue__says_when_it_may_not_make_the_database),
          test_case(test_glue__creates_what_is_not_there_only),
          test_case(test_glue__settles_creations_without_an_answer),
          test_case(test_glue__writes_names_in_lower_case),
          test_case(test_glue__tells_two_tables_apart_that_meet_in_one_name),
          test_case(test_glue__refuses_names_that_athena_cannot_read),
          test_case(test_glue__says_why_a_table_cannot_be_loaded),
          test_case(test_glue__looks_again_when_that_may_help),
          test_case(test_glue__follows_a_table_that_moves_on),
          test_case(test_glue__lists_iceberg_tables),
          test_case(test_glue__does_not_turn_pages_for_ever),
          test_case(test_glue__drops_the_table_and_leaves_its_files),
          test_case(test_glue__drops_only_what_it_could_have_made),
          test_case(test_glue__survives_every_failed_allocation))
