/*
 * runner.h - a whole run: connects, finds the tables and their positions, copies what is to be
 * copied, follows the binlog, and ends in order.
 *
 * Thread: main. It starts and joins all others: backfill workers, then source, lanes, committer.
 */
#ifndef CALVE_PIPELINE_RUNNER_H
#define CALVE_PIPELINE_RUNNER_H

#include "pipeline/run.h"

struct runner_handles {
    struct store *store;
    struct catalog *catalog; /* used by one thread at a time */
    struct log *log;
    struct clock clock;
};

/*
 * Runs until the end that options name, a stop request (ERR_OK too) or a failure. Everything that
 * was committed stays, whatever it returns.
 */
MUST_USE enum err_code runner_run(const struct run_options *options,
                                  const struct runner_handles *handles, struct err *e);

#endif
