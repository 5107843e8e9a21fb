/*
 * Days from civil and back by eras of 400 years, which all have 146,097 days. Within an era years
 * begin in March, and the way back multiplies and shifts where it could divide: Neri and Schneider,
 * Euclidean affine functions and their application to calendar algorithms, 2022.
 */
#include "codec/civil_time.h"

#include <string.h>

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

/* ---- RFC 3339 ---- */

/* count digits at *p; false when there are fewer. */
static bool take_number(const char **p, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++, (*p)++) {
        if (**p < '0' || **p > '9') {
            return false;
        }
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static bool take_char(const char **p, const char *any)
{
    if (**p == '\0' || strchr(any, **p) == NULL) {
        return false;
    }
    (*p)++;
    return true;
}

/* ".5", ",123456789": microseconds, what is smaller is cut off. */
static bool take_fraction(const char **p, int64_t *out_us)
{
    int64_t digit_us = 100000;

    *out_us = 0;
    if (!take_char(p, ".,")) {
        return true;
    }
    if (**p < '0' || **p > '9') {
        return false;
    }
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        *out_us += digit_us * (**p - '0');
        digit_us /= 10;
    }
    return true;
}

/* "Z", "UTC", "", "+02:00", "-0230", "+01": seconds east of UTC. */
static bool take_zone(const char *p, int64_t *out_s)
{
    int hours;
    int minutes = 0;
    int sign = *p == '-' ? -1 : 1;

    *out_s = 0;
    if (*p == '\0' || strcmp(p, "Z") == 0 || strcmp(p, "z") == 0 || strcmp(p, "UTC") == 0) {
        return true;
    }
    if (!take_char(&p, "+-") || !take_number(&p, 2, &hours)) {
        return false;
    }
    if (*p != '\0') {
        (void)take_char(&p, ":");
        if (!take_number(&p, 2, &minutes)) {
            return false;
        }
    }
    *out_s = sign * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
    return *p == '\0' && hours < 24 && minutes < 60;
}

static bool take_date(const char **p, int64_t *out_days)
{
    int year;
    int month;
    int day;
    int64_t same_year;
    unsigned same_month;
    unsigned same_day;

    if (!take_number(p, 4, &year) || !take_char(p, "-") || !take_number(p, 2, &month) ||
        !take_char(p, "-") || !take_number(p, 2, &day) || month < 1 || month > 12) {
        return false;
    }
    *out_days = civil_days(year, (unsigned)month, (unsigned)day);
    civil_from_days(*out_days, &same_year, &same_month, &same_day);
    return same_month == (unsigned)month && same_day == (unsigned)day; /* no 31st of April */
}

static bool take_clock(const char **p, int64_t *out_s)
{
    int hour;
    int minute;
    int second;

    if (!take_number(p, 2, &hour) || !take_char(p, ":") || !take_number(p, 2, &minute) ||
        !take_char(p, ":") || !take_number(p, 2, &second)) {
        return false;
    }
    *out_s = ((int64_t)hour * 60 + minute) * 60 + second;
    return hour < 24 && minute < 60 && second <= 60;
}

bool civil_time_parse(const char *text, int64_t *out_us)
{
    const char *p = text;
    int64_t days;
    int64_t clock_s;
    int64_t fraction_us;
    int64_t zone_s;

    if (!take_date(&p, &days) || !take_char(&p, "Tt ") || !take_clock(&p, &clock_s) ||
        !take_fraction(&p, &fraction_us) || !take_zone(p, &zone_s)) {
        return false;
    }
    *out_us = (days * 86400 + clock_s - zone_s) * 1000000 + fraction_us;
    return true;
}
