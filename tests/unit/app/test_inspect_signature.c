#include "app/inspect_int.h"
#include "test.h"

/* The first example of S3's documentation on signing. */
static const char example[] =
    "{\"method\":\"GET\",\"host\":\"examplebucket.s3.amazonaws.com\",\"path\":\"/test.txt\","
    "\"headers\":[[\"Range\",\"bytes=0-9\"]],\"access_key_id\":\"AKIAIOSFODNN7EXAMPLE\","
    "\"secret_access_key\":\"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\",\"region\":\"us-east-1\","
    "\"service\":\"s3\",\"time\":1369353600}";

#define CANONICAL(end)                                                                            \
    "GET" end "/test.txt" end end "host:examplebucket.s3.amazonaws.com" end "range:bytes=0-9" end \
    "x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" end   \
    "x-amz-date:20130524T000000Z" end end "host;range;x-amz-content-sha256;x-amz-date" end        \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#define AUTHORIZATION                                                                       \
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " \
    "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "                            \
    "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"

TEST(test_inspect_signature__shows_what_is_signed)
{
    struct buf out = {0};
    struct err e = {0};

    assert_ok(inspect_signature_line(span_str(example), false, &out, &e), &e);
    assert_text_eq(buf_span(&out), CANONICAL("\n") "\n\nAuthorization: " AUTHORIZATION "\n\n");
    buf_reset(&out);
    assert_ok(inspect_signature_line(span_str(example), true, &out, &e), &e);
    assert_text_eq(buf_span(&out), "{\"canonical_request\":\"" CANONICAL(
                                       "\\n") "\",\"authorization\":\"" AUTHORIZATION "\"}\n");
    buf_deinit(&out);
}

TEST(test_inspect_signature__rejects_every_truncation)
{
    for (size_t len = 0; len + 1 < sizeof example; len++) {
        struct buf out = {0};
        struct err e = {0};

        assert_err(inspect_signature_line(span_of(example, len), true, &out, &e), ERR_CONFIG, &e);
        assert_int_equal(out.len, 0);
        buf_deinit(&out);
    }
}

TEST(test_inspect_signature__survives_failing_allocations)
{
    TORTURE(nth)
    {
        struct buf out = {0};
        struct err e = {0};
        enum err_code rc = inspect_signature_line(span_str(example), true, &out, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        buf_deinit(&out);
    }
}

TEST_MAIN(test_case(test_inspect_signature__shows_what_is_signed),
          test_case(test_inspect_signature__rejects_every_truncation),
          test_case(test_inspect_signature__survives_failing_allocations))
