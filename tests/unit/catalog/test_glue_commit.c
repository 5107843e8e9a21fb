/* catalog_commit() on Glue: one snapshot for each commit, whatever happens on the way. */
#include "glue_world.h"
#include "table_walk.h"

#define ORDINAL "calve.ordinal"

/* Numbered commits, each with one file, and another writer who commits in between. */
struct writer {
    struct world w;
    struct rand rand;  /* of the test's thread */
    struct rand turns; /* of the fake Glue's: which requests go how */
    char path[96];
    char number[24];
    char expected[24];
    struct iceberg_data_file file;
    struct iceberg_data_file *added[1];
    struct iceberg_property property;
    struct catalog_change change;
    struct catalog_commit_result result;
    /* The other writer, whose attempt waits for its moment in the fake Glue. */
    unsigned other_every; /* in how many checks he has something to commit; 0: never */
    bool other_early;     /* it takes place before the swap looks at the table */
    struct iceberg_attempt *other;
    char other_location[256];
    char other_base[256];
    char other_path[96];
    unsigned others;
    unsigned bad; /* requests in a hundred that go wrong */
};

static enum err_code other_prepare(struct writer *t, const struct iceberg_metadata *base,
                                   const char *base_location, struct err *e)
{
    struct iceberg_data_file file = {.path = t->other_path, .record_count = 1, .file_bytes = 10};
    struct iceberg_data_file *added = &file;
    struct iceberg_change change = {
        .added = &added, .added_count = 1, .retention = {.keep_count = 10}};
    struct buf json = {0};
    char uuid[UUID_TEXT_BYTES];

    (void)snprintf(t->other_path, sizeof t->other_path, LAKE_LOCATION "/data/other-%u",
                   t->others + 1);
    enum err_code rc = iceberg_attempt_prepare(
        &(struct iceberg_attempt_options){.store = t->w.store,
                                          .rand = &t->rand,
                                          .now_ms = t->w.time.wall_us / 1000,
                                          .base_location = base_location,
                                          .base = base,
                                          .change = &change},
        &t->other, e);

    if (rc == ERR_OK) {
        rc = iceberg_metadata_print(t->other->next, &json, e);
    }
    if (rc == ERR_OK) {
        rand_uuid(&t->rand, uuid);
        (void)snprintf(t->other_location, sizeof t->other_location,
                       LAKE_LOCATION "/metadata/00000-%s.metadata.json", uuid);
        rc = store_put(t->w.store, t->other_location, buf_span(&json), e);
    }
    buf_deinit(&json);
    return rc;
}

/* What became of the other writer's attempt: taken up, or never to be. */
static void other_settle(struct writer *t)
{
    struct err e = {0};

    if (t->other == NULL) {
        return;
    }
    fake_glue_lock(&t->w.glue);
    bool landed = t->w.glue.staged_landed;

    t->w.glue.staged[0] = '\0';
    fake_glue_unlock(&t->w.glue);
    if (landed) {
        t->others++;
        assert_ok(iceberg_attempt_clean(t->other, t->w.store, &e), &e);
    } else {
        assert_ok(iceberg_attempt_undo(t->other, t->w.store, &e), &e);
        assert_ok(store_remove(t->w.store, t->other_location, &e), &e);
        assert_ok(store_remove(t->w.store, t->other_path, &e), &e);
    }
    iceberg_attempt_free(t->other);
    t->other = NULL;
}

static void other_stage(struct writer *t, const struct iceberg_metadata *current)
{
    struct fake_glue *g = &t->w.glue;
    struct err e = {0};

    other_settle(t);
    glue_parameter(&t->w, "orders", "metadata_location", t->other_base);
    assert_ok(other_prepare(t, current, t->other_base, &e), &e);
    assert_true(fake_store_set(t->w.store, t->other_path, span_str("0123456789")));
    fake_glue_lock(g);
    (void)snprintf(g->staged, sizeof g->staged, "%s", t->other_location);
    (void)snprintf(g->staged_base, sizeof g->staged_base, "%s", t->other_base);
    g->staged_landed = false;
    if (t->other_early) {
        fake_glue_land_staged(g, "shop", "orders");
    }
    fake_glue_unlock(g);
}

static enum commit_verdict check_ordinal(void *ctx, const struct iceberg_metadata *current,
                                         struct err *e)
{
    struct writer *t = ctx;
    const char *there = iceberg_metadata_property(current, ORDINAL);

