#include "catalog/glue_int.h"
#include "glue_world.h"

/* The member of the last request's body, as JSON. */
static void assert_sent(struct world *w, const char *key, const char *want)
{
    fake_glue_lock(&w->glue);
    json_t *value = json_object_get(w->glue.last, key);
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    fake_glue_unlock(&w->glue);
    assert_string_equal(text == NULL ? "nothing" : text, want);
    free(text);
}

/* What others have in the database shop. */
static void glue_add(struct world *w, const char *name, const char *table_type)
{
    fake_glue_lock(&w->glue);
    json_t *input = json_pack("{s:s, s:s, s:{s:s}}", "Name", name, "TableType", "EXTERNAL_TABLE",
                              "Parameters", "table_type", table_type);

    fake_glue_put(&w->glue, "shop", input);
    fake_glue_unlock(&w->glue);
    json_decref(input);
}

static void glue_add_database(struct world *w, const char *name)
{
    fake_glue_lock(&w->glue);
    (void)json_object_set_new(w->glue.databases, name,
                              json_pack("{s:{s:s}, s:{}}", "Input", "Name", name, "Tables"));
    fake_glue_unlock(&w->glue);
}

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

        world_init(&w);
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
            assert_err(
                w.catalog->ops->swap(w.catalog, id, &w.table, w.table.metadata, &location, &w.e),
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

/* ---- swap ---- */

/* A metadata that follows the loaded one. */
static struct iceberg_metadata *next_of(struct world *w)
{
    struct iceberg_attempt *a = NULL;
    struct iceberg_property property = {"swapped", "yes"};
    struct iceberg_change change = {
        .properties = &property, .property_count = 1, .retention = {.keep_count = 10}};

    assert_ok(iceberg_attempt_prepare(
                  &(struct iceberg_attempt_options){.store = w->store,
                                                    .rand = &w->catalog->rand,
                                                    .now_ms = 1700000001000,
                                                    .base_location = w->table.metadata_location,
                                                    .base = w->table.metadata,
                                                    .change = &change},
                  &a, &w->e),
              &w->e);
    struct iceberg_metadata *next = iceberg_metadata_share(a->next);

    iceberg_attempt_free(a);
    assert_non_null(next);
    return next;
}

static enum err_code swap(struct world *w, const struct iceberg_metadata *next, char **location)
{
    w->e = (struct err){0};
    return w->catalog->ops->swap(w->catalog, lake_orders, &w->table, next, location, &w->e);
}

TEST(test_glue__swaps_one_metadata_for_the_next)
{
    struct world w;
    char *location = NULL;

    world_fill(&w);
    glue_set(&w, "optimizer", "on");
    struct iceberg_metadata *next = next_of(&w);

    assert_ok(swap(&w, next, &location), &w.e);
    assert_true(fake_store_has(w.store, location));
    assert_non_null(strstr(location, "/metadata/00001-"));
    assert_parameter(&w, "metadata_location", location);
    assert_parameter(&w, "previous_metadata_location", w.table.metadata_location);
    assert_parameter(&w, "optimizer", "on");
    assert_parameter(&w, "calve.table", "orders");
    assert_sent(&w, "VersionId", "\"1\"");
    assert_sent(&w, "SkipArchive", "true");
    assert_sent(&w, "CatalogId", "nothing");
    free(location);
    /* From the same base only once. */
    assert_err(swap(&w, next, &location), ERR_CONFLICT, &w.e);
    assert_null(location);
    assert_int_equal(metadata_files(&w), 2);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

TEST(test_glue__keeps_versions_when_told_to)
{
    struct world w;
    char *location = NULL;

    world_fill(&w);
    world_close(&w);
    w.options.keep_versions = true;
    w.options.catalog_id = "123456789012";
    world_open(&w);
    assert_ok(catalog_load(w.catalog, lake_orders, &w.table, &w.e), &w.e);
    struct iceberg_metadata *next = next_of(&w);

    assert_ok(swap(&w, next, &location), &w.e);
    assert_sent(&w, "SkipArchive", "false");
    assert_sent(&w, "CatalogId", "\"123456789012\"");
    free(location);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

/* Each failure of the request that changes the table; what is not known keeps its file. */
TEST(test_glue__says_what_became_of_a_swap)
{
    static const struct {
        struct fake_glue_plan plan;
        enum err_code rc;
        bool done;
        bool retryable;
    } cases[] = {
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ConcurrentModificationException"),
         .rc = ERR_CONFLICT},
        {.plan = TURN("UpdateTable", FAKE_GLUE_TOUCH_FIRST), .rc = ERR_CONFLICT},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "EntityNotFoundException"),
         .rc = ERR_NOT_FOUND},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException"),
         .rc = ERR_CONFIG},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "InvalidInputException"),
         .rc = ERR_CONFIG},
        {.plan =
             TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ResourceNumberLimitExceededException"),
         .rc = ERR_LIMIT},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ResourceNotReadyException"),
         .rc = ERR_IO,
         .retryable = true},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ThrottlingException", .times = 3),
         .rc = ERR_OK,
         .done = true},
        {.plan =
             TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ThrottlingException", .times = 1000000),
         .rc = ERR_IO,
         .retryable = true},
        /* An answer that came twice, or is a lie: the table knows better. */
        {.plan = TURN("UpdateTable", FAKE_GLUE_TWICE), .rc = ERR_OK, .done = true},
        {.plan =
             TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE, .code = "ConcurrentModificationException"),
         .rc = ERR_OK,
         .done = true},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE,
                      .code = "ResourceNumberLimitExceededException"),
         .rc = ERR_OK,
         .done = true},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE, .code = "AccessDeniedException"),
         .rc = ERR_OK,
         .done = true},
        /* No word on the effect. */
        {.plan = TURN("UpdateTable", FAKE_GLUE_LOST), .rc = ERR_UNKNOWN},
        {.plan = TURN("UpdateTable", FAKE_GLUE_LOST_DONE), .rc = ERR_UNKNOWN, .done = true},
        {.plan = TURN("UpdateTable", FAKE_GLUE_STALL), .rc = ERR_UNKNOWN},
        {.plan = TURN("UpdateTable", FAKE_GLUE_STALL_DONE), .rc = ERR_UNKNOWN, .done = true},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "InternalServiceException"),
         .rc = ERR_UNKNOWN},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE, .code = "InternalServiceException"),
         .rc = ERR_UNKNOWN,
         .done = true},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "OperationTimeoutException"),
         .rc = ERR_UNKNOWN},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE, .code = "OperationTimeoutException"),
         .rc = ERR_UNKNOWN,
         .done = true},
        {.plan =
             TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "FederationSourceRetryableException"),
         .rc = ERR_UNKNOWN},
        {.plan = TURN("UpdateTable", FAKE_GLUE_BODY, .status = 502,
                      .message = "<html>bad gateway</html>"),
         .rc = ERR_UNKNOWN},
        /* Before it, nothing can have happened. */
        {.plan = TURN("GetTable", FAKE_GLUE_REFUSE, .code = "EntityNotFoundException"),
         .rc = ERR_NOT_FOUND},
        {.plan = TURN("GetTable", FAKE_GLUE_REFUSE, .code = "OperationTimeoutException",
                      .times = 1000000),
         .rc = ERR_TIMEOUT,
         .retryable = true},
        {.plan = TURN("GetTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException"),
         .rc = ERR_CONFIG},
        {.plan = TURN("GetTable", FAKE_GLUE_LOST), .rc = ERR_OK, .done = true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        char *location = NULL;
        char current[256];

        world_fill(&w);
        struct iceberg_metadata *next = next_of(&w);

        fake_glue_plan(&w.glue, cases[i].plan);
        enum err_code rc = swap(&w, next, &location);
        bool kept = rc == ERR_OK || rc == ERR_UNKNOWN;

        glue_parameter(&w, "orders", "metadata_location", current);
        bool done = strcmp(current, w.table.metadata_location) != 0;

        if (rc != cases[i].rc || done != cases[i].done) {
            fail_msg("case %zu: %s, %sdone: %s", i, err_code_name(rc), done ? "" : "not ", w.e.msg);
        }
        if (kept != (location != NULL) || metadata_files(&w) != (kept ? 2 : 1)) {
            fail_msg("case %zu: %zu files, location %s", i, metadata_files(&w),
                     location == NULL ? "none" : location);
        }
        assert_true(!done || location != NULL);
        if (done) {
            assert_string_equal(current, location);
        }
        assert_true(!kept || location == NULL || fake_store_has(w.store, location));
        if (!kept) {
            assert_int_equal(w.e.retryable, cases[i].retryable);
        }
        free(location);
        iceberg_metadata_free(next);
        world_deinit(&w);
    }
}

