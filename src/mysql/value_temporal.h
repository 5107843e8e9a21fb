/*
 * value_temporal.h - the binlog's dates and times to civil ones.
 *
 * Every function wants exactly the bytes that its type has and says false when they are no date or
 * time; zero and partial dates and days that their month does not have are dates here.
 *
 * Spec: mysql-server mysys/my_time.cc. Thread: any.
 */
#ifndef CALVE_MYSQL_VALUE_TEMPORAL_H
#define CALVE_MYSQL_VALUE_TEMPORAL_H

#include "base/bytes.h"
#include "model/value.h"

/* Bytes after the seconds of TIME2, DATETIME2 and TIMESTAMP2 for fsp fraction digits, 0 to 6. */
static inline size_t temporal_fraction_bytes(unsigned fsp)
{
    return (fsp + 1) / 2;
}

bool temporal_date(const uint8_t *p, struct civil *out);                     /* 3 bytes */
bool temporal_time_old(const uint8_t *p, struct civil *out);                 /* 3 bytes */
bool temporal_datetime_old(const uint8_t *p, struct civil *out);             /* 8 bytes */
bool temporal_time2(const uint8_t *p, unsigned fsp, struct civil *out);      /* 3 + fraction */
bool temporal_datetime2(const uint8_t *p, unsigned fsp, struct civil *out);  /* 5 + fraction */
bool temporal_timestamp2(const uint8_t *p, unsigned fsp, struct civil *out); /* 4 + fraction */

/*
 * MariaDB's formats with a fraction from before 10.1 (mysql56_temporal_format=OFF), for fsp 1 to 6:
 * the bytes are of the table, since the log does not tell the fraction.
 */
extern const uint8_t temporal_time_hires_bytes[7];
extern const uint8_t temporal_datetime_hires_bytes[7];
extern const uint8_t temporal_timestamp_hires_bytes[7];
bool temporal_time_hires(const uint8_t *p, unsigned fsp, struct civil *out);
bool temporal_datetime_hires(const uint8_t *p, unsigned fsp, struct civil *out);
bool temporal_timestamp_hires(const uint8_t *p, unsigned fsp, struct civil *out);

/* Seconds since the epoch; 0 is the zero timestamp. */
void temporal_from_seconds(uint32_t seconds, struct civil *out);

/* The 64-bit packed numbers that JSON documents hold. */
bool temporal_packed_datetime(int64_t packed, struct civil *out);
bool temporal_packed_time(int64_t packed, struct civil *out);

#endif
