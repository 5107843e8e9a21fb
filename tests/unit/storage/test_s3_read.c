#include "s3_fixture.h"

#define AT   "s3://lake/t/x"
#define NAME "lake/t/x"

TEST(test_s3_read__gets_objects_of_any_size)
{
    static const size_t lens[] = {0,       1,           65536,    8 * MIB - 1,
                                  8 * MIB, 8 * MIB + 1, 16 * MIB, 17 * MIB + 3};
    uint8_t *bytes = s3_pattern(18 * MIB);

    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct s3_fixture f;
        struct buf got = {0};

        s3_fixture_init(&f);
        fake_s3_put(f.server, NAME, span_of(bytes, lens[i]));
        assert_ok(store_get(f.store, AT, &got, &f.e), &f.e);
        assert_bytes_eq(buf_span(&got), span_of(bytes, lens[i]));
        assert_int_equal(fake_s3_requests(f.server, "GET", NULL),
                         lens[i] == 0 ? 1 : (lens[i] - 1) / (8 * MIB) + 1);
        buf_deinit(&got);
        s3_fixture_deinit(&f);
    }
    free(bytes);
}

TEST(test_s3_read__keeps_to_the_limit)
{
    struct s3_fixture f;
    struct buf got;
    uint8_t *bytes = s3_pattern(9 * MIB);

    s3_fixture_init(&f);
    fake_s3_put(f.server, NAME, span_of(bytes, 9 * MIB));
    buf_init(&got, 9 * MIB - 1);
    assert_err(store_get(f.store, AT, &got, &f.e), ERR_LIMIT, &f.e);
    /* The first range told that it is too large. */
    assert_int_equal(fake_s3_requests(f.server, "GET", NULL), 1);
    buf_deinit(&got);
    buf_init(&got, 9 * MIB);
    assert_ok(store_get(f.store, AT, &got, &f.e), &f.e);
    assert_u64_eq(got.len, 9 * MIB);
    buf_deinit(&got);
    free(bytes);
    s3_fixture_deinit(&f);
}

static void assert_reads(struct byte_source *source, const uint8_t *bytes, size_t offset,
                         size_t len, struct err *e)
{
    uint8_t *got = malloc(len + 1);

    assert_non_null(got);
    assert_ok(byte_source_read(source, offset, got, len, e), e);
    assert_bytes_eq(span_of(got, len), span_of(bytes + offset, len));
    free(got);
}

/* The end comes with the first request, as footers are there; the rest by ranges. */
TEST(test_s3_read__reads_ranges)
{
    const size_t len = 17 * MIB + 5;
    uint8_t *bytes = s3_pattern(len);
    struct store_reader *r;
    struct byte_source source;
    struct s3_fixture f;
    uint8_t byte;

    s3_fixture_init(&f);
    fake_s3_put(f.server, NAME, span_of(bytes, len));
    assert_ok(store_open(f.store, AT, &r, &source, &f.e), &f.e);
    assert_u64_eq(source.size_bytes, len);
    assert_reads(&source, bytes, len - 8, 8, &f.e);
    assert_reads(&source, bytes, len - 65536, 65536, &f.e);
    assert_reads(&source, bytes, len, 0, &f.e);
    assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 1);
    assert_reads(&source, bytes, 0, 0, &f.e);
    assert_reads(&source, bytes, 0, 4, &f.e);
    assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 2);
    assert_reads(&source, bytes, len - 65537, 65537, &f.e);
    assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 3);
    assert_reads(&source, bytes, 1, len - 1, &f.e);
    assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 6);
    assert_err(byte_source_read(&source, len, &byte, 1, &f.e), ERR_CORRUPT, &f.e);
    assert_err(byte_source_read(&source, UINT64_MAX, &byte, 1, &f.e), ERR_CORRUPT, &f.e);
    assert_non_null(strstr(f.e.msg, "reading s3://lake/t/x: it ends before byte"));
    store_close(r);
    free(bytes);
    s3_fixture_deinit(&f);
}

TEST(test_s3_read__opens_small_objects)
{
    static const size_t lens[] = {0, 1, 65535, 65536, 65537};
    uint8_t *bytes = s3_pattern(65537);

    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct store_reader *r;
        struct byte_source source;
        struct s3_fixture f;

        s3_fixture_init(&f);
        fake_s3_put(f.server, NAME, span_of(bytes, lens[i]));
        assert_ok(store_open(f.store, AT, &r, &source, &f.e), &f.e);
        assert_u64_eq(source.size_bytes, lens[i]);
        assert_reads(&source, bytes, 0, lens[i], &f.e);
        store_close(r);
        assert_err(store_open(f.store, "s3://lake/none", &r, &source, &f.e), ERR_NOT_FOUND, &f.e);
        s3_fixture_deinit(&f);
    }
    free(bytes);
}

