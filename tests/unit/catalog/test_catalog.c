#include "catalog/catalog.h"

#include <pthread.h>

#include "script_catalog.h"
#include "table_walk.h"

#define ORDINAL "calve.ordinal"

/* One writer of numbered commits, each with one file and its number as a table property. */
struct writer {
    struct script_catalog catalog;
    struct store *store;
    struct log log;
    FILE *log_file;
    char path[96];
    char number[24];
    char expected[24];
    struct iceberg_data_file file;
    struct iceberg_data_file *added[1];
    struct iceberg_property property;
    struct iceberg_property summary;
    struct catalog_change change;
    bool carries; /* changes bring their data file along, under a new name with each commit */
    unsigned carried;
    struct store_object object;
    unsigned checks;
    enum commit_verdict verdict; /* of the next checks; COMMIT_PROCEED: by the ordinal */
    int cancel_after;            /* polls; -1: never */
    struct catalog_commit_result result;
    struct err e;
};

static enum commit_verdict check_ordinal(void *ctx, const struct iceberg_metadata *current,
                                         struct err *e)
{
    struct writer *w = ctx;
    const char *there = iceberg_metadata_property(current, ORDINAL);

    w->checks++;
    if (w->verdict == COMMIT_ALREADY_DONE) {
        return COMMIT_ALREADY_DONE;
    }
    if (there != NULL && strcmp(there, w->number) == 0) {
        return COMMIT_ALREADY_DONE;
    }
    if (w->verdict == COMMIT_REFUSE || strcmp(there == NULL ? "0" : there, w->expected) != 0) {
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
    w->store = fake_store_new();
    script_init(&w->catalog, w->store);
    w->log_file = tmpfile();
    log_init(&w->log, fileno(w->log_file), LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    w->catalog.base.log = &w->log;
    w->cancel_after = -1;
    assert_ok(lake_create(&w->catalog.base, lake_orders, LAKE_LOCATION, &w->e), &w->e);
}

static void writer_deinit(struct writer *w)
{
    catalog_free(&w->catalog.base);
    store_free(w->store);
    log_deinit(&w->log);
    (void)fclose(w->log_file);
}

/* The change number n after number `after`; its data file is in the store. */
static struct catalog_change *numbered(struct writer *w, unsigned n, unsigned after)
{
    (void)snprintf(w->path, sizeof w->path, LAKE_LOCATION "/data/%u", n);
    (void)snprintf(w->number, sizeof w->number, "%u", n);
    (void)snprintf(w->expected, sizeof w->expected, "%u", after);
    if (w->carries) {
        (void)snprintf(w->path, sizeof w->path, LAKE_LOCATION "/data/%u-%u", n, ++w->carried);
        w->object = (struct store_object){w->path, span_str("0123456789")};
    } else if (!fake_store_has(w->store, w->path)) {
        assert_true(fake_store_set(w->store, w->path, span_str("0123456789")));
    }
    w->file = (struct iceberg_data_file){.path = w->path, .record_count = 1, .file_bytes = 10};
    w->added[0] = &w->file;
    w->property = (struct iceberg_property){ORDINAL, w->number};
    w->summary = (struct iceberg_property){ORDINAL, w->number};
    w->change = (struct catalog_change){
        .change = {.added = w->added,
                   .added_count = 1,
                   .summary = &w->summary,
                   .summary_count = 1,
                   .properties = &w->property,
                   .property_count = 1,
                   .retention = {.keep_count = 10}},
        .check = check_ordinal,
        .check_ctx = w,
        .cancelled = is_cancelled,
        .cancelled_ctx = w,
        .objects = &w->object,
        .object_count = w->carries ? 1 : 0,
    };
    return &w->change;
}

static enum err_code commit(struct writer *w, unsigned n, unsigned after)
{
    w->e = (struct err){0};
    w->result = (struct catalog_commit_result){0};
    return catalog_commit(&w->catalog.base, lake_orders, numbered(w, n, after), &w->result, &w->e);
}

static void assert_log(struct writer *w, const char *part, bool is_there)
{
    char text[16384];
    ssize_t len = pread(fileno(w->log_file), text, sizeof text - 1, 0);

    assert_true(len >= 0);
    text[len] = '\0';
    if ((strstr(text, part) != NULL) != is_there) {
        fail_msg("'%s' is %s the log:\n%s", part, is_there ? "not in" : "in", text);
    }
}

/* The live files in order, without their common start. */
static void assert_files(struct writer *w, const char *want)
{
    struct catalog_table table;
    struct iceberg_data_file **files;
    uint32_t count;
    char text[1024] = "";

    assert_ok(catalog_load(&w->catalog.base, lake_orders, &table, &w->e), &w->e);
    assert_ok(catalog_data_files(&w->catalog.base, &table, &files, &count, &w->e), &w->e);
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
    assert_tidy(w->store, w->catalog.current, strays_allowed);
}

TEST(test_catalog__creates_with_bounded_metadata)
{
    struct writer w;
    struct catalog_table table;
    struct iceberg_property properties[] = {{"write.metadata.previous-versions-max", "7"},
                                            {"owner", "me"}};

    writer_init(&w);
    assert_ok(catalog_load(&w.catalog.base, lake_orders, &table, &w.e), &w.e);
    assert_string_equal(
        iceberg_metadata_property(table.metadata, "write.metadata.delete-after-commit.enabled"),
        "true");
    assert_string_equal(
        iceberg_metadata_property(table.metadata, "write.metadata.previous-versions-max"), "100");
    assert_i64_eq(iceberg_metadata_last_updated_ms(table.metadata), 1700000000000);
    assert_i64_eq(iceberg_metadata_snapshot_id(table.metadata), -1);
    catalog_table_deinit(&table);
    assert_files(&w, "");
    assert_err(lake_create(&w.catalog.base, lake_orders, LAKE_LOCATION, &w.e), ERR_EXISTS, &w.e);
    catalog_free(&w.catalog.base);
    assert_ok(catalog_create(&w.catalog.base, lake_orders,
                             &(struct catalog_create_options){.location = LAKE_LOCATION "2",
                                                              .schema = &lake_schema,
                                                              .properties = properties,
                                                              .property_count = 2},
                             &w.e),
              &w.e);
    assert_ok(catalog_load(&w.catalog.base, lake_orders, &table, &w.e), &w.e);
    assert_string_equal(
        iceberg_metadata_property(table.metadata, "write.metadata.previous-versions-max"), "7");
    assert_string_equal(iceberg_metadata_property(table.metadata, "owner"), "me");
    catalog_table_deinit(&table);
    writer_deinit(&w);
}

TEST(test_catalog__settles_a_creation_without_an_answer)
{
    struct writer w;
    struct catalog *c = &w.catalog.base;

    writer_init(&w);
    catalog_free(c);
    w.catalog.create_code = ERR_UNKNOWN;
    w.catalog.create_happens = true;
    w.catalog.load_failures = 3;
    w.catalog.load_code = ERR_TIMEOUT;
    assert_ok(lake_create(c, lake_orders, LAKE_LOCATION, &w.e), &w.e);
    assert_true(w.catalog.time.slept_us > 0);
    catalog_free(c);
    w.catalog.create_code = ERR_UNKNOWN;
    w.catalog.create_happens = false;
    assert_err(lake_create(c, lake_orders, LAKE_LOCATION, &w.e), ERR_IO, &w.e);
    assert_true(w.e.retryable);
    assert_non_null(strstr(w.e.msg, "as told"));
    w.catalog.create_code = ERR_UNKNOWN;
    w.catalog.load_failures = 100;
    assert_err(lake_create(c, lake_orders, LAKE_LOCATION, &w.e), ERR_UNKNOWN, &w.e);
    w.catalog.load_failures = 0;
    w.catalog.create_code = ERR_IO;
    assert_err(lake_create(c, lake_orders, LAKE_LOCATION, NULL), ERR_IO, &w.e);
    writer_deinit(&w);
}

/* Somebody else's table of that name is there after a creation without an answer. */
static enum err_code create_by_other(struct catalog *base, struct table_ident id,
                                     const struct iceberg_metadata *m, struct err *e)
{
    (void)id;
    (void)m;
    script_set(script_of(base), script_of(base)->ctx);
    return err_set(e, ERR_UNKNOWN, "no answer");
}

TEST(test_catalog__tells_its_creation_from_that_of_others)
{
    struct writer w;
    struct catalog_ops ops;

    writer_init(&w);
    ops = *w.catalog.base.ops;
    ops.create = create_by_other;
    w.catalog.ctx = str_dup(w.catalog.current);
    w.catalog.current = NULL;
    w.catalog.base.ops = &ops;
    assert_err(lake_create(&w.catalog.base, lake_orders, LAKE_LOCATION, &w.e), ERR_EXISTS, &w.e);
    free(w.catalog.ctx);
    writer_deinit(&w);
}

/* A server gives the table a UUID of its own: ours is a property. */
TEST(test_catalog__recognises_its_creation_where_a_server_names_tables)
{
    struct writer w;
    struct catalog *c = &w.catalog.base;
    struct catalog_table table;

    writer_init(&w);
    assert_ok(catalog_load(c, lake_orders, &table, &w.e), &w.e);
    assert_null(iceberg_metadata_property(table.metadata, CATALOG_CREATE_ID));
    catalog_table_deinit(&table);
    catalog_free(c);
    c->server_writes_metadata = true;
    w.catalog.renames = true;
    w.catalog.create_code = ERR_UNKNOWN;
    w.catalog.create_happens = true;
    assert_ok(lake_create(c, lake_orders, LAKE_LOCATION, &w.e), &w.e);
    assert_ok(catalog_load(c, lake_orders, &table, &w.e), &w.e);
    assert_string_equal(iceberg_metadata_uuid(table.metadata), "of-the-server");
    assert_int_equal(strlen(iceberg_metadata_property(table.metadata, CATALOG_CREATE_ID)), 36);
    catalog_table_deinit(&table);
    /* That of others has another. */
    w.catalog.create_code = ERR_UNKNOWN;
    w.catalog.create_happens = false;
    w.catalog.create_blind = true;
    assert_err(lake_create(c, lake_orders, LAKE_LOCATION, &w.e), ERR_EXISTS, &w.e);
    writer_deinit(&w);
}

TEST(test_catalog__commits_one_snapshot)
{
    struct writer w;
    struct catalog_table table;

    writer_init(&w);
    for (unsigned n = 1; n <= 3; n++) {
        assert_ok(commit(&w, n, n - 1), &w.e);
        assert_false(w.result.already_done);
        assert_int_equal(w.result.attempts, 1);
        assert_ok(catalog_load(&w.catalog.base, lake_orders, &table, &w.e), &w.e);
        assert_i64_eq(w.result.snapshot_id, iceberg_metadata_snapshot_id(table.metadata));
        assert_string_equal(iceberg_metadata_summary(table.metadata, w.result.snapshot_id, ORDINAL),
                            w.number);
        assert_int_equal(iceberg_metadata_snapshot_count(table.metadata), n);
        catalog_table_deinit(&table);
    }
    assert_int_equal(w.checks, 3);
    assert_files(&w, " 1 2 3");
    assert_clean(&w, 0);
    assert_i64_eq(w.catalog.time.slept_us, 0);
    assert_log(&w, "commit.retry", false);
    writer_deinit(&w);
}

TEST(test_catalog__does_nothing_when_it_is_done_or_refused)
{
    struct writer w;

    writer_init(&w);
    assert_ok(commit(&w, 1, 0), &w.e);
    int64_t snapshot_id = w.result.snapshot_id;
    unsigned long puts = fake_store_calls(w.store, FAKE_STORE_PUT);

    /* A restart, with the same change again. */
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_true(w.result.already_done);
    assert_i64_eq(w.result.snapshot_id, snapshot_id);
    assert_int_equal(w.result.attempts, 0);
    assert_err(commit(&w, 3, 2), ERR_FENCED, &w.e);
    assert_string_equal(w.e.msg, "another process writes this");
    assert_u64_eq(fake_store_calls(w.store, FAKE_STORE_PUT), puts);
    assert_files(&w, " 1");
    writer_deinit(&w);
}

TEST(test_catalog__builds_again_on_what_others_committed)
{
    struct writer w;

    writer_init(&w);
    SCRIPT(&w.catalog, SCRIPT_CONFLICT, SCRIPT_CONFLICT);
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_int_equal(w.result.attempts, 3);
    assert_int_equal(w.checks, 3);
    assert_files(&w, " other-1 other-2 1");
    assert_clean(&w, 0);
    assert_true(w.catalog.time.slept_us > 0);
    assert_log(&w, "info commit.retry table=shop.orders error=conflict", true);
    writer_deinit(&w);
}

TEST(test_catalog__finds_what_happened_without_an_answer)
{
    struct writer w;

    writer_init(&w);
    SCRIPT(&w.catalog, SCRIPT_UNKNOWN_DONE);
    w.catalog.load_code = ERR_TIMEOUT;
    w.catalog.load_retryable = true;
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_false(w.result.already_done);
    assert_int_equal(w.result.attempts, 1);
    assert_files(&w, " 1");
    assert_clean(&w, 0);
    assert_log(&w, "warn commit.retry table=shop.orders error=unknown", true);
    writer_deinit(&w);
}

/* As long as the base is current, the swap may still arrive: the same one is tried again. */
TEST(test_catalog__swaps_the_same_attempt_again)
{
    struct writer w;

    writer_init(&w);
    SCRIPT(&w.catalog, SCRIPT_UNKNOWN_NEVER, SCRIPT_UNKNOWN_NEVER);
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_int_equal(w.result.attempts, 3);
    /* One manifest and one list in all: the attempt was made once. */
    assert_u64_eq(fake_store_count(w.store, LAKE_LOCATION "/metadata/"), 4);
    assert_files(&w, " 1");
    assert_clean(&w, 0);
    writer_deinit(&w);
}

TEST(test_catalog__meets_its_own_late_swap)
{
    struct writer w;

    writer_init(&w);
    SCRIPT(&w.catalog, SCRIPT_UNKNOWN_LATER);
    assert_ok(commit(&w, 1, 0), &w.e);
    /* The second found the first one's work: a conflict with ourselves. */
    assert_int_equal(w.result.attempts, 2);
    assert_files(&w, " 1");
    assert_clean(&w, 0);
    SCRIPT(&w.catalog, SCRIPT_UNKNOWN_LATER, SCRIPT_BUSY, SCRIPT_UNKNOWN_NEVER);
    assert_ok(commit(&w, 2, 1), &w.e);
    assert_files(&w, " 1 2");
    assert_clean(&w, 0);
    writer_deinit(&w);
}

TEST(test_catalog__starts_over_when_others_passed_it)
{
    struct writer w;

    writer_init(&w);
    SCRIPT(&w.catalog, SCRIPT_UNKNOWN_NEVER, SCRIPT_UNKNOWN_PASSED);
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_int_equal(w.result.attempts, 3);
    assert_files(&w, " other-1 1");
    assert_clean(&w, 0);
    writer_deinit(&w);
}

/* Our snapshot is in no history any more: the check knows all the same, and nothing is removed. */
TEST(test_catalog__asks_the_check_before_it_removes_anything)
{
    struct writer w;

    writer_init(&w);
    SCRIPT(&w.catalog, SCRIPT_UNKNOWN_LOST);
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_true(w.result.already_done);
    assert_files(&w, " 1 other-1");
    assert_u64_eq(fake_store_calls(w.store, FAKE_STORE_REMOVE), 0);
    writer_deinit(&w);
}

static enum commit_verdict refuse_second(void *ctx, const struct iceberg_metadata *current,
                                         struct err *e)
{
    struct writer *w = ctx;

    (void)current;
    return w->checks++ == 0
               ? COMMIT_PROCEED
               : (err_set(e, ERR_FENCED, "fenced") == ERR_OK ? COMMIT_PROCEED : COMMIT_REFUSE);
}

TEST(test_catalog__removes_nothing_when_fenced_without_an_answer)
{
    struct writer w;
    struct catalog_change *change;

    writer_init(&w);
    SCRIPT(&w.catalog, SCRIPT_UNKNOWN_PASSED);
    change = numbered(&w, 1, 0);
    change->check = refuse_second;
    assert_err(catalog_commit(&w.catalog.base, lake_orders, change, &w.result, &w.e), ERR_FENCED,
               &w.e);
    assert_non_null(strstr(w.e.msg, "not known"));
    assert_non_null(strstr(w.e.msg, "fenced"));
    assert_u64_eq(fake_store_calls(w.store, FAKE_STORE_REMOVE), 0);
    writer_deinit(&w);
}

static enum commit_verdict refuse_retryable(void *ctx, const struct iceberg_metadata *current,
                                            struct err *e)
{
    unsigned *calls = ctx;

    (void)current;
    if ((*calls)++ == 0) {
        (void)err_set_retryable(e, ERR_CONFLICT, "no");
    }
    return COMMIT_REFUSE;
}

TEST(test_catalog__never_overrules_a_refusal)
{
    struct writer w;
    unsigned calls = 0;
    struct catalog_change *change;

    writer_init(&w);
    change = numbered(&w, 1, 0);
    change->check = refuse_retryable;
    change->check_ctx = &calls;
    assert_err(catalog_commit(&w.catalog.base, lake_orders, change, &w.result, &w.e), ERR_CONFLICT,
               &w.e);
    assert_int_equal(calls, 1);
    /* A check that does not say why. */
    assert_err(catalog_commit(&w.catalog.base, lake_orders, change, &w.result, &w.e), ERR_FENCED,
               &w.e);
    assert_int_equal(w.catalog.swaps_tried, 0);
    writer_deinit(&w);
}

TEST(test_catalog__waits_for_a_catalog_that_is_away)
{
    struct writer w;

    writer_init(&w);
    w.catalog.load_failures = 20;
    w.catalog.load_code = ERR_TIMEOUT;
    w.catalog.load_retryable = true;
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_int_equal(w.catalog.load_failures, 0);
    assert_log(&w, "error=timeout", true);
    assert_log(&w, "the catalog is away", true);
    /* No wait is longer than half a minute. */
    assert_true(w.catalog.time.slept_us < (int64_t)20 * 30000000);
    w.catalog.load_failures = 1;
    w.catalog.load_code = ERR_CORRUPT;
    w.catalog.load_retryable = false;
    assert_err(commit(&w, 2, 1), ERR_CORRUPT, &w.e);
    assert_string_equal(w.e.msg, "the catalog is broken");
    writer_deinit(&w);
}

TEST(test_catalog__stops_waiting_when_cancelled)
{
    struct writer w;

    writer_init(&w);
    w.catalog.load_failures = 1000000;
    w.catalog.load_code = ERR_TIMEOUT;
    w.catalog.load_retryable = true;
    w.cancel_after = 200;
    assert_err(commit(&w, 1, 0), ERR_CANCELLED, &w.e);
    assert_non_null(strstr(w.e.msg, "the catalog is away"));
    /* 200 polls, each after at most 50 ms. */
    assert_true(w.catalog.time.slept_us <= (int64_t)200 * 50000);
    /* Cancelled before it began. */
    w.catalog.load_failures = 0;
    assert_err(commit(&w, 1, 0), ERR_CANCELLED, &w.e);
    assert_int_equal(w.catalog.swaps_tried, 0);
    /* Cancelled without an answer: everything stays for the next run. */
    w.cancel_after = 2;
    SCRIPT(&w.catalog, SCRIPT_UNKNOWN_DONE);
    assert_err(commit(&w, 1, 0), ERR_CANCELLED, &w.e);
    assert_non_null(strstr(w.e.msg, "not known"));
    assert_u64_eq(fake_store_calls(w.store, FAKE_STORE_REMOVE), 0);
    w.cancel_after = -1;
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_true(w.result.already_done);
    assert_files(&w, " 1");
    assert_clean(&w, 0);
    writer_deinit(&w);
}

TEST(test_catalog__gives_up_without_an_answer_only_for_good_reason)
{
    struct writer w;

    writer_init(&w);
    /* The swap after the one without an answer fails for good: that says nothing of the first. */
    SCRIPT(&w.catalog, SCRIPT_UNKNOWN_LATER, SCRIPT_FAILED);
    assert_err(commit(&w, 1, 0), ERR_IO, &w.e);
    assert_non_null(strstr(w.e.msg, "not known"));
    /* What landed is whole. */
    assert_clean(&w, 0);
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_true(w.result.already_done);
    writer_deinit(&w);
}

TEST(test_catalog__tries_again_what_may_pass)
{
    struct writer w;

    writer_init(&w);
    SCRIPT(&w.catalog, SCRIPT_BUSY, SCRIPT_BUSY, SCRIPT_BUSY);
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_int_equal(w.result.attempts, 4);
    assert_log(&w, "reason=\"the catalog is busy\"", true);
    assert_clean(&w, 0);
    fake_store_fail(
        w.store,
        &(struct fake_failure){
            .op = FAKE_STORE_PUT, .nth = 1, .times = 4, .code = ERR_IO, .retryable = true});
    assert_ok(commit(&w, 2, 1), &w.e);
    assert_true(fake_store_failed(w.store, FAKE_STORE_PUT));
    assert_files(&w, " 1 2");
    assert_clean(&w, 0);
    writer_deinit(&w);
}

TEST(test_catalog__fails_at_once_when_it_cannot_pass)
{
    struct writer w;
    char *before;

    writer_init(&w);
    assert_ok(commit(&w, 1, 0), &w.e);
    before = str_dup(w.catalog.current);
    SCRIPT(&w.catalog, SCRIPT_FAILED);
    assert_err(commit(&w, 2, 1), ERR_IO, &w.e);
    assert_string_equal(w.e.msg, "the catalog is broken");
    for (unsigned nth = 1; nth <= 3; nth++) {
        fake_store_fail_at(w.store, FAKE_STORE_PUT, nth, ERR_IO);
        assert_err(commit(&w, 2, 1), ERR_IO, &w.e);
        assert_true(fake_store_failed(w.store, FAKE_STORE_PUT));
    }
    fake_store_fail_at(w.store, FAKE_STORE_PUT, 0, ERR_OK);
    assert_string_equal(w.catalog.current, before);
    /* The file of change 2 is its caller's. */
    assert_clean(&w, 1);
    assert_i64_eq(w.catalog.time.slept_us, 0);
    assert_int_equal(
        catalog_commit(&w.catalog.base, lake_orders, numbered(&w, 9, 8), &w.result, NULL),
        ERR_FENCED);
    free(before);
    writer_deinit(&w);
}

TEST(test_catalog__does_not_fail_for_what_it_cannot_remove)
{
    struct writer w;

    writer_init(&w);
    for (unsigned n = 1; n <= 11; n++) {
        assert_ok(commit(&w, n, n - 1), &w.e);
    }
    fake_store_fail(w.store, &(struct fake_failure){
                                 .op = FAKE_STORE_REMOVE, .nth = 1, .times = 1000, .code = ERR_IO});
    assert_ok(commit(&w, 12, 11), &w.e);
    assert_true(fake_store_failed(w.store, FAKE_STORE_REMOVE));
    assert_log(&w, "clean.left", true);
    SCRIPT(&w.catalog, SCRIPT_UNKNOWN_PASSED);
    assert_ok(commit(&w, 13, 12), &w.e);
    assert_log(&w, "commit.left", true);
    struct table_walk walk;

    walk_table(&walk, w.store, w.catalog.current);
    assert_int_equal(walk.missing, 0);
    walk_deinit(&walk);
    writer_deinit(&w);
}

TEST(test_catalog__puts_what_a_change_brings_along)
{
    struct writer w;

    writer_init(&w);
    w.carries = true;
    assert_ok(commit(&w, 1, 0), &w.e);
    assert_true(fake_store_has(w.store, w.path));
    /* Refused before anything was written, or after: nothing is left. */
    assert_err(commit(&w, 3, 2), ERR_FENCED, &w.e);
    assert_clean(&w, 0);
    SCRIPT(&w.catalog, SCRIPT_FAILED);
    assert_err(commit(&w, 2, 1), ERR_IO, &w.e);
    assert_clean(&w, 0);
    /* One after another: a write of each object fails, with and without effect, and goes again. */
    for (unsigned nth = 1; nth <= 8; nth++) {
        SCRIPT(&w.catalog, SCRIPT_CONFLICT);
        fake_store_fail(w.store, &(struct fake_failure){.op = FAKE_STORE_PUT,
                                                        .nth = (nth + 1) / 2,
                                                        .code = ERR_TIMEOUT,
                                                        .retryable = true,
                                                        .done = nth % 2 == 0});
        assert_ok(commit(&w, nth + 1, nth), &w.e);
        assert_true(fake_store_failed(w.store, FAKE_STORE_PUT));
        assert_true(fake_store_has(w.store, w.path));
        assert_clean(&w, 0);
    }
    /* Without an answer nobody knows whether the table names it. */
    SCRIPT(&w.catalog, SCRIPT_UNKNOWN_LATER);
    w.cancel_after = 1;
    assert_err(commit(&w, 10, 9), ERR_CANCELLED, &w.e);
    script_land(&w.catalog);
    assert_clean(&w, 0);
    writer_deinit(&w);
}

TEST(test_catalog__takes_no_other_bytes_for_its_own)
{
    struct writer w;

    writer_init(&w);
    w.carries = true;
    assert_true(fake_store_set(w.store, LAKE_LOCATION "/data/1-1", span_str("others")));
    assert_err(commit(&w, 1, 0), ERR_EXISTS, &w.e);
    writer_deinit(&w);
}

TEST(test_catalog__commits_properties_alone)
{
    struct writer w;
    struct catalog_change *change;
    static const enum script_outcome outcomes[] = {SCRIPT_OK, SCRIPT_UNKNOWN_DONE,
                                                   SCRIPT_UNKNOWN_NEVER, SCRIPT_UNKNOWN_LATER};

    writer_init(&w);
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        SCRIPT(&w.catalog, outcomes[i]);
        change = numbered(&w, (unsigned)i + 1, (unsigned)i);
        assert_ok(store_remove(w.store, w.path, &w.e), &w.e);
        change->change.added_count = 0;
        change->check = NULL;
        change->cancelled = NULL;
        assert_ok(catalog_commit(&w.catalog.base, lake_orders, change, &w.result, &w.e), &w.e);
        assert_i64_eq(w.result.snapshot_id, -1);
        assert_clean(&w, 0);
    }
    assert_files(&w, "");
    writer_deinit(&w);
}

TEST(test_catalog__says_that_the_table_is_gone)
{
    struct writer w;

    writer_init(&w);
    catalog_free(&w.catalog.base);
    assert_err(commit(&w, 1, 0), ERR_NOT_FOUND, &w.e);
    writer_deinit(&w);
}

TEST(test_catalog__says_that_a_file_is_gone)
{
    struct writer w;
    struct table_walk walk;

    writer_init(&w);
    assert_ok(commit(&w, 1, 0), &w.e);
    walk_table(&walk, w.store, w.catalog.current);
    for (uint32_t i = 0; i < walk.named.count; i++) {
        if (strstr(walk.named.items[i], "/snap-") != NULL) {
            assert_ok(store_remove(w.store, walk.named.items[i], &w.e), &w.e);
        }
    }
    walk_deinit(&walk);
    assert_err(commit(&w, 2, 1), ERR_CORRUPT, &w.e);
    assert_non_null(strstr(w.e.msg, "/snap-"));
    writer_deinit(&w);
}

/* A store that fails the first read of a manifest list, and lets another writer commit meanwhile.
 */
struct racing_store {
    struct store base;
    struct writer *w;
    bool raced;
};

static enum err_code racing_get(struct store *s, const char *location, struct buf *out,
                                struct err *e)
{
    struct racing_store *r = (struct racing_store *)s;

