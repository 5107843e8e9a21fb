/* config_lake.c - which lake the settings describe: warehouse, catalog, .pyiceberg.yaml, S3_BUCKET.
 */
#include <stdio.h>

#include "app/config_int.h"
#include "app/url_shown.h"
#include "base/str.h"

static enum err_code set_lake_problem(struct config_loader *l, enum err_code code, struct err *e,
                                      const char *fmt, ...) PRINTF_LIKE(4, 5);

static enum err_code set_lake_problem(struct config_loader *l, enum err_code code, struct err *e,
                                      const char *fmt, ...)
{
    struct config_values *v = l->c->values;
    char text[1024];
    va_list args;

    if (v->lake_problem != NULL) {
        return ERR_OK;
    }
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    v->lake_problem_code = code;
    v->lake_problem = arena_strdup(&l->c->arena, text);
    return v->lake_problem == NULL ? arena_fail(&l->c->arena, e, "settings") : ERR_OK;
}

/* A URL as a message may have it. */
static enum err_code shown_url(struct config_loader *l, const char *text, const char **out,
                               struct err *e)
{
    struct buf shown = {0};

    url_put_shown(&shown, text);
    enum err_code rc = buf_check(&shown, e, "a setting");

    if (rc == ERR_OK) {
        *out = arena_strndup(&l->c->arena, shown.data, shown.len);
        rc = *out == NULL ? arena_fail(&l->c->arena, e, "settings") : ERR_OK;
    }
    buf_deinit(&shown);
    return rc;
}

/* ---- texts ---- */

static enum err_code put_pyiceberg_type(struct config_loader *l, const struct pyiceberg_catalog *p,
                                        struct err *e)
{
    const char *type = NULL;

    if (p->type == NULL) {
        return ERR_OK;
    }
    if (str_ieq(p->type, "sql")) {
        type = "sqlite";
    } else if (str_ieq(p->type, "rest")) {
        type = "rest";
    } else if (str_ieq(p->type, "glue")) {
        type = "glue";
    } else {
        return set_lake_problem(l, ERR_UNSUPPORTED, e,
                                "catalog '%s' is of type '%.50s' (%s); calve knows sql (SQLite), "
                                "glue and rest",
                                p->name, p->type, p->type_where);
    }
    return config_put_weaker(l, "catalog.type", type, CONFIG_RANK_PYICEBERG, p->type_where, e);
}

/*
 * .pyiceberg.yaml is one description of one lake: it counts as a whole, and only where no stronger
 * place describes the lake. Else --warehouse ./lake would write to the catalog of a file in the
 * home folder.
 */
static enum err_code put_pyiceberg(struct config_loader *l, struct err *e)
{
    static const char *const stronger[] = {"warehouse", "catalog.type", "catalog.uri",
                                           "catalog.path"};
    const struct config_given *name = config_given_of(l->c, "catalog.name");
    struct pyiceberg_catalog p;
    bool found;

    for (size_t i = 0; i < sizeof stronger / sizeof stronger[0]; i++) {
        if (config_is_set(l->c, stronger[i])) {
            return ERR_OK;
        }
    }
    ERR_TRY(pyiceberg_catalog_load(&l->env, l->request->folder,
                                   config_is_set(l->c, "catalog.name") ? name->text : NULL,
                                   &l->c->arena, &p, &found, e));
    if (!found) {
        return ERR_OK;
    }
    ERR_TRY(config_put_weaker(l, "catalog.name", p.name, CONFIG_RANK_PYICEBERG,
                              p.name_where == NULL ? ".pyiceberg.yaml" : p.name_where, e));
    ERR_TRY(put_pyiceberg_type(l, &p, e));
    for (uint32_t i = 0; i < p.properties.count; i++) {
        ERR_TRY(config_put_property(l, p.type, &p.properties.items[i], e));
    }
    return ERR_OK;
}

/*
 * Where the service's variables say which lake, its region holds for every command: `calve status`
 * must look at the same Glue as the `calve` beside it.
 */
static enum err_code put_service_region(struct config_loader *l, const char *because, struct err *e)
{
    const char *named = config_env_get(&l->env, "AWS_DEFAULT_REGION", &l->c->arena, NULL);
    const char *where;

    if (named != NULL && named[0] != '\0') {
        return ERR_OK; /* what somebody said counts more than what nobody did */
    }
    ERR_TRY(config_text(&l->c->arena, &where, e, "default beside %s", because));
    return config_put_weaker(l, "client.region", "us-east-1", CONFIG_RANK_SERVICE, where, e);
}

