/* test_rest.c - opening a REST catalog, and its tables: load, create, list, drop. */
#include "catalog/rest.h"

#include <pthread.h>

#include "rest_fixture.h"

TEST(test_rest__asks_for_the_configuration_first)
{
    struct rest_fixture x;
    char uri[64];

    rest_fixture_init(&x);
    (void)snprintf(uri, sizeof uri, "%s//", fake_http_url(x.fake.server));
    x.options.uri = uri;
    x.options.warehouse = "arn:aws:x y";
    rest_fixture_open(&x);
    assert_int_equal(x.fake.requests[FAKE_REST_CONFIG], 1);
    assert_string_equal(x.fake.path, "/v1/config");
    assert_string_equal(x.fake.query, "warehouse=arn%3Aaws%3Ax%20y");
    assert_true(x.catalog->places_tables);
    assert_true(x.catalog->server_writes_metadata);
    assert_ptr_equal(x.catalog->store, x.store);
    catalog_rest_set_store(x.catalog, NULL);
    assert_null(x.catalog->store);
    catalog_free(x.catalog);
    x.options.warehouse = "";
    rest_fixture_open(&x);
    assert_string_equal(x.fake.query, "");
    rest_fixture_deinit(&x);
}

TEST(test_rest__merges_the_servers_settings)
{
    static const struct http_header headers[] = {{"X-Test", "mine"}};
    static const struct {
        const char *config;
        const char *prefix;
        const char *path;   /* of a load */
        const char *header; /* X-Test */
    } rows[] = {
        {"{}", NULL, "/v1/namespaces/shop/tables/orders", "mine"},
        {"{\"defaults\":{\"prefix\":\"d\",\"header.x-test\":\"d\"}}", NULL,
         "/v1/d/namespaces/shop/tables/orders", "mine"},
        {"{\"defaults\":{\"prefix\":\"d\"}}", "c d", "/v1/c%20d/namespaces/shop/tables/orders",
         "mine"},
        {"{\"overrides\":{\"prefix\":\"arn%3Ax%2Fy\",\"header.X-Test\":\"o\"}}", "c",
         "/v1/arn%3Ax%2Fy/namespaces/shop/tables/orders", "o"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rest_fixture x;
        struct catalog_table table;

        rest_fixture_init(&x);
        fake_rest_set_config(&x.fake, rows[i].config);
        x.options.prefix = rows[i].prefix;
        x.options.headers = headers;
        x.options.header_count = 1;
        rest_fixture_open(&x);
        assert_int_not_equal(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_OK);
        assert_string_equal(x.fake.path, rows[i].path);
        assert_string_equal(x.fake.header, rows[i].header);
        rest_fixture_deinit(&x);
    }
}

TEST(test_rest__goes_where_the_server_sends_it)
{
    struct rest_fixture x;
    struct fake_rest other;
    char config[256];

    rest_fixture_init(&x);
    fake_rest_init(&other, x.store);
    (void)snprintf(config, sizeof config, "{\"overrides\":{\"uri\":\"%s/\"}}",
                   fake_http_url(other.server));
    fake_rest_set_config(&x.fake, config);
    rest_fixture_open(&x);
    assert_ok(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), &x.e);
    assert_int_equal(other.requests[FAKE_REST_CREATE], 1);
    assert_int_equal(x.fake.requests[FAKE_REST_CREATE], 0);
    fake_rest_deinit(&other);
    rest_fixture_deinit(&x);
}

