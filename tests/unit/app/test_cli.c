#include "app/cli.h"

#include <stdlib.h>

#include "app/config_help.h"
#include "test.h"

#define ARGS_MAX 12

/* Parses a copy of the words; argv (may be NULL) gets them as they are afterwards, separated by
 * spaces. */
static enum err_code parse(const char *const *words, struct cli *cli, struct buf *argv_after,
                           struct err *e)
{
    char *argv[ARGS_MAX + 2] = {str_dup("calve")};
    int argc = 1;

    for (; argc <= ARGS_MAX && words[argc - 1] != NULL; argc++) {
        argv[argc] = str_dup(words[argc - 1]);
    }
    enum err_code rc = cli_parse(argc, argv, cli, e);

    for (int i = 0; i < argc; i++) {
        if (argv_after != NULL) {
            buf_printf(argv_after, "%s%s", i == 0 ? "" : " ", argv[i]);
        }
        free(argv[i]);
    }
    return rc;
}

static void show(const struct cli *cli, struct buf *out)
{
    buf_printf(out, "%d%s%s%s", (int)cli->command, cli->help ? " help" : "",
               cli->args.json ? " json" : "", cli->args.discard ? " discard" : "");
    if (cli->args.server != NULL) {
        buf_printf(out, " server=%s", cli->args.server);
    }
    if (cli->args.server_version != NULL) {
        buf_printf(out, " version=%s", cli->args.server_version);
    }
    if (cli->file != NULL) {
        buf_printf(out, " file=%s", cli->file);
    }
    for (uint32_t i = 0; i < cli->flag_count; i++) {
        buf_printf(out, " %s=%s", cli->flags[i].setting->name, cli->flags[i].value);
    }
    for (uint32_t i = 0; i < cli->args.word_count; i++) {
        buf_printf(out, " '%s'", cli->args.words[i]);
    }
}

