#include "aws/aws_client.h"
#include "responses.h"
#include "test.h"

struct sample {
    int status;
    const char *headers;
    const char *body;
    struct aws_error want;
};

static void check(const struct sample *s, bool xml)
{
    struct http_response r = make_response(s->status, s->headers, span_str(s->body));
    struct aws_error got;

    memset(&got, 'x', sizeof got);
    assert_true(xml ? aws_read_xml_error(&r, &got) : aws_read_json_error(&r, &got));
    assert_int_equal(got.status, s->status);
    assert_string_equal(got.code, s->want.code);
    assert_string_equal(got.message, s->want.message);
    assert_string_equal(got.region, s->want.region);
    assert_string_equal(got.request_id, s->want.request_id);
    http_response_deinit(&r);
}

/* As Glue, IAM Identity Center and API Gateway answer. */
static const struct sample json_samples[] = {
    {400,
     "x-amzn-RequestId: 5f1c\n",
     "{\"__type\":\"com.amazonaws.glue#EntityNotFoundException\",\"Message\":\"Table t not "
     "found\"}",
     {.code = "EntityNotFoundException", .message = "Table t not found", .request_id = "5f1c"}},
    {400,
     "",
     "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}",
     {.code = "ThrottlingException", .message = "Rate exceeded"}},
    {403,
     "x-amzn-errortype: AccessDeniedException:http://internal.amazon.com/coral/\n",
     "{\"message\":\"no\"}",
     {.code = "AccessDeniedException", .message = "no"}},
    {403,
     "x-amzn-ErrorType: ForbiddenException\n",
     "{\"__type\":\"Other\",\"message\":null}",
     {.code = "ForbiddenException"}},
    {404,
     "",
     "{\"error\":{\"message\":\"Namespace does not exist\",\"type\":\"NoSuchNamespaceException\","
     "\"code\":404}}",
     {.code = "NoSuchNamespaceException", .message = "Namespace does not exist"}},
    {500, "", "", {.code = ""}},
    {500, "", "{}", {.message = "what it says is not in the form of AWS and begins with: {}"}},
    {502,
     "",
     "<html>\r\n<head><title>502 Bad Gateway</title></head>",
     {.message = "what it says is not in the form of AWS and begins with: <html> "
                 "<head><title>502 Bad Gateway</title></head>"}},
    {301,
     "location: https://example.org/\n",
     "moved",
     {.message = "it points to https://example.org/"}},
    {400,
     "",
     "[1,2]",
     {.message = "what it says is not in the form of AWS and begins with: [1,2]"}},
    {400,
     "",
     "{\"__type\":7,\"message\":[]}",
     {.message = "what it says is not in the form of AWS "
                 "and begins with: {\"__type\":7,"
                 "\"message\":[]}"}},
    {400,
     "",
     "{\"__type\":\"a#b#c\",\"message\":\" one\\ntwo\\u0007three  \"}",
     {.code = "c", .message = "one two three"}},
};

TEST(test_aws_error__reads_json)
{
    for (size_t i = 0; i < sizeof json_samples / sizeof json_samples[0]; i++) {
        check(&json_samples[i], false);
    }
}

#define MOVED                                                                                    \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>PermanentRedirect</Code><Message>" \
    "The bucket you are attempting to access must be addressed using the specified "             \
    "endpoint.</Message><Endpoint>%s</Endpoint></Error>"
#define MOVED_MESSAGE                                                                \
    "The bucket you are attempting to access must be addressed using the specified " \
    "endpoint."

/* As S3, MinIO and STS answer. */
static const struct sample xml_samples[] = {
    {404,
     "x-amz-request-id: HEADER\n",
     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The "
     "specified key does not exist.</Message><Key>a &amp; b</Key><RequestId>4442587FB7D0A2F9"
     "</RequestId><HostId>x</HostId></Error>",
     {.code = "NoSuchKey",
      .message = "The specified key does not exist.",
      .request_id = "4442587FB7D0A2F9"}},
    {400,
     "",
     "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; "
     "expecting 'eu-west-1'</Message><Region>eu-west-1</Region></Error>",
     {.code = "AuthorizationHeaderMalformed",
      .message = "the region 'us-east-1' is wrong; expecting 'eu-west-1'",
      .region = "eu-west-1"}},
    {400,
     "",
     "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong; expecting "
     "'eu-west-1'</Message></Error>",
     {.code = "AuthorizationHeaderMalformed",
      .message = "the region is wrong; expecting 'eu-west-1'",
      .region = "eu-west-1"}},
    {301,
     "x-amz-bucket-region: ap-southeast-2\nlocation: https://elsewhere/\n",
     "",
     {.message = "it points to https://elsewhere/", .region = "ap-southeast-2"}},
    {403,
     "",
     "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
     "<Code>InvalidClientTokenId</Code><Message>The security token included in the request is "
     "invalid.</Message></Error><RequestId>c6104cbe</RequestId></ErrorResponse>",
     {.code = "InvalidClientTokenId",
      .message = "The security token included in the request is invalid.",
      .request_id = "c6104cbe"}},
    {200,
     "content-type: application/xml\n",
     "   \n <?xml version=\"1.0\" "
     "encoding=\"UTF-8\"?>\n\n<Error><Code>InternalError</Code><Message>"
     "We encountered an internal error.</Message></Error>",
     {.code = "InternalError", .message = "We encountered an internal error."}},
    {200, "", "<Error><Code>SlowDown</Code></Error>", {.code = "SlowDown"}},
    {200,
     "",
     "<Error><Code>Slow",
     {.message = "what it says is not in the form of AWS and begins "
                 "with: <Error><Code>Slow"}},
    {503, "", "<Error><Code>SlowDown</Code><Mess", {.code = "SlowDown"}},
    {403, "x-amz-request-id: 7\n", "", {.request_id = "7"}},
    {404,
     "",
     "<html><body>nginx</body></html>",
     {.message = "what it says is not in the form of AWS and begins with: "
                 "<html><body>nginx</body></html>"}},
    {400,
     "",
     "<!DOCTYPE x [<!ENTITY a \"b\">]><Error><Code>&a;</Code></Error>",
     {.message = "what it says is not in the form of AWS and begins with: <!DOCTYPE x [<!ENTITY a "
                 "\"b\">]><Error><Code>&a;</Code></Error>"}},
};

