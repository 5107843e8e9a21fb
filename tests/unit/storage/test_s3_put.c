#include <unistd.h>

#include "s3_fixture.h"

#define AT   "s3://lake/t/x"
#define NAME "lake/t/x"

/*
 * One PUT under every mishap: what comes of it, what is there then, and how often it was asked.
 * "rows" is ours, "other" was written by somebody else.
 */
static const struct {
    const char *what;
    struct fake_s3_fault faults[3];
    const char *before; /* what is there already; NULL: nothing */
    enum err_code code;
    const char *after; /* NULL: nothing */
    unsigned puts;
    unsigned heads;
} cases[] = {
    {"no mishap", {{0}}, NULL, ERR_OK, "rows", 1, 0},
    {"taken", {{0}}, "other", ERR_EXISTS, "other", 1, 1},
    {"500",
     {{.method = "PUT", .status = 500, .code = "InternalError"}},
     NULL,
     ERR_OK,
     "rows",
     2,
     0},
    {"500 and taken",
     {{.method = "PUT", .status = 500, .code = "InternalError"}},
     "other",
     ERR_EXISTS,
     "other",
     2,
     1},
    {"500 though it was done",
     {{.method = "PUT", .status = 500, .code = "InternalError", .done = true}},
     NULL,
     ERR_OK,
     "rows",
     2,
     1},
    {"slow down three times",
     {{.method = "PUT", .status = 503, .code = "SlowDown", .times = 3}},
     NULL,
     ERR_OK,
     "rows",
     4,
     0},
    {"slow down and taken",
     {{.method = "PUT", .status = 503, .code = "SlowDown"}},
     "other",
     ERR_EXISTS,
     "other",
     2,
     1},
    {"slow down, and it was done all the same",
     {{.method = "PUT", .status = 503, .code = "SlowDown", .done = true}},
     NULL,
     ERR_OK,
     "rows",
     2,
     1},
    {"reset before it was done",
     {{.method = "PUT", .fault = FAKE_HTTP_RESET}},
     NULL,
     ERR_OK,
     "rows",
     2,
     0},
    {"reset after it was done",
     {{.method = "PUT", .fault = FAKE_HTTP_RESET, .done = true}},
     NULL,
     ERR_OK,
     "rows",
     2,
     1},
    {"closed after it was done, twice",
     {{.method = "PUT", .fault = FAKE_HTTP_CLOSE, .done = true, .times = 2}},
     NULL,
     ERR_OK,
     "rows",
     3,
     1},
    {"reset, and the look fails once",
     {{.method = "PUT", .fault = FAKE_HTTP_RESET, .done = true}, {.method = "HEAD", .status = 500}},
     NULL,
     ERR_OK,
     "rows",
     2,
     2},
    {"reset, and may not look",
     {{.method = "PUT", .fault = FAKE_HTTP_RESET, .done = true}, {.method = "HEAD", .status = 403}},
     NULL,
     ERR_CONFIG,
     "rows",
     2,
     1},
    {"conflict",
     {{.method = "PUT", .status = 409, .code = "ConditionalRequestConflict", .times = 2}},
     NULL,
     ERR_OK,
     "rows",
     3,
     0},
    {"conflict with our own try",
     {{.method = "PUT", .fault = FAKE_HTTP_RESET, .done = true},
      {.method = "PUT", .status = 409, .code = "ConditionalRequestConflict"}},
     NULL,
     ERR_OK,
     "rows",
     3,
     1},
    {"conflict without end",
     {{.method = "PUT", .status = 409, .code = "ConditionalRequestConflict", .times = 8}},
     NULL,
     ERR_IO,
     NULL,
     8,
     0},
    {"bad digest on the way",
     {{.method = "PUT", .status = 400, .code = "BadDigest"}},
     NULL,
     ERR_OK,
     "rows",
     2,
     0},
    {"refused",
     {{.method = "PUT", .status = 403, .code = "AccessDenied"}},
     NULL,
     ERR_CONFIG,
     NULL,
     1,
     0},
    {"an object that was there for a moment",
     {{.method = "PUT", .fault = FAKE_HTTP_RESET},
      {.method = "PUT", .status = 412, .code = "PreconditionFailed"}},
     NULL,
     ERR_OK,
     "rows",
     3,
     1},
    {"not implemented, but not for the header",
     {{.method = "PUT", .status = 501, .code = "NotImplemented", .times = 2}},
     NULL,
     ERR_IO,
     NULL,
     2,
     1},
};

