/*
 * commands.h - what `calve COMMAND` does.
 *
 * A command writes its result to stdout, its log to `log`, and returns ERR_OK or the reason it
 * failed; main() prints that and turns it into the exit status (ERR_CONFIG and ERR_UNSUPPORTED
 * settings: 2, ERR_DIFFERENT: 3, others: 1).
 *
 * Thread: main.
 */
#ifndef CALVE_APP_COMMANDS_H
#define CALVE_APP_COMMANDS_H

#include "app/config.h"

struct command_args {
    const char *const *words; /* after the command's name */
    uint32_t word_count;
    bool json;                  /* --json */
    bool discard;               /* --discard */
    bool rows;                  /* --rows */
    bool markdown;              /* --markdown */
    const char *max_lag;        /* --max-lag; NULL when not given */
    const char *server;         /* --server; NULL when not given */
    const char *server_version; /* --server-version; NULL when not given */
};

/* Copies what is not there yet, then follows; SIGTERM and SIGINT end it. */
MUST_USE enum err_code cmd_run(const struct config *c, const struct command_args *args,
                               struct log *log, struct err *e);

/* Only the copy. Tables named as words are in c->tables already. */
MUST_USE enum err_code cmd_backfill(const struct config *c, const struct command_args *args,
                                    struct log *log, struct err *e);

/* Errors: ERR_DIFFERENT when something is wrong. */
MUST_USE enum err_code cmd_check(const struct config *c, const struct command_args *args,
                                 struct log *log, struct err *e);
/* Errors: ERR_DIFFERENT when a table is further behind than args->max_lag. */
MUST_USE enum err_code cmd_status(const struct config *c, const struct command_args *args,
                                  struct log *log, struct err *e);
MUST_USE enum err_code cmd_inspect(const struct config *c, const struct command_args *args,
                                   struct log *log, struct err *e);
/* c may be NULL with args->markdown. */
MUST_USE enum err_code cmd_config(const struct config *c, const struct command_args *args,
                                  struct log *log, struct err *e);
/* c and log may be NULL. */
MUST_USE enum err_code cmd_version(const struct config *c, const struct command_args *args,
                                   struct log *log, struct err *e);

#endif
