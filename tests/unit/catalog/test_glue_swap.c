/* One metadata for the next, and what becomes of it when Glue or the network fail. */
#include "catalog/glue_int.h"
#include "glue_world.h"

static enum err_code swap(struct world *w, const struct iceberg_metadata *next, char **location)
{
    w->e = (struct err){0};
    return lake_swap(w->catalog, lake_orders, &w->table, next, location, &w->e);
}

TEST(test_glue_swap__swaps_one_metadata_for_the_next)
{
    struct world w;
    char *location = NULL;

    world_fill(&w);
    glue_set(&w, "optimizer", "on");
    struct iceberg_metadata *next = next_of(&w);

    assert_ok(swap(&w, next, &location), &w.e);
    assert_true(fake_store_has(w.store, location));
    assert_non_null(strstr(location, "/metadata/00001-"));
    assert_parameter(&w, "metadata_location", location);
    assert_parameter(&w, "previous_metadata_location", w.table.metadata_location);
    assert_parameter(&w, "optimizer", "on");
    assert_parameter(&w, "calve.table", "orders");
    assert_sent(&w, "VersionId", "\"1\"");
    assert_sent(&w, "SkipArchive", "true");
    assert_sent(&w, "CatalogId", "nothing");
    free(location);
    /* From the same base only once. */
    assert_err(swap(&w, next, &location), ERR_CONFLICT, &w.e);
    assert_null(location);
    assert_int_equal(metadata_files(&w), 2);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

TEST(test_glue_swap__keeps_versions_when_told_to)
{
    struct world w;
    char *location = NULL;

    world_fill(&w);
    world_close(&w);
    w.options.keep_versions = true;
    w.options.catalog_id = "123456789012";
    world_open(&w);
    assert_ok(catalog_load(w.catalog, lake_orders, &w.table, &w.e), &w.e);
    struct iceberg_metadata *next = next_of(&w);

    assert_ok(swap(&w, next, &location), &w.e);
    assert_sent(&w, "SkipArchive", "false");
    assert_sent(&w, "CatalogId", "\"123456789012\"");
    free(location);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

/* Each failure of the request that changes the table; what is not known keeps its file. */
TEST(test_glue_swap__says_what_became_of_a_swap)
{
    static const struct {
        struct fake_glue_plan plan;
        enum err_code rc;
        bool done;
        bool retryable;
    } cases[] = {
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ConcurrentModificationException"),
         .rc = ERR_CONFLICT},
        {.plan = TURN("UpdateTable", FAKE_GLUE_TOUCH_FIRST), .rc = ERR_CONFLICT},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "EntityNotFoundException"),
         .rc = ERR_NOT_FOUND},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException"),
         .rc = ERR_CONFIG},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "InvalidInputException"),
         .rc = ERR_CONFIG},
        {.plan =
             TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ResourceNumberLimitExceededException"),
         .rc = ERR_LIMIT},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ResourceNotReadyException"),
         .rc = ERR_IO,
         .retryable = true},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ThrottlingException", .times = 3),
         .rc = ERR_OK,
         .done = true},
        {.plan =
             TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "ThrottlingException", .times = 1000000),
         .rc = ERR_IO,
         .retryable = true},
        /* An answer that came twice, or is a lie: the table knows better. */
        {.plan = TURN("UpdateTable", FAKE_GLUE_TWICE), .rc = ERR_OK, .done = true},
        {.plan =
             TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE, .code = "ConcurrentModificationException"),
         .rc = ERR_OK,
         .done = true},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE,
                      .code = "ResourceNumberLimitExceededException"),
         .rc = ERR_OK,
         .done = true},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE, .code = "AccessDeniedException"),
         .rc = ERR_OK,
         .done = true},
        /* No word on the effect. */
        {.plan = TURN("UpdateTable", FAKE_GLUE_LOST), .rc = ERR_UNKNOWN},
        {.plan = TURN("UpdateTable", FAKE_GLUE_LOST_DONE), .rc = ERR_UNKNOWN, .done = true},
        {.plan = TURN("UpdateTable", FAKE_GLUE_STALL), .rc = ERR_UNKNOWN},
        {.plan = TURN("UpdateTable", FAKE_GLUE_STALL_DONE), .rc = ERR_UNKNOWN, .done = true},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "InternalServiceException"),
         .rc = ERR_UNKNOWN},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE, .code = "InternalServiceException"),
         .rc = ERR_UNKNOWN,
         .done = true},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "OperationTimeoutException"),
         .rc = ERR_UNKNOWN},
        {.plan = TURN("UpdateTable", FAKE_GLUE_REFUSE_DONE, .code = "OperationTimeoutException"),
         .rc = ERR_UNKNOWN,
         .done = true},
        {.plan =
             TURN("UpdateTable", FAKE_GLUE_REFUSE, .code = "FederationSourceRetryableException"),
         .rc = ERR_UNKNOWN},
        {.plan = TURN("UpdateTable", FAKE_GLUE_BODY, .status = 502,
                      .message = "<html>bad gateway</html>"),
         .rc = ERR_UNKNOWN},
        /* Before it, nothing can have happened. */
        {.plan = TURN("GetTable", FAKE_GLUE_REFUSE, .code = "EntityNotFoundException"),
         .rc = ERR_NOT_FOUND},
        {.plan = TURN("GetTable", FAKE_GLUE_REFUSE, .code = "OperationTimeoutException",
                      .times = 1000000),
         .rc = ERR_TIMEOUT,
         .retryable = true},
        {.plan = TURN("GetTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException"),
         .rc = ERR_CONFIG},
        {.plan = TURN("GetTable", FAKE_GLUE_LOST), .rc = ERR_OK, .done = true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        char *location = NULL;
        char current[256];

        world_fill_for(&w, cases[i].plan.turn);
        struct iceberg_metadata *next = next_of(&w);

        fake_glue_plan(&w.glue, cases[i].plan);
        enum err_code rc = swap(&w, next, &location);
        bool kept = rc == ERR_OK || rc == ERR_UNKNOWN;

        glue_parameter(&w, "orders", "metadata_location", current);
        bool done = strcmp(current, w.table.metadata_location) != 0;

        if (rc != cases[i].rc || done != cases[i].done) {
            fail_msg("case %zu: %s, %sdone: %s", i, err_code_name(rc), done ? "" : "not ", w.e.msg);
        }
        if (kept != (location != NULL) || metadata_files(&w) != (kept ? 2 : 1)) {
            fail_msg("case %zu: %zu files, location %s", i, metadata_files(&w),
                     location == NULL ? "none" : location);
        }
        assert_true(!done || location != NULL);
        if (done) {
            assert_string_equal(current, location);
        }
        assert_true(!kept || location == NULL || fake_store_has(w.store, location));
        if (!kept) {
            assert_int_equal(w.e.retryable, cases[i].retryable);
        }
        free(location);
        iceberg_metadata_free(next);
        world_deinit(&w);
    }
}

