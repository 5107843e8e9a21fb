/* test_rest_commit.c - commits to a REST catalog: whatever becomes of a request, each is there
 * exactly once, and no file that the table names is missing. */
#include <pthread.h>

#include "rest_fixture.h"
#include "table_walk.h"

#define ORDINAL "calve.ordinal"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RANDOM_COMMITS 100
#endif
#endif
#ifndef RANDOM_COMMITS
#define RANDOM_COMMITS 300
#endif

/* One writer of numbered commits, each with one file and its number as a table property. */
struct writer {
    struct rest_fixture x;
    char path[96];
    char number[24];
    char expected[24];
    struct iceberg_data_file file;
    struct iceberg_data_file *added[1];
    struct iceberg_property property;
    struct catalog_change change;
    unsigned checks;
    int cancel_after; /* polls; -1: never */
    struct catalog_commit_result result;
    struct err e;
};

static enum commit_verdict check_ordinal(void *ctx, const struct iceberg_metadata *current,
                                         struct err *e)
{
    struct writer *w = ctx;
    const char *there = iceberg_metadata_property(current, ORDINAL);

    w->checks++;
    if (there != NULL && strcmp(there, w->number) == 0) {
        return COMMIT_ALREADY_DONE;
    }
    if (strcmp(there == NULL ? "0" : there, w->expected) != 0) {
        (void)err_set(e, ERR_FENCED, "another process writes this");
        return COMMIT_REFUSE;
    }
    return COMMIT_PROCEED;
}

static bool is_cancelled(void *ctx)
{
    struct writer *w = ctx;

    w->cancel_after -= w->cancel_after > 0;
    return w->cancel_after == 0;
}

static void writer_init(struct writer *w)
{
    memset(w, 0, sizeof *w);
    rest_fixture_init(&w->x);
    fake_rest_set_config(&w->x.fake, "{\"idempotency-key-lifetime\":\"PT30M\"}");
    rest_fixture_open(&w->x);
    w->cancel_after = -1;
    assert_ok(lake_create(w->x.catalog, lake_orders, LAKE_LOCATION, &w->e), &w->e);
    w->x.fake.key_count = 0;
}

static void writer_deinit(struct writer *w)
{
    rest_fixture_deinit(&w->x);
}

/* The change number n after number `after`; its data file is in the store. */
static struct catalog_change *numbered(struct writer *w, unsigned n, unsigned after)
{
    (void)snprintf(w->path, sizeof w->path, LAKE_LOCATION "/data/%u", n);
    (void)snprintf(w->number, sizeof w->number, "%u", n);
    (void)snprintf(w->expected, sizeof w->expected, "%u", after);
    if (!fake_store_has(w->x.store, w->path)) {
        assert_true(fake_store_set(w->x.store, w->path, span_str("0123456789")));
    }
    w->file = (struct iceberg_data_file){.path = w->path, .record_count = 1, .file_bytes = 10};
    w->added[0] = &w->file;
    w->property = (struct iceberg_property){ORDINAL, w->number};
    w->change = (struct catalog_change){
        .change = {.added = w->added,
                   .added_count = 1,
                   .summary = &w->property,
                   .summary_count = 1,
                   .properties = &w->property,
                   .property_count = 1,
                   .retention = {.keep_count = 10}},
        .check = check_ordinal,
        .check_ctx = w,
        .cancelled = is_cancelled,
        .cancelled_ctx = w,
    };
    return &w->change;
}

static enum err_code commit(struct writer *w, unsigned n, unsigned after)
{
    w->e = (struct err){0};
    w->result = (struct catalog_commit_result){0};
    enum err_code rc =
        catalog_commit(w->x.catalog, lake_orders, numbered(w, n, after), &w->result, &w->e);

    fake_rest_sync(&w->x.fake);
    return rc;
}

/* The live files in order, without their common start. */
static void assert_files(struct writer *w, const char *want)
{
    struct catalog_table table;
    struct iceberg_data_file **files;
    uint32_t count;
    char text[1024] = "";

    assert_ok(catalog_load(w->x.catalog, lake_orders, &table, &w->e), &w->e);
    assert_ok(catalog_data_files(w->x.catalog, &table, &files, &count, &w->e), &w->e);
    for (uint32_t i = count; i > 0; i--) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), " %s",
                       files[i - 1]->path + strlen(LAKE_LOCATION "/data/"));
        iceberg_data_file_free(files[i - 1]);
    }
    free(files);
    catalog_table_deinit(&table);
    assert_string_equal(text, want);
}

