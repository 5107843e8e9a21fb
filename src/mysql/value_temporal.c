/*
 * Packed forms, highest bits first:
 *
 *   DATE        year 15, month 4, day 5; little-endian, 3 bytes
 *   DATETIME2   year * 13 + month 17, day 5, hour 5, minute 6, second 6; big-endian, 40 bits with
 *               the highest as an inverted sign; then the fraction
 *   TIMESTAMP2  seconds since the epoch, big-endian, 4 bytes; then the fraction
 *   TIME2       unused 1, hour 10, minute 6, second 6; big-endian, 24 bits with the highest as an
 *               inverted sign; then the fraction. Whole and fraction are one number: a negative
 *               time is the negated sum, so its fraction borrows from the seconds
 *   hires       whole and fraction as one number of 10^-fsp s, big-endian: TIME counted from
 *               -839:00:00; DATETIME as the digits year * 13 + month, day of 32, hour of 24, ...;
 *               TIMESTAMP seconds, big-endian, 4 bytes, then the fraction
 *   fraction    fsp 1-2: 1 byte of 1/100 s; 3-4: 2 bytes of 1/10000 s; 5-6: 3 bytes of 1/1000000 s
 */
#include "mysql/value_temporal.h"

#include "codec/civil_time.h"

#define SECONDS_PER_DAY 86400u

static uint64_t read_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

static const uint32_t fraction_micros[4] = {0, 10000, 100, 1};

static bool date_valid(const struct civil *c)
{
    return c->year <= 9999 && c->month <= 12 && c->day <= 31;
}

static bool clock_valid(const struct civil *c, unsigned hour_max)
{
    return c->hour <= hour_max && c->minute <= 59 && c->second <= 59 && c->micros <= 999999;
}

bool temporal_date(const uint8_t *p, struct civil *out)
{
    uint32_t v = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;

    *out = (struct civil){
        .year = (uint16_t)(v >> 9),
        .month = (uint8_t)(v >> 5 & 15),
        .day = (uint8_t)(v & 31),
    };
    return date_valid(out);
}

bool temporal_time_old(const uint8_t *p, struct civil *out)
{
    int32_t v = (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16);

    if (v >= 0x800000) {
        v -= 0x1000000;
    }
    uint32_t digits = (uint32_t)(v < 0 ? -v : v);

    *out = (struct civil){
        .hour = (uint16_t)(digits / 10000),
        .minute = (uint8_t)(digits / 100 % 100),
        .second = (uint8_t)(digits % 100),
        .negative = v < 0,
    };
    return clock_valid(out, 838);
}

bool temporal_datetime_old(const uint8_t *p, struct civil *out)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    if (v > 99991231235959u) {
        return false;
    }
    uint32_t date = (uint32_t)(v / 1000000);
    uint32_t clock = (uint32_t)(v % 1000000);

    *out = (struct civil){
        .year = (uint16_t)(date / 10000),
        .month = (uint8_t)(date / 100 % 100),
        .day = (uint8_t)(date % 100),
        .hour = (uint16_t)(clock / 10000),
        .minute = (uint8_t)(clock / 100 % 100),
        .second = (uint8_t)(clock % 100),
    };
    return date_valid(out) && clock_valid(out, 23);
}

/* hms is hour, minute, second in their bits. */
static void put_clock(uint64_t hms, uint32_t hour_bits, uint32_t micros, struct civil *out)
{
    out->hour = (uint16_t)(hms >> 12 & hour_bits);
    out->minute = (uint8_t)(hms >> 6 & 63);
    out->second = (uint8_t)(hms & 63);
    out->micros = micros;
}

bool temporal_packed_time(int64_t packed, struct civil *out)
{
    uint64_t v = packed < 0 ? 0 - (uint64_t)packed : (uint64_t)packed;

    *out = (struct civil){.negative = packed < 0};
    put_clock(v >> 24, 0x3ff, (uint32_t)(v & 0xffffff), out);
    return v >> 24 <= 0x3fffff && clock_valid(out, 838);
}

bool temporal_time2(const uint8_t *p, unsigned fsp, struct civil *out)
{
    size_t bytes = temporal_fraction_bytes(fsp);

    if (bytes == 3) {
        return temporal_packed_time((int64_t)read_be(p, 6) - 0x800000000000, out);
    }
    int64_t whole = (int64_t)read_be(p, 3) - 0x800000;
    int64_t fraction = (int64_t)read_be(p + 3, bytes);

    if (whole < 0 && fraction != 0) {
        whole++;
        fraction -= bytes == 1 ? 0x100 : 0x10000;
    }
    return temporal_packed_time(whole * 0x1000000 + fraction * (int64_t)fraction_micros[bytes],
                                out);
}

static bool put_datetime(uint64_t v, uint32_t micros, struct civil *out)
{
    uint64_t year_month = v >> 22;

    *out = (struct civil){
        .year = (uint16_t)(year_month / 13),
        .month = (uint8_t)(year_month % 13),
        .day = (uint8_t)(v >> 17 & 31),
    };
    put_clock(v, 31, micros, out);
    return year_month < (uint64_t)10000 * 13 && clock_valid(out, 23);
}