TEST(test_cli__parses)
{
    static const struct {
        const char *words[ARGS_MAX];
        const char *want;
    } cases[] = {
        {{NULL}, "0"},
        {{"run"}, "1"},
        {{"run", "--table", "a.b", "--table=c.d", "--commit-interval", "5s"},
         "1 table=a.b table=c.d commit.interval=5s"},
        {{"--log.level", "debug", "run", "-c", "x.yaml"}, "1 file=x.yaml log.level=debug"},
        {{"run", "--config=x.yaml"}, "1 file=x.yaml"},
        {{"run", "--connection-folder", "--writers", "2"}, "1 connection-folder=true writers=2"},
        {{"run", "--connection-folder=no"}, "1 connection-folder=no"},
        {{"run", "--warehouse="}, "1 warehouse="},
        {{"run", "--warehouse", "-"}, "1 warehouse=-"},
        {{"backfill", "a.b", "c.d"}, "2 table=a.b table=c.d 'a.b' 'c.d'"},
        {{"check", "--json"}, "3 json"},
        {{"status", "--help"}, "4 help"},
        {{"inspect", "--discard", "binlog", "f", "--json"}, "5 json discard 'binlog' 'f'"},
        {{"inspect", "binlog", "--", "--json"}, "5 'binlog' '--json'"},
        {{"inspect", "ddl", "f", "--server", "mariadb", "--server-version=10.11.6"},
         "5 server=mariadb version=10.11.6 'ddl' 'f'"},
        {{"inspect", "-h"}, "5 help"},
        {{"--help"}, "0 help"},
        {{"help", "run"}, "8 'run'"},
        {{"--version"}, "7"},
        {{"-V", "run"}, "7"},
        {{"--writers", "3"}, "0 writers=3"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cli cli;
        struct buf shown = {0};
        struct err e = {0};

        assert_ok(parse(cases[i].words, &cli, NULL, &e), &e);
        show(&cli, &shown);
        assert_text_eq(buf_span(&shown), cases[i].want);
        buf_deinit(&shown);
        cli_deinit(&cli);
    }
}

TEST(test_cli__says_what_is_wrong_and_what_may_be_meant)
{
    static const struct {
        const char *words[ARGS_MAX];
        const char *want;
    } cases[] = {
        {{"rnu"}, "there is no command 'rnu'; do you mean run?"},
        {{"statsu"}, "do you mean status?"},
        {{"frobnicate"}, "there is no command 'frobnicate' (calve help lists them)"},
        {{"run", "--tabel", "a.b"}, "there is no flag --tabel; do you mean --table?"},
        {{"run", "--comit-interval=5s"},
         "there is no flag --comit-interval; do you mean --commit-interval?"},
        {{"run", "--port", "1"}, "do you mean --mysql-port?"},
        {{"run", "--password", "sesame"},
         "there is no flag --password (calve run --help lists them)"},
        {{"run", "--frobnicate"}, "there is no flag --frobnicate (calve run --help lists them)"},
        {{"run", "-x"}, "there is no flag -x"},
        {{"run", "--table"}, "--table needs a value: SCHEMA.TABLE"},
        {{"run", "--table", "--json"}, "--table needs a value"},
        {{"run", "-c"}, "-c needs a value: FILE"},
        {{"run", "--mysql-password", "sesame"},
         "--mysql-password is no flag, because the process list"},
        {{"run", "--mysql-password=sesame"}, "--mysql-password is no flag"},
        {{"run", "--mysql-password=sesame"}, "set the variable MYSQL_PASSWD, or mysql.password in"},
        {{"run", "--s3-secret-access-key", "x"},
         "set the variable CALVE_S3_SECRET_ACCESS_KEY, or s3.secret-access-key in"},
        {{"run", "shop.orders"}, "calve run: 'shop.orders' is too much"},
        {{"run", "--json"}, "calve run has no --json"},
        {{"--json"}, "calve has no --json"},
        {{"status", "--rows"}, "calve status has no --rows"},
        {{"status", "--server", "mysql"}, "calve status has no --server"},
        {{"inspect", "ddl", "f", "--server"}, "--server needs a value: NAME"},
        {{"inspect", "binlog"}, "calve inspect needs more: calve inspect binlog|parquet"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cli cli;
        struct err e = {0};
        enum err_code rc = parse(cases[i].words, &cli, NULL, &e);

        if (rc != ERR_CONFIG || strstr(e.msg, cases[i].want) == NULL ||
            strstr(e.msg, "sesame") != NULL) {
            fail_msg("case %zu gives '%s', not '%s'", i, e.msg, cases[i].want);
        }
        cli_deinit(&cli);
    }
}

TEST(test_cli__hides_passwords_from_the_process_list)
{
    static const struct {
        const char *words[ARGS_MAX];
        const char *want;
    } cases[] = {
        {{"run", "--source", "mysql://u:sesame@h"}, "calve run --source mysql://u:******@h"},
        {{"run", "--source=mariadb://u:ses@me@h:1"}, "calve run --source=mariadb://u:******@h:1"},
        {{"run", "--mysql-password=sesame"}, "calve run --mysql-password=******"},
        {{"run", "--source", "mysql://u@h:3306"}, "calve run --source mysql://u@h:3306"},
        {{"run", "--warehouse", "a:b@c"}, "calve run --warehouse a:b@c"},
        {{"run", "--http-proxy", "u:sesame@h:1"}, "calve run --http-proxy ********@h:1"},
        {{"run", "--http-proxy=http://sesame@h:1"}, "calve run --http-proxy=http://******@h:1"},
        {{"run", "--catalog-uri", "https://h/?k=sesame"},
         "calve run --catalog-uri https://h/?********"},
        {{"run", "--rest-header", "X-Key: sesame"}, "calve run --rest-header X-Key********"},
        {{"run", "--rest-header=X-Key:sesame"}, "calve run --rest-header=X-Key*******"},
        {{"run", "--rest.header=X:sesame", "--json"}, "calve run --rest.header=X******* --json"},
        {{"run", "--client-session-token", "sesame"}, "calve run --client-session-token ******"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cli cli;
        struct buf after = {0};

        (void)!parse(cases[i].words, &cli, &after, NULL);
        assert_text_eq(buf_span(&after), cases[i].want);
        if (i == 0) {
            assert_string_equal(cli.flags[0].value, "mysql://u:sesame@h");
        }
        buf_deinit(&after);
        cli_deinit(&cli);
    }
}

TEST(test_cli__helps_in_100_columns)
{
    for (int command = CLI_COMMAND_NONE; command <= CLI_COMMAND_HELP; command++) {
        struct buf help = {0};
        size_t columns = 0;

        cli_put_help((enum cli_command)command, &help);
        assert_true(help.len > 20);
        for (size_t i = 0; i < help.len; i++) {
            columns =
                help.data[i] == '\n' ? 0 : columns + ((help.data[i] & 0xc0u) == 0x80u ? 0 : 1);
            if (columns > HELP_COLUMNS) {
                fail_msg("help of command %d has a line of more than %u columns", command,
                         HELP_COLUMNS);
            }
        }
        buf_deinit(&help);
    }
}

TEST(test_cli__lists_every_flag_for_run)
{
    struct buf help = {0};

    cli_put_help(CLI_COMMAND_RUN, &help);
    for (size_t i = 0; i < config_setting_count; i++) {
        char flag[CONFIG_NAME_BYTES];

        config_flag_name(&config_settings[i], flag);
        assert_int_equal(strstr(buf_cstr(&help), flag) != NULL,
                         config_settings[i].type != CONFIG_SECRET ||
                             strcmp(flag, "--mysql-password") == 0);
    }
    assert_null(strstr(buf_cstr(&help), "--markdown"));
    buf_deinit(&help);
}

TEST(test_cli__survives_lack_of_memory)
{
    static const char *const words[] = {"backfill",      "a.b",         "--source",
                                        "mysql://u:p@h", "--table=c.d", NULL};
    char *argv[7] = {NULL};

    TORTURE(nth)
    {
        struct cli cli;
        struct err e = {0};

        torture_fail_at(0);
        for (int i = 0; i < 6; i++) {
            free(argv[i]);
            argv[i] = str_dup(i == 0 ? "calve" : words[i - 1]);
        }
        torture_fail_at(nth);
        enum err_code rc = cli_parse(6, argv, &cli, &e);

        assert_true(rc == ERR_OK || rc == ERR_NOMEM);
        cli_deinit(&cli);
    }
    for (int i = 0; i < 6; i++) {
        free(argv[i]);
    }
}

TEST_MAIN(test_case(test_cli__parses),
          test_case(test_cli__says_what_is_wrong_and_what_may_be_meant),
          test_case(test_cli__hides_passwords_from_the_process_list),
          test_case(test_cli__helps_in_100_columns), test_case(test_cli__lists_every_flag_for_run),
          test_case(test_cli__survives_lack_of_memory))
