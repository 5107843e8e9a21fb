#include "codec/civil_time.h"

#include <stdlib.h>

#include "base/str.h"
#include "test.h"

#define NOW_US INT64_C(1700000000000000) /* 2023-11-14T22:13:20Z */

static const struct {
    int64_t days;
    int64_t year;
    unsigned month;
    unsigned day;
} known[] = {
    {0, 1970, 1, 1},         {-1, 1969, 12, 31},      {59, 1970, 3, 1},      {11016, 2000, 2, 29},
    {11017, 2000, 3, 1},     {-25508, 1900, 3, 1},    {-25509, 1900, 2, 28}, {19782, 2024, 2, 29},
    {2932896, 9999, 12, 31}, {-719162, 1, 1, 1},      {-719163, 0, 12, 31},  {-719528, 0, 1, 1},
    {-719529, -1, 12, 31},   {-141427, 1582, 10, 15}, {-135140, 1600, 1, 1}, {24837, 2038, 1, 1},
};

TEST(test_civil_time__knows_the_days_of_the_calendar)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        int64_t year;
        unsigned month;
        unsigned day;

        assert_i64_eq(civil_days(known[i].year, known[i].month, known[i].day), known[i].days);
        civil_from_days(known[i].days, &year, &month, &day);
        assert_i64_eq(year, known[i].year);
        assert_u64_eq(month, known[i].month);
        assert_u64_eq(day, known[i].day);
    }
}

static unsigned days_in(int64_t year, unsigned month)
{
    static const unsigned days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month] + (leap && month == 2 ? 1 : 0);
}

/* Counts through the calendar day by day, from year 0 on. */
TEST(test_civil_time__agrees_with_counting_over_ten_thousand_years)
{
    int64_t days = -719528;

    for (int64_t year = 0; year < 10000; year++) {
        for (unsigned month = 1; month <= 12; month++) {
            for (unsigned day = 1; day <= days_in(year, month); day++, days++) {
                int64_t y;
                unsigned m;
                unsigned d;

                civil_from_days(days, &y, &m, &d);
                if (y != year || m != month || d != day || civil_days(year, month, day) != days) {
                    fail_msg("%lld-%u-%u", (long long)year, month, day);
                }
            }
        }
    }
}

TEST(test_civil_time__reads_times)
{
    static const struct {
        const char *text;
        int64_t want_us;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2023-11-14T22:13:20Z", NOW_US},
        {"2023-11-14T22:13:20z", NOW_US},
        {"2023-11-14t22:13:20Z", NOW_US},
        {"2023-11-14 22:13:20Z", NOW_US},
        {"2023-11-14T22:13:20UTC", NOW_US},
        {"2023-11-14T22:13:20", NOW_US},
        {"2023-11-14T22:13:20+00:00", NOW_US},
        {"2023-11-15T00:13:20+02:00", NOW_US},
        {"2023-11-14T16:43:20-0530", NOW_US},
        {"2023-11-14T23:13:20+01", NOW_US},
        {"2023-11-14T22:13:20.5Z", NOW_US + 500000},
        {"2023-11-14T22:13:20.123456789Z", NOW_US + 123456},
        {"2023-11-14T22:13:20,001+00:00", NOW_US + 1000},
        {"2026-01-02T03:04:05.678Z", INT64_C(1767323045678000)},
        {"1969-12-31T23:59:59.25Z", -750000},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000)},
        {"9999-12-31T23:59:60Z", INT64_C(253402300800000000)},
    };
    static const char *const wrong[] = {
        "",
        "now",
        "2023-11-14",
        "2023-11-14T22:13Z",
        "2023-11-14T22:13:20.Z",
        "2023-11-14T22:13:20 Z",
        "2023-11-14T22:13:20ZZ",
        "2023-11-14T22:13:20+2",
        "2023-11-14T22:13:20+24:00",
        "2023-11-14T22:13:20+01:60",
        "2023-11-14T22:13:20+01:000",
        "2023-11-14T24:13:20Z",
        "2023-11-14T22:60:20Z",
        "2023-11-14T22:13:61Z",
        "2023-13-14T22:13:20Z",
        "2023-00-14T22:13:20Z",
        "2023-02-29T22:13:20Z",
        "2023-11-31T22:13:20Z",
        "2023-11-00T22:13:20Z",
        "023-11-14T22:13:20Z",
        "+023-11-14T22:13:20Z",
        " 2023-11-14T22:13:20Z",
    };
    int64_t got_us;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!civil_time_parse(cases[i].text, &got_us) || got_us != cases[i].want_us) {
            fail_msg("%s is %" PRId64, cases[i].text, got_us);
        }
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        got_us = 7;
        if (civil_time_parse(wrong[i], &got_us) || got_us != 7) {
            fail_msg("%s is taken for %" PRId64, wrong[i], got_us);
        }
    }
}

TEST(test_civil_time__reads_no_time_from_a_truncated_one)
{
    static const char whole[] = "2023-11-14T22:13:20";

    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char *cut = str_ndup(whole, len);
        int64_t got_us;

        assert_non_null(cut);
        assert_false(civil_time_parse(cut, &got_us));
        free(cut);
    }
}

TEST_MAIN(test_case(test_civil_time__knows_the_days_of_the_calendar),
          test_case(test_civil_time__agrees_with_counting_over_ten_thousand_years),
          test_case(test_civil_time__reads_times),
          test_case(test_civil_time__reads_no_time_from_a_truncated_one))