bool temporal_packed_datetime(int64_t packed, struct civil *out)
{
    if (packed < 0) {
        return false;
    }
    return put_datetime((uint64_t)packed >> 24, (uint32_t)(packed & 0xffffff), out);
}

bool temporal_datetime2(const uint8_t *p, unsigned fsp, struct civil *out)
{
    size_t bytes = temporal_fraction_bytes(fsp);
    uint64_t v = read_be(p, 5);

    if (v < 0x8000000000) {
        return false;
    }
    return put_datetime(v - 0x8000000000, (uint32_t)read_be(p + 5, bytes) * fraction_micros[bytes],
                        out);
}

void temporal_from_seconds(uint32_t seconds, struct civil *out)
{
    int64_t year;
    unsigned month;
    unsigned day;
    uint32_t clock = seconds % SECONDS_PER_DAY;

    *out = (struct civil){0};
    if (seconds == 0) {
        return;
    }
    civil_from_days(seconds / SECONDS_PER_DAY, &year, &month, &day);
    out->year = (uint16_t)year;
    out->month = (uint8_t)month;
    out->day = (uint8_t)day;
    out->hour = (uint16_t)(clock / 3600);
    out->minute = (uint8_t)(clock / 60 % 60);
    out->second = (uint8_t)(clock % 60);
}

static bool put_timestamp(uint32_t seconds, uint32_t micros, struct civil *out)
{
    temporal_from_seconds(seconds, out);
    if (seconds == 0 && micros != 0) {
        /* MariaDB keeps the fraction of what is out of range. */
        *out = (struct civil){.year = 1970, .month = 1, .day = 1};
    }
    out->micros = micros;
    return micros <= 999999;
}

bool temporal_timestamp2(const uint8_t *p, unsigned fsp, struct civil *out)
{
    size_t bytes = temporal_fraction_bytes(fsp);

    return put_timestamp((uint32_t)read_be(p, 4),
                         (uint32_t)read_be(p + 4, bytes) * fraction_micros[bytes], out);
}

const uint8_t temporal_time_hires_bytes[7] = {3, 4, 4, 5, 5, 5, 6};
const uint8_t temporal_datetime_hires_bytes[7] = {8, 6, 6, 7, 7, 7, 8};
const uint8_t temporal_timestamp_hires_bytes[7] = {4, 5, 5, 6, 6, 7, 7};

#define TIME_HIRES_ZERO_S 3020400 /* 839:00:00 */

/* Fractions in a second, and microseconds in a fraction. */
static const uint32_t units[7] = {1, 10, 100, 1000, 10000, 100000, 1000000};
static const uint32_t unit_micros[7] = {1000000, 100000, 10000, 1000, 100, 10, 1};

bool temporal_time_hires(const uint8_t *p, unsigned fsp, struct civil *out)
{
    int64_t v = (int64_t)read_be(p, temporal_time_hires_bytes[fsp]) -
                (int64_t)TIME_HIRES_ZERO_S * units[fsp];
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    uint64_t seconds = u / units[fsp];

    if (seconds >= TIME_HIRES_ZERO_S) {
        return false;
    }
    *out = (struct civil){
        .hour = (uint16_t)(seconds / 3600),
        .minute = (uint8_t)(seconds / 60 % 60),
        .second = (uint8_t)(seconds % 60),
        .micros = (uint32_t)(u % units[fsp]) * unit_micros[fsp],
        .negative = v < 0,
    };
    return true;
}

bool temporal_datetime_hires(const uint8_t *p, unsigned fsp, struct civil *out)
{
    uint64_t v = read_be(p, temporal_datetime_hires_bytes[fsp]);
    uint64_t seconds = v / units[fsp];
    uint64_t days = seconds / SECONDS_PER_DAY;
    uint32_t clock = (uint32_t)(seconds % SECONDS_PER_DAY);

    if (days / 32 / 13 > 9999) {
        return false;
    }
    *out = (struct civil){
        .year = (uint16_t)(days / 32 / 13),
        .month = (uint8_t)(days / 32 % 13),
        .day = (uint8_t)(days % 32),
        .hour = (uint16_t)(clock / 3600),
        .minute = (uint8_t)(clock / 60 % 60),
        .second = (uint8_t)(clock % 60),
        .micros = (uint32_t)(v % units[fsp]) * unit_micros[fsp],
    };
    return true;
}

bool temporal_timestamp_hires(const uint8_t *p, unsigned fsp, struct civil *out)
{
    uint64_t fraction = read_be(p + 4, temporal_timestamp_hires_bytes[fsp] - 4u);

    return fraction < units[fsp] &&
           put_timestamp((uint32_t)read_be(p, 4), (uint32_t)fraction * unit_micros[fsp], out);
}
