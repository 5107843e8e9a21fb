#include "pipeline/table_writer.h"

#include <stdlib.h>

#include "base/str.h"
#include "fake_store.h"
#include "pipeline/changelog.h"
#include "read_back.h"

#define LOCATION "file:///lake/shop/orders"

static struct table_writer *open_writer(struct store *store, uint64_t target_file_bytes)
{
    struct table_writer *w = NULL;
    struct err e = {0};

    assert_ok(
        table_writer_new(&(struct table_writer_options){.store = store,
                                                        .location = LOCATION,
                                                        .schema = changelog_schema(),
                                                        .by_day = true,
                                                        .zstd_level = 1,
                                                        .row_group_bytes = 1 << 20,
                                                        .target_file_bytes = target_file_bytes,
                                                        .seed = 1},
                         &w, &e),
        &e);
    return w;
}

/* A batch of rows numbered from `first`, all of one day. */
static struct column_batch *rows(int32_t day, uint32_t first, uint32_t count)
{
    struct column_batch *b = changelog_batch_new(changelog_schema());

    assert_non_null(b);
    for (uint32_t i = first; i < first + count; i++) {
        char payload[32];

        (void)snprintf(payload, sizeof payload, "{\"id\":%u}", i);
        column_put_bytes(&b->columns[CHANGELOG_EVENT_TYPE], span_str("insert"));
        column_put_i64(&b->columns[CHANGELOG_TIMESTAMP], day * INT64_C(86400000000));
        column_put_bytes(&b->columns[CHANGELOG_LOG_FILE], span_str("binlog.000001"));
        column_put_i64(&b->columns[CHANGELOG_LOG_POSITION], i);
        column_put_bytes(&b->columns[CHANGELOG_PAYLOAD], span_str(payload));
        b->row_count++;
    }
    return b;
}

static enum err_code write_rows(struct table_writer *w, int32_t day, uint32_t first, uint32_t count,
                                struct err *e)
{
    struct column_batch *b = rows(day, first, count);
    enum err_code rc = table_writer_write(w, day, b, e);

    column_batch_free(b);
    return rc;
}

/* The file's rows are those numbered from `first`, in order. */
static void check_file(struct store *store, const struct iceberg_data_file *f, int32_t day,
                       uint32_t first, uint32_t count)
{
    struct buf got = {0};
    struct buf want = {0};

    assert_true(fake_store_has(store, f->path));
    assert_true(f->has_day);
    assert_int_equal(f->day, day);
    assert_i64_eq(f->record_count, count);
    assert_u64_eq(f->file_bytes, fake_store_peek(store, f->path).len);
    assert_u64_eq(read_back(store, f->path, &got), count);
    for (uint32_t i = first; i < first + count; i++) {
        buf_printf(&want, "insert %lld binlog.000001 %u {\"id\":%u}\n",
                   (long long)(day * INT64_C(86400000000)), i, i);
    }
    assert_bytes_eq(buf_span(&got), buf_span(&want));
    buf_deinit(&got);
    buf_deinit(&want);
}

TEST(test_table_writer__makes_one_file_a_day)
{
    struct store *store = fake_store_new();
    struct table_writer *w = open_writer(store, 1 << 30);
    struct data_file_list files = {0};
    struct err e = {0};

    assert_ok(write_rows(w, 19782, 0, 100, &e), &e);
    assert_ok(write_rows(w, 19783, 500, 3, &e), &e);
    assert_ok(write_rows(w, 19782, 100, 50, &e), &e);
    assert_u64_eq(fake_store_count(store, ""), 0);
    assert_true(table_writer_buffered(w) > 0);
    assert_ok(table_writer_take(w, &files, &e), &e);
    assert_int_equal(files.count, 2);
    assert_u64_eq(fake_store_count(store, LOCATION "/data/date="), 2);
    assert_true(str_starts_with(files.files[0]->path, LOCATION "/data/date=2024-02-29/00000-"));
    assert_true(str_starts_with(files.files[1]->path, LOCATION "/data/date=2024-03-01/00001-"));
    assert_true(str_ends_with(files.files[0]->path, ".parquet"));
    check_file(store, files.files[0], 19782, 0, 150);
    check_file(store, files.files[1], 19783, 500, 3);
    assert_u64_eq(table_writer_buffered(w), 0);
    /* The next take has only what came since. */
    assert_ok(write_rows(w, 19783, 503, 4, &e), &e);
    assert_ok(table_writer_take(w, &files, &e), &e);
    assert_int_equal(files.count, 3);
    check_file(store, files.files[2], 19783, 503, 4);
    assert_ok(table_writer_take(w, &files, &e), &e);
    assert_int_equal(files.count, 3);
    table_writer_free(w);
    /* Files that were taken are not the writer's to remove. */
    assert_u64_eq(fake_store_count(store, ""), 3);
    data_file_list_deinit(&files);
    store_free(store);
}

