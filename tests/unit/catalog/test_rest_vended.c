/* test_rest_vended.c - keys that the server lends: which, for which files, and for how long. */
#include <pthread.h>
#include <sched.h>

#include "catalog/rest.h"
#include "catalog/rest_lent_int.h"
#include "rest_fixture.h"

#define NOW_MS    INT64_C(1700000000000)
#define MINUTE_US (INT64_C(60) * 1000000)

static void set_json(json_t **at, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void set_json(json_t **at, const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_decref(*at);
    *at = json_loads(text, 0, NULL);
    assert_non_null(*at);
}

/* "config" of a table, with keys that end so many minutes from now; 0: never. */
static void lend(struct rest_fixture *x, const char *id, int64_t minutes)
{
    char end[64] = "";

    if (minutes > 0) {
        (void)snprintf(end, sizeof end, ",\"s3.session-token-expires-at-ms\":\"%lld\"",
                       (long long)(x->time.wall_us / 1000 + minutes * 60000));
    }
    set_json(
        &x->fake.table_config,
        "{\"s3.access-key-id\":\"%s\",\"s3.secret-access-key\":\"s\",\"s3.session-token\":\"t\""
        ",\"client.region\":\"eu-west-1\"%s}",
        id, end);
}

static void open_lending(struct rest_fixture *x, bool offers_credentials)
{
    rest_fixture_init(x);
    x->options.vended = true;
    if (offers_credentials) {
        fake_rest_set_config(
            &x->fake, "{\"endpoints\":[\"POST /v1/{prefix}/namespaces/{namespace}/tables\","
                      "\"GET /v1/{prefix}/namespaces/{namespace}/tables/{table}\","
                      "\"GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials\"]}");
    }
    rest_fixture_open(x);
}

static enum err_code find(struct rest_fixture *x, const char *location, bool renew, char id[64])
{
    struct s3_access_source source = catalog_rest_access(x->catalog);
    struct s3_access access;
    bool found = false;

    x->e = (struct err){0};
    enum err_code rc = source.find(source.ctx, location, renew, &found, &access, &x->e);

    (void)snprintf(id, 64, "%s", found && rc == ERR_OK ? access.credentials.access_key_id : "");
    s3_access_deinit(&access);
    return rc;
}

#define assert_key(x, location, want)                               \
    do {                                                            \
        char test_id_[64];                                          \
        assert_ok(find((x), (location), false, test_id_), &(x)->e); \
        assert_string_equal(test_id_, (want));                      \
    } while (0)

static void load(struct rest_fixture *x)
{
    struct catalog_table table;

    assert_ok(catalog_load(x->catalog, lake_orders, &table, &x->e), &x->e);
    catalog_table_deinit(&table);
}

TEST(test_rest_vended__hands_out_what_a_table_was_lent)
{
    struct rest_fixture x;
    struct s3_access access;
    struct s3_access_source source;
    bool found;

    open_lending(&x, false);
    set_json(&x.fake.table_config,
             "{\"s3.access-key-id\":\"A1\",\"s3.secret-access-key\":\"S1\",\"s3.session-token\":"
             "\"T1\",\"s3.session-token-expires-at-ms\":\"%lld\",\"client.region\":\"eu-west-1\","
             "\"s3.endpoint\":\"http://minio:9000\",\"s3.path-style-access\":\"true\"}",
             (long long)(NOW_MS + 3600000));
    assert_ok(lake_create(x.catalog, lake_orders, "s3://lake/shop/orders", &x.e), &x.e);
    assert_string_equal(x.fake.delegation, "vended-credentials");
    source = catalog_rest_access(x.catalog);
    assert_ok(source.find(source.ctx, "s3://lake/shop/orders/data/x.parquet", false, &found,
                          &access, &x.e),
              &x.e);
    assert_true(found);
    assert_string_equal(access.credentials.access_key_id, "A1");
    assert_string_equal(access.credentials.secret_access_key.text, "S1");
    assert_string_equal(access.credentials.session_token.text, "T1");
    assert_i64_eq(access.credentials.expires_us, (NOW_MS + 3600000) * 1000);
    assert_string_equal(access.credentials.provider, "catalog");
    assert_string_equal(access.region, "eu-west-1");
    assert_string_equal(access.endpoint, "http://minio:9000");
    assert_true(access.path_style);
    s3_access_deinit(&access);
    /* The file may be named by any of S3's schemes; a neighbour is somebody else's. */
    assert_key(&x, "s3a://lake/shop/orders/metadata/m.avro", "A1");
    assert_key(&x, "s3://lake/shop/orders", "A1");
    assert_key(&x, "s3://lake/shop/orders2/data/x", "");
    assert_key(&x, "s3://other/shop/orders/x", "");
    rest_fixture_deinit(&x);
}

TEST(test_rest_vended__asks_for_keys_only_when_told_to)
{
    struct rest_fixture x;

    rest_fixture_init(&x);
    lend(&x, "A1", 60);
    rest_fixture_open(&x);
    assert_ok(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), &x.e);
    load(&x);
    assert_string_equal(x.fake.delegation, "");
    assert_key(&x, LAKE_LOCATION "/x", "");
    rest_fixture_deinit(&x);
}