/* The location of the next metadata file, as the catalog's randomness makes it. */
static void guess_location(const struct world *w, char out[256])
{
    struct rand copy = w->catalog->rand;
    char uuid[UUID_TEXT_BYTES];

    rand_uuid(&copy, uuid);
    (void)snprintf(out, 256, LAKE_LOCATION "/metadata/00001-%s.metadata.json", uuid);
}

static void stage(struct world *w, const char *location, const struct iceberg_metadata *m)
{
    struct buf json = {0};

    assert_ok(iceberg_metadata_print(m, &json, &w->e), &w->e);
    assert_true(fake_store_set(w->store, location, buf_span(&json)));
    buf_deinit(&json);
    fake_glue_lock(&w->glue);
    (void)snprintf(w->glue.staged, sizeof w->glue.staged, "%s", location);
    w->glue.staged_landed = false;
    fake_glue_unlock(&w->glue);
}

/* It was done, the answer says that it was not, and another writer has built on it already. */
TEST(test_glue_swap__finds_its_swap_in_the_history_of_others)
{
    struct world w;
    char guess[256];
    char *location = NULL;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);
    struct iceberg_metadata *after = NULL;

    guess_location(&w, guess);
    char *text = str_format(
        "{\"format-version\":1,\"location\":\"file:///x\",\"last-updated-ms\":1,"
        "\"last-column-id\":1,\"schema\":{\"fields\":[]},\"metadata-log\":[{\"timestamp-ms\":1,"
        "\"metadata-file\":\"%s\"}]}",
        guess);

    assert_ok(iceberg_metadata_parse(span_str(text), &after, &w.e), &w.e);
    stage(&w, "file:///other/metadata/2", after);
    FAKE_GLUE_PLAN(&w.glue, "GetTable", FAKE_GLUE_ANSWER);
    FAKE_GLUE_PLAN(&w.glue, "UpdateTable", FAKE_GLUE_REFUSE_DONE,
                   .code = "ConcurrentModificationException");
    FAKE_GLUE_PLAN(&w.glue, "GetTable", FAKE_GLUE_OTHER_FIRST);
    assert_ok(swap(&w, next, &location), &w.e);
    assert_string_equal(location, guess);
    assert_parameter(&w, "metadata_location", "file:///other/metadata/2");
    free(location);
    free(text);
    iceberg_metadata_free(after);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