    if (strstr(location, "/snap-") != NULL && !r->raced) {
        r->raced = true;
        r->w->catalog.base.store = r->w->store;
        script_other_commit(&r->w->catalog);
        r->w->catalog.base.store = s;
        return err_set(e, ERR_NOT_FOUND, "%s is gone", location);
    }
    return store_get(r->w->store, location, out, e);
}

static enum err_code racing_put(struct store *s, const char *location, struct span bytes,
                                struct err *e)
{
    struct racing_store *r = (struct racing_store *)s;

    return store_put(r->w->store, location, bytes, e);
}

static enum err_code racing_remove(struct store *s, const char *location, struct err *e)
{
    struct racing_store *r = (struct racing_store *)s;

    return store_remove(r->w->store, location, e);
}

TEST(test_catalog__takes_a_file_removed_by_others_for_a_conflict)
{
    static const struct store_ops ops = {
        .put = racing_put, .get = racing_get, .remove = racing_remove};
    struct writer w;
    struct racing_store racing = {.base = {&ops}, .w = &w};

    writer_init(&w);
    assert_ok(commit(&w, 1, 0), &w.e);
    w.catalog.base.store = &racing.base;
    assert_ok(commit(&w, 2, 1), &w.e);
    assert_true(racing.raced);
    w.catalog.base.store = w.store;
    assert_files(&w, " 1 other-1 2");
    assert_clean(&w, 0);
    writer_deinit(&w);
}

static enum err_code create_and_commit(struct writer *w)
{
    struct catalog_table table;
    struct iceberg_data_file **files;
    uint32_t count;