/* The location of the next metadata file, as the catalog's randomness makes it. */
static void guess_location(const struct world *w, char out[256])
{
    struct rand copy = w->catalog->rand;
    char uuid[UUID_TEXT_BYTES];

    rand_uuid(&copy, uuid);
    (void)snprintf(out, 256, LAKE_LOCATION "/metadata/00001-%s.metadata.json", uuid);
}

static void stage(struct world *w, const char *location, const struct iceberg_metadata *m)
{
    struct buf json = {0};

    assert_ok(iceberg_metadata_print(m, &json, &w->e), &w->e);
    assert_true(fake_store_set(w->store, location, buf_span(&json)));
    buf_deinit(&json);
    fake_glue_lock(&w->glue);
    (void)snprintf(w->glue.staged, sizeof w->glue.staged, "%s", location);
    w->glue.staged_landed = false;
    fake_glue_unlock(&w->glue);
}

/* It was done, the answer says that it was not, and another writer has built on it already. */
TEST(test_glue__finds_its_swap_in_the_history_of_others)
{
    struct world w;
    char guess[256];
    char *location = NULL;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);
    struct iceberg_metadata *after = NULL;

    guess_location(&w, guess);
    char *text = str_format(
        "{\"format-version\":1,\"location\":\"file:///x\",\"last-updated-ms\":1,"
        "\"last-column-id\":1,\"schema\":{\"fields\":[]},\"metadata-log\":[{\"timestamp-ms\":1,"
        "\"metadata-file\":\"%s\"}]}",
        guess);

    assert_ok(iceberg_metadata_parse(span_str(text), &after, &w.e), &w.e);
    stage(&w, "file:///other/metadata/2", after);
    FAKE_GLUE_PLAN(&w.glue, "GetTable", FAKE_GLUE_ANSWER);
    FAKE_GLUE_PLAN(&w.glue, "UpdateTable", FAKE_GLUE_REFUSE_DONE,
                   .code = "ConcurrentModificationException");
    FAKE_GLUE_PLAN(&w.glue, "GetTable", FAKE_GLUE_OTHER_FIRST);
    assert_ok(swap(&w, next, &location), &w.e);
    assert_string_equal(location, guess);
    assert_parameter(&w, "metadata_location", "file:///other/metadata/2");
    free(location);
    free(text);
    iceberg_metadata_free(after);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

