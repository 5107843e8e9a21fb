#include "app/cli.h"

#include <stdio.h>

#include "app/config_help.h"
#include "app/config_value.h"
#include "app/source_url.h"
#include "app/url_shown.h"

#define ARENA_BYTES_MAX ((size_t)16 << 20)
#define ALL_GROUPS      ((1u << CONFIG_GROUPS) - 1)
#define GROUP(name)     (1u << CONFIG_GROUP_##name)
#define LAKE_GROUPS \
    (GROUP(LAKE) | GROUP(CLIENT) | GROUP(S3) | GROUP(GLUE) | GROUP(REST) | GROUP(HTTP))

struct command {
    enum cli_command id;
    const char *name;
    const char *words; /* what may follow, for help */
    uint32_t words_min;
    uint32_t words_max;
    unsigned needs;
    unsigned groups; /* whose flags its help shows */
    const char *summary;
};

static const struct command commands[] = {
    {CLI_COMMAND_RUN, "run", "", 0, 0, CONFIG_NEED_SOURCE | CONFIG_NEED_TABLES | CONFIG_NEED_LAKE,
     ALL_GROUPS, "Copy what is not there yet, then follow the source until stopped."},
    {CLI_COMMAND_BACKFILL, "backfill", " [TABLE…]", 0, UINT32_MAX,
     CONFIG_NEED_SOURCE | CONFIG_NEED_TABLES | CONFIG_NEED_LAKE,
     GROUP(SOURCE) | GROUP(TABLES) | LAKE_GROUPS | GROUP(RESOURCES) | GROUP(OUTPUT),
     "Only the copy."},
    {CLI_COMMAND_CHECK, "check", "", 0, 0,
     CONFIG_NEED_SOURCE | CONFIG_NEED_TABLES | CONFIG_NEED_LAKE,
     GROUP(SOURCE) | GROUP(TABLES) | LAKE_GROUPS | GROUP(OUTPUT),
     "Check source, privileges, binlog settings, catalog and storage; leave all as it was."},
    {CLI_COMMAND_STATUS, "status", "", 0, 0, CONFIG_NEED_LAKE,
     GROUP(SOURCE) | GROUP(TABLES) | LAKE_GROUPS | GROUP(OUTPUT),
     "Show each table's state, lag, rows, last commit and watermark."},
    {CLI_COMMAND_INSPECT, "inspect", " binlog|parquet|avro|table|ddl|signature WHAT", 2, 2, 0,
     LAKE_GROUPS | GROUP(OUTPUT), "Show what is in a file or table, or what DDL makes of tables."},
    {CLI_COMMAND_CONFIG, "config", "", 0, 0, 0, ALL_GROUPS,
     "Show every setting, its value and where it came from."},
    {CLI_COMMAND_VERSION, "version", "", 0, 0, 0, 0, "Show the version."},
    {CLI_COMMAND_HELP, "help", " [COMMAND]", 0, 1, 0, 0, "Show this, or a command's flags."},
};

/* Switches that are no settings. */
struct option {
    const char *name;
    size_t offset;     /* of a bool in struct command_args; of a text where it has a metavar */
    unsigned commands; /* a sum of 1 << enum cli_command */
    bool hidden;
    const char *help;
    const char *metavar; /* of options that take a value */
};

#define FOR(name) (1u << CLI_COMMAND_##name)

static const struct option options[] = {
    {"--json", offsetof(struct command_args, json),
     FOR(CHECK) | FOR(STATUS) | FOR(INSPECT) | FOR(CONFIG), false, "Print JSON.", NULL},
    {"--rows", offsetof(struct command_args, rows), FOR(INSPECT), false,
     "Of a binlog: the values of rows events too. Of a Parquet file: its rows.", NULL},
    {"--discard", offsetof(struct command_args, discard), FOR(INSPECT), false,
     "Of a binlog: decode every event, print only counts and speed.", NULL},
    {"--max-lag", offsetof(struct command_args, max_lag), FOR(STATUS), false,
     "End with status 3 when a table is further behind than this.", "TIME"},
    {"--server", offsetof(struct command_args, server), FOR(INSPECT), false,
     "Of DDL in a text file: the server that it was for, mysql or mariadb.", "NAME"},
    {"--server-version", offsetof(struct command_args, server_version), FOR(INSPECT), false,
     "Of DDL in a text file: the server's version, as 8.0.40.", "VERSION"},
    {"--markdown", offsetof(struct command_args, markdown), FOR(CONFIG), true,
     "Print docs/config.md.", NULL},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])