TEST(test_table_writer__writes_tables_without_days)
{
    struct store *store = fake_store_new();
    struct table_writer *w = NULL;
    struct data_file_list files = {0};
    struct err e = {0};

    assert_ok(table_writer_new(&(struct table_writer_options){.store = store,
                                                              .location = LOCATION,
                                                              .schema = changelog_schema(),
                                                              .target_file_bytes = 1 << 30,
                                                              .seed = 1},
                               &w, &e),
              &e);
    assert_ok(write_rows(w, 0, 0, 5, &e), &e);
    assert_ok(table_writer_take(w, &files, &e), &e);
    assert_int_equal(files.count, 1);
    assert_false(files.files[0]->has_day);
    assert_true(str_starts_with(files.files[0]->path, LOCATION "/data/00000-"));
    data_file_list_deinit(&files);
    table_writer_free(w);
    store_free(store);
}

TEST(test_table_writer__starts_a_new_file_at_the_target_size)
{
    struct store *store = fake_store_new();
    struct table_writer *w = open_writer(store, 20000);
    struct data_file_list files = {0};
    struct err e = {0};
    uint32_t next = 0;

    for (int i = 0; i < 40; i++) {
        assert_ok(write_rows(w, 1, next, 1000, &e), &e);
        next += 1000;
    }
    /* Files are finished as they fill, not at the end. */
    assert_true(fake_store_count(store, "") >= 3);
    assert_ok(table_writer_take(w, &files, &e), &e);
    assert_true(files.count >= 4);
    uint32_t first = 0;

    for (uint32_t i = 0; i < files.count; i++) {
        check_file(store, files.files[i], 1, first, (uint32_t)files.files[i]->record_count);
        first += (uint32_t)files.files[i]->record_count;
        /* The last may be small; the others reach the target and pass it by one batch at most. */
        if (i + 1 < files.count) {
            assert_in_range(files.files[i]->file_bytes, 19000, 60000);
        }
    }
    assert_int_equal(first, next);
    data_file_list_deinit(&files);
    table_writer_free(w);
    store_free(store);
}

TEST(test_table_writer__ends_the_file_that_was_not_used_for_longest)
{
    struct store *store = fake_store_new();
    struct table_writer *w = open_writer(store, 1 << 30);
    struct data_file_list files = {0};
    struct err e = {0};

    for (int32_t day = 0; day < 8; day++) {
        assert_ok(write_rows(w, day, (uint32_t)day * 10, 1, &e), &e);
    }
    assert_ok(write_rows(w, 0, 1, 1, &e), &e);
    assert_u64_eq(fake_store_count(store, ""), 0);
    assert_ok(write_rows(w, 8, 80, 1, &e), &e);
    assert_u64_eq(fake_store_count(store, ""), 1);
    assert_u64_eq(fake_store_count(store, LOCATION "/data/date=1970-01-02/"), 1);
    /* A day that comes again gets a second file. */
    assert_ok(write_rows(w, 1, 11, 1, &e), &e);
    assert_ok(table_writer_take(w, &files, &e), &e);
    assert_int_equal(files.count, 10);
    assert_u64_eq(fake_store_count(store, LOCATION "/data/date=1970-01-02/"), 2);
    uint64_t total = 0;

    for (uint32_t i = 0; i < files.count; i++) {
        total += (uint64_t)files.files[i]->record_count;
        for (uint32_t k = 0; k < i; k++) {
            assert_string_not_equal(files.files[i]->path, files.files[k]->path);
        }
    }
    assert_u64_eq(total, 11);
    data_file_list_deinit(&files);
    table_writer_free(w);
    store_free(store);
}

