/*
 * json_binary.h - MySQL's binary JSON to compact JSON text.
 *
 * The text is what the server's SELECT prints, without the spaces after ',' and ':'.
 *
 * Spec: mysql-server sql-common/json_binary.h and json_dom.cc. Thread: any.
 */
#ifndef CALVE_MYSQL_JSON_BINARY_H
#define CALVE_MYSQL_JSON_BINARY_H

#include "base/buf.h"
#include "base/bytes.h"

/*
 * Appends the text of a document; an empty one is null. A document is never taken apart into more
 * text than one whose parts do not overlap can hold, so work is bounded by its length.
 *
 * Errors: ERR_CORRUPT; ERR_LIMIT, ERR_NOMEM of out. What was appended is then not to be used.
 */
MUST_USE enum err_code json_binary_to_text(struct span document, struct buf *out, struct err *e);

#endif