    ERR_TRY(commit(w, 1, 0));
    ERR_TRY(commit(w, 2, 1));
    ERR_TRY(catalog_load(&w->catalog.base, lake_orders, &table, &w->e));
    enum err_code rc = catalog_data_files(&w->catalog.base, &table, &files, &count, &w->e);

    for (uint32_t i = 0; rc == ERR_OK && i < count; i++) {
        iceberg_data_file_free(files[i]);
    }
    if (rc == ERR_OK) {
        free(files);
    }
    catalog_table_deinit(&table);
    return rc;
}

TEST(test_catalog__survives_every_failed_allocation)
{
    static const enum script_outcome outcomes[] = {SCRIPT_OK, SCRIPT_UNKNOWN_NEVER,
                                                   SCRIPT_UNKNOWN_DONE};

    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        bool again = true;

        for (unsigned long nth = 1; again; nth++) {
            struct writer w;

            writer_init(&w);
            SCRIPT(&w.catalog, SCRIPT_OK, outcomes[i]);
            (void)numbered(&w, 1, 0);
            (void)numbered(&w, 2, 1);
            torture_fail_at(nth);
            enum err_code rc = create_and_commit(&w);

            again = torture_hit();
            torture_fail_at(0);
            if (rc != ERR_OK && rc != ERR_NOMEM) {
                fail_msg("allocation %lu: %s: %s", nth, err_code_name(rc), w.e.msg);
            }
            struct table_walk walk;

            walk_table(&walk, w.store, w.catalog.current);
            assert_int_equal(walk.missing, 0);
            walk_deinit(&walk);
            writer_deinit(&w);
        }
    }
}

