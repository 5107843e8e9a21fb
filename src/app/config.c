#include "app/config.h"

#include <stdlib.h>

#include "app/config_int.h"
#include "app/config_value.h"
#include "app/output.h"

#define ARENA_BYTES_MAX ((size_t)64 << 20)

struct config_given *config_given_of(const struct config *c, const char *name)
{
    const struct config_setting *s = config_find(span_str(name));

    if (s == NULL) {
        abort(); /* names here are ours */
    }
    return &c->values->given[s - config_settings];
}

enum err_code config_put(struct config_loader *l, const struct config_setting *s, const char *text,
                         enum config_rank rank, const char *where, struct err *e)
{
    struct config_given *given = &l->c->values->given[s - config_settings];
    struct arena *arena = &l->c->arena;
    struct config_given next = {.rank = rank};

    if (rank < given->rank) {
        return ERR_OK;
    }
    bool grows = config_type_is_list(s->type) && rank == given->rank && rank != CONFIG_RANK_DEFAULT;

    ERR_TRY(config_text(arena, &next.text, e, "%s%s%s", grows ? given->text : "", grows ? "," : "",
                        text));
    ERR_TRY(config_text(arena, &next.where, e, "%s", where));
    *given = next;
    return ERR_OK;
}

enum err_code config_put_weaker(struct config_loader *l, const char *name, const char *text,
                                enum config_rank rank, const char *where, struct err *e)
{
    if (config_given_of(l->c, name)->rank >= rank) {
        return ERR_OK;
    }
    return config_put(l, config_find(span_str(name)), text, rank, where, e);
}

static enum err_code put_defaults(struct config_loader *l, struct err *e)
{
    static const struct {
        const char *name;
        const char *text;
    } service[] = {
        {"mysql.host", "db"},
        {"mysql.port", "3306"},
        {"mysql.user", "root"},
        {"mysql.password", "password"},
        {"connection-name", "local_mysql"},
        {"batch-size", "1000"},
        {"mysql.server-id", "1"},
        {"connection-folder", "true"},
        {"snapshot", "never"},
    };

    for (size_t i = 0; i < config_setting_count; i++) {
        ERR_TRY(config_put(l, &config_settings[i], config_settings[i].initial, CONFIG_RANK_DEFAULT,
                           "default", e));
    }
    for (size_t i = 0; l->request->no_command && i < sizeof service / sizeof service[0]; i++) {
        ERR_TRY(config_put_weaker(l, service[i].name, service[i].text, CONFIG_RANK_SERVICE,
                                  "default without a command", e));
    }
    return ERR_OK;
}

static enum err_code join_path(struct arena *arena, const char *folder, const char *name,
                               const char **out, struct err *e)
{
    bool absolute = name[0] == '/';

    return config_text(arena, out, e, "%s%s%s", absolute ? "" : folder, absolute ? "" : "/", name);
}

static enum err_code read_dotenv(struct config_loader *l, struct err *e)
{
    struct arena *arena = &l->c->arena;
    struct buf text;
    const char *path;
    bool found;

    ERR_TRY(join_path(arena, l->request->folder, ".env", &path, e));
    buf_init(&text, 2 * CONFIG_FILE_BYTES_MAX);
    enum err_code rc = config_read_file(path, &text, &found, e);

    if (rc == ERR_OK && found) {
        rc = config_dotenv_parse(buf_span(&text), ".env", l->request->environment, arena,
                                 &l->dotenv, &l->warnings, e);
    }
    buf_deinit(&text);
    return rc;
}

/* "unknown setting 'comit.interval' (calve.yaml:3): do you mean commit.interval?" */
static enum err_code unknown_setting(const struct config_entry *entry, struct err *e)
{
    const struct config_setting *near = config_nearest(span_str(entry->key));

    if (near == NULL) {
        return err_set(e, ERR_CONFIG, "%s: there is no setting '%.100s' (calve config lists them)",
                       entry->where, entry->key);
    }
    return err_set(e, ERR_CONFIG, "%s: there is no setting '%.100s'; do you mean %s?", entry->where,
                   entry->key, near->name);
}