static void assert_clean(struct writer *w, unsigned strays_allowed)
{
    assert_tidy(w->x.store, w->x.fake.tables[0].location, strays_allowed);
}

/* How many of the table's snapshots are of this change. */
static unsigned snapshots_of(const struct writer *w, const char *number)
{
    const json_t *list = json_object_get(w->x.fake.tables[0].metadata, "snapshots");
    unsigned count = 0;
    size_t i;
    json_t *s;

    json_array_foreach(list, i, s)
    {
        count += strcmp(rest_text_of(json_object_get(s, "summary"), ORDINAL), number) == 0 ? 1 : 0;
    }
    return count;
}

TEST(test_rest_commit__makes_one_snapshot)
{
    struct writer w;
    struct catalog_table table;

    writer_init(&w);
    for (unsigned n = 1; n <= 3; n++) {
        assert_ok(commit(&w, n, n - 1), &w.e);
        assert_false(w.result.already_done);
        assert_int_equal(w.result.attempts, 1);
        assert_ok(catalog_load(w.x.catalog, lake_orders, &table, &w.e), &w.e);
        assert_i64_eq(w.result.snapshot_id, iceberg_metadata_snapshot_id(table.metadata));
        assert_int_equal(iceberg_metadata_snapshot_count(table.metadata), n);
        catalog_table_deinit(&table);
    }
    assert_string_equal(w.x.fake.method, "GET");
    assert_int_equal(w.x.fake.requests[FAKE_REST_COMMIT], 3);
    assert_files(&w, " 1 2 3");
    assert_clean(&w, 0);
    assert_i64_eq(w.x.time.slept_us, 0);
    writer_deinit(&w);
}

/* The server keeps three metadata files, although it could keep one less, and we leave them to it.
 */
TEST(test_rest_commit__expires_snapshots_and_leaves_metadata_to_the_server)
{
    struct writer w;

    writer_init(&w);
    json_object_set_new(json_object_get(w.x.fake.tables[0].metadata, "properties"),
                        "write.metadata.previous-versions-max", json_string("2"));
    for (unsigned n = 1; n <= 30; n++) {
        fake_clock_advance(&w.x.time, 1000000);
        assert_ok(commit(&w, n, n - 1), &w.e);
        assert_clean(&w, 0);
    }
    assert_int_equal(json_array_size(json_object_get(w.x.fake.tables[0].metadata, "snapshots")),
                     10);
    assert_int_equal(w.x.fake.requests[FAKE_REST_COMMIT], 30);
    writer_deinit(&w);
}

TEST(test_rest_commit__does_nothing_when_it_is_done_or_refused)
{
    struct writer w;

    writer_init(&w);
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_true(w.result.already_done);
    assert_err(commit(&w, 3, 2), ERR_FENCED, &w.e);
    assert_int_equal(w.x.fake.requests[FAKE_REST_COMMIT], 1);
    assert_files(&w, " 1");
    writer_deinit(&w);
}

