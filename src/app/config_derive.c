/*
 * config_derive.c - what settings say about other settings: the source URL, the variables of the
 * service calve replaces, points in the binlog.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/config_int.h"
#include "app/source_url.h"
#include "base/command.h"
#include "base/str.h"

#define CONNECTION_NAME_BYTES_MAX 128u

static enum err_code put_source(struct config_loader *l, struct err *e)
{
    struct config_given *source = config_given_of(l->c, "source");
    struct source_url url;

    if (source->text[0] == '\0') {
        return ERR_OK;
    }
    if (source_url_parse(source->text, &l->c->arena, &url, e) != ERR_OK) {
        return err_wrap(e, "source (%s)", source->where);
    }
    /* A URL is about one server: what it does not say must not come from a weaker place. */
    const struct {
        const char *name;
        const char *text;
    } parts[] = {
        {"mysql.host", url.host == NULL ? "localhost" : url.host},
        {"mysql.port", url.port == NULL ? "3306" : url.port},
        {"mysql.socket", url.socket == NULL ? "" : url.socket},
        {"mysql.user", url.user},
        {"mysql.password", url.password},
        {"mysql.tls", url.tls},
    };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].text != NULL) {
            ERR_TRY(
                config_put_weaker(l, parts[i].name, parts[i].text, source->rank, source->where, e));
        }
    }
    source->text = source_url_masked(source->text, &l->c->arena);
    return source->text == NULL ? arena_fail(&l->c->arena, e, "settings") : ERR_OK;
}

/* A variable of the service: the process's, else that of .env, else (without a command) its
 * default. */
static const char *service_variable(struct config_loader *l, const char *name, const char *initial,
                                    enum config_rank *rank, const char **where)
{
    const struct config_env process = {.process = l->request->environment};
    const char *text = config_env_get(&process, name, &l->c->arena, where);

    *rank = CONFIG_RANK_ENVIRONMENT;
    if (text == NULL || text[0] == '\0') {
        text = config_env_get(&l->env, name, &l->c->arena, where);
        *rank = CONFIG_RANK_DOTENV;
    }
    if ((text == NULL || text[0] == '\0') && l->request->no_command) {
        text = initial;
        *rank = CONFIG_RANK_SERVICE;
        *where = "default without a command";
    }
    return text == NULL || text[0] == '\0' ? NULL : text;
}

/* The next of "a, b,,c"; false at the end. Names may have blanks inside. */
static bool next_name(const char **rest, struct span *name)
{
    while (**rest != '\0') {
        const char *start = *rest + strspn(*rest, ", \t");
        size_t len = strcspn(start, ",");

        *rest = start + len;
        while (len > 0 && (start[len - 1] == ' ' || start[len - 1] == '\t')) {
            len--;
        }
        *name = span_of(start, len);
        if (len > 0) {
            return true;
        }
    }
    return false;
}

/* Every schema with every table. */
static enum err_code put_products(struct config_loader *l, const char *schemas, const char *tables,
                                  enum config_rank rank, const char *where, struct err *e)
{
    const struct config_setting *setting = config_find(span_str("table"));
    struct span schema;
    struct span table;

    for (const char *s = schemas; next_name(&s, &schema);) {
        for (const char *t = tables; next_name(&t, &table);) {
            const char *both;

            ERR_TRY(config_text(&l->c->arena, &both, e, "%.*s.%.*s", (int)schema.len,
                                (const char *)schema.data, (int)table.len,
                                (const char *)table.data));
            ERR_TRY(config_put(l, setting, both, rank, where, e));
        }
    }
    return ERR_OK;
}

static enum err_code put_cdc_tables(struct config_loader *l, struct err *e)
{
    enum config_rank rank;
    enum config_rank table_rank;
    const char *where = "";
    const char *table_where = "";
    const char *schemas = service_variable(l, "CDC_SCHEMA", "cdc_database", &rank, &where);
    const char *tables = service_variable(l, "CDC_TABLE", "users", &table_rank, &table_where);

    if (table_rank > rank) {
        rank = table_rank;
        where = table_where;
    }
    if ((schemas == NULL && tables == NULL) || config_given_of(l->c, "table")->rank >= rank) {
        return ERR_OK;
    }
    if (schemas == NULL || tables == NULL) {
        return err_set(
            e, ERR_CONFIG, "CDC_SCHEMA and CDC_TABLE go together, and %s is not set (%s: %s)",
            schemas == NULL ? "CDC_SCHEMA" : "CDC_TABLE",
            schemas == NULL ? "CDC_TABLE" : "CDC_SCHEMA", schemas == NULL ? table_where : where);
    }
    return put_products(l, schemas, tables, rank, where, e);
}

