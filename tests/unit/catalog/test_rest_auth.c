/* test_rest_auth.c - who we are to a REST catalog, and that tokens are renewed in time. */
#include "catalog/rest.h"

#include <pthread.h>

#include "aws/sigv4.h"
#include "catalog/rest_int.h"
#include "rest_fixture.h"

/* Opens, and asks for something else after that. */
static void assert_lets_in(struct rest_fixture *x)
{
    rest_fixture_open(x);
    assert_err(catalog_load(x->catalog, lake_orders, &(struct catalog_table){0}, &x->e),
               ERR_NOT_FOUND, &x->e);
}

TEST(test_rest_auth__sends_what_it_is_given)
{
    static const struct {
        const char *token;
        const char *user;
        const char *password;
        const char *want;
    } rows[] = {
        {"abc", NULL, NULL, "Bearer abc"},
        {NULL, "me", "p\xc3\xa4:ss", "Basic bWU6cMOkOnNz"},
        {"", "me", NULL, "Basic bWU6"},
        {"abc", "me", "p", "Bearer abc"},
        {NULL, NULL, NULL, ""},
        {"", "", "p", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rest_fixture x;

        rest_fixture_init(&x);
        x.fake.want_authorization = rows[i].want[0] == '\0' ? NULL : rows[i].want;
        x.options.token = rows[i].token;
        x.options.basic_user = rows[i].user;
        x.options.basic_password = rows[i].password;
        assert_lets_in(&x);
        assert_string_equal(x.fake.authorization, rows[i].want);
        assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 0);
        rest_fixture_deinit(&x);
    }
}

TEST(test_rest_auth__says_what_to_set_when_it_is_not_let_in)
{
    struct rest_fixture x;

    rest_fixture_init(&x);
    x.fake.want_authorization = "Bearer other";
    assert_err(catalog_rest_open(&x.options, &x.catalog, &x.e), ERR_CONFIG, &x.e);
    assert_says(&x.e, "rest.credential");
    x.options.token = "my-own-secret-token";
    FAKE_REST_PLAN(&x.fake, FAKE_REST_CONFIG,
                   {FAKE_REST_BODY, 401, NULL, "bad token my-own-secret-token"});
    assert_err(catalog_rest_open(&x.options, &x.catalog, &x.e), ERR_CONFIG, &x.e);
    assert_says(&x.e, "rest.token");
    /* Asked once: there is no other token. */
    assert_int_equal(x.fake.requests[FAKE_REST_CONFIG], 2);
    x.fake.want_authorization = NULL;
    FAKE_REST_PLAN(&x.fake, FAKE_REST_CONFIG,
                   {FAKE_REST_BODY, 401, NULL, "bad token my-own-secret-token"});
    assert_err(catalog_rest_open(&x.options, &x.catalog, &x.e), ERR_CONFIG, &x.e);
    assert_says(&x.e, "bad token ***");
    assert_null(strstr(x.e.msg, "my-own"));
    rest_fixture_deinit(&x);
}

TEST(test_rest_auth__gets_a_token_for_client_credentials)
{
    static const struct {
        const char *credential;
        const char *scope;
        const char *audience;
        const char *resource;
        const char *form;
    } rows[] = {
        {"id:secret", NULL, NULL, NULL,
         "grant_type=client_credentials&scope=catalog&client_id=id&client_secret=secret"},
        {"only-a-secret", "", "", "",
         "grant_type=client_credentials&scope=catalog&client_secret=only-a-secret"},
        {"id:secret", "PRINCIPAL_ROLE:ALL", "a b", "urn:r",
         "grant_type=client_credentials&scope=PRINCIPAL_ROLE%3AALL&client_id=id&"
         "client_secret=secret&audience=a%20b&resource=urn%3Ar"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rest_fixture x;

        rest_fixture_init(&x);
        x.fake.client = rows[i].credential;
        x.fake.want_authorization = "token";
        x.options.credential = rows[i].credential;
        x.options.scope = rows[i].scope;
        x.options.audience = rows[i].audience;
        x.options.resource = rows[i].resource;
        assert_lets_in(&x);
        assert_string_equal(x.fake.form, rows[i].form);
        assert_string_equal(x.fake.authorization, "Bearer token-1");
        assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 1);
        rest_fixture_deinit(&x);
    }
}

