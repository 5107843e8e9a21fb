#include "aws_bed.h"

/* ---- keys ---- */

TEST(test_aws_repairs__gets_new_keys_when_they_are_refused)
{
    static const char *const bodies[] = {EXPIRED, "<Error><Code>InvalidAccessKeyId</Code></Error>",
                                         "<Error><Code>InvalidToken</Code></Error>",
                                         ""}; /* a 400 to HEAD */

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct bed b = {.plans = {{.status = 400, .body = bodies[i]}}};

        bed_init(&b, &(struct setup){.keys_from_endpoint = true});
        assert_ok(call(&b, get_request()), &b.e);
        assert_int_equal(b.answer.tries, 2);
        assert_false(b.answer.maybe_done);
        assert_int_equal(b.time.slept_us, 0);
        assert_in(b.seen[0].authorization, "Credential=ASIA1/");
        assert_in(b.seen[1].authorization, "Credential=ASIA2/");
        assert_string_equal(b.seen[1].token, "token");
        bed_deinit(&b);
    }
}

TEST(test_aws_repairs__says_when_there_are_no_newer_keys)
{
    struct bed b = {.plans = {{.status = 400, .body = EXPIRED}}, .for_ever = true, .keys_fixed = 1};

    bed_init(&b, &(struct setup){.keys_from_endpoint = true});
    assert_err(call(&b, get_request()), ERR_CONFIG, &b.e);
    assert_int_equal(b.answer.tries, 1);
    assert_in(b.e.msg, " answered 400 ExpiredToken: It has expired; the keys have expired (keys: "
                       "container); ");
    assert_in(b.e.msg, "gives no others");
    assert_string_equal(b.answer.error.code, "ExpiredToken");
    bed_deinit(&b);
}

TEST(test_aws_repairs__stops_renewing)
{
    struct bed b = {.plans = {{.status = 400, .body = EXPIRED}}, .for_ever = true};

    bed_init(&b, &(struct setup){.keys_from_endpoint = true});
    assert_err(call(&b, get_request()), ERR_CONFIG, &b.e);
    assert_int_equal(b.answer.tries, 3);
    assert_in(b.e.msg, "the keys have expired");
    bed_deinit(&b);
}

TEST(test_aws_repairs__does_not_renew_keys_of_the_caller)
{
    struct bed b = {.plans = {{.status = 400, .body = EXPIRED}}};
    struct credentials keys = {.access_key_id = (char[]){"A"},
                               .secret_access_key = {(char[]){"own"}},
                               .session_token = {(char[]){"t"}},
                               .provider = "lent by the catalog"};
    struct aws_request q = get_request();

    bed_init(&b, &(struct setup){.keys_from_endpoint = true});
    q.credentials = &keys;
    assert_err(call(&b, q), ERR_CONFIG, &b.e);
    assert_int_equal(b.answer.tries, 1);
    assert_int_equal(b.keys_given, 0);
    assert_in(b.e.msg, "the keys have expired (keys: lent by the catalog)");
    keys.secret_access_key.text = NULL;
    assert_err(call(&b, q), ERR_CONFIG, &b.e);
    assert_in(b.e.msg, "GET s3://lake/t/x: the keys (lent by the catalog) lack their secret");
    assert_int_equal(b.requests, 1);
    bed_deinit(&b);
}

TEST(test_aws_repairs__says_where_it_looked_for_keys)
{
    struct bed b = {0};
    struct aws_client *client;

    bed_init(&b, NULL);
    const struct aws_client_options o = {.service = &bed_s3,
                                         .endpoint = fake_http_url(b.server),
                                         .region = "us-east-1",
                                         .http = b.http,
                                         .clock = fake_clock(&b.time)};

    assert_ok(aws_client_new(&o, &client, &b.e), &b.e);
    struct aws_request q = get_request();

    assert_err(aws_call(client, &q, &b.answer, &b.e), ERR_CONFIG, &b.e);
    assert_string_equal(b.e.msg, "GET s3://lake/t/x: there are no keys to sign with");
    assert_int_equal(b.requests, 0);
    aws_client_free(client);
    bed_deinit(&b);
}