#define PROPERTY_COMMITS 2000

static enum script_outcome random_outcome(struct script_catalog *c)
{
    uint64_t dice = rand_below(&c->base.rand, 100);

    if (rand_below(&c->base.rand, 10) == 0) {
        c->load_failures = (unsigned)rand_below(&c->base.rand, 4);
        c->load_code = ERR_TIMEOUT;
        c->load_retryable = true;
    }
    if (rand_below(&c->base.rand, 20) == 0) {
        script_land(c);
    }
    return dice < 60 ? SCRIPT_OK
                     : (enum script_outcome)(
                           SCRIPT_CONFLICT +
                           rand_below(&c->base.rand, SCRIPT_OUTCOMES - SCRIPT_CONFLICT));
}

static void random_store_failure(struct writer *w)
{
    static const enum fake_store_op ops[] = {FAKE_STORE_PUT, FAKE_STORE_GET, FAKE_STORE_REMOVE};
    struct rand *rand = &w->catalog.base.rand;

    if (rand_below(rand, 4) != 0) {
        return;
    }
    fake_store_fail(w->store, &(struct fake_failure){
                                  .op = ops[rand_below(rand, sizeof ops / sizeof ops[0])],
                                  .nth = 1 + (unsigned)rand_below(rand, 6),
                                  .part = w->carries ? NULL : "/metadata/",
                                  .times = 1 + (unsigned)rand_below(rand, 3),
                                  .code = ERR_TIMEOUT,
                                  .retryable = rand_below(rand, 3) != 0,
                              });
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(struct iceberg_data_file *const *)a)->path,
                  (*(struct iceberg_data_file *const *)b)->path);
}