#define OPTION_COUNT  (sizeof options / sizeof options[0])

static const struct command *command_of(enum cli_command id)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (commands[i].id == id) {
            return &commands[i];
        }
    }
    return NULL;
}

enum cli_command cli_find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return commands[i].id;
        }
    }
    return CLI_COMMAND_NONE;
}

unsigned cli_needs(enum cli_command command)
{
    const struct command *c = command_of(command);

    /* Without a command it is a run or a backfill. */
    return c == NULL ? CONFIG_NEED_SOURCE | CONFIG_NEED_TABLES | CONFIG_NEED_LAKE : c->needs;
}

static enum err_code unknown_command(const char *word, struct err *e)
{
    const char *near = NULL;
    size_t near_distance = 3;

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        size_t distance = str_distance(word, commands[i].name);

        if (distance < near_distance) {
            near_distance = distance;
            near = commands[i].name;
        }
    }
    if (near == NULL) {
        return err_set(e, ERR_CONFIG, "there is no command '%.100s' (calve help lists them)", word);
    }
    return err_set(e, ERR_CONFIG, "there is no command '%.100s'; do you mean %s?", word, near);
}

static enum err_code unknown_flag(struct span given, struct err *e)
{
    struct span name = given;
    char flag[CONFIG_NAME_BYTES];
    int shown = (int)(given.len < 100 ? given.len : 100);

    while (name.len > 0 && name.data[0] == '-') {
        name = span_of(name.data + 1, name.len - 1);
    }
    const struct config_setting *near = config_nearest(name);

    if (near == NULL || near->type == CONFIG_SECRET) {
        return err_set(e, ERR_CONFIG, "there is no flag %.*s (calve run --help lists them)", shown,
                       (const char *)given.data);
    }
    config_flag_name(near, flag);
    return err_set(e, ERR_CONFIG, "there is no flag %.*s; do you mean %s?", shown,
                   (const char *)given.data, flag);
}

struct parser {
    struct cli *out;
    const char **args; /* copies */
    int count;
    int at;
    const char **words; /* with the command */
    uint32_t word_count;
    unsigned option_seen; /* a sum of 1 << index into options */
};

/* The value behind `=`, else the next argument. */
static enum err_code take_value(struct parser *p, const char *name, const char *inline_value,
                                const char *metavar, const char **out, struct err *e)
{
    *out = inline_value;
    if (inline_value != NULL) {
        return ERR_OK;
    }
    if (p->at + 1 >= p->count || strncmp(p->args[p->at + 1], "--", 2) == 0) {
        return err_set(e, ERR_CONFIG, "%s needs a value%s%s", name, metavar == NULL ? "" : ": ",
                       metavar == NULL ? "" : metavar);
    }
    *out = p->args[++p->at];
    return ERR_OK;
}

static enum err_code add_setting(struct parser *p, const struct config_setting *s,
                                 const char *inline_value, struct err *e)
{
    struct config_flag *flag = &p->out->flags[p->out->flag_count];
    char name[CONFIG_NAME_BYTES];

    config_flag_name(s, name);
    if (s->type == CONFIG_SECRET) {
        char variable[CONFIG_NAME_BYTES];

        config_variable_name(s, variable);
        return err_set(e, ERR_CONFIG,
                       "%s is no flag, because the process list shows flags: set the variable %s, "
                       "or %s in calve.yaml",
                       name, s->variable != NULL ? s->variable : variable, s->name);
    }
    flag->setting = s;
    if (s->type == CONFIG_BOOL && inline_value == NULL) {
        flag->value = "true";
    } else {
        ERR_TRY(take_value(p, name, inline_value, s->metavar, &flag->value, e));
    }
    p->out->flag_count++;
    return ERR_OK;
}

static enum err_code set_option(struct parser *p, size_t option, const char *inline_value,
                                struct err *e)
{
    char *at = (char *)&p->out->args + options[option].offset;

    p->option_seen |= 1u << option;
    if (options[option].metavar == NULL) {
        bool yes = true;

        memcpy(at, &yes, sizeof yes);
        return ERR_OK;
    }
    const char *value = NULL;

    ERR_TRY(take_value(p, options[option].name, inline_value, options[option].metavar, &value, e));
    memcpy(at, &value, sizeof value);
    return ERR_OK;
}

