#include <openssl/evp.h>

#include "s3_fixture.h"

TEST(test_s3__keeps_what_is_put)
{
    struct s3_fixture f;
    struct buf got = {0};

    s3_fixture_init(&f);
    assert_ok(store_put(f.store, "s3://lake/t/x.parquet", span_str("rows"), &f.e), &f.e);
    assert_ok(store_put(f.store, "s3a://lake/t/empty", span_str(""), &f.e), &f.e);
    assert_object(&f, "lake/t/x.parquet", "rows");
    assert_object(&f, "lake/t/empty", "");
    buf_append_str(&got, "before ");
    assert_ok(store_get(f.store, "s3n://lake/t/x.parquet", &got, &f.e), &f.e);
    assert_ok(store_get(f.store, "s3://lake/t/empty", &got, &f.e), &f.e);
    assert_text_eq(buf_span(&got), "before rows");
    assert_err(store_put(f.store, "s3://lake/t/x.parquet", span_str("other"), &f.e), ERR_EXISTS,
               &f.e);
    assert_string_equal(f.e.msg, "s3://lake/t/x.parquet is there already");
    assert_object(&f, "lake/t/x.parquet", "rows");
    assert_err(store_get(f.store, "s3://lake/t/none", &got, &f.e), ERR_NOT_FOUND, &f.e);
    assert_ok(store_remove(f.store, "s3://lake/t/x.parquet", &f.e), &f.e);
    assert_ok(store_remove(f.store, "s3://lake/t/x.parquet", &f.e), &f.e);
    assert_int_equal(fake_s3_count(f.server), 1);
    buf_deinit(&got);
    s3_fixture_deinit(&f);
}

/* Byte by byte: nothing is decoded, resolved or encoded twice. */
TEST(test_s3__takes_keys_literally)
{
    static const char *const keys[] = {
        "a b/c+d",       "gr\xc3\xbc\xc3\x9f/\xe8\xa1\xa8", "a%20b/100%", "x'\"\\;$(y)", "?a=b#c&d",
        "/a/../b/./c//", "date=2026-01-02/0:1@2!3*4,5",     "\x01\x7f",   "~-._"};
    struct s3_fixture f;
    struct buf got = {0};

    s3_fixture_init(&f);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char location[128];
        char name[128];

        (void)snprintf(location, sizeof location, "s3://lake/%s", keys[i]);
        (void)snprintf(name, sizeof name, "lake/%s", keys[i]);
        assert_ok(store_put(f.store, location, span_str(keys[i]), &f.e), &f.e);
        assert_object(&f, name, keys[i]);
        buf_reset(&got);
        assert_ok(store_get(f.store, location, &got, &f.e), &f.e);
        assert_text_eq(buf_span(&got), keys[i]);
        assert_ok(store_remove(f.store, location, &f.e), &f.e);
        assert_false(fake_s3_has(f.server, name));
    }
    assert_ok(store_put(f.store, "s3://lake/a b=c/\xc3\xbc%2F(1)", span_str("x"), &f.e), &f.e);
    assert_string_equal(fake_s3_last_target(f.server), "/lake/a%20b%3Dc/%C3%BC%252F%281%29");
    buf_deinit(&got);
    s3_fixture_deinit(&f);
}

TEST(test_s3__asks_the_bucket_by_host_name)
{
    struct s3_fixture f;
    char host[64];

    s3_fixture_prepare(&f);
    f.options.endpoint = fake_s3_localhost(f.server);
    f.options.addressing = S3_ADDRESSING_VIRTUAL;
    s3_fixture_open(&f);
    assert_ok(store_put(f.store, "s3://lake/t/x", span_str("rows"), &f.e), &f.e);
    assert_object(&f, "lake/t/x", "rows");
    assert_string_equal(fake_s3_last_target(f.server), "/t/x");
    (void)snprintf(host, sizeof host, "lake.%s", fake_s3_localhost(f.server) + strlen("http://"));
    assert_string_equal(fake_s3_last_host(f.server), host);
    assert_ok(store_put(f.store, "s3://lake//a", span_str("rows"), &f.e), &f.e);
    assert_object(&f, "lake//a", "rows");
    s3_fixture_deinit(&f);
}