TEST(test_glue__gives_way_to_another_writer)
{
    struct world w;
    char *location = NULL;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);

    stage(&w, "file:///other/metadata/1", w.table.metadata);
    FAKE_GLUE_PLAN(&w.glue, "UpdateTable", FAKE_GLUE_OTHER_FIRST);
    assert_err(swap(&w, next, &location), ERR_CONFLICT, &w.e);
    assert_null(location);
    assert_int_equal(metadata_files(&w), 1);
    assert_parameter(&w, "metadata_location", "file:///other/metadata/1");
    iceberg_metadata_free(next);
    world_deinit(&w);
}

TEST(test_glue__leaves_open_what_it_cannot_look_at)
{
    static const struct fake_glue_plan looks[] = {
        TURN("GetTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException"),
        TURN("GetTable", FAKE_GLUE_REFUSE, .code = "OperationTimeoutException", .times = 1000000),
        TURN("GetTable", FAKE_GLUE_LOST, .times = 1000000),
    };

    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        struct world w;
        char *location = NULL;

        world_fill(&w);
        struct iceberg_metadata *next = next_of(&w);

        FAKE_GLUE_PLAN(&w.glue, "GetTable", FAKE_GLUE_ANSWER);
        fake_glue_plan(&w.glue, looks[i]);
        FAKE_GLUE_PLAN(&w.glue, "UpdateTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException");
        assert_err(swap(&w, next, &location), ERR_UNKNOWN, &w.e);
        assert_non_null(strstr(w.e.msg, "a look at what became of it failed"));
        assert_true(fake_store_has(w.store, location));
        free(location);
        iceberg_metadata_free(next);
        world_deinit(&w);
    }
}