/* What one request meets, and what then is in the table. */
TEST(test_rest_commit__is_there_once_whatever_happens)
{
    static const struct {
        struct fake_rest_plan plan;
        unsigned requests;
        const char *files;
        unsigned applied;
    } rows[] = {
        {{FAKE_REST_CONFLICT, 0, NULL, NULL}, 2, " other-1 1", 1},
        {{FAKE_REST_TOUCH, 0, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_BRANCH, 0, NULL, NULL}, 2, " 1", 1},
        {{FAKE_REST_LOST, 0, NULL, NULL}, 2, " 1", 1},
        {{FAKE_REST_LOST_DONE, 0, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_LOST_LATE, 0, NULL, NULL}, 2, " 1", 1},
        {{FAKE_REST_LOST_PASSED, 0, NULL, NULL}, 2, " other-1 1", 1},
        {{FAKE_REST_LOST_TOUCHED, 0, NULL, NULL}, 2, " 1", 1},
        {{FAKE_REST_LOST_BRANCHED, 0, NULL, NULL}, 3, " 1", 1},
        {{FAKE_REST_CUT, 0, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_TWICE, 0, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_REFUSE, 500, NULL, NULL}, 2, " 1", 1},
        {{FAKE_REST_REFUSE, 502, NULL, NULL}, 2, " 1", 1},
        {{FAKE_REST_REFUSE, 503, NULL, NULL}, 2, " 1", 1},
        {{FAKE_REST_REFUSE, 504, NULL, NULL}, 2, " 1", 1},
        {{FAKE_REST_REFUSE, 408, NULL, NULL}, 2, " 1", 1},
        {{FAKE_REST_REFUSE_DONE, 500, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_REFUSE_DONE, 502, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_REFUSE_DONE, 503, "Retry-After: 7\r\n", NULL}, 1, " 1", 1},
        {{FAKE_REST_REFUSE_DONE, 504, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_REFUSE, 429, "Retry-After: 7\r\n", NULL}, 2, " 1", 1},
        {{FAKE_REST_REFUSE, 409, NULL, NULL}, 2, " 1", 1},
        /* A gateway that sent it twice, or a server that changed its mind. */
        {{FAKE_REST_REFUSE_DONE, 409, NULL, NULL}, 1, " 1", 1},
        /* And what stands in front of the server. */
        {{FAKE_REST_REFUSE_DONE, 307, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_REFUSE_DONE, 400, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_REFUSE_DONE, 401, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_REFUSE_DONE, 403, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_REFUSE_DONE, 404, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_REFUSE_DONE, 413, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_REFUSE_DONE, 422, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_REFUSE_DONE, 501, NULL, NULL}, 1, " 1", 1},
        {{FAKE_REST_BODY_DONE, 403, NULL, "<html>Blocked</html>"}, 1, " 1", 1},
        {{FAKE_REST_BODY, 200, NULL, "<html>Log in</html>"}, 2, " 1", 1},
        {{FAKE_REST_BODY_DONE, 200, NULL, "<html>Log in</html>"}, 1, " 1", 1},
        {{FAKE_REST_BODY_DONE, 204, NULL, ""}, 1, " 1", 1},
        {{FAKE_REST_BODY, 200, NULL, "{}"}, 2, " 1", 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct writer w;

        writer_init(&w);
        FAKE_REST_PLAN(&w.x.fake, FAKE_REST_COMMIT, rows[i].plan);
        enum err_code rc = commit(&w, 1, 0);

        if (rc != ERR_OK || w.x.fake.requests[FAKE_REST_COMMIT] != rows[i].requests ||
            w.x.fake.applied != rows[i].applied) {
            fail_msg("row %zu: %s: %s; %u requests, %u applied", i, err_code_name(rc), w.e.msg,
                     w.x.fake.requests[FAKE_REST_COMMIT], w.x.fake.applied);
        }
        assert_int_equal(snapshots_of(&w, "1"), 1);
        assert_files(&w, rows[i].files);
        /* A branch's manifests and files are named by it alone, which the walk follows, too. */
        assert_clean(&w, 0);
        if (rows[i].plan.headers != NULL) {
            assert_true(w.x.time.slept_us >= 7000000);
        }
        writer_deinit(&w);
    }
}

/* A refusal that cannot be looked after: what the attempt wrote may be what the table names. */
TEST(test_rest_commit__removes_nothing_while_it_cannot_look)
{
    struct writer w;

    writer_init(&w);
    FAKE_REST_PLAN(&w.x.fake, FAKE_REST_COMMIT, {FAKE_REST_REFUSE_DONE, 403, NULL, NULL});
    FAKE_REST_PLAN(&w.x.fake, FAKE_REST_LOAD, {FAKE_REST_ANSWER, 0, NULL, NULL},
                   {FAKE_REST_REFUSE, 403, NULL, NULL});
    assert_err(commit(&w, 1, 0), ERR_CONFIG, &w.e);
    assert_says(&w.e, "answered 403");
    assert_says(&w.e, "not known");
    assert_u64_eq(fake_store_calls(w.x.store, FAKE_STORE_REMOVE), 0);
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_true(w.result.already_done);
    assert_files(&w, " 1");
    assert_clean(&w, 0);
    writer_deinit(&w);
}

/* A final answer comes again for each request with its key. */
TEST(test_rest_commit__takes_another_key_after_a_refusal)
{
    struct writer w;

    writer_init(&w);
    FAKE_REST_PLAN(&w.x.fake, FAKE_REST_COMMIT, {FAKE_REST_REFUSE, 409, NULL, NULL},
                   {FAKE_REST_LOST, 0, NULL, NULL});
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_int_equal(w.x.fake.key_count, 3);
    assert_string_not_equal(w.x.fake.keys[0], w.x.fake.keys[1]);
    assert_string_equal(w.x.fake.keys[1], w.x.fake.keys[2]);
    writer_deinit(&w);
}

TEST(test_rest_commit__does_not_wait_for_ever)
{
    static const struct {
        enum fake_rest_turn turn;
        unsigned requests;
        int64_t stall_us;
        int64_t attempt_us;
    } rows[] = {{FAKE_REST_STALL, 2, 200000, 0}, {FAKE_REST_STALL_DONE, 1, 0, 200000}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct writer w;
        struct http_client *impatient;

        writer_init(&w);
        assert_ok(
            http_client_new(&(struct http_client_options){.stall_timeout_us = rows[i].stall_us},
                            &impatient, &w.e),
            &w.e);
        catalog_free(w.x.catalog);
        w.x.options.http = impatient;
        w.x.options.attempt_us = rows[i].attempt_us;
        rest_fixture_open(&w.x);
        FAKE_REST_PLAN(&w.x.fake, FAKE_REST_COMMIT, {rows[i].turn, 0, NULL, NULL});
        assert_ok(commit(&w, 1, 0), &w.e);
        assert_int_equal(w.x.fake.requests[FAKE_REST_COMMIT], rows[i].requests);
        assert_int_equal(w.x.fake.applied, 1);
        assert_log(&w.x, "error=unknown", true);
        assert_clean(&w, 0);
        catalog_free(w.x.catalog);
        w.x.catalog = NULL;
        http_client_free(impatient);
        writer_deinit(&w);
    }
}

TEST(test_rest_commit__fails_at_once_when_it_cannot_pass)
{
    static const struct {
        struct fake_rest_plan plan;
        enum err_code code;
        const char *says;
    } rows[] = {
        {{FAKE_REST_REFUSE, 400, NULL, NULL}, ERR_UNSUPPORTED, "as the test says"},
        {{FAKE_REST_REFUSE, 401, NULL, NULL}, ERR_CONFIG, "rest.token"},
        {{FAKE_REST_REFUSE, 403, NULL, NULL}, ERR_CONFIG, "grant"},
        {{FAKE_REST_REFUSE, 404, NULL, NULL}, ERR_NOT_FOUND, "404"},
        {{FAKE_REST_REFUSE, 406, NULL, NULL}, ERR_UNSUPPORTED, "406"},
        {{FAKE_REST_REFUSE, 422, NULL, NULL}, ERR_UNSUPPORTED, "422"},
        {{FAKE_REST_BODY, 403, NULL, "<html><h1>Forbidden</h1></html>"}, ERR_CONFIG, "Forbidden"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct writer w;

        writer_init(&w);
        FAKE_REST_PLAN(&w.x.fake, FAKE_REST_COMMIT, rows[i].plan);
        assert_err(commit(&w, 1, 0), rows[i].code, &w.e);
        assert_says(&w.e, rows[i].says);
        assert_says(&w.e, "committing to shop.orders");
        assert_int_equal(w.x.fake.applied, 0);
        assert_files(&w, "");
        /* The file of change 1 is its caller's. */
        assert_clean(&w, 1);
        assert_i64_eq(w.x.time.slept_us, 0);
        writer_deinit(&w);
    }
}

TEST(test_rest_commit__keeps_the_key_of_an_attempt)
{
    struct writer w;

    writer_init(&w);
    FAKE_REST_PLAN(&w.x.fake, FAKE_REST_COMMIT, {FAKE_REST_REFUSE, 500, NULL, NULL},
                   {FAKE_REST_CONFLICT, 0, NULL, NULL});
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_int_equal(w.x.fake.key_count, 3);
    assert_int_equal(strlen(w.x.fake.keys[0]), 36);
    assert_int_equal(w.x.fake.keys[0][14], '7');
    /* 1700000000000 ms */
    assert_memory_equal(w.x.fake.keys[0], "018bcfe5-68", 11);
    /* The same request has the same key; on another base it is another request. */
    assert_string_equal(w.x.fake.keys[0], w.x.fake.keys[1]);
    assert_string_not_equal(w.x.fake.keys[1], w.x.fake.keys[2]);
    writer_deinit(&w);
}

TEST(test_rest_commit__sends_no_key_that_the_server_forgot)
{
    struct writer w;

    writer_init(&w);
    /* The server is away for longer than keys live. */
    FAKE_REST_PLAN(&w.x.fake, FAKE_REST_COMMIT,
                   {FAKE_REST_REFUSE, 503, "Retry-After: 119\r\n", NULL},
                   {FAKE_REST_REFUSE, 503, "Retry-After: 119\r\n", NULL});
    fake_rest_set_config(&w.x.fake, "{\"idempotency-key-lifetime\":\"PT2M\"}");
    catalog_free(w.x.catalog);
    rest_fixture_open(&w.x);
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_int_equal(w.x.fake.key_count, 3);
    assert_string_equal(w.x.fake.keys[0], w.x.fake.keys[1]);
    assert_string_not_equal(w.x.fake.keys[1], w.x.fake.keys[2]);
    catalog_free(w.x.catalog);
    /* A server without keys gets none. */
    fake_rest_set_config(&w.x.fake, "{}");
    rest_fixture_open(&w.x);
    assert_ok(commit(&w, 2, 1), &w.e);
    assert_string_equal(w.x.fake.key, "");
    writer_deinit(&w);
}

TEST(test_rest_commit__renews_its_token_on_the_way)
{
    struct writer w;

    writer_init(&w);
    catalog_free(w.x.catalog);
    w.x.fake.client = "id:secret";
    w.x.fake.want_authorization = "token";
    w.x.fake.token_life_s = 60;
    w.x.options.credential = "id:secret";
    rest_fixture_open(&w.x);
    FAKE_REST_PLAN(&w.x.fake, FAKE_REST_COMMIT, {FAKE_REST_REVOKE, 0, NULL, NULL});
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_int_equal(w.result.attempts, 1);
    assert_int_equal(w.x.fake.requests[FAKE_REST_TOKEN], 2);
    fake_clock_advance(&w.x.time, INT64_C(55) * 1000000);
    assert_ok(commit(&w, 2, 1), &w.e);
    assert_int_equal(w.x.fake.requests[FAKE_REST_TOKEN], 3);
    /* The token server is away, after the table was loaded: nothing was sent. */
    FAKE_REST_PLAN(&w.x.fake, FAKE_REST_COMMIT, {FAKE_REST_REVOKE, 0, NULL, NULL});
    FAKE_REST_PLAN(&w.x.fake, FAKE_REST_TOKEN, {FAKE_REST_REFUSE, 403, NULL, NULL});
    assert_err(commit(&w, 3, 2), ERR_CONFIG, &w.e);
    assert_says(&w.e, "getting a token");
    assert_null(strstr(w.e.msg, "not known"));
    assert_files(&w, " 1 2");
    assert_clean(&w, 1);
    writer_deinit(&w);
}

TEST(test_rest_commit__waits_for_a_server_that_is_not_there)
{
    struct writer w;
    char was[64];

    writer_init(&w);
    (void)snprintf(was, sizeof was, "%s", fake_http_url(w.x.fake.server));
    /* The deadline of a request passes many times before we are asked to stop. */
    catalog_free(w.x.catalog);
    w.x.options.deadline_us = 2000000;
    rest_fixture_open(&w.x);
    fake_http_free(w.x.fake.server);
    w.x.fake.server = NULL;
    w.cancel_after = 2000;
    assert_err(commit(&w, 1, 0), ERR_CANCELLED, &w.e);
    assert_says(&w.e, was + strlen("http://"));
    assert_null(strstr(w.e.msg, "not known"));
    assert_log(&w.x, "error=io", true);
    writer_deinit(&w);
}

TEST(test_rest_commit__leaves_everything_when_cancelled_without_an_answer)
{
    struct writer w;

    writer_init(&w);
    w.cancel_after = 2;
    FAKE_REST_PLAN(&w.x.fake, FAKE_REST_COMMIT, {FAKE_REST_LOST_LATE, 0, NULL, NULL});
    assert_err(commit(&w, 1, 0), ERR_CANCELLED, &w.e);
    assert_says(&w.e, "not known");
    assert_u64_eq(fake_store_calls(w.x.store, FAKE_STORE_REMOVE), 0);
    fake_rest_land(&w.x.fake);
    w.cancel_after = -1;
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_true(w.result.already_done);
    assert_files(&w, " 1");
    assert_clean(&w, 0);
    writer_deinit(&w);
}

/* A change of properties that comes late would take back a newer one, if it did not move main. */
TEST(test_rest_commit__gives_properties_a_snapshot)
{
    static const enum fake_rest_turn turns[] = {
        FAKE_REST_ANSWER,      FAKE_REST_LOST,     FAKE_REST_LOST_DONE,   FAKE_REST_LOST_LATE,
        FAKE_REST_LOST_PASSED, FAKE_REST_CONFLICT, FAKE_REST_LOST_TOUCHED};
    struct writer w;

    writer_init(&w);
    for (unsigned i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        struct catalog_change *change = numbered(&w, i + 1, i);

        FAKE_REST_PLAN(&w.x.fake, FAKE_REST_COMMIT, {turns[i], 0, NULL, NULL});
        assert_ok(store_remove(w.x.store, w.path, &w.e), &w.e);
        change->change.added_count = 0;
        change->check = NULL;
        assert_ok(catalog_commit(w.x.catalog, lake_orders, change, &w.result, &w.e), &w.e);
        assert_true(w.result.snapshot_id >= 0);
        assert_int_equal(snapshots_of(&w, w.number), 1);
        assert_string_equal(
            rest_text_of(json_object_get(w.x.fake.tables[0].metadata, "properties"), ORDINAL),
            w.number);
        assert_clean(&w, 0);
    }
    assert_int_equal(w.x.fake.applied, 7);
    writer_deinit(&w);
}

TEST(test_rest_commit__says_that_the_table_is_gone)
{
    struct writer w;

    writer_init(&w);
    assert_ok(catalog_drop(w.x.catalog, lake_orders, &w.e), &w.e);
    assert_err(commit(&w, 1, 0), ERR_NOT_FOUND, &w.e);
    writer_deinit(&w);
}

TEST(test_rest_commit__refuses_what_the_server_cannot_be_told)
{
    struct writer w;
    struct catalog_table table;
    struct iceberg_metadata *other;
    char *location;

    writer_init(&w);
    assert_ok(catalog_load(w.x.catalog, lake_orders, &table, &w.e), &w.e);
    json_t *document = json_deep_copy(w.x.fake.tables[0].metadata);

    json_object_set_new(document, "location", json_string("file:///moved"));
    assert_ok(iceberg_metadata_take_json(document, &other, &w.e), &w.e);
    assert_err(lake_swap(w.x.catalog, lake_orders, &table, other, &location, &w.e), ERR_UNSUPPORTED,
               &w.e);
    assert_says(&w.e, "'location'");
    assert_null(location);
    assert_int_equal(w.x.fake.requests[FAKE_REST_COMMIT], 0);
    iceberg_metadata_free(other);
    catalog_table_deinit(&table);
    writer_deinit(&w);
}

static enum err_code commit_twice(struct writer *w)
{
    ERR_TRY(commit(w, 1, 0));
    return commit(w, 2, 1);
}

TEST(test_rest_commit__survives_every_failed_allocation)
{
    static const enum fake_rest_turn turns[] = {FAKE_REST_ANSWER, FAKE_REST_LOST_DONE,
                                                FAKE_REST_CONFLICT};

    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        bool again = true;

        for (unsigned long nth = 1; again; nth += 3) {
            struct writer w;

            writer_init(&w);
            w.x.catalog->log = NULL;
            FAKE_REST_PLAN(&w.x.fake, FAKE_REST_COMMIT, {FAKE_REST_ANSWER, 0, NULL, NULL},
                           {turns[i], 0, NULL, NULL});
            (void)numbered(&w, 1, 0);
            (void)numbered(&w, 2, 1);
            torture_fail_at(nth);
            enum err_code rc = commit_twice(&w);

            again = torture_hit();
            torture_fail_at(0);
            if (rc != ERR_OK && rc != ERR_NOMEM) {
                fail_msg("allocation %lu: %s: %s", nth, err_code_name(rc), w.e.msg);
            }
            assert_true(snapshots_of(&w, "1") <= 1 && snapshots_of(&w, "2") <= 1);
            assert_true(rc != ERR_OK || snapshots_of(&w, "2") == 1);
            struct table_walk walk;

            walk_table(&walk, w.x.store, w.x.fake.tables[0].location);
            assert_int_equal(walk.missing, 0);
            walk_deinit(&walk);
            writer_deinit(&w);
        }
    }
}

/* Dice for every request; loads and tokens suffer as well. */
static struct fake_rest_plan random_turn(struct fake_rest *f, enum fake_rest_op op)
{
    static const int statuses[] = {429, 500, 502, 503, 504};
    struct fake_rest_plan plan = {FAKE_REST_ANSWER, 0, NULL, NULL};
    uint64_t dice = rand_below(&f->rand, 100);

    if (op == FAKE_REST_TOKEN) {
        if (dice < 20) {
            plan.turn = FAKE_REST_REFUSE;
        }
        return plan;
    }
    plan.status = statuses[rand_below(&f->rand, 5)];
    plan.headers = rand_below(&f->rand, 3) == 0 ? "Retry-After: 2\r\n" : NULL;
    plan.body = "<html>Service unavailable</html>";
    if (op == FAKE_REST_COMMIT && dice < 50) {
        plan.turn = (enum fake_rest_turn)rand_below(&f->rand, FAKE_REST_TURNS);
        if (plan.turn == FAKE_REST_REFUSE_DONE && plan.status == 429) {
            plan.status = 500; /* a 429 says that nothing was done */
        }
        if (plan.turn == FAKE_REST_BODY || plan.turn == FAKE_REST_BODY_DONE) {
            plan.status = 200;
        }
    } else if (op == FAKE_REST_LOAD && dice < 20) {
        static const enum fake_rest_turn turns[] = {FAKE_REST_REFUSE, FAKE_REST_LOST, FAKE_REST_CUT,
                                                    FAKE_REST_REVOKE};

        plan.turn = turns[dice % 4];
    }
    if (plan.turn == FAKE_REST_REVOKE && f->was_revoked) {
        plan.turn = FAKE_REST_ANSWER; /* a token that is new is good */
    }
    f->was_revoked = plan.turn == FAKE_REST_REVOKE;
    if (plan.turn == FAKE_REST_ANSWER) {
        plan.headers = NULL;
    }
    return plan;
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(struct iceberg_data_file *const *)a)->path,
                  (*(struct iceberg_data_file *const *)b)->path);
}

