#include "pipeline/lane.h"

#include <stdlib.h>

#include "base/str.h"
#include "fake_store.h"
#include "pipeline/changelog.h"
#include "read_back.h"

enum { TABLES = 3, DAY_S = 86400 };

/* shop.t0 and shop.t1 of lane 0 and shop.t2 of lane 1, (id INT, note VARCHAR(20)) each. */
static struct column_def columns[] = {
    {.name = "id", .type = COLUMN_TYPE_INT},
    {.name = "note",
     .type = COLUMN_TYPE_VARCHAR,
     .length = 20,
     .nullable = true,
     .charset = "utf8mb4"},
};
static const struct table_def def = {
    .schema = "shop", .name = "t", .columns = columns, .column_count = 2};

struct fixture {
    struct run_options options;
    struct run run;
    struct followed_table *tables[TABLES];
    struct queue *committer;
    struct lane *lane;
    struct cut cuts[8];
    uint32_t cut_count;
    struct slab *slab; /* rows not sent yet */
};

static void put_hex(struct buf *out, const char *hex)
{
    uint8_t bytes[64];

    buf_append(out, bytes, test_unhex(hex, bytes, sizeof bytes));
}

/* Head of a rows event (version 2) of both columns; UPDATE_ROWS has two images. */
static void put_rows_head(struct buf *out, uint8_t type)
{
    put_hex(out, "690000000000 0100 0200 02 ff");
    put_hex(out, type == BINLOG_EVENT_UPDATE_ROWS ? "ff" : "");
}

static void on_fail(void *ctx)
{
    struct fixture *f = ctx;

    queue_close(f->committer);
}

static void open_lane(struct fixture *f, size_t memory_bytes, uint64_t target_file_bytes)
{
    struct buf map = {0};
    struct err e = {0};

    *f = (struct fixture){
        .options = {.zstd_level = 1,
                    .row_group_bytes = 1 << 20,
                    .target_file_bytes = target_file_bytes},
        .committer = queue_new(1 << 20),
    };
    f->run.options = &f->options;
    f->run.store = fake_store_new();
    f->run.clock = clock_system();
    f->run.on_fail = on_fail;
    f->run.on_fail_ctx = f;
    assert_non_null(f->committer);
    assert_non_null(f->run.store);
    assert_int_equal(pthread_mutex_init(&f->run.mutex, NULL), 0);
    /* Table id, flags, shop.t, INT and VARCHAR of up to 80 bytes, which may be NULL. */
    put_hex(&map, "690000000000 0100 04 73686f70 00 01 74 00 02 030f 02 5000 02");
    for (unsigned i = 0; i < TABLES; i++) {
        char name[8];
        char location[64];

        (void)snprintf(name, sizeof name, "t%u", i);
        (void)snprintf(location, sizeof location, "file:///lake/shop/%s", name);
        assert_ok(followed_table_new("shop", name, location, &f->tables[i], &e), &e);
        f->tables[i]->lane = i / 2;
        f->tables[i]->source.def = &def;
        assert_ok(followed_table_plan(f->tables[i], buf_span(&map), &e), &e);
    }
    buf_deinit(&map);
    assert_ok(lane_start(&(struct lane_options){.run = &f->run,
                                                .tables = f->tables,
                                                .table_count = TABLES,
                                                .memory_bytes = memory_bytes,
                                                .committer = f->committer},
                         &f->lane, &e),
              &e);
}

/* The lane's threads have ended; what they left in the committer's queue is freed. */
static void close_lane(struct fixture *f)
{
    struct queue_link *link;

    slab_free(f->slab);
    lane_close(f->lane);
    lane_join(f->lane);
    queue_close(f->committer);
    while ((link = queue_pop(f->committer)) != NULL) {
        cut_part_free((struct cut_part *)link);
    }
    for (unsigned i = 0; i < TABLES; i++) {
        followed_table_free(f->tables[i]);
    }
    queue_free(f->committer);
    store_free(f->run.store);
    (void)pthread_mutex_destroy(&f->run.mutex);
}

static void send_rows(struct fixture *f)
{
    struct slab *s = f->slab;

    f->slab = NULL;
    if (s != NULL) {
        /* False when the run has failed: the slab is gone all the same. */
        (void)!lane_push(f->lane, s);
    }
}