/*
 * The service that calve replaces puts its tables into this bucket, whatever warehouse its catalog
 * has. A warehouse that was named as directly counts more.
 */
static enum err_code put_bucket(struct config_loader *l, struct err *e)
{
    const struct config_env process = {.process = l->request->environment};
    struct arena *arena = &l->c->arena;
    enum config_rank rank = CONFIG_RANK_ENVIRONMENT;
    const char *where = "";
    const char *bucket = config_env_get(&process, "S3_BUCKET", arena, &where);
    const char *location;

    if (bucket == NULL || bucket[0] == '\0') {
        rank = CONFIG_RANK_DOTENV;
        bucket = config_env_get(&l->env, "S3_BUCKET", arena, &where);
    }
    if (bucket == NULL || bucket[0] == '\0') {
        return ERR_OK;
    }
    if (config_given_of(l->c, "warehouse")->rank >= rank) {
        struct config_entry entry = {.where = where};

        ERR_TRY(config_text(arena, &entry.key, e,
                            "S3_BUCKET is not used: warehouse (%s) says where",
                            config_origin(l->c, "warehouse")));
        return config_entries_add(&l->warnings, arena, entry, e);
    }
    ERR_TRY(config_text(arena, &location, e, "%s%s", strstr(bucket, "://") == NULL ? "s3://" : "",
                        bucket));
    ERR_TRY(config_put_weaker(l, "warehouse", location, rank, where, e));
    ERR_TRY(put_service_region(l, where, e));
    return config_put_weaker(l, "connection-folder", "true", rank, where, e);
}

/* With a command CDC_MODE says nothing but whose .env this is. */
static enum err_code put_mode_region(struct config_loader *l, struct err *e)
{
    const char *where = "";
    const char *mode = config_env_get(&l->env, "CDC_MODE", &l->c->arena, &where);

    return mode == NULL || mode[0] == '\0' ? ERR_OK : put_service_region(l, where, e);
}

enum err_code config_lake_texts(struct config_loader *l, struct err *e)
{
    ERR_TRY(put_pyiceberg(l, e));
    ERR_TRY(put_bucket(l, e));
    return put_mode_region(l, e);
}

/* ---- warehouse ---- */

/* The path in file:///path, file:/path or a plain path; NULL for another scheme. */
static const char *local_path(const char *text)
{
    if (str_starts_with(text, "file://")) {
        return text[7] == '/' ? text + 7 : NULL;
    }
    if (str_starts_with(text, "file:")) {
        return text + 5;
    }
    return strstr(text, "://") == NULL ? text : NULL;
}

/* What follows s3://, s3a:// or s3n://; NULL for anything else. */
static const char *s3_path(const char *text)
{
    static const char *const schemes[] = {"s3://", "s3a://", "s3n://"};

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (str_starts_with(text, schemes[i])) {
            return text + strlen(schemes[i]);
        }
    }
    return NULL;
}

/* s3:// is the form that every reader knows. */
static enum err_code derive_s3_warehouse(struct config_loader *l, const char *path, struct err *e)
{
    struct config *c = l->c;
    size_t len = strlen(path);

    while (len > 0 && path[len - 1] == '/') {
        len--;
    }
    if (url_secrets(c->warehouse).user.len > 0) {
        return set_lake_problem(l, ERR_CONFIG, e,
                                "warehouse (%s) has keys or a user in front of its bucket: keys "
                                "have settings of their own, such as s3.access-key-id",
                                config_origin(c, "warehouse"));
    }
    if (len == 0 || path[0] == '/') {
        return set_lake_problem(
            l, ERR_CONFIG, e, "warehouse: '%.200s' (%s) must be s3://BUCKET or s3://BUCKET/FOLDER",
            c->warehouse, config_origin(c, "warehouse"));
    }
    return config_text(&c->arena, &c->warehouse_location, e, "s3://%.*s", (int)len, path);
}

static enum err_code derive_warehouse(struct config_loader *l, struct err *e)
{
    struct config *c = l->c;
    const char *path = local_path(c->warehouse);
    const char *absolute = "";
    const char *shown = "";