/* An object is written once; one that changes between two ranges is not what was begun. */
TEST(test_s3_read__notices_another_object_of_the_name)
{
    uint8_t *bytes = s3_pattern(MIB);
    struct store_reader *r;
    struct byte_source source;
    struct s3_fixture f;
    uint8_t got[4];

    s3_fixture_init(&f);
    fake_s3_put(f.server, NAME, span_of(bytes, MIB));
    assert_ok(store_open(f.store, AT, &r, &source, &f.e), &f.e);
    fake_s3_put(f.server, NAME, span_of(bytes + 1, MIB - 1));
    assert_err(byte_source_read(&source, 0, got, 4, &f.e), ERR_CORRUPT, &f.e);
    assert_non_null(strstr(f.e.msg, "it was replaced by another object"));
    fake_s3_remove(f.server, NAME);
    assert_err(byte_source_read(&source, 0, got, 4, &f.e), ERR_NOT_FOUND, &f.e);
    store_close(r);
    free(bytes);
    s3_fixture_deinit(&f);
}

/* Answers that are not what was asked for: again, and then an error. */
static const struct {
    const char *what;
    struct fake_s3_fault fault;
    enum err_code code;
    unsigned gets;
} cases[] = {
    {"500", {.status = 500, .code = "InternalError"}, ERR_OK, 2},
    {"reset", {.fault = FAKE_HTTP_RESET}, ERR_OK, 2},
    {"cut off", {.fault = FAKE_HTTP_TRUNCATE}, ERR_OK, 2},
    {"a range that is too short",
     {.status = 206, .body = "1234", .headers = "Content-Range: bytes 0-3/10\r\n"},
     ERR_OK,
     2},
    {"another range",
     {.status = 206, .body = "1234567890", .headers = "Content-Range: bytes 1-10/11\r\n"},
     ERR_OK,
     2},
    {"a range that lies about its length",
     {.status = 206, .body = "123456789", .headers = "Content-Range: bytes 0-9/10\r\n"},
     ERR_OK,
     2},
    {"a range beyond the end",
     {.status = 206, .body = "1234567890", .headers = "Content-Range: bytes 0-9/9\r\n"},
     ERR_OK,
     2},
    {"no range at all", {.status = 206, .body = "1234567890"}, ERR_OK, 2},
    {"a range in other units",
     {.status = 206, .body = "1234567890", .headers = "Content-Range: items 0-9/10\r\n"},
     ERR_OK,
     2},
    {"a range without a total",
     {.status = 206, .body = "1234567890", .headers = "Content-Range: bytes 0-9/*\r\n"},
     ERR_OK,
     2},
    {"a range without an end",
     {.status = 206, .body = "1234567890", .headers = "Content-Range: bytes 0-\r\n"},
     ERR_OK,
     2},
    {"a range of nothing",
     {.status = 206, .body = "1234567890", .headers = "Content-Range: bytes */10\r\n"},
     ERR_OK,
     2},
    {"a range that is too short, always",
     {.status = 206, .body = "1234", .headers = "Content-Range: bytes 0-3/10\r\n", .times = 3},
     ERR_IO,
     3},
    {"no such range",
     {.status = 416, .code = "InvalidRange", .headers = "Content-Range: bytes */10\r\n"},
     ERR_CORRUPT,
     1},
};

TEST(test_s3_read__takes_only_what_was_asked_for)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct s3_fixture f;
        struct store_reader *r = NULL;
        struct byte_source source;
        struct buf got = {0};

        s3_fixture_init(&f);
        fake_s3_put(f.server, NAME, span_str("1234567890"));
        s3_fail(&f, &cases[i].fault);
        enum err_code rc = store_get(f.store, AT, &got, &f.e);

        if (rc != cases[i].code || fake_s3_requests(f.server, "GET", NULL) != cases[i].gets ||
            (rc == ERR_OK && !span_eq_str(buf_span(&got), "1234567890"))) {
            fail_msg("%s: %s (%s), %u requests", cases[i].what, err_code_name(rc), f.e.msg,
                     fake_s3_requests(f.server, "GET", NULL));
        }
        assert_true(rc != ERR_IO || f.e.retryable);
        s3_fail(&f, &cases[i].fault);
        assert_err(store_open(f.store, AT, &r, &source, &f.e), cases[i].code, &f.e);
        if (r != NULL) {
            assert_u64_eq(source.size_bytes, 10);
            store_close(r);
        }
        buf_deinit(&got);
        s3_fixture_deinit(&f);
    }
}