TEST(test_s3_put__makes_an_object_once)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct s3_fixture f;
        struct span bytes;

        s3_fixture_init(&f);
        for (size_t k = 0; k < 3; k++) {
            if (cases[i].faults[k].method != NULL) {
                s3_fail(&f, &cases[i].faults[k]);
            }
        }
        if (cases[i].before != NULL) {
            fake_s3_put(f.server, NAME, span_str(cases[i].before));
        }
        enum err_code rc = store_put(f.store, AT, span_str("rows"), &f.e);

        bytes = fake_s3_peek(f.server, NAME);
        if (rc != cases[i].code || (bytes.data == NULL) != (cases[i].after == NULL) ||
            (bytes.data != NULL && !span_eq_str(bytes, cases[i].after)) ||
            fake_s3_requests(f.server, "PUT", NULL) != cases[i].puts ||
            fake_s3_requests(f.server, "HEAD", NULL) != cases[i].heads) {
            fail_msg("%s: %s (%s), '%.*s', %u puts, %u heads", cases[i].what, err_code_name(rc),
                     f.e.msg, (int)bytes.len, (const char *)bytes.data,
                     fake_s3_requests(f.server, "PUT", NULL),
                     fake_s3_requests(f.server, "HEAD", NULL));
        }
        s3_fixture_deinit(&f);
    }
}

/* Tries run out without an answer: a last look says whether it was done. */
TEST(test_s3_put__asks_at_the_end_whether_it_was_done)
{
    for (int done = 0; done < 2; done++) {
        struct s3_fixture f;

        s3_fixture_init(&f);
        s3_fail(&f,
                &(struct fake_s3_fault){
                    .method = "PUT", .fault = FAKE_HTTP_RESET, .done = done != 0, .times = 1000});
        enum err_code rc = store_put(f.store, AT, span_str("rows"), &f.e);

        assert_int_equal(rc, done != 0 ? ERR_OK : ERR_IO);
        assert_int_equal(fake_s3_has(f.server, NAME), done != 0);
        assert_int_equal(fake_s3_requests(f.server, "HEAD", NULL), 1);
        assert_true(done != 0 || f.e.retryable);
        /* The rest of the plan is not to happen. */
        assert_true(fake_s3_requests(f.server, "PUT", NULL) < 100);
        fake_s3_drop_faults(f.server);
        s3_fixture_deinit(&f);
    }
}

/* With the message of both failures, and as one that may go well another time. */
TEST(test_s3_put__says_when_it_could_not_ask)
{
    struct s3_fixture f;

    s3_fixture_init(&f);
    s3_fail(&f, &(struct fake_s3_fault){.fault = FAKE_HTTP_RESET, .times = 1000});
    assert_err(store_put(f.store, AT, span_str("rows"), &f.e), ERR_IO, &f.e);
    assert_non_null(strstr(f.e.msg, "it could not be asked whether it was written"));
    assert_non_null(strstr(f.e.msg, "HeadObject s3://lake/t/x"));
    assert_non_null(strstr(f.e.msg, "PutObject s3://lake/t/x"));
    assert_true(f.e.retryable);
    fake_s3_drop_faults(f.server);
    s3_fixture_deinit(&f);
}

/* Servers of old: each write looks first, and the first one finds that out. */
TEST(test_s3_put__works_without_conditional_writes)
{
    static const struct {
        int status;
        const char *code;
    } refusals[] = {{501, "NotImplemented"}, {400, "InvalidArgument"}, {400, "InvalidRequest"}};

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct s3_fixture f;

        s3_fixture_init(&f);
        fake_s3_set_rules(f.server,
                          &(struct fake_s3_rules){.conditional_status = refusals[i].status,
                                                  .conditional_code = refusals[i].code});
        fake_s3_put(f.server, "lake/other", span_str("other"));
        assert_err(store_put(f.store, "s3://lake/other", span_str("rows"), &f.e), ERR_EXISTS, &f.e);
        assert_object(&f, "lake/other", "other");
        assert_ok(store_put(f.store, AT, span_str("rows"), &f.e), &f.e);
        assert_object(&f, NAME, "rows");
        assert_int_equal(fake_s3_requests(f.server, "PUT", NULL), 3);
        assert_int_equal(fake_s3_requests(f.server, "HEAD", NULL), 2);
        /* It knows now. */
        assert_ok(store_put(f.store, "s3://lake/t/y", span_str("rows"), &f.e), &f.e);
        assert_err(store_put(f.store, "s3://lake/t/y", span_str("rows"), &f.e), ERR_EXISTS, &f.e);
        assert_int_equal(fake_s3_requests(f.server, "PUT", NULL), 4);
        assert_int_equal(fake_s3_requests(f.server, "HEAD", NULL), 4);
        /* A try that had its effect replaces the object by itself. */
        s3_fail(&f,
                &(struct fake_s3_fault){.method = "PUT", .fault = FAKE_HTTP_RESET, .done = true});
        assert_ok(store_put(f.store, "s3://lake/t/z", span_str("rows"), &f.e), &f.e);
        assert_object(&f, "lake/t/z", "rows");
        s3_fixture_deinit(&f);
    }
}

