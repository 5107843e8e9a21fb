#include "storage/s3_int.h"
#include "test.h"

TEST(test_s3_location__splits)
{
    static const struct {
        const char *location;
        const char *bucket;
        const char *key;
    } cases[] = {
        {"s3://lake/t/x.parquet", "lake", "t/x.parquet"},
        {"s3a://lake/x", "lake", "x"},
        {"s3n://lake/x", "lake", "x"},
        {"S3A://Old_Bucket.eu/x", "Old_Bucket.eu", "x"},
        {"s3://lake/", "lake", ""},
        {"s3://lake", "lake", ""},
        {"s3://lake//a/../b/./c//", "lake", "/a/../b/./c//"},
        {"s3://lake/a b%20c?d#e&f=g+h:i@j", "lake", "a b%20c?d#e&f=g+h:i@j"},
        {"s3://lake/gr\xc3\xbc\xc3\x9f", "lake", "gr\xc3\xbc\xc3\x9f"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct span bucket;
        struct span key;
        struct err e = {0};

        assert_ok(s3_location_split(cases[i].location, &bucket, &key, &e), &e);
        assert_text_eq(bucket, cases[i].bucket);
        assert_text_eq(key, cases[i].key);
        assert_err(s3_location_of_object(cases[i].location, &bucket, &key, &e),
                   cases[i].key[0] == '\0' ? ERR_CONFIG : ERR_OK, &e);
    }
}

TEST(test_s3_location__refuses_what_is_none)
{
    static const struct {
        const char *location;
        const char *says;
    } cases[] = {
        {"", "expected s3://bucket/key"},
        {"lake/x", "is not a place in S3"},
        {"/lake/x", "is not a place in S3"},
        {"file:///lake/x", "is not a place in S3"},
        {"gs://lake/x", "is not a place in S3"},
        {"s3:/lake/x", "is not a place in S3"},
        {"s3:lake/x", "is not a place in S3"},
        {"s3x://lake/x", "is not a place in S3"},
        {"s3://", "'' cannot be a bucket's name"},
        {"s3:///x", "'' cannot be a bucket's name"},
        {"s3://.lake/x", "'.lake' cannot be a bucket's name"},
        {"s3://user@lake/x", "'user@lake' cannot be a bucket's name"},
        {"s3://lake:9000/x", "'lake:9000' cannot be a bucket's name"},
        {"s3://la%2fke/x", "cannot be a bucket's name"},
        {"s3://la ke/x", "cannot be a bucket's name"},
        {"s3://lake?x", "cannot be a bucket's name"},
        {"s3://lake--use1-az4--x-s3/x", "S3 Express One Zone"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct span bucket;
        struct span key;
        struct err e = {0};

        assert_err(s3_location_split(cases[i].location, &bucket, &key, &e), ERR_CONFIG, &e);
        if (strstr(e.msg, cases[i].says) == NULL) {
            fail_msg("%s: %s", cases[i].location, e.msg);
        }
        assert_err(s3_location_of_object(cases[i].location, &bucket, &key, &e), ERR_CONFIG, &e);
    }
}

TEST(test_s3_location__limits_names_of_buckets)
{
    struct span bucket;
    struct span key;
    struct err e = {0};
    char location[300] = "s3://";

    memset(location + 5, 'b', 255);
    assert_ok(s3_location_split(location, &bucket, &key, &e), &e);
    assert_u64_eq(bucket.len, 255);
    memset(location + 5, 'b', 256);
    assert_err(s3_location_split(location, &bucket, &key, &e), ERR_CONFIG, &e);
}

TEST(test_s3_location__chooses_how_a_bucket_is_addressed)
{
    static const struct {
        enum s3_addressing addressing;
        const char *endpoint;
        const char *bucket;
        bool by_path;
    } cases[] = {
        {S3_ADDRESSING_AUTO, "https://s3.eu-west-1.amazonaws.com", "lake", false},
        {S3_ADDRESSING_AUTO, "https://s3.cn-north-1.amazonaws.com.cn", "lake", false},
        {S3_ADDRESSING_AUTO, "https://s3.eu-west-1.amazonaws.com", "my.lake", true},
        {S3_ADDRESSING_AUTO, "https://s3.eu-west-1.amazonaws.com", "Lake", true},
        {S3_ADDRESSING_AUTO, "https://s3.eu-west-1.amazonaws.com", "my_lake", true},
        {S3_ADDRESSING_AUTO, "http://localhost:9000", "lake", true},
        {S3_ADDRESSING_AUTO, "http://127.0.0.1:9000", "lake", true},
        {S3_ADDRESSING_AUTO, "http://[::1]:9000", "lake", true},
        {S3_ADDRESSING_AUTO, "https://minio.example.com", "lake", true},
        {S3_ADDRESSING_AUTO, "https://amazonaws.com.example.com", "lake", true},
        {S3_ADDRESSING_AUTO, "https://notamazonaws.com", "lake", true},
        {S3_ADDRESSING_PATH, "https://s3.eu-west-1.amazonaws.com", "lake", true},
        {S3_ADDRESSING_VIRTUAL, "https://minio.example.com", "lake", false},
        {S3_ADDRESSING_VIRTUAL, "https://s3.eu-west-1.amazonaws.com", "my.lake", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool by_path =
            s3_by_path(cases[i].addressing, cases[i].endpoint, span_str(cases[i].bucket));

        if (by_path != cases[i].by_path) {
            fail_msg("%s at %s", cases[i].bucket, cases[i].endpoint);
        }
    }
}

TEST_MAIN(test_case(test_s3_location__splits), test_case(test_s3_location__refuses_what_is_none),
          test_case(test_s3_location__limits_names_of_buckets),
          test_case(test_s3_location__chooses_how_a_bucket_is_addressed))
