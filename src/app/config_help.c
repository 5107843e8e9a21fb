#include "app/config_help.h"

#include <stdlib.h>

#include "app/config_value.h"

#define LEFT_COLUMNS 34u

static const char *const metavars[] = {
    [CONFIG_STRING] = "TEXT", [CONFIG_SECRET] = "TEXT",      [CONFIG_U64] = "NUMBER",
    [CONFIG_BOOL] = "BOOL",   [CONFIG_DURATION_MS] = "TIME", [CONFIG_BYTES] = "SIZE",
    [CONFIG_ENUM] = "WORD",   [CONFIG_LIST] = "LIST",        [CONFIG_URL] = "URL",
    [CONFIG_PLACE] = "PLACE", [CONFIG_HEADERS] = "LIST",
};

/* Columns of UTF-8 text: continuation bytes take none. */
static size_t columns(const char *text, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        count += ((unsigned char)text[i] & 0xc0u) == 0x80u ? 0 : 1;
    }
    return count;
}

static void put_spaces(struct buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_u8(out, ' ');
    }
}

void help_put_entry(struct buf *out, const char *left, const char *text)
{
    size_t column = 2 + columns(left, strlen(left));

    buf_printf(out, "  %s", left);
    if (column + 2 > LEFT_COLUMNS) {
        buf_u8(out, '\n');
        column = 0;
    }
    put_spaces(out, LEFT_COLUMNS - column);
    column = LEFT_COLUMNS;
    for (const char *word = text; *word != '\0';) {
        size_t len = strcspn(word, " ");
        size_t width = columns(word, len);

        if (column > LEFT_COLUMNS && column + 1 + width > HELP_COLUMNS) {
            buf_u8(out, '\n');
            put_spaces(out, LEFT_COLUMNS);
            column = LEFT_COLUMNS;
        }
        if (column > LEFT_COLUMNS) {
            buf_u8(out, ' ');
            column++;
        }
        buf_append(out, word, len);
        column += width;
        word += len;
        word += strspn(word, " ");
    }
    buf_u8(out, '\n');
}

static void put_flag(const struct config_setting *s, struct buf *out)
{
    struct buf left = {0};
    struct buf text = {0};
    char name[CONFIG_NAME_BYTES];

    config_flag_name(s, name);
    buf_printf(&left, "%s %s", name, s->metavar == NULL ? metavars[s->type] : s->metavar);
    buf_append_str(&text, s->help);
    if (s->type == CONFIG_ENUM) {
        buf_append_str(&text, " One of ");
        config_value_allowed(s, &text);
        buf_append_str(&text, ".");
    }
    if (s->initial[0] != '\0') {
        buf_printf(&text, " [%s]", s->initial);
    }
    const char *left_text = buf_cstr(&left);
    const char *right_text = buf_cstr(&text);

    if (left_text != NULL && right_text != NULL) {
        help_put_entry(out, left_text, right_text);
    }
    buf_deinit(&left);
    buf_deinit(&text);
}

void config_put_help(unsigned groups, struct buf *out)
{
    for (int group = 0; group < CONFIG_GROUPS; group++) {
        if ((groups & 1u << group) == 0) {
            continue;
        }
        buf_printf(out, "\n%s:\n", config_group_title((enum config_group)group));
        for (size_t i = 0; i < config_setting_count; i++) {
            const struct config_setting *s = &config_settings[i];

            if ((int)s->group == group && s->type != CONFIG_SECRET) {
                put_flag(s, out);
            }
        }
    }
}

static const char markdown_head[] =
    "# Settings\n"
    "\n"
    "<!-- Printed by `calve config --markdown`; tools/lint_config_docs.sh compares. -->\n"
    "\n"
    "Every setting has a name, a flag and a variable: `commit.interval` in `calve.yaml` is\n"
    "`--commit-interval` and `CALVE_COMMIT_INTERVAL`. Where several places set it, the strongest\n"
    "counts:\n"
    "\n"
    "1. flags\n"
    "2. the environment\n"
    "3. the file named by `-c`, else `calve.yaml` in the working folder\n"
    "4. `.env` in the working folder\n"
    "5. `.pyiceberg.yaml` in `$PYICEBERG_HOME`, the home folder or the working folder, with the\n"
    "   `PYICEBERG_CATALOG__…` variables: the default catalog, or `catalog.name`, of type `sql`\n"
    "   (SQLite), `glue` or `rest`, with the property names of PyIceberg and of Iceberg's Java\n"
    "   library. It counts as a whole, and only where none of `warehouse`, `catalog.type`,\n"
    "   `catalog.uri` and `catalog.path` is set in a stronger place.\n"
    "6. the default\n"
    "\n"
    "`calve config` prints every setting with its value and where it came from; secrets are "
    "`***`, and\n"
    "so are user, password and query of a URL and the values of `rest.header`. An unknown name, in "
    "a flag\n"
    "or in `calve.yaml`, is an error. Relative paths start at the working folder.\n"
    "\n"
    "`calve.yaml` takes dotted names or sections, and lists where a setting is a list. `${NAME}` "
    "and\n"
    "`${NAME:-default}` are replaced from the environment and `.env`:\n"
    "\n"
    "```yaml\n"
    "source: mysql://calve@db.example.com:3306\n"
    "mysql:\n"
    "  password: ${SHOP_PASSWORD}\n"
    "table: [shop.*, crm.customers]\n"
    "exclude-table: shop.sessions\n"
    "warehouse: /srv/lake\n"
    "commit.interval: 30s\n"
    "```\n"
    "\n"
    "Times are a number with `ms`, `s`, `m`, `h` or `d`. Sizes are a number of bytes, or one with "
    "`KiB`,\n"
    "`MiB`, `GiB`, `TiB` (powers of 1024; `K`, `M`, `G`, `T` are the same) or `KB`, `MB`, `GB`, "
    "`TB` (powers\n"
    "of 1000). A list is separated by commas, and its flag may be given again.\n"
    "\n"
    "In a source URL, write characters of a password that mean something in URLs as `%XX`: `@` is "
    "`%40`,\n"
    "`:` is `%3A`, `/` is `%2F`, `?` is `%3F`, `#` is `%23`, `%` is `%25`. Parts of the URL count "
    "as much as\n"
    "the place it is in; `mysql.host` and its like win over a URL in the same place.\n";

