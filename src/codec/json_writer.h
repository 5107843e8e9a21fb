/*
 * json_writer.h - pieces of compact JSON appended to a buffer.
 *
 * Spec: RFC 8259; floats: the shortest digits that read back to the same value.
 * Thread: any.
 */
#ifndef CALVE_CODEC_JSON_WRITER_H
#define CALVE_CODEC_JSON_WRITER_H

#include "base/buf.h"

/*
 * A string with its quotes. Escapes `"`, `\`, and control characters (\b \f \n \r \t, else \u00xx);
 * everything else goes out as it is, '/' and non-ASCII too. text must be UTF-8.
 */
void json_put_string(struct buf *out, struct span text);

/* "<base64>" with its quotes. */
void json_put_base64(struct buf *out, struct span bytes);

void json_put_u64(struct buf *out, uint64_t v);
void json_put_i64(struct buf *out, int64_t v);

/*
 * Shortest form that reads back exactly, as a JSON number: 0.1, 100, -0.0, 1e+300 written 1e300.
 * Plain digits for exponents from -7 to 20, else d.ddde±x. Not called with NaN or infinity (writes
 * null).
 */
void json_put_f64(struct buf *out, double v);
void json_put_f32(struct buf *out, float v);

/* Copies JSON text without the white space between tokens; strings and numbers byte for byte. */
void json_put_minified(struct buf *out, struct span json);

#endif
