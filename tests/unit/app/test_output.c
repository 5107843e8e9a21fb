#include "app/output.h"

#include "test.h"

TEST(test_output__prints_times_in_utc)
{
    static const struct {
        int64_t us;
        const char *want;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1767322985678901, "2026-01-02T03:03:05.678Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000000, "1969-12-31T23:59:59.000Z"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};

        output_put_time(&out, cases[i].us);
        assert_text_eq(buf_span(&out), cases[i].want);
        buf_deinit(&out);
    }
}

TEST(test_output__prints_times_that_no_clock_shows)
{
    static const struct {
        int64_t ms;
        const char *want;
    } cases[] = {
        {-1, "1969-12-31T23:59:59.999Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "292278994-08-17T07:12:55.807Z"},
        {INT64_MIN, "-292275055-05-16T16:47:04.192Z"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};

        output_put_time_ms(&out, cases[i].ms);
        assert_text_eq(buf_span(&out), cases[i].want);
        buf_reset(&out);
        output_put_time(&out, cases[i].ms);
        assert_true(out.len > 0);
        buf_deinit(&out);
    }
}

TEST(test_output__aligns_tables)
{
    static const char *const headers[] = {"NAME", "N"};
    struct output_table t = {.headers = headers, .column_count = 2};
    struct buf out = {0};
    struct err e = {0};

    output_table_add(&t, "a");
    output_table_add(&t, "1");
    /* Two bytes, one column. */
    output_table_add(&t, "\xc3\xbc"
                         "berlang");
    output_table_add(&t, NULL);
    assert_ok(output_table_print(&t, &out, &e), &e);
    assert_text_eq(buf_span(&out), "NAME      N\na         1\n\xc3\xbc"
                                   "berlang  \n");
    buf_deinit(&out);
    output_table_deinit(&t);
}

TEST(test_output__survives_lack_of_memory)
{
    static const char *const headers[] = {"NAME"};

    TORTURE(nth)
    {
        struct output_table t = {.headers = headers, .column_count = 1};
        struct buf out = {0};

        for (int i = 0; i < 70; i++) {
            output_table_add(&t, "x");
        }
        enum err_code rc = output_table_print(&t, &out, NULL);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        output_table_deinit(&t);
        buf_deinit(&out);
    }
}

TEST_MAIN(test_case(test_output__prints_times_in_utc),
          test_case(test_output__prints_times_that_no_clock_shows),
          test_case(test_output__aligns_tables), test_case(test_output__survives_lack_of_memory))
