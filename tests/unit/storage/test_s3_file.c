#include <unistd.h>

#include "s3_fixture.h"

#define AT   "s3://lake/t/x.parquet"
#define NAME "lake/t/x.parquet"

/* A store whose parts are as small as S3 allows. */
static void init(struct s3_fixture *f)
{
    s3_fixture_prepare(f);
    f->options.part_bytes = 5 * MIB;
    s3_fixture_open(f);
}

#define SMALL ((size_t)64 << 10)

/* Parts smaller than S3 allows, for tests that send many. */
static void use_small_parts(struct store *store)
{
    ((struct s3_store *)store)->options.part_bytes = SMALL;
}

static void init_small(struct s3_fixture *f)
{
    s3_fixture_init(f);
    use_small_parts(f->store);
    fake_s3_set_rules(f->server, &(struct fake_s3_rules){.part_bytes_min = SMALL});
}

/* Writes `len` bytes of the pattern in pieces. */
static enum err_code write_all(struct store_file *file, const uint8_t *bytes, size_t len,
                               size_t step, struct err *e)
{
    for (size_t at = 0; at < len; at += step) {
        ERR_TRY(store_write(file, span_of(bytes + at, len - at < step ? len - at : step), e));
    }
    return ERR_OK;
}

static enum err_code write_file(struct s3_fixture *f, const char *location, const uint8_t *bytes,
                                size_t len, size_t step, struct err *e)
{
    struct store_file *file;

    ERR_TRY(store_create(f->store, location, &file, e));
    enum err_code rc = write_all(file, bytes, len, step, e);

    if (rc != ERR_OK) {
        store_abandon(file);
        return rc;
    }
    return store_finish(file, e);
}

/* One PUT up to the size of a part, then parts of which only the last may be short. */
TEST(test_s3_file__becomes_an_object_of_any_size)
{
    static const struct {
        size_t len;
        size_t step;
        unsigned parts; /* 0: one PUT */
    } cases[] = {
        {0, 1, 0},
        {1, 1, 0},
        {1000, 7, 0},
        {5 * MIB - 1, MIB, 0},
        {5 * MIB, MIB, 0},
        {5 * MIB, 100 * MIB, 0},
        {5 * MIB + 1, MIB, 2},
        {10 * MIB, 3 * MIB, 2},
        {10 * MIB + 1, 100 * MIB, 3},
        {23 * MIB + 5, 4000037, 5},
    };
    uint8_t *bytes = s3_pattern(24 * MIB);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct s3_fixture f;

        init(&f);
        assert_ok(write_file(&f, AT, bytes, cases[i].len, cases[i].step, &f.e), &f.e);
        assert_bytes_eq(fake_s3_peek(f.server, NAME), span_of(bytes, cases[i].len));
        assert_int_equal(fake_s3_requests(f.server, "PUT", "partNumber="), cases[i].parts);
        assert_int_equal(fake_s3_requests(f.server, NULL, NULL),
                         cases[i].parts == 0 ? 1 : cases[i].parts + 2);
        assert_int_equal(fake_s3_uploads(f.server), 0);
        s3_fixture_deinit(&f);
    }
    free(bytes);
}

/* Another thread begins it. */
static void wait_for_upload(struct s3_fixture *f)
{
    const struct clock clock = clock_system();

    while (fake_s3_uploads(f->server) == 0) {
        clock_sleep_us(&clock, 1000);
    }
}

TEST(test_s3_file__has_no_name_before_it_is_finished)
{
    struct s3_fixture f;
    struct store_file *file;
    uint8_t *bytes = s3_pattern(11 * MIB);

    init(&f);
    assert_ok(store_create(f.store, AT, &file, &f.e), &f.e);
    assert_ok(write_all(file, bytes, 11 * MIB, MIB, &f.e), &f.e);
    assert_int_equal(fake_s3_count(f.server), 0);
    wait_for_upload(&f);
    assert_int_equal(fake_s3_uploads(f.server), 1);
    assert_ok(store_finish(file, &f.e), &f.e);
    assert_int_equal(fake_s3_count(f.server), 1);
    /* A second one of that name, small and large. */
    assert_err(write_file(&f, AT, bytes, 10, 10, &f.e), ERR_EXISTS, &f.e);
    assert_err(write_file(&f, AT, bytes, 6 * MIB, MIB, &f.e), ERR_EXISTS, &f.e);
    assert_bytes_eq(fake_s3_peek(f.server, NAME), span_of(bytes, 11 * MIB));
    assert_int_equal(fake_s3_uploads(f.server), 0);
    free(bytes);
    s3_fixture_deinit(&f);
}