static enum err_code put_cdc_mode(struct config_loader *l, struct err *e)
{
    static const char *const any[] = {"CDC_MODE", "CDC_TABLE", "CDC_SCHEMA"};
    const char *where = "";
    const char *mode;
    enum config_rank rank = CONFIG_RANK_SERVICE;

    if (!l->request->no_command) {
        return ERR_OK;
    }
    for (size_t i = 0; i < sizeof any / sizeof any[0] && rank == CONFIG_RANK_SERVICE; i++) {
        (void)service_variable(l, any[i], "default", &rank, &where);
    }
    if (rank == CONFIG_RANK_SERVICE) {
        return err_set(e, ERR_NOT_FOUND, "no command, and neither CDC_MODE nor CDC_TABLE is set");
    }
    mode = service_variable(l, "CDC_MODE", "cdc", &rank, &where);
    if (str_ieq(mode, "cdc")) {
        l->c->cdc_mode = CONFIG_CDC_STREAM;
    } else if (str_ieq(mode, "backfill")) {
        l->c->cdc_mode = CONFIG_CDC_BACKFILL;
    } else {
        return err_set(e, ERR_CONFIG, "CDC_MODE: '%.100s' (%s) must be cdc or backfill", mode,
                       where);
    }
    return ERR_OK;
}

/* Drops "", "." and the last name before ".." from an absolute path, in place. */
static void clean_path(char *path)
{
    char *out = path;

    for (const char *p = path; *p != '\0';) {
        size_t len;

        p += strspn(p, "/");
        len = strcspn(p, "/");
        if (len == 2 && p[0] == '.' && p[1] == '.') {
            while (out > path && *--out != '/') {
            }
        } else if (len > 0 && !(len == 1 && p[0] == '.')) {
            *out++ = '/';
            memmove(out, p, len);
            out += len;
        }
        p += len;
    }
    *out = '\0';
}

enum err_code config_absolute_path(struct config_loader *l, const char *text, const char **out,
                                   struct err *e)
{
    const char *home = config_env_get(&l->env, "HOME", &l->c->arena, NULL);
    const char *base = l->request->folder;
    const char *path;

    if (text[0] == '/') {
        base = "";
    } else if (text[0] == '~' && text[1] == '/' && home != NULL) {
        base = home;
        text += 2;
    }
    /* clean_path() needs the slash in front, whatever HOME says. */
    ERR_TRY(config_text(&l->c->arena, &path, e, "/%s/%s", base, text));
    char *clean = arena_strdup(&l->c->arena, path);

    if (clean == NULL) {
        return arena_fail(&l->c->arena, e, "settings");
    }
    clean_path(clean);
    *out = clean;
    return ERR_OK;
}

static enum err_code put_password_file(struct config_loader *l, struct err *e)
{
    const struct config_given *file = config_given_of(l->c, "mysql.password-file");
    const struct config_given *password = config_given_of(l->c, "mysql.password");
    struct buf text;
    bool found;
    const char *path;

    if (file->text[0] == '\0' || file->rank < password->rank) {
        return ERR_OK;
    }
    if (file->rank == password->rank) {
        return err_set(e, ERR_CONFIG,
                       "mysql.password (%s) and mysql.password-file (%s) are both set",
                       password->where, file->where);
    }
    ERR_TRY(config_absolute_path(l, file->text, &path, e));
    buf_init(&text, 2 * CONFIG_FILE_BYTES_MAX);
    enum err_code rc = config_read_file(path, &text, &found, e);

    if (rc == ERR_OK && !found) {
        rc = err_set(e, ERR_CONFIG, "there is no such file: %s", file->text);
    }
    const char *line = rc == ERR_OK ? buf_cstr(&text) : NULL;

    if (line != NULL) {
        text.data[strcspn(line, "\r\n")] = '\0';
        rc = config_put(l, config_find(span_str("mysql.password")), line, file->rank, file->where,
                        e);
    } else if (rc == ERR_OK) {
        rc = err_nomem(e);
    }
    buf_deinit(&text);
    return rc == ERR_OK ? ERR_OK : err_wrap(e, "mysql.password-file (%s)", file->where);
}

/* The stronger of password and command counts; where both are as strong one is too many. */
static enum err_code put_password_command(struct config_loader *l, struct err *e)
{
    struct config_given *command = config_given_of(l->c, "mysql.password-command");
    struct config_given *password = config_given_of(l->c, "mysql.password");