TEST(test_s3_read__manages_without_ranges)
{
    uint8_t *bytes = s3_pattern(MIB);
    struct store_reader *r;
    struct byte_source source;
    struct s3_fixture f;
    struct buf got = {0};

    s3_fixture_init(&f);
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.no_ranges = true});
    fake_s3_put(f.server, NAME, span_of(bytes, MIB));
    fake_s3_put(f.server, "lake/empty", span_str(""));
    assert_ok(store_get(f.store, AT, &got, &f.e), &f.e);
    assert_bytes_eq(buf_span(&got), span_of(bytes, MIB));
    assert_ok(store_open(f.store, AT, &r, &source, &f.e), &f.e);
    assert_reads(&source, bytes, 3, 100000, &f.e);
    store_close(r);
    buf_reset(&got);
    assert_ok(store_get(f.store, "s3://lake/empty", &got, &f.e), &f.e);
    assert_u64_eq(got.len, 0);
    buf_deinit(&got);
    free(bytes);
    s3_fixture_deinit(&f);
}

/* As MinIO answers for the end of an empty object. */
TEST(test_s3_read__takes_a_range_of_nothing_for_an_empty_object)
{
    struct store_reader *r;
    struct byte_source source;
    struct s3_fixture f;

    s3_fixture_init(&f);
    s3_fail(&f,
            &(struct fake_s3_fault){.status = 206, .headers = "Content-Range: bytes 0--1/0\r\n"});
    assert_ok(store_open(f.store, AT, &r, &source, &f.e), &f.e);
    assert_u64_eq(source.size_bytes, 0);
    store_close(r);
    s3_fixture_deinit(&f);
}

/* A weak ETag cannot be a condition, and neither can none. */
TEST(test_s3_read__reads_without_an_etag_too)
{
    static const char *const headers[] = {"ETag: W/\"abc\"\r\n", "ETag: \r\n"};
    uint8_t *bytes = s3_pattern(9 * MIB);

    for (size_t i = 0; i < 2; i++) {
        struct s3_fixture f;
        struct buf got = {0};

        s3_fixture_init(&f);
        fake_s3_put(f.server, NAME, span_of(bytes, 9 * MIB));
        s3_fail(&f, &(struct fake_s3_fault){.headers = headers[i]});
        assert_ok(store_get(f.store, AT, &got, &f.e), &f.e);
        assert_bytes_eq(buf_span(&got), span_of(bytes, 9 * MIB));
        buf_deinit(&got);
        s3_fixture_deinit(&f);
    }
    free(bytes);
}

TEST(test_s3_read__survives_lack_of_memory)
{
    uint8_t *bytes = s3_pattern(70000);
    struct s3_fixture f;
    unsigned failures = 0;

    s3_fixture_init(&f);
    fake_s3_put(f.server, NAME, span_of(bytes, 70000));
    TORTURE(run)
    {
        struct store_reader *r;
        struct byte_source source;
        uint8_t got[70000];
        enum err_code rc = store_open(f.store, AT, &r, &source, &f.e);

        if (rc == ERR_OK) {
            rc = byte_source_read(&source, 0, got, sizeof got, &f.e);
            store_close(r);
        }
        if (rc == ERR_OK) {
            assert_bytes_eq(span_of(got, sizeof got), span_of(bytes, 70000));
        } else {
            assert_int_equal(rc, ERR_NOMEM);
            failures++;
        }
    }
    assert_true(failures > 0);
    free(bytes);
    s3_fixture_deinit(&f);
}

TEST_MAIN(test_case(test_s3_read__gets_objects_of_any_size),
          test_case(test_s3_read__keeps_to_the_limit), test_case(test_s3_read__reads_ranges),
          test_case(test_s3_read__opens_small_objects),
          test_case(test_s3_read__notices_another_object_of_the_name),
          test_case(test_s3_read__takes_only_what_was_asked_for),
          test_case(test_s3_read__manages_without_ranges),
          test_case(test_s3_read__takes_a_range_of_nothing_for_an_empty_object),
          test_case(test_s3_read__reads_without_an_etag_too),
          test_case(test_s3_read__survives_lack_of_memory))