TEST(test_rest__says_what_is_wrong_with_its_settings)
{
    static const struct {
        const char *uri;
        const char *token;
        bool sigv4;
        const char *says;
    } rows[] = {
        {NULL, NULL, false, "catalog.uri is missing"},
        {"", NULL, false, "catalog.uri is missing"},
        {"ftp://h", NULL, false, "catalog.uri"},
        {"http://h/?x=1", NULL, false, "catalog.uri"},
        {"http://u:pw@h", NULL, false, "rest.user"},
        {"http://h", "a\nb", false, "rest.token"},
        {"http://h", NULL, true, "rest.sigv4"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rest_fixture x;

        rest_fixture_init(&x);
        x.options.uri = rows[i].uri;
        x.options.token = rows[i].token;
        x.options.sigv4 = rows[i].sigv4;
        assert_err(catalog_rest_open(&x.options, &x.catalog, &x.e), ERR_CONFIG, &x.e);
        assert_says(&x.e, rows[i].says);
        assert_null(strstr(x.e.msg, "pw"));
        assert_int_equal(catalog_rest_open(&x.options, &x.catalog, NULL), ERR_CONFIG);
        rest_fixture_deinit(&x);
    }
}

TEST(test_rest__says_what_is_wrong_with_the_server)
{
    static const struct {
        struct fake_rest_plan plan;
        enum err_code code;
        const char *says;
    } rows[] = {
        {{FAKE_REST_BODY, 404, NULL, "<html><h1>Not Found</h1>nginx</html>"},
         ERR_CONFIG,
         "404: Not Found nginx; is catalog.uri"},
        {{FAKE_REST_BODY, 200, NULL, "<html>Log in</html>"}, ERR_CORRUPT, "catalog.uri"},
        {{FAKE_REST_BODY, 302, "Location: https://x/\r\n", ""}, ERR_CONFIG, "catalog.uri"},
        {{FAKE_REST_REFUSE, 400, NULL, NULL}, ERR_CONFIG, "rest.warehouse"},
        {{FAKE_REST_REFUSE, 403, NULL, NULL}, ERR_CONFIG, "ToldToException"},
        {{FAKE_REST_BODY, 200, NULL, "{\"defaults\":7}"}, ERR_CORRUPT, "defaults"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rest_fixture x;

        rest_fixture_init(&x);
        FAKE_REST_PLAN(&x.fake, FAKE_REST_CONFIG, rows[i].plan);
        assert_err(catalog_rest_open(&x.options, &x.catalog, &x.e), rows[i].code, &x.e);
        assert_says(&x.e, rows[i].says);
        assert_says(&x.e, x.options.uri);
        rest_fixture_deinit(&x);
    }
}

TEST(test_rest__creates_and_loads_a_table)
{
    struct rest_fixture x;
    struct catalog_table table;
    const struct iceberg_property owner = {"owner", "me"};

    rest_fixture_init(&x);
    rest_fixture_open(&x);
    assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_NOT_FOUND, &x.e);
    assert_says(&x.e, "loading shop.orders: the catalog answered 404 (NoSuchTableException)");
    assert_ok(catalog_create(x.catalog, lake_orders,
                             &(struct catalog_create_options){
                                 .location = LAKE_LOCATION,
                                 .schema = &lake_schema,
                                 .partition = {true, 2, 1000, "date"},
                                 .properties = &owner,
                                 .property_count = 1,
                             },
                             &x.e),
              &x.e);
    assert_ok(catalog_load(x.catalog, lake_orders, &table, &x.e), &x.e);
    assert_string_equal(x.fake.query, "snapshots=all");
    assert_string_equal(table.metadata_location, x.fake.tables[0].location);
    assert_string_equal(iceberg_metadata_location(table.metadata), LAKE_LOCATION);
    assert_string_equal(iceberg_metadata_property(table.metadata, "owner"), "me");
    assert_string_equal(
        iceberg_metadata_property(table.metadata, "write.metadata.delete-after-commit.enabled"),
        "true");
    assert_non_null(iceberg_metadata_property(table.metadata, CATALOG_CREATE_ID));
    assert_true(iceberg_metadata_has_fields(table.metadata, &lake_schema, (char[64]){0}, 64));
    catalog_table_deinit(&table);
    /* The table is read from the answer, and its file by nobody. */
    assert_u64_eq(fake_store_calls(x.store, FAKE_STORE_GET), 0);
    assert_err(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), ERR_EXISTS, &x.e);
    rest_fixture_deinit(&x);
}

TEST(test_rest__lets_the_server_place_a_table)
{
    struct rest_fixture x;
    struct catalog_table table;

    rest_fixture_init(&x);
    rest_fixture_open(&x);
    assert_ok(lake_create(x.catalog, (struct table_ident){"shop", "Or/ders"}, "", &x.e), &x.e);
    assert_ok(catalog_load(x.catalog, (struct table_ident){"shop", "Or/ders"}, &table, &x.e), &x.e);
    assert_string_equal(x.fake.path, "/v1/namespaces/shop/tables/Or%2Fders");
    assert_string_equal(iceberg_metadata_location(table.metadata), "file:///lake/shop/Or/ders");
    catalog_table_deinit(&table);
    /* Names are as they are given. */
    assert_err(catalog_load(x.catalog, (struct table_ident){"shop", "or/ders"}, &table, &x.e),
               ERR_NOT_FOUND, &x.e);
    rest_fixture_deinit(&x);
}