    if (command->text[0] == '\0') {
        return ERR_OK;
    }
    if (command_check(command->text, e) != ERR_OK) {
        return err_wrap(e, "mysql.password-command (%s)", command->where);
    }
    if (command->rank == password->rank) {
        return err_set(e, ERR_CONFIG,
                       "mysql.password-command (%s) and a password (%s) are both set",
                       command->where, password->where);
    }
    if (command->rank < password->rank) {
        command->text = "";
    } else {
        password->rank = CONFIG_RANK_DEFAULT;
        password->text = "";
    }
    return ERR_OK;
}

/* Nobody gave a password: perhaps the user's own my.cnf has one. */
static enum err_code put_defaults_file(struct config_loader *l, struct err *e)
{
    struct config_given *file = config_given_of(l->c, "mysql.defaults-file");
    const char *home = config_env_get(&l->env, "HOME", &l->c->arena, NULL);
    const char *path;

    if (file->text[0] != '\0' || home == NULL || home[0] == '\0' ||
        config_given_of(l->c, "mysql.password-command")->text[0] != '\0' ||
        config_given_of(l->c, "mysql.password")->rank > CONFIG_RANK_DEFAULT) {
        return ERR_OK;
    }
    ERR_TRY(config_text(&l->c->arena, &path, e, "%s/.my.cnf", home));
    if (access(path, R_OK) == 0) {
        file->text = path;
        file->where = "default: no password is set";
    }
    return ERR_OK;
}

enum err_code config_derive_texts(struct config_loader *l, struct err *e)
{
    ERR_TRY(put_cdc_mode(l, e));
    ERR_TRY(put_cdc_tables(l, e));
    ERR_TRY(put_source(l, e));
    ERR_TRY(put_password_file(l, e));
    ERR_TRY(put_password_command(l, e));
    ERR_TRY(put_defaults_file(l, e));
    return config_lake_texts(l, e);
}

/* "3e11fa47-71ca-11e1-9e33-c80aa9429562:…" */
static bool is_mysql_gtid(const char *text)
{
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-'
                 : strchr("0123456789abcdefABCDEF", text[i]) == NULL || text[i] == '\0') {
            return false;
        }
    }
    return text[36] == ':';
}

/* "0-1-100,1-2-55" */
static bool is_mariadb_gtid(const char *text)
{
    return strchr(text, '-') != NULL && text[strspn(text, "0123456789-, ")] == '\0';
}

static enum err_code check_gtids(const char *text, struct err *e)
{
    struct gtid_set *set = NULL;
    enum err_code rc = gtid_set_parse(
        text, is_mysql_gtid(text) ? GTID_FLAVOR_MYSQL : GTID_FLAVOR_MARIADB, &set, e);

    gtid_set_free(set);
    return rc;
}

static enum err_code parse_point(struct config *c, const char *name, const char *text,
                                 bool is_until, struct run_point *out, struct err *e)
{
    struct err reason = {0};

    *out = (struct run_point){.kind = RUN_POINT_NONE};
    if (is_until && str_ieq(text, "never")) {
        return ERR_OK;
    }
    if (str_ieq(text, "current")) {
        out->kind = RUN_POINT_CURRENT;
        return ERR_OK;
    }
    if (!is_until && str_ieq(text, "earliest")) {
        out->kind = RUN_POINT_EARLIEST;
        return ERR_OK;
    }
    if (is_mysql_gtid(text) || is_mariadb_gtid(text)) {
        out->kind = RUN_POINT_GTIDS;
        out->gtids = text;
        enum err_code rc = check_gtids(text, &reason);

        if (rc != ERR_CORRUPT) {
            return rc == ERR_OK ? ERR_OK : err_set(e, rc, "%s", reason.msg);
        }
    } else {
        out->kind = RUN_POINT_POSITION;
        if (binlog_position_parse(text, &out->position, &reason) == ERR_OK) {
            return ERR_OK;
        }
    }
    return err_set(e, ERR_CONFIG,
                   "%s: '%.200s' (%s) must be %s, current, a GTID set or FILE:POS: %s", name, text,
                   config_origin(c, name), is_until ? "never" : "earliest", reason.msg);
}

static enum err_code check_globs(const struct config *c, const char *name,
                                 const struct config_list *list, struct err *e)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const char *dot = strchr(list->items[i], '.');

        if (dot == NULL || dot == list->items[i] || dot[1] == '\0') {
            return err_set(e, ERR_CONFIG,
                           "%s: '%.200s' (%s) must be SCHEMA.TABLE, such as shop.orders or "
                           "'shop.*'",
                           name, list->items[i], config_origin(c, name));
        }
    }
    return ERR_OK;
}

