#include "aws/aws_client.h"

#include <pthread.h>
#include <unistd.h>

#include "aws/sigv4.h"
#include "aws_bed.h"
#include "fake_tls.h"
#include "temp_folder.h"

/* ---- what is sent ---- */

/* The signature of what came, made anew. */
static void assert_signed(const struct seen *s, const struct sigv4_request *request,
                          const struct sigv4_key *key)
{
    struct sigv4_headers h;
    struct err e = {0};

    assert_ok(sigv4_sign(request, key, &h, &e), &e);
    assert_string_equal(s->authorization, (const char *)h.authorization.data);
    assert_string_equal(s->date, h.date);
    assert_string_equal(s->hash, h.payload_hash);
    assert_string_equal(s->token, h.session_token);
    sigv4_headers_deinit(&h);
}

TEST(test_aws_client__sends_signed_requests)
{
    static const struct http_header headers[] = {{"If-None-Match", "*"}, {"x-amz-acl", " a  b"}};
    struct bed b = {0};
    struct credentials keys = {.access_key_id = (char[]){"ASIAOWN"},
                               .secret_access_key = {(char[]){"own"}},
                               .session_token = {(char[]){"to/ken=="}}};
    char hash[SIGV4_HASH_TEXT_BYTES];

    bed_init(&b, NULL);
    sigv4_hash(span_str("body"), hash);
    assert_ok(call(&b, (struct aws_request){.what = "PUT s3://lake/a b",
                                            .method = "PUT",
                                            .path = "/lake//a%20b",
                                            .query = "z=1&a",
                                            .headers = headers,
                                            .header_count = 2,
                                            .body = span_str("body"),
                                            .has_body = true,
                                            .unsigned_payload = true, /* but there is no TLS */
                                            .credentials = &keys,
                                            .region = "eu-west-3"}),
              &b.e);
    assert_int_equal(b.answer.response.status, 200);
    assert_text_eq(buf_span(&b.answer.response.body), "ok");
    assert_int_equal(b.answer.tries, 1);
    assert_false(b.answer.maybe_done);
    assert_int_equal(b.answer.error.status, 0);
    assert_string_equal(b.seen[0].target, "PUT /lake//a%20b?z=1&a");
    assert_string_equal(b.seen[0].host, fake_http_url(b.server) + strlen("http://"));
    assert_string_equal(b.seen[0].body, "body");
    assert_signed(&b.seen[0],
                  &(struct sigv4_request){.method = "PUT",
                                          .host = b.seen[0].host,
                                          .path = "/lake//a%20b",
                                          .query = "z=1&a",
                                          .headers = headers,
                                          .header_count = 2,
                                          .payload_hash = hash},
                  &(struct sigv4_key){.access_key_id = "ASIAOWN",
                                      .secret_access_key = "own",
                                      .session_token = "to/ken==",
                                      .region = "eu-west-3",
                                      .service = "s3",
                                      .time_s = NOW_S,
                                      .path_as_is = true,
                                      .send_payload_hash = true});
    bed_deinit(&b);
}

TEST(test_aws_client__signs_nothing_when_anonymous)
{
    struct bed b = {.plans = {{.status = 403, .body = "<Error><Code>AccessDenied</Code></Error>"}}};

    bed_init(&b, &(struct setup){.anonymous = true});
    assert_err(call(&b, get_request()), ERR_CONFIG, &b.e);
    assert_string_equal(b.seen[0].authorization, "");
    assert_string_equal(b.seen[0].date, "");
    assert_in(b.e.msg, "answered 403 AccessDenied; it was asked without keys of AWS");
    bed_deinit(&b);
}

TEST(test_aws_client__names_the_settings_of_the_service_when_there_are_no_keys)
{
    static const struct {
        const struct aws_service *service;
        const char *want;
        const char *not_want;
    } cases[] = {
        {&bed_s3, "keys for S3 (settings s3.*, client.*): AWS keys: there are no AWS keys",
         "glue."},
        {&bed_glue, "keys for Glue (settings glue.*, client.*): AWS keys: there are no AWS keys",
         "s3."},
        {&bed_rest, "keys for the REST catalog (settings client.*): AWS keys: there are no AWS",
         "glue."},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed b = {0};

        bed_init(&b, &(struct setup){.service = cases[i].service, .no_keys = true});
        assert_err(call(&b, get_request()), ERR_CONFIG, &b.e);
        assert_in(b.e.msg, cases[i].want);
        assert_null(strstr(b.e.msg, cases[i].not_want));
        bed_deinit(&b);
    }
}

