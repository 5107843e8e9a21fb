/*
 * decimal.h - MySQL's packed decimal to digits.
 *
 * Spec: mysql-server strings/decimal.cc, decimal2bin(). Thread: any.
 */
#ifndef CALVE_CODEC_DECIMAL_H
#define CALVE_CODEC_DECIMAL_H

#include "base/bytes.h"
#include "base/err.h"

#define DECIMAL_TEXT_BYTES 80u

/* Bytes that DECIMAL(precision, scale) takes; 0 when the pair is not valid (1..65, 0..30, scale <=
 * precision). */
size_t decimal_packed_bytes(unsigned precision, unsigned scale);

/*
 * Writes "-12.30": no leading zeros but one before the point, exactly `scale` fraction digits,
 * never
 * "-0". Returns the length (out has at least DECIMAL_TEXT_BYTES), 0 when packed is not
 * decimal_packed_bytes() long or holds a group above 999999999.
 */
size_t decimal_to_text(struct span packed, unsigned precision, unsigned scale, char *out);

#endif