/* Each file of ours once, and each of the others' on main once. */
static void assert_each_once(struct writer *w, unsigned commits)
{
    struct catalog_table table;
    struct iceberg_data_file **files;
    uint32_t count;
    unsigned ours = 0;

    w->x.fake.decide = NULL;
    assert_ok(catalog_load(w->x.catalog, lake_orders, &table, &w->e), &w->e);
    assert_ok(catalog_data_files(w->x.catalog, &table, &files, &count, &w->e), &w->e);
    qsort(files, count, sizeof files[0], by_path);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(fake_store_has(w->x.store, files[i]->path));
        if (i > 0 && strcmp(files[i - 1]->path, files[i]->path) == 0) {
            fail_msg("%s is there twice", files[i]->path);
        }
        ours += strstr(files[i]->path, "/data/other-") == NULL ? 1 : 0;
    }
    assert_u64_eq(ours, commits);
    for (uint32_t i = 0; i < count; i++) {
        iceberg_data_file_free(files[i]);
    }
    free(files);
    catalog_table_deinit(&table);
}

TEST(test_rest_commit__every_change_is_there_exactly_once)
{
    struct writer w;
    unsigned properties_alone = 0;

    writer_init(&w);
    catalog_free(w.x.catalog);
    w.x.fake.client = "id:secret";
    w.x.fake.want_authorization = "token";
    w.x.fake.token_life_s = 30;
    w.x.options.credential = "id:secret";
    w.x.log.level = LOG_LEVEL_ERROR;
    rest_fixture_open(&w.x);
    w.x.fake.decide = random_turn;
    for (unsigned n = 1; n <= RANDOM_COMMITS; n++) {
        struct catalog_change *change = numbered(&w, n, n - 1);

        fake_clock_advance(&w.x.time, 1000000);
        if (n % 10 == 0) {
            change->change.added_count = 0;
            assert_ok(store_remove(w.x.store, w.path, &w.e), &w.e);
            properties_alone++;
        }
        w.e = (struct err){0};
        enum err_code rc = catalog_commit(w.x.catalog, lake_orders, change, &w.result, &w.e);

        if (rc != ERR_OK) {
            fail_msg("commit %u: %s: %s", n, err_code_name(rc), w.e.msg);
        }
        if (snapshots_of(&w, w.number) != 1) {
            fail_msg("commit %u has %u snapshots", n, snapshots_of(&w, w.number));
        }
        if (w.x.fake.applied != n) {
            fail_msg("commit %u took effect %u times", n, w.x.fake.applied - n + 1);
        }
        if (n % 50 == 0) {
            /* Also when nothing is on its way any more. */
            fake_rest_land(&w.x.fake);
            assert_int_equal(w.x.fake.applied, n);
            assert_clean(&w, 0);
        }
    }
    assert_true(w.x.fake.requests[FAKE_REST_COMMIT] > RANDOM_COMMITS * 5 / 4);
    assert_true(w.x.fake.others > RANDOM_COMMITS / 20);
    assert_each_once(&w, RANDOM_COMMITS - properties_alone);
    assert_no_complaint(&w.x.fake);
    writer_deinit(&w);
}