TEST(test_aws_client__puts_a_bucket_in_front_of_the_host)
{
    struct bed b = {0};
    struct aws_request q = get_request();

    bed_init(&b, &(struct setup){.endpoint = "http://s3.us-east-1.amazonaws.com/base/"});
    q.host_prefix = "lake";
    q.path = "/t/x";
    assert_ok(call(&b, q), &b.e);
    assert_string_equal(b.seen[0].target, "GET http://lake.s3.us-east-1.amazonaws.com/base/t/x");
    assert_string_equal(b.seen[0].host, "lake.s3.us-east-1.amazonaws.com");
    assert_signed(&b.seen[0],
                  &(struct sigv4_request){.method = "GET",
                                          .host = "lake.s3.us-east-1.amazonaws.com",
                                          .path = "/base/t/x",
                                          .query = "",
                                          .payload_hash = b.seen[0].hash},
                  &(struct sigv4_key){.access_key_id = "AKIDEXAMPLE",
                                      .secret_access_key = "hush",
                                      .region = "us-east-1",
                                      .service = "s3",
                                      .time_s = NOW_S,
                                      .path_as_is = true,
                                      .send_payload_hash = true});
    bed_deinit(&b);
}

/* Once with the certificate's authority, once without. */
TEST(test_aws_client__leaves_payloads_unsigned_over_tls)
{
    for (int trusted = 0; trusted < 2; trusted++) {
        struct bed b = {0};
        struct temp_folder folder;
        struct aws_request q = commit_request();

        bed_init(&b, NULL);
        temp_folder_init(&folder);
        struct fake_tls *tls = fake_tls_new(&(struct fake_tls_options){
            .server_url = fake_http_url(b.server), .folder = folder.path});
        struct http_client *http;
        struct aws_client *client;
        const struct http_client_options ho = {
            .proxy = "", .ca_bundle = fake_tls_file(tls, trusted == 1 ? "ca.pem" : "other_ca.pem")};

        assert_ok(http_client_new(&ho, &http, &b.e), &b.e);
        const struct aws_client_options o = {.service = &bed_s3,
                                             .endpoint = fake_tls_url(tls),
                                             .region = "us-east-1",
                                             .credentials = b.source,
                                             .http = http,
                                             .clock = fake_clock(&b.time)};

        assert_ok(aws_client_new(&o, &client, &b.e), &b.e);
        q.unsigned_payload = true;
        if (trusted == 1) {
            assert_ok(aws_call(client, &q, &b.answer, &b.e), &b.e);
            assert_string_equal(b.seen[0].hash, "UNSIGNED-PAYLOAD");
            assert_string_equal(b.seen[0].body, "{}");
        } else {
            assert_err(aws_call(client, &q, &b.answer, &b.e), ERR_IO, &b.e);
            assert_int_equal(b.answer.tries, 1);
            assert_false(b.answer.maybe_done);
            assert_in(b.e.msg, "no answer from S3 at https://");
            assert_in(b.e.msg, "certificate");
        }
        aws_client_free(client);
        http_client_free(http);
        fake_tls_free(tls);
        bed_deinit(&b);
        temp_folder_deinit(&folder);
    }
}