/* `mysql:` with nothing below it. */
static bool is_section(const char *key)
{
    size_t len = strlen(key);

    for (size_t i = 0; i < config_setting_count; i++) {
        if (strncmp(config_settings[i].name, key, len) == 0 &&
            config_settings[i].name[len] == '.') {
            return true;
        }
    }
    return false;
}

static enum err_code put_yaml_entry(struct config_loader *l, const struct config_entry *entry,
                                    struct err *e)
{
    const struct config_setting *s = config_find(span_str(entry->key));
    const char *text;

    if (s == NULL && entry->value == NULL && is_section(entry->key)) {
        return ERR_OK;
    }
    if (s == NULL) {
        return unknown_setting(entry, e);
    }
    if (entry->item && !config_type_is_list(s->type)) {
        return err_set(e, ERR_CONFIG, "%s: %s is one value, not a list", entry->where, s->name);
    }
    if (entry->value == NULL) {
        return ERR_OK;
    }
    if (config_expand(&l->env, entry->value, false, &l->c->arena, &text, e) != ERR_OK) {
        return err_wrap(e, "%s: %s", entry->where, s->name);
    }
    return config_put(l, s, text, CONFIG_RANK_YAML, entry->where, e);
}

static enum err_code put_yaml(struct config_loader *l, struct span text, const char *name,
                              struct err *e)
{
    struct config_entries entries = {0};

    ERR_TRY(config_yaml_parse(text, name, '.', &l->c->arena, &entries, e));
    for (uint32_t i = 0; i < entries.count; i++) {
        ERR_TRY(put_yaml_entry(l, &entries.items[i], e));
    }
    return ERR_OK;
}

static enum err_code read_yaml(struct config_loader *l, struct err *e)
{
    const char *name = l->request->file == NULL ? "calve.yaml" : l->request->file;
    struct buf text;
    const char *path;
    bool found;

    ERR_TRY(join_path(&l->c->arena, l->request->folder, name, &path, e));
    buf_init(&text, 2 * CONFIG_FILE_BYTES_MAX);
    enum err_code rc = config_read_file(path, &text, &found, e);

    if (rc == ERR_OK && found) {
        rc = put_yaml(l, buf_span(&text), name, e);
    } else if (rc == ERR_OK && l->request->file != NULL) {
        rc = err_set(e, ERR_CONFIG, "there is no file %s (named by -c)", l->request->file);
    }
    buf_deinit(&text);
    return rc;
}

/* An empty variable is one that is not set, except for a password, which may be empty. */
static enum err_code put_variable(struct config_loader *l, const struct config_env *env,
                                  const struct config_setting *s, const char *variable,
                                  enum config_rank rank, struct err *e)
{
    const char *where = "";
    const char *text = config_env_get(env, variable, &l->c->arena, &where);

    if (text == NULL || (text[0] == '\0' && s->type != CONFIG_SECRET)) {
        return ERR_OK;
    }
    return config_put(l, s, text, rank, where, e);
}

static enum err_code put_variables(struct config_loader *l, const struct config_env *env,
                                   enum config_rank rank, struct err *e)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *s = &config_settings[i];
        char own[CONFIG_NAME_BYTES];

        config_variable_name(s, own);
        if (s->variable != NULL) {
            ERR_TRY(put_variable(l, env, s, s->variable, rank, e));
        }
        ERR_TRY(put_variable(l, env, s, own, rank, e));
    }
    return ERR_OK;
}

/* A CALVE_ variable that is no setting would go unseen. */
static enum err_code check_variable(struct config_loader *l, struct span name, const char *where,
                                    struct err *e)
{
    struct config_entry entry = {.where = where};
    char variable[CONFIG_NAME_BYTES] = "";