static void put_image(struct buf *body, int32_t id, const char *note)
{
    buf_u8(body, note == NULL ? 0x02 : 0);
    buf_append(body, &id, sizeof id);
    if (note != NULL) {
        buf_u8(body, (uint8_t)strlen(note));
        buf_append_str(body, note);
    }
}

/* Adds a rows event of any body to the slab. */
static void add_event(struct fixture *f, unsigned table, uint8_t type, uint32_t timestamp_s,
                      uint64_t position, struct span body)
{
    if (f->slab == NULL) {
        f->slab = calloc(1, sizeof *f->slab);
        assert_non_null(f->slab);
        (void)snprintf(f->slab->log_file, sizeof f->slab->log_file, "binlog.000001");
    }
    struct slab_entry entry;

    memset(&entry, 0, sizeof entry);
    entry.table = f->tables[table];
    entry.plan = f->tables[table]->source.plan;
    entry.log_position = position;
    entry.timestamp_s = timestamp_s;
    entry.body_bytes = (uint32_t)body.len;
    entry.event_type = type;
    buf_append(&f->slab->bytes, &entry, sizeof entry);
    buf_append_span(&f->slab->bytes, body);
    assert_int_equal(f->slab->bytes.failed, ERR_OK);
}

static void add_insert(struct fixture *f, unsigned table, uint32_t timestamp_s, uint64_t position,
                       int32_t first, uint32_t count)
{
    struct buf body = {0};

    put_rows_head(&body, BINLOG_EVENT_WRITE_ROWS);
    for (uint32_t i = 0; i < count; i++) {
        put_image(&body, first + (int32_t)i, "x");
    }
    add_event(f, table, BINLOG_EVENT_WRITE_ROWS, timestamp_s, position, buf_span(&body));
    buf_deinit(&body);
}

static void send_mark(struct fixture *f, enum slab_kind kind)
{
    send_rows(f);
    struct slab *s = calloc(1, sizeof *s);

    assert_non_null(s);
    s->kind = kind;
    if (kind == SLAB_CUT) {
        s->cut = &f->cuts[f->cut_count++];
    }
    (void)!lane_push(f->lane, s);
}

/* The cut's part; the run must not have failed. */
static struct cut_part *next_part(struct fixture *f)
{
    struct cut_part *p = (struct cut_part *)queue_pop(f->committer);

    if (p == NULL) {
        fail_msg("the run failed: %s", f->run.error.msg);
    }
    return p;
}

/* A table's files in a part, which still owns them; an empty list when there are none. */
static struct data_file_list files_of(const struct cut_part *p, const struct followed_table *t)
{
    for (uint32_t i = 0; i < p->table_count; i++) {
        if (p->tables[i].table == t) {
            return p->tables[i].files;
        }
    }
    return (struct data_file_list){0};
}

/* The rows of a table in a part, in the order of its files. */
static uint64_t rows_of(struct fixture *f, const struct cut_part *p, unsigned table,
                        struct buf *out)
{
    struct data_file_list files = files_of(p, f->tables[table]);
    uint64_t rows = 0;

    for (uint32_t i = 0; i < files.count; i++) {
        rows += read_back(f->run.store, files.files[i]->path, out);
    }
    return rows;
}

TEST(test_lane__turns_rows_events_into_changelog_rows)
{
    struct fixture f;
    struct buf body = {0};
    struct buf rows = {0};

    open_lane(&f, 16 << 20, 1 << 30);
    put_rows_head(&body, BINLOG_EVENT_WRITE_ROWS);
    put_image(&body, 1, "a\"b");
    put_image(&body, -2, NULL);
    add_event(&f, 0, BINLOG_EVENT_WRITE_ROWS, 1000, 120, buf_span(&body));
    buf_reset(&body);
    put_rows_head(&body, BINLOG_EVENT_UPDATE_ROWS);
    put_image(&body, 1, "before");
    put_image(&body, 1, "after");
    add_event(&f, 0, BINLOG_EVENT_UPDATE_ROWS, 1001, 4294967300, buf_span(&body));
    buf_reset(&body);
    put_rows_head(&body, BINLOG_EVENT_DELETE_ROWS);
    put_image(&body, 1, "gone");
    add_event(&f, 0, BINLOG_EVENT_DELETE_ROWS, 1001, 4294967400, buf_span(&body));
    send_mark(&f, SLAB_CUT);
    struct cut_part *p = next_part(&f);

    assert_ptr_equal(p->cut, &f.cuts[0]);
    assert_int_equal(p->table_count, 1);
    assert_ptr_equal(p->tables[0].table, f.tables[0]);
    assert_u64_eq(rows_of(&f, p, 0, &rows), 4);
    assert_text_eq(buf_span(&rows),
                   "insert 1000000000 binlog.000001 120 {\"id\":1,\"note\":\"a\\\"b\"}\n"
                   "insert 1000000000 binlog.000001 120 {\"id\":-2,\"note\":null}\n"
                   "update 1001000000 binlog.000001 4294967300 {\"id\":1,\"note\":\"after\"}\n"
                   "delete 1001000000 binlog.000001 4294967400 {\"id\":1,\"note\":\"gone\"}\n");
    assert_u64_eq(f.run.counters.rows_decoded, 4);
    cut_part_free(p);
    buf_deinit(&rows);
    buf_deinit(&body);
    close_lane(&f);
}

