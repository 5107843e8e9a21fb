/*
 * config_pyiceberg.c - the catalog of .pyiceberg.yaml.
 *
 * Spec: apache/iceberg-python, pyiceberg/utils/config.py and catalog/__init__.py.
 */
#include "app/config_files.h"
#include "base/str.h"

#define FILE_NAME ".pyiceberg.yaml"
#define PREFIX    "PYICEBERG_"
/* Between the parts of a path: catalog and property names have dots of their own. */
#define SEPARATOR      '\x1f'
#define SEPARATOR_TEXT "\x1f"

/* ASCII lower case in place. */
static void to_lower(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        if (*p >= 'A' && *p <= 'Z') {
            *p = (char)(*p + ('a' - 'A'));
        }
    }
}

static enum err_code read_candidate(const char *folder, struct arena *arena,
                                    struct config_entries *out, struct err *e)
{
    struct buf text;
    bool found;
    const char *path;

    ERR_TRY(config_text(arena, &path, e, "%s%s" FILE_NAME, folder,
                        str_ends_with(folder, "/") ? "" : "/"));
    buf_init(&text, 2 * CONFIG_FILE_BYTES_MAX);
    enum err_code rc = config_read_file(path, &text, &found, e);

    if (rc == ERR_OK && found) {
        rc = config_yaml_parse(buf_span(&text), path, SEPARATOR, arena, out, e);
    }
    buf_deinit(&text);
    return rc;
}

/* The first file with content; keys in lower case. */
static enum err_code read_first(const struct config_env *env, const char *folder,
                                struct arena *arena, struct config_entries *out, struct err *e)
{
    const char *folders[] = {config_env_get(env, "PYICEBERG_HOME", arena, NULL),
                             config_env_get(env, "HOME", arena, NULL), folder};

    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && out->count == 0; i++) {
        if (folders[i] != NULL && folders[i][0] != '\0') {
            ERR_TRY(read_candidate(folders[i], arena, out, e));
        }
    }
    for (uint32_t i = 0; i < out->count; i++) {
        char *key = arena_strdup(arena, out->items[i].key);

        if (key == NULL) {
            return arena_fail(arena, e, "settings");
        }
        to_lower(key);
        out->items[i].key = key;
    }
    return ERR_OK;
}

/*
 * CATALOG__DEFAULT__S3__REGION becomes catalog, default, s3.region: split at "__" at most twice,
 * then
 * "__" is a dot and "_" a dash.
 */
static void variable_path(const char *name, char *out)
{
    int splits = 0;

    for (const char *p = name; *p != '\0'; p++) {
        if (p[0] == '_' && p[1] == '_') {
            *out++ = splits < 2 ? SEPARATOR : '.';
            splits++;
            p++;
        } else {
            *out++ = (char)(*p == '_' ? '-' : *p);
        }
    }
    *out = '\0';
}

static enum err_code add_variable(const char *name, size_t name_len, const char *value,
                                  const char *where, struct arena *arena,
                                  struct config_entries *out, struct err *e)
{
    char *plain = arena_strndup(arena, name + strlen(PREFIX), name_len - strlen(PREFIX));
    char *path = arena_alloc(arena, name_len + 1, 1);
    struct config_entry entry = {.key = path, .value = value, .where = where};

    if (plain == NULL || path == NULL) {
        return arena_fail(arena, e, "settings");
    }
    to_lower(plain);
    variable_path(plain, path);
    return config_entries_add(out, arena, entry, e);
}

/* Variables come after the file's entries and so hide them; those of the process come last. */
static enum err_code add_variables(const struct config_env *env, struct arena *arena,
                                   struct config_entries *out, struct err *e)
{
    for (uint32_t i = 0; env->dotenv != NULL && i < env->dotenv->count; i++) {
        const struct config_entry *entry = &env->dotenv->items[i];

        if (str_starts_with(entry->key, PREFIX) && entry->value != NULL &&
            entry->value[0] != '\0') {
            ERR_TRY(add_variable(entry->key, strlen(entry->key), entry->value, entry->where, arena,
                                 out, e));
        }
    }
    for (const char *const *p = env->process; p != NULL && *p != NULL; p++) {
        const char *equals = strchr(*p, '=');
        size_t len = equals == NULL ? 0 : (size_t)(equals - *p);

        if (str_starts_with(*p, PREFIX) && len > strlen(PREFIX) && equals[1] != '\0') {
            const char *where;

            ERR_TRY(config_text(arena, &where, e, "environment %.*s", (int)len, *p));
            ERR_TRY(add_variable(*p, len, equals + 1, where, arena, out, e));
        }
    }
    return ERR_OK;
}