/*
 * Any sequence of failures: every change is in the table exactly once, and no file that the table
 * names is missing.
 */
TEST(test_catalog__every_change_is_there_exactly_once)
{
    struct writer w;
    struct catalog_table table;
    struct iceberg_data_file **files;
    uint32_t count;
    unsigned given_up = 0;

    writer_init(&w);
    w.catalog.next = random_outcome;
    w.log.level = LOG_LEVEL_ERROR;
    for (unsigned n = 1; n <= PROPERTY_COMMITS; n++) {
        /* As after a restart: the same change, until it is there. */
        for (unsigned tries = 0;; tries++) {
            fake_clock_advance(&w.catalog.time, 1000000);
            /* The other writer and history's cuts do not suffer from failures. */
            w.carries = n % 2 == 0;
            random_store_failure(&w);
            enum err_code rc = commit(&w, n, n - 1);

            for (unsigned op = 0; op < FAKE_STORE_OPS; op++) {
                fake_store_fail_at(w.store, (enum fake_store_op)op, 0, ERR_OK);
            }
            if (rc == ERR_OK) {
                break;
            }
            if (rc == ERR_FENCED || rc == ERR_CORRUPT || rc == ERR_NOT_FOUND || tries > 100) {
                fail_msg("commit %u: %s: %s", n, err_code_name(rc), w.e.msg);
            }
            given_up++;
        }
        if (n % 100 == 0) {
            struct table_walk walk;

            walk_table(&walk, w.store, w.catalog.current);
            if (walk.missing > 0) {
                fail_msg("after commit %u %u files are missing, among them %s", n, walk.missing,
                         walk.first_missing);
            }
            walk_deinit(&walk);
        }
    }
    w.catalog.load_failures = 0;
    assert_true(given_up > 10);
    assert_ok(catalog_load(&w.catalog.base, lake_orders, &table, &w.e), &w.e);
    assert_ok(catalog_data_files(&w.catalog.base, &table, &files, &count, &w.e), &w.e);
    assert_u64_eq(count, PROPERTY_COMMITS + w.catalog.others);
    qsort(files, count, sizeof files[0], by_path);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(fake_store_has(w.store, files[i]->path));
        if (i > 0 && strcmp(files[i - 1]->path, files[i]->path) == 0) {
            fail_msg("%s is there twice", files[i]->path);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        iceberg_data_file_free(files[i]);
    }
    free(files);
    catalog_table_deinit(&table);
    writer_deinit(&w);
}