TEST(test_lane__answers_a_cut_without_rows)
{
    struct fixture f;

    open_lane(&f, 16 << 20, 1 << 30);
    for (int i = 0; i < 3; i++) {
        send_mark(&f, SLAB_CUT);
        struct cut_part *p = next_part(&f);

        assert_ptr_equal(p->cut, &f.cuts[i]);
        assert_int_equal(p->table_count, 0);
        cut_part_free(p);
    }
    /* An event without rows is fine, and makes no file. */
    add_insert(&f, 0, 1, 100, 0, 0);
    send_mark(&f, SLAB_CUT);
    struct cut_part *p = next_part(&f);

    assert_int_equal(p->table_count, 0);
    assert_u64_eq(fake_store_calls(f.run.store, FAKE_STORE_CREATE), 0);
    cut_part_free(p);
    close_lane(&f);
}

TEST(test_lane__keeps_tables_apart)
{
    struct fixture f;
    struct buf rows = {0};

    open_lane(&f, 16 << 20, 1 << 30);
    add_insert(&f, 0, 5, 100, 1, 2);
    add_insert(&f, 1, 5, 200, 10, 1);
    send_rows(&f);
    add_insert(&f, 0, 5, 300, 3, 1);
    send_mark(&f, SLAB_CUT);
    add_insert(&f, 1, 5, 400, 11, 1);
    send_mark(&f, SLAB_CUT);
    struct cut_part *first = next_part(&f);
    struct cut_part *second = next_part(&f);

    assert_int_equal(first->table_count, 2);
    assert_u64_eq(rows_of(&f, first, 0, &rows), 3);
    assert_text_eq(buf_span(&rows), "insert 5000000 binlog.000001 100 {\"id\":1,\"note\":\"x\"}\n"
                                    "insert 5000000 binlog.000001 100 {\"id\":2,\"note\":\"x\"}\n"
                                    "insert 5000000 binlog.000001 300 {\"id\":3,\"note\":\"x\"}\n");
    buf_reset(&rows);
    assert_u64_eq(rows_of(&f, first, 1, &rows), 1);
    assert_text_eq(buf_span(&rows),
                   "insert 5000000 binlog.000001 200 {\"id\":10,\"note\":\"x\"}\n");
    buf_reset(&rows);
    assert_int_equal(second->table_count, 1);
    assert_u64_eq(rows_of(&f, second, 1, &rows), 1);
    assert_text_eq(buf_span(&rows),
                   "insert 5000000 binlog.000001 400 {\"id\":11,\"note\":\"x\"}\n");
    assert_u64_eq(fake_store_count(f.run.store, "file:///lake/shop/t1/data/date=1970-01-01/0000"),
                  2);
    /* A table of another lane is not this lane's to open. */
    assert_null(f.tables[2]->writer);
    cut_part_free(first);
    cut_part_free(second);
    buf_deinit(&rows);
    close_lane(&f);
}

/* Rows `first`, first + step, ... of one file in order; returns how many. */
static uint64_t check_order(const struct buf *rows, uint64_t step)
{
    struct span left = buf_span(rows);
    long last = -1;
    uint64_t count = 0;

    while (left.len > 0) {
        const char *line = (const char *)left.data;
        const char *payload = memchr(line, '{', left.len);
        const char *end = memchr(line, '\n', left.len);

        assert_non_null(payload);
        assert_non_null(end);
        assert_memory_equal(payload, "{\"id\":", 6);
        long n = strtol(payload + 6, NULL, 10);

        assert_true(last < 0 || n == last + (long)step);
        last = n;
        count++;
        left = span_of(end + 1, left.len - (size_t)(end + 1 - line));
    }
    return count;
}

