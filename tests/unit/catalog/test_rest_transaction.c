/* test_rest_transaction.c - commits to several tables of a REST catalog at once: whatever becomes
 * of a request, each table has its change exactly once, and no file that it names is missing. */
#include "rest_fixture.h"
#include "table_walk.h"

#define ORDINAL "calve.ordinal"
#define OFFERS                                                       \
    "{\"idempotency-key-lifetime\":\"PT30M\",\"endpoints\":["        \
    "\"GET /v1/{prefix}/namespaces/{namespace}/tables/{table}\","    \
    "\"POST /v1/{prefix}/namespaces/{namespace}/tables\","           \
    "\"POST /v1/{prefix}/namespaces/{namespace}/tables/{table}\","   \
    "\"DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}\"," \
    "\"POST /v1/{prefix}/transactions/commit\"]}"
#define TABLES 3u

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RANDOM_COMMITS 60
#endif
#endif
#ifndef RANDOM_COMMITS
#define RANDOM_COMMITS 200
#endif

/* One table's numbered changes, each with one file and its number as a table property. */
struct part {
    struct table_ident id;
    char location[64];
    char path[96];
    char number[24];
    char expected[24];
    struct iceberg_data_file file;
    struct iceberg_data_file *added[1];
    struct iceberg_property property;
    struct catalog_change change;
};

struct writer {
    struct rest_fixture x;
    struct part parts[TABLES];
    struct catalog_commit_item items[TABLES];
    int cancel_after; /* polls; -1: never */
    struct err e;
};

static const char *const names[TABLES] = {"orders", "lines", "notes"};

static enum commit_verdict check_ordinal(void *ctx, const struct iceberg_metadata *current,
                                         struct err *e)
{
    const struct part *p = ctx;
    const char *there = iceberg_metadata_property(current, ORDINAL);