TEST(test_glue_swap__gives_way_to_another_writer)
{
    struct world w;
    char *location = NULL;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);

    stage(&w, "file:///other/metadata/1", w.table.metadata);
    FAKE_GLUE_PLAN(&w.glue, "UpdateTable", FAKE_GLUE_OTHER_FIRST);
    assert_err(swap(&w, next, &location), ERR_CONFLICT, &w.e);
    assert_null(location);
    assert_int_equal(metadata_files(&w), 1);
    assert_parameter(&w, "metadata_location", "file:///other/metadata/1");
    iceberg_metadata_free(next);
    world_deinit(&w);
}

TEST(test_glue_swap__leaves_open_what_it_cannot_look_at)
{
    static const struct fake_glue_plan looks[] = {
        TURN("GetTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException"),
        TURN("GetTable", FAKE_GLUE_REFUSE, .code = "OperationTimeoutException", .times = 1000000),
        TURN("GetTable", FAKE_GLUE_LOST, .times = 1000000),
    };

    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        struct world w;
        char *location = NULL;

        world_fill(&w);
        struct iceberg_metadata *next = next_of(&w);

        FAKE_GLUE_PLAN(&w.glue, "GetTable", FAKE_GLUE_ANSWER);
        fake_glue_plan(&w.glue, looks[i]);
        FAKE_GLUE_PLAN(&w.glue, "UpdateTable", FAKE_GLUE_REFUSE, .code = "AccessDeniedException");
        assert_err(swap(&w, next, &location), ERR_UNKNOWN, &w.e);
        assert_non_null(strstr(w.e.msg, "a look at what became of it failed"));
        assert_true(fake_store_has(w.store, location));
        free(location);
        iceberg_metadata_free(next);
        world_deinit(&w);
    }
}

/* Another's current metadata that cannot be read may have ours in its history. */
TEST(test_glue_swap__leaves_open_what_it_cannot_read)
{
    struct world w;
    char *location = NULL;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);

    stage(&w, "file:///other/metadata/1", w.table.metadata);
    FAKE_GLUE_PLAN(&w.glue, "UpdateTable", FAKE_GLUE_OTHER_FIRST);
    fake_store_fail(w.store, &(struct fake_failure){.op = FAKE_STORE_GET,
                                                    .nth = 1,
                                                    .part = "/other/",
                                                    .code = ERR_TIMEOUT,
                                                    .retryable = true});
    assert_err(swap(&w, next, &location), ERR_UNKNOWN, &w.e);
    assert_true(fake_store_has(w.store, location));
    free(location);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

/* A catalog at a place where nobody listens. */
static struct catalog *open_nowhere(struct world *w, struct aws_client **client)
{
    struct catalog_glue_options options = w->options;
    struct catalog *c = NULL;

    assert_ok(aws_client_new(&(struct aws_client_options){.service = catalog_glue_service(),
                                                          .endpoint = "http://127.0.0.1:1",
                                                          .region = "eu-west-1",
                                                          .anonymous = true,
                                                          .http = w->http,
                                                          .clock = fake_clock(&w->time)},
                             client, &w->e),
              &w->e);
    options.client = *client;
    assert_ok(catalog_glue_open(&options, &c, &w->e), &w->e);
    return c;
}

