/*
 * json_diff.h - the changes of a JSON document that a PARTIAL_UPDATE_ROWS event has in its place.
 *
 * Spec: mysql-server sql-common/json_diff.h; sql-common/json_path.h for paths.
 * Thread: any.
 */
#ifndef CALVE_MYSQL_JSON_DIFF_H
#define CALVE_MYSQL_JSON_DIFF_H

#include "base/arena.h"
#include "base/buf.h"

/*
 * Appends the text that json_binary_to_text() has for the document with its diffs applied; without
 * diffs it is the document's. Memory goes with the diffs, not with the document.
 *
 * scratch: reset first; what it holds afterwards is of no use.
 * Errors: ERR_CORRUPT  also for a path that leads nowhere in the document: the message has it
 *         ERR_LIMIT, ERR_NOMEM of out or scratch
 *         What was appended is then not to be used.
 */
MUST_USE enum err_code json_diff_to_text(struct span document, struct span diffs,
                                         struct arena *scratch, struct buf *out, struct err *e);

#endif
