/* base64.h - RFC 4648 standard base64 with padding. Thread: any. */
#ifndef CALVE_CODEC_BASE64_H
#define CALVE_CODEC_BASE64_H

#include "base/buf.h"

void base64_encode(struct span in, struct buf *out);
MUST_USE enum err_code base64_decode(struct span text, struct buf *out, struct err *e);

#endif