TEST(test_table_writer__spills_to_give_memory_back)
{
    struct store *store = fake_store_new();
    struct table_writer *w = open_writer(store, 1 << 30);
    struct data_file_list files = {0};
    struct err e = {0};

    assert_ok(table_writer_spill(w, &e), &e);
    assert_ok(write_rows(w, 1, 0, 1000, &e), &e);
    assert_ok(write_rows(w, 2, 5000, 10, &e), &e);
    assert_ok(table_writer_spill(w, &e), &e);
    assert_u64_eq(table_writer_buffered(w), 0);
    assert_u64_eq(fake_store_count(store, ""), 2);
    assert_ok(write_rows(w, 1, 1000, 10, &e), &e);
    assert_ok(table_writer_take(w, &files, &e), &e);
    assert_int_equal(files.count, 3);
    check_file(store, files.files[0], 1, 0, 1000);
    check_file(store, files.files[1], 2, 5000, 10);
    check_file(store, files.files[2], 1, 1000, 10);
    data_file_list_deinit(&files);
    table_writer_free(w);
    store_free(store);
}

/* A store that keeps unfinished files in memory: what has left the row groups still counts. */
TEST(test_table_writer__counts_what_the_store_holds)
{
    struct store *store = fake_store_new();
    struct table_writer *w = open_writer(store, 1 << 30);
    struct err e = {0};

    assert_ok(write_rows(w, 1, 0, 1000, &e), &e);
    assert_ok(write_rows(w, 2, 5000, 1000, &e), &e);
    uint64_t of_row_groups = table_writer_buffered(w);

    assert_true(of_row_groups > 0);
    fake_store_hold(store, true);
    /* At least the magic of each file is with the store. */
    assert_true(table_writer_buffered(w) >= of_row_groups + 8);
    assert_ok(table_writer_spill(w, &e), &e);
    assert_u64_eq(table_writer_buffered(w), 0);
    table_writer_free(w);
    store_free(store);
}

TEST(test_table_writer__discards_without_a_trace)
{
    struct store *store = fake_store_new();
    struct table_writer *w = open_writer(store, 1 << 30);
    struct data_file_list files = {0};
    struct err e = {0};

    assert_ok(write_rows(w, 1, 0, 10, &e), &e);
    assert_ok(table_writer_take(w, &files, &e), &e);
    assert_ok(write_rows(w, 1, 10, 10, &e), &e);
    assert_ok(table_writer_spill(w, &e), &e);
    assert_ok(write_rows(w, 1, 20, 10, &e), &e);
    assert_u64_eq(fake_store_count(store, ""), 2);
    assert_ok(table_writer_discard(w, &e), &e);
    /* Only what was taken before is left. */
    assert_u64_eq(fake_store_count(store, ""), 1);
    assert_true(fake_store_has(store, files.files[0]->path));
    assert_ok(table_writer_take(w, &files, &e), &e);
    assert_int_equal(files.count, 1);
    assert_ok(write_rows(w, 1, 30, 10, &e), &e);
    assert_ok(table_writer_take(w, &files, &e), &e);
    assert_int_equal(files.count, 2);
    check_file(store, files.files[1], 1, 30, 10);
    /* Freeing a writer discards too. */
    assert_ok(write_rows(w, 1, 40, 10, &e), &e);
    assert_ok(table_writer_spill(w, &e), &e);
    assert_u64_eq(fake_store_count(store, ""), 3);
    table_writer_free(w);
    table_writer_free(NULL);
    assert_u64_eq(fake_store_count(store, ""), 2);
    data_file_list_deinit(&files);
    store_free(store);
}

TEST(test_table_writer__reports_files_it_cannot_remove)
{
    struct store *store = fake_store_new();
    struct table_writer *w = open_writer(store, 1);
    struct err e = {0};

    for (uint32_t i = 0; i < 3; i++) {
        assert_ok(write_rows(w, 1, i, 1, &e), &e);
    }
    assert_u64_eq(fake_store_count(store, ""), 3);
    fake_store_fail_at(store, FAKE_STORE_REMOVE, 1, ERR_IO);
    assert_err(table_writer_discard(w, &e), ERR_IO, &e);
    assert_int_equal(e.code, ERR_IO);
    /* The others went all the same, and nobody tries again. */
    assert_u64_eq(fake_store_count(store, ""), 1);
    assert_ok(table_writer_discard(w, &e), &e);
    table_writer_free(w);
    store_free(store);
}

