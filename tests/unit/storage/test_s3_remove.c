#include "s3_fixture.h"

#define MANY 2345u

/* "s3://lake/t/<i>" each. */
static char **make_objects(struct s3_fixture *f, unsigned count)
{
    char **locations = calloc(count, sizeof *locations);

    assert_non_null(locations);
    for (unsigned i = 0; i < count; i++) {
        locations[i] = str_format("s3://lake/t/%u", i);
        assert_non_null(locations[i]);
        fake_s3_put(f->server, locations[i] + strlen("s3://"), span_str("x"));
    }
    return locations;
}

static void free_all(char **locations, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        free(locations[i]);
    }
    free(locations);
}

static enum err_code remove_all(struct s3_fixture *f, char **locations, unsigned count,
                                bool *removed)
{
    return store_remove_many(f->store, (const char *const *)locations, count, removed, &f->e);
}

TEST(test_s3_remove__removes_a_thousand_by_one_request)
{
    struct s3_fixture f;

    s3_fixture_init(&f);
    char **locations = make_objects(&f, MANY);
    bool removed[MANY] = {0};

    assert_ok(remove_all(&f, locations, MANY, removed), &f.e);
    assert_int_equal(fake_s3_count(f.server), 0);
    assert_int_equal(fake_s3_requests(f.server, "POST", "/lake?delete="), 3);
    assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 3);
    for (unsigned i = 0; i < MANY; i++) {
        assert_true(removed[i]);
    }
    /* What is not there is fine, and so is nothing. */
    assert_ok(remove_all(&f, locations, MANY, NULL), &f.e);
    assert_ok(remove_all(&f, locations, 0, NULL), &f.e);
    free_all(locations, MANY);
    s3_fixture_deinit(&f);
}

TEST(test_s3_remove__removes_keys_of_all_kinds)
{
    static const char *const locations[] = {"s3://lake/a b+c%41&<>\"'",
                                            "s3a://lake/gr\xc3\xbc",
                                            "s3://lake//a/../b//",
                                            "s3://lake/line\nbreak",
                                            "s3://other/a",
                                            "s3://other/b",
                                            "s3://lake/last"};
    struct s3_fixture f;

    s3_fixture_init(&f);
    for (size_t i = 0; i < sizeof locations / sizeof locations[0]; i++) {
        fake_s3_put(f.server, strstr(locations[i], "://") + 3, span_str("x"));
    }
    fake_s3_put(f.server, "lake/stays", span_str("x"));
    assert_ok(
        store_remove_many(f.store, locations, sizeof locations / sizeof locations[0], NULL, &f.e),
        &f.e);
    assert_int_equal(fake_s3_count(f.server), 1);
    /* Neighbours in a bucket go together; a control character cannot be written in XML. */
    assert_int_equal(fake_s3_requests(f.server, "POST", NULL), 2);
    assert_int_equal(fake_s3_requests(f.server, "DELETE", NULL), 2);
    s3_fixture_deinit(&f);
}

/* Failures of single keys inside a 200: each is tried alone, and only what fails then stays. */
TEST(test_s3_remove__tries_again_what_a_batch_left)
{
    struct s3_fixture f;

    s3_fixture_init(&f);
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.batch_fails = "7"});
    s3_fail(&f, &(struct fake_s3_fault){
                    .method = "DELETE", .part = "/t/17", .status = 403, .code = "AccessDenied"});
    s3_fail(&f, &(struct fake_s3_fault){
                    .method = "DELETE", .part = "/t/70", .status = 403, .code = "AccessDenied"});
    char **locations = make_objects(&f, 80);
    bool removed[80];

    assert_err(remove_all(&f, locations, 80, removed), ERR_CONFIG, &f.e);
    assert_true(str_starts_with(f.e.msg, "removing s3://lake/t/17: DeleteObject s3://lake/t/17"));
    assert_int_equal(fake_s3_count(f.server), 2);
    assert_int_equal(fake_s3_requests(f.server, "DELETE", NULL), 17);
    for (unsigned i = 0; i < 80; i++) {
        assert_int_equal(removed[i], i != 17 && i != 70);
    }
    assert_ok(remove_all(&f, locations, 80, removed), &f.e);
    assert_int_equal(fake_s3_count(f.server), 0);
    free_all(locations, 80);
    s3_fixture_deinit(&f);
}