TEST(test_rest__makes_a_namespace_that_is_missing)
{
    struct rest_fixture x;

    rest_fixture_init(&x);
    fake_rest_set_config(&x.fake, "{\"idempotency-key-lifetime\":\"PT30M\"}");
    rest_fixture_open(&x);
    assert_ok(lake_create(x.catalog, (struct table_ident){"new", "t"}, "", &x.e), &x.e);
    assert_int_equal(x.fake.requests[FAKE_REST_NAMESPACE], 1);
    assert_int_equal(x.fake.requests[FAKE_REST_CREATE], 2);
    /* The answer to the first is kept with its key, so the second has another. */
    assert_string_not_equal(x.fake.keys[0], x.fake.keys[1]);
    assert_ok(lake_create(x.catalog, (struct table_ident){"new", "u"}, "", &x.e), &x.e);
    assert_int_equal(x.fake.requests[FAKE_REST_NAMESPACE], 1);
    /* Somebody was faster, or an earlier try was. */
    FAKE_REST_PLAN(&x.fake, FAKE_REST_NAMESPACE, {FAKE_REST_LOST_DONE, 0, NULL, NULL});
    assert_ok(lake_create(x.catalog, (struct table_ident){"newer", "t"}, "", &x.e), &x.e);
    assert_int_equal(x.fake.requests[FAKE_REST_NAMESPACE], 3);
    FAKE_REST_PLAN(&x.fake, FAKE_REST_NAMESPACE, {FAKE_REST_REFUSE, 403, NULL, NULL});
    assert_err(lake_create(x.catalog, (struct table_ident){"newest", "t"}, "", &x.e), ERR_CONFIG,
               &x.e);
    assert_says(&x.e, "creating the namespace newest");
    rest_fixture_deinit(&x);
}

TEST(test_rest__settles_a_creation_without_an_answer)
{
    static const struct {
        struct fake_rest_plan plan;
        enum err_code code;
        bool retryable;
        bool there;
    } rows[] = {
        {{FAKE_REST_LOST_DONE, 0, NULL, NULL}, ERR_OK, false, true},
        {{FAKE_REST_LOST, 0, NULL, NULL}, ERR_IO, true, false},
        {{FAKE_REST_CUT, 0, NULL, NULL}, ERR_OK, false, true},
        {{FAKE_REST_REFUSE_DONE, 500, NULL, NULL}, ERR_OK, false, true},
        {{FAKE_REST_REFUSE, 502, NULL, NULL}, ERR_IO, true, false},
        {{FAKE_REST_REFUSE_DONE, 503, "Retry-After: 3\r\n", NULL}, ERR_OK, false, true},
        {{FAKE_REST_BODY_DONE, 200, NULL, "<html>"}, ERR_OK, false, true},
        {{FAKE_REST_BODY, 200, NULL, "<html>"}, ERR_IO, true, false},
        {{FAKE_REST_REFUSE, 400, NULL, NULL}, ERR_UNSUPPORTED, false, false},
        {{FAKE_REST_REFUSE, 403, NULL, NULL}, ERR_CONFIG, false, false},
        {{FAKE_REST_REFUSE, 429, "Retry-After: 3\r\n", NULL}, ERR_OK, false, true},
        /* Sent twice on the way: the table that is there is ours. */
        {{FAKE_REST_TWICE, 0, NULL, NULL}, ERR_OK, false, true},
        {{FAKE_REST_REFUSE_DONE, 409, NULL, NULL}, ERR_OK, false, true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rest_fixture x;

        rest_fixture_init(&x);
        rest_fixture_open(&x);
        FAKE_REST_PLAN(&x.fake, FAKE_REST_CREATE, rows[i].plan);
        enum err_code rc = lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e);

        if (rc != rows[i].code || (rc != ERR_OK && x.e.retryable != rows[i].retryable)) {
            fail_msg("row %zu: %s: %s", i, err_code_name(rc), x.e.msg);
        }
        assert_int_equal(x.fake.tables[0].metadata != NULL, rows[i].there);
        if (rows[i].plan.headers != NULL) {
            assert_true(x.time.slept_us >= 3000000);
        }
        rest_fixture_deinit(&x);
    }
}