TEST(test_glue_swap__leaves_nothing_when_nobody_answers)
{
    struct world w;
    struct aws_client *client = NULL;
    char *location = NULL;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);
    struct catalog *c = open_nowhere(&w, &client);

    assert_err(lake_swap(c, lake_orders, &w.table, next, &location, &w.e), ERR_IO, &w.e);
    assert_true(w.e.retryable);
    assert_null(location);
    assert_int_equal(metadata_files(&w), 1);
    catalog_free(c);
    aws_client_free(client);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

/* Nothing needs to be looked at then, and nobody could be asked. */
TEST(test_glue_swap__knows_that_an_unsent_request_did_nothing)
{
    struct world w;
    struct aws_client *client = NULL;
    struct glue_table now = {0};
    struct glue_name name;

    world_fill(&w);
    struct catalog *c = open_nowhere(&w, &client);
    struct glue_catalog *glue = (struct glue_catalog *)c;

    assert_ok(glue_name_of(glue, lake_orders, &name, &w.e), &w.e);
    const struct glue_table_next next = {.name = &name,
                                         .metadata = w.table.metadata,
                                         .metadata_location = "file:///x/2",
                                         .previous_location = w.table.metadata_location};

    assert_ok(glue_table_take(json_pack("{s:{s:s}}", "Table", "VersionId", "1"), &now, &w.e), &w.e);
    assert_err(glue_update(glue, &now, &next, &w.e), ERR_IO, &w.e);
    assert_true(w.e.retryable);
    assert_err(glue_insert(glue, &next, &w.e), ERR_IO, &w.e);
    glue_table_deinit(&now);
    catalog_free(c);
    aws_client_free(client);
    world_deinit(&w);
}

TEST(test_glue_swap__wants_a_version_to_replace)
{
    struct world w;
    char *location = NULL;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);
    char *table = str_format("{\"Table\":{\"Name\":\"orders\",\"Parameters\":{\"table_type\":"
                             "\"ICEBERG\",\"metadata_location\":\"%s\"}}}",
                             w.table.metadata_location);

    FAKE_GLUE_PLAN(&w.glue, "GetTable", FAKE_GLUE_BODY, .message = table);
    assert_err(swap(&w, next, &location), ERR_UNSUPPORTED, &w.e);
    assert_non_null(strstr(w.e.msg, "VersionId"));
    fake_glue_lock(&w.glue);
    unsigned updates = w.glue.updates;

    fake_glue_unlock(&w.glue);
    assert_int_equal(updates, 0);
    assert_int_equal(metadata_files(&w), 1);
    free(table);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

/* A table of another kind has taken the place of ours. */
TEST(test_glue_swap__takes_a_replaced_table_for_a_conflict)
{
    struct world w;
    char *location = NULL;

    world_fill(&w);
    struct iceberg_metadata *next = next_of(&w);

    glue_set(&w, "table_type", "HUDI");
    assert_err(swap(&w, next, &location), ERR_CONFLICT, &w.e);
    fake_glue_lock(&w.glue);
    (void)json_object_clear(fake_glue_tables(&w.glue, "shop"));
    fake_glue_unlock(&w.glue);
    assert_err(swap(&w, next, &location), ERR_NOT_FOUND, &w.e);
    assert_int_equal(metadata_files(&w), 1);
    iceberg_metadata_free(next);
    world_deinit(&w);
}

TEST_MAIN(test_case(test_glue_swap__swaps_one_metadata_for_the_next),
          test_case(test_glue_swap__keeps_versions_when_told_to),
          test_case(test_glue_swap__says_what_became_of_a_swap),
          test_case(test_glue_swap__finds_its_swap_in_the_history_of_others),
          test_case(test_glue_swap__gives_way_to_another_writer),
          test_case(test_glue_swap__leaves_open_what_it_cannot_look_at),
          test_case(test_glue_swap__leaves_open_what_it_cannot_read),
          test_case(test_glue_swap__leaves_nothing_when_nobody_answers),
          test_case(test_glue_swap__knows_that_an_unsent_request_did_nothing),
          test_case(test_glue_swap__wants_a_version_to_replace),
          test_case(test_glue_swap__takes_a_replaced_table_for_a_conflict))