TEST(test_s3_file__leaves_nothing_when_it_is_abandoned)
{
    static const size_t lens[] = {0, 100, 5 * MIB, 5 * MIB + 1, 23 * MIB};
    uint8_t *bytes = s3_pattern(23 * MIB);

    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct s3_fixture f;
        struct store_file *file;

        init(&f);
        assert_ok(store_create(f.store, AT, &file, &f.e), &f.e);
        assert_ok(write_all(file, bytes, lens[i], 3 * MIB, &f.e), &f.e);
        store_abandon(file);
        assert_int_equal(fake_s3_count(f.server), 0);
        assert_int_equal(fake_s3_uploads(f.server), 0);
        s3_fixture_deinit(&f);
    }
    free(bytes);
}

/* What the buffer holds, which is little at first and never more than a part. */
TEST(test_s3_file__tells_what_it_holds)
{
    struct s3_fixture f;
    struct store_file *file;
    uint8_t *bytes = s3_pattern(MIB);

    init(&f);
    assert_ok(store_create(f.store, AT, &file, &f.e), &f.e);
    assert_u64_eq(store_file_held_bytes(file), 0);
    assert_ok(store_write(file, span_of(bytes, 100), &f.e), &f.e);
    assert_true(store_file_held_bytes(file) >= 100);
    assert_true(store_file_held_bytes(file) <= 1024);
    for (int i = 0; i < 12; i++) {
        assert_ok(store_write(file, span_of(bytes, MIB), &f.e), &f.e);
        assert_true(store_file_held_bytes(file) <= 5 * MIB);
    }
    assert_ok(store_finish(file, &f.e), &f.e);
    assert_u64_eq(fake_s3_peek(f.server, NAME).len, 12 * MIB + 100);
    free(bytes);
    s3_fixture_deinit(&f);
}

TEST(test_s3_file__has_parts_that_grow)
{
    static const struct {
        size_t part_bytes;
        uint32_t number;
        size_t want;
    } cases[] = {
        {8 * MIB, 1, 8 * MIB},
        {8 * MIB, 1000, 8 * MIB},
        {8 * MIB, 1001, 16 * MIB},
        {8 * MIB, 2000, 16 * MIB},
        {8 * MIB, 2001, 32 * MIB},
        {8 * MIB, 10000, (size_t)4 << 30},
        {64 * MIB, 10000, (size_t)5 << 30},
        {(size_t)5 << 30, 5000, (size_t)5 << 30},
    };
    size_t total = 0;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_u64_eq(s3_part_bytes(cases[i].part_bytes, cases[i].number), cases[i].want);
    }
    for (uint32_t number = 1; number <= S3_PART_COUNT_MAX; number++) {
        total += s3_part_bytes(8 * MIB, number);
    }
    /* The largest object that S3 keeps. */
    assert_true(total >= (size_t)5 << 40);
}

