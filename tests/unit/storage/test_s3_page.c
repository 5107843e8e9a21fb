#include <stdlib.h>

#include "storage/s3_int.h"
#include "test.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

/* As S3 answers, cut down to what matters and what could be in the way. */
static const char objects[] =
    HEAD "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>lake</Name>"
         "<Prefix>t/</Prefix><NextContinuationToken>1/a+b==</NextContinuationToken>"
         "<KeyCount>2</KeyCount><MaxKeys>2</MaxKeys><EncodingType>url</EncodingType>"
         "<IsTruncated>true</IsTruncated>"
         "<Contents><Key>t/a+b%2Bc%25.parquet</Key><LastModified>2026-01-02T03:04:05.678Z"
         "</LastModified><ETag>&quot;abc&quot;</ETag><Size>12345678901</Size>"
         "<Owner><ID>o</ID><Key>not this</Key></Owner>"
         "<StorageClass>STANDARD</StorageClass></Contents>"
         "<Contents><Key>t/%C3%BC</Key><LastModified>1970-01-01T01:00:00+01:00</LastModified>"
         "<Size>0</Size></Contents>"
         "<CommonPrefixes><Prefix>t/x/</Prefix></CommonPrefixes></ListBucketResult>";

static const char uploads[] = HEAD
    "<ListMultipartUploadsResult><Bucket>lake</Bucket><KeyMarker/>"
    "<NextKeyMarker>t/b+%26.parquet</NextKeyMarker><NextUploadIdMarker>u+2</NextUploadIdMarker>"
    "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
    "<Upload><Key>t/a.parquet</Key><UploadId>u+1%20</UploadId><Initiator><ID>i</ID>"
    "</Initiator><Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>"
    "</ListMultipartUploadsResult>";

static const char removed[] =
    HEAD "<DeleteResult><Error><Key>t/a &amp; b+c%20</Key><Code>AccessDenied</Code>"
         "<Message>Access Denied</Message></Error><Deleted><Key>t/c</Key></Deleted>"
         "</DeleteResult>";

TEST(test_s3_page__reads_objects)
{
    struct s3_page p;
    struct err e = {0};

    assert_ok(s3_page_parse(span_str(objects), S3_PAGE_OBJECTS, &p, &e), &e);
    assert_int_equal(p.count, 2);
    assert_string_equal(p.items[0].key, "t/a b+c%.parquet");
    assert_u64_eq(p.items[0].size_bytes, 12345678901);
    assert_i64_eq(p.items[0].time_us, INT64_C(1767323045678000));
    assert_string_equal(p.items[1].key, "t/\xc3\xbc");
    assert_u64_eq(p.items[1].size_bytes, 0);
    assert_i64_eq(p.items[1].time_us, 0);
    assert_true(p.truncated);
    assert_string_equal(p.next, "1/a+b==");
    s3_page_deinit(&p);
}

TEST(test_s3_page__reads_uploads)
{
    struct s3_page p;
    struct err e = {0};

    assert_ok(s3_page_parse(span_str(uploads), S3_PAGE_UPLOADS, &p, &e), &e);
    assert_int_equal(p.count, 1);
    assert_string_equal(p.items[0].key, "t/a.parquet");
    assert_string_equal(p.items[0].upload_id, "u+1%20");
    assert_i64_eq(p.items[0].time_us, INT64_C(1767225600000000));
    assert_true(p.truncated);
    assert_string_equal(p.next, "t/b &.parquet");
    assert_string_equal(p.next_upload, "u+2");
    s3_page_deinit(&p);
}

/* Keys are not encoded there, and only failures count. */
TEST(test_s3_page__reads_what_was_not_removed)
{
    struct s3_page p;
    struct err e = {0};

    assert_ok(s3_page_parse(span_str(removed), S3_PAGE_REMOVED, &p, &e), &e);
    assert_int_equal(p.count, 1);
    assert_string_equal(p.items[0].key, "t/a & b+c%20");
    s3_page_deinit(&p);
    assert_ok(s3_page_parse(span_str("<DeleteResult/>"), S3_PAGE_REMOVED, &p, &e), &e);
    assert_int_equal(p.count, 0);
    s3_page_deinit(&p);
}

/* What a server leaves out that ignores encoding-type, or has nothing more to say. */
TEST(test_s3_page__takes_keys_as_they_are_when_they_are_not_encoded)
{
    static const char text[] =
        "<ListBucketResult><Contents><Key>a+b%20c</Key><Size>1</Size><LastModified>"
        "2026-01-02T03:04:05.678912345Z</LastModified></Contents></ListBucketResult>";
    struct s3_page p;
    struct err e = {0};

    assert_ok(s3_page_parse(span_str(text), S3_PAGE_OBJECTS, &p, &e), &e);
    assert_string_equal(p.items[0].key, "a+b%20c");
    assert_i64_eq(p.items[0].time_us, INT64_C(1767323045678912));
    assert_false(p.truncated);
    assert_null(p.next);
    s3_page_deinit(&p);
}