/* Each load would make the server ask for keys. */
TEST(test_rest_vended__asks_with_a_load_only_when_keys_end_soon)
{
    struct rest_fixture x;

    open_lending(&x, false);
    assert_ok(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), &x.e);
    lend(&x, "A1", 60);
    load(&x);
    assert_string_equal(x.fake.delegation, "vended-credentials");
    load(&x);
    assert_string_equal(x.fake.delegation, "");
    assert_key(&x, LAKE_LOCATION "/x", "A1");
    fake_clock_advance(&x.time, 51 * MINUTE_US);
    lend(&x, "A2", 60);
    load(&x);
    assert_string_equal(x.fake.delegation, "vended-credentials");
    assert_key(&x, LAKE_LOCATION "/x", "A2");
    rest_fixture_deinit(&x);
}

TEST(test_rest_vended__takes_the_longest_prefix)
{
    struct rest_fixture x;

    open_lending(&x, false);
    lend(&x, "config", 0);
    set_json(&x.fake.storage_credentials,
             "[{\"prefix\":\"s3\",\"config\":{\"s3.access-key-id\":\"any\","
             "\"s3.secret-access-key\":\"s\"}},"
             "{\"prefix\":\"s3://lake/shop/orders/data\",\"config\":{\"s3.access-key-id\":\"data\","
             "\"s3.secret-access-key\":\"s\",\"client.region\":\"us-east-1\"}},"
             "{\"prefix\":\"s3a://lake/shop/orders/data/deep\",\"config\":{\"s3.access-key-id\":"
             "\"deep\",\"s3.secret-access-key\":\"s\"}},"
             "{\"prefix\":\"s3://elsewhere/\",\"config\":{\"s3.access-key-id\":\"else\","
             "\"s3.secret-access-key\":\"s\"}},"
             "{\"prefix\":\"s3://lake/shop/orders/gcs\",\"config\":{\"gcs.oauth2.token\":\"x\"}},"
             "{\"prefix\":7},{}]");
    assert_ok(lake_create(x.catalog, lake_orders, "s3://lake/shop/orders", &x.e), &x.e);
    assert_key(&x, "s3://lake/shop/orders/metadata/m", "any");
    assert_key(&x, "s3://lake/shop/orders/data/x", "data");
    assert_key(&x, "s3://lake/shop/orders/data/deep/x", "deep");
    assert_key(&x, "s3://elsewhere/x", "else");
    assert_key(&x, "s3://lake/shop/orders/gcs/x", "any");
    assert_key(&x, "s3://lake/other/x", "");

    struct s3_access access;
    struct s3_access_source source = catalog_rest_access(x.catalog);
    bool found;

    /* What keys do not say, the table's config does. */
    assert_ok(source.find(source.ctx, "s3://lake/shop/orders/data/x", false, &found, &access, &x.e),
              &x.e);
    assert_string_equal(access.region, "us-east-1");
    s3_access_deinit(&access);
    assert_ok(source.find(source.ctx, "s3://elsewhere/x", false, &found, &access, &x.e), &x.e);
    assert_string_equal(access.region, "eu-west-1");
    assert_null(access.endpoint);
    assert_i64_eq(access.credentials.expires_us, INT64_MAX);
    s3_access_deinit(&access);
    rest_fixture_deinit(&x);
}

