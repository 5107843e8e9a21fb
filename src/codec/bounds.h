/*
 * bounds.h - shortening least and greatest values without making them wrong.
 *
 * A prefix is never greater than the value, so it serves as a lower bound; an upper bound is a
 * prefix whose last character was counted up. Parquet cuts at bytes, Iceberg at code points.
 *
 * Spec: Apache Iceberg, "truncate(16)" metrics; Apache Parquet, Statistics.is_max_value_exact.
 * Thread: any.
 */
#ifndef CALVE_CODEC_BOUNDS_H
#define CALVE_CODEC_BOUNDS_H

#include "base/buf.h"

/* Bytes of the longest prefix that has at most max_points whole code points. text is UTF-8. */
size_t bounds_prefix_points(struct span text, size_t max_points);

/* Bytes of the longest prefix of whole code points that is at most max_bytes long. */
size_t bounds_prefix_bytes(struct span text, size_t max_bytes);

/*
 * Makes the text in b (from `start` on) the next greater one of at most as many code points: the
 * last code point that can be counted up is, what follows it is cut off; surrogates are stepped
 * over. False when there is none greater.
 */
bool bounds_increment_text(struct buf *b, size_t start);

/* The same for bytes: trailing 0xff are cut off, the last byte left is counted up. */
bool bounds_increment_bytes(struct buf *b, size_t start);

#endif