    if (name.len <= 6 || memcmp(name.data, "CALVE_", 6) != 0 ||
        config_find_variable(name) != NULL) {
        return ERR_OK;
    }
    const struct config_setting *near = config_nearest(span_of(name.data + 6, name.len - 6));

    if (near != NULL) {
        config_variable_name(near, variable);
    }
    ERR_TRY(config_text(&l->c->arena, &entry.key, e, "%.*s is no setting, left out%s%s%s",
                        (int)name.len, (const char *)name.data,
                        near == NULL ? "" : "; do you mean ", variable, near == NULL ? "" : "?"));
    return config_entries_add(&l->warnings, &l->c->arena, entry, e);
}

static enum err_code check_variables(struct config_loader *l, struct err *e)
{
    for (uint32_t i = 0; i < l->dotenv.count; i++) {
        const struct config_entry *entry = &l->dotenv.items[i];

        ERR_TRY(check_variable(l, span_str(entry->key), entry->where, e));
    }
    for (const char *const *p = l->request->environment; p != NULL && *p != NULL; p++) {
        ERR_TRY(check_variable(l, span_of(*p, strcspn(*p, "=")), "environment", e));
    }
    return ERR_OK;
}

static enum err_code put_flags(struct config_loader *l, struct err *e)
{
    for (uint32_t i = 0; i < l->request->flag_count; i++) {
        const struct config_flag *flag = &l->request->flags[i];
        char name[CONFIG_NAME_BYTES];

        config_flag_name(flag->setting, name);
        ERR_TRY(config_put(l, flag->setting, flag->value, CONFIG_RANK_FLAG, name, e));
    }
    return ERR_OK;
}

static enum err_code gather(struct config_loader *l, struct err *e)
{
    const struct config_env process = {.process = l->request->environment};
    const struct config_env dotenv = {.dotenv = &l->dotenv};

    ERR_TRY(put_defaults(l, e));
    ERR_TRY(read_dotenv(l, e));
    ERR_TRY(put_variables(l, &dotenv, CONFIG_RANK_DOTENV, e));
    ERR_TRY(read_yaml(l, e));
    ERR_TRY(put_variables(l, &process, CONFIG_RANK_ENVIRONMENT, e));
    ERR_TRY(check_variables(l, e));
    return put_flags(l, e);
}

static enum err_code parse_values(struct config_loader *l, struct err *e)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_given *given = &l->c->values->given[i];

        ERR_TRY(config_value_parse(&config_settings[i], given->text, given->where, l->c, e));
    }
    return ERR_OK;
}

static enum err_code keep_warnings(struct config_loader *l, struct err *e)
{
    const char **texts = arena_alloc(&l->c->arena, (size_t)l->warnings.count + 1, sizeof *texts);

    if (texts == NULL) {
        return arena_fail(&l->c->arena, e, "settings");
    }
    for (uint32_t i = 0; i < l->warnings.count; i++) {
        ERR_TRY(config_text(&l->c->arena, &texts[i], e, "%s: %s", l->warnings.items[i].where,
                            l->warnings.items[i].key));
    }
    l->c->warnings = (struct config_list){.items = texts, .count = l->warnings.count};
    return ERR_OK;
}

static enum err_code load(struct config_loader *l, struct err *e)
{
    struct arena *arena = &l->c->arena;

    l->c->values = arena_alloc(arena, 1, sizeof *l->c->values);
    if (l->c->values == NULL) {
        return arena_fail(arena, e, "settings");
    }
    l->c->values->given = arena_alloc(arena, config_setting_count, sizeof(struct config_given));
    if (l->c->values->given == NULL) {
        return arena_fail(arena, e, "settings");
    }
    ERR_TRY(gather(l, e));
    ERR_TRY(config_derive_texts(l, e));
    ERR_TRY(parse_values(l, e));
    ERR_TRY(config_derive_values(l, e));
    return keep_warnings(l, e);
}

enum err_code config_load(const struct config_request *request, struct config **out, struct err *e)
{
    struct config_loader l = {.request = request, .c = calloc(1, sizeof *l.c)};

