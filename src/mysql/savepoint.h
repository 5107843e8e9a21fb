/*
 * savepoint.h - the name in SAVEPOINT x and ROLLBACK TO x.
 *
 * Thread: any.
 */
#ifndef CALVE_MYSQL_SAVEPOINT_H
#define CALVE_MYSQL_SAVEPOINT_H

#include "base/bytes.h"

#define SAVEPOINT_NAME_BYTES 256u

/* False when the statement is neither, or is cut. */
bool savepoint_name(struct span sql, bool ansi_quotes, char out[SAVEPOINT_NAME_BYTES]);

#endif
