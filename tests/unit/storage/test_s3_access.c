#include "s3_fixture.h"

/* A catalog that lends keys for what lies below a prefix. */
struct lender {
    const char *prefix;
    const char *key_id;  /* NULL: it finds the place but has no keys for it */
    const char *renewed; /* what it lends once it is told that those were refused */
    const char *endpoint;
    const char *region;
    bool path_style;
    enum err_code fails;
    unsigned calls;
    unsigned renewals;
};

static bool copy(const char *text, char **out)
{
    *out = text == NULL ? NULL : str_dup(text);
    return text == NULL || *out != NULL;
}

static enum err_code lend(void *ctx, const char *location, bool renew, bool *found,
                          struct s3_access *out, struct err *e)
{
    struct lender *l = ctx;

    l->calls++;
    l->renewals += renew ? 1 : 0;
    if (l->fails != ERR_OK) {
        return err_set(e, l->fails, "the catalog does not answer");
    }
    *found = str_starts_with(location, l->prefix);
    if (!*found) {
        return ERR_OK;
    }
    const char *key_id = l->renewals > 0 && l->renewed != NULL ? l->renewed : l->key_id;

    out->path_style = l->path_style;
    out->credentials.expires_us = INT64_MAX;
    if (!copy(l->endpoint, &out->endpoint) || !copy(l->region, &out->region) ||
        !copy(key_id, &out->credentials.access_key_id) ||
        !copy("secret", &out->credentials.secret_access_key.text)) {
        return err_nomem(e);
    }
    return ERR_OK;
}

static void init(struct s3_fixture *f, struct lender *l)
{
    s3_fixture_prepare(f);
    f->options.lent = (struct s3_access_source){lend, l};
    s3_fixture_open(f);
}

TEST(test_s3_access__signs_with_what_is_lent)
{
    struct lender l = {.prefix = "s3://lake/t/", .key_id = "LENT"};
    struct s3_fixture f;
    struct buf got = {0};

    init(&f, &l);
    assert_ok(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), &f.e);
    assert_string_equal(fake_s3_last_key_id(f.server), "LENT");
    assert_ok(store_get(f.store, "s3://lake/t/x", &got, &f.e), &f.e);
    assert_string_equal(fake_s3_last_key_id(f.server), "LENT");
    assert_ok(store_list(f.store, "s3://lake/t/none", NULL, NULL, &f.e), &f.e);
    assert_string_equal(fake_s3_last_key_id(f.server), "LENT");
    assert_ok(store_put(f.store, "s3://lake/u/x", span_str("rows"), &f.e), &f.e);
    assert_string_equal(fake_s3_last_key_id(f.server), "OWN");
    buf_deinit(&got);
    s3_fixture_deinit(&f);
}

TEST(test_s3_access__asks_for_others_once_when_they_are_refused)
{
    struct lender l = {.prefix = "s3://lake/t/", .key_id = "OLD", .renewed = "NEW"};
    struct s3_fixture f;

    init(&f, &l);
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.refused_key_id = "OLD"});
    assert_ok(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), &f.e);
    assert_string_equal(fake_s3_last_key_id(f.server), "NEW");
    assert_int_equal(l.calls, 2);
    assert_int_equal(l.renewals, 1);
    assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 2);
    s3_fixture_deinit(&f);

    l = (struct lender){.prefix = "s3://lake/t/", .key_id = "OLD"};
    init(&f, &l);
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.refused_key_id = "OLD"});
    assert_err(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), ERR_CONFIG, &f.e);
    assert_int_equal(l.renewals, 1);
    assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 2);
    s3_fixture_deinit(&f);
}

/* Denied may mean that the keys were taken back; HEAD says nothing at all. */
TEST(test_s3_access__asks_for_others_when_it_is_denied)
{
    static const struct fake_s3_fault faults[] = {
        {.status = 403, .code = "AccessDenied"},
        {.status = 403, .code = "InvalidAccessKeyId"},
        {.status = 403},
        {.status = 400, .code = "InvalidToken"},
    };

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct lender l = {.prefix = "s3://lake/t/", .key_id = "LENT"};
        struct s3_fixture f;

        init(&f, &l);
        s3_fail(&f, &faults[i]);
        assert_ok(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), &f.e);
        assert_int_equal(l.renewals, 1);
        s3_fixture_deinit(&f);
    }
}