static enum err_code take(const struct config_env *env, const struct config_entries *entries,
                          const char *path, struct arena *arena, const char **value,
                          const char **where, struct err *e)
{
    const struct config_entry *entry = config_entries_find(entries, path);

    if (entry == NULL || entry->value == NULL) {
        return ERR_OK;
    }
    *where = entry->where;
    enum err_code rc = config_expand(env, entry->value, false, arena, value, e);

    return rc == ERR_OK ? ERR_OK : err_wrap(e, "%s", entry->where);
}

static const char *type_of_uri(const char *uri)
{
    static const struct {
        const char *scheme;
        const char *type;
    } known[] = {{"http://", "rest"},    {"https://", "rest"},   {"thrift://", "hive"},
                 {"sqlite:", "sql"},     {"sqlite+", "sql"},     {"jdbc:sqlite:", "sql"},
                 {"postgresql:", "sql"}, {"postgresql+", "sql"}, {"mysql", "sql"}};

    for (size_t i = 0; uri != NULL && i < sizeof known / sizeof known[0]; i++) {
        if (str_starts_with(uri, known[i].scheme)) {
            return known[i].type;
        }
    }
    return NULL;
}

/* Nested keys (auth: {type: basic}) are joined by dots. */
static enum err_code take_property(const struct config_env *env, const struct config_entry *entry,
                                   size_t prefix_len, struct arena *arena,
                                   struct pyiceberg_catalog *out, struct err *e)
{
    struct config_entry property = {.where = entry->where};
    char *key = arena_strdup(arena, entry->key + prefix_len);

    if (key == NULL) {
        return arena_fail(arena, e, "settings");
    }
    for (char *p = key; *p != '\0'; p++) {
        *p = *p == SEPARATOR ? '.' : *p;
    }
    property.key = key;
    if (config_expand(env, entry->value, false, arena, &property.value, e) != ERR_OK) {
        return err_wrap(e, "%s", entry->where);
    }
    if (strcmp(key, "type") == 0) {
        out->type = property.value;
        out->type_where = property.where;
    } else if (strcmp(key, "uri") == 0) {
        out->uri = property.value;
        out->uri_where = property.where;
    }
    return config_entries_add(&out->properties, arena, property, e);
}

/* Entries that come later hide those of the same key in front of them. */
static enum err_code take_catalog(const struct config_env *env,
                                  const struct config_entries *entries, struct arena *arena,
                                  struct pyiceberg_catalog *out, bool *found, struct err *e)
{
    const char *prefix;

    ERR_TRY(
        config_text(arena, &prefix, e, "catalog" SEPARATOR_TEXT "%s" SEPARATOR_TEXT, out->name));
    char *catalog = arena_strdup(arena, prefix);

    if (catalog == NULL) {
        return arena_fail(arena, e, "settings");
    }
    to_lower(catalog);
    for (uint32_t i = 0; i < entries->count; i++) {
        const struct config_entry *entry = &entries->items[i];

        if (!str_starts_with(entry->key, catalog)) {
            continue;
        }
        *found = true;
        if (entry->value != NULL && config_entries_find(entries, entry->key) == entry) {
            ERR_TRY(take_property(env, entry, strlen(catalog), arena, out, e));
        }
    }
    if (out->type == NULL) {
        out->type = type_of_uri(out->uri);
        out->type_where = out->uri_where;
    }
    return ERR_OK;
}

enum err_code pyiceberg_catalog_load(const struct config_env *env, const char *folder,
                                     const char *name, struct arena *arena,
                                     struct pyiceberg_catalog *out, bool *found, struct err *e)
{
    struct config_entries entries = {0};

    *out = (struct pyiceberg_catalog){.name = name};
    *found = false;
    ERR_TRY(read_first(env, folder, arena, &entries, e));
    ERR_TRY(add_variables(env, arena, &entries, e));
    if (name == NULL) {
        ERR_TRY(take(env, &entries, "default-catalog", arena, &out->name, &out->name_where, e));
    }
    if (out->name == NULL || out->name[0] == '\0') {
        out->name = "default";
    }
    return take_catalog(env, &entries, arena, out, found, e);
}