TEST(test_rest_vended__knows_where_else_a_table_writes)
{
    struct rest_fixture x;
    const struct iceberg_property path = {"write.data.path", "s3://bulk/orders/"};

    open_lending(&x, false);
    lend(&x, "A1", 60);
    assert_ok(catalog_create(x.catalog, lake_orders,
                             &(struct catalog_create_options){.location = "s3://lake/orders",
                                                              .schema = &lake_schema,
                                                              .properties = &path,
                                                              .property_count = 1},
                             &x.e),
              &x.e);
    assert_key(&x, "s3://bulk/orders/x.parquet", "A1");
    assert_key(&x, "s3://bulk/other/x.parquet", "");
    rest_fixture_deinit(&x);
}

TEST(test_rest_vended__renews_keys_before_their_end)
{
    for (int offers = 0; offers < 2; offers++) {
        struct rest_fixture x;

        open_lending(&x, offers == 1);
        lend(&x, "A1", 60);
        assert_ok(lake_create(x.catalog, lake_orders, "s3://lake/orders", &x.e), &x.e);
        fake_clock_advance(&x.time, 54 * MINUTE_US);
        assert_key(&x, "s3://lake/orders/x", "A1");
        assert_int_equal(x.fake.requests[FAKE_REST_LOAD] + x.fake.requests[FAKE_REST_CREDENTIALS],
                         0);
        fake_clock_advance(&x.time, 2 * MINUTE_US);
        lend(&x, "A2", 60);
        set_json(&x.fake.storage_credentials,
                 "[{\"prefix\":\"s3://lake/orders\",\"config\":{\"s3.access-key-id\":\"B2\","
                 "\"s3.secret-access-key\":\"s\",\"s3.session-token-expires-at-ms\":\"%lld\"}}]",
                 (long long)(x.time.wall_us / 1000 + 3600000));
        assert_key(&x, "s3://lake/orders/x", "B2");
        assert_int_equal(x.fake.requests[FAKE_REST_LOAD], offers == 1 ? 0 : 1);
        assert_int_equal(x.fake.requests[FAKE_REST_CREDENTIALS], offers);
        if (offers == 1) {
            assert_string_equal(x.fake.path, "/v1/namespaces/shop/tables/orders/credentials");
        } else {
            assert_string_equal(x.fake.query, "snapshots=refs");
        }
        assert_key(&x, "s3://lake/orders/x", "B2");
        assert_int_equal(x.fake.requests[FAKE_REST_LOAD] + x.fake.requests[FAKE_REST_CREDENTIALS],
                         1);

        /* The region is still that of the table's config. */
        struct s3_access access;
        struct s3_access_source source = catalog_rest_access(x.catalog);
        bool found;

        assert_ok(source.find(source.ctx, "s3://lake/orders/x", false, &found, &access, &x.e),
                  &x.e);
        assert_string_equal(access.region, "eu-west-1");
        s3_access_deinit(&access);
        rest_fixture_deinit(&x);
    }
}