/* ---- the clock ---- */

TEST(test_aws_repairs__signs_by_the_clock_of_the_service)
{
    static const struct {
        const struct aws_service *service;
        struct plan plan;
    } cases[] = {
        {&bed_s3,
         {.status = 403, .headers = "date: Tue, 14 Nov 2023 23:13:20 GMT\r\n", .body = SKEWED}},
        {&bed_s3,
         {.status = 403,
          .headers = "date: Tue, 14 Nov 2023 23:13:20 GMT\r\n",
          .body = "<Error><Code>SignatureDoesNotMatch</Code></Error>"}},
        /* to HEAD */
        {&bed_s3,
         {.status = 403, .headers = "date: Tue, 14 Nov 2023 23:13:20 GMT\r\n", .body = ""}},
        {&bed_glue,
         {.status = 400,
          .headers = "date: Tue, 14 Nov 2023 23:13:20 GMT\r\n",
          .body = "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired: "
                  "20231114T221320Z is now earlier than 20231114T225820Z\"}"}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed b = {.plans = {cases[i].plan}};

        bed_init(&b, &(struct setup){.service = cases[i].service});
        assert_ok(call(&b, get_request()), &b.e);
        assert_int_equal(b.answer.tries, 2);
        assert_string_equal(b.seen[0].date, "20231114T221320Z");
        assert_string_equal(b.seen[1].date, "20231114T231320Z");
        /* From now on. */
        assert_ok(call(&b, get_request()), &b.e);
        assert_string_equal(b.seen[2].date, "20231114T231320Z");
        bed_deinit(&b);
    }
}

TEST(test_aws_repairs__believes_only_a_clock_that_is_far_off)
{
    /* 90 s: no reason for a refusal. */
    struct bed b = {.plans = {{.status = 403,
                               .headers = "date: Tue, 14 Nov 2023 22:14:50 GMT\r\n",
                               .body = "<Error><Code>SignatureDoesNotMatch</Code></Error>"}}};

    bed_init(&b, NULL);
    assert_err(call(&b, get_request()), ERR_CONFIG, &b.e);
    assert_int_equal(b.answer.tries, 1);
    assert_in(b.e.msg, "the secret is not the one");
    assert_ok(call(&b, get_request()), &b.e);
    assert_string_equal(b.seen[1].date, "20231114T221320Z");
    bed_deinit(&b);
}

TEST(test_aws_repairs__says_how_far_the_clock_is_off)
{
    static const struct {
        const char *headers;
        const char *message;
    } cases[] = {
        {"date: Tue, 14 Nov 2023 23:13:20 GMT\r\n",
         "clock is 3600 s (1 h 0 min) behind the service"},
        {"date: Tue, 14 Nov 2023 20:12:20 GMT\r\n",
         "clock is 7260 s (2 h 1 min) ahead of the serv"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed b = {.plans = {{.status = 403, .headers = cases[i].headers, .body = SKEWED}},
                        .for_ever = true};

        bed_init(&b, NULL);
        assert_err(call(&b, get_request()), ERR_CONFIG, &b.e);
        assert_int_equal(b.answer.tries, 3);
        assert_in(b.e.msg, cases[i].message);
        bed_deinit(&b);
    }
}

/* ---- regions ---- */

TEST(test_aws_repairs__goes_to_the_region_that_is_named)
{
    static const struct plan plans[] = {
        {.status = 400, .body = MALFORMED},
        {.status = 301,
         .headers = "x-amz-bucket-region: eu-west-1\r\n",
         .body = "<Error><Code>PermanentRedirect</Code></Error>"},
        {.status = 400, .headers = "x-amz-bucket-region: eu-west-1\r\n", .body = ""}, /* to HEAD */
        {.status = 301,
         .body = "<Error><Code>PermanentRedirect</Code><Endpoint>lake.s3-eu-west-1.amazonaws.com"
                 "</Endpoint></Error>"},
        {.status = 307, .headers = "x-amz-bucket-region: eu-west-1\r\n", .body = ""},
    };

    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct bed b = {.plans = {plans[i]}};
        struct aws_request q = get_request();

        bed_init(&b, &(struct setup){.endpoint = "http://s3.us-east-1.amazonaws.com"});
        q.host_prefix = "lake";
        assert_ok(call(&b, q), &b.e);
        assert_int_equal(b.answer.tries, 2);
        assert_int_equal(b.time.slept_us, 0);
        assert_in(b.seen[0].authorization, "/us-east-1/s3/aws4_request");
        assert_in(b.seen[1].authorization, "/eu-west-1/s3/aws4_request");
        assert_string_equal(b.seen[1].host, "lake.s3.eu-west-1.amazonaws.com");
        /* From now on. */
        assert_ok(call(&b, q), &b.e);
        assert_int_equal(b.answer.tries, 1);
        assert_string_equal(b.seen[2].host, "lake.s3.eu-west-1.amazonaws.com");
        /* Who names a region himself gets it. */
        q.region = "us-east-1";
        assert_ok(call(&b, q), &b.e);
        assert_string_equal(b.seen[3].host, "lake.s3.us-east-1.amazonaws.com");
        bed_deinit(&b);
    }
}

TEST(test_aws_repairs__keeps_an_endpoint_of_ones_own)
{
    struct bed b = {.plans = {{.status = 400, .body = MALFORMED}}};

    bed_init(&b, NULL);
    assert_ok(call(&b, get_request()), &b.e);
    assert_in(b.seen[1].authorization, "/eu-west-1/s3/aws4_request");
    assert_string_equal(b.seen[1].host, b.seen[0].host);
    bed_deinit(&b);
}

TEST(test_aws_repairs__does_not_wander_between_regions)
{
    static const char *const headers[] = {"x-amz-bucket-region: eu-west-1\r\n",
                                          "x-amz-bucket-region: eu-west-2\r\n",
                                          "x-amz-bucket-region: eu-west-3\r\n"};
    struct bed b = {0};

    for (size_t i = 0; i < 3; i++) {
        b.plans[i] = (struct plan){.status = 301, .headers = headers[i]};
    }
    bed_init(&b, NULL);
    assert_err(call(&b, get_request()), ERR_CONFIG, &b.e);
    assert_int_equal(b.answer.tries, 3);
    assert_in(b.e.msg, "it was asked for region eu-west-2 and says eu-west-3: set s3.region");
    assert_string_equal(b.answer.error.region, "eu-west-3");
    bed_deinit(&b);
}

TEST(test_aws_repairs__does_not_follow_what_is_no_region)
{
    struct bed b = {
        .plans = {{.status = 301, .headers = "x-amz-bucket-region: evil.example.org/x\r\n"}}};

    bed_init(&b, &(struct setup){.endpoint = "http://s3.us-east-1.amazonaws.com"});
    assert_err(call(&b, get_request()), ERR_CONFIG, &b.e);
    assert_int_equal(b.requests, 1);
    bed_deinit(&b);
}

TEST_MAIN(test_case(test_aws_repairs__gets_new_keys_when_they_are_refused),
          test_case(test_aws_repairs__says_when_there_are_no_newer_keys),
          test_case(test_aws_repairs__stops_renewing),
          test_case(test_aws_repairs__does_not_renew_keys_of_the_caller),
          test_case(test_aws_repairs__says_where_it_looked_for_keys),
          test_case(test_aws_repairs__signs_by_the_clock_of_the_service),
          test_case(test_aws_repairs__believes_only_a_clock_that_is_far_off),
          test_case(test_aws_repairs__says_how_far_the_clock_is_off),
          test_case(test_aws_repairs__goes_to_the_region_that_is_named),
          test_case(test_aws_repairs__keeps_an_endpoint_of_ones_own),
          test_case(test_aws_repairs__does_not_wander_between_regions),
          test_case(test_aws_repairs__does_not_follow_what_is_no_region))
