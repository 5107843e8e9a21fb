/*
 * main.c - calve: reads the command line and the settings, runs a command, reports how it ended.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/signals.h"

enum exit_status {
    EXIT_STATUS_DONE = 0,
    EXIT_STATUS_FAILED = 1,
    EXIT_STATUS_USAGE = 2,
    EXIT_STATUS_DIFFERENT = 3,
};

extern char **environ;

static enum exit_status usage_error(const struct err *e)
{
    (void)fprintf(stderr, "calve: error: %s\n", e->msg);
    return EXIT_STATUS_USAGE;
}

static enum exit_status print_help(enum cli_command command, FILE *to, enum exit_status status)
{
    struct buf text = {0};

    cli_put_help(command, &text);
    (void)fwrite(text.data, 1, text.len, to);
    buf_deinit(&text);
    return status;
}

static enum err_code run_command(const struct cli *cli, const struct config *c, struct log *log,
                                 struct err *e)
{
    switch (cli->command) {
    case CLI_COMMAND_NONE:
        return c->cdc_mode == CONFIG_CDC_BACKFILL ? cmd_backfill(c, &cli->args, log, e)
                                                  : cmd_run(c, &cli->args, log, e);
    case CLI_COMMAND_RUN:
        return cmd_run(c, &cli->args, log, e);
    case CLI_COMMAND_BACKFILL:
        return cmd_backfill(c, &cli->args, log, e);
    case CLI_COMMAND_CHECK:
        return cmd_check(c, &cli->args, log, e);
    case CLI_COMMAND_STATUS:
        return cmd_status(c, &cli->args, log, e);
    case CLI_COMMAND_INSPECT:
        return cmd_inspect(c, &cli->args, log, e);
    case CLI_COMMAND_CONFIG:
        return cmd_config(c, &cli->args, log, e);
    case CLI_COMMAND_VERSION:
        return cmd_version(c, &cli->args, log, e);
    case CLI_COMMAND_HELP:
        break;
    }
    return err_set(e, ERR_CONFIG, "help is no such command");
}

/* A command that works on until it is stopped: what it says goes to whoever collects logs. */
static bool is_service(enum cli_command command)
{
    return command == CLI_COMMAND_RUN || command == CLI_COMMAND_BACKFILL ||
           command == CLI_COMMAND_NONE;
}

/* People read a plain line; what collects logs gets a log line. Never both. */
static void report(enum cli_command command, struct log *log, const struct err *e)
{
    if (!is_service(command) || isatty(STDERR_FILENO) != 0) {
        if (log->before_line != NULL) {
            log->before_line(log->before_ctx);
        }
        (void)fprintf(stderr, "calve: error: %s\n", e->msg);
        return;
    }
    log_error(log, "run.failed", LOG_STR("error", e->msg), LOG_STR("kind", err_code_name(e->code)));
}

static enum exit_status status_of(enum err_code code)
{
    switch (code) {
    case ERR_OK:
        return EXIT_STATUS_DONE;
    case ERR_CONFIG:
        return EXIT_STATUS_USAGE;
    case ERR_DIFFERENT:
        return EXIT_STATUS_DIFFERENT;
    case ERR_NOMEM:
    case ERR_IO:
    case ERR_TIMEOUT:
    case ERR_CORRUPT:
    case ERR_LIMIT:
    case ERR_UNSUPPORTED:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_UNKNOWN:
    case ERR_FENCED:
    case ERR_SOURCE:
    case ERR_CANCELLED:
        return EXIT_STATUS_FAILED;
    } /* no default: a new code breaks the build here */
    return EXIT_STATUS_FAILED;
}

static enum exit_status run_with_log(const struct cli *cli, const struct config *c)
{
    struct log log;
    struct err e = {0};

    log_init(&log, STDERR_FILENO, c->log_level, c->log_format);
    for (uint32_t i = 0; i < c->warnings.count; i++) {
        log_warn(&log, "config.ignored", LOG_STR("what", c->warnings.items[i]));
    }
    signals_init();
    enum err_code rc = run_command(cli, c, &log, &e);

    if (fflush(stdout) != 0 && rc == ERR_OK) {
        rc = err_set_os(&e, ERR_IO, errno, "writing to stdout");
    }
    /* A check that found something has said so. */
    if (rc != ERR_OK && rc != ERR_DIFFERENT) {
        report(cli->command, &log, &e);
    }
    log_deinit(&log);
    return status_of(rc);
}

static enum exit_status run_configured(const struct cli *cli)
{
    char folder[4096];
    struct config *c = NULL;
    struct err e = {0};
    enum exit_status status;

    if (getcwd(folder, sizeof folder) == NULL) {
        (void)err_set_os(&e, ERR_CONFIG, errno, "finding the working folder");
        return usage_error(&e);
    }
    const struct config_request request = {
        .flags = cli->flags,
        .flag_count = cli->flag_count,
        .file = cli->file,
        .folder = folder,
        .environment = (const char *const *)environ,
        .no_command = cli->command == CLI_COMMAND_NONE,
    };
    enum err_code rc = config_load(&request, &c, &e);

    if (rc == ERR_NOT_FOUND) {
        (void)print_help(CLI_COMMAND_NONE, stderr, EXIT_STATUS_USAGE);
        (void)fputc('\n', stderr);
    }
    if (rc == ERR_OK) {
        rc = config_require(c, cli_needs(cli->command), &e);
    }
    status = rc == ERR_OK ? run_with_log(cli, c) : usage_error(&e);
    config_free(c);
    return status;
}

static enum exit_status run_cli(const struct cli *cli)
{
    if (cli->command == CLI_COMMAND_HELP && cli->args.word_count > 0 && !cli->help) {
        enum cli_command about = cli_find_command(cli->args.words[0]);

        if (about == CLI_COMMAND_NONE) {
            (void)fprintf(stderr, "calve: error: there is no command '%s'\n", cli->args.words[0]);
            return EXIT_STATUS_USAGE;
        }
        return print_help(about, stdout, EXIT_STATUS_DONE);
    }
    if (cli->help || cli->command == CLI_COMMAND_HELP) {
        return print_help(cli->command, stdout, EXIT_STATUS_DONE);
    }
    if (cli->command == CLI_COMMAND_VERSION) {
        struct err e = {0};

        return status_of(cmd_version(NULL, &cli->args, NULL, &e));
    }
    /* The documentation is the same whatever the settings here are. */
    if (cli->command == CLI_COMMAND_CONFIG && cli->args.markdown) {
        struct err e = {0};

        return status_of(cmd_config(NULL, &cli->args, NULL, &e));
    }
    return run_configured(cli);
}

/* A table has a file open for each day of its rows: the usual 1024 are too few for many tables. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        /* Where it is refused, a run with few tables still has enough. */
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    struct cli cli;
    struct err e = {0};

    raise_file_limit();
    enum exit_status status =
        cli_parse(argc, argv, &cli, &e) == ERR_OK ? run_cli(&cli) : usage_error(&e);

    cli_deinit(&cli);
    return (int)status;
}