TEST(test_rest_vended__goes_on_with_old_keys_until_their_end)
{
    struct rest_fixture x;
    char id[64];
    const struct fake_rest_plan refused = {FAKE_REST_REFUSE, 403, NULL, NULL};

    open_lending(&x, true);
    lend(&x, "A1", 60);
    assert_ok(lake_create(x.catalog, lake_orders, "s3://lake/orders", &x.e), &x.e);
    fake_clock_advance(&x.time, 56 * MINUTE_US);
    FAKE_REST_PLAN(&x.fake, FAKE_REST_CREDENTIALS, refused, refused, refused);
    assert_key(&x, "s3://lake/orders/x", "A1");
    assert_log(&x, "warn catalog.keys", true);
    assert_log(&x, "renewing the keys of shop.orders", true);
    /* Not at once again. */
    assert_key(&x, "s3://lake/orders/x", "A1");
    assert_int_equal(x.fake.requests[FAKE_REST_CREDENTIALS], 1);
    fake_clock_advance(&x.time, MINUTE_US);
    assert_key(&x, "s3://lake/orders/x", "A1");
    assert_int_equal(x.fake.requests[FAKE_REST_CREDENTIALS], 2);
    /* Then there are none. */
    fake_clock_advance(&x.time, 4 * MINUTE_US);
    assert_err(find(&x, "s3://lake/orders/x", false, id), ERR_CONFIG, &x.e);
    assert_says(&x.e, "renewing the keys of shop.orders");
    set_json(&x.fake.storage_credentials, "[]");
    assert_err(find(&x, "s3://lake/orders/x", false, id), ERR_CONFIG, &x.e);
    assert_says(&x.e, "lends no keys");
    /* Keys that have ended before they came; and a number where a text is meant. */
    set_json(&x.fake.storage_credentials,
             "[{\"prefix\":\"s3\",\"config\":{\"s3.access-key-id\":\"C\",\"s3.secret-access-key\":"
             "\"s\",\"s3.session-token-expires-at-ms\":5}}]");
    assert_err(find(&x, "s3://lake/orders/x", false, id), ERR_IO, &x.e);
    assert_says(&x.e, "clock");
    rest_fixture_deinit(&x);
}

TEST(test_rest_vended__renews_keys_that_were_refused)
{
    struct rest_fixture x;
    char id[64];

    open_lending(&x, false);
    lend(&x, "A1", 0);
    assert_ok(lake_create(x.catalog, lake_orders, "s3://lake/orders", &x.e), &x.e);
    fake_clock_advance(&x.time, MINUTE_US);
    assert_key(&x, "s3://lake/orders/x", "A1");
    lend(&x, "A2", 0);
    assert_ok(find(&x, "s3://lake/orders/x", true, id), &x.e);
    assert_string_equal(id, "A2");
    /* Another thread whose old keys were refused, too, takes the new ones. */
    lend(&x, "A3", 0);
    assert_ok(find(&x, "s3://lake/orders/x", true, id), &x.e);
    assert_string_equal(id, "A2");
    assert_int_equal(x.fake.requests[FAKE_REST_LOAD], 1);
    fake_clock_advance(&x.time, MINUTE_US);
    assert_ok(find(&x, "s3://lake/orders/x", true, id), &x.e);
    assert_string_equal(id, "A3");
    assert_ok(find(&x, "s3://nowhere/x", true, id), &x.e);
    assert_string_equal(id, "");
    rest_fixture_deinit(&x);
}

/* Keys of four minutes are not asked for all the time. */
TEST(test_rest_vended__lets_short_keys_live_half_their_life)
{
    struct rest_fixture x;

    open_lending(&x, false);
    lend(&x, "A1", 4);
    assert_ok(lake_create(x.catalog, lake_orders, "s3://lake/orders", &x.e), &x.e);
    lend(&x, "A2", 8);
    fake_clock_advance(&x.time, MINUTE_US + MINUTE_US / 2);
    assert_key(&x, "s3://lake/orders/x", "A1");
    fake_clock_advance(&x.time, MINUTE_US);
    assert_key(&x, "s3://lake/orders/x", "A2");
    assert_int_equal(x.fake.requests[FAKE_REST_LOAD], 1);
    rest_fixture_deinit(&x);
}