/* The keys ran out after a try that had its effect: what is there is still ours. */
TEST(test_s3_access__remembers_what_may_have_been_done)
{
    struct lender l = {.prefix = "s3://lake/t/", .key_id = "LENT"};
    struct s3_fixture f;

    init(&f, &l);
    s3_fail(&f, &(struct fake_s3_fault){.fault = FAKE_HTTP_RESET, .done = true});
    s3_fail(&f, &(struct fake_s3_fault){.status = 400, .code = "ExpiredToken"});
    assert_ok(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), &f.e);
    assert_object(&f, "lake/t/x", "rows");
    assert_int_equal(l.renewals, 1);
    assert_int_equal(fake_s3_requests(f.server, "HEAD", NULL), 1);
    s3_fixture_deinit(&f);
}

TEST(test_s3_access__goes_where_the_keys_are_for)
{
    struct fake_s3 *elsewhere = fake_s3_new();
    struct lender l = {.prefix = "s3://lake/t/",
                       .key_id = "LENT",
                       .endpoint = fake_s3_url(elsewhere),
                       .region = "eu-north-1"};
    struct s3_fixture f;

    init(&f, &l);
    assert_ok(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), &f.e);
    assert_true(fake_s3_has(elsewhere, "lake/t/x"));
    assert_non_null(strstr(fake_s3_last_authorization(elsewhere), "/eu-north-1/s3/aws4_request"));
    assert_int_equal(fake_s3_count(f.server), 0);
    /* Another region at the store's own endpoint. */
    l.endpoint = NULL;
    assert_ok(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), &f.e);
    assert_non_null(strstr(fake_s3_last_authorization(f.server), "/eu-north-1/s3/aws4_request"));
    assert_ok(store_put(f.store, "s3://lake/u/x", span_str("rows"), &f.e), &f.e);
    assert_non_null(strstr(fake_s3_last_authorization(f.server), "/eu-west-1/s3/aws4_request"));
    s3_fixture_deinit(&f);
    fake_s3_free(elsewhere);
}

TEST(test_s3_access__asks_by_path_when_the_catalog_says_so)
{
    struct lender l = {.prefix = "s3://lake/t/", .key_id = "LENT", .path_style = true};
    struct s3_fixture f;

    s3_fixture_prepare(&f);
    f.options.lent = (struct s3_access_source){lend, &l};
    f.options.endpoint = fake_s3_localhost(f.server);
    f.options.addressing = S3_ADDRESSING_VIRTUAL;
    s3_fixture_open(&f);
    assert_ok(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), &f.e);
    assert_string_equal(fake_s3_last_target(f.server), "/lake/t/x");
    assert_ok(store_put(f.store, "s3://lake/u/x", span_str("rows"), &f.e), &f.e);
    assert_string_equal(fake_s3_last_target(f.server), "/u/x");
    s3_fixture_deinit(&f);
}

/* A place that the catalog describes without keys: one's own are used there. */
TEST(test_s3_access__uses_its_own_keys_where_none_are_lent)
{
    struct lender l = {.prefix = "s3://lake/t/", .region = "eu-north-1"};
    struct s3_fixture f;

    init(&f, &l);
    assert_ok(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), &f.e);
    assert_string_equal(fake_s3_last_key_id(f.server), "OWN");
    s3_fixture_deinit(&f);
}

TEST(test_s3_access__works_with_lent_keys_alone)
{
    struct lender l = {.prefix = "s3://lake/t/", .key_id = "LENT"};
    struct s3_fixture f;

    s3_fixture_prepare(&f);
    f.options.lent = (struct s3_access_source){lend, &l};
    f.options.credentials = NULL;
    s3_fixture_open(&f);
    assert_ok(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), &f.e);
    assert_string_equal(fake_s3_last_key_id(f.server), "LENT");
    assert_err(store_put(f.store, "s3://lake/u/x", span_str("rows"), &f.e), ERR_CONFIG, &f.e);
    assert_non_null(strstr(f.e.msg, "lends no keys for s3://lake/u/x"));
    s3_fixture_deinit(&f);
    /* A store that signs nothing otherwise. */
    s3_fixture_prepare(&f);
    f.options.lent = (struct s3_access_source){lend, &l};
    f.options.credentials = NULL;
    f.options.anonymous = true;
    s3_fixture_open(&f);
    assert_ok(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), &f.e);
    assert_string_equal(fake_s3_last_key_id(f.server), "LENT");
    assert_ok(store_put(f.store, "s3://lake/u/x", span_str("rows"), &f.e), &f.e);
    assert_string_equal(fake_s3_last_key_id(f.server), "");
    s3_fixture_deinit(&f);
}