TEST(test_rest_auth__falls_back_to_a_basic_header)
{
    struct rest_fixture x;

    rest_fixture_init(&x);
    x.fake.client = "my id:s:1";
    x.fake.basic_client = true;
    x.fake.want_authorization = "token";
    x.fake.token_life_s = 100;
    x.options.credential = "my id:s:1";
    assert_lets_in(&x);
    assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 2);
    assert_string_equal(x.fake.form, "grant_type=client_credentials&scope=catalog");
    /* It is remembered. */
    fake_clock_advance(&x.time, 100 * INT64_C(1000000));
    assert_err(catalog_load(x.catalog, lake_orders, &(struct catalog_table){0}, &x.e),
               ERR_NOT_FOUND, &x.e);
    assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 3);
    /* "my%20id:s%3A1": both are encoded before they are put together. */
    assert_string_equal(x.fake.token_who, "Basic bXklMjBpZDpzJTNBMQ==");
    rest_fixture_deinit(&x);
}

TEST(test_rest_auth__says_that_the_credential_is_wrong)
{
    struct rest_fixture x;

    rest_fixture_init(&x);
    x.fake.client = "id:other";
    x.options.credential = "id:my-client-secret";
    assert_err(catalog_rest_open(&x.options, &x.catalog, &x.e), ERR_CONFIG, &x.e);
    assert_says(&x.e, "getting a token from http://127.0.0.1:");
    assert_says(&x.e, "invalid_client");
    assert_says(&x.e, "rest.credential");
    assert_null(strstr(x.e.msg, "my-client"));
    assert_int_equal(x.fake.requests[FAKE_REST_CONFIG], 0);
    FAKE_REST_PLAN(&x.fake, FAKE_REST_TOKEN,
                   {FAKE_REST_BODY, 400, NULL, "{\"error\":\"invalid_scope\"}"});
    assert_err(catalog_rest_open(&x.options, &x.catalog, &x.e), ERR_CONFIG, &x.e);
    assert_says(&x.e, "rest.scope");
    FAKE_REST_PLAN(&x.fake, FAKE_REST_TOKEN, {FAKE_REST_BODY, 200, NULL, "{\"token\":\"x\"}"});
    assert_err(catalog_rest_open(&x.options, &x.catalog, &x.e), ERR_CORRUPT, &x.e);
    assert_says(&x.e, "access_token");
    FAKE_REST_PLAN(&x.fake, FAKE_REST_TOKEN,
                   {FAKE_REST_BODY, 403, NULL, "not with my-client-secret"});
    assert_err(catalog_rest_open(&x.options, &x.catalog, &x.e), ERR_CONFIG, &x.e);
    assert_says(&x.e, "not with ***");
    rest_fixture_deinit(&x);
}

TEST(test_rest_auth__asks_the_token_server_again_what_may_pass)
{
    struct rest_fixture x;

    rest_fixture_init(&x);
    x.fake.client = "id:secret";
    x.fake.want_authorization = "token";
    x.options.credential = "id:secret";
    FAKE_REST_PLAN(&x.fake, FAKE_REST_TOKEN, {FAKE_REST_LOST, 0, NULL, NULL},
                   {FAKE_REST_REFUSE, 503, "Retry-After: 9\r\n", NULL},
                   {FAKE_REST_REFUSE, 429, NULL, NULL});
    assert_lets_in(&x);
    assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 4);
    assert_true(x.time.slept_us >= 9000000);
    rest_fixture_deinit(&x);
}