/* A server that has shown that it knows the header means something else. */
TEST(test_s3_put__stays_conditional_once_that_worked)
{
    struct s3_fixture f;

    s3_fixture_init(&f);
    assert_ok(store_put(f.store, AT, span_str("rows"), &f.e), &f.e);
    s3_fail(&f, &(struct fake_s3_fault){.status = 400, .code = "InvalidRequest"});
    assert_err(store_put(f.store, "s3://lake/t/y", span_str("rows"), &f.e), ERR_IO, &f.e);
    s3_fail(&f, &(struct fake_s3_fault){.status = 501, .code = "NotImplemented"});
    assert_err(store_put(f.store, "s3://lake/t/y", span_str("rows"), &f.e), ERR_IO, &f.e);
    assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 3);
    s3_fixture_deinit(&f);
}

TEST(test_s3_put__says_once_that_writes_are_not_conditional)
{
    struct s3_fixture f;
    struct log log;
    int out[2];
    char text[2048] = "";

    s3_fixture_prepare(&f);
    assert_int_equal(pipe(out), 0);
    log_init(&log, out[1], LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    f.options.log = &log;
    s3_fixture_open(&f);
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.conditional_status = 501,
                                                        .conditional_code = "NotImplemented"});
    assert_ok(store_put(f.store, AT, span_str("rows"), &f.e), &f.e);
    assert_ok(store_put(f.store, "s3://lake/y", span_str("rows"), &f.e), &f.e);
    (void)close(out[1]);
    assert_true(read(out[0], text, sizeof text - 1) > 0);
    const char *first = strstr(text, "warn s3.no_conditional_writes endpoint=http://127.0.0.1");

    assert_non_null(first);
    assert_null(strstr(first + 20, "no_conditional_writes"));
    (void)close(out[0]);
    log_deinit(&log);
    s3_fixture_deinit(&f);
}

struct writer {
    pthread_t thread;
    struct store *store;
    unsigned won;
};

static void *write_all(void *arg)
{
    struct writer *w = arg;

    for (int i = 0; i < 20; i++) {
        char location[64];

        (void)snprintf(location, sizeof location, "s3://lake/t/%d", i);
        w->won += store_put(w->store, location, span_str("rows"), NULL) == ERR_OK ? 1 : 0;
    }
    return NULL;
}

/* Each name is won once, by whoever. */
TEST(test_s3_put__may_be_called_by_several_threads)
{
    struct s3_fixture f;
    struct writer writers[4] = {0};
    unsigned won = 0;

    s3_fixture_init(&f);
    for (size_t i = 0; i < 4; i++) {
        writers[i].store = f.store;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_all, &writers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        won += writers[i].won;
    }
    assert_int_equal(won, 20);
    assert_int_equal(fake_s3_count(f.server), 20);
    s3_fixture_deinit(&f);
}

TEST(test_s3_put__writes_several_side_by_side)
{
    char names[19][32];
    struct store_object objects[19];
    struct s3_fixture f;

    s3_fixture_init(&f);
    for (unsigned i = 0; i < 19; i++) {
        (void)snprintf(names[i], sizeof names[i], "s3://lake/t/many-%u", i);
        objects[i] = (struct store_object){names[i], span_str(names[i])};
    }
    assert_ok(store_put_many(f.store, objects, 19, &f.e), &f.e);
    assert_int_equal(fake_s3_requests(f.server, "PUT", NULL), 19);
    for (unsigned i = 0; i < 19; i++) {
        struct buf out = {0};

        assert_ok(store_get(f.store, names[i], &out, &f.e), &f.e);
        assert_true(span_eq_str(buf_span(&out), names[i]));
        buf_deinit(&out);
    }
    assert_ok(store_put_many(f.store, objects, 0, &f.e), &f.e);
    assert_ok(store_remove(f.store, names[0], &f.e), &f.e);
    assert_err(store_put_many(f.store, objects, 3, &f.e), ERR_EXISTS, &f.e);
    assert_non_null(strstr(f.e.msg, "writing s3://lake/t/many-1"));
    s3_fixture_deinit(&f);
}

TEST_MAIN(test_case(test_s3_put__writes_several_side_by_side),
          test_case(test_s3_put__makes_an_object_once),
          test_case(test_s3_put__asks_at_the_end_whether_it_was_done),
          test_case(test_s3_put__says_when_it_could_not_ask),
          test_case(test_s3_put__works_without_conditional_writes),
          test_case(test_s3_put__stays_conditional_once_that_worked),
          test_case(test_s3_put__says_once_that_writes_are_not_conditional),
          test_case(test_s3_put__may_be_called_by_several_threads))