    *out = NULL;
    if (l.c == NULL) {
        return err_nomem(e);
    }
    arena_init(&l.c->arena, ARENA_BYTES_MAX);
    l.env = (struct config_env){.process = request->environment, .dotenv = &l.dotenv};
    enum err_code rc = load(&l, e);

    if (rc != ERR_OK) {
        config_free(l.c);
        return rc;
    }
    *out = l.c;
    return ERR_OK;
}

void config_free(struct config *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < config_setting_count; i++) {
        config_value_wipe(&config_settings[i], c);
    }
    arena_deinit(&c->arena);
    free(c);
}

const char *config_origin(const struct config *c, const char *name)
{
    return config_given_of(c, name)->where;
}

bool config_is_set(const struct config *c, const char *name)
{
    return config_given_of(c, name)->rank > CONFIG_RANK_SERVICE;
}

enum err_code config_require(const struct config *c, unsigned needs, struct err *e)
{
    const struct config_given *host = config_given_of(c, "mysql.host");

    if ((needs & CONFIG_NEED_SOURCE) != 0 && host->rank == CONFIG_RANK_DEFAULT &&
        c->mysql.socket[0] == '\0' && !config_is_set(c, "mysql.defaults-file")) {
        return err_set(
            e, ERR_CONFIG,
            "no source: give --source mysql://user@host:3306 (or MYSQL_HOST, or mysql.host "
            "in calve.yaml)");
    }
    if ((needs & CONFIG_NEED_TABLES) != 0 && c->tables.count == 0) {
        return err_set(
            e, ERR_CONFIG,
            "no tables: give --table SCHEMA.TABLE, as often as needed; 'shop.*' names all "
            "of a schema");
    }
    if ((needs & CONFIG_NEED_LAKE) == 0) {
        return ERR_OK;
    }
    if (c->values->lake_problem != NULL) {
        return err_set(e, c->values->lake_problem_code, "%s", c->values->lake_problem);
    }
    if (c->warehouse_location[0] == '\0' && c->catalog_type != CONFIG_CATALOG_REST) {
        return err_set(e, ERR_CONFIG,
                       "no warehouse: give --warehouse DIR or s3://BUCKET/FOLDER (or warehouse in "
                       "calve.yaml, S3_BUCKET, or a catalog in .pyiceberg.yaml)");
    }
    return ERR_OK;
}

static const char *or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

struct mysql_options config_mysql_options(const struct config *c)
{
    const struct config_mysql *m = &c->mysql;
    bool has_password = config_given_of(c, "mysql.password")->rank > CONFIG_RANK_DEFAULT;

    return (struct mysql_options){
        .host = or_null(m->host),
        .port = (uint16_t)m->port,
        .socket = or_null(m->socket),
        .user = or_null(m->user),
        .password_command = or_null(m->password_command),
        .password = has_password ? m->password : (struct secret){NULL},
        .defaults_file = or_null(m->defaults_file),
        .tls = m->tls,
        .tls_ca = or_null(m->tls_ca),
        .tls_cert = or_null(m->tls_cert),
        .tls_key = or_null(m->tls_key),
        .connect_timeout_s = (unsigned)((m->connect_timeout_ms + 999) / 1000),
    };
}

void config_print(const struct config *c, struct buf *out)
{
    static const char *const headers[] = {"SETTING", "VALUE", "FROM"};
    struct output_table table = {.headers = headers, .column_count = 3};

    for (size_t i = 0; i < config_setting_count; i++) {
        struct buf value = {0};

        config_value_print(&config_settings[i], c, &value);
        output_table_add(&table, config_settings[i].name);
        output_table_add(&table, buf_cstr(&value));
        output_table_add(&table, c->values->given[i].where);
        buf_deinit(&value);
    }
    if (output_table_print(&table, out, NULL) != ERR_OK) {
        out->failed = ERR_NOMEM;
    }
    output_table_deinit(&table);
}