TEST(test_rest_auth__renews_a_token_before_its_end)
{
    struct rest_fixture x;
    struct catalog_table table;

    rest_fixture_init(&x);
    x.fake.client = "id:secret";
    x.fake.want_authorization = "token";
    x.fake.token_life_s = 3600;
    x.options.credential = "id:secret";
    rest_fixture_open(&x);
    /* 300 s before its end: a tenth would be more. */
    fake_clock_advance(&x.time, INT64_C(3299) * 1000000);
    (void)!catalog_load(x.catalog, lake_orders, &table, &x.e);
    assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 1);
    fake_clock_advance(&x.time, INT64_C(2) * 1000000);
    /* The server is away: the old one is still good, and it is tried again later. */
    FAKE_REST_PLAN(&x.fake, FAKE_REST_TOKEN, {FAKE_REST_REFUSE, 403, NULL, NULL},
                   {FAKE_REST_REFUSE, 403, NULL, NULL});
    assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_NOT_FOUND, &x.e);
    assert_log(&x, "warn catalog.token", true);
    assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 2);
    assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_NOT_FOUND, &x.e);
    assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 2);
    fake_clock_advance(&x.time, INT64_C(31) * 1000000);
    assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_NOT_FOUND, &x.e);
    assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 3);
    /* Past its end there is nothing to go on with. */
    fake_clock_advance(&x.time, INT64_C(300) * 1000000);
    FAKE_REST_PLAN(&x.fake, FAKE_REST_TOKEN, {FAKE_REST_REFUSE, 403, NULL, NULL});
    assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_CONFIG, &x.e);
    assert_says(&x.e, "loading shop.orders: getting a token");
    assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_NOT_FOUND, &x.e);
    assert_string_equal(x.fake.authorization, "Bearer token-2");
    rest_fixture_deinit(&x);
}

TEST(test_rest_auth__renews_a_token_that_was_refused)
{
    static const int statuses[] = {401, 419};

    for (size_t i = 0; i < 2; i++) {
        struct rest_fixture x;
        struct catalog_table table;

        rest_fixture_init(&x);
        x.fake.client = "id:secret";
        x.fake.want_authorization = "token";
        x.options.credential = "id:secret";
        rest_fixture_open(&x);
        FAKE_REST_PLAN(&x.fake, FAKE_REST_LOAD, {FAKE_REST_BODY, statuses[i], NULL, ""});
        assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_NOT_FOUND, &x.e);
        assert_string_equal(x.fake.authorization, "Bearer token-2");
        /* Once only. */
        FAKE_REST_PLAN(&x.fake, FAKE_REST_LOAD, {FAKE_REST_BODY, statuses[i], NULL, ""},
                       {FAKE_REST_BODY, statuses[i], NULL, ""});
        assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_CONFIG, &x.e);
        assert_says(&x.e, "rest.scope");
        assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 3);
        rest_fixture_deinit(&x);
    }
}

/* A token to begin with, and a credential for when its time is over. */
TEST(test_rest_auth__has_a_credential_behind_a_token)
{
    struct rest_fixture x;

    rest_fixture_init(&x);
    x.fake.client = "id:secret";
    x.options.token = "first";
    x.options.credential = "id:secret";
    rest_fixture_open(&x);
    assert_string_equal(x.fake.authorization, "Bearer first");
    assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 0);
    x.fake.want_authorization = "token";
    assert_err(catalog_load(x.catalog, lake_orders, &(struct catalog_table){0}, &x.e),
               ERR_NOT_FOUND, &x.e);
    assert_string_equal(x.fake.authorization, "Bearer token-1");
    rest_fixture_deinit(&x);
}

TEST(test_rest_auth__asks_another_server_for_tokens)
{
    static const struct http_header headers[] = {{"X-Test", "realm"}};
    struct rest_fixture x;
    struct fake_rest other;
    char uri[128];

    rest_fixture_init(&x);
    fake_rest_init(&other, x.store);
    other.client = "id:secret";
    x.options.credential = "id:secret";
    x.options.headers = headers;
    x.options.header_count = 1;
    (void)snprintf(uri, sizeof uri, "%s/v1/oauth/tokens", fake_http_url(other.server));
    x.options.oauth2_server_uri = uri;
    rest_fixture_open(&x);
    assert_int_equal(other.requests[FAKE_REST_TOKEN], 1);
    assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 0);
    /* It is no business of his what the catalog is told. */
    assert_string_equal(other.token_header, "");
    catalog_free(x.catalog);
    /* Relative to the catalog's. */
    x.fake.client = "id:secret";
    x.options.oauth2_server_uri = "/v1/oauth/tokens";
    rest_fixture_open(&x);
    assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 1);
    assert_string_equal(x.fake.token_header, "realm");
    catalog_free(x.catalog);
    x.options.oauth2_server_uri = "https://u:pw@h/token";
    assert_err(catalog_rest_open(&x.options, &x.catalog, &x.e), ERR_CONFIG, &x.e);
    assert_says(&x.e, "rest.oauth2-server-uri");
    x.catalog = NULL;
    fake_rest_deinit(&other);
    rest_fixture_deinit(&x);
}