static enum err_code parse_flag(struct parser *p, const char *arg, struct err *e)
{
    const char *equals = strchr(arg, '=');
    const char *inline_value = equals == NULL ? NULL : equals + 1;
    struct span name = span_of(arg, equals == NULL ? strlen(arg) : (size_t)(equals - arg));

    if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0) {
        p->out->help = true;
        return ERR_OK;
    }
    if (strcmp(arg, "-V") == 0 || strcmp(arg, "--version") == 0) {
        p->out->command = CLI_COMMAND_VERSION;
        return ERR_OK;
    }
    if (span_eq_str(name, "-c") || span_eq_str(name, "--config")) {
        return take_value(p, "-c", inline_value, "FILE", &p->out->file, e);
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].metavar == NULL ? strcmp(options[i].name, arg) == 0
                                       : span_eq_str(name, options[i].name)) {
            return set_option(p, i, inline_value, e);
        }
    }
    const struct config_setting *s = name.len > 2 && name.data[1] == '-'
                                         ? config_find_flag(span_of(name.data + 2, name.len - 2))
                                         : NULL;

    return s == NULL ? unknown_flag(name, e) : add_setting(p, s, inline_value, e);
}

static enum err_code parse_args(struct parser *p, struct err *e)
{
    bool flags = true;

    for (p->at = 1; p->at < p->count; p->at++) {
        const char *arg = p->args[p->at];

        if (flags && strcmp(arg, "--") == 0) {
            flags = false;
        } else if (flags && arg[0] == '-' && arg[1] != '\0') {
            ERR_TRY(parse_flag(p, arg, e));
        } else {
            p->words[p->word_count++] = arg;
        }
    }
    return ERR_OK;
}

/* Tables named as words are the setting's. */
static void words_to_tables(struct cli *out)
{
    for (uint32_t i = 0; i < out->args.word_count; i++) {
        out->flags[out->flag_count++] = (struct config_flag){
            .setting = config_find(span_str("table")), .value = out->args.words[i]};
    }
}

static enum err_code check_options(const struct parser *p, struct err *e)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct command *c = command_of(p->out->command);

        if ((p->option_seen & 1u << i) != 0 && (options[i].commands & 1u << p->out->command) == 0) {
            return err_set(e, ERR_CONFIG, "calve%s%s has no %s", c == NULL ? "" : " ",
                           c == NULL ? "" : c->name, options[i].name);
        }
    }
    return ERR_OK;
}

static enum err_code parse_command(struct parser *p, struct err *e)
{
    struct cli *out = p->out;

    if (out->command == CLI_COMMAND_VERSION) {
        return ERR_OK;
    }
    if (p->word_count == 0) {
        return out->help ? ERR_OK : check_options(p, e);
    }
    out->command = cli_find_command(p->words[0]);
    const struct command *c = command_of(out->command);
    out->args.words = p->words + 1;
    out->args.word_count = p->word_count - 1;
    if (c == NULL) {
        return unknown_command(p->words[0], e);
    }
    if (out->help) {
        return ERR_OK;
    }
    if (out->args.word_count < c->words_min) {
        return err_set(e, ERR_CONFIG, "calve %s needs more: calve %s%s", c->name, c->name,
                       c->words);
    }
    if (out->args.word_count > c->words_max) {
        const char *word = out->args.words[c->words_max];

        /* Most likely a source, with its password. */
        return strstr(word, "://") != NULL
                   ? err_set(e, ERR_CONFIG,
                             "calve %s%s: a URL is too much: give it as --source URL", c->name,
                             c->words)
                   : err_set(e, ERR_CONFIG, "calve %s%s: '%.100s' is too much", c->name, c->words,
                             word);
    }
    if (out->command == CLI_COMMAND_BACKFILL) {
        words_to_tables(out);
    }
    return check_options(p, e);
}

/* The setting that arg, behind the argument before, is or has a value of; *value is where in it. */
static const struct config_setting *setting_of(const char *before, const char *arg, size_t *value)
{
    bool is_flag = strncmp(arg, "--", 2) == 0;
    const char *flag = is_flag ? arg : before;
    size_t name_len = strcspn(flag, "=");

    *value = is_flag ? name_len + (arg[name_len] == '=' ? 1 : 0) : 0;
    if (strncmp(flag, "--", 2) != 0 || (!is_flag && flag[name_len] == '=')) {
        return NULL;
    }
    return config_find_flag(span_of(flag + 2, name_len - 2));
}

