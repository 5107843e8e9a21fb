#include "app/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TERMINAL_EVERY_US 200000
#define LOG_EVERY_US      10000000
#define LINE_BYTES        256
#define WIPE              "\r\033[K"

static void write_line(const char *text)
{
    size_t len = strlen(text);

    /* A terminal that is gone is no reason to stop. */
    (void)!write(STDERR_FILENO, text, len);
}

static void wipe(void *ctx)
{
    struct progress *p = ctx;

    if (atomic_exchange(&p->line_shown, false)) {
        write_line(WIPE);
    }
}

void progress_init(struct progress *p, enum config_progress mode, struct log *log)
{
    *p = (struct progress){.log = log, .phase = RUN_PHASE_START};
    p->never = mode == CONFIG_PROGRESS_NEVER;
    p->on_terminal = mode == CONFIG_PROGRESS_ALWAYS || (!p->never && isatty(STDERR_FILENO) != 0);
    if (p->on_terminal) {
        log->before_line = wipe;
        log->before_ctx = p;
    }
}

void progress_deinit(struct progress *p)
{
    wipe(p);
    if (p->on_terminal) {
        p->log->before_line = NULL;
        p->log->before_ctx = NULL;
    }
}

static void duration(char out[32], uint64_t seconds)
{
    (void)snprintf(out, 32, "%u:%02u:%02u", (unsigned)(seconds / 3600 % 10000),
                   (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
}

static void copy_text(const struct run_progress *now, double rows_per_s, char *out,
                      size_t out_bytes)
{
    char eta[32] = "";

    if (now->rows_expected <= now->rows) {
        (void)snprintf(out, out_bytes, "copying: %llu rows, %.0f rows/s",
                       (unsigned long long)now->rows, rows_per_s);
        return;
    }
    if (rows_per_s >= 1) {
        duration(eta, (uint64_t)((double)(now->rows_expected - now->rows) / rows_per_s));
    }
    (void)snprintf(out, out_bytes, "copying: %llu of about %llu rows (%.0f %%), %.0f rows/s%s%s",
                   (unsigned long long)now->rows, (unsigned long long)now->rows_expected,
                   100.0 * (double)now->rows / (double)now->rows_expected, rows_per_s,
                   eta[0] == '\0' ? "" : ", left ", eta);
}

static void follow_text(const struct run_progress *now, double rows_per_s, char *out,
                        size_t out_bytes)
{
    char lag[32] = "none yet";
    char committed[BINLOG_FILE_BYTES + 64] = "";

    if (now->lag_s >= 0) {
        duration(lag, (uint64_t)now->lag_s);
    }
    if (now->committed.file[0] != '\0') {
        (void)snprintf(committed, sizeof committed, ", in the lake up to %s:%llu",
                       now->committed.file, (unsigned long long)now->committed.offset);
    }
    (void)snprintf(out, out_bytes, "following: %llu rows, %.0f rows/s, last event %s%s%s",
                   (unsigned long long)now->rows, rows_per_s, lag, now->lag_s < 0 ? "" : " ago",
                   committed);
}

void progress_text(const struct run_progress *now, double rows_per_s, char *out, size_t out_bytes)
{
    switch (now->phase) {
    case RUN_PHASE_START:
        (void)snprintf(out, out_bytes, "starting");
        return;
    case RUN_PHASE_COPY:
        copy_text(now, rows_per_s, out, out_bytes);
        return;
    case RUN_PHASE_FOLLOW:
        follow_text(now, rows_per_s, out, out_bytes);
        return;
    }
}

static void show_terminal(struct progress *p, const struct run_progress *now)
{
    char text[LINE_BYTES];
    char line[LINE_BYTES + 8];

    progress_text(now, p->rows_per_s, text, sizeof text);
    (void)snprintf(line, sizeof line, "%s%s", WIPE, text);
    write_line(line);
    atomic_store(&p->line_shown, true);
}

static void show_log(const struct progress *p, const struct run_progress *now)
{
    if (now->phase == RUN_PHASE_COPY) {
        log_info(p->log, "copy.progress", LOG_U64("rows", now->rows),
                 LOG_U64("rows_expected", now->rows_expected),
                 LOG_F64("rows_per_s", p->rows_per_s));
    } else if (now->phase == RUN_PHASE_FOLLOW) {
        log_debug(p->log, "follow.progress", LOG_U64("rows", now->rows),
                  LOG_F64("rows_per_s", p->rows_per_s), LOG_I64("lag_s", now->lag_s));
    }
}

void progress_show(void *ctx, const struct run_progress *now)
{
    struct progress *p = ctx;
    int64_t now_us = clock_mono_us(&p->log->clock);

    if (p->never) {
        return;
    }
    if (now->phase != p->phase) {
        p->phase = now->phase;
        p->phase_us = now_us;
        p->shown_us = now_us;
        p->shown_rows = now->rows;
        p->rows_per_s = 0;
        return;
    }
    int64_t since_us = now_us - p->shown_us;

    if (since_us < (p->on_terminal ? TERMINAL_EVERY_US : LOG_EVERY_US)) {
        return;
    }
    /* Rows go down when a copy starts over. */
    uint64_t rows = now->rows > p->shown_rows ? now->rows - p->shown_rows : 0;
    double rate = (double)rows * 1e6 / (double)since_us;

    p->rows_per_s = p->rows_per_s == 0 ? rate : p->rows_per_s * 0.7 + rate * 0.3;
    p->shown_us = now_us;
    p->shown_rows = now->rows;
    if (p->on_terminal) {
        show_terminal(p, now);
    } else {
        show_log(p, now);
    }
}