/* Every mishap of an upload of three parts. */
static const struct {
    const char *what;
    struct fake_s3_fault faults[3];
    bool taken; /* there is an object of that name */
    enum err_code code;
} cases[] = {
    {"no mishap", {{0}}, false, ERR_OK},
    {"taken", {{0}}, true, ERR_EXISTS},
    {"begin: 500",
     {{.method = "POST", .part = "uploads", .status = 500, .code = "InternalError"}},
     false,
     ERR_OK},
    {"begin: denied",
     {{.method = "POST", .part = "uploads", .status = 403, .code = "AccessDenied"}},
     false,
     ERR_CONFIG},
    {"begin: says nothing",
     {{.method = "POST", .part = "uploads", .status = 200, .body = "<x/>"}},
     false,
     ERR_IO},
    {"begin: no XML",
     {{.method = "POST", .part = "uploads", .status = 200, .body = "welcome"}},
     false,
     ERR_IO},
    {"part: 503",
     {{.method = "PUT", .status = 503, .code = "SlowDown", .times = 4}},
     false,
     ERR_OK},
    {"part: reset", {{.method = "PUT", .fault = FAKE_HTTP_RESET, .nth = 2}}, false, ERR_OK},
    {"part: reset when it was there",
     {{.method = "PUT", .fault = FAKE_HTTP_RESET, .done = true, .times = 3}},
     false,
     ERR_OK},
    {"part: denied",
     {{.method = "PUT", .status = 403, .code = "AccessDenied", .nth = 2}},
     false,
     ERR_CONFIG},
    {"part: bad digest",
     {{.method = "PUT", .status = 400, .code = "BadDigest", .nth = 2}},
     false,
     ERR_OK},
    {"part: a 200 without an ETag", {{.method = "PUT", .status = 200}}, false, ERR_IO},
    {"complete: 500",
     {{.method = "POST", .part = "uploadId", .status = 500, .code = "InternalError"}},
     false,
     ERR_OK},
    {"complete: a 200 that is an error",
     {{.method = "POST", .part = "uploadId", .status = 200, .code = "InternalError"}},
     false,
     ERR_OK},
    {"complete: a 200 that is an error for good",
     {{.method = "POST", .part = "uploadId", .status = 200, .code = "InvalidPart"}},
     false,
     ERR_IO},
    {"complete: a 200 that is an error though it was done",
     {{.method = "POST", .part = "uploadId", .status = 200, .code = "InternalError", .done = true}},
     false,
     ERR_OK},
    {"complete: a 200 without a document, not done",
     {{.method = "POST", .part = "uploadId", .status = 200}},
     false,
     ERR_IO},
    {"complete: a 200 without a document, done",
     {{.method = "POST", .part = "uploadId", .body = "", .done = true}},
     false,
     ERR_OK},
    {"complete: another document, done",
     {{.method = "POST", .part = "uploadId", .body = "<x/>", .done = true}},
     false,
     ERR_OK},
    {"complete: reset before it was done",
     {{.method = "POST", .part = "uploadId", .fault = FAKE_HTTP_RESET}},
     false,
     ERR_OK},
    /* The next try finds no upload any more. */
    {"complete: reset after it was done",
     {{.method = "POST", .part = "uploadId", .fault = FAKE_HTTP_RESET, .done = true}},
     false,
     ERR_OK},
    {"complete: cut off, and done",
     {{.method = "POST", .part = "uploadId", .fault = FAKE_HTTP_TRUNCATE, .done = true}},
     false,
     ERR_OK},
    {"complete: reset and taken",
     {{.method = "POST", .part = "uploadId", .fault = FAKE_HTTP_RESET}},
     true,
     ERR_EXISTS},
    {"complete: conflict",
     {{.method = "POST", .part = "uploadId", .status = 409, .code = "ConditionalRequestConflict"}},
     false,
     ERR_OK},
    {"complete: done, then a conflict, then no upload",
     {{.method = "POST", .part = "uploadId", .fault = FAKE_HTTP_RESET, .done = true},
      {.method = "POST", .part = "uploadId", .status = 409, .code = "ConditionalRequestConflict"}},
     false,
     ERR_OK},
    {"complete: the upload was swept",
     {{.method = "POST", .part = "uploadId", .status = 404, .code = "NoSuchUpload"}},
     false,
     ERR_IO},
    {"complete: no answer until the tries run out, done",
     {{.method = "POST",
       .part = "uploadId",
       .status = 500,
       .code = "InternalError",
       .done = true,
       .times = 1000}},
     false,
     ERR_OK},
    {"complete: no answer until the tries run out, not done",
     {{.method = "POST",
       .part = "uploadId",
       .status = 503,
       .code = "ServiceUnavailable",
       .times = 1000}},
     false,
     ERR_IO},
};

TEST(test_s3_file__is_whole_or_not_there)
{
    const size_t len = 2 * SMALL + 7;
    uint8_t *bytes = s3_pattern(len);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct s3_fixture f;

        init_small(&f);
        if (cases[i].taken) {
            fake_s3_put(f.server, NAME, span_str("other"));
        }
        for (size_t k = 0; k < 3; k++) {
            if (cases[i].faults[k].method != NULL) {
                s3_fail(&f, &cases[i].faults[k]);
            }
        }
        enum err_code rc = write_file(&f, AT, bytes, len, SMALL / 3, &f.e);

        if (rc != cases[i].code) {
            fail_msg("%s: %s: %s", cases[i].what, err_code_name(rc), f.e.msg);
        }
        if (rc == ERR_OK) {
            assert_bytes_eq(fake_s3_peek(f.server, NAME), span_of(bytes, len));
            assert_int_equal(strlen(fake_s3_header(f.server, NAME, S3_ID_HEADER)), 32);
        } else if (cases[i].taken) {
            assert_object(&f, NAME, "other");
        } else {
            assert_int_equal(fake_s3_count(f.server), 0);
        }
        if (fake_s3_uploads(f.server) != 0 ||
            (fake_s3_planned(f.server) != 0 && cases[i].faults[0].times < 1000)) {
            fail_msg("%s: %zu uploads are left, %u failures to come", cases[i].what,
                     fake_s3_uploads(f.server), fake_s3_planned(f.server));
        }
        fake_s3_drop_faults(f.server);
        s3_fixture_deinit(&f);
    }
    free(bytes);
}

