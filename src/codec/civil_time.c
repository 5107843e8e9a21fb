/*
 * Days from civil and back by eras of 400 years, which all have 146,097 days. Within an era years
 * begin in March, and the way back multiplies and shifts where it could divide: Neri and Schneider,
 * Euclidean affine functions and their application to calendar algorithms, 2022.
 */
#include "codec/civil_time.h"

#include <stdbool.h>

int64_t civil_days(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = month > 2 ? (int64_t)month - 3 : (int64_t)month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

void civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    uint32_t quarters = 4 * (uint32_t)(z - era * 146097) + 3;
    uint32_t century = quarters / 146097;
    uint64_t of_century = UINT64_C(2939745) * (quarters % 146097 | 3); /* 2^32 / 1461, rounded up */
    uint32_t year_of_century = (uint32_t)(of_century >> 32);
    uint32_t day_of_year = (uint32_t)of_century / 2939745 / 4;
    uint32_t of_year = 2141 * day_of_year + 197913; /* 2^16 / 30.6, and March is 3 */
    bool next_year = day_of_year >= 306;

    *day = of_year % 65536 / 2141 + 1;
    *month = of_year / 65536 - (next_year ? 12 : 0);
    *year = era * 400 + (int64_t)century * 100 + year_of_century + (next_year ? 1 : 0);
}