/* The same without what leaves files behind by its nature: nothing is stray in the end. */
static enum script_outcome tidy_outcome(struct script_catalog *c)
{
    enum script_outcome outcome;

    do {
        outcome = random_outcome(c);
    } while (outcome == SCRIPT_UNKNOWN_LOST || outcome == SCRIPT_FAILED);
    return outcome;
}

TEST(test_catalog__leaves_no_file_behind)
{
    struct writer w;

    writer_init(&w);
    w.catalog.next = tidy_outcome;
    w.log.level = LOG_LEVEL_ERROR;
    for (unsigned n = 1; n <= 300; n++) {
        fake_clock_advance(&w.catalog.time, 1000000);
        w.carries = n % 2 == 0;
        assert_ok(commit(&w, n, n - 1), &w.e);
        if (n % 25 == 0) {
            assert_clean(&w, 0);
        }
    }
    writer_deinit(&w);
}

#define RACERS       2
#define RACE_COMMITS 50

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

/* Two connections to one file, as two processes have: each commit is there once. */
TEST(test_catalog__two_writers_lose_nothing)
{
    struct temp_folder folder;
    struct store *store = fake_store_new();
    struct racer racers[RACERS] = {{.name = 'a'}, {.name = 'b'}};
    char path[128];
    struct err e = {0};
    struct catalog_table table;
    struct iceberg_data_file **files;
    uint32_t count;

    temp_folder_init(&folder);
    (void)snprintf(path, sizeof path, "%s/catalog.db", folder.path);
    for (int i = 0; i < RACERS; i++) {
        assert_ok(catalog_sqlite_open(
                      &(struct catalog_sqlite_options){
                          .path = path, .name = "default", .store = store, .clock = clock_system()},
                      &racers[i].catalog, &e),
                  &e);
    }
    assert_ok(lake_create(racers[0].catalog, lake_orders, LAKE_LOCATION, &e), &e);
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
        if (racers[i].done != RACE_COMMITS) {
            fail_msg("after %u commits: %s", racers[i].done, racers[i].e.msg);
        }
    }
    assert_ok(catalog_load(racers[0].catalog, lake_orders, &table, &e), &e);
    assert_int_equal(iceberg_metadata_snapshot_count(table.metadata), RACERS * RACE_COMMITS);
    assert_ok(catalog_data_files(racers[0].catalog, &table, &files, &count, &e), &e);
    assert_int_equal(count, RACERS * RACE_COMMITS);
    qsort(files, count, sizeof files[0], by_path);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(i == 0 || strcmp(files[i - 1]->path, files[i]->path) != 0);
        /* For the walk below: the test writes no data. */
        assert_true(fake_store_set(store, files[i]->path, span_str("x")));
    }
    for (uint32_t i = 0; i < count; i++) {
        iceberg_data_file_free(files[i]);
    }
    free(files);
    assert_tidy(store, table.metadata_location, 0);
    catalog_table_deinit(&table);
    for (int i = 0; i < RACERS; i++) {
        catalog_free(racers[i].catalog);
    }
    store_free(store);
    temp_folder_deinit(&folder);
}

