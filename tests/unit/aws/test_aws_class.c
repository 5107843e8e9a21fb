#include "aws/aws_int.h"
#include "responses.h"
#include "test.h"

TEST(test_aws_class__sorts_errors)
{
    static const struct {
        struct aws_error error;
        enum aws_class class;
        bool no_effect;
        enum err_code code;
    } cases[] = {
        /* by code, whatever the status */
        {{.status = 400, .code = "ExpiredToken"}, AWS_CLASS_EXPIRED, true, ERR_CONFIG},
        {{.status = 403, .code = "RequestTimeTooSkewed"}, AWS_CLASS_SKEWED, true, ERR_CONFIG},
        {{.status = 403, .code = "SignatureDoesNotMatch"}, AWS_CLASS_KEYS, true, ERR_CONFIG},
        {{.status = 400,
          .code = "InvalidSignatureException",
          .message = "Signature expired: 20240101T000000Z is now earlier than …"},
         AWS_CLASS_SKEWED,
         true,
         ERR_CONFIG},
        {{.status = 403,
          .code = "SignatureDoesNotMatch",
          .message = "Signature not yet current: …"},
         AWS_CLASS_SKEWED,
         true,
         ERR_CONFIG},
        {{.status = 400,
          .code = "InvalidSignatureException",
          .message = "Credential should be scoped to a valid region."},
         AWS_CLASS_REGION,
         true,
         ERR_CONFIG},
        {{.status = 400, .code = "UnrecognizedClientException"}, AWS_CLASS_KEYS, true, ERR_CONFIG},
        {{.status = 400, .code = "AccessDeniedException"}, AWS_CLASS_DENIED, true, ERR_CONFIG},
        {{.status = 400, .code = "ThrottlingException"}, AWS_CLASS_THROTTLED, true, ERR_IO},
        {{.status = 503, .code = "SlowDown"}, AWS_CLASS_THROTTLED, true, ERR_IO},
        {{.status = 200, .code = "SlowDown"}, AWS_CLASS_THROTTLED, true, ERR_IO},
        {{.status = 200, .code = "InternalError"}, AWS_CLASS_TRANSIENT, false, ERR_IO},
        {{.status = 200, .code = ""}, AWS_CLASS_TRANSIENT, false, ERR_IO},
        {{.status = 400, .code = "RequestTimeout"}, AWS_CLASS_TRANSIENT, true, ERR_IO},
        {{.status = 400, .code = "OperationTimeoutException"}, AWS_CLASS_TRANSIENT, false, ERR_IO},
        {{.status = 400, .code = "EntityNotFoundException"}, AWS_CLASS_OTHER, true, ERR_NOT_FOUND},
        {{.status = 400, .code = "AlreadyExistsException"}, AWS_CLASS_OTHER, true, ERR_EXISTS},
        {{.status = 400, .code = "ConcurrentModificationException"},
         AWS_CLASS_OTHER,
         true,
         ERR_CONFLICT},
        {{.status = 200, .code = "PreconditionFailed"}, AWS_CLASS_OTHER, true, ERR_EXISTS},
        /* by status */
        {{.status = 301, .region = "eu-west-1"}, AWS_CLASS_REGION, true, ERR_CONFIG},
        {{.status = 400, .region = "eu-west-1"}, AWS_CLASS_REGION, true, ERR_CONFIG},
        {{.status = 301}, AWS_CLASS_OTHER, true, ERR_IO},
        {{.status = 400}, AWS_CLASS_OTHER, true, ERR_IO},
        {{.status = 401}, AWS_CLASS_DENIED, true, ERR_CONFIG},
        {{.status = 403}, AWS_CLASS_DENIED, true, ERR_CONFIG},
        {{.status = 403, .region = "eu-west-1"}, AWS_CLASS_DENIED, true, ERR_CONFIG},
        {{.status = 404}, AWS_CLASS_OTHER, true, ERR_NOT_FOUND},
        {{.status = 404, .code = "NoSuchUpload"}, AWS_CLASS_OTHER, true, ERR_NOT_FOUND},
        {{.status = 408}, AWS_CLASS_TRANSIENT, false, ERR_IO},
        {{.status = 409}, AWS_CLASS_OTHER, true, ERR_CONFLICT},
        {{.status = 412}, AWS_CLASS_OTHER, true, ERR_EXISTS},
        {{.status = 429}, AWS_CLASS_THROTTLED, true, ERR_IO},
        {{.status = 500}, AWS_CLASS_TRANSIENT, false, ERR_IO},
        {{.status = 501, .code = "NotImplemented"}, AWS_CLASS_OTHER, true, ERR_IO},
        {{.status = 503}, AWS_CLASS_TRANSIENT, false, ERR_IO},
        {{.status = 504, .code = "Strange"}, AWS_CLASS_TRANSIENT, false, ERR_IO},
        {{.status = 505}, AWS_CLASS_OTHER, true, ERR_IO},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct aws_verdict v = aws_classify(&cases[i].error);

        if (v.class != cases[i].class || v.no_effect != cases[i].no_effect ||
            aws_error_code(&cases[i].error, v.class) != cases[i].code) {
            fail_msg("%d %s: class %d, no effect %d, %s", cases[i].error.status,
                     cases[i].error.code, (int)v.class, v.no_effect,
                     err_code_name(aws_error_code(&cases[i].error, v.class)));
        }
    }
}