TEST(test_rest_auth__takes_what_the_server_says)
{
    struct rest_fixture x;

    rest_fixture_init(&x);
    fake_rest_set_config(&x.fake, "{\"overrides\":{\"token\":\"from-server\"}}");
    x.options.token = "mine";
    assert_lets_in(&x);
    assert_string_equal(x.fake.authorization, "Bearer from-server");
    rest_fixture_deinit(&x);

    rest_fixture_init(&x);
    fake_rest_set_config(&x.fake, "{\"defaults\":{\"scope\":\"s1\"}}");
    x.fake.client = "id:secret";
    x.options.credential = "id:secret";
    assert_lets_in(&x);
    assert_string_equal(x.fake.form,
                        "grant_type=client_credentials&scope=s1&client_id=id&client_secret=secret");
    rest_fixture_deinit(&x);
}

struct asker {
    pthread_t thread;
    struct rest_catalog *c;
    enum err_code rc;
};

static void *ask(void *ctx)
{
    struct asker *a = ctx;
    struct secret who;
    uint64_t generation;
    bool renewed;

    a->rc = rest_auth_header(a->c, &who, &generation, NULL);
    secret_wipe(&who);
    if (a->rc == ERR_OK) {
        /* All were refused the same one: one of them gets another. */
        a->rc = rest_auth_renew(a->c, 1, &renewed, NULL);
    }
    return NULL;
}

TEST(test_rest_auth__gets_one_token_for_all_threads)
{
    struct rest_fixture x;
    struct asker askers[6];

    rest_fixture_init(&x);
    x.fake.client = "id:secret";
    x.options.credential = "id:secret";
    rest_fixture_open(&x);
    for (size_t i = 0; i < 6; i++) {
        askers[i].c = (struct rest_catalog *)x.catalog;
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
        assert_int_equal(askers[i].rc, ERR_OK);
    }
    assert_int_equal(x.fake.requests[FAKE_REST_TOKEN], 2);
    rest_fixture_deinit(&x);
}

/* Keys of our own for signing. */
static struct credentials_source *own_keys(struct rest_fixture *x, const char *region)
{
    static const char *const nothing[] = {NULL};
    struct credentials_source *s = NULL;

    assert_ok(credentials_source_new(
                  &(struct credentials_options){
                      .access_key_id = "AKIDEXAMPLE",
                      .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                      .region = region,
                      .environment = nothing,
                      .http = x->http,
                      .clock = fake_clock(&x->time),
                  },
                  &s, &x->e),
              &x->e);
    return s;
}

