/*
 * prepared_wait.h - waits until the source has no prepared XA transaction.
 *
 * Whoever starts to follow at a place must not have one there: its rows lie before the place, and
 * become true after it.
 *
 * Thread: any.
 */
#ifndef CALVE_PIPELINE_PREPARED_WAIT_H
#define CALVE_PIPELINE_PREPARED_WAIT_H

#include "mysql/conn.h"
#include "pipeline/run.h"

/*
 * *none: there was none at a moment after the call began; false when the account may not look,
 * which is logged once in a run. Errors: ERR_SOURCE there is one for longer than
 * run_options.xa_wait_us; ERR_CANCELLED the run ends.
 */
MUST_USE enum err_code prepared_wait(struct run *run, struct mysql_conn *conn, bool *none,
                                     struct err *e);

#endif
