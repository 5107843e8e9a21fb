/*
 * progress.h - what a run shows while it works: a line that is rewritten on a terminal, a log line
 * now and then elsewhere.
 *
 * Thread: main; log lines of other threads wipe the line first (log.before_line).
 */
#ifndef CALVE_APP_PROGRESS_H
#define CALVE_APP_PROGRESS_H

#include "app/config.h"
#include "base/log.h"
#include "pipeline/run.h"

struct progress {
    struct log *log;
    bool on_terminal;
    bool never;
    _Atomic bool line_shown; /* the terminal's last line is ours */
    enum run_phase phase;
    int64_t shown_us; /* monotonic time of the last output */
    uint64_t shown_rows;
    double rows_per_s; /* smoothed */
    int64_t phase_us;  /* when the phase began */
};

/* Hooks itself into the log. */
void progress_init(struct progress *p, enum config_progress mode, struct log *log);

/* Fits run_options.progress. */
void progress_show(void *ctx, const struct run_progress *now);

/* Wipes the line and unhooks. */
void progress_deinit(struct progress *p);

/* The text of a line, without control characters; for tests too. */
void progress_text(const struct run_progress *now, double rows_per_s, char *out, size_t out_bytes);

#endif