static const char markdown_tail[] =
    "\n"
    "## Without a command\n"
    "\n"
    "`calve` alone does what the variables of an existing Python service say (`CDC_MODE`, or at "
    "least\n"
    "`CDC_TABLE` or `CDC_SCHEMA`, must be set). These have a meaning of their own:\n"
    "\n"
    "| Variable | Meaning | Default without a command |\n"
    "|---|---|---|\n"
    "| `CDC_MODE` | `cdc`: `calve run`; `backfill`: `calve backfill` | `cdc` |\n"
    "| `CDC_SCHEMA` | schemas to replicate: names or globs, separated by commas | `cdc_database` "
    "|\n"
    "| `CDC_TABLE` | tables to replicate in each of them: names or globs | `users` |\n"
    "| `S3_BUCKET` | bucket of the tables: `warehouse` is `s3://S3_BUCKET` and "
    "`connection-folder` is `true`, unless `warehouse` is set in a place as strong | |\n"
    "\n"
    "Without a command these defaults differ: `mysql.host` is `db`, `mysql.user` is `root`,\n"
    "`mysql.password` is `password`, `batch-size` is 1000, `snapshot` is `never`, "
    "`connection-folder` is\n"
    "`true`.\n"
    "\n"
    "With any command or none, `client.region` is `us-east-1` by default where `S3_BUCKET` says "
    "the\n"
    "warehouse or `CDC_MODE` is set, as the service had it, so that `calve status` and `calve "
    "check` look\n"
    "at the same Glue. `AWS_REGION`, a region in `.pyiceberg.yaml` and `AWS_DEFAULT_REGION` count "
    "more; a\n"
    "profile's region and the instance's count only elsewhere.\n";

/* `|` would end the cell. */
static void put_cell(struct buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '|') {
            buf_u8(out, '\\');
        }
        buf_u8(out, (uint8_t)*p);
    }
}

/* Of a text nothing could be said but that it is one. */
static bool needs_allowed(enum config_type type)
{
    return type == CONFIG_U64 || type == CONFIG_BOOL || type == CONFIG_DURATION_MS ||
           type == CONFIG_BYTES || type == CONFIG_ENUM;
}

static void put_row(const struct config_setting *s, struct buf *out)
{
    char name[CONFIG_NAME_BYTES];
    struct buf allowed = {0};

    config_variable_name(s, name);
    buf_printf(out, "| `%s` | ", s->name);
    if (s->initial[0] != '\0') {
        buf_printf(out, "`%s`", s->initial);
    }
    buf_printf(out, " | `%s`", name);
    if (s->variable != NULL) {
        buf_printf(out, ", `%s`", s->variable);
    }
    buf_append_str(out, " | ");
    put_cell(out, s->help);
    if (needs_allowed(s->type)) {
        config_value_allowed(s, &allowed);
        const char *text = buf_cstr(&allowed);

        buf_append_str(out, " Allowed: ");
        put_cell(out, text == NULL ? "" : text);
        buf_append_str(out, ".");
    } else if (s->type == CONFIG_SECRET) {
        buf_append_str(out, " It has no flag: other users see a program's flags.");
    }
    buf_append_str(out, " |\n");
    buf_deinit(&allowed);
}

void config_put_markdown(struct buf *out)
{
    buf_append_str(out, markdown_head);
    for (int group = 0; group < CONFIG_GROUPS; group++) {
        buf_printf(out, "\n## %s\n\n", config_group_title((enum config_group)group));
        buf_append_str(out, "| Setting | Default | Variables | Meaning |\n|---|---|---|---|\n");
        for (size_t i = 0; i < config_setting_count; i++) {
            if ((int)config_settings[i].group == group) {
                put_row(&config_settings[i], out);
            }
        }
    }
    buf_append_str(out, markdown_tail);
}