TEST(test_rest_auth__signs_requests)
{
    struct rest_fixture x;
    struct credentials_source *keys;
    char body_hash[SIGV4_HASH_TEXT_BYTES];

    rest_fixture_init(&x);
    keys = own_keys(&x, NULL);
    fake_rest_set_config(&x.fake, "{\"overrides\":{\"prefix\":\"arn%3Aaws%2Fx\"}}");
    x.fake.prefix = "arn%3Aaws%2Fx/";
    x.options.sigv4 = true;
    x.options.credentials = keys;
    x.options.signing_name = "s3tables";
    x.options.signing_region = "eu-west-1";
    rest_fixture_open(&x);
    assert_non_null(strstr(x.fake.authorization, "/eu-west-1/s3tables/aws4_request"));
    sigv4_hash(span_str(""), body_hash);
    assert_string_equal(x.fake.signed_body, body_hash);
    assert_ok(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), &x.e);
    assert_string_equal(x.fake.path, "/v1/arn%3Aaws%2Fx/namespaces/shop/tables");
    assert_string_not_equal(x.fake.signed_body, body_hash);
    assert_string_equal(x.fake.original_authorization, "");
    assert_err(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), ERR_EXISTS, &x.e);
    assert_says(&x.e, "AlreadyExistsException");
    catalog_free(x.catalog);

    /* The default is what API gateways want; a token goes into a header of its own. */
    x.options.signing_name = NULL;
    x.options.token = "abc";
    rest_fixture_open(&x);
    assert_non_null(strstr(x.fake.authorization, "/eu-west-1/execute-api/aws4_request"));
    assert_non_null(strstr(x.fake.authorization, "original-authorization"));
    assert_string_equal(x.fake.original_authorization, "Bearer abc");
    catalog_free(x.catalog);
    x.catalog = NULL;
    x.options.token = NULL;
    x.options.signing_region = "";
    assert_err(catalog_rest_open(&x.options, &x.catalog, &x.e), ERR_CONFIG, &x.e);
    assert_says(&x.e, "rest.signing-region");
    credentials_source_free(keys);
    keys = own_keys(&x, "us-east-2");
    x.options.credentials = keys;
    rest_fixture_open(&x);
    assert_non_null(strstr(x.fake.authorization, "/us-east-2/execute-api/"));
    catalog_free(x.catalog);
    x.catalog = NULL;
    credentials_source_free(keys);
    rest_fixture_deinit(&x);
}

TEST(test_rest_auth__signs_again_what_may_pass)
{
    struct rest_fixture x;
    struct credentials_source *keys;
    struct catalog_table table;

    rest_fixture_init(&x);
    keys = own_keys(&x, "us-east-2");
    x.options.sigv4 = true;
    x.options.credentials = keys;
    x.options.signing_name = "glue";
    rest_fixture_open(&x);
    assert_ok(lake_create(x.catalog, lake_orders, LAKE_LOCATION, &x.e), &x.e);
    FAKE_REST_PLAN(&x.fake, FAKE_REST_LOAD, {FAKE_REST_LOST, 0, NULL, NULL},
                   {FAKE_REST_REFUSE, 503, NULL, NULL}, {FAKE_REST_REFUSE, 429, NULL, NULL});
    assert_ok(catalog_load(x.catalog, lake_orders, &table, &x.e), &x.e);
    catalog_table_deinit(&table);
    assert_int_equal(x.fake.requests[FAKE_REST_LOAD], 4);
    /* A change is not sent again. */
    FAKE_REST_PLAN(&x.fake, FAKE_REST_CREATE, {FAKE_REST_LOST_DONE, 0, NULL, NULL});
    assert_ok(lake_create(x.catalog, (struct table_ident){"shop", "b"}, "", &x.e), &x.e);
    assert_int_equal(x.fake.requests[FAKE_REST_CREATE], 2);
    FAKE_REST_PLAN(&x.fake, FAKE_REST_LOAD,
                   {FAKE_REST_BODY, 403, NULL,
                    "{\"message\":\"The security token included in the request is invalid\"}"});
    assert_err(catalog_load(x.catalog, lake_orders, &table, &x.e), ERR_CONFIG, &x.e);
    assert_says(&x.e, "rest.signing-name");
    catalog_free(x.catalog);
    x.catalog = NULL;
    credentials_source_free(keys);
    rest_fixture_deinit(&x);
}

TEST_MAIN(test_case(test_rest_auth__sends_what_it_is_given),
          test_case(test_rest_auth__says_what_to_set_when_it_is_not_let_in),
          test_case(test_rest_auth__gets_a_token_for_client_credentials),
          test_case(test_rest_auth__falls_back_to_a_basic_header),
          test_case(test_rest_auth__says_that_the_credential_is_wrong),
          test_case(test_rest_auth__asks_the_token_server_again_what_may_pass),
          test_case(test_rest_auth__renews_a_token_before_its_end),
          test_case(test_rest_auth__renews_a_token_that_was_refused),
          test_case(test_rest_auth__has_a_credential_behind_a_token),
          test_case(test_rest_auth__asks_another_server_for_tokens),
          test_case(test_rest_auth__takes_what_the_server_says),
          test_case(test_rest_auth__gets_one_token_for_all_threads),
          test_case(test_rest_auth__signs_requests),
          test_case(test_rest_auth__signs_again_what_may_pass))