TEST(test_rest_vended__takes_keys_that_come_with_a_commit)
{
    struct rest_fixture x;
    struct catalog_change change = {
        .change = {.properties = (const struct iceberg_property[]){{"a", "b"}},
                   .property_count = 1,
                   .retention = {.keep_count = 1}}};
    struct catalog_commit_result result;

    open_lending(&x, false);
    assert_ok(lake_create(x.catalog, lake_orders, "s3://lake/orders", &x.e), &x.e);
    x.fake.lends_with_commits = true;
    lend(&x, "A1", 60);
    load(&x);
    lend(&x, "A2", 60);
    assert_ok(catalog_commit(x.catalog, lake_orders, &change, &result, &x.e), &x.e);
    assert_key(&x, "s3://lake/orders/x", "A2");
    rest_fixture_deinit(&x);
}

/* The tables that were used least lately go. */
TEST(test_rest_vended__remembers_a_bounded_number_of_tables)
{
    struct rest_fixture x;
    json_t *result = NULL;
    const unsigned tables = 5000;

    open_lending(&x, false);
    struct rest_catalog *c = (struct rest_catalog *)x.catalog;

    for (unsigned i = 0; i < tables; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "t%u", i);
        set_json(&result,
                 "{\"metadata\":{\"location\":\"s3://lake/%s\"},\"config\":{\"s3.access-key-id\":"
                 "\"%s\",\"s3.secret-access-key\":\"s\"}}",
                 name, name);
        assert_ok(rest_lent_note(c, (struct table_ident){"shop", name}, result, &x.e), &x.e);
        if (i % 100 == 0) {
            assert_key(&x, "s3://lake/t7/x", i < 7 ? "" : "t7");
        }
    }
    assert_u64_eq(c->lent.count, 4096);
    assert_key(&x, "s3://lake/t7/x", "t7");
    assert_key(&x, "s3://lake/t8/x", "");
    assert_key(&x, "s3://lake/t4999/x", "t4999");
    json_decref(result);
    rest_fixture_deinit(&x);
}

struct finder {
    pthread_t thread;
    struct catalog *catalog;
    unsigned found;
    enum err_code rc;
    struct err e;
};

static void *find_often(void *ctx)
{
    struct finder *f = ctx;
    struct s3_access_source source = catalog_rest_access(f->catalog);

    for (int i = 0; i < 200 && f->rc == ERR_OK; i++) {
        struct s3_access access;
        bool found = false;

        f->rc = source.find(source.ctx, "s3://lake/orders/x", i % 50 == 0, &found, &access, NULL);
        f->found += found ? 1 : 0;
        s3_access_deinit(&access);
    }
    return NULL;
}