TEST(test_s3__sends_encryption)
{
    struct s3_fixture f;

    s3_fixture_prepare(&f);
    f.options.sse = "aws:kms";
    f.options.sse_kms_key_id = "arn:aws:kms:eu-west-1:1:key/k";
    s3_fixture_open(&f);
    assert_ok(store_put(f.store, "s3://lake/x", span_str("rows"), &f.e), &f.e);
    assert_string_equal(fake_s3_header(f.server, "lake/x", "x-amz-server-side-encryption"),
                        "aws:kms");
    assert_string_equal(
        fake_s3_header(f.server, "lake/x", "x-amz-server-side-encryption-aws-kms-key-id"),
        "arn:aws:kms:eu-west-1:1:key/k");
    s3_fixture_deinit(&f);
    s3_fixture_init(&f);
    assert_ok(store_put(f.store, "s3://lake/x", span_str("rows"), &f.e), &f.e);
    assert_null(fake_s3_header(f.server, "lake/x", "x-amz-server-side-encryption"));
    assert_int_equal(strlen(fake_s3_header(f.server, "lake/x", S3_ID_HEADER)), 32);
    s3_fixture_deinit(&f);
}

TEST(test_s3__signs_unless_told_not_to)
{
    struct s3_fixture f;

    s3_fixture_init(&f);
    assert_ok(store_put(f.store, "s3://lake/x", span_str("rows"), &f.e), &f.e);
    assert_string_equal(fake_s3_last_key_id(f.server), "OWN");
    s3_fixture_deinit(&f);
    s3_fixture_prepare(&f);
    f.options.anonymous = true;
    f.options.credentials = NULL;
    s3_fixture_open(&f);
    assert_ok(store_put(f.store, "s3://lake/x", span_str("rows"), &f.e), &f.e);
    assert_string_equal(fake_s3_last_key_id(f.server), "");
    s3_fixture_deinit(&f);
}

