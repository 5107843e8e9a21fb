/* Where transactions begin and end, for events that seldom come. */
#include "pipeline/follow_int.h"
#include "pipeline/followed_table.h"
#include "test.h"

#define GTID_7 "01 55778904029911f1b1b84ef0c4956feb 0700000000000000"
#define GTID_8 "01 55778904029911f1b1b84ef0c4956feb 0800000000000000"
#define A      "55778904-0299-11f1-b1b8-4ef0c4956feb"
#define QUERY  "08000000 00000000 00 0000 0000 00"

/* Thread 8, schema "shop", then what a LOAD DATA has. */
#define LOAD "08000000 00000000 04 0000 0000 01000000 09000000 1c000000 02 73686f70 00"

struct fixture {
    struct run_options run_options;
    struct run run;
    struct gtid_set *none;
    struct followed_table *tables[1];
    struct follow *f;
    uint64_t offset;
};

static void open_fixture(struct fixture *x)
{
    struct err e = {0};

    *x = (struct fixture){.offset = 1000};
    x->run_options = (struct run_options){.commit_interval_us = INT64_MAX,
                                          .watermark_interval_us = INT64_MAX,
                                          .commit_bytes_max = UINT64_MAX};
    x->run.options = &x->run_options;
    x->run.clock = clock_system();
    x->none = gtid_set_new(GTID_FLAVOR_MYSQL);
    assert_ok(followed_table_new("shop", "t", "file:///lake/shop/t", &x->tables[0], &e), &e);
    struct follow_options options = {.run = &x->run,
                                     .tables = x->tables,
                                     .table_count = 1,
                                     .source = "server",
                                     .start_gtids = x->none,
                                     .start = {.file = "binlog.000001", .offset = 4}};

    assert_ok(follow_new(&options, &x->f, &e), &e);
    assert_ok(schema_new(&(struct schema_options){.default_charset = "utf8mb4"}, &x->f->schema, &e),
              &e);
}

static void close_fixture(struct fixture *x)
{
    follow_free(x->f);
    followed_table_free(x->tables[0]);
    gtid_set_free(x->none);
}

static enum err_code send(struct fixture *x, uint8_t type, const char *hex, const char *text,
                          struct err *e)
{
    uint8_t body[256];
    size_t len = test_unhex(hex, body, sizeof body);

    memcpy(body + len, text, strlen(text));
    x->offset += 100;
    struct binlog_event ev = {.header = {.type = type, .event_bytes = 100},
                              .logged_type = type,
                              .body = span_of(body, len + strlen(text)),
                              .end = {.file = "binlog.000001", .offset = x->offset}};

    return follow_event(x->f, &ev, e);
}

static void feed(struct fixture *x, uint8_t type, const char *hex, const char *text)
{
    struct err e = {0};

    assert_ok(send(x, type, hex, text, &e), &e);
}

static void expect_executed(const struct fixture *x, const char *want, uint64_t offset)
{
    struct buf out = {0};

    gtid_set_print(x->f->executed, &out);
    assert_text_eq(buf_span(&out), want);
    assert_u64_eq(x->f->end.offset, offset);
    buf_deinit(&out);
}

TEST(test_follow_bounds__a_view_change_between_begin_and_commit)
{
    struct fixture x;

    open_fixture(&x);
    feed(&x, BINLOG_EVENT_GTID, GTID_7, "");
    feed(&x, BINLOG_EVENT_QUERY, QUERY, "BEGIN");
    feed(&x, BINLOG_EVENT_VIEW_CHANGE, "00", "");
    expect_executed(&x, "", 4);
    assert_true(x.f->txn.open);
    feed(&x, BINLOG_EVENT_QUERY, QUERY, "COMMIT");
    expect_executed(&x, A ":7", 1400);
    close_fixture(&x);
}

TEST(test_follow_bounds__a_view_change_alone_ends_its_transaction)
{
    struct fixture x;

    open_fixture(&x);
    feed(&x, BINLOG_EVENT_GTID, GTID_7, "");
    feed(&x, BINLOG_EVENT_VIEW_CHANGE, "00", "");
    assert_false(x.f->txn.open);
    expect_executed(&x, A ":7", 1200);
    /* One that has no GTID is nothing. */
    feed(&x, BINLOG_EVENT_VIEW_CHANGE, "00", "");
    expect_executed(&x, A ":7", 1200);
    feed(&x, BINLOG_EVENT_GTID, GTID_8, "");
    feed(&x, BINLOG_EVENT_QUERY, QUERY, "BEGIN");
    feed(&x, BINLOG_EVENT_XID, "0100000000000000", "");
    expect_executed(&x, A ":7-8", 1600);
    close_fixture(&x);
}

TEST(test_follow_bounds__a_tagged_gtid_opens_a_transaction)
{
    struct fixture x;

    open_fixture(&x);
    feed(&x, BINLOG_EVENT_GTID_TAGGED,
         "027800000002aaee25020804650222c503c502e1029cc10311035502dead03040c060a6d797461670800"
         "0a040c7f1cf3b814244a0610a10412430f0b",
         "");
    feed(&x, BINLOG_EVENT_QUERY, QUERY, "BEGIN");
    feed(&x, BINLOG_EVENT_XID, "0100000000000000", "");
    expect_executed(&x, A ":mytag:3", 1300);
    close_fixture(&x);
}

/* Without a schema that is followed, and without its name, nothing is written to it. */
TEST(test_follow_bounds__load_data_as_a_statement_stops_for_followed_tables)
{
    static const struct {
        const char *head;
        const char *sql;
        bool stops;
    } cases[] = {
        {LOAD, "LOAD DATA INFILE 'SQL_LOAD-1-2-3' INTO TABLE `t`", true},
        {LOAD, "LOAD DATA INFILE 'SQL_LOAD-1-2-3' INTO TABLE `other`", true},
        {"08000000 00000000 00 0000 0000 01000000 09000000 1c000000 02 00",
         "LOAD DATA INFILE 'x' INTO TABLE shop.t", true},
        {"08000000 00000000 04 0000 0000 01000000 09000000 1c000000 02 61616161 00",
         "LOAD DATA INFILE 'x' INTO TABLE `u`", false},
        /* Whatever it looks like. */
        {LOAD, "ROLLBACK", true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture x;
        struct err e = {0};

        open_fixture(&x);
        feed(&x, BINLOG_EVENT_GTID, GTID_7, "");
        feed(&x, BINLOG_EVENT_QUERY, QUERY, "BEGIN");
        enum err_code rc =
            send(&x, BINLOG_EVENT_EXECUTE_LOAD_QUERY, cases[i].head, cases[i].sql, &e);

        if (cases[i].stops) {
            assert_err(rc, ERR_UNSUPPORTED, &e);
            assert_non_null(strstr(e.msg, "binlog_format=ROW"));
        } else {
            assert_ok(rc, &e);
            assert_true(x.f->txn.open);
            feed(&x, BINLOG_EVENT_XID, "0100000000000000", "");
            expect_executed(&x, A ":7", 1400);
        }
        close_fixture(&x);
    }
}

TEST_MAIN(test_case(test_follow_bounds__a_view_change_between_begin_and_commit),
          test_case(test_follow_bounds__a_view_change_alone_ends_its_transaction),
          test_case(test_follow_bounds__a_tagged_gtid_opens_a_transaction),
          test_case(test_follow_bounds__load_data_as_a_statement_stops_for_followed_tables))