TEST(test_aws_class__reads_dates)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t want_s;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", true, 784111777}, /* RFC 9110 */
        {"Thu, 01 Jan 1970 00:00:00 GMT", true, 0},
        {"Tue, 29 Feb 2000 23:59:60 GMT", true, 951868800},
        {"Sunday, 06-Nov-94 08:49:37 GMT", false, 0},
        {"Sun Nov  6 08:49:37 1994", false, 0},
        {"Sun, 06 Nov 1994 08:49:37 UTC", false, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT ", false, 0},
        {"Sun, 06 Nox 1994 08:49:37 GMT", false, 0},
        {"Sun, 00 Nov 1994 08:49:37 GMT", false, 0},
        {"Sun, 32 Nov 1994 08:49:37 GMT", false, 0},
        {"Sun, 06 Nov 1994 24:49:37 GMT", false, 0},
        {"Sun, 06 Nov 1994 08:60:37 GMT", false, 0},
        {"Sun, 06 Nov 1994 08:49:61 GMT", false, 0},
        {"Sun, -6 Nov 1994 08:49:37 GMT", false, 0},
        {"Sun, 06 Nov 1994 08-49-37 GMT", false, 0},
        {"", false, 0},
    };
    char cut[64];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t got_s = -1;

        if (aws_http_date(cases[i].text, &got_s) != cases[i].ok) {
            fail_msg("%s", cases[i].text);
        }
        if (cases[i].ok) {
            assert_i64_eq(got_s, cases[i].want_s);
        }
    }
    for (size_t len = 0; len < strlen(cases[0].text); len++) {
        int64_t got_s;

        (void)snprintf(cut, sizeof cut, "%.*s", (int)len, cases[0].text);
        assert_false(aws_http_date(cut, &got_s));
    }
}

TEST(test_aws_class__reads_how_long_to_wait)
{
    static const struct {
        const char *headers;
        int64_t want_s;
    } cases[] = {
        {"", 0},
        {"retry-after: 7\n", 7},
        {"Retry-After: 0\n", 0},
        {"retry-after: 99999999999\n", 86400},
        {"retry-after: soon\n", 0},
        {"retry-after: -1\n", 0},
        {"retry-after: Sun, 06 Nov 1994 08:49:47 GMT\n", 10},
        {"retry-after: Sun, 06 Nov 1994 08:49:27 GMT\n", 0},
        {"retry-after: Sun, 06 Nov 2094 08:49:27 GMT\n", 86400},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_response r = make_response(503, cases[i].headers, span_of(NULL, 0));

        assert_i64_eq(aws_retry_after_us(&r, 784111777), cases[i].want_s * 1000000);
        http_response_deinit(&r);
    }
}

TEST_MAIN(test_case(test_aws_class__sorts_errors), test_case(test_aws_class__reads_dates),
          test_case(test_aws_class__reads_how_long_to_wait))