/* Another's current metadata that cannot be read may have ours in its history. */
TEST(test_glue__leaves_open_what_it_cannot_read)
{
    struct world w;
    char *location = NULL;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);

    stage(&w, "file:///other/metadata/1", w.table.metadata);
    FAKE_GLUE_PLAN(&w.glue, "UpdateTable", FAKE_GLUE_OTHER_FIRST);
    fake_store_fail(w.store, &(struct fake_failure){.op = FAKE_STORE_GET,
                                                    .nth = 1,
                                                    .part = "/other/",
                                                    .code = ERR_TIMEOUT,
                                                    .retryable = true});
    assert_err(swap(&w, next, &location), ERR_UNKNOWN, &w.e);
    assert_true(fake_store_has(w.store, location));
    free(location);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

/* A catalog at a place where nobody listens. */
static struct catalog *open_nowhere(struct world *w, struct aws_client **client)
{
    struct catalog_glue_options options = w->options;
    struct catalog *c = NULL;

    assert_ok(aws_client_new(&(struct aws_client_options){.service = catalog_glue_service(),
                                                          .endpoint = "http://127.0.0.1:1",
                                                          .region = "eu-west-1",
                                                          .anonymous = true,
                                                          .http = w->http,
                                                          .clock = fake_clock(&w->time)},
                             client, &w->e),
              &w->e);
    options.client = *client;
    assert_ok(catalog_glue_open(&options, &c, &w->e), &w->e);
    return c;
}

TEST(test_glue__leaves_nothing_when_nobody_answers)
{
    struct world w;
    struct aws_client *client = NULL;
    char *location = NULL;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);
    struct catalog *c = open_nowhere(&w, &client);

    assert_err(c->ops->swap(c, lake_orders, &w.table, next, &location, &w.e), ERR_IO, &w.e);
    assert_true(w.e.retryable);
    assert_null(location);
    assert_int_equal(metadata_files(&w), 1);
    catalog_free(c);
    aws_client_free(client);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

/* Nothing needs to be looked at then, and nobody could be asked. */
TEST(test_glue__knows_that_an_unsent_request_did_nothing)
{
    struct world w;
    struct aws_client *client = NULL;
    struct glue_table now = {0};
    struct glue_name name;

    world_fill(&w);
    struct catalog *c = open_nowhere(&w, &client);
    struct glue_catalog *glue = (struct glue_catalog *)c;

    assert_ok(glue_name_of(glue, lake_orders, &name, &w.e), &w.e);
    const struct glue_table_next next = {.name = &name,
                                         .metadata = w.table.metadata,
                                         .metadata_location = "file:///x/2",
                                         .previous_location = w.table.metadata_location};

    assert_ok(glue_table_take(json_pack("{s:{s:s}}", "Table", "VersionId", "1"), &now, &w.e), &w.e);
    assert_err(glue_update(glue, &now, &next, &w.e), ERR_IO, &w.e);
    assert_true(w.e.retryable);
    assert_err(glue_insert(glue, &next, &w.e), ERR_IO, &w.e);
    glue_table_deinit(&now);
    catalog_free(c);
    aws_client_free(client);
    world_deinit(&w);
}

