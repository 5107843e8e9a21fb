/*
 * signals.h - SIGTERM and SIGINT: the first asks for a graceful end, the second leaves at once.
 *
 * Leaving at once is safe, as any crash is: nothing half-done is visible in the lake. SIGPIPE is
 * ignored, so that a closed pipe is an error of write().
 *
 * Thread: signals_init() before threads start; signals_stop_requested() any.
 */
#ifndef CALVE_APP_SIGNALS_H
#define CALVE_APP_SIGNALS_H

#include <stdbool.h>

void signals_init(void);

/* For commands that only print: a reader that has seen enough (`| head`) ends them quietly. */
void signals_end_on_pipe(void);

/* Fits run_options.stop_requested; ctx is not looked at. */
bool signals_stop_requested(void *ctx);

#endif