TEST(test_aws_client__refuses_wrong_settings)
{
    static const struct {
        const char *endpoint;
        const char *region;
        const char *message;
    } cases[] = {
        {"minio:9000", "us-east-1", "an endpoint: "},
        {"http://u:hush@h", "us-east-1", "user's name in front"},
        {"http://h", "", "S3: '' is no region: set AWS_REGION"},
        {"http://h", NULL, "S3: '' is no region"},
        {"http://h", "eu/west", "S3: 'eu/west' is no region"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct aws_client *client = (struct aws_client *)1;
        struct err e = {0};

        assert_err(aws_client_new(&(struct aws_client_options){.service = &bed_s3,
                                                               .endpoint = cases[i].endpoint,
                                                               .region = cases[i].region,
                                                               .clock = clock_system()},
                                  &client, &e),
                   ERR_CONFIG, &e);
        assert_in(e.msg, cases[i].message);
        assert_null(strstr(e.msg, "hush"));
        assert_null(client);
    }
}

/* ---- failures that pass ---- */

static const struct {
    struct plan plan;
    bool maybe_done;
    int64_t least_us;
    int64_t most_us;
} passing[] = {
    {{.fault = FAKE_HTTP_RESET}, true, 100 * MS, 100 * MS},
    {{.fault = FAKE_HTTP_CLOSE}, true, 100 * MS, 100 * MS},
    {{.fault = FAKE_HTTP_TRUNCATE, .status = 200, .body = "half of it"}, true, 100 * MS, 100 * MS},
    {{.fault = FAKE_HTTP_STALL}, true, 100 * MS, 100 * MS},
    {{.status = 500}, true, 100 * MS, 100 * MS},
    {{.status = 502, .body = "<html>"}, true, 100 * MS, 100 * MS},
    {{.status = 503, .body = "<Error><Code>ServiceUnavailable</Code></Error>"},
     true,
     100 * MS,
     100 * MS},
    {{.status = 200, .body = " <Error><Code>InternalError</Code></Error>"},
     true,
     100 * MS,
     100 * MS},
    {{.status = 400, .body = "<Error><Code>RequestTimeout</Code></Error>"},
     false,
     100 * MS,
     100 * MS},
    {{.status = 503, .body = "<Error><Code>SlowDown</Code></Error>"}, false, 500 * MS, 500 * MS},
    {{.status = 429, .headers = "retry-after: 7\r\n"}, false, 7 * S, 7 * S},
    {{.status = 503, .headers = "retry-after: Tue, 14 Nov 2023 22:13:30 GMT\r\n"},
     true,
     10 * S,
     10 * S},
};

TEST(test_aws_client__tries_again_what_may_pass)
{
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        struct bed b = {.plans = {passing[i].plan}};

        bed_init(&b, &(struct setup){.short_stall = true});
        assert_ok(call(&b, get_request()), &b.e);
        assert_int_equal(b.answer.tries, 2);
        assert_int_equal(b.answer.maybe_done, passing[i].maybe_done);
        assert_text_eq(buf_span(&b.answer.response.body), "ok");
        assert_string_equal(b.answer.error.code, "");
        assert_between(b.time.slept_us, passing[i].least_us, passing[i].most_us);
        assert_int_equal(b.requests, 2);
        bed_deinit(&b);
    }
}

TEST(test_aws_client__gives_each_try_its_time)
{
    struct bed b = {.plans = {{.fault = FAKE_HTTP_STALL}}};
    struct bed short_one = {.plans = {{.fault = FAKE_HTTP_STALL}}};
    struct aws_request q = get_request();

    bed_init(&b, &(struct setup){.attempt_us = 50 * MS});
    assert_ok(call(&b, q), &b.e);
    assert_int_equal(b.answer.tries, 2);
    assert_true(b.answer.maybe_done);
    bed_deinit(&b);
    bed_init(&short_one, NULL);
    q.deadline_us = 50 * MS;
    assert_err(call(&short_one, q), ERR_TIMEOUT, &short_one.e);
    assert_true(short_one.e.retryable);
    assert_int_equal(short_one.answer.tries, 1);
    bed_deinit(&short_one);
}

TEST(test_aws_client__waits_longer_each_time)
{
    static const struct {
        const char *code;
        int64_t most_us; /* of 7 waits */
    } cases[] = {
        /* 0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 3.2 + 5 */
        {"InternalError", 11300 * MS},
        /* 0.5 + 1 + 2 + 4 + 8 + 16 + 20 */
        {"SlowDown", 51500 * MS},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[100];
        struct bed b = {0};

        (void)snprintf(body, sizeof body, "<Error><Code>%s</Code></Error>", cases[i].code);
        for (size_t j = 0; j < 7; j++) {
            b.plans[j] = (struct plan){.status = 503, .body = body};
        }
        bed_init(&b, NULL);
        assert_ok(call(&b, get_request()), &b.e);
        assert_int_equal(b.answer.tries, 8);
        assert_between(b.time.slept_us, 7 * (i == 0 ? 100 : 500) * MS, cases[i].most_us);
        /* Each try has a signature of its own time. */
        assert_string_not_equal(b.seen[0].date, b.seen[7].date);
        assert_string_not_equal(b.seen[0].authorization, b.seen[7].authorization);
        bed_deinit(&b);
    }
}

