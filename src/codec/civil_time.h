/* civil_time.h - days and seconds to the proleptic Gregorian calendar and back, UTC. Thread: any.
 */
#ifndef CALVE_CODEC_CIVIL_TIME_H
#define CALVE_CODEC_CIVIL_TIME_H

#include <stdint.h>

/* Days since 1970-01-01; any year. */
int64_t civil_days(int64_t year, unsigned month, unsigned day);

void civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);

#endif