static enum err_code check_ddl_accept(const struct config *c, struct err *e)
{
    for (uint32_t i = 0; i < c->ddl_accept.count; i++) {
        struct binlog_position position;

        if (strcmp(c->ddl_accept.items[i], "all") != 0 &&
            binlog_position_parse(c->ddl_accept.items[i], &position, NULL) != ERR_OK) {
            return err_set(e, ERR_CONFIG,
                           "ddl.accept: '%.200s' (%s) must be FILE:POS as the error said, or all",
                           c->ddl_accept.items[i], config_origin(c, "ddl.accept"));
        }
    }
    return ERR_OK;
}

static enum err_code check_ddl_policy(const struct config *c, struct err *e)
{
    for (uint32_t i = 0; i < c->ddl_policy.count; i++) {
        const char *item = c->ddl_policy.items[i];
        const char *equals = strrchr(item, '=');
        const char *policy = equals == NULL ? item : equals + 1;
        const char *dot = equals == NULL ? NULL : memchr(item, '.', (size_t)(equals - item));

        if ((strcmp(policy, "mark") != 0 && strcmp(policy, "stop") != 0) ||
            (equals != NULL && (dot == NULL || dot == item || dot + 1 == equals))) {
            return err_set(e, ERR_CONFIG,
                           "ddl.policy: '%.200s' (%s) must be mark, stop, or one of them for some "
                           "tables, such as shop.orders=stop",
                           item, config_origin(c, "ddl.policy"));
        }
    }
    return ERR_OK;
}

/* It becomes part of paths and of property names. */
static enum err_code check_connection_name(const struct config *c, struct err *e)
{
    const char *name = c->connection_name;
    size_t len = strlen(name);
    bool ok = len > 0 && len <= CONNECTION_NAME_BYTES_MAX && strcmp(name, ".") != 0 &&
              strcmp(name, "..") != 0 && strchr(name, '/') == NULL && str_is_utf8(span_str(name));

    for (size_t i = 0; i < len; i++) {
        ok = ok && (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    }
    if (!ok) {
        return err_set(e, ERR_CONFIG,
                       "connection-name: '%.200s' (%s) must be 1 to %u bytes of text without /",
                       name, config_origin(c, "connection-name"), CONNECTION_NAME_BYTES_MAX);
    }
    return ERR_OK;
}

static enum err_code check_hosts(const struct config *c, struct err *e)
{
    const char *rest = c->mysql.host;
    struct host host;
    bool found = true;

    while (found) {
        if (host_list_next(&rest, &host, &found, e) != ERR_OK) {
            return err_wrap(e, "mysql.host (%s)", config_origin(c, "mysql.host"));
        }
    }
    return ERR_OK;
}

static enum err_code check_tls(const struct config *c, struct err *e)
{
    if ((c->mysql.tls_cert[0] == '\0') != (c->mysql.tls_key[0] == '\0')) {
        return err_set(e, ERR_CONFIG,
                       "mysql.tls-cert and mysql.tls-key go together, and %s is not set",
                       c->mysql.tls_cert[0] == '\0' ? "mysql.tls-cert" : "mysql.tls-key");
    }
    return ERR_OK;
}

/* What a my.cnf is to say must not be said by a default of ours. */
static void derive_my_cnf(struct config *c)
{
    if (!config_is_set(c, "mysql.defaults-file")) {
        return;
    }
    if (config_given_of(c, "mysql.host")->rank == CONFIG_RANK_DEFAULT) {
        c->mysql.host = "";
    }
    if (config_given_of(c, "mysql.port")->rank == CONFIG_RANK_DEFAULT) {
        c->mysql.port = 0;
    }
}

enum err_code config_derive_values(struct config_loader *l, struct err *e)
{
    struct config *c = l->c;

    derive_my_cnf(c);
    ERR_TRY(check_connection_name(c, e));
    ERR_TRY(check_hosts(c, e));
    ERR_TRY(check_tls(c, e));
    ERR_TRY(check_globs(c, "table", &c->tables, e));
    ERR_TRY(check_globs(c, "exclude-table", &c->excluded, e));
    ERR_TRY(check_ddl_accept(c, e));
    ERR_TRY(check_ddl_policy(c, e));
    ERR_TRY(parse_point(c, "from", c->from_text, false, &c->from, e));
    ERR_TRY(parse_point(c, "until", c->until_text, true, &c->until, e));
    return config_lake_values(l, e);
}