    c->warehouse_location = "";
    if (s3_path(c->warehouse) != NULL) {
        return derive_s3_warehouse(l, s3_path(c->warehouse), e);
    }
    if (path == NULL) {
        ERR_TRY(shown_url(l, c->warehouse, &shown, e));
        return set_lake_problem(l, ERR_UNSUPPORTED, e,
                                "warehouse: '%.200s' (%s) must be a folder, file:///FOLDER or "
                                "s3://BUCKET/FOLDER",
                                shown, config_origin(c, "warehouse"));
    }
    if (path[0] == '\0') {
        return ERR_OK;
    }
    ERR_TRY(config_absolute_path(l, path, &absolute, e));
    if (absolute[0] == '\0') {
        return set_lake_problem(l, ERR_CONFIG, e,
                                "warehouse: '%.200s' (%s) must be a folder of its own",
                                c->warehouse, config_origin(c, "warehouse"));
    }
    return config_text(&c->arena, &c->warehouse_location, e, "file://%s", absolute);
}

/* ---- catalog ---- */

/* The file of sqlite:///relative, sqlite:////absolute, sqlite+driver:///…, jdbc:sqlite:[file:]path.
 */
static const char *sqlite_path(const char *uri)
{
    const char *path = NULL;

    if (str_starts_with(uri, "jdbc:sqlite:")) {
        path = uri + strlen("jdbc:sqlite:");
        path += str_starts_with(path, "file:") ? strlen("file:") : 0;
    } else if (str_starts_with(uri, "sqlite:") || str_starts_with(uri, "sqlite+")) {
        path = strstr(uri, ":///");
        path = path == NULL ? NULL : path + strlen(":///");
    }
    return path == NULL || path[0] == '\0' || path[0] == ':' || strchr(path, '?') != NULL ? NULL
                                                                                          : path;
}

static bool is_http(const char *uri)
{
    return str_starts_with(uri, "http://") || str_starts_with(uri, "https://");
}

/* catalog.path counts where it is as strong as catalog.uri. */
static bool uri_counts(const struct config *c)
{
    return c->catalog_uri[0] != '\0' &&
           config_given_of(c, "catalog.path")->rank < config_given_of(c, "catalog.uri")->rank;
}

/* What the other settings say where nobody named a type. */
static enum config_catalog catalog_type_of(const struct config *c)
{
    if (c->catalog_given != CONFIG_CATALOG_AUTO) {
        return c->catalog_given;
    }
    if (uri_counts(c)) {
        return is_http(c->catalog_uri) ? CONFIG_CATALOG_REST : CONFIG_CATALOG_SQLITE;
    }
    return c->catalog_path[0] == '\0' && str_starts_with(c->warehouse_location, "s3://")
               ? CONFIG_CATALOG_GLUE
               : CONFIG_CATALOG_SQLITE;
}

static enum err_code derive_sqlite(struct config_loader *l, struct err *e)
{
    struct config *c = l->c;
    const char *path = uri_counts(c) ? sqlite_path(c->catalog_uri) : c->catalog_path;

    if (path == NULL) {
        c->catalog_path = "";
        return set_lake_problem(l, ERR_UNSUPPORTED, e,
                                "catalog.uri (%s) must name a SQLite file, like "
                                "sqlite:////lake/catalog.db, or a REST catalog, like "
                                "https://HOST/PATH",
                                config_origin(c, "catalog.uri"));
    }
    if (path[0] != '\0') {
        return config_absolute_path(l, path, &c->catalog_path, e);
    }
    if (c->warehouse_location[0] == '\0') {
        return ERR_OK;
    }
    if (!str_starts_with(c->warehouse_location, "file://")) {
        return set_lake_problem(l, ERR_CONFIG, e,
                                "catalog.type: sqlite (%s) needs a file on local disk for a "
                                "warehouse on S3: set catalog.path",
                                config_origin(c, "catalog.type"));
    }
    return config_text(&c->arena, &c->catalog_path, e, "%s/catalog.db",
                       c->warehouse_location + strlen("file://"));
}

static enum err_code derive_glue(struct config_loader *l, struct err *e)
{
    struct config *c = l->c;

    c->catalog_path = "";
    if (str_starts_with(c->warehouse_location, "file://")) {
        return set_lake_problem(l, ERR_CONFIG, e,
                                "catalog.type: glue (%s) needs tables on S3, and warehouse (%s) is "
                                "a local folder: set it to s3://BUCKET/FOLDER",
                                config_origin(c, "catalog.type"), config_origin(c, "warehouse"));
    }
    return ERR_OK;
}

static enum err_code derive_rest(struct config_loader *l, struct err *e)
{
    struct config *c = l->c;
    const char *shown = "";