#define RACERS       2
#define RACE_COMMITS 40

struct racer {
    pthread_t thread;
    struct catalog *catalog;
    char name;
    unsigned done;
    struct err e;
};

static void *race(void *ctx)
{
    struct racer *r = ctx;

    for (unsigned n = 0; n < RACE_COMMITS; n++) {
        char path[96];
        struct iceberg_data_file file = {.path = path, .record_count = 1, .file_bytes = 10};
        struct iceberg_data_file *added = &file;
        struct catalog_change change = {
            .change = {.added = &added, .added_count = 1, .retention = {.keep_count = 1000}}};
        struct catalog_commit_result result;

        (void)snprintf(path, sizeof path, LAKE_LOCATION "/data/%c-%u", r->name, n);
        if (catalog_commit(r->catalog, lake_orders, &change, &result, &r->e) != ERR_OK) {
            break;
        }
        r->done++;
    }
    return NULL;
}

/* Two catalogs of one server, as two processes have: each commit is there once. */
TEST(test_rest_commit__two_writers_lose_nothing)
{
    struct writer w;
    struct racer racers[RACERS] = {{.name = 'a'}, {.name = 'b'}};

    writer_init(&w);
    for (int i = 0; i < RACERS; i++) {
        assert_ok(catalog_rest_open(&w.x.options, &racers[i].catalog, &w.e), &w.e);
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
        if (racers[i].done != RACE_COMMITS) {
            fail_msg("after %u commits: %s", racers[i].done, racers[i].e.msg);
        }
    }
    assert_int_equal(w.x.fake.applied, RACERS * RACE_COMMITS);
    for (unsigned n = 0; n < RACERS * RACE_COMMITS; n++) {
        char path[96];

        (void)snprintf(path, sizeof path, LAKE_LOCATION "/data/%c-%u", n % 2 == 0 ? 'a' : 'b',
                       n / 2);
        assert_true(fake_store_set(w.x.store, path, span_str("x")));
    }
    assert_each_once(&w, RACERS * RACE_COMMITS);
    assert_clean(&w, 0);
    for (int i = 0; i < RACERS; i++) {
        catalog_free(racers[i].catalog);
    }
    writer_deinit(&w);
}