TEST(test_aws_client__gives_up_at_the_deadline)
{
    static const struct {
        struct plan plan;
        int64_t least_us;
        const char *message;
        uint32_t tries; /* 0: more than 10 */
    } cases[] = {
        {{.status = 500,
          .headers = "x-amz-request-id: R1\r\n",
          .body = "<Error><Code>InternalError</Code><Message>We failed.</Message></Error>"},
         20 * S,
         " answered 500 InternalError: We failed (request id R1)",
         0},
        {{.status = 429, .headers = "retry-after: 60\r\n"}, 0, " answered 429", 1},
        {{.fault = FAKE_HTTP_CLOSE}, 20 * S, ": no answer from S3 at http://127.0.0.1:", 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed b = {.plans = {cases[i].plan}, .for_ever = true};
        struct aws_request q = get_request();

        bed_init(&b, NULL);
        q.deadline_us = 30 * S;
        assert_err(call(&b, q), ERR_IO, &b.e);
        assert_true(b.e.retryable);
        assert_between(b.time.slept_us, cases[i].least_us, 30 * S);
        assert_in(b.e.msg, "GET s3://lake/t/x: ");
        assert_in(b.e.msg, cases[i].message);
        if (cases[i].tries != 0) {
            assert_int_equal(b.answer.tries, cases[i].tries);
        } else {
            char part[40];

            assert_true(b.answer.tries >= 7);
            (void)snprintf(part, sizeof part, " (%u tries in ", b.answer.tries);
            assert_in(b.e.msg, part);
        }
        bed_deinit(&b);
    }
}

/* Two minutes are the default. */
TEST(test_aws_client__tries_for_two_minutes)
{
    struct bed b = {.plans = {{.status = 503}}, .for_ever = true};

    bed_init(&b, NULL);
    assert_err(call(&b, get_request()), ERR_IO, &b.e);
    assert_between(b.time.slept_us, 110 * S, 120 * S);
    bed_deinit(&b);
}

TEST(test_aws_client__tells_soon_that_nobody_is_there)
{
    struct bed b = {0};

    bed_init(&b, NULL);
    fake_http_free(b.server);
    b.server = NULL;
    assert_err(call(&b, get_request()), ERR_IO, &b.e);
    assert_true(b.e.retryable);
    assert_between(b.time.slept_us, 4 * S, 5 * S);
    assert_false(b.answer.maybe_done);
    assert_false(b.answer.response.sent);
    assert_in(b.e.msg, "GET s3://lake/t/x: no answer from S3 at http://127.0.0.1:");
    assert_in(b.e.msg, "could not connect");
    assert_in(b.e.msg, "; is the endpoint right (s3.endpoint)?");
    b.time.slept_us = 0;
    assert_err(call(&b, get_request()), ERR_IO, &b.e);
    assert_between(b.time.slept_us, 0, 0);
    bed_deinit(&b);
}

TEST(test_aws_client__has_patience_with_who_was_there)
{
    struct bed b = {0};

    bed_init(&b, NULL);
    assert_ok(call(&b, get_request()), &b.e);
    fake_http_free(b.server);
    b.server = NULL;
    assert_err(call(&b, get_request()), ERR_IO, &b.e);
    assert_between(b.time.slept_us, 110 * S, 120 * S);
    bed_deinit(&b);
}

/* ---- failures that stay ---- */

static const struct {
    const struct aws_service *service;
    struct plan plan;
    enum err_code code;
    const char *what; /* NULL: GET s3://lake/t/x */
    const char *messages[3];
} staying[] = {
    {&bed_s3,
     {.status = 404, .body = "<Error><Code>NoSuchKey</Code><Message>Not there.</Message></Error>"},
     ERR_NOT_FOUND,
     NULL,
     {"GET s3://lake/t/x: S3 at http://127.0.0.1:", " answered 404 NoSuchKey: Not there"}},
    {&bed_s3, {.status = 412}, ERR_EXISTS, NULL, {" answered 412"}},
    {&bed_s3,
     {.status = 409, .body = "<Error><Code>ConditionalRequestConflict</Code></Error>"},
     ERR_CONFLICT,
     NULL,
     {" answered 409 ConditionalRequestConflict"}},
    {&bed_s3,
     {.status = 501, .body = "<Error><Code>NotImplemented</Code></Error>"},
     ERR_IO,
     NULL,
     {" answered 501 NotImplemented"}},
    {&bed_s3,
     {.status = 403, .body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"},
     ERR_CONFIG,
     NULL,
     {"the keys (", ") need s3:GetObject on s3://lake/t/x: look at their IAM policy",
      "without s3:ListBucket a missing object is denied too"}},
    {&bed_s3,
     {.status = 403, .body = ""},
     ERR_CONFIG,
     "PUT s3://lake/t/x",
     {" answered 403; the keys (", " need s3:PutObject on s3://lake/t/x"}},
    {&bed_s3,
     {.status = 403},
     ERR_CONFIG,
     "ListObjectsV2 s3://lake/t/",
     {" need s3:ListBucket on s3://lake/t/"}},
    {&bed_s3,
     {.status = 403},
     ERR_CONFIG,
     "HeadObject s3://lake/t/x",
     {" need s3:GetObject on s3://lake/t/x", "without s3:ListBucket"}},
    {&bed_s3,
     {.status = 403},
     ERR_CONFIG,
     "UploadPart s3://lake/t/x",
     {" need s3:PutObject on s3://lake/t/x"}},
    {&bed_s3,
     {.status = 403},
     ERR_CONFIG,
     "AbortMultipartUpload s3://lake/t/x",
     {" need s3:AbortMultipartUpload on s3://lake/t/x"}},
    {&bed_glue,
     {.status = 400,
      .body = "{\"__type\":\"AccessDeniedException\",\"Message\":\"User: arn:aws:iam::1:user/u is "
              "not authorized to perform: glue:GetTable\"}"},
     ERR_CONFIG,
     "GetTable shop.orders",
     {"GetTable shop.orders: Glue at ", "User: arn:aws:iam::1:user/u is not authorized to perform",
      " need glue:GetTable on shop.orders"}},
    {&bed_rest,
     {.status = 403, .body = "{\"error\":{\"message\":\"no\",\"type\":\"ForbiddenException\"}}"},
     ERR_CONFIG,
     "asking for the configuration",
     {"the REST catalog at ", " answered 403 ForbiddenException: no; the keys (",
      " need an action of glue:* for this: look at"}},
    {&bed_s3,
     {.status = 403,
      .body = "<Error><Code>InvalidAccessKeyId</Code><Message>It does not exist in our records."
              "</Message></Error>"},
     ERR_CONFIG,
     NULL,
     {"it does not know the access key id", "see s3.access-key-id, AWS_ACCESS_KEY_ID"}},
    {&bed_s3,
     {.status = 403, .body = "<Error><Code>SignatureDoesNotMatch</Code></Error>"},
     ERR_CONFIG,
     NULL,
     {"the secret is not the one of the access key id (keys: settings; see s3.access-key-id, ",
      "or the region is not the service's: it was signed for region us-east-1 (s3.region)"}},
    {&bed_glue,
     {.status = 400,
      .body = "{\"__type\":\"InvalidSignatureException\",\"message\":\"The request signature we "
              "calculated does not match\"}"},
     ERR_CONFIG,
     "GetTable shop.orders",
     {"the secret is not the one of the access key id (keys: settings; see glue.access-key-id, ",
      "signed for region us-east-1 (glue.region)"}},
    {&bed_glue,
     {.status = 400, .body = "{\"__type\":\"UnrecognizedClientException\"}"},
     ERR_CONFIG,
     "GetTable shop.orders",
     {"it does not know the access key id", "see glue.access-key-id, AWS_ACCESS_KEY_ID"}},
    {&bed_s3,
     {.status = 301, .headers = "location: https://minio.example.org/\r\n"},
     ERR_IO,
     NULL,
     {" answered 301: it points to https://minio.example.org/",
      "no redirect is followed: is s3.endpoint right?"}},
    {&bed_glue,
     {.status = 400,
      .body = "{\"__type\":\"InvalidSignatureException\",\"message\":\"Credential should be scoped "
              "to a valid region.\"}"},
     ERR_CONFIG,
     "GetTable shop.orders",
     {"it was asked for region us-east-1: is glue.region (AWS_REGION) right?"}},
    {&bed_s3,
     {.status = 403, .body = "<Error><Code>RequestTimeTooSkewed</Code></Error>"},
     ERR_CONFIG,
     NULL,
     {"is this machine's clock right?"}}, /* without a Date nothing is known */
};

TEST(test_aws_client__explains_what_stays)
{
    for (size_t i = 0; i < sizeof staying / sizeof staying[0]; i++) {
        struct bed b = {.plans = {staying[i].plan}};
        struct aws_request q = get_request();

        bed_init(&b, &(struct setup){.service = staying[i].service});
        if (staying[i].what != NULL) {
            q.what = staying[i].what;
        }
        assert_err(call(&b, q), staying[i].code, &b.e);
        assert_false(b.e.retryable);
        assert_int_equal(b.answer.tries, 1);
        assert_int_equal(b.answer.error.status, staying[i].plan.status);
        assert_false(b.answer.maybe_done);
        assert_int_equal(b.time.slept_us, 0);
        assert_null(strstr(b.e.msg, "hush"));
        for (size_t j = 0; j < 3 && staying[i].messages[j] != NULL; j++) {
            assert_in(b.e.msg, staying[i].messages[j]);
        }
        bed_deinit(&b);
    }
}

TEST(test_aws_client__keeps_what_the_last_answer_said)
{
    struct bed b = {.plans = {{.status = 500},
                              {.status = 412,
                               .headers = "x-amz-request-id: R2\r\n",
                               .body = "<Error><Code>PreconditionFailed</Code></Error>"}}};

    bed_init(&b, NULL);
    assert_err(call(&b, get_request()), ERR_EXISTS, &b.e);
    assert_true(b.answer.maybe_done);
    assert_int_equal(b.answer.tries, 2);
    assert_int_equal(b.answer.response.status, 412);
    assert_string_equal(b.answer.error.code, "PreconditionFailed");
    assert_string_equal(b.answer.error.request_id, "R2");
    bed_deinit(&b);
}

TEST(test_aws_client__refuses_answers_that_are_too_large)
{
    struct bed b = {.plans = {{.body = "0123456789"}}};
    struct aws_request q = get_request();

    bed_init(&b, NULL);
    q.response_bytes_max = 9;
    assert_err(call(&b, q), ERR_LIMIT, &b.e);
    assert_in(b.e.msg, "GET s3://lake/t/x: ");
    assert_int_equal(b.answer.tries, 1);
    bed_deinit(&b);
}

/* ---- requests that must not be done twice ---- */

static const struct {
    struct plan plan;
    enum err_code code;
    uint32_t tries;
} commits[] = {
    {{.fault = FAKE_HTTP_RESET}, ERR_UNKNOWN, 1},
    {{.fault = FAKE_HTTP_STALL}, ERR_UNKNOWN, 1},
    {{.fault = FAKE_HTTP_TRUNCATE, .body = "half of it"}, ERR_UNKNOWN, 1},
    {{.status = 500}, ERR_UNKNOWN, 1},
    {{.status = 503, .body = "{\"__type\":\"ServiceUnavailableException\"}"}, ERR_UNKNOWN, 1},
    {{.status = 400, .body = "{\"__type\":\"OperationTimeoutException\"}"}, ERR_UNKNOWN, 1},
    {{.status = 400, .body = "{\"__type\":\"ConcurrentModificationException\"}"}, ERR_CONFLICT, 1},
    {{.status = 400, .body = "{\"__type\":\"ThrottlingException\"}"}, ERR_OK, 2},
    {{.status = 429}, ERR_OK, 2},
    {{.status = 503, .body = "{\"__type\":\"SlowDown\"}"}, ERR_OK, 2},
    {{.status = 403,
      .headers = "date: Tue, 14 Nov 2023 23:13:20 GMT\r\n",
      .body = "{\"__type\":\"RequestExpired\"}"},
     ERR_OK,
     2},
};

TEST(test_aws_client__does_not_repeat_what_may_be_done)
{
    for (size_t i = 0; i < sizeof commits / sizeof commits[0]; i++) {
        struct bed b = {.plans = {commits[i].plan}};

        bed_init(&b, &(struct setup){.service = &bed_glue, .short_stall = true});
        assert_err(call(&b, commit_request()), commits[i].code, &b.e);
        assert_int_equal(b.answer.tries, commits[i].tries);
        assert_int_equal(b.requests, commits[i].tries);
        assert_int_equal(b.answer.maybe_done, commits[i].code == ERR_UNKNOWN);
        if (commits[i].code == ERR_UNKNOWN) {
            assert_in(b.e.msg, "it is not known whether this was done: UpdateTable shop.orders: ");
            assert_false(b.e.retryable);
        }
        bed_deinit(&b);
    }
}

TEST(test_aws_client__repeats_what_was_never_sent)
{
    struct bed b = {0};

    bed_init(&b, &(struct setup){.service = &bed_glue});
    fake_http_free(b.server);
    b.server = NULL;
    assert_err(call(&b, commit_request()), ERR_IO, &b.e);
    assert_true(b.answer.tries > 3);
    assert_false(b.answer.maybe_done);
    bed_deinit(&b);
}

/* ---- stopping ---- */

static void sleep_and_stop(void *ctx, int64_t us)
{
    struct bed *b = ctx;

    fake_clock_advance(&b->time, us);
    b->time.slept_us += us;
    b->stop = true;
}

static int64_t bed_wall_us(void *ctx)
{
    return ((struct bed *)ctx)->time.wall_us;
}

static int64_t bed_mono_us(void *ctx)
{
    return ((struct bed *)ctx)->time.mono_us;
}

TEST(test_aws_client__stops_while_it_waits)
{
    static const struct clock_ops ops = {bed_wall_us, bed_mono_us, sleep_and_stop};
    struct bed b = {.plans = {{.status = 429, .headers = "retry-after: 60\r\n"}}};
    struct aws_client *client;

    bed_init(&b, NULL);
    const struct aws_client_options o = {.service = &bed_s3,
                                         .endpoint = fake_http_url(b.server),
                                         .region = "us-east-1",
                                         .credentials = b.source,
                                         .http = b.http,
                                         .clock = {&ops, &b}};

    assert_ok(aws_client_new(&o, &client, &b.e), &b.e);
    struct aws_request q = get_request();

    assert_err(aws_call(client, &q, &b.answer, &b.e), ERR_CANCELLED, &b.e);
    assert_between(b.time.slept_us, 1, 1 * S);
    assert_in(b.e.msg, "GET s3://lake/t/x: stopped while waiting");
    aws_client_free(client);
    bed_deinit(&b);
}

TEST(test_aws_client__stops_while_a_request_is_on_its_way)
{
    static const enum err_code codes[] = {ERR_CANCELLED, ERR_UNKNOWN};

    for (size_t i = 0; i < 2; i++) {
        struct bed b = {.plans = {{.fault = FAKE_HTTP_STALL}}, .stop_at_request = true};

        bed_init(&b, NULL);
        assert_err(call(&b, i == 0 ? get_request() : commit_request()), codes[i], &b.e);
        assert_int_equal(b.answer.tries, 1);
        assert_true(b.answer.maybe_done);
        bed_deinit(&b);
    }
}

/* ---- the rest ---- */

TEST(test_aws_client__logs_each_retry)
{
    struct bed b = {.plans = {{.fault = FAKE_HTTP_CLOSE},
                              {.status = 503, .body = "<Error><Code>SlowDown</Code></Error>"},
                              {.status = 500, .body = ""}}};
    struct log log;
    int ends[2];
    char text[4096];

    assert_int_equal(pipe(ends), 0);
    log_init(&log, ends[1], LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    bed_init(&b, &(struct setup){.log = &log});
    assert_ok(call(&b, get_request()), &b.e);
    bed_deinit(&b);
    log_deinit(&log);
    (void)close(ends[1]);
    ssize_t len = read(ends[0], text, sizeof text - 1);

    (void)close(ends[0]);
    assert_true(len > 0);
    text[len] = '\0';
    assert_in(text, "debug aws.retry what=\"GET s3://lake/t/x\" status=0 code=\"\" "
                    "error=\"127.0.0.1:");
    assert_in(text, " wait_ms=100 try=1\n");
    assert_in(text, " debug aws.retry what=\"GET s3://lake/t/x\" status=503 code=SlowDown "
                    "error=\"\" wait_ms=500 try=2\n");
    assert_in(text, " info aws.retry what=\"GET s3://lake/t/x\" status=500 code=\"\" ");
    assert_in(text, " try=3\n");
    assert_null(strstr(text, "hush"));
}

struct caller {
    pthread_t thread;
    struct bed *bed;
    unsigned failed;
};

static void *call_often(void *ctx)
{
    struct caller *me = ctx;

    for (int i = 0; i < 20; i++) {
        struct aws_request q = get_request();
        struct aws_answer a;

        me->failed += aws_call(me->bed->client, &q, &a, NULL) != ERR_OK ? 1 : 0;
        aws_answer_deinit(&a);
    }
    return NULL;
}

/* For the thread sanitizer: throttling, renewal, clock and region at the same time. */
TEST(test_aws_client__serves_several_threads)
{
    struct caller callers[4] = {0};
    struct bed b = {
        .plans = {
            {.status = 503, .body = "<Error><Code>SlowDown</Code></Error>"},
            {.status = 400, .body = EXPIRED},
            {.status = 403, .headers = "date: Tue, 14 Nov 2023 23:13:20 GMT\r\n", .body = SKEWED},
            {.status = 400, .body = MALFORMED},
            {.status = 500}}};

    bed_init(&b, &(struct setup){.keys_from_endpoint = true});
    for (size_t i = 0; i < 4; i++) {
        callers[i].bed = &b;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_equal(callers[i].failed, 0);
    }
    assert_int_equal(b.requests, 85);
    bed_deinit(&b);
}

TEST(test_aws_client__survives_failing_allocations)
{
    struct bed b = {.plans = {{.status = 400, .body = MALFORMED}}, .for_ever = true};

    bed_init(&b, NULL);
    TORTURE(nth)
    {
        const struct aws_client_options o = {.service = &bed_s3,
                                             .endpoint = fake_http_url(b.server),
                                             .region = "us-east-1",
                                             .credentials = b.source,
                                             .http = b.http,
                                             .clock = fake_clock(&b.time)};
        struct aws_client *client = NULL;
        struct aws_request q = get_request();
        struct aws_answer a = {0};

        q.query = "a=1";
        q.host_prefix = "";
        enum err_code rc = aws_client_new(&o, &client, &b.e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        if (rc == ERR_OK) {
            rc = aws_call(client, &q, &a, &b.e);
            /* What the answer said may be lost, but never that it was an error. */
            assert_true(rc == ERR_CONFIG || rc == ERR_IO || rc == ERR_NOMEM);
            aws_answer_deinit(&a);
        }
        aws_client_free(client);
    }
    bed_deinit(&b);
}

TEST_MAIN(test_case(test_aws_client__sends_signed_requests),
          test_case(test_aws_client__signs_nothing_when_anonymous),
          test_case(test_aws_client__names_the_settings_of_the_service_when_there_are_no_keys),
          test_case(test_aws_client__puts_a_bucket_in_front_of_the_host),
          test_case(test_aws_client__leaves_payloads_unsigned_over_tls),
          test_case(test_aws_client__refuses_wrong_settings),
          test_case(test_aws_client__tries_again_what_may_pass),
          test_case(test_aws_client__gives_each_try_its_time),
          test_case(test_aws_client__waits_longer_each_time),
          test_case(test_aws_client__gives_up_at_the_deadline),
          test_case(test_aws_client__tries_for_two_minutes),
          test_case(test_aws_client__tells_soon_that_nobody_is_there),
          test_case(test_aws_client__has_patience_with_who_was_there),
          test_case(test_aws_client__explains_what_stays),
          test_case(test_aws_client__keeps_what_the_last_answer_said),
          test_case(test_aws_client__refuses_answers_that_are_too_large),
          test_case(test_aws_client__does_not_repeat_what_may_be_done),
          test_case(test_aws_client__repeats_what_was_never_sent),
          test_case(test_aws_client__stops_while_it_waits),
          test_case(test_aws_client__stops_while_a_request_is_on_its_way),
          test_case(test_aws_client__logs_each_retry),
          test_case(test_aws_client__serves_several_threads),
          test_case(test_aws_client__survives_failing_allocations))