TEST(test_s3_page__refuses_what_is_no_list)
{
#define ENTRY(inside) "<ListBucketResult><Contents>" inside "</Contents></ListBucketResult>"
    static const struct {
        enum s3_page_kind kind;
        const char *text;
        const char *says;
    } cases[] = {
        {S3_PAGE_OBJECTS, "", ""},
        {S3_PAGE_OBJECTS, "{}", ""},
        {S3_PAGE_OBJECTS, "<html><body>Welcome</body></html>", "no ListBucketResult"},
        {S3_PAGE_OBJECTS, removed, "no ListBucketResult"},
        {S3_PAGE_UPLOADS, objects, "no ListMultipartUploadsResult"},
        {S3_PAGE_REMOVED, objects, "no DeleteResult"},
        {S3_PAGE_OBJECTS, ENTRY("<Key>k</Key><Size>1</Size>"), "lacks one of Key, Size and"},
        {S3_PAGE_OBJECTS, ENTRY("<Size>1</Size><LastModified>2026-01-02T03:04:05Z</LastModified>"),
         "lacks one of"},
        {S3_PAGE_OBJECTS, ENTRY("<Key>k</Key><LastModified>2026-01-02T03:04:05Z</LastModified>"),
         "lacks one of"},
        {S3_PAGE_OBJECTS, ENTRY("<Size>-1</Size>"), "size '-1'"},
        {S3_PAGE_OBJECTS, ENTRY("<Size>99999999999999999999</Size>"), "size"},
        {S3_PAGE_OBJECTS, ENTRY("<LastModified>yesterday</LastModified>"), "time 'yesterday'"},
        {S3_PAGE_OBJECTS, ENTRY("<LastModified>2026-02-29T00:00:00Z</LastModified>"),
         "time '2026-02-29T00:00:00Z' is none"},
        {S3_PAGE_OBJECTS, "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
         "does not say where the next begins"},
        {S3_PAGE_OBJECTS,
         "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a%2</Key><Size>1</Size>"
         "<LastModified>2026-01-02T03:04:05Z</LastModified></Contents></ListBucketResult>",
         "'a%2' is not percent-encoded"},
        {S3_PAGE_OBJECTS,
         "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a%00b</Key>"
         "<Size>1</Size><LastModified>2026-01-02T03:04:05Z</LastModified></Contents>"
         "</ListBucketResult>",
         "is not percent-encoded"},
        {S3_PAGE_UPLOADS,
         "<ListMultipartUploadsResult><Upload><Key>k</Key><Initiated>2026-01-02T03:04:05Z"
         "</Initiated></Upload></ListMultipartUploadsResult>",
         "lacks one of Key, UploadId and Initiated"},
        {S3_PAGE_REMOVED, "<DeleteResult><Error><Code>x</Code></Error></DeleteResult>",
         "lacks one of Key"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct s3_page p;
        struct err e = {0};

        assert_err(s3_page_parse(span_str(cases[i].text), cases[i].kind, &p, &e), ERR_CORRUPT, &e);
        if (strstr(e.msg, cases[i].says) == NULL) {
            fail_msg("%s: %s", cases[i].text, e.msg);
        }
        s3_page_deinit(&p);
    }
}

TEST(test_s3_page__rejects_every_truncation)
{
    static const struct {
        enum s3_page_kind kind;
        const char *text;
    } cases[] = {
        {S3_PAGE_OBJECTS, objects}, {S3_PAGE_UPLOADS, uploads}, {S3_PAGE_REMOVED, removed}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t len = 0; len < strlen(cases[i].text); len++) {
            struct s3_page p;
            struct err e = {0};

            assert_err(s3_page_parse(span_of(cases[i].text, len), cases[i].kind, &p, &e),
                       ERR_CORRUPT, &e);
            s3_page_deinit(&p);
        }
    }
}

TEST(test_s3_page__survives_lack_of_memory)
{
    unsigned failures = 0;

    TORTURE(run)
    {
        struct s3_page p;
        struct err e = {0};
        enum err_code rc = s3_page_parse(span_str(objects), S3_PAGE_OBJECTS, &p, &e);

        if (rc == ERR_OK) {
            assert_int_equal(p.count, 2);
        } else {
            assert_int_equal(rc, ERR_NOMEM);
            failures++;
        }
        s3_page_deinit(&p);
    }
    assert_true(failures > 0);
}

TEST(test_s3_page__finds_one_text)
{
    char *text;
    struct err e = {0};

    assert_ok(s3_answer_text(span_str("<A><B>1</B><C><B>2</B></C></A>"), "A/C/B", &text, &e), &e);
    assert_string_equal(text, "2");
    free(text);
    assert_ok(s3_answer_text(span_str("<A><B>1</B></A>"), "A/C", &text, &e), &e);
    assert_null(text);
    assert_err(s3_answer_text(span_str("<A><B>1</B>"), "A/B", &text, &e), ERR_CORRUPT, &e);
    assert_null(text);
    TORTURE(run)
    {
        enum err_code rc = s3_answer_text(span_str("<A><B>1</B></A>"), "A/B", &text, &e);

        assert_true(rc == ERR_NOMEM || rc == ERR_OK);
        free(text);
    }
}

TEST_MAIN(test_case(test_s3_page__reads_objects), test_case(test_s3_page__reads_uploads),
          test_case(test_s3_page__reads_what_was_not_removed),
          test_case(test_s3_page__takes_keys_as_they_are_when_they_are_not_encoded),
          test_case(test_s3_page__refuses_what_is_no_list),
          test_case(test_s3_page__rejects_every_truncation),
          test_case(test_s3_page__survives_lack_of_memory), test_case(test_s3_page__finds_one_text))
