/*
 * hybrid.h - the RLE / bit-packed hybrid: definition levels and dictionary ids.
 *
 *   run    = varint(count << 1)        value in ceil(width / 8) bytes
 *   packed = varint(groups << 1 | 1)   groups * width bytes, 8 values a group, LSB first
 *
 * Spec: apache/parquet-format Encodings.md, "Run Length Encoding / Bit-Packing Hybrid".
 * Thread: any.
 */
#ifndef CALVE_PARQUET_HYBRID_H
#define CALVE_PARQUET_HYBRID_H

#include "base/buf.h"

/* Bits for values 0..max; at least 1. */
unsigned hybrid_width(uint32_t max);

/* Appends count values of at most `width` bits (1 to 32), without a length prefix. */
void hybrid_encode(const uint32_t *values, uint32_t count, unsigned width, struct buf *out);

/* Appends levels of width 1 from one byte a row (0 or 1), as one packed run; returns how many
 * are 1.
 */
uint32_t hybrid_encode_levels(const uint8_t *levels, uint32_t count, struct buf *out);

/* Appends one bit a byte (0 or 1), LSB first: PLAIN booleans. Returns how many are 1. */
uint32_t hybrid_pack_bits(const uint8_t *bytes, uint32_t count, struct buf *out);

/* Appends `count` times the level `value`. */
void hybrid_encode_run(uint32_t value, uint32_t count, unsigned width, struct buf *out);

/* Reads exactly count values. width 0 to 32. Errors: ERR_CORRUPT. */
MUST_USE enum err_code hybrid_decode(struct bytes_reader *in, unsigned width, uint32_t count,
                                     uint32_t *out, struct err *e);

#endif
