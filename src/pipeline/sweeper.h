/*
 * sweeper.h - removes what killed runs left half-written in the folders of tables, beside the run:
 * over a long line, or in large folders, that takes time which nothing waits for.
 *
 * Thread: start and join by the runner; the rest runs in a thread of its own.
 */
#ifndef CALVE_PIPELINE_SWEEPER_H
#define CALVE_PIPELINE_SWEEPER_H

#include "pipeline/followed_table.h"
#include "pipeline/run.h"

struct sweeper;

/* The tables may go as soon as it is back. NULL when it could not start, which the log says: no
 * reason not to run. */
struct sweeper *sweeper_start(struct run *run, struct followed_table *const *tables,
                              uint32_t table_count);

/* Waits for all tables, for the one at hand when the run gives up, and frees. NULL is fine. */
void sweeper_join(struct sweeper *s);

#endif