    if (there != NULL && strcmp(there, t->number) == 0) {
        return COMMIT_ALREADY_DONE;
    }
    if (strcmp(there == NULL ? "0" : there, t->expected) != 0) {
        (void)err_set(e, ERR_FENCED, "%s is there, and %s was to be", there, t->expected);
        return COMMIT_REFUSE;
    }
    if (t->other_every > 0 && rand_below(&t->rand, t->other_every) == 0) {
        other_stage(t, current);
    }
    return COMMIT_PROCEED;
}

static enum err_code commit(struct writer *t, unsigned n)
{
    (void)snprintf(t->path, sizeof t->path, LAKE_LOCATION "/data/%u", n);
    (void)snprintf(t->number, sizeof t->number, "%u", n);
    (void)snprintf(t->expected, sizeof t->expected, "%u", n - 1);
    assert_true(fake_store_set(t->w.store, t->path, span_str("0123456789")));
    t->file = (struct iceberg_data_file){.path = t->path, .record_count = 1, .file_bytes = 10};
    t->added[0] = &t->file;
    t->property = (struct iceberg_property){ORDINAL, t->number};
    t->change = (struct catalog_change){
        .change = {.added = t->added,
                   .added_count = 1,
                   .summary = &t->property,
                   .summary_count = 1,
                   .properties = &t->property,
                   .property_count = 1,
                   .retention = {.keep_count = 10}},
        .check = check_ordinal,
        .check_ctx = t,
    };
    t->w.e = (struct err){0};
    t->result = (struct catalog_commit_result){0};
    enum err_code rc = catalog_commit(t->w.catalog, lake_orders, &t->change, &t->result, &t->w.e);

    other_settle(t);
    return rc;
}

static void writer_init(struct writer *t, uint64_t seed, enum fake_glue_turn turn)
{
    memset(t, 0, sizeof *t);
    world_fill_for(&t->w, turn);
    rand_seed(&t->rand, seed);
    rand_seed(&t->turns, seed + 1000);
}

/* Nothing is on its way any more. */
static void quiet(struct writer *t)
{
    fake_glue_lock(&t->w.glue);
    t->w.glue.decide = NULL;
    memset(t->w.glue.plans, 0, sizeof t->w.glue.plans);
    json_decref(t->w.glue.late);
    t->w.glue.late = NULL;
    fake_glue_unlock(&t->w.glue);
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(struct iceberg_data_file *const *)a)->path,
                  (*(struct iceberg_data_file *const *)b)->path);
}

/* Each commit is there once, and the store has what the table names and nothing else. */
static void assert_whole(struct writer *t, unsigned commits)
{
    struct catalog_table table;
    struct iceberg_data_file **files;
    uint32_t count;
    struct err e = {0};

    quiet(t);
    assert_ok(catalog_load(t->w.catalog, lake_orders, &table, &e), &e);
    assert_ok(catalog_data_files(t->w.catalog, &table, &files, &count, &e), &e);
    assert_u64_eq(count, commits + t->others);
    qsort(files, count, sizeof files[0], by_path);
    for (uint32_t i = 1; i < count; i++) {
        if (strcmp(files[i - 1]->path, files[i]->path) == 0) {
            fail_msg("%s is there twice", files[i]->path);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        iceberg_data_file_free(files[i]);
    }
    free(files);
    assert_tidy(t->w.store, table.metadata_location, 0);
    catalog_table_deinit(&table);
}

static void writer_deinit(struct writer *t)
{
    world_deinit(&t->w);
}

TEST(test_glue_commit__makes_one_snapshot_whatever_happens)
{
    static const struct {
        struct fake_glue_plan plans[3];
        unsigned attempts; /* swaps */
        bool other;
    } cases[] = {
        {{{0}}, 1, false},
        {{TURN("UpdateTable", FAKE_GLUE_LOST)}, 2, false},
        {{TURN("UpdateTable", FAKE_GLUE_LOST_DONE)}, 1, false},
        {{TURN("UpdateTable", FAKE_GLUE_STALL)}, 2, false},
        {{TURN("UpdateTable", FAKE_GLUE_STALL_DONE)}, 1, false},
        {{TURN("UpdateTable", FAKE_GLUE_LOST_LATE)}, 2, false},
        {{TURN("UpdateTable", FAKE_GLUE_LOST_LATE), TURN("UpdateTable", FAKE_GLUE_LOST_LATE)},
         2,
         false},
        {{TURN("UpdateTable", FAKE_GLUE_TWICE)}, 1, false},
        {{TURN("UpdateTable", FAKE_GLUE_TOUCH_FIRST)}, 2, false},
        {{TURN("UpdateTable", FAKE_GLUE_OTHER_FIRST)}, 2, true},
        {{TURN("UpdateTable", FAKE_GLUE_LOST_DONE), TURN("GetTable", FAKE_GLUE_LOST, .times = 3)},
         1,
         false},
        {{TURN("UpdateTable", FAKE_GLUE_LOST), TURN("UpdateTable", FAKE_GLUE_OTHER_FIRST)},
         2,
         false},
        {{TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ThrottlingException", .times = 5)},
         1,
         false},
        {{TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ConcurrentModificationException",
               .times = 4)},
         5,
         false},
        {{TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE, .code = "ConcurrentModificationException")},
         1,
         false},
        {{TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ResourceNotReadyException")}, 2, false},
        {{TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "OperationTimeoutException")}, 2, false},
        {{TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE, .code = "OperationTimeoutException")},
         1,
         false},
        {{TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "InternalServiceException")}, 2, false},
        {{TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE, .code = "InternalServiceException")},
         1,
         false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct writer t;

        writer_init(&t, 1, cases[i].plans[0].turn);
        assert_ok(commit(&t, 1), &t.w.e);
        for (size_t k = 0; k < 3; k++) {
            if (cases[i].plans[k].action != NULL) {
                fake_glue_plan(&t.w.glue, cases[i].plans[k]);
            }
        }
        t.other_every = cases[i].other ? 1 : 0;
        assert_ok(commit(&t, 2), &t.w.e);
        if (t.result.attempts != cases[i].attempts) {
            fail_msg("case %zu took %u swaps", i, t.result.attempts);
        }
        assert_int_equal(t.others, cases[i].other ? 1 : 0);
        t.other_every = 0;
        assert_ok(commit(&t, 3), &t.w.e);
        assert_whole(&t, 3);
        writer_deinit(&t);
    }
}

