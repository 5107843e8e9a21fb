#include "aws/sigv4.h"

#include <stdlib.h>

#include "base/str.h"
#include "test.h"

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#define DAY_2013 INT64_C(1369353600) /* 20130524T000000Z */
#define DAY_2015 INT64_C(1440938160) /* 20150830T123600Z */

/* The keys of Amazon's own examples. */
static const struct sigv4_key s3_key = {.access_key_id = "AKIAIOSFODNN7EXAMPLE",
                                        .secret_access_key =
                                            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                        .region = "us-east-1",
                                        .service = "s3",
                                        .time_s = DAY_2013,
                                        .path_as_is = true,
                                        .send_payload_hash = true};
static const struct sigv4_key plain_key = {.access_key_id = "AKIDEXAMPLE",
                                           .secret_access_key =
                                               "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                           .region = "us-east-1",
                                           .service = "service",
                                           .time_s = DAY_2015};

struct example {
    const char *method;
    const char *path;
    const char *query;
    struct http_header headers[3];
    const char *body;
    const char *hash; /* of the canonical request; NULL: not published */
    const char *signed_names;
    const char *signature;
};

static void check_example(const struct example *x, const struct sigv4_key *key, const char *host)
{
    char payload[SIGV4_HASH_TEXT_BYTES];
    struct sigv4_headers h;
    struct buf canonical = {0};
    struct err e = {0};
    uint32_t count = 0;

    sigv4_hash(span_str(x->body), payload);
    while (count < 3 && x->headers[count].name != NULL) {
        count++;
    }
    struct sigv4_request request = {.method = x->method,
                                    .host = host,
                                    .path = x->path,
                                    .query = x->query,
                                    .headers = x->headers,
                                    .header_count = count,
                                    .payload_hash = payload};

    assert_ok(sigv4_canonical_request(&request, key, &canonical, &e), &e);
    if (x->hash != NULL) {
        char hash[SIGV4_HASH_TEXT_BYTES];

        sigv4_hash(buf_span(&canonical), hash);
        assert_string_equal(hash, x->hash);
    }
    assert_ok(sigv4_sign(&request, key, &h, &e), &e);
    char *want =
        str_format("AWS4-HMAC-SHA256 Credential=%s/%.8s/us-east-1/%s/aws4_request, "
                   "SignedHeaders=%s, Signature=%s",
                   key->access_key_id, h.date, key->service, x->signed_names, x->signature);

    assert_non_null(want);
    assert_string_equal((const char *)h.authorization.data, want);
    assert_int_equal(h.authorization.len, strlen(want) + 1);
    free(want);
    buf_deinit(&canonical);
    sigv4_headers_deinit(&h);
}

/* Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header". */
TEST(test_sigv4__signs_the_examples_of_s3)
{
    static const struct example examples[] = {
        {"GET",
         "/test.txt",
         "",
         {{"Range", "bytes=0-9"}},
         "",
         "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972",
         "host;range;x-amz-content-sha256;x-amz-date",
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
        {"PUT",
         "/test%24file.text",
         "",
         {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
         "Welcome to Amazon S3.",
         "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
         "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
        {"GET",
         "/",
         "lifecycle",
         {{NULL, NULL}},
         "",
         "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca",
         "host;x-amz-content-sha256;x-amz-date",
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
        {"GET",
         "/",
         "prefix=J&max-keys=2",
         {{NULL, NULL}},
         "",
         "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
         "host;x-amz-content-sha256;x-amz-date",
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    };

    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        check_example(&examples[i], &s3_key, "examplebucket.s3.amazonaws.com");
    }
}

/* "AWS Signature Version 4 test suite": the folder's name is in front of each. */
TEST(test_sigv4__signs_the_test_suite)
{
    static const struct example examples[] = {
        /* get-vanilla */
        {"GET",
         "/",
         "",
         {{NULL, NULL}},
         "",
         NULL,
         "host;x-amz-date",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        /* get-vanilla-query-order-key-case */
        {"GET",
         "/",
         "Param2=value2&Param1=value1",
         {{NULL, NULL}},
         "",
         NULL,
         "host;x-amz-date",
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        /* get-unreserved */
        {"GET",
         "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
         "",
         {{NULL, NULL}},
         "",
         NULL,
         "host;x-amz-date",
         "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
        /* get-header-value-trim */
        {"GET",
         "/",
         "",
         {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
         "",
         NULL,
         "host;my-header1;my-header2;x-amz-date",
         "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
        /* get-slash-dot-slash */
        {"GET",
         "/./",
         "",
         {{NULL, NULL}},
         "",
         NULL,
         "host;x-amz-date",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        /* get-slashes */
        {"GET",
         "//example//",
         "",
         {{NULL, NULL}},
         "",
         NULL,
         "host;x-amz-date",
         "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
        /* get-relative-relative */
        {"GET",
         "/example1/example2/../..",
         "",
         {{NULL, NULL}},
         "",
         NULL,
         "host;x-amz-date",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        /* post-x-www-form-urlencoded */
        {"POST",
         "/",
         "",
         {{"Content-Type", "application/x-www-form-urlencoded"}},
         "Param1=value1",
         NULL,
         "content-type;host;x-amz-date",
         "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
    };

    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        check_example(&examples[i], &plain_key, "example.amazonaws.com");
    }
}

/* AWS General Reference, "Create a canonical request": the example of IAM. */
TEST(test_sigv4__signs_the_example_of_iam)
{
    static const struct example example = {
        "GET",
        "/",
        "Action=ListUsers&Version=2010-05-08",
        {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
        "",
        "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59",
        "content-type;host;x-amz-date",
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"};
    struct sigv4_key key = plain_key;

    key.service = "iam";
    check_example(&example, &key, "iam.amazonaws.com");
}

/* Line `line` (from 0) of the canonical request. */
static char *canonical_line(const struct sigv4_request *request, const struct sigv4_key *key,
                            unsigned line)
{
    struct buf canonical = {0};
    struct err e = {0};

    assert_ok(sigv4_canonical_request(request, key, &canonical, &e), &e);
    const char *at = buf_cstr(&canonical);

    assert_non_null(at);
    for (; line > 0; line--) {
        at = strchr(at, '\n');
        assert_non_null(at);
        at++;
    }
    const char *end = strchr(at, '\n');
    char *out = str_ndup(at, end == NULL ? strlen(at) : (size_t)(end - at));

    assert_non_null(out);
    buf_deinit(&canonical);
    return out;
}

TEST(test_sigv4__writes_the_path_as_the_service_reads_it)
{
    static const struct {
        const char *path;
        const char *s3;
        const char *other;
    } cases[] = {
        {"/", "/", "/"},
        {"/a/b", "/a/b", "/a/b"},
        {"/a//b", "/a//b", "/a/b"},
        {"//a", "//a", "/a"},
        {"/a/./b/../c", "/a/./b/../c", "/a/c"},
        {"/..", "/..", "/"},
        {"/../../a/", "/../../a/", "/a/"},
        {"/a/b/..", "/a/b/..", "/a"},
        {"/a/b/../", "/a/b/../", "/a/"},
        {"/a/.", "/a/.", "/a"},
        {"/.../a", "/.../a", "/.../a"},
        {"/a%20b", "/a%20b", "/a%2520b"},
        {"/ns%1Fx", "/ns%1Fx", "/ns%251Fx"},
        {"/v1/arn%3Aaws%3As3tables", "/v1/arn%3Aaws%3As3tables", "/v1/arn%253Aaws%253As3tables"},
        {"/a~b-c_d.e", "/a~b-c_d.e", "/a~b-c_d.e"},
        {"/day=2024-01-01/x", "/day=2024-01-01/x", "/day%3D2024-01-01/x"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sigv4_request request = {.method = "GET",
                                        .host = "h",
                                        .path = cases[i].path,
                                        .query = "",
                                        .payload_hash = EMPTY_HASH};
        char *s3 = canonical_line(&request, &s3_key, 1);
        char *other = canonical_line(&request, &plain_key, 1);

        assert_string_equal(s3, cases[i].s3);
        assert_string_equal(other, cases[i].other);
        free(s3);
        free(other);
    }
}

TEST(test_sigv4__sorts_the_query)
{
    static const struct {
        const char *query;
        const char *want;
    } cases[] = {
        {NULL, ""},
        {"", ""},
        {"uploads", "uploads="},
        {"uploads=", "uploads="},
        {"b=1&a=2", "a=2&b=1"},
        {"a=2&a=1&a", "a=&a=1&a=2"},
        {"a-b=1&a=2", "a=2&a-b=1"}, /* '-' comes before '=' */
        {"aa=1&a=2", "a=2&aa=1"},
        {"A=1&a=1&B=1", "A=1&B=1&a=1"},
        {"x=a=b", "x=a=b"},
        {"prefix=a%2Fb&list-type=2", "list-type=2&prefix=a%2Fb"},
        {"a=1&", "=&a=1"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sigv4_request request = {.method = "GET",
                                        .host = "h",
                                        .path = "/",
                                        .query = cases[i].query,
                                        .payload_hash = EMPTY_HASH};
        char *got = canonical_line(&request, &s3_key, 2);

        assert_string_equal(got, cases[i].want);
        free(got);
    }
}

TEST(test_sigv4__puts_headers_in_order)
{
    static const struct http_header headers[] = {
        {"X-Two", "b"},          {"Content-Type", "  text/plain;\t  charset=utf-8 "},
        {"User-Agent", "calve"}, {"x-two", "a"},
        {"Expect", ""},          {"Empty", "   "},
        {"Connection", "close"},
    };
    struct sigv4_request request = {.method = "PUT",
                                    .host = "127.0.0.1:9000",
                                    .path = "/",
                                    .query = "",
                                    .headers = headers,
                                    .header_count = sizeof headers / sizeof headers[0],
                                    .payload_hash = SIGV4_UNSIGNED_PAYLOAD};
    struct sigv4_key key = s3_key;
    struct buf canonical = {0};
    struct err e = {0};

    key.session_token = "tok/en==";
    assert_ok(sigv4_canonical_request(&request, &key, &canonical, &e), &e);
    assert_text_eq(buf_span(&canonical),
                   "PUT\n/\n\n"
                   "content-type:text/plain; charset=utf-8\n"
                   "empty:\n"
                   "host:127.0.0.1:9000\n"
                   "x-amz-content-sha256:UNSIGNED-PAYLOAD\n"
                   "x-amz-date:20130524T000000Z\n"
                   "x-amz-security-token:tok/en==\n"
                   "x-two:b,a\n"
                   "\n"
                   "content-type;empty;host;x-amz-content-sha256;x-amz-date;x-amz-security-token;"
                   "x-two\n"
                   "UNSIGNED-PAYLOAD");
    buf_deinit(&canonical);
}

TEST(test_sigv4__gives_the_headers_to_send)
{
    struct sigv4_request request = {
        .method = "GET", .host = "h", .path = "/", .query = "", .payload_hash = EMPTY_HASH};
    struct sigv4_key key = s3_key;
    struct sigv4_headers h;
    struct err e = {0};

    assert_ok(sigv4_sign(&request, &key, &h, &e), &e);
    assert_string_equal(h.date, "20130524T000000Z");
    assert_string_equal(h.payload_hash, EMPTY_HASH);
    assert_string_equal(h.session_token, "");
    sigv4_headers_deinit(&h);
    key.session_token = "token";
    key.send_payload_hash = false;
    assert_ok(sigv4_sign(&request, &key, &h, &e), &e);
    assert_string_equal(h.payload_hash, "");
    assert_string_equal(h.session_token, "token");
    sigv4_headers_deinit(&h);
}

TEST(test_sigv4__writes_any_time)
{
    static const struct {
        int64_t time_s;
        const char *want;
    } cases[] = {
        {0, "19700101T000000Z"},
        {INT64_C(951782399), "20000228T235959Z"},
        {INT64_C(951782400), "20000229T000000Z"},
        {INT64_C(253402300799), "99991231T235959Z"},
        {INT64_MAX, "99991231T235959Z"},
        {INT64_MIN, "19700101T000000Z"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sigv4_request request = {
            .method = "GET", .host = "h", .path = "/", .query = "", .payload_hash = EMPTY_HASH};
        struct sigv4_key key = s3_key;
        struct sigv4_headers h;
        struct err e = {0};

        key.time_s = cases[i].time_s;
        assert_ok(sigv4_sign(&request, &key, &h, &e), &e);
        assert_string_equal(h.date, cases[i].want);
        sigv4_headers_deinit(&h);
    }
}

TEST(test_sigv4__refuses_what_cannot_be_signed)
{
    static const struct {
        const char *path;
        const char *key_id;
        const char *token;
        const char *want;
    } cases[] = {
        {"", "AKID", "", "path '' does not begin with '/'"},
        {"a/b", "AKID", "", "path 'a/b' does not begin with '/'"},
        {"/", "AKID\n", "", "the access key id has a blank"},
        {"/", "AK ID", "", "the access key id has a blank"},
        {"/", "AKID", "tok\r\nX-Evil: 1", "the session token has a blank"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sigv4_request request = {.method = "GET",
                                        .host = "h",
                                        .path = cases[i].path,
                                        .query = "",
                                        .payload_hash = EMPTY_HASH};
        struct sigv4_key key = s3_key;
        struct sigv4_headers h;
        struct err e = {0};

        key.access_key_id = cases[i].key_id;
        key.session_token = cases[i].token;
        assert_err(sigv4_sign(&request, &key, &h, &e), ERR_CONFIG, &e);
        assert_non_null(strstr(e.msg, cases[i].want));
        assert_null(strstr(e.msg, "Evil"));
        sigv4_headers_deinit(&h);
    }
}

TEST(test_sigv4__hashes)
{
    char hash[SIGV4_HASH_TEXT_BYTES];

    sigv4_hash((struct span){NULL, 0}, hash);
    assert_string_equal(hash, EMPTY_HASH);
    sigv4_hash(span_str("abc"), hash); /* FIPS 180-2, B.1 */
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(test_sigv4__survives_failing_allocations)
{
    static const struct http_header headers[] = {{"Content-Type", "text/plain"}};
    struct sigv4_request request = {.method = "GET",
                                    .host = "h",
                                    .path = "/a/../b",
                                    .query = "b=1&a",
                                    .headers = headers,
                                    .header_count = 1,
                                    .payload_hash = EMPTY_HASH};

    TORTURE(nth)
    {
        struct sigv4_headers h;
        struct buf canonical = {0};
        struct err e = {0};
        enum err_code rc = sigv4_sign(&request, &plain_key, &h, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        if (rc == ERR_OK) {
            rc = sigv4_canonical_request(&request, &plain_key, &canonical, &e);
            assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        }
        buf_deinit(&canonical);
        sigv4_headers_deinit(&h);
    }
}

TEST_MAIN(test_case(test_sigv4__signs_the_examples_of_s3),
          test_case(test_sigv4__signs_the_test_suite),
          test_case(test_sigv4__signs_the_example_of_iam),
          test_case(test_sigv4__writes_the_path_as_the_service_reads_it),
          test_case(test_sigv4__sorts_the_query), test_case(test_sigv4__puts_headers_in_order),
          test_case(test_sigv4__gives_the_headers_to_send), test_case(test_sigv4__writes_any_time),
          test_case(test_sigv4__refuses_what_cannot_be_signed), test_case(test_sigv4__hashes),
          test_case(test_sigv4__survives_failing_allocations))