TEST_MAIN(test_case(test_rest_commit__makes_one_snapshot),
          test_case(test_rest_commit__expires_snapshots_and_leaves_metadata_to_the_server),
          test_case(test_rest_commit__does_nothing_when_it_is_done_or_refused),
          test_case(test_rest_commit__is_there_once_whatever_happens),
          test_case(test_rest_commit__removes_nothing_while_it_cannot_look),
          test_case(test_rest_commit__takes_another_key_after_a_refusal),
          test_case(test_rest_commit__does_not_wait_for_ever),
          test_case(test_rest_commit__fails_at_once_when_it_cannot_pass),
          test_case(test_rest_commit__keeps_the_key_of_an_attempt),
          test_case(test_rest_commit__sends_no_key_that_the_server_forgot),
          test_case(test_rest_commit__renews_its_token_on_the_way),
          test_case(test_rest_commit__waits_for_a_server_that_is_not_there),
          test_case(test_rest_commit__leaves_everything_when_cancelled_without_an_answer),
          test_case(test_rest_commit__gives_properties_a_snapshot),
          test_case(test_rest_commit__says_that_the_table_is_gone),
          test_case(test_rest_commit__refuses_what_the_server_cannot_be_told),
          test_case(test_rest_commit__survives_every_failed_allocation),
          test_case(test_rest_commit__every_change_is_there_exactly_once),
          test_case(test_rest_commit__two_writers_lose_nothing))