TEST_MAIN(test_case(test_catalog__creates_with_bounded_metadata),
          test_case(test_catalog__settles_a_creation_without_an_answer),
          test_case(test_catalog__tells_its_creation_from_that_of_others),
          test_case(test_catalog__recognises_its_creation_where_a_server_names_tables),
          test_case(test_catalog__commits_one_snapshot),
          test_case(test_catalog__does_nothing_when_it_is_done_or_refused),
          test_case(test_catalog__builds_again_on_what_others_committed),
          test_case(test_catalog__finds_what_happened_without_an_answer),
          test_case(test_catalog__swaps_the_same_attempt_again),
          test_case(test_catalog__meets_its_own_late_swap),
          test_case(test_catalog__starts_over_when_others_passed_it),
          test_case(test_catalog__asks_the_check_before_it_removes_anything),
          test_case(test_catalog__removes_nothing_when_fenced_without_an_answer),
          test_case(test_catalog__never_overrules_a_refusal),
          test_case(test_catalog__waits_for_a_catalog_that_is_away),
          test_case(test_catalog__stops_waiting_when_cancelled),
          test_case(test_catalog__gives_up_without_an_answer_only_for_good_reason),
          test_case(test_catalog__tries_again_what_may_pass),
          test_case(test_catalog__fails_at_once_when_it_cannot_pass),
          test_case(test_catalog__does_not_fail_for_what_it_cannot_remove),
          test_case(test_catalog__puts_what_a_change_brings_along),
          test_case(test_catalog__takes_no_other_bytes_for_its_own),
          test_case(test_catalog__commits_properties_alone),
          test_case(test_catalog__says_that_the_table_is_gone),
          test_case(test_catalog__says_that_a_file_is_gone),
          test_case(test_catalog__takes_a_file_removed_by_others_for_a_conflict),
          test_case(test_catalog__survives_every_failed_allocation),
          test_case(test_catalog__every_change_is_there_exactly_once),
          test_case(test_catalog__leaves_no_file_behind),
          test_case(test_catalog__two_writers_lose_nothing))