TEST(test_aws_error__reads_xml)
{
    for (size_t i = 0; i < sizeof xml_samples / sizeof xml_samples[0]; i++) {
        check(&xml_samples[i], true);
    }
}

TEST(test_aws_error__finds_the_region_in_a_host)
{
    static const struct {
        const char *host;
        const char *region;
    } cases[] = {
        {"b.s3.eu-west-1.amazonaws.com", "eu-west-1"},
        {"b.s3-eu-west-1.amazonaws.com", "eu-west-1"},
        {"s3.cn-north-1.amazonaws.com.cn", "cn-north-1"},
        {"b.s3.dualstack.us-west-2.amazonaws.com", "us-west-2"},
        {"s3-my-data.s3.amazonaws.com", ""},
        {"s3.amazonaws.com", ""},
        {"minio.example.org", ""},
        {"", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[500];
        struct sample s = {301, "", body, {.code = "PermanentRedirect", .message = MOVED_MESSAGE}};

        (void)snprintf(body, sizeof body, MOVED, cases[i].host);
        (void)snprintf(s.want.region, sizeof s.want.region, "%s", cases[i].region);
        check(&s, true);
    }
}

TEST(test_aws_error__lets_good_answers_pass)
{
    static const struct {
        int status;
        const char *headers;
        const char *body;
    } good[] = {
        {200, "", ""},
        {200, "",
         "<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>"},
        {200, "", "<ErrorDocument><Code>x</Code></ErrorDocument>"},
        {200, "content-type: application/octet-stream\n", "<Error><Code>x</Code></Error>"},
        {204, "", "<Error><Code>x</Code></Error>"},
        {206, "", "<Error><Code>x</Code></Error>"},
        {200, "", "<?xml version"},
        {200, "", "{\"__type\":\"X\"}"},
        {200, "", "PAR1"},
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct http_response r =
            make_response(good[i].status, good[i].headers, span_str(good[i].body));
        struct aws_error got;

        assert_false(aws_read_xml_error(&r, &got));
        assert_false(aws_read_json_error(&r, &got));
        http_response_deinit(&r);
    }
}

/* Each cut is an error that has its status, and nothing that was not there. */
TEST(test_aws_error__bears_every_truncation)
{
    const struct sample *both[] = {&json_samples[0], &xml_samples[0]};

    for (size_t which = 0; which < 2; which++) {
        const struct sample *s = both[which];

        for (size_t len = 0; len < strlen(s->body); len++) {
            struct http_response r = make_response(s->status, "", span_of(s->body, len));
            struct aws_error got;

            assert_true(which == 1 ? aws_read_xml_error(&r, &got) : aws_read_json_error(&r, &got));
            assert_int_equal(got.status, s->status);
            assert_true(got.code[0] == '\0' || strcmp(got.code, s->want.code) == 0);
            http_response_deinit(&r);
        }
    }
}

TEST(test_aws_error__cuts_long_texts_at_a_character)
{
    struct buf body = {0};
    struct aws_error got;

    buf_append_str(&body, "{\"__type\":\"");
    for (int i = 0; i < 200; i++) {
        buf_append_str(&body, "é");
    }
    buf_append_str(&body, "\",\"message\":\"x");
    for (int i = 0; i < 600; i++) {
        buf_append_str(&body, "表");
    }
    buf_append_str(&body, "\"}");
    struct http_response r = make_response(400, "", buf_span(&body));

    assert_true(aws_read_json_error(&r, &got));
    assert_int_equal(strlen(got.code), 94);     /* 47 of 2 bytes */
    assert_int_equal(strlen(got.message), 511); /* 1 and 170 of 3 bytes */
    http_response_deinit(&r);
    buf_deinit(&body);
}

TEST(test_aws_error__survives_failing_allocations)
{
    for (size_t which = 0; which < 2; which++) {
        const struct sample *s = which == 0 ? &json_samples[0] : &xml_samples[5];
        struct http_response r = make_response(s->status, s->headers, span_str(s->body));

        TORTURE(nth)
        {
            struct aws_error got;

            /* A 200 that is an error stays one. */
            assert_true(which == 1 ? aws_read_xml_error(&r, &got) : aws_read_json_error(&r, &got));
        }
        http_response_deinit(&r);
    }
}

TEST_MAIN(test_case(test_aws_error__reads_json), test_case(test_aws_error__reads_xml),
          test_case(test_aws_error__finds_the_region_in_a_host),
          test_case(test_aws_error__lets_good_answers_pass),
          test_case(test_aws_error__bears_every_truncation),
          test_case(test_aws_error__cuts_long_texts_at_a_character),
          test_case(test_aws_error__survives_failing_allocations))