/* Another process's table of that name, after a creation without an answer. */
TEST(test_rest__tells_its_creation_from_that_of_others)
{
    struct rest_fixture x;

    rest_fixture_init(&x);
    rest_fixture_open(&x);
    assert_ok(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), &x.e);
    FAKE_REST_PLAN(&x.fake, FAKE_REST_CREATE, {FAKE_REST_LOST, 0, NULL, NULL});
    assert_err(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), ERR_EXISTS, &x.e);
    assert_says(&x.e, "another process");
    rest_fixture_deinit(&x);
}

struct names {
    char text[256];
    unsigned left; /* 0: says no */
};

static enum err_code take_name(void *ctx, struct table_ident id, struct err *e)
{
    struct names *n = ctx;
    size_t len = strlen(n->text);

    if (n->left-- == 0) {
        return err_set(e, ERR_LIMIT, "enough");
    }
    (void)snprintf(n->text + len, sizeof n->text - len, "%s.%s ", id.ns, id.name);
    return ERR_OK;
}

TEST(test_rest__lists_tables_page_by_page)
{
    static const char *const names[] = {"orders", "a", "Z", "items", "b"};
    struct rest_fixture x;

    rest_fixture_init(&x);
    rest_fixture_open(&x);
    for (size_t i = 0; i < 5; i++) {
        assert_ok(lake_create(x.catalog, (struct table_ident){"shop", names[i]}, "", &x.e), &x.e);
    }
    assert_ok(lake_create(x.catalog, (struct table_ident){"other", "x"}, "", &x.e), &x.e);
    for (size_t page = 0; page < 6; page++) {
        struct names n = {.left = 100};
        unsigned before = x.fake.requests[FAKE_REST_LIST];

        x.fake.page = page;
        assert_ok(catalog_list(x.catalog, "shop", take_name, &n, &x.e), &x.e);
        assert_string_equal(n.text, "shop.Z shop.a shop.b shop.items shop.orders ");
        assert_int_equal(x.fake.requests[FAKE_REST_LIST] - before,
                         page == 0 ? 1 : (5 + page - 1) / page);
    }
    struct names few = {.left = 2};

    assert_err(catalog_list(x.catalog, "shop", take_name, &few, &x.e), ERR_LIMIT, &x.e);
    assert_err(catalog_list(x.catalog, "nowhere", take_name, &few, &x.e), ERR_NOT_FOUND, &x.e);
    FAKE_REST_PLAN(&x.fake, FAKE_REST_LIST,
                   {FAKE_REST_BODY, 200, NULL, "{\"identifiers\":[],\"next-page-token\":\"t\"}"},
                   {FAKE_REST_BODY, 200, NULL, "{\"identifiers\":[],\"next-page-token\":\"t\"}"});
    assert_err(catalog_list(x.catalog, "shop", take_name, &few, &x.e), ERR_CORRUPT, &x.e);
    assert_says(&x.e, "listing the tables of shop");
    rest_fixture_deinit(&x);
}

TEST(test_rest__drops_a_name)
{
    struct rest_fixture x;
    struct catalog_table table;

    rest_fixture_init(&x);
    rest_fixture_open(&x);
    assert_ok(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), &x.e);
    assert_ok(catalog_drop(x.catalog, lake_orders, &x.e), &x.e);
    assert_string_equal(x.fake.method, "DELETE");
    /* The files stay. */
    assert_string_equal(x.fake.query, "purgeRequested=false");
    assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_NOT_FOUND, &x.e);
    assert_err(catalog_drop(x.catalog, lake_orders, &x.e), ERR_NOT_FOUND, &x.e);
    /* The first try did it. */
    assert_ok(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), &x.e);
    FAKE_REST_PLAN(&x.fake, FAKE_REST_DROP, {FAKE_REST_LOST_DONE, 0, NULL, NULL});
    assert_ok(catalog_drop(x.catalog, lake_orders, &x.e), &x.e);
    FAKE_REST_PLAN(&x.fake, FAKE_REST_DROP, {FAKE_REST_REFUSE, 503, NULL, NULL});
    assert_err(catalog_drop(x.catalog, lake_orders, &x.e), ERR_OK, &x.e);
    rest_fixture_deinit(&x);
}