TEST(test_s3_remove__manages_without_batches)
{
    static const struct fake_s3_fault faults[] = {
        {.method = "POST", .status = 501, .code = "NotImplemented"},
        {.method = "POST", .status = 405, .code = "MethodNotAllowed"},
        {.method = "POST", .status = 400, .code = "MalformedXML"},
        /* Which key that is about cannot be told. */
        {.method = "POST",
         .status = 200,
         .body = "<DeleteResult><Error><Key>t/unknown</Key></Error></DeleteResult>"},
    };

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct s3_fixture f;

        s3_fixture_init(&f);
        s3_fail(&f, &faults[i]);
        char **locations = make_objects(&f, 20);
        bool removed[20];

        assert_ok(remove_all(&f, locations, 20, removed), &f.e);
        assert_int_equal(fake_s3_count(f.server), 0);
        assert_int_equal(fake_s3_requests(f.server, "DELETE", NULL), 20);
        assert_true(removed[0] && removed[19]);
        free_all(locations, 20);
        s3_fixture_deinit(&f);
    }
}

/* A batch that fails as a whole: the next one is tried all the same. */
TEST(test_s3_remove__goes_on_after_a_failure)
{
    static const struct {
        struct fake_s3_fault fault;
        enum err_code code;
    } cases[] = {
        {{.method = "POST", .status = 403, .code = "AccessDenied"}, ERR_CONFIG},
        {{.method = "POST", .status = 404, .code = "NoSuchBucket"}, ERR_CONFIG},
        {{.method = "POST", .status = 200, .body = "<html/>"}, ERR_CORRUPT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct s3_fixture f;

        s3_fixture_init(&f);
        s3_fail(&f, &cases[i].fault);
        char **locations = make_objects(&f, 1500);
        bool removed[1500];

        assert_err(remove_all(&f, locations, 1500, removed), cases[i].code, &f.e);
        assert_true(str_starts_with(f.e.msg, "removing s3://lake/t/0: "));
        assert_int_equal(fake_s3_count(f.server), 1000);
        assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 2);
        assert_true(!removed[0] && !removed[999] && removed[1000] && removed[1499]);
        free_all(locations, 1500);
        s3_fixture_deinit(&f);
    }
}

TEST(test_s3_remove__tries_again_when_the_network_fails)
{
    static const struct fake_s3_fault faults[] = {
        {.fault = FAKE_HTTP_RESET},
        {.fault = FAKE_HTTP_RESET, .done = true},
        {.status = 503, .code = "SlowDown"},
        {.status = 500, .code = "InternalError", .done = true},
        {.status = 200, .code = "InternalError"},
    };

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct s3_fixture f;

        s3_fixture_init(&f);
        char **locations = make_objects(&f, 10);

        s3_fail(&f, &faults[i]);
        assert_ok(remove_all(&f, locations, 9, NULL), &f.e);
        s3_fail(&f, &faults[i]);
        assert_ok(store_remove(f.store, locations[9], &f.e), &f.e);
        assert_int_equal(fake_s3_count(f.server), 0);
        free_all(locations, 10);
        s3_fixture_deinit(&f);
    }
}

TEST(test_s3_remove__takes_a_missing_bucket_for_an_error)
{
    struct s3_fixture f;
    static const char *const locations[] = {"s3://none/a", "s3://none/b"};

    s3_fixture_init(&f);
    assert_err(store_remove(f.store, "s3://none/a", &f.e), ERR_CONFIG, &f.e);
    assert_err(store_remove_many(f.store, locations, 2, NULL, &f.e), ERR_CONFIG, &f.e);
    assert_int_equal(fake_s3_requests(f.server, NULL, NULL), 2);
    s3_fixture_deinit(&f);
}

TEST(test_s3_remove__survives_lack_of_memory)
{
    static const char *const locations[] = {"s3://lake/a", "s3://lake/b"};
    struct s3_fixture f;
    unsigned failures = 0;

    s3_fixture_init(&f);
    fake_s3_set_rules(f.server, &(struct fake_s3_rules){.batch_fails = "b"});
    TORTURE(run)
    {
        bool removed[2];
        enum err_code rc = store_remove_many(f.store, locations, 2, removed, &f.e);

        failures += rc == ERR_OK ? 0 : 1;
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        assert_true(rc != ERR_OK || (removed[0] && removed[1]));
    }
    assert_true(failures > 10);
    s3_fixture_deinit(&f);
}

TEST_MAIN(test_case(test_s3_remove__removes_a_thousand_by_one_request),
          test_case(test_s3_remove__removes_keys_of_all_kinds),
          test_case(test_s3_remove__tries_again_what_a_batch_left),
          test_case(test_s3_remove__manages_without_batches),
          test_case(test_s3_remove__goes_on_after_a_failure),
          test_case(test_s3_remove__tries_again_when_the_network_fails),
          test_case(test_s3_remove__takes_a_missing_bucket_for_an_error),
          test_case(test_s3_remove__survives_lack_of_memory))