/* A part that failed is known at one of the next writes, not only at the end. */
TEST(test_s3_file__fails_early)
{
    struct s3_fixture f;
    struct store_file *file;
    uint8_t *bytes = s3_pattern(MIB);
    enum err_code rc = ERR_OK;
    unsigned written = 0;

    init(&f);
    s3_fail(&f, &(struct fake_s3_fault){.method = "PUT", .status = 403, .code = "AccessDenied"});
    assert_ok(store_create(f.store, AT, &file, &f.e), &f.e);
    for (; rc == ERR_OK && written < 1000; written++) {
        rc = store_write(file, span_of(bytes, MIB), &f.e);
    }
    assert_int_equal(rc, ERR_CONFIG);
    assert_non_null(strstr(f.e.msg, "UploadPart s3://lake/t/x.parquet"));
    assert_true(written < 1000);
    assert_err(store_write(file, span_str("x"), &f.e), ERR_CONFIG, &f.e);
    assert_err(store_finish(file, &f.e), ERR_CONFIG, &f.e);
    assert_int_equal(fake_s3_uploads(f.server), 0);
    assert_int_equal(fake_s3_count(f.server), 0);
    free(bytes);
    s3_fixture_deinit(&f);
}

/* An upload that cannot be aborted is in the log: it costs money until somebody sweeps. */
TEST(test_s3_file__logs_an_upload_that_is_left)
{
    struct s3_fixture f;
    struct store_file *file;
    struct log log;
    int out[2];
    char text[2048] = "";
    uint8_t *bytes = s3_pattern(6 * MIB);

    s3_fixture_prepare(&f);
    assert_int_equal(pipe(out), 0);
    log_init(&log, out[1], LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    f.options.log = &log;
    f.options.part_bytes = 5 * MIB;
    s3_fixture_open(&f);
    s3_fail(&f, &(struct fake_s3_fault){.method = "DELETE", .status = 403, .code = "AccessDenied"});
    assert_ok(store_create(f.store, AT, &file, &f.e), &f.e);
    assert_ok(write_all(file, bytes, 6 * MIB, MIB, &f.e), &f.e);
    wait_for_upload(&f);
    store_abandon(file);
    (void)close(out[1]);
    assert_true(read(out[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "warn s3.upload_left location=s3://lake/t/x.parquet"));
    assert_non_null(strstr(text, "s3:AbortMultipartUpload"));
    (void)close(out[0]);
    free(bytes);
    log_deinit(&log);
    s3_fixture_deinit(&f);
}

TEST(test_s3_file__works_without_conditional_writes)
{
    struct s3_fixture f;
    uint8_t *bytes = s3_pattern(6 * MIB);

    init(&f);
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.conditional_status = 501,
                                                        .conditional_code = "NotImplemented"});
    assert_ok(write_file(&f, AT, bytes, 6 * MIB, MIB, &f.e), &f.e);
    assert_bytes_eq(fake_s3_peek(f.server, NAME), span_of(bytes, 6 * MIB));
    assert_err(write_file(&f, AT, bytes, 6 * MIB - 1, MIB, &f.e), ERR_EXISTS, &f.e);
    assert_bytes_eq(fake_s3_peek(f.server, NAME), span_of(bytes, 6 * MIB));
    assert_int_equal(fake_s3_uploads(f.server), 0);
    free(bytes);
    s3_fixture_deinit(&f);
}

TEST(test_s3_file__sends_encryption_with_the_first_request)
{
    struct s3_fixture f;
    uint8_t *bytes = s3_pattern(6 * MIB);

    s3_fixture_prepare(&f);
    f.options.part_bytes = 5 * MIB;
    f.options.sse = "AES256";
    s3_fixture_open(&f);
    assert_ok(write_file(&f, AT, bytes, 6 * MIB, MIB, &f.e), &f.e);
    assert_string_equal(fake_s3_header(f.server, NAME, "x-amz-server-side-encryption"), "AES256");
    free(bytes);
    s3_fixture_deinit(&f);
}

struct writer {
    pthread_t thread;
    struct s3_fixture *f;
    const uint8_t *bytes;
    int number;
    enum err_code rc;
    struct err e;
};

static void *write_one(void *arg)
{
    struct writer *w = arg;
    char location[64];

    (void)snprintf(location, sizeof location, "s3://lake/t/%d", w->number);
    w->rc = write_file(w->f, location, w->bytes + w->number, 12 * MIB, 700001, &w->e);
    return NULL;
}