TEST(test_rest__asks_again_what_may_pass)
{
    static const struct fake_rest_plan plans[] = {
        {FAKE_REST_LOST, 0, NULL, NULL},
        {FAKE_REST_CUT, 0, NULL, NULL},
        {FAKE_REST_REFUSE, 500, NULL, NULL},
        {FAKE_REST_REFUSE, 502, NULL, NULL},
        {FAKE_REST_REFUSE, 503, NULL, NULL},
        {FAKE_REST_REFUSE, 504, NULL, NULL},
        {FAKE_REST_REFUSE, 408, NULL, NULL},
        {FAKE_REST_REFUSE, 429, NULL, NULL},
        {FAKE_REST_REFUSE, 503, "Retry-After: 7\r\n", NULL},
        {FAKE_REST_REFUSE, 429, "Retry-After: 7\r\n", NULL},
    };
    struct rest_fixture x;
    struct catalog_table table;

    rest_fixture_init(&x);
    rest_fixture_open(&x);
    assert_ok(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), &x.e);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        unsigned before = x.fake.requests[FAKE_REST_LOAD];
        int64_t slept_us = x.time.slept_us;

        FAKE_REST_PLAN(&x.fake, FAKE_REST_LOAD, plans[i], plans[i], plans[i]);
        assert_ok(catalog_load(x.catalog, lake_orders, &table, &x.e), &x.e);
        catalog_table_deinit(&table);
        assert_int_equal(x.fake.requests[FAKE_REST_LOAD] - before, 4);
        slept_us = x.time.slept_us - slept_us;
        if (plans[i].headers != NULL) {
            assert_i64_eq(slept_us, 21000000);
        } else if (plans[i].turn == FAKE_REST_REFUSE) {
            assert_in_range(slept_us, 300000, 700000);
        } /* else libcurl may have sent it again by itself */
    }
    assert_log(&x, "catalog.retry request=\"loading shop.orders\"", true);
    rest_fixture_deinit(&x);
}

static struct fake_rest_plan always_busy(struct fake_rest *f, enum fake_rest_op op)
{
    (void)f;
    return op == FAKE_REST_CONFIG ? (struct fake_rest_plan){FAKE_REST_ANSWER, 0, NULL, NULL}
                                  : (struct fake_rest_plan){FAKE_REST_REFUSE, 429, NULL, NULL};
}

TEST(test_rest__gives_up_at_its_deadline)
{
    struct rest_fixture x;
    struct catalog_table table;

    rest_fixture_init(&x);
    x.options.deadline_us = INT64_C(20) * 1000000;
    rest_fixture_open(&x);
    x.fake.decide = always_busy;
    assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_IO, &x.e);
    assert_true(x.e.retryable);
    assert_says(&x.e, "429");
    assert_in_range(x.time.slept_us, 10000000, 20000000);
    assert_true(x.fake.requests[FAKE_REST_LOAD] > 5);
    /* A wait that is too long is not begun. */
    int64_t slept_us = x.time.slept_us;

    FAKE_REST_PLAN(&x.fake, FAKE_REST_LOAD, {FAKE_REST_REFUSE, 429, "Retry-After: 21\r\n", NULL});
    assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_IO, &x.e);
    assert_true(x.e.retryable);
    assert_i64_eq(x.time.slept_us, slept_us);
    rest_fixture_deinit(&x);
}

TEST(test_rest__says_that_nobody_listens)
{
    struct rest_fixture x;

    rest_fixture_init(&x);
    x.options.uri = "http://127.0.0.1:1/catalog";
    assert_err(catalog_rest_open(&x.options, &x.catalog, &x.e), ERR_IO, &x.e);
    assert_true(x.e.retryable);
    /* Not the two minutes that a server gets which was there once. */
    assert_in_range(x.time.slept_us, 4000000, 5000000);
    assert_says(&x.e, "the catalog http://127.0.0.1:1/catalog: asking for the configuration: ");
    rest_fixture_deinit(&x);
}

static bool is_set(void *ctx)
{
    return atomic_load((_Atomic bool *)ctx);
}

TEST(test_rest__stops_waiting_when_cancelled)
{
    struct rest_fixture x;
    struct catalog_table table;
    _Atomic bool stop = false;
    struct http_client *http;

    rest_fixture_init(&x);
    assert_ok(
        http_client_new(&(struct http_client_options){.cancelled = is_set, .cancelled_ctx = &stop},
                        &http, &x.e),
        &x.e);
    x.options.http = http;
    rest_fixture_open(&x);
    x.fake.decide = always_busy;
    stop = true;
    assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_CANCELLED, &x.e);
    assert_i64_eq(x.time.slept_us, 0);
    catalog_free(x.catalog);
    x.catalog = NULL;
    http_client_free(http);
    rest_fixture_deinit(&x);
}

