/* civil_time.h - days and seconds to the proleptic Gregorian calendar and back, UTC. Thread: any.
 */
#ifndef CALVE_CODEC_CIVIL_TIME_H
#define CALVE_CODEC_CIVIL_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Days since 1970-01-01; any year. */
int64_t civil_days(int64_t year, unsigned month, unsigned day);

void civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);

/*
 * "2026-01-02T03:04:05Z" to microseconds since the epoch; false, and *out_us as it was, for
 * anything else. RFC 3339 and more of ISO 8601 that services and tools write: any fraction, whose
 * digits below a microsecond are cut off; "Z", "UTC", an offset, or nothing, which means UTC.
 */
bool civil_time_parse(const char *text, int64_t *out_us);

#endif