TEST(test_glue_commit__ends_when_waiting_cannot_help)
{
    static const struct {
        const char *code;
        const char *message;
        enum err_code rc;
        const char *part;
    } cases[] = {
        {"AccessDeniedException",
         "Insufficient Lake Formation permission(s): Required Alter on orders", ERR_CONFIG,
         "grant the caller there: Alter on the table shop.orders"},
        {"AccessDeniedException", "User is not authorized to perform: glue:UpdateTable", ERR_CONFIG,
         "grant the caller there too: Alter on the table shop.orders"},
        {"ResourceNumberLimitExceededException", "too many", ERR_LIMIT, "glue.skip-archive"},
        {"InvalidInputException", "no", ERR_CONFIG, "glue.id"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct writer t;

        writer_init(&t, 1, FAKE_GLUE_ANSWER);
        assert_ok(commit(&t, 1), &t.w.e);
        FAKE_GLUE_PLAN(&t.w.glue, "UpdateTable", FAKE_GLUE_REFUSE, .code = cases[i].code,
                       .message = cases[i].message);
        assert_err(commit(&t, 2), cases[i].rc, &t.w.e);
        if (strstr(t.w.e.msg, cases[i].part) == NULL) {
            fail_msg("'%s' is not in: %s", cases[i].part, t.w.e.msg);
        }
        assert_ok(store_remove(t.w.store, t.path, &t.w.e), &t.w.e);
        assert_whole(&t, 1);
        writer_deinit(&t);
    }
}

static struct fake_glue_plan pick(struct writer *t, const struct fake_glue_plan *plans,
                                  size_t count)
{
    return rand_below(&t->turns, 100) < t->bad ? plans[rand_below(&t->turns, count)]
                                               : (struct fake_glue_plan){0};
}

/* What may happen to a request on its way to a Glue that looks at versions. */
static struct fake_glue_plan decide(void *ctx, const char *action)
{
    static const struct fake_glue_plan looks[] = {
        {.turn = FAKE_GLUE_LOST},
        {.turn = FAKE_GLUE_REFUSE, .code = "ThrottlingException"},
        {.turn = FAKE_GLUE_REFUSE, .code = "InternalServiceException"},
        {.turn = FAKE_GLUE_REFUSE, .code = "OperationTimeoutException"},
        {.turn = FAKE_GLUE_OTHER_FIRST},
    };
    static const struct fake_glue_plan changes[] = {
        {.turn = FAKE_GLUE_LOST},
        {.turn = FAKE_GLUE_LOST_DONE},
        {.turn = FAKE_GLUE_LOST_LATE},
        {.turn = FAKE_GLUE_LOST_LATE},
        {.turn = FAKE_GLUE_TWICE},
        {.turn = FAKE_GLUE_TOUCH_FIRST},
        {.turn = FAKE_GLUE_OTHER_FIRST},
        {.turn = FAKE_GLUE_OTHER_FIRST},
        {.turn = FAKE_GLUE_OTHER_FIRST},
        {.turn = FAKE_GLUE_OTHER_FIRST},
        {.turn = FAKE_GLUE_REFUSE, .code = "ThrottlingException"},
        {.turn = FAKE_GLUE_REFUSE, .code = "ConcurrentModificationException"},
        {.turn = FAKE_GLUE_REFUSE_DONE, .code = "ConcurrentModificationException"},
        {.turn = FAKE_GLUE_REFUSE, .code = "ResourceNotReadyException"},
        {.turn = FAKE_GLUE_REFUSE, .code = "OperationTimeoutException"},
        {.turn = FAKE_GLUE_REFUSE_DONE, .code = "OperationTimeoutException"},
        {.turn = FAKE_GLUE_REFUSE, .code = "InternalServiceException"},
        {.turn = FAKE_GLUE_REFUSE_DONE, .code = "InternalServiceException"},
    };
    struct writer *t = ctx;

    if (strcmp(action, "UpdateTable") == 0) {
        return pick(t, changes, sizeof changes / sizeof changes[0]);
    }
    if (rand_below(&t->turns, 10) == 0) {
        fake_glue_land_late(&t->w.glue);
    }
    return pick(t, looks, sizeof looks / sizeof looks[0]);
}

/* The same for one that does not: it can only be asked before. */
static struct fake_glue_plan decide_blindly(void *ctx, const char *action)
{
    static const struct fake_glue_plan looks[] = {
        {.turn = FAKE_GLUE_LOST},
        {.turn = FAKE_GLUE_REFUSE, .code = "ThrottlingException"},
    };
    static const struct fake_glue_plan changes[] = {
        {.turn = FAKE_GLUE_LOST},
        {.turn = FAKE_GLUE_LOST_DONE},
        {.turn = FAKE_GLUE_TWICE},
        {.turn = FAKE_GLUE_TOUCH_FIRST},
        {.turn = FAKE_GLUE_REFUSE, .code = "ThrottlingException"},
        {.turn = FAKE_GLUE_REFUSE, .code = "InternalServiceException"},
        {.turn = FAKE_GLUE_REFUSE_DONE, .code = "InternalServiceException"},
    };
    struct writer *t = ctx;

    return strcmp(action, "UpdateTable") == 0 ? pick(t, changes, sizeof changes / sizeof changes[0])
                                              : pick(t, looks, sizeof looks / sizeof looks[0]);
}

static void run_schedule(struct writer *t, unsigned commits)
{
    unsigned given_up = 0;

    for (unsigned n = 1; n <= commits; n++) {
        /* As after a restart: the same change, until it is there. */
        for (;;) {
            fake_clock_advance(&t->w.time, 1000000);
            enum err_code rc = commit(t, n);

            if (rc == ERR_OK) {
                break;
            }
            if (rc == ERR_FENCED || rc == ERR_CORRUPT || rc == ERR_NOT_FOUND || given_up++ > 100) {
                fail_msg("commit %u: %s: %s", n, err_code_name(rc), t->w.e.msg);
            }
        }
    }
}

TEST(test_glue_commit__every_change_is_there_exactly_once)
{
    static const uint64_t seeds[] = {11, 12, 13};

    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        struct writer t;

        writer_init(&t, seeds[i], FAKE_GLUE_ANSWER);
        t.other_every = 1;
        t.bad = 40;
        fake_glue_lock(&t.w.glue);
        t.w.glue.decide = decide;
        t.w.glue.decide_ctx = &t;
        fake_glue_unlock(&t.w.glue);
        run_schedule(&t, 120);
        assert_true(t.others > 20);
        assert_whole(&t, 120);
        writer_deinit(&t);
    }
}

TEST(test_glue_commit__loses_nothing_where_versions_are_not_looked_at)
{
    struct writer t;

    writer_init(&t, 21, FAKE_GLUE_ANSWER);
    t.other_every = 3;
    t.other_early = true;
    t.bad = 40;
    fake_glue_lock(&t.w.glue);
    t.w.glue.blind = true;
    t.w.glue.decide = decide_blindly;
    t.w.glue.decide_ctx = &t;
    fake_glue_unlock(&t.w.glue);
    run_schedule(&t, 120);
    assert_true(t.others > 20);
    assert_whole(&t, 120);
    writer_deinit(&t);
}

TEST_MAIN(test_case(test_glue_commit__makes_one_snapshot_whatever_happens),
          test_case(test_glue_commit__ends_when_waiting_cannot_help),
          test_case(test_glue_commit__every_change_is_there_exactly_once),
          test_case(test_glue_commit__loses_nothing_where_versions_are_not_looked_at))