TEST(test_glue__wants_a_version_to_replace)
{
    struct world w;
    char *location = NULL;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);
    char *table = str_format("{\"Table\":{\"Name\":\"orders\",\"Parameters\":{\"table_type\":"
                             "\"ICEBERG\",\"metadata_location\":\"%s\"}}}",
                             w.table.metadata_location);

    FAKE_GLUE_PLAN(&w.glue, "GetTable", FAKE_GLUE_BODY, .message = table);
    assert_err(swap(&w, next, &location), ERR_UNSUPPORTED, &w.e);
    assert_non_null(strstr(w.e.msg, "VersionId"));
    fake_glue_lock(&w.glue);
    unsigned updates = w.glue.updates;

    fake_glue_unlock(&w.glue);
    assert_int_equal(updates, 0);
    assert_int_equal(metadata_files(&w), 1);
    free(table);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

/* A table of another kind has taken the place of ours. */
TEST(test_glue__takes_a_replaced_table_for_a_conflict)
{
    struct world w;
    char *location = NULL;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);

    glue_set(&w, "table_type", "HUDI");
    assert_err(swap(&w, next, &location), ERR_CONFLICT, &w.e);
    fake_glue_lock(&w.glue);
    (void)json_object_clear(fake_glue_tables(&w.glue, "shop"));
    fake_glue_unlock(&w.glue);
    assert_err(swap(&w, next, &location), ERR_NOT_FOUND, &w.e);
    assert_int_equal(metadata_files(&w), 1);
    iceberg_metadata_free(next);
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

/* ---- S3 Tables ---- */

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

TEST(test_glue__creates_where_s3_tables_wants_it)
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

TEST(test_glue__goes_on_with_a_creation_that_did_not_end)
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

TEST(test_glue__drops_what_has_no_metadata_yet)
{
    struct world w;

    world_init_managed(&w);
    FAKE_GLUE_PLAN(&w.glue, "UpdateTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException");
    assert_err(lake_create(w.catalog, lake_orders, "", &w.e), ERR_CONFIG, &w.e);
    assert_ok(catalog_drop(w.catalog, lake_orders, &w.e), &w.e);
    assert_err(catalog_drop(w.catalog, lake_orders, &w.e), ERR_NOT_FOUND, &w.e);
    world_deinit(&w);
}

TEST(test_glue__says_when_s3_tables_gives_no_place)
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
            rc = w.catalog->ops->swap(w.catalog, lake_orders, &w.table, next, &location, &e);
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

TEST(test_glue__survives_every_failed_allocation_with_s3_tables)
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
          test_case(test_glue__swaps_one_metadata_for_the_next),
          test_case(test_glue__keeps_versions_when_told_to),
          test_case(test_glue__says_what_became_of_a_swap),
          test_case(test_glue__finds_its_swap_in_the_history_of_others),
          test_case(test_glue__gives_way_to_another_writer),
          test_case(test_glue__leaves_open_what_it_cannot_look_at),
          test_case(test_glue__leaves_open_what_it_cannot_read),
          test_case(test_glue__leaves_nothing_when_nobody_answers),
          test_case(test_glue__knows_that_an_unsent_request_did_nothing),
          test_case(test_glue__wants_a_version_to_replace),
          test_case(test_glue__takes_a_replaced_table_for_a_conflict),
          test_case(test_glue__drops_the_table_and_leaves_its_files),
          test_case(test_glue__drops_only_what_it_could_have_made),
          test_case(test_glue__creates_where_s3_tables_wants_it),
          test_case(test_glue__goes_on_with_a_creation_that_did_not_end),
          test_case(test_glue__drops_what_has_no_metadata_yet),
          test_case(test_glue__says_when_s3_tables_gives_no_place),
          test_case(test_glue__survives_every_failed_allocation),
          test_case(test_glue__survives_every_failed_allocation_with_s3_tables))