    c->catalog_path = "";
    if (!is_http(c->catalog_uri)) {
        ERR_TRY(shown_url(l, c->catalog_uri, &shown, e));
        return set_lake_problem(
            l, ERR_CONFIG, e,
            "catalog.type: rest (%s) needs catalog.uri, like https://HOST/PATH; "
            "'%.200s' (%s) is none",
            config_origin(c, "catalog.type"), shown, config_origin(c, "catalog.uri"));
    }
    return ERR_OK;
}

static enum err_code derive_catalog(struct config_loader *l, struct err *e)
{
    l->c->catalog_type = catalog_type_of(l->c);
    switch (l->c->catalog_type) {
    case CONFIG_CATALOG_AUTO:
    case CONFIG_CATALOG_SQLITE:
        return derive_sqlite(l, e);
    case CONFIG_CATALOG_REST:
        return derive_rest(l, e);
    case CONFIG_CATALOG_GLUE:
        return derive_glue(l, e);
    } /* no default: a new catalog breaks the build here */
    return ERR_OK;
}

/* ---- keys ---- */

static enum err_code check_keys(const struct config *c, const char *prefix,
                                const struct config_keys *k, struct err *e)
{
    bool has_id = k->access_key_id[0] != '\0';
    bool has_secret = k->secret_access_key.text != NULL && k->secret_access_key.text[0] != '\0';
    char name[64];

    if (has_id == has_secret) {
        return ERR_OK;
    }
    (void)snprintf(name, sizeof name, "%s.%s", prefix,
                   has_id ? "access-key-id" : "secret-access-key");
    return err_set(e, ERR_CONFIG, "%s (%s) is set, and %s.%s is not: they go together", name,
                   config_origin(c, name), prefix, has_id ? "secret-access-key" : "access-key-id");
}

static enum err_code check_headers(const struct config *c, struct err *e)
{
    for (uint32_t i = 0; i < c->rest.headers.count; i++) {
        const char *colon = strchr(c->rest.headers.items[i], ':');

        if (colon == NULL || colon == c->rest.headers.items[i]) {
            return err_set(e, ERR_CONFIG, "rest.header (%s): each must be NAME: VALUE",
                           config_origin(c, "rest.header"));
        }
    }
    return ERR_OK;
}

static enum err_code check_pair(const struct config *c, const char *a, bool has_a, const char *b,
                                bool has_b, struct err *e)
{
    if (has_a == has_b) {
        return ERR_OK;
    }
    return err_set(e, ERR_CONFIG, "%s (%s) is set, and %s is not: they go together", has_a ? a : b,
                   config_origin(c, has_a ? a : b), has_a ? b : a);
}

/* Variables of the process, and behind them those of .env that it lacks. */
static enum err_code keep_environment(struct config_loader *l, struct err *e)
{
    const char *const *process = l->request->environment;
    struct arena *arena = &l->c->arena;
    uint32_t count = 0;

    while (process != NULL && process[count] != NULL) {
        count++;
    }
    const char **all = arena_alloc(arena, (size_t)count + l->dotenv.count + 1, sizeof *all);

    if (all == NULL) {
        return arena_fail(arena, e, "settings");
    }
    for (uint32_t i = 0; i < count; i++) {
        all[i] = arena_strdup(arena, process[i]);
        if (all[i] == NULL) {
            return arena_fail(arena, e, "settings");
        }
    }
    for (uint32_t i = 0; i < l->dotenv.count; i++) {
        const struct config_entry *entry = &l->dotenv.items[i];

        if (entry->value != NULL && config_entries_find(&l->dotenv, entry->key) == entry) {
            ERR_TRY(config_text(arena, &all[count++], e, "%s=%s", entry->key, entry->value));
        }
    }
    all[count] = NULL;
    l->c->environment = all;
    return ERR_OK;
}

enum err_code config_lake_values(struct config_loader *l, struct err *e)
{
    const struct config *c = l->c;

    ERR_TRY(check_keys(c, "client", &c->client, e));
    ERR_TRY(check_keys(c, "s3", &c->s3.keys, e));
    ERR_TRY(check_keys(c, "glue", &c->glue.keys, e));
    ERR_TRY(check_headers(c, e));
    ERR_TRY(check_pair(c, "http.client-cert", c->http.client_cert[0] != '\0', "http.client-key",
                       c->http.client_key[0] != '\0', e));
    ERR_TRY(check_pair(c, "rest.user", c->rest.user[0] != '\0', "rest.password",
                       c->rest.password.text != NULL && c->rest.password.text[0] != '\0', e));
    ERR_TRY(keep_environment(l, e));
    ERR_TRY(derive_warehouse(l, e));
    return derive_catalog(l, e);
}