TEST(test_s3_access__tells_when_the_catalog_does_not_answer)
{
    struct lender l = {.prefix = "s3://lake/t/", .fails = ERR_TIMEOUT};
    struct s3_fixture f;

    init(&f, &l);
    assert_err(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), ERR_TIMEOUT, &f.e);
    assert_string_equal(f.e.msg, "the keys that the catalog lends for s3://lake/t/x: the catalog "
                                 "does not answer");
    assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 0);
    s3_fixture_deinit(&f);
}

/* One that lends ever new endpoints would fill the memory. */
TEST(test_s3_access__has_a_limit_of_endpoints)
{
    struct lender l = {.prefix = "s3://lake/t/", .key_id = "LENT"};
    struct s3_fixture f;
    char region[32];
    enum err_code rc = ERR_OK;
    unsigned count = 0;

    init(&f, &l);
    for (; rc == ERR_OK && count < 1000; count++) {
        char location[32];

        (void)snprintf(region, sizeof region, "region-%u", count);
        (void)snprintf(location, sizeof location, "s3://lake/t/%u", count);
        l.endpoint = fake_s3_url(f.server);
        l.region = region;
        rc = store_put(f.store, location, span_str("rows"), &f.e);
    }
    assert_int_equal(rc, ERR_LIMIT);
    assert_int_equal(count, 257);
    s3_fixture_deinit(&f);
}

/* A batch is asked for with the keys of its first place; what those may not goes alone. */
TEST(test_s3_access__removes_with_the_keys_of_each_place)
{
    static const char *const locations[] = {"s3://lake/t/a", "s3://lake/u/a"};
    struct lender l = {.prefix = "s3://lake/t/", .key_id = "LENT"};
    struct s3_fixture f;

    init(&f, &l);
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.batch_fails = "u/"});
    fake_s3_put(f.server, "lake/t/a", span_str("x"));
    fake_s3_put(f.server, "lake/u/a", span_str("x"));
    assert_ok(store_remove_many(f.store, locations, 2, NULL, &f.e), &f.e);
    assert_int_equal(fake_s3_count(f.server), 0);
    assert_string_equal(fake_s3_last_key_id(f.server), "OWN");
    s3_fixture_deinit(&f);
}

TEST(test_s3_access__survives_lack_of_memory)
{
    struct lender l = {.prefix = "s3://lake/t/", .key_id = "OLD", .renewed = "NEW"};
    struct s3_fixture f;
    unsigned failures = 0;

    s3_fixture_prepare(&f);
    f.options.lent = (struct s3_access_source){lend, &l};
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.refused_key_id = "OLD"});
    l.endpoint = fake_s3_url(f.server);
    l.region = "eu-north-1";
    TORTURE(run)
    {
        struct store *store;
        enum err_code rc = store_s3_new(&f.options, &store, &f.e);

        l.renewals = 0;
        if (rc == ERR_OK) {
            rc = store_put(store, "s3://lake/t/x", span_str("rows"), &f.e);
            store_free(store);
        }
        failures += rc == ERR_OK ? 0 : 1;
        /* Without memory for its text a refusal has no reason, so that nothing is renewed. */
        assert_true(rc == ERR_OK || rc == ERR_NOMEM || rc == ERR_IO);
        fake_s3_remove(f.server, "lake/t/x");
    }
    assert_true(failures > 20);
    s3_fixture_deinit(&f);
}

TEST_MAIN(test_case(test_s3_access__signs_with_what_is_lent),
          test_case(test_s3_access__asks_for_others_once_when_they_are_refused),
          test_case(test_s3_access__asks_for_others_when_it_is_denied),
          test_case(test_s3_access__remembers_what_may_have_been_done),
          test_case(test_s3_access__goes_where_the_keys_are_for),
          test_case(test_s3_access__asks_by_path_when_the_catalog_says_so),
          test_case(test_s3_access__uses_its_own_keys_where_none_are_lent),
          test_case(test_s3_access__works_with_lent_keys_alone),
          test_case(test_s3_access__tells_when_the_catalog_does_not_answer),
          test_case(test_s3_access__has_a_limit_of_endpoints),
          test_case(test_s3_access__removes_with_the_keys_of_each_place),
          test_case(test_s3_access__survives_lack_of_memory))
