/*
 * cli.h - the command line: a command, its words, and flags for settings.
 *
 * Flags may stand before or behind the command: `--name value`, `--name=value`, -c FILE, -h. `--`
 * ends them.
 *
 * Owns:   what is parsed is copied. Thread: main.
 */
#ifndef CALVE_APP_CLI_H
#define CALVE_APP_CLI_H

#include "app/commands.h"

enum cli_command {
    CLI_COMMAND_NONE,
    CLI_COMMAND_RUN,
    CLI_COMMAND_BACKFILL,
    CLI_COMMAND_CHECK,
    CLI_COMMAND_STATUS,
    CLI_COMMAND_INSPECT,
    CLI_COMMAND_CONFIG,
    CLI_COMMAND_VERSION,
    CLI_COMMAND_HELP,
};

struct cli {
    enum cli_command command; /* HELP: words[0] may name a command */
    bool help;                /* --help behind a command */
    const char *file;         /* -c; NULL when not given */
    struct config_flag *flags;
    uint32_t flag_count;
    struct command_args args;
    struct arena arena;
};

/*
 * Passwords in argv are overwritten, so that the process list does not show them. *out is to be
 * deinit'ed in any case. Errors: ERR_CONFIG says what is wrong and what may be meant.
 */
MUST_USE enum err_code cli_parse(int argc, char **argv, struct cli *out, struct err *e);
void cli_deinit(struct cli *c);

/* What a command needs: a sum of enum config_need. */
unsigned cli_needs(enum cli_command command);

/* Appends the help of a command; of all for CLI_COMMAND_NONE. */
void cli_put_help(enum cli_command command, struct buf *out);

/* The command of that name; CLI_COMMAND_NONE when there is none. */
enum cli_command cli_find_command(const char *name);

#endif