TEST(test_rest__does_only_what_the_server_offers)
{
    struct rest_fixture x;
    struct names n = {.left = 9};

    rest_fixture_init(&x);
    fake_rest_set_config(&x.fake,
                         "{\"endpoints\":[\"GET /v1/{prefix}/namespaces/{namespace}/tables\"]}");
    rest_fixture_open(&x);
    assert_ok(catalog_list(x.catalog, "shop", take_name, &n, &x.e), &x.e);
    assert_err(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), ERR_UNSUPPORTED, &x.e);
    assert_says(&x.e, "creating shop.orders");
    assert_err(catalog_drop(x.catalog, lake_orders, &x.e), ERR_UNSUPPORTED, &x.e);
    assert_err(catalog_load(x.catalog, lake_orders, &(struct catalog_table){0}, &x.e),
               ERR_UNSUPPORTED, &x.e);
    assert_int_equal(x.fake.requests[FAKE_REST_CREATE] + x.fake.requests[FAKE_REST_DROP], 0);
    rest_fixture_deinit(&x);
}

TEST(test_rest__survives_every_failed_allocation)
{
    struct rest_fixture x;
    static const struct http_header headers[] = {{"X-Test", "mine"}};

    rest_fixture_init(&x);
    fake_rest_set_config(&x.fake, "{\"overrides\":{\"prefix\":\"p\",\"header.Y\":\"1\"},"
                                  "\"idempotency-key-lifetime\":\"PT30M\"}");
    x.fake.prefix = "p/";
    x.fake.client = "id:secret";
    x.fake.want_authorization = "token";
    x.fake.page = 1;
    x.fake.token_life_s = 3600;
    x.options.credential = "id:secret";
    x.options.headers = headers;
    x.options.header_count = 1;
    x.options.log = NULL;
    bool again = true;

    for (unsigned long nth = 1; again; nth++) {
        struct catalog *c = NULL;
        struct catalog_table table = {0};
        struct names n = {.left = 9};

        torture_fail_at(nth);
        enum err_code rc = catalog_rest_open(&x.options, &c, &x.e);

        if (rc == ERR_OK) {
            rc = lake_create(c, (struct table_ident){"fresh", "t"}, "", &x.e);
        }
        if (rc == ERR_OK) {
            rc = catalog_load(c, (struct table_ident){"fresh", "t"}, &table, &x.e);
        }
        if (rc == ERR_OK) {
            rc = catalog_list(c, "fresh", take_name, &n, &x.e);
        }
        if (rc == ERR_OK) {
            rc = catalog_drop(c, (struct table_ident){"fresh", "t"}, &x.e);
        }
        again = torture_hit();
        torture_fail_at(0);
        /* A creation whose answer could not be read is looked for. */
        if (rc != ERR_OK && rc != ERR_NOMEM && rc != ERR_UNKNOWN &&
            !(rc == ERR_IO && strstr(x.e.msg, "was not created") != NULL)) {
            fail_msg("allocation %lu: %s: %s", nth, err_code_name(rc), x.e.msg);
        }
        catalog_table_deinit(&table);
        catalog_free(c);
        /* What a round left behind. */
        struct fake_rest_table *t = fake_rest_find(&x.fake, "fresh", "t");

        if (t != NULL) {
            json_decref(t->metadata);
            t->metadata = NULL;
        }
        x.fake.namespaces[1][0] = '\0';
    }
    rest_fixture_deinit(&x);
}

TEST_MAIN(test_case(test_rest__asks_for_the_configuration_first),
          test_case(test_rest__merges_the_servers_settings),
          test_case(test_rest__goes_where_the_server_sends_it),
          test_case(test_rest__says_what_is_wrong_with_its_settings),
          test_case(test_rest__says_what_is_wrong_with_the_server),
          test_case(test_rest__creates_and_loads_a_table),
          test_case(test_rest__lets_the_server_place_a_table),
          test_case(test_rest__makes_a_namespace_that_is_missing),
          test_case(test_rest__settles_a_creation_without_an_answer),
          test_case(test_rest__tells_its_creation_from_that_of_others),
          test_case(test_rest__lists_tables_page_by_page), test_case(test_rest__drops_a_name),
          test_case(test_rest__asks_again_what_may_pass),
          test_case(test_rest__gives_up_at_its_deadline),
          test_case(test_rest__says_that_nobody_listens),
          test_case(test_rest__stops_waiting_when_cancelled),
          test_case(test_rest__does_only_what_the_server_offers),
          test_case(test_rest__survives_every_failed_allocation))