    if (there != NULL && strcmp(there, p->number) == 0) {
        return COMMIT_ALREADY_DONE;
    }
    if (strcmp(there == NULL ? "0" : there, p->expected) != 0) {
        (void)err_set(e, ERR_FENCED, "another process writes %s", p->id.name);
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

static void writer_init(struct writer *w, const char *config)
{
    memset(w, 0, sizeof *w);
    rest_fixture_init(&w->x);
    fake_rest_set_config(&w->x.fake, config);
    rest_fixture_open(&w->x);
    w->cancel_after = -1;
    for (unsigned i = 0; i < TABLES; i++) {
        struct part *p = &w->parts[i];

        p->id = (struct table_ident){"shop", names[i]};
        (void)snprintf(p->location, sizeof p->location, "file:///lake/shop/%s", names[i]);
        assert_ok(lake_create(w->x.catalog, p->id, p->location, &w->e), &w->e);
    }
    w->x.fake.key_count = 0;
}

static void writer_deinit(struct writer *w)
{
    rest_fixture_deinit(&w->x);
}

static void number(struct writer *w, struct part *p, unsigned n, unsigned after)
{
    (void)snprintf(p->path, sizeof p->path, "%s/data/%u", p->location, n);
    (void)snprintf(p->number, sizeof p->number, "%u", n);
    (void)snprintf(p->expected, sizeof p->expected, "%u", after);
    if (!fake_store_has(w->x.store, p->path)) {
        assert_true(fake_store_set(w->x.store, p->path, span_str("0123456789")));
    }
    p->file = (struct iceberg_data_file){.path = p->path, .record_count = 1, .file_bytes = 10};
    p->added[0] = &p->file;
    p->property = (struct iceberg_property){ORDINAL, p->number};
    p->change = (struct catalog_change){
        .change = {.added = p->added,
                   .added_count = 1,
                   .summary = &p->property,
                   .summary_count = 1,
                   .properties = &p->property,
                   .property_count = 1,
                   .retention = {.keep_count = 10}},
        .check = check_ordinal,
        .check_ctx = p,
        .cancelled = is_cancelled,
        .cancelled_ctx = w,
    };
}

/* Number n, after n - 1, of all tables. */
static void number_all(struct writer *w, unsigned n)
{
    for (unsigned i = 0; i < TABLES; i++) {
        number(w, &w->parts[i], n, n - 1);
        w->items[i] =
            (struct catalog_commit_item){.id = w->parts[i].id, .change = &w->parts[i].change};
    }
}

static enum err_code send_all(struct writer *w)
{
    w->e = (struct err){0};
    enum err_code rc = catalog_commit_all(w->x.catalog, w->items, TABLES, &w->e);

    fake_rest_sync(&w->x.fake);
    return rc;
}

static enum err_code commit_all(struct writer *w, unsigned n)
{
    number_all(w, n);
    return send_all(w);
}

/* How many of a table's snapshots are of change n. */
static unsigned snapshots_of(const struct writer *w, unsigned table, unsigned n)
{
    const json_t *list = json_object_get(w->x.fake.tables[table].metadata, "snapshots");
    char want[24];
    unsigned count = 0;
    size_t i;
    json_t *s;

    (void)snprintf(want, sizeof want, "%u", n);
    json_array_foreach(list, i, s)
    {
        count += strcmp(rest_text_of(json_object_get(s, "summary"), ORDINAL), want) == 0 ? 1 : 0;
    }
    return count;
}

static void walk_all(struct table_walk *walk, struct writer *w)
{
    walk_table(walk, w->x.store, w->x.fake.tables[0].location);
    for (unsigned i = 1; i < TABLES; i++) {
        walk_on(walk, w->x.fake.tables[i].location);
    }
    if (walk->missing > 0) {
        fail_msg("%u files are missing, among them %s", walk->missing, walk->first_missing);
    }
}

/* All that is named is there, and nothing else. */
static void assert_clean(struct writer *w)
{
    struct table_walk walk;
    const char *first;

    walk_all(&walk, w);
    unsigned strays = walk_strays(&walk, &first);

    if (strays > 0) {
        fail_msg("%u files are stray, among them %s", strays, first);
    }
    walk_deinit(&walk);
}

TEST(test_rest_transaction__commits_all_by_one_request)
{
    struct writer w;

    writer_init(&w, OFFERS);
    for (unsigned n = 1; n <= 30; n++) {
        fake_clock_advance(&w.x.time, 1000000);
        assert_ok(commit_all(&w, n), &w.e);
        for (unsigned i = 0; i < TABLES; i++) {
            assert_true(w.items[i].committed && w.items[i].result.attempts == 1);
            assert_int_equal(snapshots_of(&w, i, n), 1);
        }
        assert_clean(&w);
    }
    assert_int_equal(w.x.fake.requests[FAKE_REST_TRANSACTION], 30);
    assert_int_equal(w.x.fake.requests[FAKE_REST_COMMIT], 0);
    assert_int_equal(w.x.fake.requests[FAKE_REST_LOAD], 30 * TABLES);
    assert_string_not_equal(w.x.fake.keys[0], "");
    assert_string_not_equal(w.x.fake.keys[0], w.x.fake.keys[1]);
    writer_deinit(&w);
}

TEST(test_rest_transaction__is_used_where_it_is_offered_and_needed)
{
    struct writer w;

    writer_init(&w, "{}"); /* a server without a list of endpoints */
    assert_ok(commit_all(&w, 1), &w.e);
    assert_int_equal(w.x.fake.requests[FAKE_REST_TRANSACTION], 0);
    assert_int_equal(w.x.fake.requests[FAKE_REST_COMMIT], TABLES);
    writer_deinit(&w);

    writer_init(&w, OFFERS); /* only one of the tables has something to do */
    assert_ok(commit_all(&w, 1), &w.e);
    number(&w, &w.parts[1], 2, 1);
    assert_ok(send_all(&w), &w.e);
    assert_true(w.items[0].committed && w.items[0].result.already_done);
    assert_false(w.items[1].result.already_done);
    assert_int_equal(w.x.fake.requests[FAKE_REST_TRANSACTION], 1);
    assert_int_equal(w.x.fake.requests[FAKE_REST_COMMIT], 1);
    assert_int_equal(snapshots_of(&w, 1, 2), 1);
    assert_clean(&w);
    writer_deinit(&w);
}

/* What the transaction meets, how many commits of single tables follow, and whether the next cut
 * tries a transaction again. */
TEST(test_rest_transaction__is_there_once_whatever_happens)
{
    static const struct {
        struct fake_rest_plan plan;
        unsigned commits;
        unsigned transactions; /* requests, with those of the next cut */
    } rows[] = {
        {{FAKE_REST_CONFLICT, 0, NULL, NULL}, 3, 2},
        {{FAKE_REST_TOUCH, 0, NULL, NULL}, 0, 2},
        {{FAKE_REST_BRANCH, 0, NULL, NULL}, 3, 2},
        {{FAKE_REST_LOST, 0, NULL, NULL}, 3, 2},
        {{FAKE_REST_LOST_DONE, 0, NULL, NULL}, 0, 2},
        {{FAKE_REST_LOST_LATE, 0, NULL, NULL}, 1, 2},
        {{FAKE_REST_LOST_PASSED, 0, NULL, NULL}, 3, 2},
        {{FAKE_REST_LOST_TOUCHED, 0, NULL, NULL}, 1, 2},
        {{FAKE_REST_LOST_BRANCHED, 0, NULL, NULL}, 4, 2},
        {{FAKE_REST_CUT, 0, NULL, NULL}, 0, 2}, /* a 204 has nothing that could be cut */
        {{FAKE_REST_TWICE, 0, NULL, NULL}, 0, 2},
        {{FAKE_REST_REFUSE, 500, NULL, NULL}, 3, 2},
        {{FAKE_REST_REFUSE, 503, NULL, NULL}, 3, 2},
        {{FAKE_REST_REFUSE_DONE, 502, NULL, NULL}, 0, 2},
        {{FAKE_REST_REFUSE_DONE, 503, "Retry-After: 7\r\n", NULL}, 0, 2},
        {{FAKE_REST_REFUSE, 429, "Retry-After: 7\r\n", NULL}, 0, 3},
        {{FAKE_REST_REFUSE, 409, NULL, NULL}, 3, 2},
        {{FAKE_REST_REFUSE_DONE, 409, NULL, NULL}, 0, 2},
        {{FAKE_REST_BODY, 200, NULL, "<html>Log in</html>"}, 3, 2},
        {{FAKE_REST_BODY_DONE, 200, NULL, "<html>Log in</html>"}, 0, 2},
        /* It lists what it does not do, or not for us. */
        {{FAKE_REST_REFUSE, 501, NULL, NULL}, 3, 1},
        {{FAKE_REST_REFUSE, 403, NULL, NULL}, 3, 1},
        {{FAKE_REST_REFUSE, 404, NULL, NULL}, 3, 1},
        {{FAKE_REST_REFUSE, 400, NULL, NULL}, 3, 1},
        {{FAKE_REST_REFUSE_DONE, 403, NULL, NULL}, 0, 1},
        {{FAKE_REST_REFUSE_DONE, 404, NULL, NULL}, 0, 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct writer w;

        writer_init(&w, OFFERS);
        FAKE_REST_PLAN(&w.x.fake, FAKE_REST_TRANSACTION, rows[i].plan);
        enum err_code rc = commit_all(&w, 1);
        unsigned commits = w.x.fake.requests[FAKE_REST_COMMIT];

        if (rc != ERR_OK || commits != rows[i].commits || w.x.fake.applied != TABLES) {
            fail_msg("row %zu: %s: %s; %u commits, %u applied", i, err_code_name(rc), w.e.msg,
                     commits, w.x.fake.applied);
        }
        assert_clean(&w);
        assert_ok(commit_all(&w, 2), &w.e);
        if (w.x.fake.requests[FAKE_REST_TRANSACTION] != rows[i].transactions) {
            fail_msg("row %zu: %u transactions", i, w.x.fake.requests[FAKE_REST_TRANSACTION]);
        }
        for (unsigned k = 0; k < TABLES; k++) {
            assert_int_equal(snapshots_of(&w, k, 1), 1);
            assert_int_equal(snapshots_of(&w, k, 2), 1);
        }
        assert_log(&w.x, "commit.apart",
                   rows[i].commits > 0 || rows[i].plan.turn == FAKE_REST_TWICE ||
                       rows[i].plan.turn == FAKE_REST_LOST_DONE ||
                       rows[i].plan.turn == FAKE_REST_REFUSE_DONE ||
                       rows[i].plan.turn == FAKE_REST_BODY_DONE);
        assert_clean(&w);
        writer_deinit(&w);
    }
}

/* The watermarks behind the tables, say, which another process has moved since: the tables are none
 * the less readers' at once. */
TEST(test_rest_transaction__has_those_in_front_of_one_that_is_refused)
{
    struct writer w;

    writer_init(&w, OFFERS);
    assert_ok(commit_all(&w, 1), &w.e);
    number_all(&w, 2);
    (void)snprintf(w.parts[2].expected, sizeof w.parts[2].expected, "9");
    assert_err(send_all(&w), ERR_FENCED, &w.e);
    assert_says(&w.e, "another process writes notes");
    assert_true(w.items[0].committed && w.items[1].committed && !w.items[2].committed);
    assert_int_equal(w.x.fake.requests[FAKE_REST_TRANSACTION], 2);
    assert_int_equal(w.x.fake.requests[FAKE_REST_COMMIT], 0);
    assert_log(&w.x, "commit.apart", false);
    assert_ok(store_remove(w.x.store, w.parts[2].path, &w.e), &w.e);
    assert_clean(&w);
    writer_deinit(&w);
}

/* The tables before it are as those of a catalog without transactions, those behind as before. */
TEST(test_rest_transaction__ends_at_the_table_that_fails)
{
    struct writer w;

    writer_init(&w, OFFERS);
    assert_ok(commit_all(&w, 1), &w.e);
    number_all(&w, 2);
    (void)snprintf(w.parts[1].expected, sizeof w.parts[1].expected, "9");
    assert_err(send_all(&w), ERR_FENCED, &w.e);
    assert_says(&w.e, "another process writes lines");
    assert_true(w.items[0].committed && !w.items[1].committed && !w.items[2].committed);
    assert_int_equal(snapshots_of(&w, 0, 2), 1);
    assert_int_equal(snapshots_of(&w, 1, 2) + snapshots_of(&w, 2, 2), 0);
    assert_ok(store_remove(w.x.store, w.parts[1].path, &w.e), &w.e);
    assert_ok(store_remove(w.x.store, w.parts[2].path, &w.e), &w.e);
    assert_clean(&w);

    assert_ok(catalog_drop(w.x.catalog, w.parts[1].id, &w.e), &w.e);
    number_all(&w, 3);
    (void)snprintf(w.parts[2].expected, sizeof w.parts[2].expected, "1");
    assert_err(send_all(&w), ERR_NOT_FOUND, &w.e);
    assert_says(&w.e, "lines");
    assert_true(w.items[0].committed && !w.items[1].committed && !w.items[2].committed);
    writer_deinit(&w);
}

TEST(test_rest_transaction__leaves_everything_when_cancelled_without_an_answer)
{
    struct writer w;

    writer_init(&w, OFFERS);
    number_all(&w, 1);
    w.cancel_after = 4;
    FAKE_REST_PLAN(&w.x.fake, FAKE_REST_TRANSACTION, {FAKE_REST_LOST_LATE, 0, NULL, NULL});
    assert_err(send_all(&w), ERR_CANCELLED, &w.e);
    assert_says(&w.e, "not known");
    assert_u64_eq(fake_store_calls(w.x.store, FAKE_STORE_REMOVE), 0);
    fake_rest_land(&w.x.fake);
    w.cancel_after = -1;
    assert_ok(commit_all(&w, 1), &w.e);
    for (unsigned i = 0; i < TABLES; i++) {
        assert_true(w.items[i].committed && w.items[i].result.already_done);
    }
    assert_clean(&w);
    writer_deinit(&w);
}

TEST(test_rest_transaction__survives_every_failed_allocation)
{
    static const enum fake_rest_turn turns[] = {FAKE_REST_ANSWER, FAKE_REST_LOST_DONE,
                                                FAKE_REST_CONFLICT};

    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        bool again = true;

        for (unsigned long nth = 1; again; nth += 7) {
            struct writer w;
            struct table_walk walk;

            writer_init(&w, OFFERS);
            w.x.catalog->log = NULL;
            FAKE_REST_PLAN(&w.x.fake, FAKE_REST_TRANSACTION, {turns[i], 0, NULL, NULL});
            number_all(&w, 1);
            torture_fail_at(nth);
            enum err_code rc = send_all(&w);

            again = torture_hit();
            torture_fail_at(0);
            if (rc != ERR_OK && rc != ERR_NOMEM) {
                fail_msg("allocation %lu: %s: %s", nth, err_code_name(rc), w.e.msg);
            }
            for (unsigned k = 0; k < TABLES; k++) {
                assert_true(snapshots_of(&w, k, 1) <= 1);
                assert_true(!w.items[k].committed || snapshots_of(&w, k, 1) == 1);
            }
            walk_all(&walk, &w);
            walk_deinit(&walk);
            writer_deinit(&w);
        }
    }
}

/* Dice for every change. */
static struct fake_rest_plan random_turn(struct fake_rest *f, enum fake_rest_op op)
{
    static const int statuses[] = {500, 502, 503, 504};
    struct fake_rest_plan plan = {FAKE_REST_ANSWER, 0, NULL, NULL};

    if ((op != FAKE_REST_COMMIT && op != FAKE_REST_TRANSACTION) || rand_below(&f->rand, 2) == 0) {
        return plan;
    }
    plan.turn = (enum fake_rest_turn)rand_below(&f->rand, FAKE_REST_TURNS);
    plan.status = statuses[rand_below(&f->rand, 4)];
    plan.body = "<html>Service unavailable</html>";
    if (plan.turn == FAKE_REST_BODY || plan.turn == FAKE_REST_BODY_DONE) {
        plan.status = 200;
    } else if (plan.turn == FAKE_REST_REVOKE) {
        plan.turn = FAKE_REST_LOST; /* nobody has a token here */
    }
    return plan;
}

TEST(test_rest_transaction__every_change_is_there_exactly_once)
{
    struct writer w;

    writer_init(&w, OFFERS);
    w.x.log.level = LOG_LEVEL_ERROR;
    w.x.fake.decide = random_turn;
    for (unsigned n = 1; n <= RANDOM_COMMITS; n++) {
        fake_clock_advance(&w.x.time, 1000000);
        enum err_code rc = commit_all(&w, n);

        if (rc != ERR_OK) {
            fail_msg("commit %u: %s: %s", n, err_code_name(rc), w.e.msg);
        }
        for (unsigned i = 0; i < TABLES; i++) {
            if (snapshots_of(&w, i, n) != 1) {
                fail_msg("commit %u has %u snapshots in %s", n, snapshots_of(&w, i, n), names[i]);
            }
        }
        if (w.x.fake.applied != n * TABLES) {
            fail_msg("commit %u: %u took effect", n, w.x.fake.applied);
        }
        if (n % 20 == 0) {
            /* Also when nothing is on its way any more. */
            fake_rest_land(&w.x.fake);
            assert_int_equal(w.x.fake.applied, n * TABLES);
            assert_clean(&w);
        }
    }
    assert_int_equal(w.x.fake.requests[FAKE_REST_TRANSACTION], RANDOM_COMMITS);
    assert_true(w.x.fake.requests[FAKE_REST_COMMIT] > RANDOM_COMMITS / 4);
    writer_deinit(&w);
}

TEST_MAIN(test_case(test_rest_transaction__commits_all_by_one_request),
          test_case(test_rest_transaction__is_used_where_it_is_offered_and_needed),
          test_case(test_rest_transaction__is_there_once_whatever_happens),
          test_case(test_rest_transaction__has_those_in_front_of_one_that_is_refused),
          test_case(test_rest_transaction__ends_at_the_table_that_fails),
          test_case(test_rest_transaction__leaves_everything_when_cancelled_without_an_answer),
          test_case(test_rest_transaction__survives_every_failed_allocation),
          test_case(test_rest_transaction__every_change_is_there_exactly_once))