TEST(test_rest_vended__serves_all_threads_with_one_request)
{
    struct rest_fixture x;
    struct finder finders[4] = {{0}};

    open_lending(&x, false);
    lend(&x, "A1", 60);
    assert_ok(lake_create(x.catalog, lake_orders, "s3://lake/orders", &x.e), &x.e);
    lend(&x, "A2", 180);
    fake_clock_advance(&x.time, 70 * MINUTE_US);
    for (size_t i = 0; i < 4; i++) {
        finders[i].catalog = x.catalog;
        assert_int_equal(pthread_create(&finders[i].thread, NULL, find_often, &finders[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(finders[i].thread, NULL), 0);
        assert_int_equal(finders[i].rc, ERR_OK);
        assert_int_equal(finders[i].found, 200);
    }
    assert_int_equal(x.fake.requests[FAKE_REST_LOAD], 1);
    rest_fixture_deinit(&x);
}

static void *find_once(void *ctx)
{
    struct finder *f = ctx;
    struct s3_access_source source = catalog_rest_access(f->catalog);
    struct s3_access access;
    bool found;

    f->rc = source.find(source.ctx, "s3://lake/orders/x", false, &found, &access, &f->e);
    s3_access_deinit(&access);
    return NULL;
}

/* A server that is away is not asked by one thread after the other. */
TEST(test_rest_vended__shares_a_failure_with_those_who_waited)
{
    struct rest_fixture x;
    struct finder finders[3] = {{0}};
    uint64_t uses;

    open_lending(&x, false);
    lend(&x, "A1", 60);
    assert_ok(lake_create(x.catalog, lake_orders, "s3://lake/orders", &x.e), &x.e);
    fake_clock_advance(&x.time, 70 * MINUTE_US);
    struct rest_lent *lent = &((struct rest_catalog *)x.catalog)->lent;

    (void)pthread_mutex_lock(&lent->renewal);
    uint64_t before = lent->uses;

    for (size_t i = 0; i < 3; i++) {
        finders[i].catalog = x.catalog;
        assert_int_equal(pthread_create(&finders[i].thread, NULL, find_once, &finders[i]), 0);
    }
    do {
        (void)sched_yield();
        (void)pthread_mutex_lock(&lent->mutex);
        uses = lent->uses;
        (void)pthread_mutex_unlock(&lent->mutex);
    } while (uses < before + 3);
    (void)pthread_mutex_lock(&lent->mutex);
    lent->tables[0]->failures++;
    (void)pthread_mutex_unlock(&lent->mutex);
    (void)pthread_mutex_unlock(&lent->renewal);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(finders[i].thread, NULL), 0);
        assert_int_equal(finders[i].rc, ERR_IO);
        assert_true(finders[i].e.retryable);
        assert_says(&finders[i].e, "the keys of shop.orders");
    }
    assert_int_equal(x.fake.requests[FAKE_REST_LOAD], 0);
    lend(&x, "A2", 60);
    assert_key(&x, "s3://lake/orders/x", "A2");
    rest_fixture_deinit(&x);
}

TEST(test_rest_vended__survives_every_failed_allocation)
{
    struct rest_fixture x;

    open_lending(&x, false);
    x.catalog->log = NULL;
    lend(&x, "A1", 60);
    assert_ok(lake_create(x.catalog, lake_orders, "s3://lake/orders", &x.e), &x.e);
    TORTURE(nth)
    {
        char id[64];
        struct catalog_table table = {0};

        /* Time for a load to ask, then for a renewal. */
        fake_clock_advance(&x.time, 52 * MINUTE_US);
        lend(&x, "A1", 60);
        enum err_code rc = catalog_load(x.catalog, lake_orders, &table, &x.e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        catalog_table_deinit(&table);
        fake_clock_advance(&x.time, 57 * MINUTE_US);
        lend(&x, "A2", 60);
        rc = find(&x, "s3://lake/orders/x", false, id);
        if (rc != ERR_OK && rc != ERR_NOMEM) {
            fail_msg("allocation %lu: %s: %s", nth, err_code_name(rc), x.e.msg);
        }
        fake_clock_advance(&x.time, 20 * MINUTE_US);
    }
    rest_fixture_deinit(&x);
}

TEST_MAIN(test_case(test_rest_vended__hands_out_what_a_table_was_lent),
          test_case(test_rest_vended__asks_for_keys_only_when_told_to),
          test_case(test_rest_vended__asks_with_a_load_only_when_keys_end_soon),
          test_case(test_rest_vended__takes_the_longest_prefix),
          test_case(test_rest_vended__knows_where_else_a_table_writes),
          test_case(test_rest_vended__renews_keys_before_their_end),
          test_case(test_rest_vended__goes_on_with_old_keys_until_their_end),
          test_case(test_rest_vended__renews_keys_that_were_refused),
          test_case(test_rest_vended__lets_short_keys_live_half_their_life),
          test_case(test_rest_vended__takes_keys_that_come_with_a_commit),
          test_case(test_rest_vended__remembers_a_bounded_number_of_tables),
          test_case(test_rest_vended__serves_all_threads_with_one_request),
          test_case(test_rest_vended__shares_a_failure_with_those_who_waited),
          test_case(test_rest_vended__survives_every_failed_allocation))