static void hide(char *arg, struct span secret)
{
    if (secret.len > 0) {
        memset(arg + ((const char *)secret.data - arg), '*', secret.len);
    }
}

/* argv is what the process list shows. */
static void hide_secrets(const char *before, char *arg)
{
    size_t at;
    size_t len;
    const struct config_setting *s = setting_of(before, arg, &at);
    char *value = arg + at;

    if (s != NULL && s->type == CONFIG_SECRET) {
        hide(value, span_str(value));
    } else if (s != NULL && s->type == CONFIG_HEADERS) {
        hide(value, span_str(value + strcspn(value, ":")));
    } else if (s != NULL && config_value_is_url(s, value)) {
        const struct url_secrets secrets = url_secrets(value);

        hide(value, secrets.user);
        hide(value, secrets.tail);
    } else if (source_url_password_at(arg, &at, &len)) {
        memset(arg + at, '*', len);
    }
}

enum err_code cli_parse(int argc, char **argv, struct cli *out, struct err *e)
{
    struct parser p = {.out = out, .count = argc};

    *out = (struct cli){.command = CLI_COMMAND_NONE};
    arena_init(&out->arena, ARENA_BYTES_MAX);
    size_t room = (size_t)(argc < 0 ? 0 : argc) + 1;

    p.args = arena_alloc(&out->arena, room, sizeof *p.args);
    p.words = arena_alloc(&out->arena, room, sizeof *p.words);
    /* A word may be a flag's value as well: never more than both. */
    out->flags = arena_alloc(&out->arena, 2 * room, sizeof *out->flags);
    if (p.args == NULL || p.words == NULL || out->flags == NULL) {
        return arena_fail(&out->arena, e, "the command line");
    }
    for (int i = 0; i < argc; i++) {
        p.args[i] = arena_strdup(&out->arena, argv[i]);
        if (p.args[i] == NULL) {
            return arena_fail(&out->arena, e, "the command line");
        }
        if (i > 0) {
            hide_secrets(p.args[i - 1], argv[i]);
        }
    }
    ERR_TRY(parse_args(&p, e));
    return parse_command(&p, e);
}

void cli_deinit(struct cli *c)
{
    arena_deinit(&c->arena);
    *c = (struct cli){0};
}

static void put_general_help(struct buf *out)
{
    buf_append_str(out,
                   "calve turns MySQL and MariaDB tables into Apache Iceberg tables and keeps them "
                   "so.\n\n"
                   "  calve run --source mysql://root@127.0.0.1:3306 --table 'shop.*' --warehouse "
                   "./lake\n\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        struct buf left = {0};

        buf_printf(&left, "%s%s", commands[i].name, commands[i].words);
        const char *text = buf_cstr(&left);

        if (text != NULL) {
            help_put_entry(out, text, commands[i].summary);
        }
        buf_deinit(&left);
    }
    buf_append_str(
        out, "\n`calve COMMAND --help` lists a command's flags. Without a command calve does "
             "what CDC_MODE\nsays (docs/config.md). Exit status: 0 done, 1 failed, 2 usage or "
             "settings, 3 failed checks.\n");
}

void cli_put_help(enum cli_command command, struct buf *out)
{
    const struct command *c = command_of(command);

    if (c == NULL || command == CLI_COMMAND_HELP) {
        put_general_help(out);
        return;
    }
    buf_printf(out, "calve %s%s%s\n\n%s\n", c->name, c->words, c->groups == 0 ? "" : " [FLAG…]",
               c->summary);
    if (c->groups == 0) {
        return;
    }
    buf_append_str(
        out, "\nEvery flag is also a setting in calve.yaml and a variable CALVE_…; [defaults] "
             "stand in brackets.\n\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((options[i].commands & 1u << command) != 0 && !options[i].hidden) {
            char left[CONFIG_NAME_BYTES];

            (void)snprintf(left, sizeof left, "%s%s%s", options[i].name,
                           options[i].metavar == NULL ? "" : " ",
                           options[i].metavar == NULL ? "" : options[i].metavar);
            help_put_entry(out, left, options[i].help);
        }
    }
    help_put_entry(out, "-c, --config FILE",
                   "File with settings; else calve.yaml, if it is there.");
    help_put_entry(out, "-h, --help", "Show this.");
    config_put_help(c->groups, out);
}
