#include "codec/civil_time.h"

#include "test.h"

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

TEST_MAIN(test_case(test_civil_time__knows_the_days_of_the_calendar),
          test_case(test_civil_time__agrees_with_counting_over_ten_thousand_years))