TEST(test_lane__keeps_the_order_of_many_rows)
{
    enum { EVENTS = 500, ROWS = 100 };
    struct fixture f;
    struct buf rows = {0};

    /* So little memory that queues fill, and files so small that they roll. */
    open_lane(&f, 256 << 10, 30000);
    for (uint32_t i = 0; i < EVENTS; i++) {
        add_insert(&f, 0, 7, 100 + i, (int32_t)(i * ROWS), ROWS);
        send_rows(&f);
    }
    send_mark(&f, SLAB_CUT);
    struct cut_part *p = next_part(&f);
    struct data_file_list files = files_of(p, f.tables[0]);

    assert_true(files.count > 1);
    assert_u64_eq(rows_of(&f, p, 0, &rows), EVENTS * ROWS);
    assert_u64_eq(check_order(&rows, 1), EVENTS * ROWS);
    assert_u64_eq(f.run.counters.rows_decoded, EVENTS * ROWS);
    cut_part_free(p);
    buf_deinit(&rows);
    close_lane(&f);
}

/* More days at once than there are open batches, row by row. */
TEST(test_lane__keeps_the_order_of_each_day)
{
    enum { DAYS = 7, ROUNDS = 60 };
    struct fixture f;
    struct buf rows = {0};
    uint64_t total = 0;

    open_lane(&f, 16 << 20, 1 << 30);
    for (uint32_t i = 0; i < DAYS * ROUNDS; i++) {
        add_insert(&f, 1, i % DAYS * DAY_S + 5, 100 + i, (int32_t)i, 1);
    }
    send_mark(&f, SLAB_CUT);
    struct cut_part *p = next_part(&f);
    struct data_file_list files = files_of(p, f.tables[1]);

    assert_int_equal(files.count, DAYS);
    for (uint32_t i = 0; i < files.count; i++) {
        buf_reset(&rows);
        (void)read_back(f.run.store, files.files[i]->path, &rows);
        total += check_order(&rows, DAYS);
        char day[64];

        (void)snprintf(day, sizeof day, "/date=1970-01-%02d/", files.files[i]->day + 1);
        assert_non_null(strstr(files.files[i]->path, day));
    }
    assert_u64_eq(total, DAYS * ROUNDS);
    cut_part_free(p);
    buf_deinit(&rows);
    close_lane(&f);
}

TEST(test_lane__drops_rows_since_the_last_cut)
{
    struct fixture f;
    struct buf rows = {0};

    /* Each batch is a file at once, so that finished files have to go too. */
    open_lane(&f, 16 << 20, 1);
    add_insert(&f, 0, 5, 100, 1, 1);
    send_mark(&f, SLAB_CUT);
    struct cut_part *first = next_part(&f);

    for (int i = 0; i < 20; i++) {
        add_insert(&f, 0, 5, 200, 1000, 2000);
        add_insert(&f, 1, 5, 200, 1000, 20001);
    }
    send_mark(&f, SLAB_DISCARD);
    add_insert(&f, 0, 5, 300, 2, 1);
    send_mark(&f, SLAB_CUT);
    struct cut_part *second = next_part(&f);

    assert_true(fake_store_calls(f.run.store, FAKE_STORE_REMOVE) > 0);
    assert_int_equal(second->table_count, 1);
    assert_u64_eq(rows_of(&f, first, 0, &rows), 1);
    assert_u64_eq(rows_of(&f, second, 0, &rows), 1);
    assert_text_eq(buf_span(&rows), "insert 5000000 binlog.000001 100 {\"id\":1,\"note\":\"x\"}\n"
                                    "insert 5000000 binlog.000001 300 {\"id\":2,\"note\":\"x\"}\n");
    assert_u64_eq(fake_store_count(f.run.store, ""), 2);
    cut_part_free(first);
    cut_part_free(second);
    buf_deinit(&rows);
    close_lane(&f);
}