/* More files than the buffers have room for: each waits for its turn and all get through. */
TEST(test_s3_file__shares_threads_and_buffers)
{
    struct s3_fixture f;
    struct writer writers[5] = {0};
    uint8_t *bytes = s3_pattern(12 * MIB + 5);

    s3_fixture_prepare(&f);
    f.options.part_bytes = 5 * MIB;
    f.options.buffers_max = MIB; /* one part at a time */
    f.options.upload_threads = 2;
    s3_fixture_open(&f);
    s3_fail(&f, &(struct fake_s3_fault){
                    .method = "PUT", .status = 503, .code = "SlowDown", .nth = 4, .times = 3});
    for (int i = 0; i < 5; i++) {
        writers[i].f = &f;
        writers[i].bytes = bytes;
        writers[i].number = i;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_one, &writers[i]), 0);
    }
    for (int i = 0; i < 5; i++) {
        char name[64];

        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        assert_ok(writers[i].rc, &writers[i].e);
        (void)snprintf(name, sizeof name, "lake/t/%d", i);
        assert_bytes_eq(fake_s3_peek(f.server, name), span_of(bytes + i, 12 * MIB));
    }
    assert_u64_eq(((struct s3_store *)f.store)->uploader.bytes, 0);
    free(bytes);
    s3_fixture_deinit(&f);
}

/* A cancelled run ends its requests, and with them what waits for a part. */
static bool cancelled(void *ctx)
{
    return atomic_load((_Atomic bool *)ctx);
}

TEST(test_s3_file__ends_when_the_run_is_cancelled)
{
    struct s3_fixture f;
    struct store_file *file;
    _Atomic bool stop = false;
    uint8_t *bytes = s3_pattern(6 * MIB);

    s3_fixture_prepare(&f);
    http_client_free(f.http);
    assert_ok(http_client_new(&(struct http_client_options){.proxy = "",
                                                            .cancelled = cancelled,
                                                            .cancelled_ctx = &stop},
                              &f.http, &f.e),
              &f.e);
    f.options.http = f.http;
    f.options.part_bytes = 5 * MIB;
    s3_fixture_open(&f);
    s3_fail(&f, &(struct fake_s3_fault){.method = "PUT", .fault = FAKE_HTTP_STALL});
    assert_ok(store_create(f.store, AT, &file, &f.e), &f.e);
    assert_ok(write_all(file, bytes, 6 * MIB, MIB, &f.e), &f.e);
    atomic_store(&stop, true);
    assert_err(store_finish(file, &f.e), ERR_CANCELLED, &f.e);
    assert_int_equal(fake_s3_count(f.server), 0);
    free(bytes);
    fake_s3_drop_faults(f.server);
    s3_fixture_deinit(&f);
}

TEST(test_s3_file__survives_lack_of_memory)
{
    struct s3_fixture f;
    const size_t len = SMALL + 9;
    uint8_t *bytes = s3_pattern(len);
    unsigned failures = 0;

    s3_fixture_prepare(&f);
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.part_bytes_min = SMALL});
    TORTURE(run)
    {
        enum err_code rc = store_s3_new(&f.options, &f.store, &f.e);

        if (rc == ERR_OK) {
            use_small_parts(f.store);
            rc = write_file(&f, AT, bytes, len, SMALL, &f.e);
            store_free(f.store);
            f.store = NULL;
        }
        if (rc == ERR_OK) {
            assert_bytes_eq(fake_s3_peek(f.server, NAME), span_of(bytes, len));
        } else {
            assert_int_equal(rc, ERR_NOMEM);
            failures++;
        }
        fake_s3_remove(f.server, NAME);
    }
    assert_true(failures > 20);
    free(bytes);
    s3_fixture_deinit(&f);
}

TEST_MAIN(test_case(test_s3_file__becomes_an_object_of_any_size),
          test_case(test_s3_file__has_no_name_before_it_is_finished),
          test_case(test_s3_file__leaves_nothing_when_it_is_abandoned),
          test_case(test_s3_file__tells_what_it_holds),
          test_case(test_s3_file__has_parts_that_grow),
          test_case(test_s3_file__is_whole_or_not_there), test_case(test_s3_file__fails_early),
          test_case(test_s3_file__logs_an_upload_that_is_left),
          test_case(test_s3_file__works_without_conditional_writes),
          test_case(test_s3_file__sends_encryption_with_the_first_request),
          test_case(test_s3_file__shares_threads_and_buffers),
          test_case(test_s3_file__ends_when_the_run_is_cancelled),
          test_case(test_s3_file__survives_lack_of_memory))