TEST(test_s3__refuses_options_that_cannot_be)
{
    static const struct {
        const char *says;
        struct s3_options o;
    } cases[] = {
        {"S3 needs keys", {.region = "eu-west-1"}},
        {"'AES'", {.anonymous = true, .sse = "AES"}},
        {"encryption is not set", {.anonymous = true, .sse_kms_key_id = "k"}},
        {"encryption is AES256", {.anonymous = true, .sse = "AES256", .sse_kms_key_id = "k"}},
        {"5 MiB to 5 GiB", {.anonymous = true, .part_bytes = 5 * MIB - 1}},
        {"5 MiB to 5 GiB", {.anonymous = true, .part_bytes = ((size_t)5 << 30) + 1}},
        {"s3.endpoint", {.anonymous = true, .endpoint = "minio:9000"}},
        {"s3.endpoint", {.anonymous = true, .endpoint = "ftp://minio"}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store *store;
        struct err e = {0};

        assert_err(store_s3_new(&cases[i].o, &store, &e), ERR_CONFIG, &e);
        if (strstr(e.msg, cases[i].says) == NULL) {
            fail_msg("%s: %s", cases[i].says, e.msg);
        }
    }
}

/* The endpoint: explicit, from the environment, AWS's of the region. Nobody is asked. */
TEST(test_s3__knows_its_endpoint)
{
    static const char *const environment[] = {"AWS_ENDPOINT_URL_S3=http://minio:9000/", NULL};
    static const struct {
        struct s3_options o;
        const char *endpoint;
    } cases[] = {
        {{.anonymous = true}, "https://s3.us-east-1.amazonaws.com"},
        {{.anonymous = true, .region = "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com"},
        {{.anonymous = true, .region = "", .endpoint = ""}, "https://s3.us-east-1.amazonaws.com"},
        {{.anonymous = true, .environment = environment}, "http://minio:9000"},
        {{.anonymous = true, .environment = environment, .endpoint = "https://s3.example.com//"},
         "https://s3.example.com"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store *store;
        struct err e = {0};

        assert_ok(store_s3_new(&cases[i].o, &store, &e), &e);
        assert_string_equal(((struct s3_store *)store)->options.endpoint, cases[i].endpoint);
        store_free(store);
    }
}

/* What it says when S3 refuses: what was done, where, and what to look at. */
TEST(test_s3__explains_refusals)
{
    static const struct {
        struct fake_s3_fault fault;
        enum err_code code;
        const char *says[3];
    } cases[] = {
        {{.status = 403, .code = "AccessDenied"},
         ERR_CONFIG,
         {"GetObject s3://lake/t/x", "s3:GetObject on arn:aws:s3:::lake/t/x",
          "without s3:ListBucket"}},
        {{.status = 404, .code = "NoSuchBucket"},
         ERR_CONFIG,
         {"there is no bucket 'lake' at http://127.0.0.1", "warehouse", "S3_BUCKET"}},
        {{.status = 404, .code = "NoSuchKey"}, ERR_NOT_FOUND, {"s3://lake/t/x"}},
        {{.status = 400, .code = "KMS.DisabledException"}, ERR_CONFIG, {"kms:Decrypt"}},
        {{.status = 403, .code = "InvalidAccessKeyId"}, ERR_CONFIG, {"s3://lake/t/x"}},
        {{.status = 400, .code = "InvalidRequest"}, ERR_IO, {"InvalidRequest"}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct s3_fixture f;
        struct buf got = {0};

        s3_fixture_init(&f);
        s3_fail(&f, &cases[i].fault);
        assert_err(store_get(f.store, "s3://lake/t/x", &got, &f.e), cases[i].code, &f.e);
        for (size_t k = 0; k < 3 && cases[i].says[k] != NULL; k++) {
            if (strstr(f.e.msg, cases[i].says[k]) == NULL) {
                fail_msg("%s: %s", cases[i].says[k], f.e.msg);
            }
        }
        assert_null(strstr(f.e.msg, "secret"));
        s3_fixture_deinit(&f);
    }
}

TEST(test_s3__names_the_action_that_is_missing)
{
    struct s3_fixture f;
    uint32_t removed;
    const struct fake_s3_fault denied = {.status = 403, .code = "AccessDenied"};

    s3_fixture_prepare(&f);
    f.options.region = "cn-north-1";
    s3_fixture_open(&f);
    s3_fail(&f, &denied);
    assert_err(store_put(f.store, "s3://lake/t/x", span_str(""), &f.e), ERR_CONFIG, &f.e);
    assert_non_null(strstr(f.e.msg, "s3:PutObject on arn:aws-cn:s3:::lake/t/x)"));
    s3_fail(&f, &denied);
    assert_err(store_remove(f.store, "s3://lake/t/x", &f.e), ERR_CONFIG, &f.e);
    assert_non_null(strstr(f.e.msg, "s3:DeleteObject on arn:aws-cn:s3:::lake/t/x)"));
    s3_fail(&f, &denied);
    assert_err(store_list(f.store, "s3://lake/t/", NULL, NULL, &f.e), ERR_CONFIG, &f.e);
    assert_non_null(strstr(f.e.msg, "s3:ListBucket on arn:aws-cn:s3:::lake)"));
    s3_fail(&f, &denied);
    assert_err(store_sweep(f.store, "s3://lake/t/", &removed, &f.e), ERR_CONFIG, &f.e);
    assert_non_null(strstr(f.e.msg, "s3:ListBucketMultipartUploads on arn:aws-cn:s3:::lake)"));
    s3_fixture_deinit(&f);
}

/* All of the store's functions refuse a location that is none before they ask anybody. */
TEST(test_s3__refuses_other_places)
{
    static const char *const places[] = {"file:///lake/x", "s3://", "gs://lake/x"};
    struct s3_fixture f;
    struct store_file *file;
    struct store_reader *reader;
    struct byte_source source;
    struct buf got = {0};
    uint32_t removed;

    s3_fixture_init(&f);
    for (size_t i = 0; i < 3; i++) {
        const char *at = places[i];

        assert_err(store_put(f.store, at, span_str("x"), &f.e), ERR_CONFIG, &f.e);
        assert_err(store_get(f.store, at, &got, &f.e), ERR_CONFIG, &f.e);
        assert_err(store_create(f.store, at, &file, &f.e), ERR_CONFIG, &f.e);
        assert_err(store_open(f.store, at, &reader, &source, &f.e), ERR_CONFIG, &f.e);
        assert_err(store_remove(f.store, at, &f.e), ERR_CONFIG, &f.e);
        assert_err(store_remove_many(f.store, &at, 1, NULL, &f.e), ERR_CONFIG, &f.e);
        assert_err(store_list(f.store, at, NULL, NULL, &f.e), ERR_CONFIG, &f.e);
        assert_err(store_sweep(f.store, at, &removed, &f.e), ERR_CONFIG, &f.e);
    }
    assert_err(store_put(f.store, "s3://lake/", span_str("x"), &f.e), ERR_CONFIG, &f.e);
    assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 0);
    s3_fixture_deinit(&f);
}

static enum err_code use(struct s3_fixture *f, struct err *e)
{
    struct buf got = {0};
    enum err_code rc = store_s3_new(&f->options, &f->store, e);

    if (rc == ERR_OK) {
        rc = store_put(f->store, "s3://lake/x", span_str("rows"), e);
        rc = rc == ERR_OK ? store_get(f->store, "s3://lake/x", &got, e) : rc;
        rc = rc == ERR_OK ? store_remove(f->store, "s3://lake/x", e) : rc;
        store_free(f->store);
        f->store = NULL;
    }
    if (rc == ERR_OK) {
        assert_text_eq(buf_span(&got), "rows");
    }
    buf_deinit(&got);
    return rc;
}

TEST(test_s3__survives_lack_of_memory)
{
    struct s3_fixture f;
    unsigned failures = 0;

    s3_fixture_prepare(&f);
    f.options.sse = "AES256";
    TORTURE(run)
    {
        enum err_code rc = use(&f, &f.e);

        failures += rc == ERR_OK ? 0 : 1;
        if (rc != ERR_OK && f.e.code != ERR_NOMEM) {
            fail_msg("%s", f.e.msg);
        }
        fake_s3_remove(f.server, "lake/x");
    }
    assert_true(failures > 0);
    s3_fixture_deinit(&f);
}

/* FIPS and the like: no MD5, but another checksum where the operation asks for one. */
TEST(test_s3__has_a_checksum_without_md5)
{
    struct s3_checksum checksum;

    assert_true(s3_checksum_of(span_str("123456789"), &checksum));
    assert_string_equal(checksum.header.name, "Content-MD5");
    assert_string_equal(checksum.header.value, "JfnnlDI7RTiF9RgfG2JNCw==");
    assert_int_equal(EVP_set_default_properties(NULL, "fips=yes"), 1);
    bool is_md5 = s3_checksum_of(span_str("123456789"), &checksum);

    assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
    assert_false(is_md5);
    assert_string_equal(checksum.header.name, "x-amz-checksum-crc32");
    /* cbf43926 */
    assert_string_equal(checksum.header.value, "y/Q5Jg==");
}

TEST_MAIN(test_case(test_s3__keeps_what_is_put), test_case(test_s3__takes_keys_literally),
          test_case(test_s3__asks_the_bucket_by_host_name), test_case(test_s3__sends_encryption),
          test_case(test_s3__signs_unless_told_not_to),
          test_case(test_s3__refuses_options_that_cannot_be),
          test_case(test_s3__knows_its_endpoint), test_case(test_s3__explains_refusals),
          test_case(test_s3__names_the_action_that_is_missing),
          test_case(test_s3__refuses_other_places), test_case(test_s3__survives_lack_of_memory),
          test_case(test_s3__has_a_checksum_without_md5))