/* Lets the lane end after a failure and checks its message. */
static void check_failure(struct fixture *f, enum err_code want, const char *message)
{
    /* The committer's queue is closed by the failure. */
    struct queue_link *link = queue_pop(f->committer);

    assert_null(link);
    assert_true(run_failed(&f->run));
    (void)pthread_mutex_lock(&f->run.mutex);
    struct err e = f->run.error;

    (void)pthread_mutex_unlock(&f->run.mutex);
    if (e.code != want || strstr(e.msg, message) == NULL) {
        fail_msg("%s: %s", err_code_name(e.code), e.msg);
    }
    lane_abort(f->lane);
    close_lane(f);
}

TEST(test_lane__fails_the_run_when_the_store_fails)
{
    static const enum fake_store_op ops[] = {FAKE_STORE_CREATE, FAKE_STORE_WRITE,
                                             FAKE_STORE_FINISH};

    for (size_t i = 0; i < 3; i++) {
        struct fixture f;

        open_lane(&f, 16 << 20, 1);
        fake_store_fail_at(f.run.store, ops[i], 1, ERR_IO);
        add_insert(&f, 0, 5, 100, 1, 10);
        send_mark(&f, SLAB_CUT);
        /* Later messages are taken and dropped; nobody waits for ever. */
        for (uint32_t n = 0; n < 100; n++) {
            add_insert(&f, 0, 5, 200 + n, 1, 1000);
            send_rows(&f);
        }
        check_failure(&f, ERR_IO, "file:///lake/shop/t0/data/date=1970-01-01/00000-");
    }
}

TEST(test_lane__fails_the_run_when_rows_cannot_be_removed)
{
    struct fixture f;

    open_lane(&f, 16 << 20, 1);
    fake_store_fail_at(f.run.store, FAKE_STORE_REMOVE, 1, ERR_IO);
    add_insert(&f, 0, 5, 100, 1, 20000);
    send_mark(&f, SLAB_DISCARD);
    check_failure(&f, ERR_IO, "planned failure");
}

TEST(test_lane__fails_the_run_at_a_broken_event)
{
    struct fixture f;
    struct buf body = {0};

    open_lane(&f, 16 << 20, 1 << 30);
    add_insert(&f, 1, 5, 100, 1, 10);
    put_rows_head(&body, BINLOG_EVENT_WRITE_ROWS);
    put_image(&body, 1, "abc");
    add_event(&f, 1, BINLOG_EVENT_WRITE_ROWS, 5, 4711, span_of(body.data, body.len - 1));
    send_mark(&f, SLAB_CUT);
    check_failure(&f, ERR_CORRUPT, "shop.t1 at binlog.000001:4711: ");
    buf_deinit(&body);
}

TEST(test_lane__fails_the_run_at_a_broken_slab)
{
    struct fixture f;

    open_lane(&f, 16 << 20, 1 << 30);
    add_insert(&f, 0, 5, 100, 1, 10);
    buf_append_str(&f.slab->bytes, "cut");
    send_mark(&f, SLAB_CUT);
    check_failure(&f, ERR_CORRUPT, "slab");
}

TEST(test_lane__ends_after_an_abort)
{
    struct fixture f;

    open_lane(&f, 64 << 10, 1 << 30);
    struct err e = {0};

    for (uint32_t n = 0; n < 20; n++) {
        add_insert(&f, 0, 5, 200 + n, 1, 1000);
        send_rows(&f);
    }
    (void)err_set(&e, ERR_CANCELLED, "asked to end");
    run_fail(&f.run, &e);
    lane_abort(f.lane);
    add_insert(&f, 0, 5, 300, 1, 1);
    struct slab *late = f.slab;

    f.slab = NULL;
    assert_false(lane_push(f.lane, late));
    assert_string_equal(f.run.error.msg, "asked to end");
    close_lane(&f);
}

/* Two tables' open row groups pass the lane's memory: the larger one's file is ended early. */
TEST(test_lane__ends_a_file_early_when_memory_is_short)
{
    struct fixture f;
    struct buf rows = {0};

    open_lane(&f, 64 << 10, 1 << 30);
    for (uint32_t n = 0; n < 50; n++) {
        add_insert(&f, 0, 5, 200 + n, (int32_t)(n * 2000), 2000);
        add_insert(&f, 1, 5, 200 + n, (int32_t)(n * 100), 100);
        send_rows(&f);
    }
    send_mark(&f, SLAB_CUT);
    struct cut_part *p = next_part(&f);

    assert_true(files_of(p, f.tables[0]).count > 1);
    assert_u64_eq(rows_of(&f, p, 0, &rows), 100000);
    assert_u64_eq(check_order(&rows, 1), 100000);
    buf_reset(&rows);
    assert_u64_eq(rows_of(&f, p, 1, &rows), 5000);
    assert_u64_eq(check_order(&rows, 1), 5000);
    cut_part_free(p);
    buf_deinit(&rows);
    close_lane(&f);
}