/* Writes, rolls, spills and takes; ERR_OK, or the first failure. */
static enum err_code work(struct table_writer *w, struct data_file_list *files, struct err *e)
{
    for (uint32_t i = 0; i < 3; i++) {
        for (int32_t day = 0; day < 3; day++) {
            struct column_batch *b = changelog_batch_new(changelog_schema());

            if (b == NULL) {
                return err_nomem(e);
            }
            column_put_bytes(&b->columns[CHANGELOG_EVENT_TYPE], span_str("insert"));
            column_put_i64(&b->columns[CHANGELOG_TIMESTAMP], day);
            column_put_bytes(&b->columns[CHANGELOG_LOG_FILE], span_str("binlog.000001"));
            column_put_i64(&b->columns[CHANGELOG_LOG_POSITION], i);
            column_put_bytes(&b->columns[CHANGELOG_PAYLOAD], span_str("{}"));
            b->row_count++;
            enum err_code rc = column_batch_check(b, e);

            if (rc == ERR_OK) {
                rc = table_writer_write(w, day, b, e);
            }
            column_batch_free(b);
            ERR_TRY(rc);
        }
        if (i == 1) {
            ERR_TRY(table_writer_spill(w, e));
        }
    }
    return table_writer_take(w, files, e);
}

TEST(test_table_writer__leaves_nothing_when_the_store_fails)
{
    static const enum fake_store_op ops[] = {FAKE_STORE_CREATE, FAKE_STORE_WRITE,
                                             FAKE_STORE_FINISH};

    for (size_t op = 0; op < 3; op++) {
        unsigned failures = 0;

        for (unsigned nth = 1;; nth++) {
            struct store *store = fake_store_new();
            struct table_writer *w = open_writer(store, 1 << 30);
            struct data_file_list files = {0};
            struct err e = {0};

            fake_store_fail_at(store, ops[op], nth, ERR_IO);
            enum err_code rc = work(w, &files, &e);

            if (rc != ERR_OK) {
                assert_int_equal(rc, ERR_IO);
                assert_non_null(strstr(e.msg, LOCATION "/data/date=1970-01-0"));
                assert_non_null(strstr(e.msg, "planned failure"));
                assert_int_equal(files.count, 0);
                failures++;
                assert_ok(table_writer_discard(w, &e), &e);
                assert_u64_eq(fake_store_count(store, ""), 0);
            }
            table_writer_free(w);
            data_file_list_deinit(&files);
            store_free(store);
            if (rc == ERR_OK) {
                break;
            }
        }
        assert_true(failures >= 6);
    }
}

TEST(test_table_writer__survives_lack_of_memory)
{
    unsigned long failures = 0;

    TORTURE(nth)
    {
        torture_fail_at(0);
        struct store *store = fake_store_new();

        assert_non_null(store);
        torture_fail_at(nth);
        struct table_writer *w = NULL;
        struct data_file_list files = {0};
        struct err e = {0};
        enum err_code rc =
            table_writer_new(&(struct table_writer_options){.store = store,
                                                            .location = LOCATION,
                                                            .schema = changelog_schema(),
                                                            .by_day = true,
                                                            .target_file_bytes = 1 << 30},
                             &w, &e);

        if (rc == ERR_OK) {
            rc = work(w, &files, &e);
        }
        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        failures += rc == ERR_OK ? 0 : 1;
        assert_true(rc == ERR_OK ? files.count == 6 : files.count == 0);
        table_writer_free(w);
        if (rc != ERR_OK) {
            assert_u64_eq(fake_store_count(store, ""), 0);
        }
        data_file_list_deinit(&files);
        store_free(store);
    }
    assert_true(failures > 50);
}

TEST_MAIN(test_case(test_table_writer__makes_one_file_a_day),
          test_case(test_table_writer__writes_tables_without_days),
          test_case(test_table_writer__starts_a_new_file_at_the_target_size),
          test_case(test_table_writer__ends_the_file_that_was_not_used_for_longest),
          test_case(test_table_writer__spills_to_give_memory_back),
          test_case(test_table_writer__counts_what_the_store_holds),
          test_case(test_table_writer__discards_without_a_trace),
          test_case(test_table_writer__reports_files_it_cannot_remove),
          test_case(test_table_writer__leaves_nothing_when_the_store_fails),
          test_case(test_table_writer__survives_lack_of_memory))