/* Row groups so small that each is with the store at once: what that keeps of them counts too. */
TEST(test_lane__ends_a_file_early_when_the_store_holds_too_much)
{
    struct fixture f;

    for (int holds = 0; holds < 2; holds++) {
        open_lane(&f, 8 << 20, 1 << 30);
        f.options.row_group_bytes = 16 << 10;
        fake_store_hold(f.run.store, holds != 0);
        for (uint32_t n = 0; n < 400; n++) {
            add_insert(&f, 0, 5, 200 + n, (int32_t)(n * 10000), 10000);
            send_rows(&f);
        }
        send_mark(&f, SLAB_CUT);
        struct cut_part *p = next_part(&f);

        assert_true(holds == 0 ? files_of(p, f.tables[0]).count == 1
                               : files_of(p, f.tables[0]).count > 1);
        cut_part_free(p);
        close_lane(&f);
    }
}

TEST(test_lane__survives_lack_of_memory)
{
    unsigned failures = 0;

    for (unsigned long nth = 1;; nth++) {
        struct fixture f;
        struct queue_link *link;

        open_lane(&f, 16 << 20, 1);
        for (uint32_t day = 0; day < 6; day++) {
            add_insert(&f, day % 2, day * DAY_S, 100, 1, 3);
        }
        struct slab *cut = calloc(1, sizeof *cut);

        assert_non_null(cut);
        cut->kind = SLAB_CUT;
        cut->cut = &f.cuts[0];
        struct slab *slab = f.slab;

        f.slab = NULL;
        torture_fail_at(nth);
        (void)!lane_push(f.lane, slab);
        (void)!lane_push(f.lane, cut);
        link = queue_pop(f.committer);
        torture_fail_at(0);
        bool hit = torture_hit();

        if (link == NULL) {
            assert_int_equal(f.run.error.code, ERR_NOMEM);
            failures++;
        } else {
            /* Nothing is missing from what was delivered. */
            struct cut_part *p = (struct cut_part *)link;
            struct buf rows = {0};

            assert_u64_eq(rows_of(&f, p, 0, &rows) + rows_of(&f, p, 1, &rows), 18);
            buf_deinit(&rows);
            cut_part_free(p);
        }
        close_lane(&f);
        if (!hit) {
            break;
        }
    }
    assert_true(failures > 50);
}

TEST(test_lane__start_survives_lack_of_memory)
{
    struct fixture f;
    unsigned failures = 0;

    open_lane(&f, 16 << 20, 1);
    TORTURE(nth)
    {
        struct lane *l = NULL;
        struct err e = {0};
        enum err_code rc = lane_start(&(struct lane_options){.run = &f.run,
                                                             .tables = f.tables,
                                                             .table_count = TABLES,
                                                             .memory_bytes = 1 << 20,
                                                             .committer = f.committer},
                                      &l, &e);

        if (rc == ERR_OK) {
            lane_close(l);
            lane_join(l);
        } else {
            assert_int_equal(rc, ERR_NOMEM);
            failures++;
        }
    }
    assert_true(failures >= 3);
    lane_join(NULL);
    close_lane(&f);
}

TEST_MAIN(test_case(test_lane__turns_rows_events_into_changelog_rows),
          test_case(test_lane__answers_a_cut_without_rows),
          test_case(test_lane__keeps_tables_apart),
          test_case(test_lane__keeps_the_order_of_many_rows),
          test_case(test_lane__keeps_the_order_of_each_day),
          test_case(test_lane__drops_rows_since_the_last_cut),
          test_case(test_lane__fails_the_run_when_the_store_fails),
          test_case(test_lane__fails_the_run_when_rows_cannot_be_removed),
          test_case(test_lane__fails_the_run_at_a_broken_event),
          test_case(test_lane__fails_the_run_at_a_broken_slab),
          test_case(test_lane__ends_after_an_abort),
          test_case(test_lane__ends_a_file_early_when_memory_is_short),
          test_case(test_lane__ends_a_file_early_when_the_store_holds_too_much),
          test_case(test_lane__survives_lack_of_memory),
          test_case(test_lane__start_survives_lack_of_memory))
